"""Verify pairs of pictures from coarse to fine, from guesses of how they lie on one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.alignment import Placements, refine_placements
from vernis.core.copies.blocks import slices
from vernis.core.copies.fingerprints import Fingerprints, shrink
from vernis.core.copies.verification import compare, compare_structure, robust_agreement

# Gates of the cascade, each below what true copies reach (docs/decisions/duplicates.md). The
# first two are agreements of guesses and of refined placements at 16 × 16 points. The last is a
# structure at 16 × 16 and at 32 × 32 points, as a share of the least similarity.
_GUESS_GATE = 0.18
_COARSE_GATE = 0.3
_STRUCTURE_SHARE = 0.6
_GUESSES_KEPT = 2
_COARSE_ROUNDS, _FINE_ROUNDS, _FULL_ROUNDS = 4, 3, 2


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """Pairs that were compared, a < b, with b's placement on a."""

    pairs: NDArray[np.int64]
    placements: Placements
    similarity: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64] | slice) -> Checked:
        """Return some of the pairs."""
        return Checked(self.pairs[rows], self.placements.take(rows), self.similarity[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """The fingerprints and their grey pictures at 16 × 16 points; 1 kB an image."""

    fingerprints: Fingerprints
    coarse: NDArray[np.float32]

    @classmethod
    def build(cls, fingerprints: Fingerprints) -> Pyramid:
        """Shrink all pictures, in blocks."""
        coarse = np.empty((len(fingerprints), 16, 16), dtype=np.float32)
        for rows in slices(len(coarse)):
            coarse[rows] = shrink(fingerprints.luma[rows], 16)
        return cls(fingerprints, coarse)

    def zoom(
        self, pairs: NDArray[np.int64], side: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the pictures of some pairs at another size, and the pairs as rows of them."""
        names, local = np.unique(pairs, return_inverse=True)
        return shrink(self.fingerprints.luma[names], side), local.reshape(-1, 2)


def verify_guesses(
    pyramid: Pyramid, pairs: NDArray[np.int64], guesses: Placements, threshold: float
) -> Checked:
    """Verify pairs from coarse to fine, and drop those that fail at each step.

    Parameters
    ----------
    pyramid : Pyramid
    pairs : ndarray of int64, shape (n_pairs, 2)
    guesses : Placements
        The same number of each pair in a row.
    threshold : float
        Least similarity.

    Returns
    -------
    Checked
        The pairs that reach the threshold.
    """
    n = len(pairs)
    count = len(guesses.matrix) // max(1, n)
    repeated = np.repeat(pairs, count, axis=0)
    agreement = robust_agreement(pyramid.coarse, *_inward(repeated, guesses))
    kept = min(count, _GUESSES_KEPT)
    best = np.argsort(-agreement.reshape(n, count), axis=1, kind="stable")[:, :kept]
    rows = (best + np.arange(n)[:, None] * count).ravel()
    rows = rows[agreement[rows] >= _GUESS_GATE]
    some, placed = repeated[rows], guesses.take(rows)
    placed = _refine(pyramid.coarse, some, placed, _COARSE_ROUNDS)
    agreement = robust_agreement(pyramid.coarse, *_inward(some, placed))
    # The better of the guesses of each pair.
    owner = rows // count
    order = np.lexsort((-agreement, owner))
    first = np.ones(len(order), dtype=bool)
    first[1:] = owner[order][1:] != owner[order][:-1]
    rows = order[first]
    rows = rows[agreement[rows] >= _COARSE_GATE]
    some, placed = some[rows], placed.take(rows)
    structure = compare_structure(pyramid.coarse, *_inward(some, placed))
    rows = np.flatnonzero(structure >= _STRUCTURE_SHARE * threshold)
    return _finish(pyramid, some[rows], placed.take(rows), threshold)


def _finish(
    pyramid: Pyramid, pairs: NDArray[np.int64], placed: Placements, threshold: float
) -> Checked:
    fine, local = pyramid.zoom(pairs, 32)
    placed = _refine(fine, local, placed, _FINE_ROUNDS)
    structure = compare_structure(fine, *_inward(local, placed))
    rows = np.flatnonzero(structure >= _STRUCTURE_SHARE * threshold)
    pairs, placed = pairs[rows], placed.take(rows)
    full, local = pyramid.zoom(pairs, 64)
    placed = _refine(full, local, placed, _FULL_ROUNDS)
    similarity = compare(pyramid.fingerprints, *_inward(pairs, placed))
    keep = np.flatnonzero(similarity >= threshold)
    return Checked(pairs[keep], placed.take(keep), similarity[keep])


def verify_chain(
    pyramid: Pyramid, pairs: NDArray[np.int64], placed: Placements, threshold: float
) -> Checked:
    """Verify pairs whose placement a chain of copies tells: it counts as it is and refined.

    Parameters
    ----------
    pyramid : Pyramid
    pairs : ndarray of int64, shape (n_pairs, 2)
    placed : Placements
    threshold : float
        Least similarity.
    """
    similarity = compare(pyramid.fingerprints, *_inward(pairs, placed))
    keep = np.flatnonzero(similarity >= threshold)
    implied = Checked(pairs[keep], placed.take(keep), similarity[keep])
    return best_of([implied, _finish(pyramid, pairs, placed, threshold)])


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


def best_of(parts: list[Checked]) -> Checked:
    """Join the parts; of a pair that occurs twice the more similar one stays."""
    nothing = Placements(np.zeros((0, 2, 2), np.float32), np.zeros((0, 2), np.float32))
    empty = Checked(np.zeros((0, 2), np.int64), nothing, np.zeros(0, np.float32))
    parts = [empty, *parts]
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
    return Checked(pairs[keep], placed.take(keep), similarity[keep])
