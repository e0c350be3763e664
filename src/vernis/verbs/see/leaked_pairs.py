"""Near-duplicates across declared splits: pictures that a model is tested on and was shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from vernis.core.numeric.neighbors import find_similar_pairs
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.types import ImageRecord, Space
from vernis.verbs.decide.file_links import find_links

if TYPE_CHECKING:
    from vernis.session.session import Session

_ORDER = ("train", "training", "val", "valid", "validation", "dev", "test")


@dataclass(frozen=True, slots=True)
class LeakedPair:
    """Two images of different splits that show the same or nearly the same.

    ``kind`` is that of a duplicate (``bytes``, ``pixels``, ``near``), or ``similar`` for what only
    the looser search found. ``similarity`` lies in 0..1; of ``similar`` it is a cosine.
    """

    a: ImageRecord
    b: ImageRecord
    kind: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Leakage:
    """What lies on both sides of the splits.

    Attributes
    ----------
    splits : dict of str to int
        Images of each split, in the order of training, validation, test.
    pairs : tuple of LeakedPair
        ``a`` in the earlier split; the surest kind first, then the most similar.
    groups : tuple of tuple of ImageRecord
        Images that pairs join, the largest group first.
    by_splits : dict of (str, str) to int
        Pairs between two splits.
    affected : dict of (str, str) to int
        ``(split, other)`` → images of ``split`` with a pair in ``other``.
    """

    splits: Mapping[str, int]
    pairs: tuple[LeakedPair, ...]
    groups: tuple[tuple[ImageRecord, ...], ...]
    by_splits: Mapping[tuple[str, str], int]
    affected: Mapping[tuple[str, str], int]


def find_leakage(
    session: Session, *, space: Space | None = None, similarity: float | None = None
) -> Leakage:
    """List what is repeated across splits.

    Parameters
    ----------
    session : Session
        Its duplicates were searched before.
    space : Space, optional
        Whose search columns the looser search compares.
    similarity : float, optional
        Least cosine of the looser search, 0..1; None: the stored duplicates only.

    Raises
    ------
    UsageError
        The images do not lie in two splits or more.
    InvalidValue
        ``similarity`` is not between 0 and 1, or has no space to be measured in.
    """
    if similarity is not None and (space is None or not 0.0 < similarity <= 1.0):
        raise InvalidValue(f"expected a similarity between 0 and 1 in a space, got {similarity}")
    images = {image.id: image for image in session.images() if image.split}
    splits = Counter(image.split for image in images.values())
    names = sorted(splits, key=place_of_split)
    if len(names) < 2:
        declared = f"only '{names[0]}' is declared" if names else "no split is declared"
        raise UsageError(
            f"{declared}: leakage needs two; import a CSV with a column 'split' "
            "(vernis import CSV) or keep the images in folders such as train/ and test/"
        )
    found: dict[tuple[int, int], LeakedPair] = {}
    for group in session.groups():
        kinds = {(p.a, p.b): (str(p.kind), p.similarity) for p in group.pairs}
        for a, b in combinations(sorted(group.images), 2):
            kind, alike = kinds.get((a, b), (str(group.kind), 1.0))
            _add(found, images, a, b, kind, alike)
    for a, b in _of_one_file(session, images.values()):
        _add(found, images, a, b, "bytes", 1.0)
    if similarity is not None and space is not None:
        for a, b, alike in _similar(session, space, similarity):
            _add(found, images, a, b, "similar", alike)
    ranks = {"bytes": 0, "pixels": 1, "near": 2, "similar": 3}
    pairs = sorted(
        found.values(), key=lambda p: (ranks.get(p.kind, 2), -p.similarity, p.a.uri, p.b.uri)
    )
    touched = {(p.a.id, p.b.split) for p in pairs} | {(p.b.id, p.a.split) for p in pairs}
    return Leakage(
        {name: splits[name] for name in names},
        tuple(pairs),
        _join(pairs),
        dict(Counter((pair.a.split, pair.b.split) for pair in pairs)),
        dict(Counter((images[image].split, other) for image, other in touched)),
    )


def _of_one_file(session: Session, images: Iterable[ImageRecord]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of one file and links to it, of which no group of duplicates tells."""
    links = find_links(session, ((image.id, image.content_hash) for image in images))
    names: dict[int, list[int]] = defaultdict(list)
    for link, image in links.items():
        names[image].append(link)
    for image, found in names.items():
        yield from combinations((image, *found), 2)


def place_of_split(split: str) -> tuple[int, str]:
    """Return the place of a split in the order of training, validation, test."""
    lowered = split.lower()
    return next((i for i, name in enumerate(_ORDER) if lowered.startswith(name)), 3), split


def _add(
    found: dict[tuple[int, int], LeakedPair],
    images: Mapping[int, ImageRecord],
    first: int,
    second: int,
    kind: str,
    similarity: float,
) -> None:
    a, b = images.get(first), images.get(second)
    if a is None or b is None or a.split == b.split:
        return
    a, b = sorted((a, b), key=lambda image: (place_of_split(image.split), image.id))
    found.setdefault((a.id, b.id), LeakedPair(a, b, kind, float(similarity)))


def _similar(session: Session, space: Space, least: float) -> list[tuple[int, int, float]]:
    found = session.vectors(space)
    ids = found.ids.tolist()
    rows, values = find_similar_pairs(found.search_vectors(), least)
    dismissed = session.catalog.issues.dismissed_pairs()
    pairs = [
        (ids[i], ids[j], min(1.0, float(value)))
        for (i, j), value in zip(rows.tolist(), values, strict=True)
    ]
    return [p for p in pairs if (min(p[:2]), max(p[:2])) not in dismissed]


def _join(pairs: Sequence[LeakedPair]) -> tuple[tuple[ImageRecord, ...], ...]:
    """Return the connected components of the pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    images = {image.id: image for pair in pairs for image in (pair.a, pair.b)}
    if not images:
        return ()
    place = {image: row for row, image in enumerate(images)}
    links = np.array([(place[pair.a.id], place[pair.b.id]) for pair in pairs]).T
    ones = np.ones(links.shape[1], dtype=np.int8)
    graph = coo_array((ones, (links[0], links[1])), shape=(len(images),) * 2)
    codes = connected_components(graph, directed=False)[1]
    groups: dict[int, list[ImageRecord]] = {}
    for image, code in zip(images.values(), codes.tolist(), strict=True):
        groups.setdefault(code, []).append(image)
    ordered = [tuple(sorted(group, key=lambda image: image.uri)) for group in groups.values()]
    return tuple(sorted(ordered, key=lambda group: (-len(group), group[0].uri)))
