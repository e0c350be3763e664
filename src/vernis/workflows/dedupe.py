"""Find duplicates in three stages and write them, grouped, to the catalog."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
from vernis.domain.errors import UnreadableImage
from vernis.domain.ports import Catalog, Pixels, Progress, silent
from vernis.domain.types import DuplicateGroup, DuplicatePair, ImageRecord, Space
from vernis.workflows.training_data import search_columns

ReadPicture = Callable[[ImageRecord], Pixels]
"""Decodes the picture of an image at full size; raises UnreadableImage or OSError."""

_VERSION = 4
# Format twins: fingerprints differ by rounding alone (grey levels, mean over the picture).
_TWIN_DIFFERENCE = 2.0


@dataclass(frozen=True, slots=True)
class DedupeSummary:
    """What one run of ``dedupe_images`` found.

    Attributes
    ----------
    images : int
        Images that were compared.
    skipped : int
        Present images without a fingerprint (not embedded yet).
    groups : int
    pairs : dict of str to int
        Pairs by kind.
    conflicts : int
        Groups whose labels disagree.
    seconds : float
    """

    images: int
    skipped: int
    groups: int
    pairs: Mapping[str, int]
    conflicts: int
    seconds: float


def dedupe_images(
    catalog: Catalog,
    *,
    fingerprint_space: Space,
    embedding_space: Space | None,
    read_full: ReadPicture,
    settings: NearSettings | None = None,
    progress: Progress = silent,
) -> DedupeSummary:
    """Find duplicates among the present images and replace the catalog's groups.

    The search runs on distinct contents and is kept, keyed by contents, spaces and settings; a
    second run only groups anew, so that verdicts and labels that changed count.

    Parameters
    ----------
    catalog : Catalog
    fingerprint_space : Space
        Of ``FingerprintReader``. Images without a fingerprint are only compared by their bytes.
    embedding_space : Space or None
        Where crops and heavy changes are searched.
    read_full : callable
        From an ImageRecord to its pixels at full size; used on suspected format twins alone.
    settings : NearSettings, optional
    progress : Progress

    Returns
    -------
    DedupeSummary
    """
    started = time.monotonic()
    chosen = settings or NearSettings()
    images = [image for image in catalog.images.all() if image.content_hash]
    first_of: dict[str, ImageRecord] = {}
    for image in images:
        first_of.setdefault(image.content_hash, image)
    missing = set(catalog.vectors.missing(fingerprint_space, list(first_of)))
    if embedding_space is not None:
        missing |= set(catalog.vectors.missing(embedding_space, list(first_of)))
    distinct = [image for content, image in first_of.items() if content not in missing]
    found = _search(
        catalog, distinct, (fingerprint_space, embedding_space), read_full, chosen, progress
    )
    groups = _describe_groups(catalog, images, found)
    catalog.issues.replace_groups(groups)
    kinds = [pair.kind for group in groups for pair in group.pairs]
    return DedupeSummary(
        images=len(images),
        skipped=sum(1 for image in images if image.content_hash in missing),
        groups=len(groups),
        pairs={kind: kinds.count(kind) for kind in ("bytes", "pixels", "near")},
        conflicts=sum(1 for group in groups if group.conflicts),
        seconds=time.monotonic() - started,
    )


def _search(
    catalog: Catalog,
    distinct: Sequence[ImageRecord],
    spaces: tuple[Space, Space | None],
    read_full: ReadPicture,
    settings: NearSettings,
    progress: Progress,
) -> list[FoundPair]:
    """Find the pixel and near pairs between distinct contents, or recall the last search."""
    key = _search_key(distinct, spaces, settings)
    if catalog.runs.is_done("duplicate-search", key):
        stored = catalog.runs.summary("duplicate-search") or {}
        return [FoundPair(*row) for row in stored["pairs"]]
    hashes = [image.content_hash for image in distinct]
    rows = np.asarray(catalog.vectors.read(spaces[0], hashes), dtype=np.uint8)
    embeddings = None
    if spaces[1] is not None:
        embeddings = catalog.vectors.read(spaces[1], hashes)[:, search_columns(spaces[1])]
    fingerprints = unpack_fingerprints(rows)
    near = find_near_pairs(
        fingerprints,
        embeddings,
        settings,
        report=lambda done, total: progress("duplicates", done, total, "candidates"),
    )
    pairs = near.pairs.tolist()
    twins = _find_twins(distinct, fingerprints, pairs, read_full, progress)
    # Pictures without content count by their bytes or pixels alone.
    plain = is_plain(fingerprints.luma)
    found = []
    for (a, b), similarity, transform in zip(
        pairs, near.similarity.tolist(), near.transforms, strict=True
    ):
        if (a, b) in twins:
            found.append(FoundPair(hashes[a], hashes[b], "pixels", 1.0, "identity"))
        elif not (plain[a] or plain[b]):
            name = _name_with_scale(transform, distinct[a], distinct[b])
            found.append(FoundPair(hashes[a], hashes[b], "near", round(similarity, 4), name))
    catalog.runs.finish(
        "duplicate-search", key, {"pairs": [list(asdict(p).values()) for p in found]}
    )
    return found


def _search_key(
    distinct: Sequence[ImageRecord], spaces: tuple[Space, Space | None], settings: NearSettings
) -> str:
    described: list[Any] = [_VERSION, asdict(settings)]
    described += [asdict(space) if space is not None else None for space in spaces]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for image in distinct:
        digest.update(f"{image.content_hash} {image.width} {image.height}\n".encode())
    return digest.hexdigest()


def _find_twins(
    distinct: Sequence[ImageRecord],
    fingerprints: Fingerprints,
    pairs: Sequence[Sequence[int]],
    read_full: ReadPicture,
    progress: Progress,
) -> set[tuple[int, int]]:
    """Return the pairs whose decoded pixels are the same; only suspects are decoded."""
    suspects = [
        (a, b)
        for a, b in pairs
        if (distinct[a].width, distinct[a].height) == (distinct[b].width, distinct[b].height)
        and _difference(fingerprints, a, b) <= _TWIN_DIFFERENCE
    ]
    digests: dict[int, str] = {}
    rows = sorted({row for pair in suspects for row in pair})
    for done, row in enumerate(rows, 1):
        try:
            pixels = read_full(distinct[row])
        except (UnreadableImage, OSError):
            # It was readable when it was embedded; it is then no proven twin.
            continue
        header = f"{pixels.shape}".encode()
        digests[row] = hashlib.sha256(header + np.ascontiguousarray(pixels).data).hexdigest()
        progress("same pixels", done, len(rows))
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
    catalog: Catalog, images: Sequence[ImageRecord], found: Sequence[FoundPair]
) -> list[DuplicateGroup]:
    by_id = {image.id: image for image in images}
    grouped = group_images(
        [(image.id, image.content_hash) for image in images],
        found,
        catalog.issues.dismissed_pairs(),
    )
    members = {i for group in grouped for i in group.images}
    labels = _labels_of(catalog, members)
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


def _labels_of(catalog: Catalog, members: set[int]) -> dict[str, dict[int, frozenset[str]]]:
    labels: dict[str, dict[int, frozenset[str]]] = {}
    if not members:
        return labels
    for taxonomy in catalog.labels.taxonomies():
        matrix = catalog.labels.matrix(taxonomy.name)
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
