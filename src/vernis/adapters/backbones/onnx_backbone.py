"""A backbone that runs an ONNX graph on ONNX Runtime, one thread a session."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from vernis.adapters.backbones.graph_input import GraphInput, read_input
from vernis.adapters.backbones.inputs import InputSpec, fit_picture, scale_picture
from vernis.adapters.backbones.onnx_graph import (
    cut_graph,
    external_files,
    list_layers,
    load_graph,
)
from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

_FLOAT16_MAX = float(np.finfo(np.float16).max)


class Session(Protocol):
    """A graph that is ready to run; ONNX Runtime's own session is one."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> Sequence[Any]:
        """Return the values of the outputs, in their order."""
        ...


OpenSession = Callable[[bytes, object], Session]
"""Makes a session that works on the calling thread alone, from a model and what names it."""


def open_session(model: bytes, source: object) -> onnxruntime.InferenceSession:
    """Make a session that works on the calling thread alone.

    Raises
    ------
    ModelError
        When ONNX Runtime refuses the graph; `source` names it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised and told once
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions have no common base but Exception.
        raise ModelError(
            f"{source}: ONNX Runtime cannot load it ({plain_reason(error)})"
        ) from error


def plain_reason(error: Exception) -> str:
    """Return the message of a runtime's exception on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class OnnxReader:
    """Reads one embedding space: the given layers, pooled and joined.

    The cut graph is kept as bytes; each worker opens a session of its own from it.
    """

    space: Space
    model: bytes
    views: Mapping[int, Sequence[str]]
    """Outputs by the side in pixels at which the picture is shown to the network."""
    prepare: Callable[[Pixels, int], NDArray[Any]]
    input_name: str
    start: OpenSession = open_session

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return the function from a picture to its vector."""
        embed = self.open_batch()
        return lambda pixels: embed([pixels])[0]

    def open_batch(self) -> Callable[[Sequence[Pixels]], NDArray[Any]]:
        """Return the function from pictures to vectors, shape ``(n_pictures, space.dim)``.

        On one thread a batch is no faster than one picture at a time; it serves graphs that are.
        """
        session = self.start(self.model, self.space.name)
        dtype, dim = np.dtype(self.space.dtype), self.space.dim

        def embed(pictures: Sequence[Pixels]) -> NDArray[Any]:
            parts: list[NDArray[Any]] = []
            for side, outputs in self.views.items():
                shown = [self.prepare(pixels, side) for pixels in pictures]
                batch = np.stack(shown) if len(shown) > 1 else shown[0][None]
                parts += _run(session, outputs, {self.input_name: batch}, self.space.name)
            # Layers of bytes and of half precision are clipped as floats below.
            flat = [np.asarray(part, np.float32).reshape(len(pictures), -1) for part in parts]
            joined = np.concatenate(flat, axis=1)
            if joined.shape[1] != dim:
                raise ModelError(
                    f"{self.space.name}: expected {dim} dimensions, got {joined.shape[1]}"
                )
            if np.isnan(joined).any():
                raise ModelError(
                    f"{self.space.name}: the network gives values that are no numbers (NaN); check "
                    "how its input is scaled, or read another layer"
                )
            if dtype == np.float16:
                np.clip(joined, -_FLOAT16_MAX, _FLOAT16_MAX, out=joined)
            return joined.astype(dtype)

        return embed


class OnnxBackbone:
    """Any ONNX image network whose input is one RGB picture or a batch of them.

    The input may be uint8 or float, NHWC or NCHW; uint8 graphs scale for themselves.

    Parameters
    ----------
    path : Path
        The ONNX file.
    name : str
        Begins the name of each of its spaces.
    spec : InputSpec
    default_layer : str
        The layers of the default space, joined by ``+``.
    sha256 : str
        Expected checksum of the file alone; empty accepts any.
    default_pooling : str
        Of the default space.
    runtime : tuple of str and OpenSession
        The name and the start of what runs the graph, where it is not ONNX Runtime.

    Raises
    ------
    ModelError
        When the file is missing, damaged or not an ONNX image network.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        spec: InputSpec,
        default_layer: str,
        sha256: str = "",
        default_pooling: str = "avg",
        runtime: tuple[str, OpenSession] | None = None,
    ) -> None:
        self.name = name
        self.spec = spec
        self.default_layer = default_layer
        self.default_pooling = default_pooling
        self._runtime = runtime
        self._path = path
        own = _checksum(path)
        if sha256 and own != sha256:
            raise ModelError(
                f"{path}: checksum differs, the file is damaged; get or install it anew"
            )
        self.sha256 = _with_external(own, path)

    @cached_property
    def _model(self) -> onnx.ModelProto:
        return load_graph(self._path)

    @cached_property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor that can be read, without the batch axis; () when unknown."""
        axis = 1 if self._input.channels_first else 3
        found = list_layers(self._model, self.spec.side, axis if self._input.said else 0)
        unknown = [name for name, shape in found.items() if not shape]
        if unknown:
            try:
                found |= self._measure(unknown)
            except ModelError:
                return found  # why is said when such a layer is read
        return {name: shape for name, shape in found.items() if shape}

    def _measure(self, layers: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Find shapes by running the graph on one grey picture; () of what has no batch axis.

        Such a tensor, often a shape itself, says nothing of the picture.
        """
        model, _ = cut_graph(self._model, layers, "none", [2] * len(layers))
        grey = np.full((self.spec.side, self.spec.side, 3), 128, np.uint8)
        batch = self._prepare(grey, self.spec.side)[None]
        session = open_session(model, self._path)
        values = _run(session, layers, {self._input.name: batch}, self._path)
        return {
            name: tuple(value.shape[1:]) if np.shape(value)[:1] == (1,) else ()
            for name, value in zip(layers, values, strict=True)
        }

    def reader(self, layer: str | None = None, pooling: str | None = None) -> OnnxReader:
        """Return a reader for an embedding space.

        Parameters
        ----------
        layer : str, optional
            One tensor of the graph or several joined by ``+``, whose vectors are concatenated.
            ``NAME@SIDE`` reads it at another side of the input (``pooled+pooled@128``). The
            space's settings name the layers in their order and width. None: the default layers.
        pooling : {"avg", "max", "gem", "first", "flatten", "none"}, optional
            Applied to layers that are maps or tokens. None: the backbone's own.

        Raises
        ------
        NotFound
            When the graph has no such layer.
        UsageError
            When the layer cannot be pooled so.
        """
        chosen = self.default_layer if layer is None else layer
        own = layer is None and pooling in (None, self.default_pooling)
        pooling = self.default_pooling if pooling is None else pooling
        by_side = self._parse(chosen)
        names = list(dict.fromkeys(name for group in by_side.values() for name in group))
        shapes = [self._shape(name) for name in names]
        ranks = [len(shape) + 1 for shape in shapes]
        model, outputs = cut_graph(self._model, names, pooling, ranks)
        output_of = dict(zip(names, outputs, strict=True))
        width_of = {n: _pooled_width(s, pooling) for n, s in zip(names, shapes, strict=True)}
        layers = [
            [name if side == self.spec.side else f"{name}@{side}", width_of[name]]
            for side, group in by_side.items()
            for name in group
        ]
        settings: dict[str, Any] = {
            "layers": layers,
            "pooling": pooling,
            "side": self.spec.side,
            "fit": self.spec.fit,
            "sha256": self.sha256,
        }
        if self._scales_outside:
            settings["input"] = self.spec.document()
        if self._input.said:
            settings.setdefault("input", {})["layout"] = self.spec.layout
        if self._runtime is not None:
            settings["runtime"] = self._runtime[0]
        suffix = "" if own else f":{chosen}:{pooling}"
        dim = sum(width_of[name] for group in by_side.values() for name in group)
        space = Space(f"{self.name}{suffix}", dim, "float16", settings)
        views = {side: [output_of[name] for name in group] for side, group in by_side.items()}
        return OnnxReader(space, model, views, self._prepare, self._input.name, self._start(views))

    def _start(self, sides: Iterable[int]) -> OpenSession:
        from vernis.adapters.backbones.folded_input import open_folded  # which opens sessions, too

        if self._runtime is not None:
            return self._runtime[1]
        return open_folded if all(side % 2 == 0 for side in sides) else open_session

    @property
    def fixed_side(self) -> int:
        """Height and width in pixels that the graph's input is fixed to; 0: free."""
        return self._input.side

    def open_maps(self, layers: Sequence[str]) -> Callable[[Pixels], list[NDArray[np.float16]]]:
        """Return the function from a picture to layers of it, shape (channels, height, width) each.

        The picture is taken as it is: its sides must be such as the network takes.
        """
        model, outputs = cut_graph(self._model, layers, "none", [4] * len(layers))
        session = open_session(model, self._path)

        def read(pixels: Pixels) -> list[NDArray[np.float16]]:
            batch = self._ordered(pixels)[None]
            values = _run(session, outputs, {self._input.name: batch}, self._path)
            return [np.asarray(value[0]).astype(np.float16) for value in values]

        return read

    @property
    def input_name(self) -> str:
        """Name of the tensor that is the picture."""
        return self._input.name

    @property
    def graph_nodes(self) -> Sequence[onnx.NodeProto]:
        """The nodes of the graph, in their order."""
        return list(self._model.graph.node)

    def _parse(self, layers: str) -> dict[int, list[str]]:
        """Return the layers' names by side, from ``NAME+NAME@SIDE``."""
        by_side: dict[int, list[str]] = {}
        for part in map(str.strip, layers.split("+")):
            if not part:
                raise UsageError(f"expected LAYER or LAYER+LAYER, got {layers!r}")
            name, digits = part, ""
            if "@" in part and part not in self.layers:
                name, _, digits = part.rpartition("@")
                if not digits.isdecimal():
                    raise UsageError(f"expected LAYER or LAYER@SIDE in pixels, got {part!r}")
            side = int(digits) if digits else self.spec.side
            by_side.setdefault(side, []).append(name)
        fixed = self._input.side
        for side in by_side:
            if fixed and side != fixed:
                raise UsageError(f"{self.name} works at {fixed} pixels only, not at {side}")
            replace(self.spec, side=side)  # refuses what the network cannot take
        return by_side

    def feature_map(self, pixels: Pixels, layer: str) -> NDArray[np.float32]:
        """Return a layer for one picture, shape ``(channels, height, width)`` for a convolution.

        Raises
        ------
        NotFound
            When the graph has no such layer.
        """
        session = self._map_sessions.get(layer)
        if session is None:
            rank = len(self._shape(layer)) + 1
            model, _ = cut_graph(self._model, [layer], "none", [rank])
            session = self._map_sessions[layer] = open_session(model, self._path)
        batch = self._prepare(pixels, self.spec.side)[None]
        values = _run(session, [layer], {self._input.name: batch}, self._path)[0]
        return np.asarray(values[0], np.float32)

    @cached_property
    def _map_sessions(self) -> dict[str, onnxruntime.InferenceSession]:
        return {}

    @cached_property
    def _input(self) -> GraphInput:
        return read_input(self._model, self.spec.layout, self._path)

    @property
    def _scales_outside(self) -> bool:
        return self._input.numbers != np.uint8

    def _prepare(self, pixels: Pixels, side: int) -> NDArray[Any]:
        return self._ordered(fit_picture(pixels, side, self.spec.fit))

    def _ordered(self, picture: NDArray[Any]) -> NDArray[Any]:
        if self._scales_outside:
            picture = scale_picture(picture, self.spec).astype(self._input.numbers, copy=False)
        return picture.transpose(2, 0, 1) if self._input.channels_first else picture

    def _shape(self, layer: str) -> tuple[int, ...]:
        if layer not in self.layers:
            near = difflib.get_close_matches(layer, self.layers, n=5, cutoff=0.4)
            others = [n for n, shape in self.layers.items() if len(shape) == 1] or [*self.layers]
            hint = f"near are {', '.join(near)}" if near else f"it has {', '.join(others[-5:])}"
            raise NotFound(
                f"{self.name} has no layer {layer!r}; {hint} "
                f"(vernis layers shows all {len(self.layers)})"
            )
        return self.layers[layer] or self._measure([layer])[layer]


def _run(
    session: Session, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], source: object
) -> Sequence[Any]:
    """Run a graph. All pictures come in one shape, so a failure is the network's, no picture's."""
    try:
        return session.run(list(outputs), feeds)
    except Exception as error:
        # The runtimes' exceptions have no common base but Exception.
        raise ModelError(f"{source}: the network fails ({plain_reason(error)})") from error


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from error


def _with_external(own: str, path: Path) -> str:
    """Return a model's checksum: its file's own, joined with those of its files of weights."""
    others = [f"{name} {_checksum(path.parent / name)}" for name in external_files(path)]
    if not others:
        return own
    return hashlib.sha256("\n".join([own, *others]).encode()).hexdigest()


def _pooled_width(shape: tuple[int, ...], pooling: str) -> int:
    if len(shape) == 1 or pooling in ("flatten", "none"):
        return int(np.prod(shape))
    return shape[0] if len(shape) == 3 else shape[-1]
