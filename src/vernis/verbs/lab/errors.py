"""``vernis lab errors``: how well each model and scorer finds wrong labels.

The taxonomy is taken as the truth. Judged are its labels with planted noise, or those of another
taxonomy of the same images (``against``). Models: ``kernel`` (as ``vernis issues``), ``bagged_mlp``
(out of bag), ``ensemble`` (the same, all estimators), ``knn``, ``simifeat``, ``selfclean``, and
other models by name, which are trained on folds. Several joined by ``+`` are judged as one
(cleanlab's ensemble).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NothingToLearn, UsageError
from vernis.domain.types import LabelMatrix
from vernis.report.lab.run_folder import Row, csv_text
from vernis.report.wording import counted
from vernis.session.vectors import assume_no
from vernis.verbs.declare import Option, Verb, count
from vernis.verbs.lab.data import LabData, cut_down, read_lab_data
from vernis.verbs.lab.detectors import MODELS, SINGLE_ONLY, Detectors, require_models
from vernis.verbs.lab.planted_noise import NoiseKind, PlantedNoise, kinds_of
from vernis.verbs.lab.study import (
    SAMPLE,
    SEEDS,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
    model_names,
)
from vernis.verbs.steps.learn import NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session

Floats = NDArray[np.float32]
Noise = tuple[str, float | None]
"""Kind and rate of planted noise, or the taxonomy that is judged and None."""

RATES = (0.1,)
MEASURES = (
    "average_precision",
    "precision_at_wrong",
    "wrong_images",
    "wrong_labels",
    "estimated",
    "count_ratio",
    "flagged",
    "flagged_precision",
    "flagged_recall",
)
_KEYS = ("noise", "rate", "model", "scorer")


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Whose labels are judged, by which models."""

    taxonomy: Annotated[str, Option("the taxonomy, taken as the truth")]
    _: KW_ONLY
    against: Annotated[
        str | None,
        Option("judge the labels of this taxonomy instead of planted noise", "OTHER"),
    ] = None
    kinds: Annotated[
        Sequence[NoiseKind] | None,
        Option("kinds of noise (default: uniform)", "KIND,…", joined=True),
    ] = None
    rates: Annotated[
        Sequence[float], Option("shares of the labels", "R,R,…", above=0, below=1, joined=True)
    ] = RATES
    models: Annotated[Sequence[str] | None, model_names(", ".join(MODELS))] = None
    seeds: Annotated[int, SEEDS] = 3
    components: Annotated[int, count("principal components that all methods get", "N", 2)] = 300
    sample: Annotated[int, SAMPLE] = 2000


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The data, and the labels to judge where they are another taxonomy's (else None)."""

    data: LabData
    given: Floats | None
    document: Mapping[str, Any]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> StudyResult:
    """Judge labels whose truth is known by every model and scorer.

    A seed draws the noise, the folds, the landmarks and the networks' randomness; the sample of
    images is one for all seeds.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    parameters = settings.network_parameters()
    if settings.models or parameters:
        require_models(settings.models or MODELS, parameters)
    task = _read_task(session, settings)
    names = tuple(dict.fromkeys(settings.models or MODELS))
    notes = (*task.data.notes, *task.notes)
    if task.data.kind == "multi":
        left = [name for name in names if name in SINGLE_ONLY]
        names = tuple(name for name in names if name not in SINGLE_ONLY)
        if not names:
            raise UsageError(f"{' and '.join(left)} judge one label an image; name other models")
        notes += (f"left out, made for one label an image: {', '.join(left)}",) if left else ()
    noises = _noises(task.data, settings)
    measure = partial(_measure, task, names, noises, settings)
    return Plan(task.document, notes, settings.seeds * len(noises) * len(names), measure)


def _noises(data: LabData, settings: Settings) -> list[Noise]:
    if settings.against:
        return [(settings.against, None)]
    known = kinds_of(data.kind, wrong_only=True)
    kinds = settings.kinds or ("uniform",)
    if set(kinds) - set(known):
        raise UsageError(
            f"'{settings.taxonomy}' is {data.kind}-label: expected kinds of {', '.join(known)}"
        )
    rates = [float(rate) for rate in settings.rates]
    return [(kind, rate) for kind in dict.fromkeys(kinds) for rate in dict.fromkeys(rates)]


def _measure(
    task: _Task,
    names: Sequence[str],
    noises: Sequence[Noise],
    settings: Settings,
    cells: Cells,
) -> Findings[StudyResult]:
    from vernis.report.lab.error_figure import draw_errors

    rows: list[Row] = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        run = _SeedRun(task, settings, seed)
        for (kind, rate), name in [(noise, name) for noise in noises for name in names]:
            key = {"noise": kind, "rate": rate, "model": name, "seed": seed}
            found = cells(key, partial(run.measure, kind, rate, name))
            rows += [{**key, **row} for row in found]
    table = _over_seeds(rows)
    about = f"{task.data.taxonomy}, {len(task.data.Y):,} images, seeds: {settings.seeds}"
    return Findings(
        table,
        draw=partial(draw_errors, about=about),
        result=StudyResult,
        notes=_verdicts(table),
        shown=_shown,
        files={"seeds.csv": csv_text(rows, (*_KEYS, "seed"))},
    )


# ---------------------------------------------------------------------- data


def _read_task(session: Session, settings: Settings) -> _Task:
    taxonomy, against = settings.taxonomy, settings.against
    notes: tuple[str, ...] = ()
    if not session.catalog.labels.taxonomy(taxonomy).closed:
        notes = (
            "the taxonomy is open: what an image does not carry is taken for a no here and judged; "
            "'vernis issues' does not judge it",
        )
    if against is None:
        data = read_lab_data(
            session, taxonomy, where=settings.where, sample=settings.sample, seed=settings.seed
        )
        return _Task(data, None, data.document, notes if data.kind == "multi" else ())
    if settings.kinds or tuple(settings.rates) != RATES:
        raise UsageError("--against takes the noise as it is; drop --kinds and --rates")
    whole = read_lab_data(session, taxonomy, where=settings.where, sample=0, seed=settings.seed)
    matrix = session.matrix(against)
    if matrix.taxonomy.kind != whole.kind:
        raise UsageError(
            f"'{against}' is {matrix.taxonomy.kind}-label and '{taxonomy}' {whole.kind}-label; "
            "expected two of one kind"
        )
    task = _held_against(whole, matrix, settings)
    return replace(task, notes=(*(notes if whole.kind == "multi" else ()), *task.notes))


def _held_against(whole: LabData, matrix: LabelMatrix, settings: Settings) -> _Task:
    """Return the images that have labels in both taxonomies, and those of the judged one."""
    against, values = matrix.taxonomy.name, assume_no(matrix)[0]
    own = values[np.searchsorted(matrix.image_ids, whole.image_ids)]
    labelled = (own == 1).any(axis=1)
    if whole.kind == "multi":
        labelled = np.isfinite(own).any(axis=1)
    if labelled.sum() < 10:
        raise NothingToLearn(
            f"{int(labelled.sum())} images have labels in both '{whole.taxonomy}' and '{against}'; "
            "the study needs 10"
        )
    notes: tuple[str, ...] = ()
    if not labelled.all():
        without = counted(int((~labelled).sum()), "image")
        notes = (f"left out: {without} without a label in {against}",)
    mark = hashlib.sha256(whole.fingerprint.encode() + np.ascontiguousarray(own).tobytes())
    data = cut_down(whole.rows(labelled), settings.sample, settings.seed)
    document = {
        **whole.document,
        "fingerprint": mark.hexdigest(),
        "images": len(data.Y),
    }
    own = values[np.searchsorted(matrix.image_ids, data.image_ids)]
    data, given = _one_set_of_classes(data, own, matrix.taxonomy.classes)
    if not _differ(given, data.Y).any():
        raise UsageError(
            f"'{against}' agrees with '{whole.taxonomy}' on all images; nothing is wrong"
        )
    return _Task(data, given, document, notes)


def _one_set_of_classes(
    data: LabData, values: Floats, classes: tuple[str, ...]
) -> tuple[LabData, Floats]:
    """Return truth and given labels over the classes that either of them uses, matched by name."""
    used = [name for name, column in zip(classes, values.T, strict=True) if (column == 1).any()]
    every = data.classes + tuple(name for name in used if name not in data.classes)
    blank = np.where(np.isnan(data.Y).all(axis=1), np.nan, 0.0)[:, None]
    truth = np.repeat(blank, len(every), axis=1).astype(np.float32)
    truth[:, : len(data.classes)] = data.Y
    given = np.zeros((len(values), len(every)), np.float32)
    for column, name in enumerate(every):
        if name in classes:
            given[:, column] = values[:, classes.index(name)]
    return replace(data, Y=truth, classes=every), given


def _differ(given: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Return the entries that are known and wrong."""
    return np.asarray(np.isfinite(given) & np.isfinite(truth) & (given != truth))


