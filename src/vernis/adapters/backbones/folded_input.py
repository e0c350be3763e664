"""Show the first convolution blocks of 2 × 2 pixels: the same numbers, sooner.

A convolution of 3 × 3 over three channels in steps of two gathers its input three bytes at a time,
which takes longer than its arithmetic. Over blocks of 2 × 2 pixels, twelve channels, it is one of
2 × 2 in steps of one whose other weights are 0. Of 8-bit networks the sums are whole numbers, so
that not one bit of the result differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from vernis.adapters.backbones.onnx_backbone import Session, open_session

_CONVOLUTION: dict[str, list[int]] = {"kernel_shape": [3, 3], "strides": [2, 2]}
_PADS = [0, 0, 1, 1]
_BLOCKS: dict[str, list[int]] = {"kernel_shape": [2, 2], "strides": [1, 1]}


class FoldedSession:
    """A session of a graph whose input is folded, with the ``run`` of one that is not."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> Sequence[Any]:
        """Return the values of the outputs, in their order."""
        return self._session.run(
            outputs, {name: fold_pictures(pictures) for name, pictures in feeds.items()}
        )


def open_folded(model: bytes, source: object) -> Session:
    """Make a session that works on the calling thread alone, its input folded where that helps.

    Raises
    ------
    ModelError
        When ONNX Runtime refuses the graph; `source` names it.
    """
    folded = fold_graph(model)
    if folded is not None:
        return FoldedSession(open_session(folded, source))
    plain: Session = open_session(model, source)
    return plain


def fold_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return blocks of 2 × 2 pixels, shape (n, height / 2, width / 2, 12).

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, height, width, 3)
        Of even height and width.
    """
    n, height, width, _ = pictures.shape
    words = np.ascontiguousarray(pictures).reshape(-1).view(np.uint16)  # three of two pixels
    rows = words.reshape(n, height // 2, 2, width // 2, 3)
    blocks = np.empty((n, height // 2, width // 2, 2, 3), dtype=np.uint16)
    # One word of all blocks of a row after the other: long loops, copied in a third of the time.
    for row, word in product(range(2), range(3)):
        blocks[..., row, word] = rows[:, :, row, :, word]
    return blocks.view(np.uint8).reshape(n, height // 2, width // 2, 12)


def fold_graph(model: bytes) -> bytes | None:
    """Return a graph that takes blocks of 2 × 2 pixels; None where it does not suit.

    It suits where the input is bytes, (n, height, width, 3), and all that reads it is an 8-bit
    convolution of 3 × 3 in steps of two without padding above and left.
    """
    opened = onnx.load_from_string(model)
    graph = opened.graph
    if len(graph.input) != 1:
        return None
    shape = graph.input[0].type.tensor_type.shape.dim
    if graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.UINT8 or len(shape) != 4:
        return None
    chain = _chain(graph, ("Transpose", "DequantizeLinear", "Conv"))
    if chain is None or shape[3].dim_value != 3 or any(side.dim_value % 2 for side in shape[1:3]):
        return None
    weights = _weights(graph, chain[2].input[1])
    if not _suits(chain[0], chain[2]) or weights is None:
        return None
    weights.CopyFrom(numpy_helper.from_array(_fold_weights(weights), weights.name))
    for attribute in chain[2].attribute:
        if attribute.name in _BLOCKS:
            attribute.ints[:] = _BLOCKS[attribute.name]
    for side in shape[1:3]:
        if side.dim_value:
            side.dim_value //= 2
    shape[3].dim_value = 12
    del graph.value_info[:]  # the shapes of what lies between
    return bytes(opened.SerializeToString())


def _chain(graph: onnx.GraphProto, kinds: Sequence[str]) -> list[onnx.NodeProto] | None:
    """Return the nodes of these kinds that read the input one after the other, and nobody else."""
    name, found = graph.input[0].name, []
    for kind in kinds:
        readers = [node for node in graph.node if name in node.input]
        if len(readers) != 1 or readers[0].op_type != kind or readers[0].input[0] != name:
            return None
        if name in {output.name for output in graph.output}:
            return None
        found.append(readers[0])
        name = readers[0].output[0]
    return found


def _weights(graph: onnx.GraphProto, name: str) -> onnx.TensorProto | None:
    """Return the 8-bit weights, shape (n, 3, 3, 3), that one node alone makes ``name`` of."""
    makers = [node for node in graph.node if name in node.output]
    if len(makers) != 1 or makers[0].op_type != "DequantizeLinear":
        return None
    stored = makers[0].input[0]
    if sum(stored in node.input for node in graph.node) != 1:
        return None
    for tensor in graph.initializer:
        if tensor.name == stored and tensor.data_type == onnx.TensorProto.INT8:
            return tensor if list(tensor.dims[1:]) == [3, 3, 3] else None
    return None


def _suits(transpose: onnx.NodeProto, convolution: onnx.NodeProto) -> bool:
    said = {one.name: onnx.helper.get_attribute_value(one) for one in convolution.attribute}
    moved = {one.name: onnx.helper.get_attribute_value(one) for one in transpose.attribute}
    return (
        moved.get("perm") == [0, 3, 1, 2]
        and all(said.get(name) == value for name, value in _CONVOLUTION.items())
        and said.get("pads") == _PADS
        and said.get("group", 1) == 1
        and said.get("dilations", [1, 1]) == [1, 1]
        and said.get("auto_pad", b"NOTSET") == b"NOTSET"
    )


def _fold_weights(weights: onnx.TensorProto) -> NDArray[np.int8]:
    """Return the weights of blocks, shape (n, 12, 2, 2); channels as ``fold_pictures`` has them."""
    plain = numpy_helper.to_array(weights)
    padded = np.zeros((len(plain), 3, 4, 4), dtype=np.int8)
    padded[:, :, :3, :3] = plain
    # channel, (block, pixel) down, (block, pixel) across → (pixel down, across, channel), blocks
    blocks = padded.reshape(-1, 3, 2, 2, 2, 2).transpose(0, 3, 5, 1, 2, 4)
    return np.ascontiguousarray(blocks).reshape(-1, 12, 2, 2)
