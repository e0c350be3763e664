"""What an ONNX graph wants its picture to be: type of numbers, order of axes, side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import DTypeLike

from vernis.adapters.backbones.onnx_graph import image_inputs
from vernis.domain.errors import ModelError

_NUMBERS: dict[int, DTypeLike] = {
    onnx.TensorProto.UINT8: np.uint8,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.DOUBLE: np.float64,
}
_WANTED = "(n, 3, height, width) or (n, height, width, 3)"


@dataclass(frozen=True, slots=True)
class GraphInput:
    """The one input of a graph that takes square RGB pictures.

    Attributes
    ----------
    name : str
    numbers : dtype
        uint8, or a float that is scaled before.
    channels_first : bool
        (n, 3, height, width), else (n, height, width, 3).
    said : bool
        The order of the axes is not told by the graph: it had to be said.
    side : int
        Height and width in pixels that it is fixed to; 0: free.
    """

    name: str
    numbers: DTypeLike
    channels_first: bool
    said: bool
    side: int


def read_input(model: onnx.ModelProto, layout: str, source: object) -> GraphInput:
    """Return what the graph's input is.

    Parameters
    ----------
    model : ModelProto
    layout : {"", "NCHW", "NHWC"}
        What the user says of the axes; "": as the shape tells.
    source : object
        Names the model in messages.

    Raises
    ------
    ModelError
        The graph takes no square RGB pictures, or only many at once.
    """
    value = image_inputs(model)[0]
    kind = value.type.tensor_type
    if kind.elem_type not in _NUMBERS:
        name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise ModelError(
            f"{source}: its input {value.name!r} takes {name}; a picture is given as uint8, "
            "float16, float or double"
        )
    known = kind.HasField("shape")
    dims = [dim.dim_value for dim in kind.shape.dim] if known else [0] * 4
    shape = _shown(kind.shape) if known else "unknown"
    where = f"{source}: its input {value.name!r} of shape {shape}"
    if len(dims) != 4:
        raise ModelError(f"{where} is no picture; expected {_WANTED}")
    first = _channels_first(dims, layout, where)
    height, width = dims[2:] if first else dims[1:3]
    if height and width and height != width:
        raise ModelError(
            f"{where} takes pictures {height} high and {width} wide; only square ones are given"
        )
    if dims[0] > 1:
        raise ModelError(
            f"{where} takes {dims[0]} pictures at once, no more and no less; export the network "
            "anew with a free batch axis, or one of 1"
        )
    said = 3 not in (dims[1], dims[3])
    return GraphInput(value.name, _NUMBERS[kind.elem_type], first, said, height or width)


def _channels_first(dims: list[int], layout: str, where: str) -> bool:
    if layout:
        first = layout == "NCHW"
        if dims[1 if first else 3] not in (0, 3):
            raise ModelError(f"{where} is not {layout}")
        return first
    if 3 in (dims[1], dims[3]):
        return dims[1] == 3
    if 0 in (dims[1], dims[3]):
        raise ModelError(
            f"{where} does not tell which axis holds the three colours; say --layout NCHW or "
            'NHWC, or "layout" in the JSON beside it'
        )
    raise ModelError(f"{where} is no RGB picture; expected {_WANTED}")


def _shown(shape: onnx.TensorShapeProto) -> str:
    return f"({', '.join(dim.dim_param or str(dim.dim_value or '?') for dim in shape.dim)})"
