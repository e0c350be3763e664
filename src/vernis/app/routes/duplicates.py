"""Groups of images that show the same picture, and what a person says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.desk import Desk
from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import DuplicateGroup, Issue
from vernis.verbs.decide.decisions import by, dismiss_issues
from vernis.verbs.see.vector_search import labels_of

_KINDS = ("bytes", "pixels", "near")


@dataclass(frozen=True, slots=True)
class Copy:
    """An image of a group."""

    id: int
    uri: str
    hash: Annotated[str, "start of the content hash"]
    width: int
    height: int
    size: Annotated[int, "bytes"]
    format: str
    modified: Annotated[float, "seconds since 1970, UTC"]
    labels: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → classes"]
    keeper: Annotated[bool, "whether it is the one to keep"]
    chosen: Annotated[bool, "whether a person chose it to be kept"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of a group, compared."""

    a: int
    b: int
    kind: Annotated[str, "bytes, pixels or near"]
    similarity: Annotated[float, "0 to 1, 1 = identical"]
    transform: Annotated[str, "how one becomes the other"]


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are all duplicates of one another, the keeper first."""

    kind: Annotated[str, "the weakest of its pairs: bytes, pixels or near"]
    reason: Annotated[str, "why the keeper is kept"]
    images: tuple[Copy, ...]
    pairs: tuple[Pair, ...]
    merged_labels: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → labels of all of them"]
    conflicts: Annotated[tuple[str, ...], "taxonomies in which their labels disagree"]


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Groups in order."""

    groups: tuple[Group, ...]
    offset: int
    total: Annotated[int, "groups there are"]
    kinds: Annotated[Mapping[str, int], "kind → groups"]


@dataclass(frozen=True)
class GroupAnswer:
    """What a person says of a group: which image stays, or that some are no copies of the rest."""

    images: list[int]
    keep: int | None = None
    no_copies: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class GroupAnswers:
    """Answers to several groups; they are one batch."""

    groups: list[GroupAnswer]


@dataclass(frozen=True, slots=True)
class GroupsAnswered:
    """What was recorded."""

    batch: Annotated[int, "what an undo takes back; 0: nothing was changed"]
    kept: Annotated[int, "images that were chosen to stay"]
    dismissed: Annotated[int, "pairs that are no duplicates"]


def read_groups(
    request: Request,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    kind: Annotated[str, Query(description="bytes, pixels or near; empty: all")] = "",
) -> Response:
    """Return groups of duplicates, the keeper of each first."""
    desk = desk_of(request)
    with desk.reading:
        every = desk.session.groups()
        wanted = [group for group in every if kind in ("", group.kind)]
        page = wanted[offset : offset + limit]
        kinds = {name: sum(group.kind == name for group in every) for name in _KINDS}
        groups = tuple(_group(desk, group) for group in page)
    return answered(GroupPage(groups, offset, len(wanted), kinds), request)


def _group(desk: Desk, group: DuplicateGroup) -> Group:
    order = [group.keeper, *(image for image in group.images if image != group.keeper)]
    records = desk.session.catalog.images.get(order)
    labels = labels_of(desk.session, order)
    copies = tuple(
        Copy(
            id=image.id,
            uri=image.uri,
            hash=image.content_hash[:12],
            width=image.width,
            height=image.height,
            size=image.size,
            format=image.format,
            modified=round(image.mtime_ns / 1e9, 1),
            labels=carried,
            keeper=image.id == group.keeper,
            chosen=image.id in group.chosen,
        )
        for image, carried in zip(records, labels, strict=True)
    )
    pairs = tuple(Pair(p.a, p.b, p.kind, p.similarity, p.transform) for p in group.pairs)
    merged = {name: tuple(found) for name, found in group.merged_labels.items()}
    return Group(group.kind, group.reason, copies, pairs, merged, tuple(group.conflicts))


def answer_groups(request: Request, given: GroupAnswers) -> Response:
    """Record which image of a group stays, and which are no copies of the others.

    No file is moved: `POST /api/verbs/trash` does that for all that is decided.
    """
    desk, who = desk_of(request), person_of(request).name
    catalog = desk.session.catalog
    keep = [group.keep for group in given.groups if group.keep is not None]
    for group in given.groups:
        strange = {*group.no_copies, *([] if group.keep is None else [group.keep])}
        if strange - set(group.images):
            raise UsageError("the image to keep, and those that are no copies, are of the group")
    told = [issue for group in given.groups for issue in _pairs_apart(desk, group)]
    batch = 0
    with catalog.transaction():
        if keep:
            batch = catalog.issues.keep(keep, source=by(who), note=f"{len(keep)} chosen")
        if told:
            batch = dismiss_issues(catalog, told, who=who).batch or batch
    if batch:
        images = sorted({image for group in given.groups for image in group.images})
        desk.events.publish("duplicates", {"by": who, "batch": batch, "images": images[:500]})
    return answered(GroupsAnswered(batch, len(keep), len(told)))


def _pairs_apart(desk: Desk, group: GroupAnswer) -> list[Issue]:
    """Return the pairs between images that are no copies and the rest of their group."""
    if not group.no_copies:
        return []
    apart, among = set(group.no_copies), set(group.images)
    found = desk.remember(("pairs",), ("issues",), lambda: _pairs(desk))
    pairs = [
        issue
        for image in apart
        for issue in found.get(image, ())
        if {issue.image_id, issue.other_id} <= among
    ]
    if not pairs:
        raise NotFound("these images are no pair of duplicates any more")
    return list({issue.id: issue for issue in pairs}.values())


def _pairs(desk: Desk) -> dict[int, list[Issue]]:
    found: dict[int, list[Issue]] = {}
    for issue in desk.session.catalog.issues.select(("duplicate",), flagged_only=False):
        for image in (issue.image_id, issue.other_id):
            found.setdefault(image, []).append(issue)
    return found


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag = "duplicates"
    routes.add("GET", "/api/duplicates", read_groups, role="viewer", tag=tag, gives=GroupPage)
    routes.add(
        "POST",
        "/api/duplicates/decisions",
        answer_groups,
        role="reviewer",
        tag=tag,
        gives=GroupsAnswered,
    )
