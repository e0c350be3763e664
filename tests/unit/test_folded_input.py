"""A network that is shown blocks of pixels gives the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from vernis.adapters.backbones.folded_input import fold_graph, fold_pictures, open_folded
from vernis.adapters.backbones.onnx_backbone import open_session
from vernis.adapters.backbones.zoo import open_backbone
from vernis.session.networks import Networks


def test_blocks_hold_two_by_two_pixels_row_by_row() -> None:
    pictures = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    blocks = fold_pictures(pictures)
    assert blocks.shape == (2, 2, 3, 12)
    for n, y, x in np.ndindex(2, 2, 3):
        block = pictures[n, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        np.testing.assert_array_equal(blocks[n, y, x], block.ravel())


@pytest.mark.parametrize("layer", [None, "stage1.pooled", "pooled+pooled@96"])
def test_not_one_bit_of_the_shipped_vectors_differs(layer: str | None) -> None:
    rng = np.random.default_rng(5)
    reader = open_backbone(arithmetic="int8").reader(layer)
    assert reader.start is open_folded
    assert fold_graph(reader.model) is not None
    folded, plain = reader.open_batch(), replace(reader, start=open_session).open_batch()
    pictures = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((90, 61, 3), (224, 224, 3))]
    np.testing.assert_array_equal(folded(pictures), plain(pictures))


def test_other_networks_are_run_as_they_are() -> None:
    floats = open_backbone(arithmetic="fp32").reader("stage0.pooled")
    assert fold_graph(floats.model) is None
    whole = onnx.load_from_string(open_backbone(arithmetic="int8").reader("stage0.pooled").model)
    convolution = next(node for node in whole.graph.node if node.op_type == "Conv")
    for name, values in (("pads", [1, 1, 0, 0]), ("strides", [1, 1])):
        other = onnx.ModelProto.FromString(whole.SerializeToString())
        node = next(node for node in other.graph.node if node.name == convolution.name)
        next(one for one in node.attribute if one.name == name).ints[:] = values
        assert fold_graph(other.SerializeToString()) is None
    shared = onnx.ModelProto.FromString(whole.SerializeToString())
    shared.graph.output.append(onnx.ValueInfoProto(name=convolution.input[0]))
    assert fold_graph(shared.SerializeToString()) is None
    one_side = onnx.ModelProto.FromString(whole.SerializeToString())
    stem = next(t for t in one_side.graph.initializer if list(t.dims[1:]) == [3, 3, 3])
    stem.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stem)[:, :, :1, :1], stem.name))
    assert fold_graph(one_side.SerializeToString()) is None


def test_on_a_graphics_processor_nothing_is_folded() -> None:
    reader = open_backbone(arithmetic="int8").reader("stage0.pooled")
    assert Networks(open_session).on_device(reader).start is open_session
