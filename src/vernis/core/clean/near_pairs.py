"""Find all pairs of near duplicates: propose, align, verify, follow chains of transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.clean.near_alignment import (
    Placements,
    refine_placements,
)
from vernis.core.clean.near_candidates import (
    describe_turns,
    propose_by_embedding,
    propose_by_turns,
)
from vernis.core.clean.near_fingerprints import Fingerprints, shrink
from vernis.core.clean.near_guesses import guess_crops, guess_orientations
from vernis.core.clean.near_verification import compare, name_transforms, robust_agreement
from vernis.core.learn.threads import count_threads, single_threaded_products
from vernis.domain.errors import InvalidValue

Report = Callable[[int, int], None]
"""Receives the number of verified candidates and their total."""


@dataclass(frozen=True, slots=True)
class NearSettings:
    """What counts as a near duplicate.

    Attributes
    ----------
    threshold : float
        Least similarity, 0..1. See docs/decisions/duplicates.md for what it means on real sets.
    bridged_threshold : float
        Least similarity of two pictures that both reach ``threshold`` with a third one: a turned
        crop and a covered copy resemble one another less than either resembles the original.
    turn_neighbors : int
        Candidates per image by small pictures in eight orientations.
    embedding_neighbors : int
        Candidates per image by embedding.
    seed : int
        Draws samples and partitions.
    """

    threshold: float = 0.85
    bridged_threshold: float = 0.55
    turn_neighbors: int = 8
    embedding_neighbors: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.bridged_threshold <= self.threshold < 1.0:
            raise InvalidValue(
                "expected 0 < bridged threshold <= threshold < 1, got "
                f"{self.bridged_threshold!r} and {self.threshold!r}"
            )
        if min(self.turn_neighbors, self.embedding_neighbors) < 1:
            raise InvalidValue(
                "expected one neighbour or more, got "
                f"{self.turn_neighbors!r} and {self.embedding_neighbors!r}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class NearPairs:
    """Verified pairs.

    Attributes
    ----------
    pairs : ndarray of int64, shape (n_pairs, 2)
        Rows a < b, sorted.
    similarity : ndarray of float32, shape (n_pairs,)
        0..1.
    transforms : tuple of str
        How a became b: an orientation and changes joined by ``+``, such as ``rot90+gray``.
    """

    pairs: NDArray[np.int64]
    similarity: NDArray[np.float32]
    transforms: tuple[str, ...]


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    """Pairs that were compared, a < b, with b's placement on a."""

    pairs: NDArray[np.int64]
    placements: Placements
    similarity: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64] | slice) -> _Checked:
        return _Checked(self.pairs[rows], self.placements.take(rows), self.similarity[rows])


# Gates of the cascade, each far below what true copies reach (docs/decisions/duplicates.md).
_COARSE_GATE = 0.18
_FINE_GATE = 0.3
_FULL_GATE = 0.35
_GUESSES_KEPT = 2
_CHAIN_ROUNDS = 3
# Of each image the chains over so many of its most similar copies are followed, so that thousands
# of copies of one placeholder do not cost millions of comparisons.
_CHAIN_DEGREE = 16
_COARSE_ROUNDS, _FINE_ROUNDS, _FULL_ROUNDS = 4, 3, 2
# Candidates of one piece of work; pieces run on threads and share nothing but what they read.
_BLOCK = 2048


