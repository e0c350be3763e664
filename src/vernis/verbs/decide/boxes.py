"""Boxes that a person draws, moves, names and removes on one picture; each change is one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from vernis.core.words.class_names import clean_name, known_name
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.region_store import KnownRegion, NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import ImageRecord, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.see.objects import ObjectRow, objects_of

if TYPE_CHECKING:
    from vernis.session.session import Session

_SMALLEST = 1.0
"""Pixels of the picture; what is smaller is a slip of the hand."""


@dataclass(frozen=True)
class DrawnBox:
    """A box with what it shows."""

    box: tuple[float, float, float, float]
    taxonomy: str
    label: str


@dataclass(frozen=True)
class MovedBox:
    """A region at another place, or of another size; what it shows stays."""

    region: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class NamedBox:
    """A region that shows something else."""

    region: int
    taxonomy: str
    label: str


@dataclass(frozen=True, slots=True)
class BoxesRecorded:
    """What was recorded, and all regions of the picture afterwards."""

    batch: Annotated[int, "what an undo takes back; 0: nothing was changed"]
    drawn: Annotated[tuple[int, ...], "regions that were made: those drawn, then those moved"]
    objects: tuple[ObjectRow, ...]


def record_boxes(
    session: Session,
    image: ImageRecord,
    *,
    draw: Sequence[DrawnBox] = (),
    move: Sequence[MovedBox] = (),
    name: Sequence[NamedBox] = (),
    accept: Sequence[int] = (),
    remove: Sequence[int] = (),
    who: str,
) -> BoxesRecorded:
    """Record what a person did to the boxes of a picture; the writer's lock is not needed.

    Parameters
    ----------
    session : Session
    image : ImageRecord
    draw : sequence of DrawnBox
        A class that its taxonomy lacks is made, and so is the taxonomy.
    move : sequence of MovedBox
        A region never changes its place: it is removed, and another one drawn.
    name : sequence of NamedBox
    accept : sequence of int
        Regions that show what a model proposes.
    remove : sequence of int
    who : str
        The person.

    Raises
    ------
    NotFound
        The picture has no such region.
    InvalidValue
        A box lies outside the picture or is smaller than a pixel, a class is empty, or the size of
        the picture is unknown.
    """
    if not image.width or not image.height:
        raise InvalidValue(f"{image.uri}: its size is not known, so nothing can be drawn on it")
    regions, source = session.catalog.regions, by(who)
    wanted = [one.region for one in move] + [one.region for one in name] + [*accept, *remove]
    known = _known(session, image, wanted)
    shown = {row.region: row for row in objects_of(session, [image]).get(image.id, [])}
    note = _note(len(draw), len(move), len(name) + len(accept), len(remove))
    batch = 0
    drawn: tuple[int, ...] = ()
    with session.catalog.transaction():
        new = [
            NewRegion(image.id, _region(one.box, image), (_label(session, one),)) for one in draw
        ]
        new += [_moved(known[one.region], one, image, shown.get(one.region)) for one in move]
        gone = [*(one.region for one in move), *remove]
        if gone:
            batch = regions.remove(gone, source=source, verb="boxes", note=note)
        if new:
            ids = regions.add(new, source=source, verb="boxes", note=note)
            drawn = tuple(ids.tolist())
            batch = regions.get(ids[:1])[0].batch
        said = [pair for one in name for pair in _named(session, one, shown.get(one.region))]
        said += [_accepted(shown.get(region), region) for region in accept]
        for taxonomy in dict.fromkeys(taxonomy for taxonomy, _ in said):
            own = [statement for about, statement in said if about == taxonomy]
            recorded = regions.record(taxonomy, own, source=source, verb="boxes", note=note)
            batch = max(batch, recorded)
    return BoxesRecorded(batch, drawn, boxes_of(session, image))


def boxes_of(session: Session, image: ImageRecord) -> tuple[ObjectRow, ...]:
    """Return all regions of a picture, one row a label, in the order in which they were made."""
    rows = objects_of(session, [image]).get(image.id, [])
    return tuple(sorted(rows, key=lambda row: (row.region, row.taxonomy, row.label)))


def _known(
    session: Session, image: ImageRecord, wanted: Sequence[int]
) -> Mapping[int, KnownRegion]:
    found = {one.id: one for one in session.catalog.regions.get(sorted(set(wanted)))}
    stray = next((one.id for one in found.values() if one.image_id != image.id), None)
    if stray is not None:
        raise NotFound(f"{image.uri} has no region {stray}")
    return found


def _region(box: Sequence[float], image: ImageRecord) -> Region:
    picture = (image.width, image.height)
    clipped = Box(*box).clipped(picture)
    if min(clipped.sides) < _SMALLEST:
        raise InvalidValue(
            f"expected a box of a pixel or more inside {image.width} x {image.height}, got {box}"
        )
    return Region(clipped, picture)


def _label(session: Session, one: DrawnBox | NamedBox) -> RegionLabel:
    """Return the class that a box shows, as it is spelt; makes it where there is none yet."""
    name, label = clean_name(one.taxonomy), clean_name(one.label)
    if not name or not label:
        raise InvalidValue("a box needs a taxonomy and a class")
    there = {taxonomy.name: taxonomy for taxonomy in session.catalog.labels.taxonomies()}
    known = there.get(known_name(name, there))
    if known is None:
        session.catalog.labels.define(Taxonomy(name, "multi", (label,)))
        return RegionLabel(name, label)
    label = known_name(label, known.classes)
    if label not in known.classes:
        session.catalog.labels.define(replace(known, classes=(label,)))
    return RegionLabel(known.name, label)


def _moved(
    known: KnownRegion, one: MovedBox, image: ImageRecord, shown: ObjectRow | None
) -> NewRegion:
    labels: tuple[RegionLabel, ...] = ()
    if shown is not None and shown.label:
        labels = (RegionLabel(shown.taxonomy, shown.label),)
    return NewRegion(known.image_id, _region(one.box, image), labels)


def _named(
    session: Session, one: NamedBox, shown: ObjectRow | None
) -> list[tuple[str, RegionStatement]]:
    """Return what is said of a region that shows something else than it did."""
    label = _label(session, one)
    said = [(label.taxonomy, RegionStatement(one.region, label.label))]
    if shown is not None and shown.taxonomy == label.taxonomy and shown.label != label.label:
        said.append((label.taxonomy, RegionStatement(one.region, shown.label, "no")))
    return said


def _accepted(shown: ObjectRow | None, region: int) -> tuple[str, RegionStatement]:
    if shown is None or not shown.label:
        raise InvalidValue(f"nothing is proposed for region {region}; give it a class")
    return shown.taxonomy, RegionStatement(region, shown.label)


def _note(drawn: int, moved: int, named: int, removed: int) -> str:
    counts = (("drawn", drawn), ("moved", moved), ("named", named), ("removed", removed))
    return ", ".join(f"{counted(n, 'box', 'boxes')} {word}" for word, n in counts if n)
