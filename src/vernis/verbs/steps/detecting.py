"""Find objects in pictures, each picture once, and keep them as regions that a model proposes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.vectors import ObjectTable
from vernis.core.numeric.boxes import overlaps
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import ImageRecord, Space, Taxonomy

if TYPE_CHECKING:
    from vernis.adapters.detectors.nanodet import ObjectModel
    from vernis.session.session import Session

TAXONOMY = "detected"
"""The taxonomy of what the detector knows; no step works on it unless it is named."""
SURE = 0.4
"""On coco128_a 73 % of the regions that are this sure are right, and 36 % of all are found."""
_SAME = 0.6
"""A region with this IoU to one that a person has answered is not proposed again."""
_PIECE = 2048  # images whose vectors are held at a time


@dataclass(frozen=True, slots=True)
class Placed:
    """By what regions were written last, and up to which image."""

    VERSION: ClassVar[int] = 1

    source: str
    sure: float
    newest: int


@dataclass(frozen=True, slots=True)
class Placing:
    """What one run has written."""

    images: int
    regions: int


def place_objects(
    session: Session,
    model: ObjectModel,
    images: Sequence[ImageRecord],
    *,
    sure: float,
    again: bool = False,
) -> Placing:
    """Write what the detector saw as regions, on images where that was not done before.

    What it proposed before on these images goes, as long as nobody has answered it. A region that
    somebody has accepted, rejected or drawn in the same place keeps it from being proposed again.

    Parameters
    ----------
    session : Session
    model : ObjectModel
        Its vectors are there.
    images : sequence of ImageRecord
    sure : float
        Objects with a lower score are left out.
    again : bool
        Also where it was done before.
    """
    catalog = session.catalog
    mark = Space("objects placed", 1, "uint8", {**model.space.settings, "sure": sure})
    before = session.results.find("detect", Placed)
    same = before is not None and (before.source, before.sure) == (model.source, sure)
    seen = catalog.vectors.holds(model.space, [image.content_hash for image in images])
    waiting = [image for image, held in zip(images, seen, strict=True) if held]
    if same and before is not None and not again:
        done = catalog.vectors.holds(mark, [image.content_hash for image in waiting])
        waiting = [
            image
            for image, marked in zip(waiting, done, strict=True)
            if not (marked and image.id <= before.newest)
        ]
    if not waiting:
        return Placing(0, 0)
    newest = max(image.id for image in waiting)
    if same and before is not None:
        newest = max(newest, before.newest)
    with catalog.transaction():
        ids = [image.id for image in waiting]
        answered = _clear_unanswered(session, model, ids)
        written = _add_regions(session, model, waiting, sure, answered)
        hashes = catalog.vectors.missing(mark, [image.content_hash for image in waiting])
        if hashes:
            catalog.vectors.append(mark, hashes, np.ones((len(hashes), 1), np.uint8))
        session.results.keep("detect", Placed(model.source, sure, newest))
    return Placing(len(waiting), written)


def _clear_unanswered(
    session: Session, model: ObjectModel, ids: list[int]
) -> dict[int, NDArray[np.float64]]:
    """Remove what the model proposed and nobody answered; returns the boxes that stay, by image."""
    store = session.catalog.regions
    table = store.table(images=ids)
    if not len(table):
        return {}
    model_name = model.source.partition("@")[0]
    own = np.array([name.partition("@")[0] == model_name for name in table.sources.names])
    unanswered = own[table.sources.codes]
    for taxonomy in session.taxonomies():
        said = store.labels(taxonomy.name, images=ids)
        spoken = said.region_ids[~said.proposed]
        unanswered &= ~np.isin(table.ids, spoken)
    if unanswered.any():
        store.remove(table.ids[unanswered], source=model.source, verb="detect")
    kept = table.take(~unanswered)
    corners = np.hstack([kept.boxes[:, :2], kept.boxes[:, :2] + kept.boxes[:, 2:]])
    return {int(image): corners[kept.image_ids == image] for image in np.unique(kept.image_ids)}


def _add_regions(
    session: Session,
    model: ObjectModel,
    images: Sequence[ImageRecord],
    sure: float,
    answered: dict[int, NDArray[np.float64]],
) -> int:
    tables = [
        (start, _objects(session, model, images[start : start + _PIECE], sure))
        for start in range(0, len(images), _PIECE)
    ]
    classes = {model.classes[label] for _, table in tables for label in np.unique(table.classes)}
    if not classes:
        return 0
    _define(session, model, classes)

    def regions() -> Iterator[NewRegion]:
        for start, table in tables:
            for row in range(len(table)):
                image = images[start + int(table.pictures[row])]
                size = np.array([image.width, image.height] * 2, np.float64)
                corners = table.boxes[row] * size
                stay = answered.get(image.id)
                if stay is not None and (overlaps(corners[None], stay) >= _SAME).any():
                    continue
                said = RegionLabel(
                    TAXONOMY,
                    model.classes[int(table.classes[row])],
                    probability=round(float(table.scores[row]), 4),
                )
                box = Box.from_corners(*(round(float(v), 1) for v in corners))
                yield NewRegion(image.id, Region(box, (image.width, image.height)), (said,))

    added = session.catalog.regions.add(regions(), source=model.source, verb="detect")
    return len(added)


def _objects(
    session: Session, model: ObjectModel, images: Sequence[ImageRecord], sure: float
) -> ObjectTable:
    hashes = [image.content_hash for image in images]
    vectors = np.asarray(session.catalog.vectors.read(model.space, hashes), np.float32)
    return ObjectTable.of_vectors(vectors, sure)


def _define(session: Session, model: ObjectModel, classes: set[str]) -> None:
    """Make the taxonomy of what the detector sees, or add its missing classes."""
    session.catalog.labels.define(
        Taxonomy(
            TAXONOMY,
            "multi",
            tuple(sorted(classes)),
            origin=model.source,
            description="objects that the detector sees; accepted ones are labels",
            ignored=True,
        )
    )
