"""What the report shows of a model: its measures, and curves over the threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import VernisError
from vernis.domain.types import Estimate, LabelMatrix, ModelRecord
from vernis.report.model import ClassMetrics, Interval, Model, ThresholdCurve
from vernis.report.wording import count
from vernis.session.vectors import assume_no
from vernis.verbs.steps.model_metrics import ClassMeasures, ModelMetrics, read_metrics

if TYPE_CHECKING:
    from vernis.session.session import Session

_MEASURES = (
    ("micro", "f1", "Micro F1"),
    ("macro", "f1", "Macro F1"),
    ("micro", "precision", "Micro precision"),
    ("micro", "recall", "Micro recall"),
    ("macro", "average_precision", "Mean average precision"),
)
_MEASURES_OF_ONE_ANSWER = (
    ("micro", "f1", "Accuracy"),
    ("macro", "f1", "Macro F1"),
    ("macro", "precision", "Macro precision"),
    ("macro", "recall", "Macro recall"),
    ("macro", "average_precision", "Mean average precision"),
)
_STEPS = np.linspace(0.0, 1.0, 51)
_MOST_CURVES = 300  # classes that the page offers, most frequent first


def collect_model(session: Session, matrix: LabelMatrix) -> Model | None:
    """Return the latest model of a taxonomy with its measures, None when there is none."""
    record = session.catalog.models.latest(matrix.taxonomy.name)
    if record is None:
        return None
    metrics = read_metrics(record)
    settings, predictions = _load(session, record)
    thresholds = settings.get("thresholds") or {}
    classes = [
        _class_metrics(label, row, thresholds.get(label)) for label, row in metrics.classes.items()
    ]
    return Model(
        taxonomy=matrix.taxonomy.name,
        name=f"{record.name}@{record.version}",
        averages=_averages(metrics),
        classes=tuple(sorted(classes, key=lambda c: (-c.support, c.label))),
        curves=_curves(matrix, settings, predictions),
        settings=_facts(record, settings, len(classes)),
        notes=tuple(settings.get("notes") or ()),
    )


def _averages(metrics: ModelMetrics) -> dict[str, Interval]:
    micro = metrics.micro
    values = {micro.f1.value, micro.precision.value, micro.recall.value}
    # with one answer for every image the three micro averages are all the accuracy
    is_one = len(values) == 1 and not any(map(math.isnan, values))
    averages = {}
    for average, measure, name in _MEASURES_OF_ONE_ANSWER if is_one else _MEASURES:
        found: Estimate = getattr(getattr(metrics, average), measure)
        if not math.isnan(found.value):
            averages[name] = Interval(found.value, found.low, found.high)
    return averages


def _load(
    session: Session, record: ModelRecord
) -> tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]:
    """Return settings and predictions; a model whose files are damaged still has its metrics."""
    models = session.catalog.models
    try:
        _, settings = models.load(record)
        return settings, models.predictions(record)
    except VernisError:
        return {}, {}


def _facts(
    record: ModelRecord, settings: Mapping[str, Any], n_classes: int
) -> tuple[tuple[str, str], ...]:
    saved = settings.get("head") or {}
    head = saved.get("parameters") or {}
    objective = str(settings.get("objective", ""))
    facts = [
        ("Pictures compared by", record.space),
        ("Trained", record.created[:16].replace("T", " ")),
        ("Labelled images", _plain(settings.get("n_labelled"))),
        ("Classes", count(n_classes) if n_classes else ""),
        ("Model", str(saved.get("head", "")).replace("_", " ")),
        ("Estimators", _plain(head.get("n_estimators"))),
        ("Principal components", _plain(head.get("n_components"))),
        ("Thresholds tuned for", {"f1": "F1", "f2": "F2"}.get(objective, objective)),
    ]
    return tuple((name, value) for name, value in facts if value)


def _plain(value: Any) -> str:
    return count(value) if isinstance(value, int | float) else ""


def _class_metrics(label: str, row: ClassMeasures, threshold: float | None) -> ClassMetrics:
    return ClassMetrics(
        label=label,
        support=row.n_yes,
        precision=row.precision.value,
        recall=row.recall.value,
        f1=row.f1.value,
        ap=row.average_precision.value,
        threshold=_chosen(threshold),
        f2=row.f2.value,
    )


# --------------------------------------------------------------------------- curves


def _curves(
    matrix: LabelMatrix, settings: Mapping[str, Any], predictions: Mapping[str, NDArray[Any]]
) -> tuple[ThresholdCurve, ...]:
    """Return the curves of all classes together, then of each, most frequent first.

    They stand on the out-of-bag predictions and the labels of today.
    """
    images, scores = predictions.get("image_ids"), predictions.get("oob")
    labels = list(settings.get("classes") or ())
    known = set(matrix.taxonomy.classes)
    if images is None or scores is None or scores.shape != (len(images), len(labels)):
        return ()
    columns = [c for c, label in enumerate(labels) if label in known]
    truth, rows = _truth_of(matrix, images, [labels[c] for c in columns])
    scores = scores[rows][:, columns]
    n_yes = (truth == 1).sum(axis=0)
    if not n_yes.any():
        return ()
    if matrix.taxonomy.kind == "single":
        # only the most probable class of an image is ever taken
        best = scores == np.fmax.reduce(scores, axis=1)[:, None]
        scores = np.where(best | np.isnan(scores), scores, -1.0)
    counts = np.stack([_count(truth[:, c], scores[:, c]) for c in range(len(columns))])
    thresholds = settings.get("thresholds") or {}
    found = [_curve("All classes together", counts.sum(axis=0), math.nan)]
    for c in np.argsort(-n_yes, kind="stable")[:_MOST_CURVES]:
        if n_yes[c]:
            label = labels[columns[c]]
            found.append(_curve(label, counts[c], _chosen(thresholds.get(label))))
    return tuple(found)


def _chosen(threshold: float | None) -> float:
    return math.nan if threshold is None else threshold


def _count(truth: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return how many are taken at each step, how many of them rightly, and how many are yes.

    The shape is (3, n_steps). A pass over the column and no sort, since there may be thousands.
    """
    known = ~(np.isnan(truth) | np.isnan(scores))
    place = np.searchsorted(_STEPS, scores[known].astype(np.float64), side="right")
    yes = truth[known] == 1
    size = len(_STEPS) + 1
    taken = np.bincount(place, minlength=size)[::-1].cumsum()[::-1][1:]
    right = np.bincount(place[yes], minlength=size)[::-1].cumsum()[::-1][1:]
    return np.stack([taken, right, np.full(len(_STEPS), yes.sum())])


def _truth_of(
    matrix: LabelMatrix, images: NDArray[np.int64], labels: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the labels of the predicted images that are still there, and their rows."""
    place = {int(image): row for row, image in enumerate(matrix.image_ids)}
    column = {label: c for c, label in enumerate(matrix.taxonomy.classes)}
    rows = np.asarray([r for r, image in enumerate(images) if int(image) in place], np.int64)
    there = np.asarray([place[int(images[r])] for r in rows], np.int64)
    values, _ = assume_no(matrix)
    return values[there][:, [column[label] for label in labels]], rows


def _curve(label: str, counts: NDArray[np.int64], chosen: float) -> ThresholdCurve:
    taken, right, n_yes = counts
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, right / taken, np.nan)
        recall = right / np.maximum(n_yes, 1)
        f1 = 2 * right / (taken + n_yes)

    def rounded(values: NDArray[Any]) -> tuple[float, ...]:
        return tuple(round(float(v), 4) for v in values)

    return ThresholdCurve(
        label=label,
        thresholds=rounded(_STEPS),
        precision=rounded(precision),
        recall=rounded(recall),
        f1=rounded(f1),
        chosen=chosen if 0 <= chosen <= 1 else math.nan,
    )
