"""Learn a detector from boxes, measure it on pictures that it has not seen, and save it.

The folds are of duplicates: what is said of a picture comes from parts of the others alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.box_measures import (
    BoxMeasures,
    BoxThresholds,
    Objective,
    judge_boxes,
    measure_boxes,
    tune_box_thresholds,
)
from vernis.core.detect.cells import Detections
from vernis.core.detect.evaluation import evaluate_boxes
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.folds import stratified_folds
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import NothingToLearn
from vernis.domain.types import DETECTED, ModelRecord
from vernis.report.wording import counted
from vernis.verbs.steps.boxed_pictures import (
    CELL_SIDE,
    BoxedPictures,
    CellLooks,
    placed,
    read_boxed_pictures,
    require_enough,
)
from vernis.verbs.steps.network_training import Network, train_network

if TYPE_CHECKING:
    from vernis.session.session import Session

_METHOD = 1
"""Part of a detector's fingerprint: raise it when learning changes, and all are made anew."""
BASIS = "out-of-fold boxes, right from an overlap of .50 on"
_FOLDS = 3
_MOST_PICTURES = 500
"""Pictures that are learned from at most; the rest is drawn out by the seed."""
_KEPT_A_PICTURE = 300
"""Out-of-fold boxes of a picture that are kept: wrong boxes are judged by them."""
_KEPT_FROM = 0.005
_FEW_PICTURES = 25
_FEW_A_CLASS = 10
"""A class with fewer boxes shares a threshold, and is said to be little known."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How a detector is learned.

    Attributes
    ----------
    network : {'nanodet', 'ssd'} or None
        What is trained with torch; None: a head on features of networks that stay as they are.
    epochs : int or None
        Of a network that is trained.
    objective, floor, seed
        As of heads.
    """

    network: Network | None = None
    epochs: int | None = None

    objective: Objective = "f1"
    floor: float = 0.9
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A detector, and what parts of it that had not seen a picture find in it.

    Attributes
    ----------
    arrays, settings : mapping
        What is saved of it.
    rows : ndarray of int
        Pictures that were predicted by parts that had not seen them.
    found : dict of int to Detections
        By row, in pixels, down to hardly sure ones.
    failed : mapping of str to str
        Path and reason of pictures that could not be read.
    notes : tuple of str
        What training has to tell.
    """

    arrays: Mapping[str, NDArray[Any]]
    settings: Mapping[str, Any]
    rows: NDArray[np.intp]
    found: Mapping[int, Detections]
    failed: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LearntDetector:
    """A saved detector; the notes are what should be known of it."""

    record: ModelRecord
    pictures: int
    boxes: int
    thresholds: Mapping[str, float]
    notes: tuple[str, ...]
    trained: bool


def learn_detector(
    session: Session, taxonomy: str, where: str, options: DetectorOptions
) -> LearntDetector:
    """Learn, measure and save the detector of a taxonomy.

    When the latest one was learned from the same boxes with the same settings, it is kept.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        It has too few boxes.
    """
    models, task = session.catalog.models, f"learn {taxonomy}"
    boxed = read_boxed_pictures(session, taxonomy, where)
    require_enough(boxed)
    mark = _fingerprint(boxed, where, options)
    latest = models.latest(taxonomy, kind="detector")
    if latest is not None and latest.fingerprint == mark:
        saved = models.load(latest)[1]
        return _learnt(latest, boxed, saved, trained=False)
    boxed = _drawn(boxed, options.seed)
    learn = _learn_on_cells if options.network is None else _train_network
    trained = learn(session, boxed, options, task)
    readable = sum(image.uri not in trained.failed for image in boxed.images)
    if readable < len(boxed) / 2:
        uri, reason = next(iter(sorted(trained.failed.items())))
        raise NothingToLearn(
            f"{taxonomy}: only {readable:,} of {counted(len(boxed), 'picture')} with boxes can be "
            f"read; {uri}: {reason}"
        )
    tuned, measures, mean_ap = _measure(boxed, trained, options)
    notes = (*boxed.notes, *_notes(boxed, trained, measures, mean_ap), *trained.notes)
    record = models.save(
        taxonomy,
        DETECTED,
        name=f"{taxonomy}-detector",
        fingerprint=mark,
        arrays=trained.arrays,
        settings={
            **trained.settings,
            "kind": "detector",
            "classes": list(boxed.classes),
            "where": where,
            "thresholds": dict(zip(boxed.classes, map(float, tuned.values), strict=True)),
            "objective": options.objective,
            "floor": options.floor,
            "seed": options.seed,
            "epochs": options.epochs,
            "n_pictures": len(boxed),
            "n_boxes": int(boxed.n_boxes.sum()),
            "notes": list(notes),
        },
        metrics={
            "basis": BASIS,
            "head": options.network or "detector",
            "map": None if np.isnan(mean_ap) else round(mean_ap, 6),
            **measures.to_document(boxed.classes, len(trained.rows)),
        },
        predictions=_predictions(boxed, trained),
    )
    return _learnt(record, boxed, models.load(record)[1], trained=True)


def options_to_keep(session: Session, taxonomy: str, seed: int) -> DetectorOptions:
    """Return how the latest detector was learned, if it was from the boxes as they are now.

    Otherwise the options of a detector whose networks stay as they are, with this seed.
    """
    record = session.catalog.models.latest(taxonomy, kind="detector")
    if record is not None:
        saved = session.catalog.models.load(record)[1]
        names = [name for name in DetectorOptions.__slots__ if name in saved]
        own = DetectorOptions(**{name: saved[name] for name in names})
        boxed = read_boxed_pictures(session, taxonomy)
        if _fingerprint(boxed, "", own) == record.fingerprint:
            return own
    return DetectorOptions(seed=seed)


def _predictions(boxed: BoxedPictures, trained: Trained) -> dict[str, NDArray[Any]]:
    """Return the out-of-fold boxes as columns, in pixels, and the images that were looked at."""
    kept = [(boxed.images[row].id, trained.found[row]) for row in sorted(trained.found)]
    nothing = np.empty((0, 4), np.float32)
    return {
        "image_ids": np.array([boxed.images[row].id for row in trained.rows], np.int64),
        "box_images": np.array([i for i, one in kept for _ in range(len(one))], np.int64),
        "boxes": np.concatenate([nothing, *(one.boxes for _, one in kept)]),
        "scores": np.concatenate([nothing[:, 0], *(one.scores for _, one in kept)]),
        "classes": np.concatenate([np.empty(0, np.intp), *(one.classes for _, one in kept)]),
    }


def _learnt(
    record: ModelRecord, boxed: BoxedPictures, saved: Mapping[str, Any], *, trained: bool
) -> LearntDetector:
    return LearntDetector(
        record=record,
        pictures=len(boxed),
        boxes=int(boxed.n_boxes.sum()),
        thresholds=saved["thresholds"],
        notes=tuple(saved["notes"]),
        trained=trained,
    )


def _fingerprint(boxed: BoxedPictures, where: str, options: DetectorOptions) -> str:
    about = {name: getattr(options, name) for name in options.__slots__}
    if options.network is None:  # a detector that was learned on features is the same as before
        del about["network"], about["epochs"]
    images = [image.content_hash for image in boxed.images]
    parts = (_METHOD, about, where.strip(), boxed.taxonomy, boxed.classes, images)
    return fingerprint(*parts, boxed.groups, *boxed.corners, *boxed.codes)


def _drawn(boxed: BoxedPictures, seed: int) -> BoxedPictures:
    """Return at most so many pictures as are learned from."""
    if len(boxed) <= _MOST_PICTURES:
        return boxed
    rows = np.sort(np.random.default_rng(seed).permutation(len(boxed))[:_MOST_PICTURES])
    note = (
        f"learned from {_MOST_PICTURES:,} of {len(boxed):,} pictures with boxes, drawn by the seed"
    )
    return replace(boxed.take(rows.tolist()), notes=(*boxed.notes, note))


def folds_of(boxed: BoxedPictures, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each picture; duplicates are in one."""
    most = len(np.unique(boxed.groups))
    return stratified_folds(boxed.presence(), min(n_folds, most), groups=boxed.groups, seed=seed)