def find_near_pairs(
    fingerprints: Fingerprints,
    embeddings: NDArray[np.generic] | None = None,
    settings: NearSettings | None = None,
    report: Report | None = None,
) -> NearPairs:
    """Find pairs that show the same picture, however it was scaled, turned, cropped or covered.

    Parameters
    ----------
    fingerprints : Fingerprints
        Of distinct pictures (the same bytes once).
    embeddings : ndarray, shape (n_images, dim), optional
        Any embedding space; without it crops are found only where a chain of other copies leads
        to them.
    settings : NearSettings, optional
    report : callable, optional
        Called while candidates are verified.

    Returns
    -------
    NearPairs

    Raises
    ------
    InvalidValue
        When fingerprints and embeddings differ in number.
    """
    chosen = settings or NearSettings()
    n = len(fingerprints)
    if embeddings is not None and len(embeddings) != n:
        raise InvalidValue(f"expected {n} embeddings, one a fingerprint, got {len(embeddings)}")
    if n < 2:
        return NearPairs(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), ())
    pyramid = _Pyramid.build(fingerprints)
    found = _verify_candidates(pyramid, embeddings, chosen, report)
    found = _follow_chains(pyramid, found, chosen)
    order = np.lexsort((found.pairs[:, 1], found.pairs[:, 0]))
    found = found.take(order)
    return NearPairs(found.pairs, found.similarity, _name(fingerprints, found))


def _name(fingerprints: Fingerprints, found: _Checked) -> tuple[str, ...]:
    def name(rows: slice) -> tuple[str, ...]:
        return name_transforms(fingerprints, found.pairs[rows], found.placements.take(rows))

    parts = _in_threads(name, _slices(len(found.pairs)))
    return tuple(chain.from_iterable(parts))


@dataclass(frozen=True, slots=True, eq=False)
class _Pyramid:
    """The fingerprints and their grey pictures at two smaller sizes."""

    fingerprints: Fingerprints
    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]

    @classmethod
    def build(cls, fingerprints: Fingerprints) -> _Pyramid:
        fine = np.concatenate(
            [
                shrink(fingerprints.luma[start : start + _BLOCK], 32)
                for start in range(0, len(fingerprints), _BLOCK)
            ]
        )
        n = len(fine)
        coarse = np.asarray(fine.reshape(n, 16, 2, 16, 2).mean(axis=(2, 4)))
        return cls(fingerprints, fine, coarse)


def _verify_candidates(
    pyramid: _Pyramid,
    embeddings: NDArray[np.generic] | None,
    settings: NearSettings,
    report: Report | None,
) -> _Checked:
    descriptors = describe_turns(pyramid.fingerprints.luma, seed=settings.seed)
    turned, _ = propose_by_turns(descriptors, settings.turn_neighbors, seed=settings.seed)
    del descriptors
    near = np.zeros((0, 2), dtype=np.int64)
    if embeddings is not None:
        near, _ = propose_by_embedding(embeddings, settings.embedding_neighbors, seed=settings.seed)
    total = len(turned) + len(near)

    def verify_turned(block: NDArray[np.int64]) -> _Checked:
        guesses = guess_orientations(pyramid.fine, block)[0]
        return _cascade(pyramid, block, guesses, settings)

    def verify_near(block: NDArray[np.int64]) -> _Checked:
        return _cascade(pyramid, block, _guess_all(pyramid.fine, block), settings)

    done, parts = 0, []
    for part in _in_threads(verify_turned, [turned[rows] for rows in _slices(len(turned))]):
        parts.append(part)
        done = min(done + _BLOCK, len(turned))
        if report is not None:
            report(done, total)
    found = _best_of(parts)
    n = len(pyramid.fingerprints.luma)
    near = near[~np.isin(near @ [n, 1], found.pairs @ [n, 1])]
    done = total - len(near)
    for part in _in_threads(verify_near, [near[rows] for rows in _slices(len(near))]):
        parts.append(part)
        done = min(done + _BLOCK, total)
        if report is not None:
            report(done, total)
    return _best_of(parts)


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]


def _in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """Yield the results in the order of the items: nothing depends on the number of threads."""
    with single_threaded_products():
        pool = ThreadPoolExecutor(count_threads(len(items)))
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


