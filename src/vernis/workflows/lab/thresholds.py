"""F1, F2, precision and recall over the threshold, and the point that is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.thresholds import Thresholds, tune_thresholds
from vernis.core.numeric.folds import stratified_folds
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun
from vernis.workflows.lab.data import LabData, read_lab_data
from vernis.workflows.lab.models import make_split
from vernis.workflows.lab.trial import choose_models, members_of

STEPS = np.round(np.arange(0.02, 1.0, 0.02), 2)
OVERALL = "(overall)"
"""Stands for all classes together where a class is named."""


def sweep_thresholds(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure every threshold on predictions of unseen images; see ``Lab.thresholds``."""
    from vernis.report.lab.figures import draw_thresholds

    names, notes = choose_models([arguments["model"]])
    data = read_lab_data(
        catalog, taxonomy, space, sample=arguments["sample"], seed=arguments["seed"]
    )
    run = StudyRun(
        "thresholds", {"taxonomy": taxonomy, **arguments}, data.document, ("class", "threshold")
    )
    folder = RunFolder.start(run, out, expected_data)
    n_folds, seed = int(arguments["folds"]), int(arguments["seed"])
    fold = stratified_folds(data.Y, n_folds, groups=data.groups, seed=seed)
    probabilities = np.full(data.Y.shape, np.nan, np.float32)
    for number in range(n_folds):
        held = np.flatnonzero(fold == number)

        def compute(held: NDArray[np.intp] = held, number: int = number) -> list[Row]:
            split = make_split(data, fold != number, arguments, members_of(names))
            found = split.outcome(names[0]).probabilities
            return [{"image": int(i), "p": p.tolist()} for i, p in zip(held, found, strict=True)]

        for row in folder.cell({"fold": number}, compute):
            probabilities[row["image"]] = row["p"]
        progress(f"lab thresholds {taxonomy}", number + 1, n_folds)
    chosen = {
        objective: tune_thresholds(data.Y, probabilities, objective=objective)
        for objective in ("f1", "f2")
    }
    rows = _rows(data, probabilities, chosen)
    notes = (*data.notes, *notes)
    if data.kind == "single":
        notes += (
            "one class an image: a head takes the most probable class; thresholds matter where "
            "only sure labels are wanted",
        )
    about = f"{taxonomy}, {names[0]}, {len(data.Y):,} images"
    table = folder.finish(rows, notes, draw=partial(draw_thresholds, about=about))
    shown = [row for row in table if row["chosen_f1"]]
    return {"folder": str(folder.folder), "rows": shown, "notes": list(notes)}


def _rows(
    data: LabData, probabilities: NDArray[np.float32], chosen: Mapping[str, Thresholds]
) -> list[Row]:
    rows: list[Row] = []
    names = [OVERALL, *data.classes]
    for place, name in enumerate(names):
        column = slice(None) if name == OVERALL else slice(place - 1, place)
        own = {k: t.pooled if name == OVERALL else t.values[place - 1] for k, t in chosen.items()}
        steps = sorted({*STEPS.tolist(), *(float(v) for v in own.values() if np.isfinite(v))})
        for step in steps:
            counts = _counts(data.Y[:, column], probabilities[:, column], step)
            marks = {f"chosen_{k}": bool(step == v) for k, v in own.items()}
            rows.append({"class": name, "threshold": step, **counts, **marks})
    return rows


def _counts(Y: NDArray[np.float32], p: NDArray[np.float32], threshold: float) -> dict[str, Any]:
    """Return the measures at a threshold over all pairs of the columns; F is van Rijsbergen's."""
    known = ~np.isnan(Y)
    yes, decided = known & (Y == 1), known & (p >= threshold)
    both, n_yes, n_decided = (int(a.sum()) for a in (yes & decided, yes, decided))
    return {
        "f1": 2 * both / max(n_yes + n_decided, 1),
        "f2": 5 * both / max(4 * n_yes + n_decided, 1),
        "precision": both / n_decided if n_decided else None,
        "recall": both / n_yes if n_yes else None,
        "images": int(yes.any(axis=1).sum()),
    }
