"""Maps of a grid of parameters side by side, with their figures under each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.report.charts import LINE, MUTED, PALETTE, new_figure, write_note
from vernis.report.map.model import NONE, Facet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 2.6  # inches of one map


@dataclass(frozen=True, slots=True, eq=False)
class GridCell:
    """One map of the grid.

    Attributes
    ----------
    title : str
    figures : str
        Written under the map.
    places : ndarray of float64, shape (n, 2)
    rows : ndarray of int64, shape (n,)
        The picture of each place, a row of the facet.
    best : bool
        The figures are the best of the grid.
    """

    title: str
    figures: str
    places: NDArray[np.float64]
    rows: NDArray[np.int64]
    best: bool = False


def draw_grid(
    title: str, cells: Sequence[Sequence[GridCell]], facet: Facet | None, *, note: str = ""
) -> Figure:
    """Draw rows of maps; one legend at the right, beside them.

    Parameters
    ----------
    title : str
    cells : sequence of rows of GridCell
    facet : Facet or None
        Colours the points.
    note : str
        A line below all.
    """
    down, across = len(cells), max(len(row) for row in cells)
    figure, axes = new_figure(
        title,
        rows=down,
        columns=across,
        width=max(6.5, _SIDE * across + 2.2),
        height=(_SIDE + 0.62) * down + 0.9,
        squeeze=False,
    )
    for row, line in enumerate(cells):
        for column, cell in enumerate(line):
            _draw_cell(axes[row][column], cell, facet)
    if facet is not None:
        _draw_legend(figure, facet)
    if note:
        write_note(figure, note)
    return figure


def _draw_cell(axes: Any, cell: GridCell, facet: Facet | None) -> None:
    n = len(cell.places)
    size = float(np.clip(9000 / max(n, 1), 0.6, 16))
    colors = np.array([facet.color(int(row)) for row in cell.rows] if facet else [MUTED] * n)
    # Pictures without a label lie below; the rest in an order that favours no class.
    order = np.random.default_rng(0).permutation(n)
    order = order[np.argsort(colors[order] != NONE, kind="stable")]
    axes.scatter(*cell.places[order].T, s=size, c=colors[order], linewidths=0, rasterized=True)
    axes.set_title(cell.title, fontsize=10)
    axes.set_xlabel(cell.figures, fontsize=9, fontweight="bold" if cell.best else "normal")
    axes.set(xticks=[], yticks=[])
    axes.set_box_aspect(1)
    axes.margins(0.03)
    axes.set_aspect("equal", adjustable="datalim")
    for side in axes.spines.values():
        side.set(visible=True, color=PALETTE[0] if cell.best else LINE, linewidth=1.0)


def _draw_legend(figure: Figure, facet: Facet) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], marker="o", linestyle="", color=color, label=f"{name} ({count:,})")
        for color, name, count in facet.legend()
    ]
    figure.legend(
        handles=entries,
        title=facet.title,
        loc="outside right upper",
        frameon=False,
        fontsize=9,
        alignment="left",
    )


def best_cell(qualities: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of the map that keeps the most neighbours."""
    return int(np.argmax([quality["preservation"] for quality in qualities]))