def _guess_all(pictures: NDArray[np.float32], pairs: NDArray[np.int64]) -> Placements:
    whole, crops = guess_orientations(pictures, pairs, 2)[0], guess_crops(pictures, pairs)[0]
    both = [whole.matrix.reshape(-1, 2, 2, 2), crops.matrix.reshape(-1, 2, 2, 2)]
    offsets = [whole.offset.reshape(-1, 2, 2), crops.offset.reshape(-1, 2, 2)]
    return Placements(
        np.concatenate(both, axis=1).reshape(-1, 2, 2),
        np.concatenate(offsets, axis=1).reshape(-1, 2),
    )


def _cascade(
    pyramid: _Pyramid, pairs: NDArray[np.int64], guesses: Placements, settings: NearSettings
) -> _Checked:
    """Verify pairs from coarse to fine; ``guesses`` holds the same number of each pair in a row."""
    n = len(pairs)
    count = len(guesses.matrix) // max(1, n)
    repeated = np.repeat(pairs, count, axis=0)
    agreement = robust_agreement(pyramid.coarse, *_inward(repeated, guesses))
    kept = min(count, _GUESSES_KEPT)
    best = np.argsort(-agreement.reshape(n, count), axis=1, kind="stable")[:, :kept]
    rows = (best + np.arange(n)[:, None] * count).ravel()
    rows = rows[agreement[rows] >= _COARSE_GATE]
    some, placed = repeated[rows], guesses.take(rows)
    placed = _refine(pyramid.coarse, some, placed, _COARSE_ROUNDS)
    agreement = robust_agreement(pyramid.coarse, *_inward(some, placed))
    # The better of the guesses of each pair.
    owner = rows // count
    order = np.lexsort((-agreement, owner))
    first = np.ones(len(order), dtype=bool)
    first[1:] = owner[order][1:] != owner[order][:-1]
    rows = order[first]
    rows = rows[agreement[rows] >= _FINE_GATE]
    return _finish(pyramid, some[rows], placed.take(rows), settings.threshold)


def _finish(
    pyramid: _Pyramid, pairs: NDArray[np.int64], placed: Placements, threshold: float
) -> _Checked:
    placed = _refine(pyramid.fine, pairs, placed, _FINE_ROUNDS)
    agreement = robust_agreement(pyramid.fine, *_inward(pairs, placed))
    rows = np.flatnonzero(agreement >= _FULL_GATE)
    pairs, placed = pairs[rows], placed.take(rows)
    names, local = np.unique(pairs, return_inverse=True)
    full = pyramid.fingerprints.luma[names].astype(np.float32)
    placed = _refine(full, local.reshape(-1, 2), placed, _FULL_ROUNDS)
    similarity = compare(pyramid.fingerprints, *_inward(pairs, placed))
    keep = np.flatnonzero(similarity >= threshold)
    return _Checked(pairs[keep], placed.take(keep), similarity[keep])


def _finish_chain(
    pyramid: _Pyramid, pairs: NDArray[np.int64], placed: Placements, threshold: float
) -> _Checked:
    """Like ``_finish``, where a chain tells the placement: it counts as it is and refined."""
    similarity = compare(pyramid.fingerprints, *_inward(pairs, placed))
    keep = np.flatnonzero(similarity >= threshold)
    implied = _Checked(pairs[keep], placed.take(keep), similarity[keep])
    return _best_of([implied, _finish(pyramid, pairs, placed, threshold)])


def _follow_chains(pyramid: _Pyramid, found: _Checked, settings: NearSettings) -> _Checked:
    """Verify a and c where a-b and b-c are verified, at the placement that they imply."""
    n = len(pyramid.fingerprints.luma)
    tried = set((found.pairs[:, 0] * n + found.pairs[:, 1]).tolist())
    for _ in range(_CHAIN_ROUNDS):
        strong = np.flatnonzero(found.similarity >= settings.threshold)
        pairs, placed = _chains(found.take(strong), n, tried)
        if not len(pairs):
            break
        tried.update((pairs[:, 0] * n + pairs[:, 1]).tolist())

        def verify(
            rows: slice, pairs: NDArray[np.int64] = pairs, placed: Placements = placed
        ) -> _Checked:
            return _finish_chain(
                pyramid, pairs[rows], placed.take(rows), settings.bridged_threshold
            )

        more = _best_of(list(_in_threads(verify, _slices(len(pairs)))))
        if not len(more.pairs):
            break
        found = _best_of([found, more])
    return found


