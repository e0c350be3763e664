"""A backbone that runs an ONNX graph on ONNX Runtime, one thread a session."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from vernis.adapters.backbones.onnx_graph import (
    cut_graph,
    fixed_side,
    image_inputs,
    list_layers,
    load_graph,
)
from vernis.adapters.pixels import fit as fit_whole
from vernis.adapters.pixels import resize
from vernis.domain.errors import InvalidValue, ModelError, NotFound, UsageError
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

Fit = Literal["soft", "squash", "pad", "extend", "crop"]
"""How a picture is made square: stretched half-way (to the square root of its aspect ratio) with
grey bars, stretched, whole with grey bars or with bars that repeat its edge, cut at the centre."""

FITS: tuple[Fit, ...] = get_args(Fit)

_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a picture becomes the input of a network.

    Attributes
    ----------
    side : int
        Height and width in pixels.
    fit : Fit
    mean, std : three floats
        Of the channels in 0..1; only used by graphs whose input is not uint8.
    multiple : int
        What sides must be a multiple of.
    """

    side: int = 224
    fit: Fit = "soft"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.side < 1:
            raise InvalidValue(f"expected a side of 1 pixel or more, got {self.side}")
        if self.side % self.multiple:
            raise InvalidValue(
                f"expected a side that is a multiple of {self.multiple}, got {self.side}"
            )
        if self.fit not in FITS:
            raise InvalidValue(f"expected a fit of {', '.join(FITS)}, got {self.fit!r}")
        if min(self.std) <= 0:
            raise InvalidValue(f"expected positive standard deviations, got {self.std}")


