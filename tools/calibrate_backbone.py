"""Measure the activations of EfficientNet-Lite0 for its 8-bit form.

Runs the float graph over generated pictures and over pictures from the folders given, and takes
for each tensor the range whose 256 steps lose least (mean square error) and the mean of each
channel. They are written with three digits to ``tools/efficientnet_lite0.calibration.json``;
nothing else of the pictures is kept.

Run: ``python tools/calibrate_backbone.py ../shared/data/grocery/images/train
../shared/data/clothing_a/images``
Needs: onnx, onnxruntime, Pillow, numpy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter, ImageOps

SIDE = 224
SEED = 20
SAMPLES = 2_000
CALIBRATION = Path(__file__).with_name("efficientnet_lite0.calibration.json")
WEIGHTS = Path(__file__).parents[1] / "src/vernis/adapters/backbones/weights"

Vector = npt.NDArray[np.float32]


def draw_picture(rng: np.random.Generator) -> Image.Image:
    """Draw shapes over a gradient, with a little blur or noise."""

    def colour() -> tuple[int, int, int]:
        r, g, b = rng.integers(0, 256, 3)
        return int(r), int(g), int(b)

    gradient = Image.linear_gradient("L").resize((SIDE, SIDE)).rotate(int(rng.integers(4)) * 90)
    picture = ImageOps.colorize(gradient, colour(), colour())
    canvas = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 12)):
        x, y = (int(v) for v in rng.integers(-40, SIDE, 2))
        w, h = (int(v) for v in rng.integers(4, 160, 2))
        shape = (canvas.rectangle, canvas.ellipse)[rng.integers(2)]
        shape((x, y, x + w, y + h), fill=colour())
        canvas.line((x, y, y, x), fill=colour(), width=int(rng.integers(1, 6)))
    picture = picture.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0, 1, 3]))))
    noise = rng.normal(0, rng.choice([0, 4, 20]), (SIDE, SIDE, 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def gather_pictures(folders: list[Path], each: int) -> npt.NDArray[np.uint8]:
    """Return `each` generated pictures and `each` of every folder, ``(n, SIDE, SIDE, 3)``."""
    rng = np.random.default_rng(SEED)
    pictures = [draw_picture(rng) for _ in range(each)]
    for folder in folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".png"})
        for i in rng.choice(len(paths), min(each, len(paths)), replace=False):
            with Image.open(paths[i]) as opened:
                picture = ImageOps.exif_transpose(opened).convert("RGB")
            pictures.append(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return np.stack([np.asarray(picture) for picture in pictures])


def quantized_tensors(model: onnx.ModelProto) -> list[str]:
    """Name the results of convolutions (after their ReLU6) and of sums."""
    clipped = {node.input[0] for node in model.graph.node if node.op_type == "Clip"}
    return [
        node.output[0]
        for node in model.graph.node
        if node.op_type in ("Conv", "Clip", "Add") and node.output[0] not in clipped
    ]


def sample_activations(
    path: Path,
    names: list[str],
    pictures: Iterable[npt.NDArray[np.uint8]],
    samples: int = SAMPLES,
) -> tuple[dict[str, Vector], dict[str, Vector]]:
    """Return values of each tensor, the extremes of each picture among them, and channel means."""
    model = onnx.load(str(path))
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(SEED)
    found: dict[str, list[Vector]] = {name: [] for name in names}
    means: dict[str, list[Vector]] = {name: [] for name in names}
    for picture in pictures:
        for name, values in zip(names, session.run(names, {"images": picture[None]}), strict=True):
            flat = values.ravel()
            some = flat[rng.integers(0, flat.size, samples)]
            found[name].append(np.concatenate([some, [flat.min(), flat.max()]]))
            means[name].append(values[0].mean(axis=(1, 2)))
    mean = {name: np.mean(rows, axis=0) for name, rows in means.items()}
    return {name: np.concatenate(parts) for name, parts in found.items()}, mean


def choose_range(values: Vector) -> tuple[float, float]:
    """Return the range, shrunk from the extremes, with the least square error at 256 steps."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-3)
    best, least = (low, high), np.inf
    for shrink_low in np.linspace(0.3, 1, 15) if low < 0 else [1.0]:
        for shrink_high in np.linspace(0.3, 1, 15):
            a, b = low * shrink_low, high * shrink_high
            step = (b - a) / 255
            zero = round(-a / step)
            steps = np.clip(np.rint(values / step) + zero, 0, 255)
            error = float(np.square((steps - zero) * step - values).mean())
            if error < least:
                best, least = (a, b), error
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", type=Path, nargs="*", help="folders of permitted pictures")
    parser.add_argument("--each", type=int, default=100, help="pictures of each kind")
    options = parser.parse_args()
    pictures = gather_pictures(options.folders, options.each)
    path = WEIGHTS / "efficientnet_lite0.fp16.onnx"
    values, means = sample_activations(path, quantized_tensors(onnx.load(str(path))), pictures)
    means["images.centred"] = pictures.mean(axis=(0, 1, 2), dtype=np.float64) / 127.5 - 1
    write_calibration(CALIBRATION, {name: choose_range(x) for name, x in values.items()}, means)
    print(f"{CALIBRATION}: {len(values)} tensors from {len(pictures)} pictures")


def write_calibration(
    path: Path, ranges: Mapping[str, Iterable[float]], means: Mapping[str, Iterable[float]]
) -> None:
    """Write ranges and means with three digits, one tensor a line."""
    parts = []
    for key, table in {"ranges": ranges, "means": means}.items():
        lines = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(round_values(values))}"
            for name, values in table.items()
        )
        parts.append(f'  "{key}": {{\n{lines}\n  }}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def round_values(values: Iterable[float]) -> list[float]:
    """Keep three digits."""
    return [float(f"{value:.3g}") for value in values]


if __name__ == "__main__":
    main()
