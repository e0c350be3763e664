"""``vernis duplicates``: find images that show the same picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.types import DuplicateGroup
from vernis.report.wording import counted
from vernis.verbs.decide.deduplication import (
    DuplicateSearch,
    find_duplicates,
    find_variants,
    links_among,
)
from vernis.verbs.decide.keepers import PREFER, prefer_folders
from vernis.verbs.declare import BaseSettings, Fields, Screen, Verb, rows_shown
from vernis.verbs.networks.embedding import THOROUGH, measure_pictures

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How many groups are listed, and whose images stay."""

    _: KW_ONLY
    limit: Annotated[int | None, rows_shown(what="groups")] = None
    prefer: Annotated[Sequence[Path | str], PREFER] = ()
    thorough: Annotated[bool, THOROUGH] = False


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two images of a group, compared."""

    a: Annotated[str, "path"]
    b: Annotated[str, "path"]
    similarity: Annotated[float, "0 to 1, 1 = identical"]
    transform: Annotated[str, "how one becomes the other"]
    kind: Annotated[str, "bytes, pixels or near"]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Images that are all duplicates of one another."""

    kind: Annotated[str, "the weakest of its pairs: bytes, pixels or near"]
    keeper: Annotated[str, "path of the image to keep"]
    reason: Annotated[str, "why it is kept"]
    images: Annotated[tuple[str, ...], "paths, the keeper first"]
    pairs: tuple[PairRow, ...]
    merged_labels: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → labels of all of them"]
    conflicts: Annotated[tuple[str, ...], "taxonomies in which their labels disagree"]


@dataclass(frozen=True, slots=True)
class VariantRow:
    """Images of one template or article that differ from one another: no duplicates."""

    images: Annotated[tuple[str, ...], "paths"]
    reason: Annotated[str, "what differs: content (a word, a number, a thing), color, or both"]


@dataclass(frozen=True, slots=True)
class Result:
    """The duplicate groups, and apart from them the variants."""

    groups: tuple[GroupRow, ...]
    total: Annotated[int, "groups in all, listed or not"]
    variants: tuple[VariantRow, ...]
    total_variants: Annotated[int, "groups of variants in all, listed or not"]
    links: Annotated[
        Mapping[str, str], "image that is a symbolic link → the image whose file it is; no copies"
    ]


def work(session: Session, settings: Settings) -> Result:
    """Return the duplicate groups; searches first where that was not done yet."""
    searched = session.results.find("duplicate-search", DuplicateSearch) is not None
    if settings.thorough or not searched:
        measure_pictures(session, thorough=settings.thorough)
        find_duplicates(session)
    if settings.prefer:
        with session.lock("duplicates"):
            prefer_folders(session, settings.prefer)
    groups, uris = session.groups(), session.uris()
    variants = find_variants(session)
    return Result(
        tuple(_group_row(group, uris) for group in groups[: settings.limit]),
        len(groups),
        tuple(
            VariantRow(tuple(uris[image] for image in group.images), group.reason)
            for group in variants[: settings.limit]
        ),
        len(variants),
        {uris[link]: uris[image] for link, image in sorted(links_among(session).items())},
    )


def _group_row(group: DuplicateGroup, uris: Mapping[int, str]) -> GroupRow:
    return GroupRow(
        kind=group.kind,
        keeper=uris[group.keeper],
        reason=group.reason,
        images=tuple(uris[image] for image in group.images),
        pairs=tuple(
            PairRow(uris[pair.a], uris[pair.b], pair.similarity, pair.transform, pair.kind)
            for pair in group.pairs
        ),
        merged_labels={name: tuple(labels) for name, labels in group.merged_labels.items()},
        conflicts=tuple(group.conflicts),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a group."""
    rows = [
        {
            "kind": group.kind,
            "keep": group.keeper,
            "because": group.reason,
            "duplicates": [image for image in group.images if image != group.keeper],
            "how": sorted({pair.transform for pair in group.pairs}),
            "labels_disagree": list(group.conflicts),
        }
        for group in result.groups
    ]
    columns = ["kind", "keep", "because", "duplicates", "how", "labels_disagree"]
    title = counted(result.total, "duplicate group")
    screen.table(rows, columns, title=title, total=result.total)
    if result.variants:
        screen.table(
            [{"differ_in": row.reason, "images": list(row.images)} for row in result.variants],
            ["differ_in", "images"],
            title=f"{counted(result.total_variants, 'group')} of variants (no duplicates)",
            total=result.total_variants,
        )
    if result.links:
        link, image = next(iter(result.links.items()))
        count = counted(len(result.links), "image is a link", "images are links")
        screen.line(
            f"{count} to the file of another image, which is no copy: '{link}' leads to '{image}'."
        )


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row an image: is_duplicate_issue, duplicate_score, group, keeper.

    The score is 1 minus the similarity to the nearest duplicate, 1 without any. ``group`` is -1
    without one; the keeper of a group is not an issue.
    """
    import pandas as pd

    groups = work(session, replace(settings, limit=None)).groups
    images = [image.uri for image in session.images()]
    score = dict.fromkeys(images, 1.0)
    place = dict.fromkeys(images, -1)
    keeper = dict.fromkeys(images, "")
    for number, group in enumerate(groups):
        for uri in group.images:
            place[uri], keeper[uri] = number, group.keeper
        for pair in group.pairs:
            for uri in (pair.a, pair.b):
                score[uri] = min(score[uri], 1.0 - pair.similarity)
    columns = {
        "is_duplicate_issue": [place[uri] >= 0 and keeper[uri] != uri for uri in images],
        "duplicate_score": [score[uri] for uri in images],
        "group": [place[uri] for uri in images],
        "keeper": [keeper[uri] for uri in images],
    }
    return pd.DataFrame(columns, index=pd.Index(images, name="image"))


VERB = Verb(
    Settings,
    work,
    show,
    document=Fields("groups", "variants", "links"),
    frame=frame,
)
