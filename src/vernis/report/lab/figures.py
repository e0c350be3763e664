"""The figures of the lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vernis.report.plots import GREY, PALETTE, legend_outside, new_figure, save_figure

Rows = Sequence[Mapping[str, Any]]


def draw_models(rows: Rows, path: Path, about: str) -> Path:
    """Draw micro- and macro-F1 of each model with intervals, and its time."""
    names = [str(row["model"]).replace("_", " ") for row in rows][::-1]
    places = np.arange(len(names))
    figure, axes = new_figure(
        "Models", columns=2, width=10, height=1.6 + 0.38 * len(names), sharey=True
    )
    left, right = axes
    for offset, measure, name, color, marker in (
        (0.16, "micro_f1", "micro-F1", PALETTE[0], "o"),
        (-0.16, "macro_f1", "macro-F1", PALETTE[1], "s"),
    ):
        value, low, high = (
            np.asarray([_number(row[measure + end]) for row in rows][::-1])
            for end in ("", "_low", "_high")
        )
        spread = np.nan_to_num(np.stack([value - low, high - value]))
        left.errorbar(
            value,
            places + offset,
            xerr=np.maximum(spread, 0),
            fmt=marker,
            color=color,
            markersize=5,
            capsize=3,
            label=name,
        )
    left.set_yticks(places, names)
    left.set_xlabel("F1 on unseen folds, with 95 % intervals")
    left.set_title(about, fontsize=9, fontweight="normal", color=GREY)
    for offset, measure, name, color in (
        (0.18, "train_s", "train", PALETTE[2]),
        (-0.18, "predict_s", "predict", PALETTE[4]),
    ):
        seconds = [max(_number(row[measure]), 1e-4) for row in rows][::-1]
        right.barh(places + offset, seconds, 0.34, color=color, label=name)
    right.set_xscale("log")
    right.set_xlabel("processor seconds a fold (logarithmic)")
    handles, labels = left.get_legend_handles_labels()
    more = right.get_legend_handles_labels()
    legend_outside(right, handles=handles + more[0], labels=labels + more[1])
    return save_figure(figure, path)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
