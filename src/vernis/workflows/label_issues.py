"""Judge the given labels of a taxonomy and write what is suspected as issues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Issue, Space
from vernis.workflows.training_data import (
    TrainingData,
    layer_slices,
    read_training_data,
    space_document,
)

if TYPE_CHECKING:
    from vernis.core.labels.issues import LabelIssues, SupportingNeighbors

_METHOD = 4
"""Part of the fingerprint: raise it when the judgement changes, and all is judged anew."""

_FEWEST = 10
"""Labelled images below which nothing is judged."""

PREDICTIONS = ("kernel", "out-of-bag", "ensemble")


@dataclass(frozen=True, slots=True)
class LabelIssueSettings:
    """How labels are judged.

    Attributes
    ----------
    scorer : str or None
        One of ``vernis.core.labels.scores.LABEL_SCORERS``; None takes the default.
    predictions : {"kernel", "out-of-bag", "ensemble"}
        What the labels are held against: leave-one-out kernel predictions, or those of the head
        (``learn``), averaged over the estimators that did not train on the image, or over all.
    worth : float
        Reading the ranking pays while this share of the images is wrong, in (0, 1).
    n_neighbors : int
        Similar images kept as evidence.
    seed : int
    """

    scorer: str | None = None
    predictions: Literal["kernel", "out-of-bag", "ensemble"] = "kernel"
    worth: float = 0.25
    n_neighbors: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.predictions not in PREDICTIONS:
            raise InvalidValue(f"expected predictions of {PREDICTIONS}, got {self.predictions!r}")
        if not 0 < self.worth < 1:
            raise InvalidValue(f"expected worth between 0 and 1, got {self.worth}")
        if self.n_neighbors < 0:
            raise InvalidValue(f"expected n_neighbors of 0 or more, got {self.n_neighbors}")


@dataclass(frozen=True, slots=True)
class LabelIssueSummary:
    """What was found in a taxonomy.

    Attributes
    ----------
    taxonomy, scorer, space : str
    n_labelled, n_judged : int
        Images with a label, and those with a label that no person confirmed.
    flagged : int
        Issues worth reading.
    wrong : dict
        ``value``, ``low``, ``high``: the estimated number of images with a wrong label.
    depth : int
        How many from the top of the ranking are worth reading.
    found : float
        How many wrong ones are expected among those.
    in_duplicates : int
        Images whose label disagrees with a duplicate's.
    notes : tuple of str
    """

    taxonomy: str
    scorer: str
    n_labelled: int
    n_judged: int
    flagged: int
    wrong: Mapping[str, float]
    depth: int
    found: float
    in_duplicates: int
    notes: tuple[str, ...] = ()
    space: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    data: TrainingData
    labels: NDArray[Any]
    judged: NDArray[np.bool_]
    conflicts: list[NDArray[np.int64]]
    features: NDArray[np.float32]
    issues: LabelIssues


def judge_labels(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    settings: LabelIssueSettings | None = None,
    *,
    progress: Progress = silent,
) -> LabelIssueSummary:
    """Score every given label, and flag those that are probably wrong.

    Each image is predicted from all others (never from its duplicates). Labels that a person
    confirmed teach but are not judged; neither are the ``no`` that an open taxonomy only assumes.
    When nothing changed since the last time, the issues of that time stay.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    space : Space
        The embedding space; its layers weigh the same each.
    settings : LabelIssueSettings, optional
    progress : Progress

    Returns
    -------
    LabelIssueSummary

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    NothingToLearn
        If fewer than 10 images have labels and vectors, or all the same one.
    UsageError
        If the head's predictions are asked for and it is not learned, or of an older state.
    """
    settings = settings or LabelIssueSettings()
    workflow = f"label_issues:{taxonomy}"
    with catalog.lock(f"issues {taxonomy}"):
        data = read_training_data(catalog, taxonomy, space)
        _require_labels(data)
        judged = _judged_entries(catalog, data)
        conflicts = _conflicts(catalog, data)
        head = None
        if settings.predictions != "kernel":
            head = _head_predictions(catalog, data, settings.predictions)
        mark = _fingerprint(data, judged, conflicts, space, settings, head)
        kept = catalog.runs.summary(workflow)
        if kept is not None and catalog.runs.is_done(workflow, mark):
            return LabelIssueSummary(**{**kept, "notes": tuple(kept["notes"])})
        progress(f"label issues of {taxonomy}", 0, 3)
        found = _judge(data, judged, conflicts, space, settings, head)
        progress(f"label issues of {taxonomy}", 2, 3)
        summary = _summarize(found, space)
        with catalog.transaction():
            catalog.issues.replace(("label",), _rows(found, settings), taxonomy)
            catalog.runs.finish(workflow, mark, asdict(summary))
        progress(f"label issues of {taxonomy}", 3, 3)
    return summary


def _head_predictions(catalog: Catalog, data: TrainingData, which: str) -> NDArray[np.float32]:
    """Return what the latest head predicts for the images, shape (n_images, n_classes)."""
    name = data.taxonomy.name
    record = catalog.models.latest(name)
    if record is None:
        raise UsageError(f"'{name}' has not been learned yet; run 'vernis learn {name}' first")
    stored = catalog.models.predictions(record)
    probs = stored["oob" if which == "out-of-bag" else "ensemble"]
    if not np.array_equal(stored["image_ids"], data.image_ids) or probs.shape != data.Y.shape:
        raise UsageError(f"images or classes came since; run 'vernis learn {name}' again")
    return np.asarray(probs, np.float32)


def _require_labels(data: TrainingData) -> None:
    labelled = (data.Y == 1).any(axis=1)
    name = data.taxonomy.name
    if int(labelled.sum()) < _FEWEST:
        raise NothingToLearn(
            f"'{name}' has {int(labelled.sum())} labelled images with vectors, judging labels "
            f"needs {_FEWEST} or more; label some images first"
        )
    if len(np.unique(data.Y[labelled], axis=0)) < 2:
        raise NothingToLearn(
            f"all labelled images of '{name}' have the same labels; there is nothing to compare"
        )


def _judged_entries(catalog: Catalog, data: TrainingData) -> NDArray[np.bool_]:
    """Return which entries somebody stated, and no person confirmed."""
    matrix = catalog.labels.matrix(data.taxonomy.name)
    rows = np.searchsorted(matrix.image_ids, data.image_ids)
    stated = np.isfinite(matrix.values[rows]) & ~matrix.confirmed[rows]
    labelled = (data.Y == 1).any(axis=1)
    return np.asarray(stated & labelled[:, None])


def _conflicts(catalog: Catalog, data: TrainingData) -> list[NDArray[np.int64]]:
    """Return the rows of each group of duplicates whose labels disagree."""
    place = {int(image): row for row, image in enumerate(data.image_ids)}
    found = []
    for group in catalog.issues.groups():
        if data.taxonomy.name not in group.conflicts:
            continue
        rows = np.asarray(sorted(place[i] for i in group.images if i in place), dtype=np.int64)
        rows = rows[(data.Y[rows] == 1).any(axis=1)]
        if len(np.unique(data.Y[rows], axis=0)) > 1:
            found.append(rows)
    return found


def _fingerprint(
    data: TrainingData,
    judged: NDArray[np.bool_],
    conflicts: list[NDArray[np.int64]],
    space: Space,
    settings: LabelIssueSettings,
    head: NDArray[np.float32] | None,
) -> str:
    about = {
        "method": _METHOD,
        "settings": asdict(settings),
        "space": space_document(space),
        "taxonomy": [data.taxonomy.name, data.taxonomy.kind, list(data.taxonomy.classes)],
        "conflicts": [rows.tolist() for rows in conflicts],
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=list).encode())
    digest.update("\n".join(data.hashes).encode())
    arrays = (data.image_ids, data.Y, data.groups, judged)
    for array in arrays if head is None else (*arrays, head):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _judge(
    data: TrainingData,
    judged: NDArray[np.bool_],
    conflicts: list[NDArray[np.int64]],
    space: Space,
    settings: LabelIssueSettings,
    head: NDArray[np.float32] | None,
) -> _Judged:
    from vernis.core.labels.issues import find_label_issues
    from vernis.core.labels.predictions import predict_labels
    from vernis.core.numeric.components import combine_blocks

    blocks = [data.X[:, start:stop] for start, stop in layer_slices(space)]
    features = combine_blocks(blocks, seed=settings.seed)
    labelled = (data.Y == 1).any(axis=1)
    targets = np.where(labelled[:, None], data.Y, np.nan).astype(np.float32)
    labels: NDArray[Any] = targets
    if data.taxonomy.kind == "single":
        labels = np.where(labelled, np.nan_to_num(data.Y).argmax(axis=1), -1).astype(np.int64)
    probs = head
    if probs is None:
        how = {"kind": data.taxonomy.kind, "groups": data.groups, "seed": settings.seed}
        probs = predict_labels(features, targets, **how)  # type: ignore[arg-type]
    issues = find_label_issues(
        labels,
        probs,
        scorer=settings.scorer,  # type: ignore[arg-type]
        judged=judged,
        groups=conflicts,
        min_yield=settings.worth,
    )
    return _Judged(data, labels, judged, conflicts, features, issues)


def _rows(found: _Judged, settings: LabelIssueSettings) -> list[Issue]:
    """Return one issue for every labelled image, with evidence for the flagged ones."""
    from vernis.core.labels.issues import find_supporting_neighbors

    issues, data = found.issues, found.data
    queries = issues.order[issues.flagged[issues.order]]
    witnesses = find_supporting_neighbors(
        found.features,
        found.labels,
        issues,
        queries,
        n_neighbors=settings.n_neighbors,
        groups=data.groups,
    )
    place = {int(row): k for k, row in enumerate(queries)}
    twins = {int(row): rows for rows in found.conflicts for row in rows}
    classes = np.asarray(data.taxonomy.classes)
    return [
        Issue(
            kind="label",
            image_id=int(data.image_ids[row]),
            score=float(issues.score[row]),
            flagged=bool(issues.flagged[row]),
            taxonomy=data.taxonomy.name,
            evidence={
                "change": str(issues.change[row]),
                "given": classes[data.Y[row] == 1].tolist(),
                "suggested": classes[issues.suggested[row]].tolist(),
                "probability": round(float(issues.probability[row]), 4),
                "several": round(float(issues.probability_of_multiple[row]), 4),
                **_speakers(found, witnesses, place.get(int(row))),
                **_disagreeing(found, twins.get(int(row)), int(row)),
            },
        )
        for row in issues.order.tolist()
    ] + _confirmed_rows(found)


def _confirmed_rows(found: _Judged) -> list[Issue]:
    """Return an issue of the best score for every labelled image that a person vouches for."""
    data = found.data
    vouched = (data.Y == 1).any(axis=1)
    vouched[found.issues.order] = False
    classes = np.asarray(data.taxonomy.classes)
    return [
        Issue(
            kind="label",
            image_id=int(data.image_ids[row]),
            score=1.0,
            flagged=False,
            taxonomy=data.taxonomy.name,
            evidence={
                "change": "replaced",
                "given": classes[data.Y[row] == 1].tolist(),
                "suggested": classes[data.Y[row] == 1].tolist(),
                "probability": 0.0,
            },
        )
        for row in np.flatnonzero(vouched).tolist()
    ]


def _speakers(
    found: _Judged, witnesses: SupportingNeighbors, position: int | None
) -> dict[str, Any]:
    """Return the neighbours that speak for the change, and how many of the nearest do."""
    if position is None:
        return {}
    data = found.data
    classes = data.taxonomy.classes
    neighbors = [
        {
            "image_id": int(data.image_ids[row]),
            "label": ", ".join(classes[k] for k in np.flatnonzero(data.Y[row] == 1)),
            "similarity": round(float(np.clip(similarity, 0.0, 1.0)), 4),
        }
        for row, similarity in zip(
            witnesses.indices[position], witnesses.similarities[position], strict=True
        )
        if row >= 0
    ]
    agreement = round(float(witnesses.agreement[position]), 2)
    return {"neighbors": neighbors, "agreement": agreement}


def _disagreeing(
    found: _Judged, members: NDArray[np.int64] | None, row: int
) -> dict[str, list[int]]:
    if members is None:
        return {}
    own = found.data.Y[row]
    others = [m for m in members.tolist() if not np.array_equal(found.data.Y[m], own, True)]
    return {"duplicates": [int(found.data.image_ids[m]) for m in others]}


def _summarize(found: _Judged, space: Space) -> LabelIssueSummary:
    wrong = found.issues.wrong
    data = found.data
    flagged = int(found.issues.flagged.sum())
    notes = []
    if data.n_assumed:
        notes.append(
            "The taxonomy is open: a class that an image does not carry is unknown, so missing "
            "labels are not counted as wrong."
        )
    n_twins = sum(len(rows) for rows in found.conflicts)
    if n_twins:
        notes.append(f"{n_twins:,} images are duplicates of images with other labels.")
    return LabelIssueSummary(
        taxonomy=data.taxonomy.name,
        scorer=found.issues.scorer,
        n_labelled=data.n_labelled,
        n_judged=wrong.n_labelled,
        flagged=flagged,
        wrong={"value": wrong.count, "low": wrong.low, "high": wrong.high},
        depth=wrong.n_worth_reading,
        found=wrong.found,
        in_duplicates=n_twins,
        notes=tuple(notes),
        space=space.name,
    )
