"""Find boxes in pictures by a learned detector: in files, or in the collection's images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.domain.ports import Pixels
from vernis.verbs.decide.prediction import FoundBox, Prediction, ReadFile, say_reason
from vernis.verbs.networks.embedding import embed_images
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.steps.detecting import Finding, place_objects

if TYPE_CHECKING:
    from vernis.adapters.detectors.learned import LearnedDetector
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class BoxedImages:
    """What a detector has proposed in the collection.

    Attributes
    ----------
    rows : tuple of Prediction
        The images with a box of it, and those that cannot be read.
    images, boxes, added : int
        Images that were asked for, its regions on them, and those of this run.
    """

    rows: tuple[Prediction, ...]
    images: int
    boxes: int
    added: int


def given_boxes(detector: LearnedDetector, found: Detections) -> tuple[FoundBox, ...]:
    """Return the objects that are sure enough to be given, the surest first."""
    rows = np.flatnonzero(found.scores >= detector.thresholds[found.classes])
    return tuple(
        FoundBox(
            detector.classes[int(found.classes[row])],
            round(float(found.scores[row]), 4),
            as_sides(found.boxes[row]),
        )
        for row in rows
    )


def as_sides(corners: NDArray[np.floating]) -> tuple[float, ...]:
    """Return x, y, width and height of a box that its corners give."""
    xmin, ymin, xmax, ymax = (float(value) for value in corners)
    return tuple(round(value, 1) for value in (xmin, ymin, xmax - xmin, ymax - ymin))


@dataclass(frozen=True, slots=True)
class _BoxStage:
    """Decodes a file and finds its objects."""

    read_file: ReadFile
    opening: Callable[[], Callable[[Pixels], Detections]]

    def open(self) -> Callable[[tuple[int, str]], Detections]:
        """Open the detector for one worker."""
        find = self.opening()
        return lambda item: find(self.read_file(Path(item[1])))


def box_pictures(
    session: Session, detector: LearnedDetector, images: Sequence[str], workers: int | None = None
) -> list[Prediction]:
    """Return the boxes in picture files, in the order of the files, in their own pixels."""
    decode = session.files.decoder(full_size=True)
    results = [Prediction(name) for name in images]
    stage = _BoxStage(decode, detector.opening)
    session.progress("predict", 0, len(images))
    for done, outcome in enumerate(session.engine(workers).run(stage, list(enumerate(images))), 1):
        place, name = outcome.item
        if outcome.error is not None:
            results[place] = Prediction(name, reason=say_reason(outcome.error))
        else:
            assert outcome.value is not None
            boxes = given_boxes(detector, outcome.value)
            results[place] = Prediction(name, boxes=boxes)
        session.progress("predict", done, len(images))
    return results


def box_images(
    session: Session,
    detector: LearnedDetector,
    taxonomy: str,
    *,
    where: str,
    again: bool,
    workers: int | None = None,
) -> BoxedImages:
    """Propose what a detector finds in the collection's images, each looked at once.

    Raises
    ------
    FilterError
        A wrong filter.
    ModelError
        The detector cannot be used.
    """
    with session.lock("predict"):
        images = chosen_images(session, where)
        done = embed_images(session, [detector], images=images, workers=workers, task="predict")
        known = f"predict {detector.name}"
        finding = Finding(detector, detector.thresholds, taxonomy, "predict", known)
        added = place_objects(session, finding, images, again=again).regions
    ids = np.array([image.id for image in images], np.int64)
    store = session.catalog.regions
    table = store.table(images=ids, source=detector.source)
    said = store.labels(taxonomy, images=ids)
    own = np.isin(said.region_ids, table.ids)
    own &= np.array([name == detector.source for name in said.sources.names])[said.sources.codes]
    boxes: dict[int, list[FoundBox]] = {}
    for row in np.flatnonzero(own & said.yes):
        at = int(np.searchsorted(table.ids, said.region_ids[row]))
        sides = tuple(round(float(value), 1) for value in table.boxes[at])
        found = FoundBox(said.labels[int(row)], float(said.probabilities[row]), sides)
        boxes.setdefault(int(table.image_ids[at]), []).append(found)
    rows = [
        Prediction(
            image.uri,
            reason=done.failed.get(image.uri, ""),
            boxes=tuple(sorted(boxes.get(image.id, ()), key=lambda one: -one.probability)),
        )
        for image in images
        if image.id in boxes or image.uri in done.failed
    ]
    return BoxedImages(tuple(rows), len(images), len(table), added)
