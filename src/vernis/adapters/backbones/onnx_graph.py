"""Reading tensors out of the middle of an ONNX graph.

ONNX Runtime executes every node of a graph whichever outputs are fetched, so a graph is cut down
to what the wanted tensors need before a session is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnx import helper, shape_inference

from vernis.domain.errors import ModelError, NotFound, UsageError

POOLINGS = ("avg", "max", "gem", "first", "flatten", "none")
"""How a layer becomes a vector: mean, maximum or generalized mean over places, the first token,
every value of every place, or as it is (which is the same; for layers that are vectors)."""

GEM_POWER = 3.0
"""The exponent of the generalized mean (Radenovic, Tolias & Chum 2018, eq. 3)."""
_GEM_FLOOR = 1e-6
# Shapes are inferred from small weights only (targets of Reshape and the like).
_SMALL_WEIGHT = 256


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
    if not model.graph.node:
        raise ModelError(f"{path}: not a readable ONNX model (it holds no graph)")
    inputs = [value.name for value in image_inputs(model)]
    if len(inputs) != 1:
        found = f"{len(inputs)}: {', '.join(inputs)}" if inputs else "none"
        raise ModelError(f"{path}: expected one input, the picture; the graph has {found}")
    return model


def external_files(path: Path) -> list[str]:
    """Return the files beside an ONNX file that hold weights of it, as the graph names them.

    Raises
    ------
    ModelError
        When the file is not an ONNX model, or names a file outside of its folder.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        # Protobuf raises its own DecodeError for any foreign bytes.
        raise ModelError(f"{path}: not a readable ONNX model ({error})") from error
    found = {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in found:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(f"{path}: its weights lie outside of its folder, in {name}")
    return sorted(found)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield the weights of a graph and the constants of its nodes, those of inner graphs too."""
    bodies = [model.graph, *model.functions]
    while bodies:
        body = bodies.pop()
        yield from getattr(body, "initializer", ())
        for attribute in (a for node in body.node for a in node.attribute):
            yield from (attribute.t, *attribute.tensors)
            bodies += [graph for graph in (attribute.g, *attribute.graphs) if graph.node]


def image_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are not weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def list_layers(
    model: onnx.ModelProto, side: int, channels_axis: int = 0
) -> dict[str, tuple[int, ...]]:
    """Name every tensor that depends on the picture, in the order of the graph.

    Parameters
    ----------
    model : ModelProto
    side : int
        Height and width of the input in pixels, for the shapes.
    channels_axis : int
        The axis of the input that holds the three colours, where the graph does not tell.

    Returns
    -------
    dict of str to tuple of int
        Shape of each tensor without the batch axis; () where it cannot be inferred.
    """
    shapes = _infer_shapes(model, side, channels_axis)
    reached = {value.name for value in image_inputs(model)}
    layers: dict[str, tuple[int, ...]] = {}
    for node in model.graph.node:
        if reached.isdisjoint(node.input):
            continue
        for output in filter(None, node.output):
            reached.add(output)
            layers[output] = shapes.get(output, ())
    return layers


def _infer_shapes(
    model: onnx.ModelProto, side: int, channels_axis: int
) -> dict[str, tuple[int, ...]]:
    sized = _without_weights(model)
    batch = 1
    pictures = {value.name for value in image_inputs(model)}
    for value in sized.graph.input:
        if value.name not in pictures:
            continue
        dims = value.type.tensor_type.shape.dim
        if not value.type.tensor_type.HasField("shape"):
            dims.extend(onnx.TensorShapeProto.Dimension() for _ in range(4))
        # A free batch becomes 2, which tells its axis from dimensions that happen to be 1.
        batch = dims[0].dim_value if dims and dims[0].dim_value > 0 else 2
        for axis, dim in enumerate(dims):
            if dim.dim_value <= 0:
                free = 3 if axis == channels_axis else side
                dim.dim_value = batch if axis == 0 else free
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


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with large weights as inputs of their shape: nothing more is inferred from.

    Copies of the weights of a large network would not fit into a protobuf message.
    """
    bare = onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    graph = bare.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    named = {value.name for value in model.graph.input}
    # The picture stays first.
    graph.input.extend(model.graph.input)
    for weight in model.graph.initializer:
        if math.prod(weight.dims) <= _SMALL_WEIGHT:
            graph.initializer.append(weight)
        elif weight.name not in named:
            kind, dims = weight.data_type, list(weight.dims)
            graph.input.append(helper.make_tensor_value_info(weight.name, kind, dims))
    return bare


def cut_graph(
    model: onnx.ModelProto, layers: Sequence[str], pooling: str, ranks: Sequence[int]
) -> tuple[bytes, list[str]]:
    """Return the serialized part of a graph that computes the given layers, pooled.

    Parameters
    ----------
    model : ModelProto
    layers : sequence of str
        Names of tensors.
    pooling : {"avg", "max", "gem", "first", "flatten", "none"}
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
    # Built anew, not copied and thinned: the weights of a large network are copied once only.
    nodes, needed = _needed_nodes(model, layers)
    cut = onnx.ModelProto(ir_version=model.ir_version, producer_name=model.producer_name)
    cut.opset_import.extend(model.opset_import)
    cut.functions.extend(model.functions)
    graph = cut.graph
    graph.name = model.graph.name
    graph.input.extend(model.graph.input)
    graph.node.extend(nodes)
    graph.initializer.extend(w for w in model.graph.initializer if w.name in needed)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
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
    if rank == 2 or pooling in ("flatten", "none"):
        return []
    name = f"{layer}.{pooling}"
    if rank in (3, 4) and pooling in _OPERATORS:
        # Layers of bytes or of half precision are pooled as floats; of floats nothing is cast.
        maps = f"{name}.floats"
        before = [helper.make_node("Cast", [layer], [maps], to=onnx.TensorProto.FLOAT)]
        if rank == 3:
            maps = f"{name}.nct"
            turned = helper.make_node("Transpose", [f"{name}.floats"], [maps], perm=[0, 2, 1])
            before.append(turned)
        return before + _global_pool(maps, pooling, name)
    if rank == 3 and pooling == "first":
        index = helper.make_tensor(f"{name}.index", onnx.TensorProto.INT64, [], [0])
        return [
            helper.make_node("Constant", [], [f"{name}.index"], value=index),
            helper.make_node("Gather", [layer, f"{name}.index"], [name], axis=1),
        ]
    what = {2: "is a vector", 3: "is tokens", 4: "is a map"}.get(rank, f"has {rank} axes")
    fit = {3: "avg, max, gem, first, flatten", 4: "avg, max, gem, flatten"}.get(rank, "flatten")
    raise UsageError(f"layer {layer!r} {what} and cannot be pooled by {pooling!r}; there are {fit}")


_OPERATORS = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool", "gem": "GlobalAveragePool"}


def _global_pool(maps: str, pooling: str, name: str) -> list[onnx.NodeProto]:
    """Pool (n, channels, …places) to vectors (n, channels)."""
    before: list[onnx.NodeProto] = []
    after: list[onnx.NodeProto] = []
    pooled = f"{name}.flat" if pooling == "gem" else name
    if pooling == "gem":
        for constant, value in (
            ("floor", _GEM_FLOOR),
            ("power", GEM_POWER),
            ("root", 1 / GEM_POWER),
        ):
            tensor = helper.make_tensor(f"{name}.{constant}", onnx.TensorProto.FLOAT, [], [value])
            before.append(helper.make_node("Constant", [], [f"{name}.{constant}"], value=tensor))
        before.append(helper.make_node("Max", [maps, f"{name}.floor"], [f"{name}.positive"]))
        before.append(
            helper.make_node("Pow", [f"{name}.positive", f"{name}.power"], [f"{name}.raised"])
        )
        maps = f"{name}.raised"
        after = [helper.make_node("Pow", [pooled, f"{name}.root"], [name])]
    return [
        *before,
        helper.make_node(_OPERATORS[pooling], [maps], [f"{name}.places"]),
        helper.make_node("Flatten", [f"{name}.places"], [pooled], axis=1),
        *after,
    ]