# ---------------------------------------------------------------------- measuring


class _SeedRun:
    """One seed; what several cells need is made when the first of them is missing."""

    def __init__(self, task: _Task, settings: Settings, seed: int) -> None:
        self.task, self.settings, self.seed = task, settings, seed
        data = task.data
        self._features: Floats | None = None
        self._noise = PlantedNoise(data.kind, data.Y, data.groups, self.features, seed)
        self._current: tuple[Noise, Detectors] | None = None

    def features(self) -> Floats:
        """Return the vectors that every method gets, as ``vernis issues`` makes them."""
        if self._features is None:
            from vernis.core.numeric.components import combine_blocks

            data = self.task.data
            blocks = [data.X[:, start:stop] for start, stop in data.slices]
            self._features = combine_blocks(blocks, self.settings.components, seed=self.seed)
        return self._features

    def measure(self, kind: str, rate: float | None, model: str) -> list[Row]:
        """Return a row for each scorer that applies to the model."""
        data = self.task.data
        mark = (kind, rate)
        if self._current is None or self._current[0] != mark:
            given = self.task.given
            if given is None:
                given = self._noise.apply(kind, float(rate or 0.0))
            found = Detectors(
                data.kind,
                self.features(),
                given,
                data.groups,
                self.seed,
                self.settings.network_parameters(),
            )
            self._current = (mark, found)
        detectors = self._current[1]
        entries = _differ(detectors.given, data.Y)
        wrong = np.asarray(entries.any(axis=1))
        n_wrong = int(wrong.sum())
        if not n_wrong:
            raise UsageError(f"{kind} noise left no label wrong; take a higher rate")
        n_labels = n_wrong if data.kind == "single" else int(entries.sum())
        return [
            {
                "scorer": judged.scorer,
                **_precisions(judged.score, wrong),
                "wrong_images": n_wrong,
                "wrong_labels": n_labels,
                "estimated": judged.estimated,
                "count_ratio": None if judged.estimated is None else judged.estimated / n_labels,
                **_flag_measures(judged.flagged, wrong),
                "default": judged.default,
            }
            for judged in detectors.judge(model)
        ]


