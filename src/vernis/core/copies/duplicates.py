"""Join the three stages: same bytes, same pixels, near duplicates, as groups of images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from vernis.core.copies.fingerprints import ORIENTATIONS
from vernis.core.copies.groups import group_complete_link
from vernis.domain.types import DuplicateKind

# Above this many images a group lists the pairs with its keeper alone: thousands of copies
# of one placeholder would else make millions of rows that say the same.
ALL_PAIRS_LIMIT = 64


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Two distinct contents, by hash, that show the same picture."""

    a: str
    b: str
    kind: DuplicateKind
    similarity: float
    transform: str


@dataclass(frozen=True, slots=True)
class VariantPair:
    """Two contents, by hash, that are no copies: pictures of one template or article.

    ``reason`` says what differs: ``content`` in some place, or the ``color`` of an object.
    """

    a: str
    b: str
    similarity: float
    reason: Literal["content", "color"]


@dataclass(frozen=True, slots=True)
class VariantGroup:
    """Contents that are all variants of one another, and what differs."""

    contents: tuple[str, ...]
    reason: str


def group_variants(pairs: Sequence[VariantPair]) -> list[VariantGroup]:
    """Group contents that are all variants of one another, the largest groups first."""
    contents = sorted({content for pair in pairs for content in (pair.a, pair.b)})
    row = {content: k for k, content in enumerate(contents)}
    edges = np.array([(row[pair.a], row[pair.b]) for pair in pairs], np.int64).reshape(-1, 2)
    weights = np.array([pair.similarity for pair in pairs], np.float64)
    groups = []
    for members in group_complete_link(len(contents), edges, weights):
        inside = {contents[k] for k in members}
        reasons = {pair.reason for pair in pairs if pair.a in inside and pair.b in inside}
        groups.append(VariantGroup(tuple(sorted(inside)), " and ".join(sorted(reasons))))
    return sorted(groups, key=lambda group: (-len(group.contents), group.contents))


_TURNED = frozenset(ORIENTATIONS[1:]) | {"rotation"}


def is_turned(transform: str) -> bool:
    """Tell whether a transform mirrors or turns."""
    return not _TURNED.isdisjoint(transform.split("+"))


@dataclass(frozen=True, slots=True)
class ImageGroup:
    """A complete-link group.

    Attributes
    ----------
    images : tuple of int
        Ids, ascending.
    pairs : tuple of (int, int, FoundPair)
        a < b and what is known of their contents, as seen from a.
    """

    images: tuple[int, ...]
    pairs: tuple[tuple[int, int, FoundPair], ...]


_INVERSE = {"rot90": "rot270", "rot270": "rot90"}


def group_images(
    images: Sequence[tuple[int, str]],
    found: Sequence[FoundPair],
    dismissed: Collection[tuple[int, int]] = (),
) -> list[ImageGroup]:
    """Group images whose contents are the same or were found to show the same picture.

    Parameters
    ----------
    images : sequence of (id, content hash)
    found : sequence of FoundPair
        Between distinct contents.
    dismissed : collection of (int, int)
        Pairs of ids, a < b, that a person judged to be no duplicates: never in one group.

    Returns
    -------
    list of ImageGroup
        In each, all images are duplicates of all.
    """
    apart: dict[int, set[int]] = {}
    for a, b in dismissed:
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    by_hash: dict[str, list[int]] = {}
    for image_id, content in sorted(images):
        by_hash.setdefault(content, []).append(image_id)
    # A unit holds the images of one content that nobody told apart.
    units: list[tuple[str, list[int]]] = []
    units_of: dict[str, list[int]] = {}
    for content, ids in by_hash.items():
        for members in _split(ids, apart):
            units_of.setdefault(content, []).append(len(units))
            units.append((content, members))
    known = index_pairs(found)
    links = [
        (u, v, pair.similarity + (pair.kind == "pixels"))
        for pair in found
        for u in units_of.get(pair.a, ())
        for v in units_of.get(pair.b, ())
        if not _told_apart(units[u][1], units[v][1], apart)
    ]
    edges = np.array([(u, v) for u, v, _ in links], dtype=np.int64).reshape(-1, 2)
    weights = np.array([w for _, _, w in links], dtype=np.float64)
    joined = group_complete_link(len(units), edges, weights)
    alone = set(range(len(units))) - {u for group in joined for u in group}
    joined += [[u] for u in sorted(alone) if len(units[u][1]) > 1]
    groups = [_as_group([units[u] for u in group], known) for group in joined]
    return sorted(groups, key=lambda group: group.images)


def _as_group(
    units: Sequence[tuple[str, list[int]]], known: dict[tuple[str, str], FoundPair]
) -> ImageGroup:
    content = {image: unit_hash for unit_hash, members in units for image in members}
    images = sorted(content)
    listed = list(combinations(images, 2)) if len(images) <= ALL_PAIRS_LIMIT else []
    if not listed:
        return ImageGroup(tuple(images), pairs_with(images[0], images, content, known))
    pairs = tuple((a, b, _pair_of(content[a], content[b], known)) for a, b in listed)
    return ImageGroup(tuple(images), pairs)


def index_pairs(found: Sequence[FoundPair]) -> dict[tuple[str, str], FoundPair]:
    """Return the pairs by their contents, each as seen from either."""
    forward = {(pair.a, pair.b): pair for pair in found}
    return forward | {(pair.b, pair.a): _reverse(pair) for pair in found}


def pairs_with(
    hub: int,
    images: Sequence[int],
    content: Mapping[int, str],
    known: Mapping[tuple[str, str], FoundPair],
) -> tuple[tuple[int, int, FoundPair], ...]:
    """Return the pairs of one image of a group with each other one.

    Parameters
    ----------
    hub : int
    images : sequence of int
        The members of a complete-link group.
    content : mapping of int to str
        Image id → content hash.
    known : mapping
        From ``index_pairs``.
    """
    listed = [(min(hub, image), max(hub, image)) for image in images if image != hub]
    return tuple((a, b, _pair_of(content[a], content[b], known)) for a, b in listed)


def _pair_of(left: str, right: str, known: Mapping[tuple[str, str], FoundPair]) -> FoundPair:
    return known[left, right] if left != right else FoundPair(left, right, "bytes", 1.0, "identity")


def _split(ids: Sequence[int], apart: dict[int, set[int]]) -> list[list[int]]:
    parts: list[list[int]] = []
    for image in ids:
        others = apart.get(image, set())
        for part in parts:
            if not others.intersection(part):
                part.append(image)
                break
        else:
            parts.append([image])
    return parts


def _told_apart(left: Sequence[int], right: Sequence[int], apart: dict[int, set[int]]) -> bool:
    return any(apart.get(image, set()).intersection(right) for image in left)


def _reverse(pair: FoundPair) -> FoundPair:
    parts = [_INVERSE.get(part, part) for part in pair.transform.split("+")]
    return FoundPair(pair.b, pair.a, pair.kind, pair.similarity, "+".join(parts))
