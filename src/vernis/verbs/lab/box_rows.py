"""The rows in which studies tell how well found boxes fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vernis.core.detect.evaluation import SIZES, Evaluation
from vernis.report.lab.run_folder import Row

OVERALL = "(overall)"
"""Stands for all classes together where a class is named."""


def box_rows(result: Evaluation, classes: Sequence[str]) -> list[Row]:
    """Return a row for all classes together and one for each, the most frequent first."""
    overall: Row = {
        "class": OVERALL,
        "boxes": int(result.n_true[:, 0].sum()),
        "ap50": _known(result.mean_ap50()),
        "ap": _known(result.mean_ap()),
        "recall": _known(result.mean_recall()),
    }
    for size in SIZES[1:]:
        overall[f"ap_{size}"] = _known(result.mean_ap(size))
    by_size = result.precision.mean(axis=(0, 1))
    rows = [overall]
    for label in np.argsort(-result.n_true[:, 0], kind="stable"):
        row: Row = {
            "class": classes[label],
            "boxes": int(result.n_true[label, 0]),
            "ap50": _known(result.class_ap50()[label]),
            "ap": _known(result.class_ap()[label]),
            "recall": _known(result.recall[:, label, 0].mean()),
        }
        for place, size in enumerate(SIZES[1:], 1):
            row[f"ap_{size}"] = _known(by_size[label, place])
        rows.append(row)
    return rows


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
