"""Which part of each image shows its label: drawn boxes, else where the label was located."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.boxes import components, outer_box
from vernis.core.locate.crops import with_margin
from vernis.core.locate.measures import THESIS_THRESHOLD
from vernis.core.locate.stored_maps import StoredMap
from vernis.domain.types import ImageRecord
from vernis.verbs.steps.drawn_boxes import Boxes
from vernis.verbs.steps.locating import LocatePlan

Origin = Literal["drawn", "located"]
Rule = Literal["largest", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A part of an image.

    Attributes
    ----------
    image : ImageRecord
    label : str
        What it shows.
    corners : ndarray of float64, shape (4,)
        Shares of width and height.
    origin : {"drawn", "located"}
    confidence : float
        1 of drawn boxes.
    """

    image: ImageRecord
    label: str
    corners: NDArray[np.float64]
    origin: Origin
    confidence: float

    @property
    def pixels(self) -> tuple[int, int, int, int]:
        """Corners in pixels of the upright picture: xmin, ymin, xmax, ymax."""
        scale = np.tile([max(self.image.width, 1), max(self.image.height, 1)], 2)
        left, top, right, bottom = np.round(self.corners * scale).astype(int).tolist()
        return left, top, max(right, left + 1), max(bottom, top + 1)

    @property
    def share(self) -> float:
        """Its part of the picture's area."""
        return float(np.prod(self.corners[2:] - self.corners[:2]))


def views(
    plan: LocatePlan,
    maps: Mapping[tuple[int, int], StoredMap],
    drawn: Boxes,
    *,
    rule: Rule,
    threshold: float | None,
    margin: float,
) -> Iterator[View]:
    """Yield a view of each image and label.

    Parameters
    ----------
    plan : LocatePlan
    maps : mapping of (image row, class column) to StoredMap
    drawn : Boxes
        Where boxes were drawn, the box around all of them is taken.
    rule : {"largest", "all"}
        The largest part of the map above the threshold, or the box around all parts.
    threshold : float or None
        Share of the map's highest value; None: 80 of 255 for all parts, half for the largest.
    margin : float
        Added at every side, as a share of the box.
    """
    for row, column in plan.rows().tolist():
        image, name = plan.images[row], plan.classes[column]
        boxes = drawn.get((image.id, name))
        if boxes is not None:
            outer = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
            yield View(image, name, with_margin(outer, margin), "drawn", 1.0)
        elif (row, column) in maps:
            stored = maps[row, column]
            corners = with_margin(heat_crop(image, stored, rule, threshold), margin)
            yield View(image, name, corners, "located", stored.confidence)


def heat_crop(
    image: ImageRecord, stored: StoredMap, rule: Rule, threshold: float | None
) -> NDArray[np.float64]:
    """Return the corners of what a map shows; the whole picture where it shows nothing."""
    return box_of_heat(stored.in_size(max(image.width, 1), max(image.height, 1)), rule, threshold)


def box_of_heat(
    heat: NDArray[np.float64], rule: Rule, threshold: float | None
) -> NDArray[np.float64]:
    """Return the corners of what a map of 0..1 shows, by the rules of `views`."""
    if rule == "all":
        found = outer_box(heat, THESIS_THRESHOLD if threshold is None else threshold)
    else:
        found = components(heat, 0.5 if threshold is None else threshold)
    return found.boxes[0] if len(found.boxes) else np.array([0.0, 0.0, 1.0, 1.0])
