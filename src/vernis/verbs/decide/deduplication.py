"""Find duplicates in three stages and write them, grouped, to the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.duplicates import (
    ALL_PAIRS_LIMIT,
    FoundPair,
    ImageGroup,
    VariantPair,
    group_images,
    group_variants,
    index_pairs,
    is_turned,
    pairs_with,
)
from vernis.core.copies.fingerprints import Fingerprints, is_plain, unpack_fingerprints
from vernis.core.copies.groups import (
    Copy,
    explain_keeper,
    find_label_conflicts,
    order_by_worth,
)
from vernis.core.copies.pairs import NearPairs, NearSettings, find_near_pairs
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.row_blocks import MadeRows, hold_if_small
from vernis.core.numeric.threads import count_cores
from vernis.domain.errors import UnreadableImage, WorkerLost
from vernis.domain.ports import Rows
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    ImageRecord,
    ImageTable,
    Space,
    hash_column,
    hash_texts,
)
from vernis.session.vectors import search_columns
from vernis.verbs.decide.file_links import find_links

if TYPE_CHECKING:
    from vernis.core.copies.close_look import CloseLook, PairTask, Seen
    from vernis.session.files import ReadPicture
    from vernis.session.session import Session

    ComparisonItem = tuple[PairTask, Mapping[int, ImageRecord]]

_KEPT_VIEWS = 512
# The same pixels in two formats: fingerprints differ by rounding alone (grey levels, mean over the
# picture).
_SAME_PIXELS_DIFFERENCE = 2.0
_HELD = 2**30
"""Bytes of fingerprints up to which they are held; of more, those that are compared are read."""


@dataclass(frozen=True, slots=True)
class DuplicateSearch:
    """The pixel and near pairs between distinct contents that a search found, and the variants."""

    VERSION: ClassVar[int] = 8  # raise it when the search changes

    pairs: tuple[FoundPair, ...]
    variants: tuple[VariantPair, ...] = ()


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
    variants : int
        Pairs that are no duplicates: of one template or article, and something differs.
    """

    images: int
    skipped: int
    groups: int
    pairs: Mapping[str, int]
    conflicts: int
    variants: int


def find_duplicates(session: Session, settings: NearSettings | None = None) -> Deduplication:
    """Find duplicates among the present images and replace the catalog's groups.

    The search runs on distinct contents and is kept, keyed by contents, spaces and settings; a
    second run only groups anew, so that verdicts and labels that changed count. A link to a file
    that is an image, too, is no copy and stands in no group. Images without a fingerprint are only
    compared by their bytes; the current embedding space proposes crops and heavy changes.
    """
    chosen = settings or NearSettings()
    with session.lock("duplicates"):
        fingerprint_space = session.measures.fingerprint_space()
        embedding_space = session.current_space()
        contents = _Contents.of(session.table())
        held = np.ones(len(contents.first), np.bool_)
        for space in filter(None, (fingerprint_space, embedding_space)):
            held &= session.catalog.vectors.holds(space, contents.hashes)
        distinct = _Distinct.of(contents.table, contents.first[held])
        found = _search(session, distinct, (fingerprint_space, embedding_space), chosen)
        groups = _describe_groups(session, contents, found.pairs)
        session.catalog.issues.replace_groups(groups)
    kinds = [pair.kind for group in groups for pair in group.pairs]
    return Deduplication(
        images=int(contents.count.sum()),
        skipped=int(contents.count[~held].sum()),
        groups=len(groups),
        pairs={kind: kinds.count(kind) for kind in ("bytes", "pixels", "near")},
        conflicts=sum(1 for group in groups if group.conflicts),
        variants=len(found.variants),
    )


def links_among(session: Session) -> dict[int, int]:
    """Return the present images that are links to another one → that one; see ``find_links``."""
    return find_links(session, _Contents.of(session.table()).images_of(()))


