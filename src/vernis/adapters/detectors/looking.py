"""What all detectors share: the picture is fitted to the network, its boxes are brought back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.detect.cells import Detections
from vernis.domain.errors import ModelError
from vernis.domain.ports import Pixels

if TYPE_CHECKING:
    from vernis.adapters.backbones.onnx_backbone import OpenSession

_MULTIPLE = 32


def fit_picture(pixels: Pixels, side: int) -> Pixels:
    """Return a picture with that longer side, both sides rounded to multiples of 32.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    side : int
    """
    scale = side / max(pixels.shape[:2])
    height, width = (
        max(_MULTIPLE, round(length * scale / _MULTIPLE) * _MULTIPLE) for length in pixels.shape[:2]
    )
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def open_looking(
    graph: bytes,
    name: str,
    outputs: Sequence[str],
    side: int,
    find: Callable[[Sequence[NDArray[np.float32]]], Detections],
    start: OpenSession | None = None,
) -> Callable[[Pixels], Detections]:
    """Return what finds the objects of a picture, in its pixels.

    Parameters
    ----------
    graph : bytes
        An ONNX file.
    name : str
        Of the network, for errors.
    outputs : sequence of str
        The maps that are read.
    side : int
        Longer side of what the network sees.
    find : callable
        From the maps of one picture to its objects, in pixels of what the network sees.
    start : callable, optional
        Opens the session on another device than the processor.

    Raises
    ------
    ModelError
        The graph cannot be used.
    """
    from vernis.adapters.backbones.onnx_backbone import open_session, plain_reason

    session = (start or open_session)(graph, name)

    def look(pixels: Pixels) -> Detections:
        seen = fit_picture(pixels, side)
        try:
            maps = session.run(list(outputs), {"images": seen[None]})
        except Exception as error:
            # ONNX Runtime's exceptions have no common base but Exception.
            raise ModelError(f"{name}: the network fails ({plain_reason(error)})") from error
        found = find([one[0] for one in maps])
        height, width = pixels.shape[:2]
        scale = np.array([width / seen.shape[1], height / seen.shape[0]] * 2, np.float32)
        limits = np.array([width, height] * 2, np.float32)
        return Detections((found.boxes * scale).clip(0, limits), found.scores, found.classes)

    return look
