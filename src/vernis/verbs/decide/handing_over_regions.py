"""What people decided about regions, out of one copy of a collection and into another.

A region of another copy is known here by its image, its shape and its place; regions have no names
that both copies share. A region that nobody here drew or found comes along where a person drew it
there, or said yes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vernis.core.numeric.boxes import overlaps
from vernis.domain.handover import (
    PEOPLE,
    HandedImage,
    HandedRegion,
    SaidOfRegion,
)
from vernis.domain.region_store import KnownRegion, NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Region
from vernis.domain.types import Statement, Taxonomy

if TYPE_CHECKING:
    from vernis.session.session import Session

DREW = "human:"
_SAME_WITHIN = 0.01  # pixels
_SAME_THING = 0.7  # overlap from which two people drew one thing


@dataclass(slots=True)
class RegionArrivals:
    """What of the regions of a hand-over is new here."""

    added: list[tuple[int, HandedRegion]] = field(default_factory=list)  # image → its region
    removed: list[int] = field(default_factory=list)
    statements: dict[tuple[str, str], list[RegionStatement]] = field(
        default_factory=lambda: defaultdict(list)
    )
    known: int = 0
    unmatched: int = 0
    conflicts: list[tuple[int, str, str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Return the classes that are said of regions, by taxonomy."""
        said = {(one.taxonomy, one.label): None for _, new in self.added for one in new.said}
        for (taxonomy, _), statements in self.statements.items():
            said.update(dict.fromkeys((taxonomy, one.label) for one in statements))
        found: dict[str, list[str]] = defaultdict(list)
        for taxonomy, label in said:
            found[taxonomy].append(label)
        return {taxonomy: tuple(labels) for taxonomy, labels in found.items()}

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + sum(map(len, self.statements.values()))


def gather_regions(
    session: Session,
    taxonomies: Sequence[Taxonomy],
    handed: Mapping[int, HandedImage],
    *,
    everything: bool,
) -> list[HandedRegion]:
    """Return what people drew, said of regions and took away.

    Parameters
    ----------
    session : Session
    taxonomies : sequence of Taxonomy
        Whose labels are handed over.
    handed : mapping of int to HandedImage
        The images that are wanted.
    everything : bool
        These are all taxonomies: regions without a label, and those taken away, go too.
    """
    store = session.catalog.regions
    said = _said_by_people(session, taxonomies)
    table = store.table()
    drawn = [
        int(table.ids[row])
        for row in range(len(table))
        if table.sources[row].startswith(DREW) and everything
    ]
    known = store.get(sorted({*drawn, *said}))
    found = [
        HandedRegion(handed[one.image_id], one.region, one.source, said.get(one.id, ()))
        for one in known
        if one.image_id in handed
    ]
    if everything:
        found += [
            HandedRegion(handed[one.image_id], one.region, one.source, removed_by=who)
            for one, who in store.taken_away(DREW)
            if one.image_id in handed
        ]
    return found


def _said_by_people(
    session: Session, taxonomies: Iterable[Taxonomy]
) -> dict[int, tuple[SaidOfRegion, ...]]:
    """Return what people say of each region; of several people on one class the most believed."""
    said: dict[int, dict[tuple[str, str], SaidOfRegion]] = defaultdict(dict)
    for taxonomy in taxonomies:
        found = session.catalog.regions.labels(taxonomy.name)
        people = [name.startswith(PEOPLE) for name in found.sources.names]
        for row in np.flatnonzero(np.array(people, bool)[found.sources.codes]).tolist():
            label = found.labels[row]
            one = SaidOfRegion(
                taxonomy.name, label, "yes" if found.yes[row] else "no", found.sources[row]
            )
            said[int(found.region_ids[row])].setdefault((taxonomy.name, label), one)
    return {region: tuple(labels.values()) for region, labels in said.items()}


