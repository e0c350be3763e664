"""The figure and the table of a grid of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.maps import MapRecord
from vernis.report.explore.map_grid import GridCell, best_cell, draw_grid
from vernis.report.map.model import Facet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vernis.session.session import Session


def grid_figure(
    session: Session,
    records: Sequence[MapRecord],
    axes: Mapping[str, Sequence[float]],
    facet: Facet | None,
    title: str,
) -> Figure:
    """Draw the maps of a grid: the first parameter across, the second down.

    Parameters
    ----------
    session : Session
    records : sequence of MapRecord
        The first parameter varies slowest.
    axes : mapping of str to sequence of float
        One or two parameters with their values.
    facet : Facet or None
        Over the present images in their order; colours the points.
    title : str
    """
    images = session.images()
    first_of = {image.content_hash: row for row, image in reversed(list(enumerate(images)))}
    best = best_cell([record.quality for record in records])
    cells = [
        _cell(session, record, axes, first_of, number == best)
        for number, record in enumerate(records)
    ]
    down = len(records) // len(next(iter(axes.values())))
    lines = [cells[row::down] for row in range(down)]
    quality = records[0].quality
    k = quality["n_neighbors"]
    note = f"T trustworthiness, N share of the {k} nearest neighbours kept; bold: the most kept"
    if quality["judged"] < records[0].points:
        note += f"; judged on {quality['judged']:,} of {records[0].points:,} pictures"
    return draw_grid(title, lines, facet, note=note)


def _cell(
    session: Session,
    record: MapRecord,
    axes: Mapping[str, Sequence[float]],
    first_of: Mapping[str, int],
    best: bool,
) -> GridCell:
    points = session.catalog.maps.points(record.name)
    there = [place for place, content in enumerate(points.hashes) if content in first_of]
    rows = np.array([first_of[points.hashes[place]] for place in there], dtype=np.int64)
    quality = record.quality
    return GridCell(
        title=", ".join(f"{name.replace('_', ' ')} {record.settings[name]:g}" for name in axes),
        figures=f"T {quality['trustworthiness']:.3f}   N {quality['preservation']:.3f}",
        places=points.places[there],
        rows=rows,
        best=best,
    )
