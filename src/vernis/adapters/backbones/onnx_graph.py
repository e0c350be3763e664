"""Reading tensors out of the middle of an ONNX graph.

ONNX Runtime executes every node of a graph whichever outputs are fetched, so a graph is cut down
to what the wanted tensors need before a session is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper, shape_inference

from vernis.domain.errors import ModelError, NotFound, UsageError

POOLINGS = ("avg", "max", "first", "none")
"""How a layer becomes a vector: mean or maximum over places, the first token, or as it is."""


def load_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises
    ------
    ModelError
        When the file is missing or is not an ONNX model.
    """
    try:
        model = onnx.load(str(path))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such model file") from error
    except Exception as error:
        # Protobuf raises its own DecodeError for any foreign bytes.
        raise ModelError(f"{path}: not a readable ONNX model ({error})") from error
    if not model.graph.node or len(image_inputs(model)) != 1:
        raise ModelError(f"{path}: expected a graph with one input, the picture")
    return model


def image_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are not weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def fixed_side(model: onnx.ModelProto) -> int:
    """Return the side in pixels that the graph's input is fixed to, 0 when it is free."""
    dims = [d.dim_value for d in image_inputs(model)[0].type.tensor_type.shape.dim]
    sides = [size for size in dims[1:] if size > 3]
    return min(sides, default=0)


def list_layers(model: onnx.ModelProto, side: int) -> dict[str, tuple[int, ...]]:
    """Name every tensor that depends on the picture, in the order of the graph.

    Parameters
    ----------
    model : ModelProto
    side : int
        Height and width of the input in pixels, for the shapes.

    Returns
    -------
    dict of str to tuple of int
        Shape of each tensor without the batch axis; () where it cannot be inferred.
    """
    shapes = _infer_shapes(model, side)
    reached = {value.name for value in image_inputs(model)}
    layers: dict[str, tuple[int, ...]] = {}
    for node in model.graph.node:
        if reached.isdisjoint(node.input):
            continue
        for output in filter(None, node.output):
            reached.add(output)
            layers[output] = shapes.get(output, ())
    return layers


def _infer_shapes(model: onnx.ModelProto, side: int) -> dict[str, tuple[int, ...]]:
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    # The batch of 2 tells the batch axis from dimensions that happen to be 1.
    batch = 2
    for value in image_inputs(sized):
        dims = value.type.tensor_type.shape.dim
        for axis, dim in enumerate(dims):
            if axis == 0:
                dim.dim_value = batch
            elif dim.dim_value <= 0:
                dim.dim_value = side
    for value in sized.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = shape_inference.infer_shapes(sized, data_prop=True)
    except Exception:
        # Inference is a convenience: a graph with foreign operators still runs.
        return {}
    shapes: dict[str, tuple[int, ...]] = {}
    for value in [*inferred.graph.value_info, *inferred.graph.output]:
        dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if len(dims) > 1 and all(dims) and dims[0] == batch:
            shapes[value.name] = dims[1:]
    return shapes


def cut_graph(
    model: onnx.ModelProto, layers: Sequence[str], pooling: str, ranks: Sequence[int]
) -> tuple[bytes, list[str]]:
    """Return the serialized part of a graph that computes the given layers, pooled.

    Parameters
    ----------
    model : ModelProto
    layers : sequence of str
        Names of tensors.
    pooling : {"avg", "max", "first", "none"}
    ranks : sequence of int
        Number of axes of each layer, batch included: 4 for ``(n, channels, height, width)``,
        3 for ``(n, tokens, channels)``, 2 for vectors, which are not pooled.

    Returns
    -------
    bytes
        A model that holds only the nodes and weights which are needed.
    list of str
        Names of its outputs, one a layer.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    graph = cut.graph
    nodes, needed = _needed_nodes(model, layers)
    del graph.node[:]
    graph.node.extend(nodes)
    weights = [w for w in model.graph.initializer if w.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    outputs = []
    for layer, rank in zip(layers, ranks, strict=True):
        added = _pooling_nodes(layer, pooling, rank)
        graph.node.extend(added)
        outputs.append(added[-1].output[0] if added else layer)
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(outputs))
    return cut.SerializeToString(), outputs


def _needed_nodes(
    model: onnx.ModelProto, layers: Sequence[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
    needed = set(layers)
    nodes: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.isdisjoint(node.output):
            continue
        nodes.append(node)
        needed.update(node.input)
        needed.update(_outer_names(node))
    produced = {name for node in nodes for name in node.output}
    if missing := [layer for layer in layers if layer not in produced]:
        raise NotFound(f"no layer {missing[0]!r} in the graph; see the backbone's layers")
    return nodes[::-1], needed


def _outer_names(node: onnx.NodeProto) -> set[str]:
    """Names that the branches of an If or Loop take from outside."""
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
            for inner in graph.node:
                names.update(inner.input)
                names.update(_outer_names(inner))
            names.update(output.name for output in graph.output)
    return names


def _pooling_nodes(layer: str, pooling: str, rank: int) -> list[onnx.NodeProto]:
    if pooling not in POOLINGS:
        raise UsageError(f"expected a pooling of {', '.join(POOLINGS)}, got {pooling!r}")
    if rank == 2 or pooling == "none":
        return []
    name = f"{layer}.{pooling}"
    if rank == 4 and pooling in ("avg", "max"):
        operator = "GlobalAveragePool" if pooling == "avg" else "GlobalMaxPool"
        return [
            helper.make_node(operator, [layer], [f"{name}.nchw"]),
            helper.make_node("Flatten", [f"{name}.nchw"], [name], axis=1),
        ]
    if rank == 3 and pooling in ("avg", "max"):
        operator = "GlobalAveragePool" if pooling == "avg" else "GlobalMaxPool"
        return [
            helper.make_node("Transpose", [layer], [f"{name}.nct"], perm=[0, 2, 1]),
            helper.make_node(operator, [f"{name}.nct"], [f"{name}.pool"]),
            helper.make_node("Flatten", [f"{name}.pool"], [name], axis=1),
        ]
    if rank == 3 and pooling == "first":
        index = helper.make_tensor(f"{name}.index", onnx.TensorProto.INT64, [], [0])
        return [
            helper.make_node("Constant", [], [f"{name}.index"], value=index),
            helper.make_node("Gather", [layer, f"{name}.index"], [name], axis=1),
        ]
    raise UsageError(f"layer {layer!r} with {rank} axes cannot be pooled by {pooling!r}")
