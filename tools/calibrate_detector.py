"""Measure the activations of NanoDet-g for its 8-bit form.

Runs the float graph over pictures from the folders given, and takes the range of each tensor and
the mean of each channel, written with three digits to ``tools/nanodet_g.calibration.json``;
nothing else of the pictures is kept. Generated pictures would not do: their flat shapes widen the
ranges, and all else loses precision.

Run: ``python tools/calibrate_detector.py ../shared/data/grocery/images/train
../shared/data/clothing_a/images ../shared/data/chess_a/images
../shared/data/aquarium/images/train``
Needs: npm (for the weights), onnx, onnxruntime, Pillow, numpy.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from PIL import Image, ImageOps

from calibrate_backbone import SEED, Vector, sample_activations, write_calibration
from export_detector import CALIBRATION, SLOPE, Int8Detector, download_package, export

SIDE = 416
SAMPLES = 400
"""Values of a tensor that a picture gives, beside its extremes."""
MEASURED = ("Conv", "LeakyRelu", "Add", "AveragePool", "MaxPool", "Resize", "Concat")

Range = tuple[float, float]


def gather_pictures(folders: list[Path], each: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield `each` pictures of every folder, as the detector sees them."""
    rng = np.random.default_rng(SEED)
    for folder in folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".png"})
        for i in rng.choice(len(paths), min(each, len(paths)), replace=False):
            with Image.open(paths[i]) as opened:
                yield fit_picture(ImageOps.exif_transpose(opened).convert("RGB"))


def fit_picture(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return a picture whose longer side is ``SIDE``, both sides multiples of 32."""
    scale = SIDE / max(picture.size)
    width, height = (max(32, round(side * scale / 32) * 32) for side in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def choose_ranges(graph: onnx.GraphProto, values: dict[str, Vector]) -> dict[str, Range]:
    """Return the range of each tensor, in the order of the graph."""
    leaky = {node.input[0] for node in graph.node if node.op_type == "LeakyRelu"}
    ranges: dict[str, Range] = {}
    for node in graph.node:
        name = node.output[0]
        if name not in values:
            continue
        sources = [ranges[source] for source in node.input if source in ranges]
        if name in leaky:
            ranges[name] = choose_leaky_range(values[name])
        elif node.op_type == "LeakyRelu":
            low, high = sources[0]
            ranges[name] = low * SLOPE, high
        elif node.op_type in ("Concat", "MaxPool", "Resize") and sources:
            ranges[name] = min(low for low, _ in sources), max(high for _, high in sources)
        else:
            ranges[name] = min(float(values[name].min()), 0.0), float(values[name].max())
    return ranges


def choose_leaky_range(values: Vector) -> Range:
    """Return the range with the least square error behind the leaky ReLU that follows.

    What is far below 0 hardly counts there, and would take most of the 256 steps.
    """
    low, high = min(float(values.min()), -1e-3), float(values.max())
    behind = np.maximum(values, values * SLOPE)
    best, least = low, np.inf
    for share in np.geomspace(0.02, 1, 40):
        step = (high - low * share) / 255
        zero = round(-low * share / step)
        rounded = (np.clip(np.rint(values / step) + zero, 0, 255) - zero) * step
        error = float(np.square(np.maximum(rounded, rounded * SLOPE) - behind).mean())
        if error < least:
            best, least = low * share, error
    return best, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of permitted pictures")
    parser.add_argument("--each", type=int, default=30, help="pictures of each folder")
    parser.add_argument("--package", type=Path, help="the package on disk instead of a download")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        package = options.package or download_package(Path(scratch))
        ((name, data),) = export(package, ("fp16",)).items()
        path = Path(scratch) / name
        path.write_bytes(data)
        graph = onnx.load_from_string(data).graph
        names = [
            node.output[0]
            for node in graph.node
            if node.op_type in MEASURED
            and (node.output[0] == "stage0" or not node.output[0].startswith(Int8Detector.FLOAT))
        ]
        pictures = gather_pictures(options.folders, options.each)
        values, means = sample_activations(path, names, pictures, SAMPLES)
    write_calibration(CALIBRATION, choose_ranges(graph, values), means)
    print(f"{CALIBRATION}: {len(values)} tensors")


if __name__ == "__main__":
    main()
