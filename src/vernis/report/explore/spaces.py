"""The figure of ``vernis compare-spaces``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.report.charts import MUTED, new_figure, save_figure, series_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_comparison(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    curves: Mapping[str, NDArray[np.float64]],
    path: Path,
    *,
    recommended: str,
    reason: str,
) -> Path:
    """Draw explained variance, neighbours' precision and cost of every space side by side.

    Parameters
    ----------
    title : str
    rows : sequence of mapping
        One a space: ``space``, ``precision@k``, ``error@k``, ``dim``, ``ms_per_image``.
    curves : mapping
        Name of the space → cumulative explained variance, shape (n_components,).
    path : Path
        ``.png`` or ``.svg``.
    recommended, reason : str
        The space to take, and why.
    """
    height = 4.6 + 0.26 * len(rows)
    figure, (left, middle, right) = new_figure(title, columns=3, width=13, height=height)
    drawn = []
    for place, (row, style) in enumerate(zip(rows, series_styles(), strict=False)):
        drawn.append(_draw_curve(left, curves[row["space"]], style))
        # Side by side at each k, so that the bars of error do not cover one another.
        shift = (place - (len(rows) - 1) / 2) * 0.6 / len(rows)
        _draw_precision(middle, row, style, shift)
        _draw_cost(right, row, style["color"], place)
    _label_panels(left, middle, right, rows)
    names = [row["space"] for row in rows]
    names = [f"{name}  (recommended)" if name == recommended else name for name in names]
    figure.legend(drawn, names, loc="outside lower left", fontsize=9, frameon=False)
    figure.text(0.995, 0.012, _wrap(reason), ha="right", va="bottom", color=MUTED, fontsize=9)
    return save_figure(figure, path)


def _ks(row: Mapping[str, Any]) -> list[int]:
    return [int(key.partition("@")[2]) for key in row if key.startswith("precision@")]


def _draw_curve(axes: Axes, curve: NDArray[np.float64], style: dict[str, Any]) -> Any:
    sparse = np.unique(np.geomspace(1, len(curve), 12).astype(int)) - 1
    (line,) = axes.plot(np.arange(1, len(curve) + 1), curve, markevery=sparse.tolist(), **style)
    return line


def _draw_precision(
    axes: Axes, row: Mapping[str, Any], style: dict[str, Any], shift: float
) -> None:
    ks = _ks(row)
    axes.errorbar(
        np.arange(len(ks)) + shift,
        [row[f"precision@{k}"] for k in ks],
        yerr=[2 * row[f"error@{k}"] for k in ks],
        color=style["color"],
        marker=style["marker"],
        linestyle="none",
        capsize=3,
    )


def _draw_cost(axes: Axes, row: Mapping[str, Any], color: str, place: int) -> None:
    ms = row["ms_per_image"]
    axes.barh(place, ms or 0, color=color, height=0.6)
    text = f"{ms:.1f} ms · {row['dim']:,} dim" if ms else f"not known · {row['dim']:,} dim"
    end = (ms or 0, place)
    axes.annotate(text, end, xytext=(4, 0), textcoords="offset points", va="center")


def _label_panels(left: Axes, middle: Axes, right: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    left.set(
        title="Variance explained by PCA",
        xlabel="principal components (log scale)",
        ylabel="share of the variance, cumulative",
        xscale="log",
        ylim=(0, 1.02),
    )
    left.xaxis.set_major_formatter("{x:,.0f}")
    ks = _ks(rows[0])
    middle.set(
        title="Neighbours' labels (± 2 standard errors)",
        xlabel="k nearest neighbours (cosine)",
        ylabel="precision@k",
        xticks=range(len(ks)),
        xticklabels=[str(k) for k in ks],
    )
    middle.margins(x=0.15)
    right.set(title="Cost", xlabel="processor time an image, ms (without decoding)", yticks=[])
    right.invert_yaxis()
    right.set_xlim(0, 1.6 * max([row["ms_per_image"] or 0 for row in rows] + [1e-3]))
    right.grid(visible=False, axis="y")


def _wrap(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap("Recommended: " + text, 70))
