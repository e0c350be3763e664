"""The label-error study: how well every model × scorer finds wrong labels that are known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NothingToLearn, UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun, csv_text, write_whole
from vernis.report.wording import counted
from vernis.workflows.lab.data import LabData, cut_down, read_lab_data
from vernis.workflows.lab.detectors import MODELS, SINGLE_ONLY, Detectors, require_models
from vernis.workflows.lab.spoil import MULTI_KINDS, SINGLE_KINDS, Spoiler
from vernis.workflows.training_data import assume_no

Floats = NDArray[np.float32]

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
_UNKNOWN = {"single": ("missing",), "multi": ("unknown",)}
"""Kinds of noise that make labels unknown, so that nothing is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The data, and the labels to judge where they are another taxonomy's (else None)."""

    data: LabData
    given: Floats | None
    document: Mapping[str, Any]
    notes: tuple[str, ...]


def study_errors(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Judge labels whose truth is known by every model and scorer; see ``Lab.errors``.

    A seed draws the noise, the folds, the landmarks and the networks' randomness; the sample of
    images is one for all seeds.

    Returns
    -------
    dict
        ``folder``, ``rows`` (of each noise: the best scorer of each model, and Vernis's default),
        ``notes``.
    """
    from vernis.report.lab.error_figure import draw_errors

    against, seeds = arguments["against"], int(arguments["seeds"])
    if seeds < 1 or int(arguments["components"]) < 2:
        raise UsageError("expected 1 seed and 2 components or more")
    if arguments["models"]:
        require_models(arguments["models"])
    task = _read_task(catalog, taxonomy, space, arguments)
    data, names = task.data, tuple(dict.fromkeys(arguments["models"] or MODELS))
    notes = (*data.notes, *task.notes)
    if data.kind == "multi":
        left = [name for name in names if name in SINGLE_ONLY]
        names = tuple(name for name in names if name not in SINGLE_ONLY)
        if not names:
            raise UsageError(f"{' and '.join(left)} judge one label an image; name other models")
        notes += (f"left out, made for one label an image: {', '.join(left)}",) if left else ()
    noises = [(str(against), None)] if against else _noises(data, taxonomy, arguments)
    run = StudyRun("errors", {"taxonomy": taxonomy, **arguments}, task.document, _KEYS)
    folder = RunFolder.start(run, out, expected_data)
    rows: list[Row] = []
    done, total = 0, seeds * len(noises) * len(names)
    for seed in range(int(arguments["seed"]), int(arguments["seed"]) + seeds):
        trial = _SeedTrial(task, int(arguments["components"]), seed)
        for (kind, rate), name in [(noise, name) for noise in noises for name in names]:
            key = {"noise": kind, "rate": rate, "model": name, "seed": seed}
            found = folder.cell(key, partial(trial.measure, kind, rate, name))
            rows += [{**key, **row} for row in found]
            done += 1
            progress(f"lab errors {taxonomy}", done, total)
    table = _over_seeds(rows)
    notes += _verdicts(table)
    write_whole(folder.folder / "seeds.csv", csv_text(rows, (*_KEYS, "seed")))
    about = f"{taxonomy}, {len(data.Y):,} images, seeds: {seeds}"
    written = folder.finish(table, notes, draw=partial(draw_errors, about=about))
    return {"folder": str(folder.folder), "rows": _shown(written), "notes": list(notes)}


def _noises(
    data: LabData, taxonomy: str, arguments: Mapping[str, Any]
) -> list[tuple[str, float | None]]:
    rates = [float(rate) for rate in arguments["rates"]]
    if not all(0 < rate < 1 for rate in rates):
        raise UsageError(f"expected rates above 0 and below 1, got {rates}")
    every = SINGLE_KINDS if data.kind == "single" else MULTI_KINDS
    known = tuple(kind for kind in every if kind not in _UNKNOWN[data.kind])
    kinds = tuple(arguments["kinds"] or ("uniform",))
    if set(kinds) - set(known):
        raise UsageError(f"'{taxonomy}' is {data.kind}-label: expected kinds of {known}")
    return [(kind, rate) for kind in dict.fromkeys(kinds) for rate in dict.fromkeys(rates)]


# ---------------------------------------------------------------------- data


def _read_task(
    catalog: Catalog, taxonomy: str, space: Space, arguments: Mapping[str, Any]
) -> _Task:
    sample, seed = int(arguments["sample"]), int(arguments["seed"])
    against = arguments["against"]
    notes: tuple[str, ...] = ()
    if not catalog.labels.matrix(taxonomy).taxonomy.closed:
        notes = (
            "the taxonomy is open: what an image does not carry is taken for a no here and judged; "
            "'vernis issues' does not judge it",
        )
    if against is None:
        data = read_lab_data(catalog, taxonomy, space, sample=sample, seed=seed)
        return _Task(data, None, data.document, notes if data.kind == "multi" else ())
    if arguments["kinds"] or tuple(arguments["rates"]) != RATES:
        raise UsageError("--against takes the noise as it is; drop --kinds and --rates")
    whole = read_lab_data(catalog, taxonomy, space, sample=0, seed=seed)
    notes = notes if whole.kind == "multi" else ()
    matrix = catalog.labels.matrix(against)
    if matrix.taxonomy.kind != whole.kind:
        raise UsageError(
            f"'{against}' is {matrix.taxonomy.kind}-label and '{taxonomy}' {whole.kind}-label; "
            "expected two of one kind"
        )
    values = assume_no(matrix)[0]
    place = np.searchsorted(matrix.image_ids, whole.image_ids)
    labelled = (values[place] == 1).any(axis=1)
    if whole.kind == "multi":
        labelled = np.isfinite(values[place]).any(axis=1)
    if labelled.sum() < 10:
        raise NothingToLearn(
            f"{int(labelled.sum())} images have labels in both '{taxonomy}' and '{against}'; the "
            "study needs 10"
        )
    if not labelled.all():
        without = counted(int((~labelled).sum()), "image")
        notes += (f"left out: {without} without a label in {against}",)
    document = {
        **whole.document,
        "fingerprint": hashlib.sha256(
            whole.fingerprint.encode() + np.ascontiguousarray(values[place]).tobytes()
        ).hexdigest(),
    }
    data = cut_down(whole.rows(labelled), sample, seed)
    own = values[np.searchsorted(matrix.image_ids, data.image_ids)]
    data, given = _one_set_of_classes(data, own, matrix.taxonomy.classes)
    if not _differ(given, data.Y).any():
        raise UsageError(f"'{against}' agrees with '{taxonomy}' on all images; nothing is wrong")
    return _Task(data, given, {**document, "images": len(data.Y)}, notes)


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


# ---------------------------------------------------------------------- trials


class _SeedTrial:
    """One seed; what several cells need is made when the first of them is missing."""

    def __init__(self, task: _Task, components: int, seed: int) -> None:
        self.task, self.components, self.seed = task, components, seed
        data = task.data
        self._features: Floats | None = None
        self._spoiler = Spoiler(data.kind, data.Y, data.groups, self.features, seed)
        self._current: tuple[tuple[str, float | None], Detectors] | None = None

    def features(self) -> Floats:
        """Return the vectors that every method gets, as ``vernis issues`` makes them."""
        if self._features is None:
            from vernis.core.numeric.components import combine_blocks

            data = self.task.data
            blocks = [data.X[:, start:stop] for start, stop in data.slices]
            self._features = combine_blocks(blocks, self.components, seed=self.seed)
        return self._features

    def measure(self, kind: str, rate: float | None, model: str) -> list[Row]:
        """Return a row for each scorer that applies to the model."""
        data = self.task.data
        mark = (kind, rate)
        if self._current is None or self._current[0] != mark:
            given = self.task.given
            if given is None:
                given = self._spoiler.spoil(kind, float(rate or 0.0))
            found = Detectors(data.kind, self.features(), given, data.groups, self.seed)
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
