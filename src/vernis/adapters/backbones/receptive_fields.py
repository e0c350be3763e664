"""What the cells of a layer can see, and the layers worth looking into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from onnx import NodeProto

from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
from vernis.core.explore.feature_maps import Window, receptive_fields

_MAIN = re.compile(r"(stage|block|layer)s?[._]?\d+|features")
_LEAST_SHARE, _MOST_SHARE = 0.1, 0.5


def main_maps(backbone: OnnxBackbone) -> list[str]:
    """Return the maps at the ends of a network's stages, first to last.

    By their names where these tell, else the last map of each resolution.
    """
    maps = {
        name: shape
        for name, shape in backbone.layers.items()
        if len(shape) == 3 and min(shape[1:]) > 1
    }
    named = [name for name in maps if _MAIN.fullmatch(name)]
    if named:
        return named
    last = {shape[1:]: name for name, shape in maps.items()}
    return list(last.values())


def patch_shares(backbone: OnnxBackbone, layers: Sequence[str]) -> dict[str, float]:
    """Return the side of each layer's patches as a share of the input's side.

    It is the receptive field of one cell, held between a tenth and a half: deep layers could see
    the whole picture, but weigh the middle of their field most (Luo et al. 2016).
    """
    fields = receptive_fields(_windows(backbone), backbone.input_name)
    side = backbone.spec.side
    return {
        layer: min(max(fields.get(layer, side) / side, _LEAST_SHARE), _MOST_SHARE)
        for layer in layers
    }


def _windows(backbone: OnnxBackbone) -> Iterator[tuple[Sequence[str], Sequence[str], Window]]:
    for node in backbone.graph_nodes:
        yield node.input, node.output, _window(node)


def _window(node: NodeProto) -> Window:
    if not node.op_type.endswith(("Conv", "MaxPool", "AveragePool")):
        return Window()
    if node.op_type.startswith("Global"):
        return Window()
    values = {a.name: list(a.ints) for a in node.attribute}
    kernel, stride, dilation = (
        max(values.get(name) or [1]) for name in ("kernel_shape", "strides", "dilations")
    )
    return Window(kernel, stride, dilation)
