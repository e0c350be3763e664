"""How a picture becomes the input of a network: fitted, scaled, ordered.

For a model file of the user's own, ``model.json`` beside ``model.onnx`` says it; see ``Sidecar``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.pixels import fit as fit_whole
from vernis.adapters.pixels import resize
from vernis.domain.errors import InvalidValue, ModelError
from vernis.domain.ports import Pixels

Fit = Literal["soft", "squash", "pad", "extend", "crop"]
"""How a picture is made square: stretched half-way (to the square root of its aspect ratio) with
grey bars, stretched, whole with grey bars or with bars that repeat its edge, cut at the centre."""
Channels = Literal["RGB", "BGR"]
Layout = Literal["", "NCHW", "NHWC"]

FITS: tuple[Fit, ...] = get_args(Fit)
LARGEST_SIDE = 4096
"""Pixels; pictures shown larger would only fill the memory."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a picture becomes the input of a network.

    A float graph gets ``(value * scale - mean) / std`` with values of 0..255; a uint8 graph gets
    the values themselves and scales for itself.

    Attributes
    ----------
    side : int
        Height and width in pixels.
    fit : Fit
    mean, std : three floats
        Of the channels, in the order of ``channels``, after scaling.
    scale : float
        The default brings the values to 0..1.
    channels : {"RGB", "BGR"}
        The order that the network expects.
    layout : {"", "NCHW", "NHWC"}
        Order of the input's axes; "": as its shape tells.
    multiple : int
        What sides must be a multiple of.
    """

    side: int = 224
    fit: Fit = "soft"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    scale: float = 1 / 255
    channels: Channels = "RGB"
    layout: Layout = ""
    multiple: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.side <= LARGEST_SIDE:
            raise InvalidValue(f"expected a side of 1 to {LARGEST_SIDE} pixels, got {self.side}")
        if self.side % self.multiple:
            raise InvalidValue(
                f"expected a side that is a multiple of {self.multiple}, got {self.side}"
            )
        if self.fit not in FITS:
            raise InvalidValue(f"expected a fit of {', '.join(FITS)}, got {self.fit!r}")
        if len(self.mean) != 3 or not all(map(math.isfinite, self.mean)):
            raise InvalidValue(f"expected a mean of three numbers, got {list(self.mean)}")
        if len(self.std) != 3 or not all(map(math.isfinite, self.std)) or min(self.std) <= 0:
            raise InvalidValue(f"expected a std of three positive numbers, got {list(self.std)}")
        if not math.isfinite(self.scale) or self.scale <= 0:
            raise InvalidValue(f"expected a positive scale, got {self.scale}")
        if self.channels not in get_args(Channels):
            raise InvalidValue(f"expected channels of RGB or BGR, got {self.channels!r}")
        if self.layout not in get_args(Layout):
            raise InvalidValue(f"expected a layout of NCHW or NHWC, got {self.layout!r}")

    def document(self) -> dict[str, Any]:
        """Return what tells this scaling from another, JSON-able."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "scale": self.scale,
            "channels": self.channels,
        }


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What ``model.json`` beside ``model.onnx`` says.

    Attributes
    ----------
    spec : InputSpec
    layer : str
        The layers of the default space, joined by ``+``; "": the graph's first output.
    pooling : str
        Of the default space.
    origin : mapping
        Where the file came from, for the record (written by the conversion, not read).
    """

    spec: InputSpec = field(default_factory=InputSpec)
    layer: str = ""
    pooling: str = "avg"
    origin: Mapping[str, Any] = field(default_factory=dict)


_SPEC_KEYS = ("mean", "std", "scale", "side", "fit", "channels", "layout")
_KEYS = (*_SPEC_KEYS, *(f.name for f in fields(Sidecar) if f.name != "spec"))


def read_sidecar(path: Path) -> Sidecar:
    """Read the JSON beside a model; the defaults when there is none.

    Parameters
    ----------
    path : Path
        Of the JSON file.

    Raises
    ------
    ModelError
        The file is no JSON object, has an unknown key or a bad value.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Sidecar()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(document, dict):
        raise ModelError(f"{path}: expected a JSON object with the keys {', '.join(_KEYS)}")
    if unknown := [key for key in document if key not in _KEYS]:
        raise ModelError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    try:
        given = {key: document[key] for key in _SPEC_KEYS if key in document}
        spec = override_spec(InputSpec(), given)
        rest = {key: document[key] for key in _KEYS if key in document and key not in _SPEC_KEYS}
        for key, value in rest.items():
            kind, what = (dict, "an object") if key == "origin" else (str, "text")
            _expect(isinstance(value, kind), key, what, value)
        return Sidecar(spec, **rest)
    except InvalidValue as error:
        raise ModelError(f"{path}: {error}") from error


def override_spec(spec: InputSpec, given: Mapping[str, Any]) -> InputSpec:
    """Return the spec with the given fields instead of its own.

    Raises
    ------
    InvalidValue
        A value is of the wrong kind or out of range.
    """
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key in ("mean", "std"):
            numbers = value if isinstance(value, (list, tuple)) else [value]
            _expect(len(numbers) == 3, key, "three numbers", value)
            for number in numbers:
                _expect(_is_number(number), key, "three numbers", value)
            changes[key] = tuple(float(number) for number in numbers)
        elif key == "scale":
            _expect(_is_number(value), key, "a number", value)
            changes[key] = float(value)
        elif key == "side":
            _expect(type(value) is int, key, "a whole number of pixels", value)
            changes[key] = value
        else:
            _expect(isinstance(value, str), key, "text", value)
            changes[key] = value
    return replace(spec, **changes)


def _expect(condition: bool, key: str, what: str, value: Any) -> None:
    if not condition:
        raise InvalidValue(f"expected {what} for {key!r}, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
        pixels = resize(pixels, _soft_size(width, height, side))
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


def _soft_size(width: int, height: int, side: int) -> tuple[int, int]:
    aspect = math.sqrt(width / height)
    inner = (side * min(1, aspect), side / max(1, aspect))
    return max(1, round(inner[0])), max(1, round(inner[1]))


def scale_picture(square: Pixels, spec: InputSpec) -> NDArray[np.float32]:
    """Return the values that a float graph expects, shape (side, side, 3)."""
    ordered = square if spec.channels == "RGB" else square[:, :, ::-1]
    mean, std = (np.array(v, np.float32) for v in (spec.mean, spec.std))
    return np.asarray((ordered * np.float32(spec.scale) - mean) / std, np.float32)
