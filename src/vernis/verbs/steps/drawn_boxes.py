"""Boxes that are believed: those that people drew, accepted or imported, as shares of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vernis.session.session import Session

Boxes = dict[tuple[int, str], NDArray[np.float64]]
"""(image id, class) → corners as shares of width and height, shape (n_boxes, 4)."""


def drawn_boxes(session: Session, taxonomy: str) -> Boxes:
    """Return the boxes of a taxonomy that hold, cut to their pictures; points are left out.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    said = session.catalog.regions.labels(taxonomy)
    table = session.catalog.regions.table(taxonomy=taxonomy)
    holds = np.flatnonzero(said.holds & said.yes)
    found: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
    rows = np.searchsorted(table.ids, said.region_ids[holds])
    for statement, row in zip(holds.tolist(), rows.tolist(), strict=True):
        x, y, width, height = table.boxes[row]
        across, down = table.pictures[row]
        corners = np.array([x / across, y / down, (x + width) / across, (y + height) / down])
        corners = corners.clip(0, 1)
        if (corners[2:] > corners[:2]).all():
            key = (int(table.image_ids[row]), said.labels[statement])
            found.setdefault(key, []).append(corners)
    return {key: np.stack(boxes) for key, boxes in found.items()}
