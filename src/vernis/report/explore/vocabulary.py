"""The figure of a frequency study: the long tail, and what a minimum frequency leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vernis.report.charts import MUTED, PALETTE, label_plainly, new_figure, save_figure


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
    label_plainly(axes.xaxis, [1, len(ordered)], "{:,.0f}")
    label_plainly(axes.yaxis, [ordered.min(), ordered.max()], "{:,.0f}")
    if chosen is not None:
        axes.axhline(chosen, color=MUTED, linestyle="--", linewidth=1.2)


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
    label_plainly(axes.xaxis, [1, thresholds.max()], "{:,.0f}")
    if chosen is not None:
        name = f"chosen: {chosen:,}"
        axes.axvline(chosen, color=MUTED, linestyle="--", linewidth=1.2, label=name)
