"""Write ONNX graphs node by node, in float32 or in 8 bits, for the tools that export networks.

``FloatGraph`` computes in float32 from weights stored as float16 with a Cast, which ONNX Runtime
folds at load. ``Int8Graph`` writes the same layers so that ONNX Runtime computes them in 8 bits.
Needs: onnx, numpy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

# Smaller tensors cost 6 % of the file; in float16 they would raise the largest error to 0.026.
HALF_PRECISION_FROM = 30_000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conv:
    """What a convolution is besides its weights."""

    stride: int = 1
    group: int = 1
    relu6: bool = True
    pads: int | None = None
    """On every side; None: TensorFlow's "same" padding."""

    def attributes(self, kernel: Array) -> dict[str, object]:
        """Return the ONNX attributes; TensorFlow's "same" padding is that of even sides."""
        size = kernel.shape[2]
        total = size - self.stride if self.stride > 1 else size - 1
        before, after = total // 2, total - total // 2
        if self.pads is not None:
            before = after = self.pads
        return {
            "kernel_shape": [size, size],
            "strides": [self.stride, self.stride],
            "pads": [before, before, after, after],
            "group": self.group,
        }


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
        if c.relu6:
            self.add_constant("relu6.min", np.array(0.0, np.float32))
            self.add_constant("relu6.max", np.array(6.0, np.float32))
        if source == "images.centred":
            kernel = kernel / 127.5
        output = f"{name}.conv" if c.relu6 else name
        weights = [self.add_weight(f"{name}.weight", kernel), self.add_weight(f"{name}.bias", bias)]
        self.add("Conv", [source, *weights], output, **c.attributes(kernel))
        return self.add("Clip", [output, "relu6.min", "relu6.max"], name) if c.relu6 else output

    def add_layer(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        """Add a layer without weights."""
        return self.add(op, inputs, name, **attributes)

    def add_sum(self, name: str, a: str, b: str) -> str:
        return self.add_layer("Add", [a, b], name)

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
    if kernel.shape[1] == 1 and kernel.shape[2] > 1:
        return np.full(len(kernel), 127.0)
    if kernel.shape[1] % 2:  # the picture's three colours: pairs reach into the next place
        return np.full(len(kernel), 63.0)
    # Places first and channels last, as ONNX Runtime multiplies them.
    pairs = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1, 2)
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
        return self.dequantize("images.nchw", "images.centred", 1 / 127.5, 128)

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

    def add_layer(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.add(op, inputs, f"{name}.real", **attributes)
        return self._requantize(name)

    def _requantize(self, name: str) -> str:
        low, high = self.calibration["ranges"][name]
        scale = (high - low) / 255
        zero = round(-low / scale)
        self.add_constant(f"{name}.scale", np.array(scale, np.float32))
        self.add_constant(f"{name}.zero", np.array(zero, np.uint8))
        inputs = [f"{name}.real", f"{name}.scale", f"{name}.zero"]
        self.add("QuantizeLinear", inputs, f"{name}.u8")
        return self.dequantize(f"{name}.u8", name, scale, zero)

    def dequantize(self, source: str, name: str, scale: float, zero: int) -> str:
        self.scales[name] = scale
        self.add_constant(f"{name}.scale", np.array(scale, np.float32))
        self.add_constant(f"{name}.zero", np.array(zero, np.uint8))
        return self.add("DequantizeLinear", [source, f"{name}.scale", f"{name}.zero"], name)


def write_with_checksum(path: Path, data: bytes) -> None:
    """Write the file and renew its line in ``SHA256SUMS`` beside it."""
    path.write_bytes(data)
    sums = path.with_name("SHA256SUMS")
    known = sums.read_text().splitlines() if sums.exists() else []
    kept = [line for line in known if line.split()[1] != path.name]
    kept.append(f"{hashlib.sha256(data).hexdigest()}  {path.name}")
    sums.write_text("\n".join(sorted(kept, key=lambda line: line.split()[1])) + "\n")