def _learn_on_cells(
    session: Session, boxed: BoxedPictures, options: DetectorOptions, task: str
) -> Trained:
    from vernis.core.detect.cell_head import HeadSettings, fit_cell_head, project_examples

    how, n_classes = HeadSettings(), len(boxed.classes)
    looks = CellLooks(session, boxed, task)
    examples = looks.examples(range(len(boxed)), how, options.seed)
    folds = folds_of(boxed, _FOLDS, options.seed)
    rows = [row for row in examples for _ in examples[row]]
    with single_threaded_products():
        projection, views = project_examples(
            [one for row in examples for one in examples[row]], how
        )
        heads = []
        for fold in range(int(folds.max()) + 1):
            others = [one for row, one in zip(rows, views, strict=True) if folds[row] != fold]
            head = fit_cell_head(projection, others, n_classes, how)
            doubtful = replace(head.settings, least=_KEPT_FROM, at_most=_KEPT_A_PICTURE)
            heads.append(replace(head, settings=doubtful))
        final = fit_cell_head(projection, views, n_classes, how)
    found = {
        row: one for row, (one,) in looks.find(list(examples), lambda row: [heads[folds[row]]])
    }
    arrays, settings = final.to_arrays()
    return Trained(
        arrays,
        {"engine": "features", "side": CELL_SIDE, "head": settings},
        np.array(sorted(found), np.intp),
        found,
        looks.failed,
    )


