"""The figure of a frequency study: the long tail, and what a minimum frequency leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vernis.report.plots import GREY, PALETTE, new_figure, save_figure


def draw_vocabulary(
    path: Path | str,
    *,
    taxonomy: str,
    counts: ArrayLike,
    thresholds: ArrayLike,
    labels: ArrayLike,
    images: ArrayLike,
    chosen: int | None = None,
) -> Path:
    """Draw rank against frequency, and labels and images against the minimum frequency.

    Parameters
    ----------
    path : path
        ``.png`` or ``.svg``.
    taxonomy : str
    counts : array_like, shape (n_classes,)
        Images of each label; zeros are left out.
    thresholds, labels, images : array_like, shape (n_thresholds,)
        Of ``FrequencyStudy``.
    chosen : int, optional
        A minimum frequency to mark.
    """
    ordered = np.sort(np.asarray(counts, float))[::-1]
    ordered = ordered[ordered > 0]
    figure, (tail, rest) = new_figure(
        f"Vocabulary of {taxonomy}: {len(ordered):,} labels", columns=2, width=11, height=4.6
    )
    _draw_tail(tail, ordered, chosen)
    steps = [np.asarray(a, float) for a in (thresholds, labels, images)]
    _draw_rest(rest, steps[0], steps[1], steps[2], ordered[0], chosen)
    handles, names = rest.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower right", ncols=len(names))
    return save_figure(figure, path)


def _draw_tail(axes: Any, ordered: np.ndarray[Any, Any], chosen: int | None) -> None:
    ranks = np.arange(1, len(ordered) + 1)
    axes.loglog(ranks, ordered, color=PALETTE[0], marker="o", markersize=3, linewidth=1.2)
    axes.set_title("Long tail", fontsize=11)
    axes.set_xlabel("rank of the label (log)")
    axes.set_ylabel("images of the label (log)")
    _plain_ticks(axes.xaxis, len(ordered))
    _plain_ticks(axes.yaxis, ordered.max())
    if chosen is not None:
        axes.axhline(chosen, color=GREY, linestyle="--", linewidth=1.2)


def _draw_rest(
    axes: Any,
    thresholds: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    images: np.ndarray[Any, Any],
    top: float,
    chosen: int | None,
) -> None:
    # A row holds from its threshold on; the last one up to the most frequent label.
    thresholds = np.append(thresholds, max(top, thresholds[-1] + 1))
    labels, images = np.append(labels, labels[-1]), np.append(images, images[-1])
    for values, name, colour, dash in (
        (images, "images", PALETTE[1], "-"),
        (labels, "labels", PALETTE[0], "--"),
    ):
        axes.step(
            thresholds,
            100 * values / values[0],
            where="post",
            color=colour,
            linestyle=dash,
            linewidth=1.8,
            label=f"{name} (100 % = {values[0]:,.0f})",
        )
    axes.set_xscale("log")
    axes.set_ylim(0, 103)
    axes.set_title("What remains", fontsize=11)
    axes.set_xlabel("minimum images a label (log)")
    axes.set_ylabel("remaining (%)")
    _plain_ticks(axes.xaxis, thresholds.max())
    if chosen is not None:
        axes.axvline(chosen, color=GREY, linestyle="--", linewidth=1.2, label=f"chosen: {chosen:,}")


def _plain_ticks(axis: Any, top: float) -> None:
    """Write 1, 10, 100 as such, and 2 and 5 between them where the axis is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    steps = (1.0,) if top > 1000 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(base=10, subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