@dataclass(frozen=True, slots=True, eq=False)
class _Contents:
    """The distinct contents of images, in the order of the first image of each.

    Attributes
    ----------
    table : ImageTable
    first : ndarray of int, shape (n_contents,)
        Row of the first image of each.
    count : ndarray of int, shape (n_contents,)
        Images of each.
    """

    table: ImageTable
    first: NDArray[np.intp]
    count: NDArray[np.int64]

    @classmethod
    def of(cls, table: ImageTable) -> _Contents:
        """Return those of the images that have one."""
        known = np.flatnonzero(table.hashes != b"")
        _, first, count = np.unique(table.hashes[known], return_index=True, return_counts=True)
        order = np.argsort(first)
        return cls(table, known[first[order]], count[order].astype(np.int64))

    @property
    def hashes(self) -> NDArray[np.bytes_]:
        """The contents, shape (n_contents,)."""
        return self.table.hashes[self.first]

    def images_of(self, found: Sequence[FoundPair]) -> list[tuple[int, str]]:
        """Return id and content of the images that share a content, or are of a found pair."""
        named = hash_column(sorted({content for pair in found for content in (pair.a, pair.b)}))
        several = np.concatenate([self.hashes[self.count > 1], named])
        rows = np.flatnonzero(np.isin(self.table.hashes, several))
        hashes = hash_texts(self.table.hashes[rows])
        return list(zip(self.table.ids[rows].tolist(), hashes, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Distinct:
    """One image of each content that is compared, as columns."""

    ids: NDArray[np.int64]
    hashes: NDArray[np.bytes_]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]

    @classmethod
    def of(cls, table: ImageTable, rows: NDArray[np.intp]) -> _Distinct:
        return cls(table.ids[rows], table.hashes[rows], table.widths[rows], table.heights[rows])

    def size(self, row: int) -> tuple[int, int]:
        """Return width and height of an image in pixels."""
        return int(self.widths[row]), int(self.heights[row])

    def content(self, row: int) -> str:
        """Return the content hash of an image."""
        return str(self.hashes[row].decode("ascii"))


@dataclass(frozen=True, slots=True)
class Variants:
    """Images that are all variants of one another, and what differs."""

    images: tuple[int, ...]
    reason: str


def find_variants(session: Session) -> list[Variants]:
    """Return the variants that the last search found among the present images, in groups.

    Of images of the same bytes the first stands for all.
    """
    search = session.results.find("duplicate-search", DuplicateSearch)
    if search is None or not search.variants:
        return []
    named = {content for pair in search.variants for content in (pair.a, pair.b)}
    table = session.table()
    rows = np.flatnonzero(np.isin(table.hashes, hash_column(sorted(named))))
    first_of: dict[str, int] = {}
    for content, image in zip(
        hash_texts(table.hashes[rows]), table.ids[rows].tolist(), strict=True
    ):
        first_of.setdefault(content, image)
    present = [pair for pair in search.variants if pair.a in first_of and pair.b in first_of]
    return [
        Variants(tuple(sorted(first_of[content] for content in group.contents)), group.reason)
        for group in group_variants(present)
    ]


def _search(
    session: Session,
    distinct: _Distinct,
    spaces: tuple[Space, Space | None],
    settings: NearSettings,
) -> DuplicateSearch:
    """Find the pixel and near pairs between distinct contents, or recall the last search."""
    vectors, progress, keypoint_space = (
        session.catalog.vectors,
        session.progress,
        session.measures.keypoint_space(),
    )
    hashes = distinct.hashes
    pointed = vectors.holds(keypoint_space, hashes)
    columns = (distinct.widths.tolist(), distinct.heights.tolist(), pointed.tolist())
    about = list(zip(hash_texts(hashes), *columns, strict=True))
    mark = fingerprint(DuplicateSearch.VERSION, settings, (*spaces, keypoint_space), about)
    del about, columns
    kept = session.results.find("duplicate-search", DuplicateSearch, mark)
    if kept is not None:
        return kept
    embeddings = None
    if spaces[1] is not None:
        embeddings = _embeddings(session, spaces[1], hashes)
    fingerprints = unpack_fingerprints(hold_if_small(vectors.rows(spaces[0], hashes), _HELD))
    with closing(session.helpers(ComparisonStage(session.files.views()))) as helpers:
        near = find_near_pairs(
            fingerprints,
            embeddings,
            settings,
            report=lambda done, total: progress("duplicates", done, total, "candidates"),
            closer=_look_closer(session, distinct, pointed, fingerprints, helpers),
        )
    variants = _as_variants(near, distinct)
    # What has no content for the fingerprints counts by bytes, pixels or keypoints alone.
    plain = is_plain(fingerprints.luma)
    near = near.copies()
    pairs = near.pairs.tolist()
    same_pixels = _find_same_pixels(session, distinct, fingerprints, pairs)
    found = []
    for (a, b), similarity, transform, matches in zip(
        pairs, near.similarity.tolist(), near.transforms, near.matches.tolist(), strict=True
    ):
        if (a, b) in same_pixels:
            same = distinct.content(a), distinct.content(b)
            found.append(FoundPair(*same, "pixels", 1.0, "identity"))
        elif matches or not (plain[a] or plain[b]):
            name = _name_with_scale(transform, distinct.size(a), distinct.size(b))
            both = distinct.content(a), distinct.content(b)
            found.append(FoundPair(*both, "near", round(similarity, 4), name))
    search = DuplicateSearch(tuple(found), variants)
    session.results.keep("duplicate-search", search, mark)
    return search


def _embeddings(session: Session, space: Space, hashes: NDArray[np.bytes_]) -> Rows:
    """Return the columns by which neighbours are searched; of very many they stay unread."""
    columns = search_columns(space)
    stored = session.catalog.vectors.rows(space, hashes)
    width = len(range(space.dim)[columns])
    return hold_if_small(MadeRows(stored, lambda rows: rows[:, columns], width))


def _look_closer(
    session: Session,
    distinct: _Distinct,
    pointed: NDArray[np.bool_],
    fingerprints: Fingerprints,
    helpers: Callable[[ComparisonItem], Seen | None],
) -> CloseLook:
    """Return what compares pictures at a closer look, by keypoints where they were measured."""
    from vernis.core.copies.close_look import CloseLook  # loads parts of scipy

    rows = np.flatnonzero(pointed)
    space = session.measures.keypoint_space()
    records = np.zeros((len(pointed), space.dim), dtype=np.uint8)
    if len(rows):
        records[rows] = session.catalog.vectors.read(space, distinct.hashes[rows])
    view = session.files.views()

    def compare(task: PairTask) -> Seen | None:
        named = {row: _record(session, distinct, row) for row in task.proposal.pair}
        try:
            return helpers((task, named))
        except WorkerLost:
            return task.compare(lambda row: None)

    def look(row: int) -> NDArray[np.uint8] | None:
        return _view(view, _record(session, distinct, row))

    return CloseLook(records, fingerprints, look, compare if count_cores() > 1 else None)


def _view(read: ReadPicture, image: ImageRecord) -> NDArray[np.uint8] | None:
    try:
        return read(image)
    except (UnreadableImage, OSError):
        return None  # it was readable when it was embedded


@dataclass(frozen=True, slots=True)
class ComparisonStage:
    """Compares pairs of pictures in a process of their own; the last pictures are kept there."""

    read: ReadPicture

    def open(self) -> Callable[[ComparisonItem], Seen | None]:
        """Return what compares a pair, of which the images are named."""
        kept: dict[int, NDArray[np.uint8] | None] = {}

        def work(item: ComparisonItem) -> Seen | None:
            task, images = item

            def look(row: int) -> NDArray[np.uint8] | None:
                if row not in kept:
                    if len(kept) >= _KEPT_VIEWS:
                        del kept[next(iter(kept))]
                    kept[row] = _view(self.read, images[row])
                return kept[row]

            return task.compare(look)

        return work


def _record(session: Session, distinct: _Distinct, row: int) -> ImageRecord:
    """Read one image; few are looked at, so that no record of all is held."""
    return session.catalog.images.get([int(distinct.ids[row])])[0]


def _as_variants(near: NearPairs, distinct: _Distinct) -> tuple[VariantPair, ...]:
    return tuple(
        VariantPair(distinct.content(a), distinct.content(b), round(similarity, 4), reason)
        for (a, b), similarity, reason in zip(
            near.pairs.tolist(), near.similarity.tolist(), near.reasons, strict=True
        )
        if reason
    )


def _find_same_pixels(
    session: Session,
    distinct: _Distinct,
    fingerprints: Fingerprints,
    pairs: Sequence[Sequence[int]],
) -> set[tuple[int, int]]:
    """Return the pairs that are the same in all they hold; only suspects are decoded."""
    suspects = [
        (a, b)
        for a, b in pairs
        if distinct.size(a) == distinct.size(b)
        and _difference(fingerprints, a, b) <= _SAME_PIXELS_DIFFERENCE
    ]
    digests: dict[int, str] = {}
    digest = session.files.digested_pictures()
    rows = sorted({row for pair in suspects for row in pair})
    for done, row in enumerate(rows, 1):
        try:
            digests[row] = digest(_record(session, distinct, row))
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


def _name_with_scale(transform: str, a: tuple[int, int], b: tuple[int, int]) -> str:
    """Add ``scale`` where two whole pictures differ in size: width and height of each."""
    if "crop" in transform or not a[0] or not b[0]:
        return transform
    ratio = max(a) / max(b)
    if 0.98 < ratio < 1.02:
        return transform
    return "scale" if transform == "identity" else f"{transform}+scale"


def _describe_groups(
    session: Session, contents: _Contents, found: Sequence[FoundPair]
) -> list[DuplicateGroup]:
    images = contents.images_of(found)
    links = find_links(session, images)
    images = [(image, content) for image, content in images if image not in links]
    found = _without_turned_classes(session, images, found)
    grouped = group_images(images, found, session.catalog.issues.dismissed_pairs())
    members = {i for group in grouped for i in group.images}
    by_id = {image.id: image for image in session.catalog.images.get(sorted(members))}
    labels = _labels_of(session, members)
    known = index_pairs(found)
    return [_describe_group(group, by_id, labels, known) for group in grouped]


def _without_turned_classes(
    session: Session, images: Sequence[tuple[int, str]], found: Sequence[FoundPair]
) -> list[FoundPair]:
    """Leave out mirrored and turned pairs of classes that are one another's mirror image.

    A sign for left and one for right: where two classes are turned into one another more than
    once, such a pair is no copy. Once may be a copy whose label is wrong.
    """
    turned = [pair for pair in found if is_turned(pair.transform)]
    contents = {content for pair in turned for content in (pair.a, pair.b)}
    labels = _labels_of(session, {image for image, content in images if content in contents})
    said: dict[str, dict[str, set[frozenset[str]]]] = {}
    for name, by_image in labels.items():
        for image, content in images:
            if by_image.get(image):
                said.setdefault(name, {}).setdefault(content, set()).add(by_image[image])

    def differences(pair: FoundPair) -> list[tuple[str, frozenset[frozenset[frozenset[str]]]]]:
        both = ((name, by.get(pair.a), by.get(pair.b)) for name, by in said.items())
        return [
            (name, frozenset((frozenset(one), frozenset(other))))
            for name, one, other in both
            if one and other and one != other
        ]

    met = Counter(difference for pair in turned for difference in differences(pair))
    apart = {
        (pair.a, pair.b)
        for pair in turned
        if any(met[difference] > 1 for difference in differences(pair))
    }
    return [pair for pair in found if (pair.a, pair.b) not in apart]


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
