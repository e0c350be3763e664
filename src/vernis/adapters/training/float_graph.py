"""A shipped network as plain float nodes and weights: read from its ONNX file, and written to one.

An 8-bit graph is read as the float network that it stands for: its weights are brought back to
float, and the steps between its nodes are left out. That is right of the shipped detector, whose
nodes do not count on the cut of a quantized range; a graph that does (EfficientNet-Lite0 in 8 bits
takes its ReLU6 from it) is read from its file in 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_OPSET = 17
_FREE = (None, None, None, None)
"""The shape of an output that is a map: any."""
_FLAT = ("Flatten", "Gemm")
"""Operations whose output is a vector a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation of a network, with one output.

    Attributes
    ----------
    kind : str
        ONNX's name of the operation.
    inputs : tuple of str
        Of other nodes or weights; "" for one that is left out.
    output : str
    options : mapping
        ONNX's attributes.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FloatGraph:
    """A network in the order of its nodes.

    Attributes
    ----------
    nodes : tuple of Node
    weights : dict of str to ndarray
        float32, or what a node takes besides (sizes, scales).
    outputs : tuple of str
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]

    def cut(self, outputs: Sequence[str]) -> FloatGraph:
        """Return only what these outputs need."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if node.output in needed:
                kept.append(node)
                needed.update(node.inputs)
        weights = {name: values for name, values in self.weights.items() if name in needed}
        return FloatGraph(tuple(reversed(kept)), weights, tuple(outputs))

    def with_weights(self, weights: Mapping[str, NDArray[Any]]) -> FloatGraph:
        """Return the same network with some weights replaced."""
        return replace(self, weights={**self.weights, **weights})

    def extended(
        self,
        nodes: Sequence[Node],
        weights: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
    ) -> FloatGraph:
        """Return the network with nodes behind it."""
        return FloatGraph((*self.nodes, *nodes), {**self.weights, **weights}, tuple(outputs))

    def to_onnx(self) -> bytes:
        """Return an ONNX file that takes ``images``, uint8 RGB, (n, height, width, 3)."""
        images = helper.make_tensor_value_info(
            "images", onnx.TensorProto.UINT8, ["n", "height", "width", 3]
        )
        flat = {one.output for one in self.nodes if one.kind in _FLAT}
        outputs = [
            helper.make_tensor_value_info(
                name, onnx.TensorProto.FLOAT, _FREE[:2] if name in flat else _FREE
            )
            for name in self.outputs
        ]
        graph = helper.make_graph(
            [
                helper.make_node(one.kind, list(one.inputs), [one.output], **dict(one.options))
                for one in self.nodes
            ],
            "trained",
            [images],
            outputs,
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def read_float_graph(file: bytes) -> FloatGraph:
    """Read an ONNX file of a shipped network as float nodes.

    Parameters
    ----------
    file : bytes
    """
    graph = onnx.load_from_string(file).graph
    weights = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    instead: dict[str, str] = {}  # of a tensor between two roundings: the tensor before them
    nodes: list[Node] = []
    for node in graph.node:
        source, output = node.input[0], node.output[0]
        if node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and source not in weights
        ):
            instead[output] = instead.get(source, source)
        elif node.op_type == "DequantizeLinear":
            weights[output] = _float_weights(node, weights)
        elif node.op_type == "Cast" and source in weights:
            weights[output] = weights[source].astype(np.float32)
        else:
            options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            inputs = tuple(instead.get(name, name) for name in node.input)
            nodes.append(Node(node.op_type, inputs, output, options))
    names = {instead.get(one.name, one.name): one.name for one in graph.output}
    # ``cells8.real`` is what ``cells8`` was before it was rounded: it takes the plain name.
    plain = {before: after for after, before in instead.items() if _is_plain(after, before)}
    plain |= {before: after for before, after in names.items() if before != after}
    renamed = tuple(
        Node(
            one.kind,
            tuple(plain.get(name, name) for name in one.inputs),
            plain.get(one.output, one.output),
            one.options,
        )
        for one in nodes
    )
    outputs = tuple(one.name for one in graph.output)
    return FloatGraph(renamed, weights, outputs).cut(outputs)


def _is_plain(after: str, before: str) -> bool:
    return before == f"{after}.real"


def _float_weights(
    node: onnx.NodeProto, weights: Mapping[str, NDArray[Any]]
) -> NDArray[np.float32]:
    values = weights[node.input[0]].astype(np.float32)
    scale = weights[node.input[1]]
    zero = weights[node.input[2]] if len(node.input) > 2 else np.zeros((), np.int8)
    axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
    shape = [1] * values.ndim
    if scale.ndim:
        shape[axis] = -1
    return np.asarray(
        (values - zero.astype(np.float32).reshape(shape if zero.ndim else ()))
        * scale.reshape(shape if scale.ndim else ()),
        np.float32,
    )