def _flag_measures(
    flagged: NDArray[np.bool_] | None, wrong: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Return how many images a method calls wrong, and the precision and recall of these."""
    if flagged is None:
        return {"flagged": None, "flagged_precision": None, "flagged_recall": None}
    hits, count = int((flagged & wrong).sum()), int(flagged.sum())
    return {
        "flagged": count,
        "flagged_precision": hits / count if count else None,
        "flagged_recall": hits / int(wrong.sum()),
    }


def _precisions(score: Floats, wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Return average precision, and precision at the true number; images unscored come last."""
    from sklearn.metrics import average_precision_score

    from vernis.core.labels.rankings import precision_at

    filled = np.nan_to_num(score, nan=2.0)
    return {
        "average_precision": float(average_precision_score(wrong, -filled)),
        "precision_at_wrong": precision_at(filled, wrong, int(wrong.sum())),
    }


# ---------------------------------------------------------------------- tables


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return mean and deviation of each cell over the seeds, best first within a noise."""
    cells: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[name] for name in _KEYS), []).append(row)
    table: list[Row] = []
    for key, values in cells.items():
        summary: Row = {**dict(zip(_KEYS, key, strict=True)), "default": values[0]["default"]}
        for name in MEASURES:
            found = [float(value[name]) for value in values if value[name] is not None]
            summary[name] = _mean(found)
            summary[f"{name}_sd"] = float(np.std(found, ddof=1)) if len(found) > 1 else None
        table.append(summary)
    noises = list(dict.fromkeys((row["noise"], row["rate"]) for row in table))
    order = {noise: number for number, noise in enumerate(noises)}
    return sorted(
        table, key=lambda row: (order[row["noise"], row["rate"]], -row["average_precision"])
    )


def _mean(values: Sequence[float]) -> float | int | None:
    """Return the mean, as a whole number where all values are the same one."""
    if not values:
        return None
    mean = float(np.mean(values))
    return int(mean) if mean > 1 and len(set(values)) == 1 and mean.is_integer() else mean


def _shown(table: Sequence[Row]) -> list[Row]:
    """Return of each noise and model the best scorer, and Vernis's default."""
    seen: set[tuple[Any, ...]] = set()
    shown = []
    for row in table:
        key = (row["noise"], row["rate"], row["model"])
        if key not in seen or row["default"]:
            shown.append(row)
        seen.add(key)
    return shown


def _verdicts(table: Sequence[Row]) -> tuple[str, ...]:
    """Say for each noise which cell is best, and where Vernis's default stands."""
    notes = []
    for noise, rate in dict.fromkeys((row["noise"], row["rate"]) for row in table):
        own = [row for row in table if (row["noise"], row["rate"]) == (noise, rate)]
        name = noise if rate is None else f"{noise} {rate:.0%}"
        best = own[0]
        text = f"{name}: best {best['model']} by {best['scorer']} ({best['average_precision']:.3f})"
        for place, row in enumerate(own, start=1):
            if row["default"] and row is not best:
                text += f"; Vernis's default ({row['scorer']}) is number {place} of {len(own)}"
                text += f" ({row['average_precision']:.3f})"
            elif row["default"]:
                text += f", which is Vernis's default, of {len(own)}"
        notes.append(text)
    return (*notes, "scorers of a model are told apart by the truth, which a user does not have")


STUDY = Study(
    name="errors",
    settings=Settings,
    keys=_KEYS,
    plan=_plan,
    columns=(
        *_KEYS,
        "average_precision",
        "precision_at_wrong",
        "wrong_images",
        "count_ratio",
        "flagged_precision",
        "flagged_recall",
    ),
)
VERB = Verb(Settings, work, STUDY.show)
