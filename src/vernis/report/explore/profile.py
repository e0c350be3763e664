"""The figures of a profile: label histogram, matrix, what is special to a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vernis.report.charts import (
    INK,
    LINE,
    MUTED,
    PALETTE,
    SURFACE,
    bars,
    label_plainly,
    name_rows,
    new_figure,
    save_figure,
)
from vernis.report.wording import shorten

_BARS, _MATRIX, _NAME = 60, 80, 28


def draw_histogram(
    path: Path | str, *, taxonomy: str, classes: Sequence[str], counts: ArrayLike, labelled: int
) -> Path:
    """Draw the images of each class, most frequent first; at most 60 classes.

    Parameters
    ----------
    path : path
    taxonomy : str
    classes : sequence of str
    counts : array_like, shape (n_classes,)
        In descending order.
    labelled : int
        Images that carry any class.
    """
    values = np.asarray(counts).tolist()
    shown = min(len(classes), _BARS)
    hidden = f" (the {shown} most frequent of {len(classes):,})" if len(classes) > shown else ""
    figure = bars(
        classes[:shown],
        values[:shown],
        unit="images",
        texts=[f"{value:,}  ({100 * value / max(labelled, 1):.1f} %)" for value in values[:shown]],
        title=f"{taxonomy}: images of each class{hidden}",
        width=9,
    )
    return save_figure(figure, path)


def draw_matrix(
    path: Path | str,
    *,
    title: str,
    row_title: str,
    column_title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: ArrayLike,
    counts: ArrayLike,
    unit: str,
) -> Path:
    """Draw a matrix of shares, in the order given; small ones with the counts in their cells.

    Parameters
    ----------
    path : path
    title, row_title, column_title, unit : str
    rows, columns : sequence of str
    values : array_like, shape (n_rows, n_columns)
        0..1; NaN is left blank.
    counts : array_like, shape (n_rows, n_columns)
        Images.
    """
    values, counts = np.asarray(values, float), np.asarray(counts)
    cell = 0.42 if max(values.shape) <= 20 else 0.24 if max(values.shape) <= 45 else 0.17
    figure, axes = new_figure(
        title,
        width=max(5.5, 3.4 + cell * len(columns)),
        height=max(4.0, 2.8 + cell * len(rows)),
    )
    import matplotlib as mpl

    aspect = "equal" if values.shape[0] == values.shape[1] else "auto"
    colors = mpl.colormaps["Blues"].with_extremes(bad=LINE)
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    image = axes.imshow(values, cmap=colors, vmin=0, vmax=max(top, 1e-9), aspect=aspect)
    size = 9 if cell > 0.4 else 7.5 if cell > 0.2 else 6
    axes.set_xticks(
        range(len(columns)),
        [shorten(name, _NAME) for name in columns],
        rotation=90,
        fontsize=size,
        parse_math=False,
    )
    axes.set_yticks(
        range(len(rows)), [shorten(name, _NAME) for name in rows], fontsize=size, parse_math=False
    )
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.set_xlabel(column_title)
    axes.set_ylabel(row_title)
    figure.colorbar(image, ax=axes, label=unit, shrink=0.7 if aspect == "equal" else 1.0)
    if cell > 0.4:
        _write_cells(axes, values, counts, top)
    return save_figure(figure, path)


def _write_cells(axes: Any, values: np.ndarray[Any, Any], counts: Any, top: float) -> None:
    for i, j in np.argwhere(np.isfinite(values) & (counts > 0)).tolist():
        axes.text(
            j,
            i,
            f"{counts[i, j]:,}",
            ha="center",
            va="center",
            fontsize=7.5,
            # The dark end of the scale is for high values.
            color=SURFACE if values[i, j] > 0.55 * top else INK,
        )


def draw_special(
    path: Path | str, *, title: str, rows: Sequence[dict[str, Any]], whole: str
) -> Path:
    """Draw lifts with their intervals, what is over-represented above what is under-represented.

    Parameters
    ----------
    path : path
    title : str
    rows : sequence of dict
        ``taxonomy``, ``label``, ``lift``, ``low``, ``high``, ``images``.
    whole : str
        What the part is compared with.
    """
    figure, axes = new_figure(title, width=9, height=1.9 + 0.26 * max(len(rows), 1))
    floor = min([row["low"] for row in rows if row["low"] > 0] + [0.1]) / 1.5
    for place, row in enumerate(rows):
        color = PALETTE[0] if row["lift"] >= 1 else PALETTE[1]
        low, high = max(row["low"], floor), max(row["high"], floor)
        axes.plot([low, high], [place, place], color=color, linewidth=2, alpha=0.55)
        # No image at all: the lift is 0, which has no place on a log axis.
        marker = "o" if row["lift"] >= 1 else "s" if row["lift"] > 0 else "<"
        axes.plot(max(row["lift"], floor), place, marker=marker, color=color, markersize=6)
    axes.axvline(1, color=MUTED, linewidth=1.2, linestyle="--")
    axes.set_xscale("log")
    names = [f"{shorten(row['label'], _NAME)} ({row['images']:,})" for row in rows]
    name_rows(axes, names, length=60)
    axes.set_xlabel(
        f"lift: share here / share in {whole} (log; bar: 95 % interval; arrow: on no image)"
    )
    axes.set_ylabel("label (images)")
    label_plainly(axes.xaxis, [1, 10])
    return save_figure(figure, path)


def matrix_limit() -> int:
    """Return how many classes a matrix shows at most, so that their names can be read."""
    return _MATRIX