def compare_regions_of(
    session: Session,
    handed: Sequence[HandedRegion],
    find: Mapping[HandedImage, Sequence[int]],
    *,
    theirs: bool,
) -> RegionArrivals:
    """Sort out what the regions of a hand-over bring; changes nothing.

    Parameters
    ----------
    session : Session
    handed : sequence of HandedRegion
    find : mapping of HandedImage to sequence of int
        The images here that each image of the file is.
    theirs : bool
        Whether the file wins where a person decided otherwise here.
    """
    found = RegionArrivals()
    with session.catalog.snapshot():
        here = _Here.read(session, {image for ids in find.values() for image in ids})
    for one in handed:
        images = find[one.image]
        if not images:
            found.missing.append(one.image.path)
        for image in images:
            same = here.find(image, one.region, one.drawn_by)
            if one.removed_by:
                _compare_removed(found, here, image, one, same, theirs)
            elif same is not None:
                _compare_said(found, here, image, one, same, theirs)
            else:
                _compare_new(found, here, image, one, theirs)
    return found


@dataclass(frozen=True, slots=True)
class _Here:
    """The regions of this copy, and what people said of them and of their images."""

    regions: Mapping[int, Sequence[KnownRegion]]
    removed: Mapping[int, Sequence[KnownRegion]]
    said: Mapping[int, Mapping[tuple[str, str], str]]
    of_images: Mapping[tuple[int, str, str], str]
    single: frozenset[str]

    @classmethod
    def read(cls, session: Session, images: Collection[int]) -> _Here:
        store, taxonomies = session.catalog.regions, session.taxonomies()
        regions: dict[int, list[KnownRegion]] = defaultdict(list)
        for one in store.get(store.table(images=sorted(images)).ids):
            regions[one.image_id].append(one)
        removed: dict[int, list[KnownRegion]] = defaultdict(list)
        for one, _ in store.taken_away(DREW):
            removed[one.image_id].append(one)
        said = {
            region: {(label.taxonomy, label.label): label.state for label in labels}
            for region, labels in _said_by_people(session, taxonomies).items()
        }
        single = frozenset(one.name for one in taxonomies if one.kind == "single")
        return cls(regions, removed, said, _said_of_images(session, taxonomies), single)

    def otherwise(self, image: int, region: int, said: SaidOfRegion) -> str:
        """Return what a person said here that contradicts, empty where nobody did."""
        own = self.said.get(region, {})
        state = own.get((said.taxonomy, said.label))
        if state is not None and state != said.state:
            return f"{said.label}: {state}"
        if said.state == "no":
            return ""
        if self.of_images.get((image, said.taxonomy, said.label)) == "no":
            return f"{said.label}: no"
        if said.taxonomy in self.single:
            for (taxonomy, label), other in own.items():
                if taxonomy == said.taxonomy and other == "yes" and label != said.label:
                    return f"{label}: yes"
        return ""

    def find(self, image: int, region: Region, source: str) -> KnownRegion | None:
        """Return the region that lies there, one of the same source first."""
        same = [one for one in self.regions.get(image, ()) if _is_same(one.region, region)]
        return min(same, key=lambda one: one.source != source, default=None)

    def drawn_over(self, image: int, region: Region) -> KnownRegion | None:
        """Return a region that a person drew here around the same thing."""
        drawn = [one for one in self.regions.get(image, ()) if one.source.startswith(DREW)]
        if not drawn:
            return None
        boxes = np.array([one.region.box.corners for one in drawn])
        shares = overlaps(np.array([region.box.corners]), boxes)[0]
        best = int(np.argmax(shares))
        return drawn[best] if shares[best] >= _SAME_THING else None

    def shown(self, one: KnownRegion) -> str:
        """Return what people say a region shows."""
        said = self.said.get(one.id, {})
        return _shown(one.region, [label for (_, label), state in said.items() if state == "yes"])


def _said_of_images(
    session: Session, taxonomies: Iterable[Taxonomy]
) -> dict[tuple[int, str, str], str]:
    """Return what people say of each image × class."""
    found: dict[tuple[int, str, str], str] = {}
    for taxonomy in taxonomies:
        said: Mapping[str, Sequence[Statement]] = session.catalog.labels.statements_about(
            taxonomy.name, taxonomy.classes
        )
        for source, statements in said.items():
            if source.startswith(PEOPLE):
                for one in statements:
                    found.setdefault((one.image_id, taxonomy.name, one.label), one.state)
    return found