def _chains(found: _Checked, n: int, tried: set[int]) -> tuple[NDArray[np.int64], Placements]:
    """Return the untried pairs two steps apart, each by its most similar middle."""
    inverse = found.placements.inverse()
    count = len(found.pairs)
    source = np.concatenate([found.pairs[:, 0], found.pairs[:, 1]])
    target = np.concatenate([found.pairs[:, 1], found.pairs[:, 0]])
    matrix = np.concatenate([found.placements.matrix, inverse.matrix])
    offset = np.concatenate([found.placements.offset, inverse.offset])
    value = np.concatenate([found.similarity, found.similarity])
    steps = Placements(matrix, offset)
    order = np.lexsort((-value, source))
    bounds = np.searchsorted(source[order], np.arange(n + 1))
    best: dict[int, tuple[float, int, int]] = {}
    for middle in np.unique(target[:count].tolist() + target[count:].tolist()):
        around = order[bounds[middle] : bounds[middle + 1]][:_CHAIN_DEGREE]
        for i in around:
            for j in around:
                a, c = int(target[i]), int(target[j])
                code = a * n + c
                if a >= c or code in tried:
                    continue
                worth = float(min(value[i], value[j]))
                if code not in best or worth > best[code][0]:
                    best[code] = (worth, int(i), int(j))
    codes = np.array(sorted(best), dtype=np.int64)
    left = np.array([best[c][1] for c in codes.tolist()], dtype=np.int64)
    right = np.array([best[c][2] for c in codes.tolist()], dtype=np.int64)
    # Step i leads from the middle m to a: it places a on m; step j places c on m.
    placed = steps.take(left).inverse().after(steps.take(right)) if len(codes) else steps
    return np.column_stack([codes // n, codes % n]), placed


def _inward(pairs: NDArray[np.int64], placed: Placements) -> tuple[NDArray[np.int64], Placements]:
    """Swap pairs in which b is larger than a, so that the sampled picture is the larger one."""
    swap = placed.scale() > 1.0
    inverse = placed.inverse()
    return (
        np.where(swap[:, None], pairs[:, ::-1], pairs),
        Placements(
            np.where(swap[:, None, None], inverse.matrix, placed.matrix),
            np.where(swap[:, None], inverse.offset, placed.offset),
        ),
    )


def _refine(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64], placed: Placements, rounds: int
) -> Placements:
    swap = placed.scale() > 1.0
    refined = refine_placements(pictures, *_inward(pairs, placed), rounds)
    inverse = refined.inverse()
    return Placements(
        np.where(swap[:, None, None], inverse.matrix, refined.matrix),
        np.where(swap[:, None], inverse.offset, refined.offset),
    )


def _best_of(parts: list[_Checked]) -> _Checked:
    """Join results; of a pair that occurs twice the more similar one stays."""
    pairs = np.concatenate([part.pairs for part in parts])
    similarity = np.concatenate([part.similarity for part in parts])
    placed = Placements(
        np.concatenate([part.placements.matrix for part in parts]),
        np.concatenate([part.placements.offset for part in parts]),
    )
    order = np.lexsort((-similarity, pairs[:, 1], pairs[:, 0]))
    distinct = np.ones(len(order), dtype=bool)
    distinct[1:] = (pairs[order][1:] != pairs[order][:-1]).any(axis=1)
    keep = order[distinct]
    return _Checked(pairs[keep], placed.take(keep), similarity[keep])
