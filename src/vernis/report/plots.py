"""Figures as PNG files (Matplotlib): one style for every plot that a verb writes.

The figures of the HTML report are drawn by ``report.figures``; these are for the plots that stand
alone. Every figure has an opaque background, so that it reads on a light page and on a dark one,
and the colours of Okabe and Ito, which the colour-blind tell apart; series differ by marker and
line style too.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vernis.domain.errors import StorageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe & Ito (2008), without the yellow, which is too light for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
GREY = "#6B6B6B"

_MANY_DECADES = 2
"""Powers of ten beyond which a logarithmic axis is labelled at them alone."""

_STYLE: Any = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


def new_figure(
    title: str,
    *,
    rows: int = 1,
    columns: int = 1,
    width: float = 8.0,
    height: float = 5.0,
    **options: Any,
) -> tuple[Figure, Any]:
    """Return an empty figure in the house style and its axes.

    Parameters
    ----------
    title : str
    rows, columns : int
        Of the grid of axes.
    width, height : float
        Inches.
    **options
        Of ``Figure.subplots``: sharex, sharey, squeeze…

    Returns
    -------
    figure : Figure
    axes : Axes, or ndarray of Axes when there are several
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=13)
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def grid_shape(count: int, most: int) -> tuple[int, int]:
    """Return lines and columns for so many panels, ``most`` columns at most; four are a square."""
    columns = 2 if count == 4 and most == 3 else max(1, min(most, count))
    return -(-count // columns), columns


def hide_spare_panels(grid: Any, count: int) -> None:
    """Hide the panels of a grid beyond the first ``count``.

    The panels above hidden ones get the numbers of the shared axis that those would have carried.
    """
    lines, columns = grid.shape
    for place, axes in enumerate(grid.ravel()):
        axes.set_visible(place < count)
        if place < count <= place + columns and place + columns < lines * columns:
            axes.tick_params(axis="x", labelbottom=True)


def series_styles() -> Any:
    """Yield endlessly the keywords (colour, marker, line style) of one series after another."""
    for number in cycle(range(len(PALETTE) * len(DASHES))):
        turn = number // len(PALETTE)
        yield {
            "color": PALETTE[number % len(PALETTE)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": DASHES[turn],
            "markersize": 4,
        }


def draw_line(
    axes: Axes, x: Any, y: Any, *, name: str, style: dict[str, Any], spread: Any = None
) -> None:
    """Draw one series, with a band of ``y ± spread`` behind it where a spread is given."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    axes.plot(x, y, label=name, **style)
    if spread is not None:
        width = np.asarray(spread, float)
        axes.fill_between(x, y - width, y + width, color=style["color"], alpha=0.15, linewidth=0)


def legend_outside(axes: Axes, **options: Any) -> None:
    """Put the legend to the right of the axes, where it covers no data."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    axes.legend(**{**place, "frameon": False, **options})


def label_plainly(axis: Axis, values: Sequence[float]) -> None:
    """Label a logarithmic axis over ``values`` with plain numbers: 0.02, not 2 × 10⁻²."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = np.log10(max(values) / min(values)) if len(values) else 0.0
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > _MANY_DECADES else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write the figure as PNG or SVG (by the suffix), all of it or nothing.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lstrip(".").lower() or "png"
    drawn = io.BytesIO()
    try:
        figure.savefig(drawn, format=kind)
    except ValueError as error:
        raise StorageError(f"{path}: cannot draw a figure as {kind!r}; use .png or .svg") from error
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(drawn.getvalue())
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot write the figure ({error.strerror})") from error
    return path