def _is_same(one: Region, other: Region) -> bool:
    if (one.shape, one.picture, one.outline) != (other.shape, other.picture, other.outline):
        return False
    corners = zip(one.box.corners, other.box.corners, strict=True)
    return all(abs(a - b) <= _SAME_WITHIN for a, b in corners)


def _shown(region: Region, labels: Iterable[str]) -> str:
    box = region.box
    place = f"{box.width:.0f} x {box.height:.0f} at {box.x:.0f}, {box.y:.0f}"
    return f"{', '.join(labels) or region.shape} ({place})"


def _compare_removed(
    found: RegionArrivals,
    here: _Here,
    image: int,
    one: HandedRegion,
    same: KnownRegion | None,
    theirs: bool,
) -> None:
    if same is None:  # it was taken away here too, or never found
        found.known += 1
        return
    holds = "yes" in here.said.get(same.id, {}).values()
    drawn = same.source.startswith(DREW) and same.source != one.drawn_by
    if holds or drawn:
        found.conflicts.append((image, "region", here.shown(same), "taken away"))
    if theirs or not (holds or drawn):
        found.removed.append(same.id)


def _compare_said(
    found: RegionArrivals,
    here: _Here,
    image: int,
    one: HandedRegion,
    same: KnownRegion,
    theirs: bool,
) -> None:
    own = here.said.get(same.id, {})
    found.known += not one.said
    for said in one.said:
        if own.get((said.taxonomy, said.label)) == said.state:
            found.known += 1
            continue
        before = here.otherwise(image, same.id, said)
        if before:
            there = f"{said.label}: {said.state}, of a region"
            found.conflicts.append((image, said.taxonomy, before, there))
        if theirs or not before:
            statement = RegionStatement(same.id, said.label, said.state)
            found.statements[said.taxonomy, said.source].append(statement)


def _compare_new(
    found: RegionArrivals, here: _Here, image: int, one: HandedRegion, theirs: bool
) -> None:
    yes = [said for said in one.said if said.state == "yes"]
    if not yes and not one.drawn_by.startswith(DREW):
        found.unmatched += 1  # what was rejected there was never found here
        return
    before = ""
    if any(_is_same(gone.region, one.region) for gone in here.removed.get(image, ())):
        before = "taken away"
    elif (rival := here.drawn_over(image, one.region)) is not None:
        before = here.shown(rival)
    else:
        before = ", ".join(filter(None, (here.otherwise(image, 0, said) for said in yes)))
    if before:
        there = _shown(one.region, [said.label for said in yes])
        found.conflicts.append((image, "region", before, there))
    if theirs or not before:
        found.added.append((image, one))


def take_over_regions(session: Session, found: RegionArrivals, *, who: str, note: str) -> None:
    """Record what is new of the regions, inside the batch that is open; classes are defined."""
    store = session.catalog.regions
    if found.removed:
        store.remove(found.removed, source=who, verb="apply", note=note)
    by_source: dict[str, list[tuple[int, HandedRegion]]] = defaultdict(list)
    for image, one in found.added:
        by_source[one.drawn_by].append((image, one))
    statements: dict[tuple[str, str], list[RegionStatement]] = defaultdict(list)
    for pair, said_before in found.statements.items():
        statements[pair] += said_before
    for source, regions in by_source.items():
        new = [NewRegion(image, one.region, _own(one)) for image, one in regions]
        ids = store.add(new, source=source, verb="apply", note=note)
        for number, (_, one) in zip(ids.tolist(), regions, strict=True):
            for said in one.said:
                if said.source != source:
                    statement = RegionStatement(number, said.label, said.state)
                    statements[said.taxonomy, said.source].append(statement)
    for (taxonomy, source), said_now in statements.items():
        store.record(taxonomy, said_now, source=source, verb="apply", note=note)


def _own(one: HandedRegion) -> tuple[RegionLabel, ...]:
    """Return what whoever drew a region says of it."""
    return tuple(
        RegionLabel(said.taxonomy, said.label, said.state)
        for said in one.said
        if said.source == one.drawn_by
    )
