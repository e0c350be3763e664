"""Find objects in pictures, each picture once, and keep them as regions that a model proposes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.vectors import ObjectTable
from vernis.core.numeric.boxes import overlaps
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import ImageRecord, Space, Taxonomy

if TYPE_CHECKING:
    from vernis.session.session import Session

TAXONOMY = "detected"
"""The taxonomy of what the detector knows; no step works on it unless it is named."""
SURE = 0.4
"""On coco128_a 73 % of the regions that are this sure are right, and 36 % of all are found."""
_SAME = 0.6
"""A region with this IoU to one that a person has answered is not proposed again."""
_PIECE = 2048  # images whose vectors are held at a time


class ObjectFinder(Protocol):
    """A detector whose findings are stored as vectors: the shipped one, or a learned one."""

    @property
    def name(self) -> str:
        """The name that its source begins with."""
        ...

    @property
    def source(self) -> str:
        """Who says what it finds."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """What it knows."""
        ...

    @property
    def space(self) -> Space:
        """Where its findings are stored."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What of a detector's findings becomes regions.

    Attributes
    ----------
    model : ObjectFinder
    sure : ndarray of float64, shape (n_classes,)
        Objects of a class with a lower score are left out.
    taxonomy : str
        Whose classes the objects are.
    verb : str
        Which writes them.
    known : str
        What the results remember the run by.
    """

    model: ObjectFinder
    sure: NDArray[np.float64]
    taxonomy: str = TAXONOMY
    verb: str = "detect"
    known: str = "detect"

    @property
    def least(self) -> float:
        """The lowest of the scores."""
        return float(self.sure.min())


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
    session: Session, finding: Finding, images: Sequence[ImageRecord], *, again: bool = False
) -> Placing:
    """Write what a detector saw as regions, on images where that was not done before.

    What it proposed before on these images goes, as long as nobody has answered it. A region that
    somebody has accepted, rejected or drawn in the same place keeps it from being proposed again.

    Parameters
    ----------
    session : Session
    finding : Finding
        The vectors of its model are there.
    images : sequence of ImageRecord
    again : bool
        Also where it was done before.
    """
    catalog, model, sure = session.catalog, finding.model, finding.least
    mark = Space("objects placed", 1, "uint8", {**model.space.settings, "sure": sure})
    before = session.results.find(finding.known, Placed)
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
        answered = _clear_unanswered(session, finding, ids)
        written = _add_regions(session, finding, waiting, answered)
        hashes = catalog.vectors.missing(mark, [image.content_hash for image in waiting])
        if hashes:
            catalog.vectors.append(mark, hashes, np.ones((len(hashes), 1), np.uint8))
        session.results.keep(finding.known, Placed(model.source, sure, newest))
    return Placing(len(waiting), written)


def _clear_unanswered(
    session: Session, finding: Finding, ids: list[int]
) -> dict[int, NDArray[np.float64]]:
    """Remove what the model proposed and nobody answered.

    Returns the boxes by image that keep others from their place: those that somebody has drawn or
    answered, of a learned detector in its own taxonomy alone.
    """
    store, model = session.catalog.regions, finding.model
    table = store.table(images=ids)
    if not len(table):
        return {}
    spoken, spoken_here = np.zeros(len(table), bool), np.zeros(len(table), bool)
    for taxonomy in session.taxonomies():
        said = store.labels(taxonomy.name, images=ids)
        heard = np.isin(table.ids, said.region_ids[~said.proposed])
        spoken |= heard
        if taxonomy.name == finding.taxonomy:
            spoken_here = heard
    name = model.source.partition("@")[0]
    own = np.array([one.partition("@")[0] == name for one in table.sources.names])
    unanswered = own[table.sources.codes] & ~spoken
    if unanswered.any():
        store.remove(table.ids[unanswered], source=model.source, verb=finding.verb)
    stays = ~unanswered if finding.taxonomy == TAXONOMY else spoken_here
    kept = table.take(stays)
    corners = np.hstack([kept.boxes[:, :2], kept.boxes[:, :2] + kept.boxes[:, 2:]])
    return {int(image): corners[kept.image_ids == image] for image in np.unique(kept.image_ids)}


def _add_regions(
    session: Session,
    finding: Finding,
    images: Sequence[ImageRecord],
    answered: dict[int, NDArray[np.float64]],
) -> int:
    model = finding.model
    tables = [
        (start, _objects(session, finding, images[start : start + _PIECE]))
        for start in range(0, len(images), _PIECE)
    ]
    classes = {model.classes[label] for _, table in tables for label in np.unique(table.classes)}
    if not classes:
        return 0
    if finding.taxonomy == TAXONOMY:
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
                    finding.taxonomy,
                    model.classes[int(table.classes[row])],
                    probability=round(float(table.scores[row]), 4),
                )
                box = Box.from_corners(*(round(float(v), 1) for v in corners))
                yield NewRegion(image.id, Region(box, (image.width, image.height)), (said,))

    added = session.catalog.regions.add(regions(), source=model.source, verb=finding.verb)
    return len(added)


def _objects(session: Session, finding: Finding, images: Sequence[ImageRecord]) -> ObjectTable:
    hashes = [image.content_hash for image in images]
    vectors = np.asarray(session.catalog.vectors.read(finding.model.space, hashes), np.float32)
    table = ObjectTable.of_vectors(vectors, finding.least)
    return table.take(table.scores >= finding.sure[table.classes])


def _define(session: Session, model: ObjectFinder, classes: set[str]) -> None:
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
