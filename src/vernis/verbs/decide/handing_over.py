"""Decisions out of one copy of a collection and into another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from vernis.domain.handover import (
    PEOPLE,
    HandedImage,
    HandedKeeper,
    HandedLabel,
    HandedRegion,
    HandedVerdict,
    Handover,
    Judgement,
)
from vernis.domain.types import LABEL_KINDS, Issue, Statement, Taxonomy
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.handing_over_regions import (
    RegionArrivals,
    compare_regions_of,
    gather_regions,
    take_over_regions,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


def gather_decisions(
    session: Session, taxonomies: Sequence[str] = (), only: Collection[int] | None = None
) -> Handover:
    """Return the decisions of people in this collection.

    Parameters
    ----------
    session : Session
    taxonomies : sequence of str
        Whose labels and label issues; default all.
    only : collection of int, optional
        Ids of the images that are wanted.
    """
    catalog, images = session.catalog, _Images(session)
    chosen = [t for t in session.taxonomies() if not taxonomies or t.name in taxonomies]
    labels = [
        HandedLabel(images.handed(said.image_id), taxonomy.name, said.label, said.state, source)
        for taxonomy in chosen
        for source, statements in _said_by_people(session, taxonomy).items()
        for said in statements
        if said.state != "unknown" and images.wants(said.image_id, only)
    ]
    names = {taxonomy.name for taxonomy in chosen}
    verdicts = [
        _hand_over(images, issue)
        for issue in catalog.issues.select(
            flagged_only=False, verdicts=("accepted", "dismissed"), order=("kind", "image")
        )
        if images.wants(issue.image_id, only) and (not issue.taxonomy or issue.taxonomy in names)
    ]
    keepers = [
        HandedKeeper(images.handed(image_id), by(who))
        for image_id, who in catalog.issues.kept().items()
        if images.wants(image_id, only)
    ]
    wanted = {
        number: images.handed(number) for number in images.paths if images.wants(number, only)
    }
    everything = all(one.ignored or one in chosen for one in session.taxonomies())
    regions = gather_regions(session, chosen, wanted, everything=everything)
    kinds = tuple((taxonomy.name, taxonomy.kind) for taxonomy in chosen)
    return Handover(
        catalog.folder.stem,
        kinds,
        tuple(labels),
        tuple(verdicts),
        tuple(keepers),
        tuple(regions),
    )


def _said_by_people(session: Session, taxonomy: Taxonomy) -> dict[str, list[Statement]]:
    said = session.catalog.labels.statements_about(taxonomy.name, taxonomy.classes)
    return {source: found for source, found in said.items() if source.startswith(PEOPLE)}


def _hand_over(images: _Images, issue: Issue) -> HandedVerdict:
    return HandedVerdict(
        images.handed(issue.image_id),
        issue.kind,
        "accepted" if issue.verdict == "accepted" else "dismissed",
        issue.taxonomy,
        issue.label,
        images.handed(issue.other_id) if issue.other_id in images.paths else None,
        tuple(map(str, issue.evidence.get("given", ()))),
        tuple(map(str, issue.evidence.get("suggested", ()))),
    )


class _Images:
    """The images of a copy by path and by content, whatever Vernis wrote into their files."""

    def __init__(self, session: Session) -> None:
        table = session.table("present", "unreadable")
        hashes = [name.decode("ascii") for name in table.hashes.tolist()]
        written = session.catalog.images.contents_of(hashes)
        contents = [written.get(name, name) for name in hashes]
        self.paths = dict(zip(table.ids.tolist(), table.uris, strict=True))
        self.contents = dict(zip(table.ids.tolist(), contents, strict=True))
        self.by_path = {path: number for number, path in self.paths.items()}
        self.by_content: dict[str, list[int]] = defaultdict(list)
        for number, content in self.contents.items():
            self.by_content[content].append(number)

    def wants(self, image_id: int, only: Collection[int] | None) -> bool:
        return image_id in self.paths and (only is None or image_id in only)

    def handed(self, image_id: int) -> HandedImage:
        return HandedImage(self.paths[image_id], self.contents[image_id])

    def find(self, image: HandedImage) -> list[int]:
        """Return the image of the same content and path, else all of the content.

        Without a content the path decides.
        """
        at = self.by_path.get(image.path)
        if not image.content:
            return [] if at is None else [at]
        same = self.by_content.get(image.content, [])
        return [at] if at in same else same


@dataclass(frozen=True, slots=True)
class Conflict:
    """A decision that a person took otherwise here."""

    image: Annotated[str, "its path here"]
    what: Annotated[str, "the taxonomy, or the kind of issue"]
    here: Annotated[str, "what was decided here"]
    there: Annotated[str, "what the file says"]


@dataclass(slots=True)
class Arrivals:
    """What of a hand-over is new here, is known already, contradicts or has no image here."""

    statements: dict[tuple[str, str], list[Statement]] = field(
        default_factory=lambda: defaultdict(list)
    )  # (taxonomy, source) → what is recorded
    verdicts: dict[Judgement, list[int]] = field(default_factory=lambda: defaultdict(list))
    keepers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    regions: RegionArrivals = field(default_factory=RegionArrivals)
    known: int = 0
    unmatched_issues: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    missing: dict[str, None] = field(default_factory=dict)

    def __len__(self) -> int:
        parts = (self.statements, self.verdicts, self.keepers)
        return sum(len(found) for part in parts for found in part.values()) + len(self.regions)


def compare(session: Session, handed: Handover, *, theirs: bool, who: str) -> Arrivals:
    """Sort out what a hand-over brings; changes nothing.

    Parameters
    ----------
    session : Session
    handed : Handover
    theirs : bool
        Whether the file wins where a person decided otherwise here; such decisions stay in the
        list of conflicts.
    who : str
        The source of labels that accepted issues of the file give.
    """
    found, images = Arrivals(), _Images(session)
    single = {name for name, kind in handed.kinds if kind == "single"}
    single |= {taxonomy.name for taxonomy in session.taxonomies() if taxonomy.kind == "single"}
    labels = [*handed.labels, *_labels_of_accepted(handed, single, who)]
    _compare_labels(session, images, labels, theirs, found)
    _compare_verdicts(session, images, handed.verdicts, theirs, found)
    _compare_keepers(session, images, handed.keepers, theirs, found)
    if handed.regions:
        _compare_regions(session, images, handed.regions, theirs, found)
    return found


def _compare_regions(
    session: Session,
    images: _Images,
    regions: Sequence[HandedRegion],
    theirs: bool,
    found: Arrivals,
) -> None:
    find = {one.image: images.find(one.image) for one in regions}
    found.regions = compare_regions_of(session, regions, find, theirs=theirs)
    found.known += found.regions.known
    found.missing.update(dict.fromkeys(found.regions.missing))
    found.conflicts += [
        Conflict(images.paths[number], what, here, there)
        for number, what, here, there in found.regions.conflicts
    ]


def _labels_of_accepted(handed: Handover, single: Collection[str], who: str) -> list[HandedLabel]:
    """Return the labels that accepted issues mean, where the file does not say them itself."""
    said = {(one.image, one.taxonomy) for one in handed.labels}
    found = []
    for one in handed.verdicts:
        if one.verdict != "accepted" or one.kind not in LABEL_KINDS or not one.suggested:
            continue
        if (one.image, one.taxonomy) in said:
            continue
        given, suggested = set(one.given), set(one.suggested)
        added = [(name, "yes") for name in sorted(suggested - given)]
        removed = [(name, "no") for name in sorted(given - suggested)]
        if added and one.taxonomy in single:
            removed = []  # the yes of a single taxonomy is the no of all others
        found += [
            HandedLabel(one.image, one.taxonomy, name, "yes" if state == "yes" else "no", who)
            for name, state in (*removed, *added)
        ]
    return found


def _compare_labels(
    session: Session,
    images: _Images,
    labels: Sequence[HandedLabel],
    theirs: bool,
    found: Arrivals,
) -> None:
    kinds = {taxonomy.name: taxonomy for taxonomy in session.taxonomies()}
    here: dict[str, dict[int, dict[str, str]]] = {}
    for name in {one.taxonomy for one in labels} & set(kinds):
        states: dict[int, dict[str, str]] = defaultdict(dict)
        for statements in _said_by_people(session, kinds[name]).values():
            for said in statements:
                states[said.image_id].setdefault(said.label, said.state)
        here[name] = states
    for one in labels:
        ids = images.find(one.image)
        if not ids:
            found.missing[one.image.path] = None
        for number in ids:
            own = here.get(one.taxonomy, {}).get(number, {})
            state = own.get(one.label)
            single = one.taxonomy in kinds and kinds[one.taxonomy].kind == "single"
            others = [n for n, s in own.items() if s == "yes" and n != one.label]
            if state == one.state:
                found.known += 1
                continue
            differs = state not in (None, "unknown", one.state)
            if single and one.state == "yes" and others:
                differs, state = True, others[0]
            if differs:
                before = state if single else f"{one.label}: {state}"
                there = one.label if single and one.state == "yes" else f"{one.label}: {one.state}"
                found.conflicts.append(
                    Conflict(images.paths[number], one.taxonomy, str(before), there)
                )
            if theirs or not differs:
                found.statements[one.taxonomy, one.source].append(
                    Statement(number, one.label, one.state)
                )


def _compare_verdicts(
    session: Session,
    images: _Images,
    verdicts: Sequence[HandedVerdict],
    theirs: bool,
    found: Arrivals,
) -> None:
    if not verdicts:
        return
    issues = {
        (one.kind, one.taxonomy, one.label, one.image_id, one.other_id): one
        for one in session.catalog.issues.select(flagged_only=False)
    }
    for one in verdicts:
        ids = images.find(one.image)
        others = images.find(one.other) if one.other is not None else [0]
        if not ids or not others:
            found.missing[one.image.path] = None
            continue
        keys = [
            (one.kind, one.taxonomy, one.label, *pair)
            for number in ids
            for other in others
            for pair in ({(number, other), (other, number)} if other else {(number, 0)})
        ]
        met = [issues[key] for key in keys if key in issues]
        found.unmatched_issues += not met
        for issue in met:
            if issue.verdict == one.verdict:
                found.known += 1
                continue
            if issue.verdict != "open":
                found.conflicts.append(
                    Conflict(
                        images.paths[issue.image_id],
                        one.taxonomy or one.kind,
                        issue.verdict,
                        one.verdict,
                    )
                )
            if theirs or issue.verdict == "open":
                found.verdicts[one.verdict].append(issue.id)


def _compare_keepers(
    session: Session,
    images: _Images,
    keepers: Sequence[HandedKeeper],
    theirs: bool,
    found: Arrivals,
) -> None:
    kept = session.catalog.issues.kept()
    group_of = {number: group.images for group in session.groups() for number in group.images}
    for one in keepers:
        ids = images.find(one.image)
        if not ids:
            found.missing[one.image.path] = None
            continue
        number = ids[0]
        if number in kept:
            found.known += 1
            continue
        rivals = [other for other in group_of.get(number, ()) if other in kept]
        if rivals:
            found.conflicts.append(
                Conflict(
                    images.paths[number],
                    "keep",
                    images.paths.get(rivals[0], str(rivals[0])),
                    images.paths[number],
                )
            )
        if theirs or not rivals:
            found.keepers[one.source].append(number)


def take_over(session: Session, handed: Handover, found: Arrivals, *, who: str, note: str) -> int:
    """Record what is new as one batch, which one undo takes back; returns it, 0 for none."""
    catalog = session.catalog
    kinds = dict(handed.kinds)
    with catalog.transaction():
        batch = catalog.history.begin("apply", source=who, note=note)
        with catalog.history.joined(batch):
            for (taxonomy, source), statements in found.statements.items():
                classes = tuple(dict.fromkeys(said.label for said in statements))
                catalog.labels.define(_shape(session, taxonomy, kinds, classes))
                catalog.labels.record(taxonomy, statements, source=source, verb="apply", note=note)
            for name, classes in found.regions.classes().items():
                catalog.labels.define(_shape(session, name, kinds, classes))
            take_over_regions(session, found.regions, who=who, note=note)
            for verdict, ids in found.verdicts.items():
                catalog.issues.set_verdict(ids, verdict, who=who.partition(":")[2])
            for source, ids in found.keepers.items():
                catalog.issues.keep(ids, source=source, note=note)
        return batch if catalog.history.close(batch) else 0


def _shape(
    session: Session, name: str, kinds: Mapping[str, str], classes: tuple[str, ...]
) -> Taxonomy:
    """Return the taxonomy as it is here, or as the file has it, with these classes in it."""
    known = next((one for one in session.taxonomies() if one.name == name), None)
    if known is not None:
        return Taxonomy(name, known.kind, classes)
    return Taxonomy(name, "single" if kinds.get(name) == "single" else "multi", classes)
