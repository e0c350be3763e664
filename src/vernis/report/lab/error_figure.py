"""The figure of the label-error study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vernis.core.labels.scores import LABEL_SCORERS
from vernis.report.charts import (
    INK,
    SURFACE,
    grid_shape,
    hide_spare_panels,
    legend_outside,
    new_figure,
    save_figure,
    separate_rows,
    series_styles,
)

_SCORERS = (*LABEL_SCORERS, "vote", "rank", "distance_ratio")


def draw_errors(rows: Sequence[Mapping[str, Any]], path: Path, about: str) -> Path:
    """Draw the average precision by model and scorer, a panel a noise; the default is ringed."""
    noises = list(dict.fromkeys((row["noise"], row["rate"]) for row in rows))
    best: dict[str, float] = {}
    for row in rows:
        name = str(row["model"])
        best[name] = max(best.get(name, 0.0), row["average_precision"])
    models = sorted(best, key=lambda name: best[name])
    present = {str(row["scorer"]) for row in rows}
    lines, columns = grid_shape(len(noises), 3)
    figure, grid = new_figure(
        f"Wrong labels found: {about}",
        rows=lines,
        columns=columns,
        width=4.0 * columns + 2.6,
        height=(0.9 + max(0.55, 0.09 * len(present)) * len(models)) * lines + 0.7,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    # a scorer looks the same in every figure, also where others are absent
    styles = {
        name: style
        for name, style in zip(_SCORERS, series_styles(), strict=False)
        if name in present
    }
    hide_spare_panels(grid, len(noises))
    bars = any(row["average_precision_sd"] for row in rows)
    for axes, (noise, rate) in zip(grid.ravel(), noises, strict=False):
        own = [row for row in rows if (row["noise"], row["rate"]) == (noise, rate)]
        _draw_panel(axes, own, models, styles)
        share = "as given" if rate is None else f"{rate:.0%}"
        wrong = f"{own[0]['wrong_images']:,.0f} images wrong"
        axes.set_title(f"{noise}, {share}: {wrong}", fontsize=10)
        explained = ", bars: deviation over seeds" if bars else ""
        axes.set_xlabel(f"average precision (0 to 1){explained}", fontsize=9)
    legend_outside(grid[0][columns - 1], title="scorer (ring: Vernis)")
    return save_figure(figure, path)


def _draw_panel(
    axes: Any,
    rows: Sequence[Mapping[str, Any]],
    models: Sequence[str],
    styles: Mapping[str, Mapping[str, Any]],
) -> None:
    for number, (scorer, style) in enumerate(styles.items()):
        own = [row for row in rows if row["scorer"] == scorer]
        offset = 0.62 * ((number + 0.5) / len(styles) - 0.5)
        places = np.asarray([models.index(row["model"]) - offset for row in own])
        value = np.asarray([row["average_precision"] for row in own])
        spread = [row["average_precision_sd"] or 0.0 for row in own]
        dashed = style["linestyle"] != "-"
        axes.errorbar(
            value,
            places,
            xerr=spread,
            fmt=style["marker"],
            color=style["color"],
            markerfacecolor=SURFACE if dashed else style["color"],
            markersize=5,
            capsize=2,
            label=scorer.replace("_", " "),
        )
        for row, x, y in zip(own, value, places, strict=True):
            if row["default"]:
                axes.plot(x, y, "o", markersize=12, color=INK, fillstyle="none")
    axes.set_yticks(range(len(models)), [name.replace("_", " ") for name in models])
    axes.set_ylim(-0.5, len(models) - 0.5)
    separate_rows(axes, len(models))