def _train_network(
    session: Session, boxed: BoxedPictures, options: DetectorOptions, task: str
) -> Trained:
    assert options.network is not None
    run = train_network(
        session,
        boxed,
        options.network,
        folds_of(boxed, _FOLDS, options.seed),
        epochs=options.epochs,
        least=_KEPT_FROM,
        seed=options.seed,
        task=task,
    )
    rows = np.array(sorted(run.found), np.intp)
    return Trained(run.arrays, run.settings, rows, run.found, run.failed, (run.note,))


def _measure(
    boxed: BoxedPictures, trained: Trained, options: DetectorOptions
) -> tuple[BoxThresholds, BoxMeasures, float]:
    """Return thresholds, measures and mAP (of ten overlaps) of the out-of-fold boxes."""
    rows, n_classes = trained.rows.tolist(), len(boxed.classes)
    truth, found = boxed.truth(rows), placed(trained.found, rows)
    judged = judge_boxes(truth, found, len(rows), n_classes)
    tuned = tune_box_thresholds(
        judged, objective=options.objective, precision=options.floor, fewest=_FEW_A_CLASS
    )
    measures = measure_boxes(judged, tuned.values, groups=boxed.groups[rows], seed=options.seed)
    return tuned, measures, evaluate_boxes(truth, found, n_classes).mean_ap()


def _notes(
    boxed: BoxedPictures, trained: Trained, measures: BoxMeasures, mean_ap: float
) -> tuple[str, ...]:
    value, low, high = measures.macro[:, -1]
    n = int(boxed.n_boxes.sum())
    learnt = f"{counted(n, 'box', 'boxes')} in {counted(len(boxed), 'picture')}"
    notes = [f"mAP50 {value:.2f} ({low:.2f}-{high:.2f}), mAP {mean_ap:.2f}, from {learnt}"]
    few = [
        name
        for name, boxes in zip(boxed.classes, boxed.n_boxes, strict=True)
        if boxes < _FEW_A_CLASS
    ]
    if len(boxed) < _FEW_PICTURES:
        notes.append(
            f"{counted(len(boxed), 'picture')} are few: expect it to miss most objects, and that "
            "other pictures give another result; about 50 pictures are worth drawing "
            f"(vernis boxes next {boxed.taxonomy} says which)"
        )
    if few:
        shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        one, many = "class has", "classes have"
        notes.append(
            f"{counted(len(few), one, many)} fewer than {_FEW_A_CLASS} boxes and a common "
            f"threshold: {shown}"
        )
    if trained.failed:
        uri, reason = next(iter(sorted(trained.failed.items())))
        unread = counted(len(trained.failed), "picture with boxes", "pictures with boxes")
        notes.append(f"{unread} cannot be read, such as {uri}: {reason}")
    return tuple(notes)
