"""Boxes that are believed: those that people drew, accepted or imported, as shares of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vernis.session.session import Session

Boxes = dict[tuple[int, str], NDArray[np.float64]]
"""(image id, class) → corners as shares of width and height, shape (n_boxes, 4)."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box that is believed.

    Attributes
    ----------
    region, image : int
        Their ids.
    label : str
    corners : ndarray of float64, shape (4,)
        As shares of width and height, cut to the picture.
    """

    region: int
    image: int
    label: str
    corners: NDArray[np.float64]


def drawn_regions(session: Session, taxonomy: str) -> Iterator[DrawnBox]:
    """Yield the boxes of a taxonomy that hold; points and what lies outside are left out.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    said = session.catalog.regions.labels(taxonomy)
    table = session.catalog.regions.table(taxonomy=taxonomy)
    holds = np.flatnonzero(said.holds & said.yes)
    rows = np.searchsorted(table.ids, said.region_ids[holds])
    for statement, row in zip(holds.tolist(), rows.tolist(), strict=True):
        x, y, width, height = table.boxes[row]
        across, down = table.pictures[row]
        corners = np.array([x / across, y / down, (x + width) / across, (y + height) / down])
        corners = corners.clip(0, 1)
        if (corners[2:] > corners[:2]).all():
            image = int(table.image_ids[row])
            yield DrawnBox(int(table.ids[row]), image, said.labels[statement], corners)


def drawn_boxes(session: Session, taxonomy: str) -> Boxes:
    """Return the boxes of a taxonomy that hold, by image and class; see `drawn_regions`.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    found: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
    for one in drawn_regions(session, taxonomy):
        found.setdefault((one.image, one.label), []).append(one.corners)
    return {key: np.stack(boxes) for key, boxes in found.items()}