def fit_picture(pixels: Pixels, side: int, fit: Fit) -> Pixels:
    """Return the picture as a square.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    side : int
    fit : Fit

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
    """
    height, width = pixels.shape[:2]
    if fit == "soft":
        aspect = math.sqrt(width / height)
        inner = (side * min(1, aspect), side / max(1, aspect))
        pixels = resize(pixels, (max(1, round(inner[0])), max(1, round(inner[1]))))
    if fit in ("soft", "pad"):
        # Grey is 0 once the network has scaled it to -1..1, like the padding inside it.
        return fit_whole(pixels, (side, side), fill=(128, 128, 128))
    if fit == "extend":
        return fit_whole(pixels, (side, side), fill=None)
    if fit == "crop":
        cut = min(height, width)
        top, left = (height - cut) // 2, (width - cut) // 2
        pixels = np.ascontiguousarray(pixels[top : top + cut, left : left + cut])
    return resize(pixels, (side, side))


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
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions have no common base but Exception.
        raise ModelError(f"{source}: ONNX Runtime cannot load it ({error})") from error


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

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return the function from a picture to its vector."""
        embed = self.open_batch()
        return lambda pixels: embed([pixels])[0]

    def open_batch(self) -> Callable[[Sequence[Pixels]], NDArray[Any]]:
        """Return the function from pictures to vectors, shape ``(n_pictures, space.dim)``.

        On one thread a batch is no faster than one picture at a time; it serves graphs that are.
        """
        session = open_session(self.model, self.space.name)
        dtype, dim = np.dtype(self.space.dtype), self.space.dim

        def embed(pictures: Sequence[Pixels]) -> NDArray[Any]:
            parts: list[NDArray[Any]] = []
            for side, outputs in self.views.items():
                batch = np.stack([self.prepare(pixels, side) for pixels in pictures])
                parts += session.run(list(outputs), {self.input_name: batch})
            joined = np.concatenate([part.reshape(len(pictures), -1) for part in parts], axis=1)
            if joined.shape[1] != dim:
                raise ModelError(
                    f"{self.space.name}: expected {dim} dimensions, got {joined.shape[1]}"
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
        Expected checksum of the file; empty accepts any.

    Raises
    ------
    ModelError
        When the file is missing, damaged or not an ONNX image network.
    """

    def __init__(
        self, path: Path, *, name: str, spec: InputSpec, default_layer: str, sha256: str = ""
    ) -> None:
        self.name = name
        self.spec = spec
        self.default_layer = default_layer
        self._path = path
        try:
            self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model file ({error.strerror})") from error
        if sha256 and self.sha256 != sha256:
            raise ModelError(f"{path}: checksum differs, the file is damaged; reinstall vernis")

    @cached_property
    def _model(self) -> onnx.ModelProto:
        return load_graph(self._path)

    @cached_property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor that can be read, without the batch axis; () when unknown."""
        return list_layers(self._model, self.spec.side)

    def reader(self, layer: str | None = None, pooling: str = "avg") -> OnnxReader:
        """Return a reader for an embedding space.

        Parameters
        ----------
        layer : str, optional
            One tensor of the graph or several joined by ``+``, whose vectors are concatenated.
            ``NAME@SIDE`` reads it at another side of the input (``pooled+pooled@128``). The
            space's settings name the layers in their order and width. None: the default layers.
        pooling : {"avg", "max", "first", "none"}
            Applied to layers that are maps or tokens.

        Raises
        ------
        NotFound
            When the graph has no such layer.
        UsageError
            When the layer cannot be pooled so.
        """
        chosen = self.default_layer if layer is None else layer
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
        settings = {
            "layers": layers,
            "pooling": pooling,
            "side": self.spec.side,
            "fit": self.spec.fit,
            "sha256": self.sha256,
        }
        suffix = "" if layer is None and pooling == "avg" else f":{chosen}:{pooling}"
        dim = sum(width_of[name] for group in by_side.values() for name in group)
        space = Space(f"{self.name}{suffix}", dim, "float16", settings)
        views = {side: [output_of[name] for name in group] for side, group in by_side.items()}
        return OnnxReader(space, model, views, self._prepare, self._input.name)

    def _parse(self, layers: str) -> dict[int, list[str]]:
        """Return the layers' names by side, from ``NAME+NAME@SIDE``."""
        by_side: dict[int, list[str]] = {}
        for part in map(str.strip, layers.split("+")):
            name, digits = part, ""
            if "@" in part and part not in self.layers:
                name, _, digits = part.rpartition("@")
                if not digits.isdecimal():
                    raise UsageError(f"expected LAYER or LAYER@SIDE in pixels, got {part!r}")
            side = int(digits) if digits else self.spec.side
            by_side.setdefault(side, []).append(name)
        fixed = fixed_side(self._model)
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
        values = session.run([layer], {self._input.name: batch})[0]
        return np.asarray(values[0], np.float32)

    @cached_property
    def _map_sessions(self) -> dict[str, onnxruntime.InferenceSession]:
        return {}

    @cached_property
    def _input(self) -> onnx.ValueInfoProto:
        return image_inputs(self._model)[0]

    @cached_property
    def _channels_first(self) -> bool:
        dims = [dim.dim_value for dim in self._input.type.tensor_type.shape.dim]
        if len(dims) != 4 or 3 not in (dims[1], dims[3]):
            raise ModelError(
                f"{self._path}: expected an input of shape (n, 3, height, width) or "
                f"(n, height, width, 3), got {tuple(dims)}"
            )
        return bool(dims[1] == 3)

    def _prepare(self, pixels: Pixels, side: int) -> NDArray[Any]:
        square: NDArray[Any] = fit_picture(pixels, side, self.spec.fit)
        if self._input.type.tensor_type.elem_type != onnx.TensorProto.UINT8:
            mean, std = (np.array(v, np.float32) for v in (self.spec.mean, self.spec.std))
            square = (square.astype(np.float32) / np.float32(255) - mean) / std
        return square.transpose(2, 0, 1) if self._channels_first else square

    def _shape(self, layer: str) -> tuple[int, ...]:
        if layer not in self.layers:
            known = [name for name, shape in self.layers.items() if len(shape) == 1]
            raise NotFound(
                f"{self.name} has no layer {layer!r}; its vectors are {', '.join(known[-12:])} "
                f"({len(self.layers)} layers in all)"
            )
        shape = self.layers[layer]
        if not shape:
            shape = self._measure_shape(layer)
        return shape

    def _measure_shape(self, layer: str) -> tuple[int, ...]:
        """Find the shape of a layer by running the graph on a grey picture."""
        model, _ = cut_graph(self._model, [layer], "none", [2])
        grey = np.full((self.spec.side, self.spec.side, 3), 128, np.uint8)
        session = open_session(model, self._path)
        values = session.run(
            [layer], {self._input.name: self._prepare(grey, self.spec.side)[None]}
        )[0]
        return tuple(int(n) for n in values.shape[1:])


def _pooled_width(shape: tuple[int, ...], pooling: str) -> int:
    if len(shape) == 1 or pooling == "none":
        return int(np.prod(shape))
    return shape[0] if len(shape) == 3 else shape[-1]
