"""Detectors that were learned from boxes, as they were saved, ready to look at pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.detectors.default_box_detector import open_default_box_detector
from vernis.adapters.detectors.known_cells import open_known_cells
from vernis.adapters.detectors.nanodet import DetectorSettings, ObjectModel, shipped_model
from vernis.core.detect.cell_head import CellHead
from vernis.core.detect.cells import Detections
from vernis.core.detect.default_boxes import DefaultBoxes
from vernis.core.detect.vectors import to_vector, vector_length
from vernis.domain.errors import InvalidValue, ModelError
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

AT_MOST = 100
"""Objects that are kept of a picture."""
GRAPH = "graph"
"""The array that holds the bytes of an ONNX file, of detectors that were trained with torch."""

_LEAST = 0.02
"""From which score on a network that was trained with torch gives an object at all."""


@dataclass(frozen=True)
class LearnedDetector:
    """A saved detector; a PictureReader of its objects.

    Attributes
    ----------
    name : str
    version : int
    classes : tuple of str
    thresholds : ndarray of float64, shape (n_classes,)
        From which score on an object is given.
    fingerprint : str
        Of what it was learned from.
    long_side : int
        Pixels that the longer side of a decoded picture should have, where the file has them.
    opening : callable
        Opens it for one worker: from a picture to its objects, in pixels.
    """

    name: str
    version: int
    classes: tuple[str, ...]
    thresholds: NDArray[np.float64] = field(repr=False)
    fingerprint: str
    long_side: int
    opening: Callable[[], Callable[[Pixels], Detections]] = field(repr=False)

    @property
    def source(self) -> str:
        """Who says what it finds."""
        return f"model:{self.name}@{self.version}"

    @property
    def space(self) -> Space:
        """Where the objects of each picture are stored."""
        settings = {
            "detector": self.name,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "side": self.long_side,
        }
        return Space("objects", vector_length(AT_MOST), "float32", settings)

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return what finds the objects of a picture, as a vector, for one worker."""
        find = self.opening()

        def measure(pixels: Pixels) -> NDArray[Any]:
            height, width = pixels.shape[:2]
            return to_vector(find(pixels), (width, height), AT_MOST)

        return measure


def restore_detector(
    name: str,
    version: int,
    fingerprint: str,
    arrays: Mapping[str, NDArray[Any]],
    settings: Mapping[str, Any],
) -> LearnedDetector:
    """Put a saved detector together; raises ModelError where a part is missing or does not fit.

    Parameters
    ----------
    name : str
    version : int
    fingerprint : str
    arrays, settings
        As ``ModelStore.load`` gives them.
    """
    try:
        classes = tuple(settings["classes"])
        side = int(settings["side"])
        thresholds = np.array([settings["thresholds"][one] for one in classes], np.float64)
        if settings["engine"] == "torch":
            graph = np.asarray(arrays[GRAPH], np.uint8).tobytes()
            opening = _trained_network(name, graph, classes, settings)
        else:
            head = CellHead.from_arrays(arrays, settings["head"])
            opening = cell_detector(head, side)
    except (KeyError, TypeError, ValueError, InvalidValue) as error:
        raise ModelError(f"the saved model is damaged: {error}; train it again") from error
    return LearnedDetector(name, version, classes, thresholds, fingerprint, side, opening)


def _trained_network(
    name: str, graph: bytes, classes: tuple[str, ...], settings: Mapping[str, Any]
) -> Callable[[], Callable[[Pixels], Detections]]:
    """Return what opens a network that was trained with torch."""
    side, most_overlap = int(settings["side"]), float(settings["most_overlap"])
    if settings["network"] == "ssd":
        default = DefaultBoxes.from_document(settings["default_boxes"])
        return partial(
            open_default_box_detector,
            graph,
            name,
            default,
            len(classes),
            side=side,
            least=_LEAST,
            most_overlap=most_overlap,
        )
    looking = DetectorSettings(side, _LEAST, most_overlap)
    return ObjectModel(name, graph, classes, looking).open_detector


def cell_detector(head: CellHead, side: int) -> Callable[[], Callable[[Pixels], Detections]]:
    """Return what opens a detector of a learned head on the cells of the shipped one."""

    def opening() -> Callable[[Pixels], Detections]:
        look = open_known_cells(shipped_model(), side=side)

        def find(pixels: Pixels) -> Detections:
            found = head.find(look(pixels))
            height, width = pixels.shape[:2]
            limits = np.array([width, height] * 2, np.float32)
            return Detections(found.boxes.clip(0, limits), found.scores, found.classes)

        return find

    return opening
