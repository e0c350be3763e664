"""``vernis lab thresholds``: F1, F2, precision, recall by threshold.

Measured by class and overall on predictions of unseen images, with the points that are chosen for
F1 and F2; of the model that ``vernis learn`` trains unless another is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.comparison import choose_models, make_split, members_of
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.study import (
    COMPONENTS,
    FOLDS,
    SAMPLE,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
)
from vernis.verbs.lab.sweep import folds_of
from vernis.verbs.steps.learn import DEFAULT_MODEL, NetworkSettings

if TYPE_CHECKING:
    from vernis.core.learn.thresholds import Thresholds
    from vernis.session.session import Session

STEPS = np.round(np.arange(0.02, 1.0, 0.02), 2)
OVERALL = "(overall)"
"""Stands for all classes together where a class is named."""


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Whose thresholds are measured."""

    taxonomy: Annotated[str, Option("the taxonomy that the model learns")]
    _: KW_ONLY
    model: Annotated[str, Option("model by name, as in `lab models`", "NAME")] = DEFAULT_MODEL
    components: Annotated[int, COMPONENTS] = 100
    folds: Annotated[int, FOLDS] = 5
    sample: Annotated[int, SAMPLE] = 5000


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure every threshold on predictions of unseen images."""
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    _, notes = choose_models([settings.model], settings.network_parameters())
    data = read_lab_data(
        session, settings.taxonomy, where=settings.where, sample=settings.sample, seed=settings.seed
    )
    notes = (*data.notes, *notes)
    if data.kind == "single":
        notes += (
            "one class an image: a head takes the most probable class; thresholds matter where "
            "only sure labels are wanted",
        )
    return Plan(data.document, notes, settings.folds, partial(_measure, data, settings))


def _measure(data: LabData, settings: Settings, cells: Cells) -> Findings[StudyResult]:
    from vernis.core.learn.thresholds import tune_thresholds
    from vernis.report.lab.figures import draw_thresholds

    fold = folds_of(data, settings.folds, settings.seed)
    probabilities = np.full(data.Y.shape, np.nan, np.float32)
    for number in range(settings.folds):
        compute = partial(_predict_fold, data, settings, fold == number)
        for row in cells({"fold": number}, compute):
            probabilities[row["image"]] = row["p"]
    f1 = tune_thresholds(data.Y, probabilities, objective="f1")
    f2 = tune_thresholds(data.Y, probabilities, objective="f2")
    about = f"{data.taxonomy}, {settings.model}, {len(data.Y):,} images"
    return Findings(
        _rows(data, probabilities, {"f1": f1, "f2": f2}),
        draw=partial(draw_thresholds, about=about),
        result=StudyResult,
        shown=lambda table: [row for row in table if row["chosen_f1"]],
    )


def _predict_fold(data: LabData, settings: Settings, held: NDArray[np.bool_]) -> list[Row]:
    """Return the probabilities of each image of a fold, by its place."""
    split = make_split(
        data,
        ~held,
        settings.components or None,
        members=members_of([settings.model]),
        seed=settings.seed,
        parameters=settings.network_parameters(),
    )
    found = split.outcome(settings.model).probabilities
    return [
        {"image": int(i), "p": p.tolist()} for i, p in zip(np.flatnonzero(held), found, strict=True)
    ]


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


STUDY = Study(
    name="thresholds",
    settings=Settings,
    keys=("class", "threshold"),
    plan=_plan,
    columns=("class", "threshold", "f1", "f2", "precision", "recall", "images"),
)
VERB = Verb(Settings, work, STUDY.show)
