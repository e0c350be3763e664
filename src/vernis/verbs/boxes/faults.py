"""Judge the boxes of a taxonomy by its detector, out of fold; what is suspected become issues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.box_faults import (
    KINDS,
    FaultKind,
    FaultPower,
    GivenBoxes,
    Suspicions,
    suspect_boxes,
    try_faults,
)
from vernis.core.detect.cells import Detections
from vernis.domain.types import BOX_KINDS, Issue
from vernis.verbs.decide.box_prediction import as_sides
from vernis.verbs.steps.boxed_pictures import BoxedPictures, read_boxed_pictures
from vernis.verbs.steps.detector_learning import learn_detector, options_to_keep

if TYPE_CHECKING:
    from vernis.session.session import Session

_KEPT = 200
"""Boxes of a kind that are kept as issues though they are not flagged."""


@dataclass(frozen=True, slots=True)
class KindPower:
    """How well one kind of wrong box is found."""

    kind: Annotated[str, "of issue"]
    auroc: Annotated[
        float, "how often a planted fault is suspected more than a right box; .5 is chance"
    ]
    low: Annotated[float, "of its 95 % interval"]
    high: float
    shown: Annotated[bool, "false: found no better than by chance"]
    flagged: Annotated[int, "boxes that are suspected"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What was judged."""

    kinds: tuple[KindPower, ...]
    boxes: int
    images: int
    detector: str
    notes: tuple[str, ...]


def find_faults(session: Session, taxonomy: str, seed: int) -> Faults:
    """Judge the boxes, and replace the taxonomy's issues about boxes; verdicts are kept."""
    learnt = learn_detector(session, taxonomy, "", options_to_keep(session, taxonomy, seed))
    boxed = read_boxed_pictures(session, taxonomy)
    kept = session.catalog.models.predictions(learnt.record)
    judged = set(kept["image_ids"].tolist())
    rows = [row for row, image in enumerate(boxed.images) if image.id in judged]
    boxed = boxed.take(rows)
    found = _found(boxed, kept)
    given = [
        GivenBoxes(corners * np.array([image.width, image.height] * 2, float), codes)
        for image, corners, codes in zip(boxed.images, boxed.corners, boxed.codes, strict=True)
    ]
    powers = try_faults(given, found, len(boxed.classes), seed)
    doubts = [suspect_boxes(*pair) for pair in zip(given, found, strict=True)]
    issues = [
        issue
        for kind in KINDS
        if powers[kind].is_better_than_chance
        for issue in _issues(kind, powers[kind], boxed, given, found, doubts)
    ]
    session.catalog.issues.replace(BOX_KINDS, issues, taxonomy)
    flagged = {name: sum(i.flagged and i.kind == name for i in issues) for name in BOX_KINDS}
    return Faults(
        kinds=tuple(_told(kind, powers[kind], flagged) for kind in KINDS),
        boxes=int(boxed.n_boxes.sum()),
        images=len(boxed),
        detector=f"{learnt.record.name}@{learnt.record.version}",
        notes=boxed.notes,
    )


def _told(kind: FaultKind, power: FaultPower, flagged: Mapping[str, int]) -> KindPower:
    name = f"{kind}_box"
    auroc, low, high = (round(value, 4) for value in (power.auroc, power.low, power.high))
    return KindPower(name, auroc, low, high, power.is_better_than_chance, flagged[name])


def _found(boxed: BoxedPictures, kept: Mapping[str, NDArray[Any]]) -> list[Detections]:
    """Return the out-of-fold boxes of each picture."""
    of_image = {
        int(i): np.flatnonzero(kept["box_images"] == i) for i in np.unique(kept["box_images"])
    }
    found = []
    for image in boxed.images:
        rows = of_image.get(image.id, np.empty(0, np.intp))
        found.append(Detections(kept["boxes"][rows], kept["scores"][rows], kept["classes"][rows]))
    return found


def _issues(
    kind: FaultKind,
    power: FaultPower,
    boxed: BoxedPictures,
    given: Sequence[GivenBoxes],
    found: Sequence[Detections],
    doubts: Sequence[Suspicions],
) -> Iterator[Issue]:
    """Yield the issues of one kind: what is flagged, and the most suspected of the rest."""
    scores = np.concatenate([*(one.of(kind) for one in doubts), []])
    where = np.concatenate([np.full(len(one.of(kind)), at) for at, one in enumerate(doubts)])
    place = np.concatenate([np.arange(len(one.of(kind))) for one in doubts])
    order = np.argsort(-scores, kind="stable")
    if kind == "missing":
        order = order[scores[order] > 0]
    elif kind in ("swapped", "misplaced"):
        seen = np.concatenate([one.found[:, int(kind == "misplaced")] for one in doubts])
        order = order[seen[order] >= 0]
    n_flagged = int((scores[order] >= power.limit).sum())
    for rank, row in enumerate(order[: max(n_flagged, _KEPT)].tolist()):
        at, one = int(where[row]), int(place[row])
        suspicion = float(scores[row])
        of_two_sides = kind in ("swapped", "misplaced")
        yield _issue(
            kind,
            boxed,
            at,
            one,
            given[at],
            found[at],
            doubts[at],
            score=float(np.clip((1 - suspicion) / 2 if of_two_sides else 1 - suspicion, 0, 1)),
            flagged=rank < n_flagged,
        )


def _issue(
    kind: FaultKind,
    boxed: BoxedPictures,
    at: int,
    one: int,
    given: GivenBoxes,
    found: Detections,
    doubts: Suspicions,
    *,
    score: float,
    flagged: bool,
) -> Issue:
    """Return the issue of one given box, or of one found box where none is given."""
    said, seen = "", -1
    region = 0
    if kind == "missing":
        seen = one
        box = as_sides(found.boxes[one])
    else:
        said, region = boxed.classes[int(given.classes[one])], int(boxed.regions[at][one])
        box = as_sides(given.boxes[one])
        if kind != "spurious":
            seen = int(doubts.found[one, 0 if kind == "swapped" else 1])
    suggested = boxed.classes[int(found.classes[seen])] if seen >= 0 else ""
    probability = round(float(found.scores[seen]), 4) if seen >= 0 else None
    elsewhere = as_sides(found.boxes[seen]) if seen >= 0 and kind == "misplaced" else ()
    return Issue(
        kind=f"{kind}_box",
        image_id=boxed.images[at].id,
        score=score,
        flagged=flagged,
        taxonomy=boxed.taxonomy,
        # The place tells boxes of a class in one picture apart: verdicts are kept by it.
        label=f"{said or suggested} at " + ",".join(f"{value:.0f}" for value in box),
        evidence={
            "given": said,
            "suggested": suggested,
            "probability": probability,
            "box": list(box),
            "found": list(elsewhere),
            "region": region,
        },
    )
