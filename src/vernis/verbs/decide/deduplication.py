"""Find duplicates in three stages and write them, grouped, to the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vernis.core.copies.duplicates import (
    ALL_PAIRS_LIMIT,
    FoundPair,
    ImageGroup,
    group_images,
    index_pairs,
    pairs_with,
)
from vernis.core.copies.fingerprints import Fingerprints, is_plain, unpack_fingerprints
from vernis.core.copies.groups import (
    Copy,
    explain_keeper,
    find_label_conflicts,
    order_by_worth,
)
from vernis.core.copies.pairs import NearSettings, find_near_pairs
from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import UnreadableImage
from vernis.domain.types import DuplicateGroup, DuplicatePair, ImageRecord, Space
from vernis.session.vectors import search_columns

if TYPE_CHECKING:
    from vernis.session.session import Session

# The same pixels in two formats: fingerprints differ by rounding alone (grey levels, mean over the
# picture).
_SAME_PIXELS_DIFFERENCE = 2.0


@dataclass(frozen=True, slots=True)
class DuplicateSearch:
    """The pixel and near pairs between distinct contents that a search found."""

    VERSION: ClassVar[int] = 6  # raise it when the search changes

    pairs: tuple[FoundPair, ...]


@dataclass(frozen=True, slots=True)
class Deduplication:
    """What finding the duplicates gave.

    Attributes
    ----------
    images : int
        Images that were compared.
    skipped : int
        Present images without a fingerprint (not embedded yet); compared by their bytes alone.
    groups : int
    pairs : dict of str to int
        Pairs by kind.
    conflicts : int
        Groups whose labels disagree.
    """

    images: int
    skipped: int
    groups: int
    pairs: Mapping[str, int]
    conflicts: int


def find_duplicates(session: Session, settings: NearSettings | None = None) -> Deduplication:
    """Find duplicates among the present images and replace the catalog's groups.

    The search runs on distinct contents and is kept, keyed by contents, spaces and settings; a
    second run only groups anew, so that verdicts and labels that changed count. Images without a
    fingerprint are only compared by their bytes; the current embedding space proposes crops and
    heavy changes.
    """
    chosen = settings or NearSettings()
    with session.lock("duplicates"):
        fingerprint_space, embedding_space = session.fingerprint_space(), session.current_space()
        images = [image for image in session.images() if image.content_hash]
        first_of: dict[str, ImageRecord] = {}
        for image in images:
            first_of.setdefault(image.content_hash, image)
        vectors = session.catalog.vectors
        missing = set(vectors.missing(fingerprint_space, list(first_of)))
        if embedding_space is not None:
            missing |= set(vectors.missing(embedding_space, list(first_of)))
        distinct = [image for content, image in first_of.items() if content not in missing]
        found = _search(session, distinct, (fingerprint_space, embedding_space), chosen)
        groups = _describe_groups(session, images, found)
        session.catalog.issues.replace_groups(groups)
    kinds = [pair.kind for group in groups for pair in group.pairs]
    return Deduplication(
        images=len(images),
        skipped=sum(1 for image in images if image.content_hash in missing),
        groups=len(groups),
        pairs={kind: kinds.count(kind) for kind in ("bytes", "pixels", "near")},
        conflicts=sum(1 for group in groups if group.conflicts),
    )


def _search(
    session: Session,
    distinct: Sequence[ImageRecord],
    spaces: tuple[Space, Space | None],
    settings: NearSettings,
) -> Sequence[FoundPair]:
    """Find the pixel and near pairs between distinct contents, or recall the last search."""
    about = [(image.content_hash, image.width, image.height) for image in distinct]
    mark = fingerprint(DuplicateSearch.VERSION, settings, spaces, about)
    kept = session.results.find("duplicate-search", DuplicateSearch, mark)
    if kept is not None:
        return kept.pairs
    vectors, progress = session.catalog.vectors, session.progress
    hashes = [image.content_hash for image in distinct]
    rows = np.asarray(vectors.read(spaces[0], hashes), dtype=np.uint8)
    embeddings = None
    if spaces[1] is not None:
        embeddings = vectors.read(spaces[1], hashes)[:, search_columns(spaces[1])]
    fingerprints = unpack_fingerprints(rows)
    near = find_near_pairs(
        fingerprints,
        embeddings,
        settings,
        report=lambda done, total: progress("duplicates", done, total, "candidates"),
    )
    pairs = near.pairs.tolist()
    same_pixels = _find_same_pixels(session, distinct, fingerprints, pairs)
    # Pictures without content count by their bytes or pixels alone.
    plain = is_plain(fingerprints.luma)
    found = []
    for (a, b), similarity, transform in zip(
        pairs, near.similarity.tolist(), near.transforms, strict=True
    ):
        if (a, b) in same_pixels:
            found.append(FoundPair(hashes[a], hashes[b], "pixels", 1.0, "identity"))
        elif not (plain[a] or plain[b]):
            name = _name_with_scale(transform, distinct[a], distinct[b])
            found.append(FoundPair(hashes[a], hashes[b], "near", round(similarity, 4), name))
    session.results.keep("duplicate-search", DuplicateSearch(tuple(found)), mark)
    return found


def _find_same_pixels(
    session: Session,
    distinct: Sequence[ImageRecord],
    fingerprints: Fingerprints,
    pairs: Sequence[Sequence[int]],
) -> set[tuple[int, int]]:
    """Return the pairs that are the same in all they hold; only suspects are decoded."""
    suspects = [
        (a, b)
        for a, b in pairs
        if (distinct[a].width, distinct[a].height) == (distinct[b].width, distinct[b].height)
        and _difference(fingerprints, a, b) <= _SAME_PIXELS_DIFFERENCE
    ]
    digests: dict[int, str] = {}
    digest = session.digested_pictures()
    rows = sorted({row for pair in suspects for row in pair})
    for done, row in enumerate(rows, 1):
        try:
            digests[row] = digest(distinct[row])
        except (UnreadableImage, OSError):
            # It was readable when it was embedded; then nothing proves that it is the same.
            continue
        session.progress("same pixels", done, len(rows))
    return {
        (a, b) for a, b in suspects if a in digests and b in digests and digests[a] == digests[b]
    }


def _difference(fingerprints: Fingerprints, a: int, b: int) -> float:
    luma = np.abs(fingerprints.luma[a].astype(np.int16) - fingerprints.luma[b]).mean()
    chroma = np.abs(fingerprints.chroma[a].astype(np.int16) - fingerprints.chroma[b]).mean()
    return float(max(luma, chroma))


def _name_with_scale(transform: str, a: ImageRecord, b: ImageRecord) -> str:
    """Add ``scale`` where two whole pictures differ in size."""
    if "crop" in transform or not a.width or not b.width:
        return transform
    ratio = max(a.width, a.height) / max(b.width, b.height)
    if 0.98 < ratio < 1.02:
        return transform
    return "scale" if transform == "identity" else f"{transform}+scale"


def _describe_groups(
    session: Session, images: Sequence[ImageRecord], found: Sequence[FoundPair]
) -> list[DuplicateGroup]:
    by_id = {image.id: image for image in images}
    grouped = group_images(
        [(image.id, image.content_hash) for image in images],
        found,
        session.catalog.issues.dismissed_pairs(),
    )
    members = {i for group in grouped for i in group.images}
    labels = _labels_of(session, members)
    known = index_pairs(found)
    return [_describe_group(group, by_id, labels, known) for group in grouped]


def _describe_group(
    group: ImageGroup,
    by_id: Mapping[int, ImageRecord],
    labels: Mapping[str, Mapping[int, frozenset[str]]],
    known: Mapping[tuple[str, str], FoundPair],
) -> DuplicateGroup:
    pairs = _as_duplicate_pairs(group.pairs)
    altered = _altered_images(pairs, by_id)
    copies = [
        Copy(
            id=image.id,
            uri=image.uri,
            width=image.width,
            height=image.height,
            size=image.size,
            altered=image.id in altered,
            labels=sum(len(by_image.get(image.id, ())) for by_image in labels.values()),
            mtime_ns=image.mtime_ns,
            metadata=len(image.metadata),
        )
        for image in (by_id[i] for i in group.images)
    ]
    ordered = order_by_worth(copies)
    if len(group.images) > ALL_PAIRS_LIMIT:
        # What is listed must say of each image how it relates to the one that stays.
        content = {i: by_id[i].content_hash for i in group.images}
        pairs = _as_duplicate_pairs(pairs_with(ordered[0].id, group.images, content, known))
    merged, conflicts = find_label_conflicts(group.images, labels)
    kinds = {pair.kind for pair in pairs}
    return DuplicateGroup(
        kind="near" if "near" in kinds else "pixels" if "pixels" in kinds else "bytes",
        images=tuple(copy.id for copy in ordered),
        keeper=ordered[0].id,
        reason=explain_keeper(ordered),
        pairs=pairs,
        merged_labels=merged,
        conflicts=conflicts,
    )


def _as_duplicate_pairs(
    pairs: Sequence[tuple[int, int, FoundPair]],
) -> tuple[DuplicatePair, ...]:
    return tuple(
        DuplicatePair(a, b, pair.kind, pair.similarity, pair.transform) for a, b, pair in pairs
    )


def _altered_images(pairs: Sequence[DuplicatePair], by_id: Mapping[int, ImageRecord]) -> set[int]:
    """Return the members that most of their pairs show to be cropped, covered or grey."""
    altered: dict[int, int] = {}
    total: dict[int, int] = {}
    for pair in pairs:
        changed = set(pair.transform.split("+")) & {"crop", "banner", "gray"}
        for i in (pair.a, pair.b):
            total[i] = total.get(i, 0) + 1
            altered[i] = altered.get(i, 0) + bool(changed)
    return {i for i, count in altered.items() if count * 2 > total[i] and i in by_id}


def _labels_of(session: Session, members: set[int]) -> dict[str, dict[int, frozenset[str]]]:
    labels: dict[str, dict[int, frozenset[str]]] = {}
    if not members:
        return labels
    for taxonomy in session.worked_on():
        matrix = session.matrix(taxonomy.name)
        classes = matrix.taxonomy.classes
        rows = np.flatnonzero(np.isin(matrix.image_ids, list(members)))
        labels[taxonomy.name] = {
            int(matrix.image_ids[row]): frozenset(
                classes[column] for column in np.flatnonzero(matrix.values[row] == 1)
            )
            for row in rows
            if (matrix.values[row] == 1).any()
        }
    return labels
