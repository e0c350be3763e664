"""A trained SSD, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.detectors.looking import open_looking
from vernis.core.detect.cells import Detections
from vernis.core.detect.default_boxes import DefaultBoxes, find_in_default_boxes
from vernis.domain.ports import Pixels

_AT_MOST = 100


def open_default_box_detector(
    graph: bytes,
    name: str,
    default: DefaultBoxes,
    n_classes: int,
    *,
    side: int,
    least: float,
    most_overlap: float,
) -> Callable[[Pixels], Detections]:
    """Return what finds the objects of a picture, in its pixels.

    Parameters
    ----------
    graph : bytes
        An ONNX file with outputs ``classes8``, ``boxes8``, … for the stride of each map.
    name : str
    default : DefaultBoxes
    n_classes : int
    side : int
        Longer side of what the network sees.
    least : float
        Less sure objects are left out.
    most_overlap : float
        Of two boxes of a class with a higher IoU the surer one stays.

    Raises
    ------
    ModelError
        The graph cannot be used.
    """
    outputs = [f"{kind}{stride}" for kind in ("classes", "boxes") for stride in default.strides]
    n = len(default.strides)

    def find(maps: Sequence[NDArray[np.float32]]) -> Detections:
        return find_in_default_boxes(
            default,
            maps[:n],
            maps[n:],
            n_classes,
            least=least,
            most_overlap=most_overlap,
            at_most=_AT_MOST,
        )

    return open_looking(graph, name, outputs, side, find)
