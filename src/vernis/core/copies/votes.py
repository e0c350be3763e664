"""Propose pairs of images that share keypoints, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.keypoints import COUNT, mirror_descriptors, unpack_descriptors
from vernis.core.numeric.components import leading_directions
from vernis.core.numeric.threads import in_threads

_TABLES, _DIRECTIONS = 4, 28
# As many bits as the number of keypoints has, and a few: the time stays linear in it.
_BITS, _BITS_BEYOND = (16, 28), 6.0
_WHITENING = 0.25
# Keypoints that share their code with more than so many others are like anything.
_MOST_ALIKE = 64
LEAST_VOTES = 4.0
"""Of unrelated pictures few have so many in common; nearly all edited ones have."""
_SAMPLE = 100_000


def propose_by_keypoints(
    records: NDArray[np.uint8], n_neighbors: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Propose the others of each image that have the most keypoints in common with it.

    Descriptors are hashed by the signs of projections on random directions among their principal
    components (Charikar 2002), in ``_TABLES`` tables; two keypoints of one code vote for their
    images, the fewer the more others have the code too. Mirrored descriptors vote as well.

    Parameters
    ----------
    records : ndarray of uint8, shape (n_images, RECORD_SIZE)
    n_neighbors : int
    seed : int
        Of the random directions.

    Returns
    -------
    pairs : ndarray of int64, shape (n_pairs, 2)
        a < b, sorted, distinct.
    votes : ndarray of float32, shape (n_pairs,)
    """
    n = len(records)
    rows = records.reshape(n * COUNT, -1)
    there = np.flatnonzero(rows[:, 4] > 0)
    if not len(there):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    rng = np.random.default_rng(seed)
    some = there
    if len(there) > _SAMPLE:
        some = there[np.sort(rng.choice(len(there), _SAMPLE, replace=False))]
    sample = unpack_descriptors(rows[some])
    mean = sample.mean(axis=0)
    moments = (sample - mean).T @ (sample - mean) / len(sample)
    directions, spread = leading_directions(np.asarray(moments), _DIRECTIONS)
    basis = directions * np.maximum(spread, 1e-9) ** -_WHITENING
    bits = int(np.clip(round(np.log2(len(there)) + _BITS_BEYOND), *_BITS))
    planes = [
        (basis @ np.linalg.qr(rng.normal(size=(_DIRECTIONS, _DIRECTIONS)))[0][:, :bits])
        for _ in range(_TABLES)
    ]
    shift = int(n - 1).bit_length()

    def vote(chosen: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return _vote(rows, there, mean, chosen.astype(np.float32), shift)

    codes, votes = _EMPTY
    for more in in_threads(vote, planes, ahead=1):
        both = np.concatenate([codes, more[0]]), np.concatenate([votes, more[1]])
        codes, votes = _add_up(*both)
    return _nearest(codes, votes, shift, n_neighbors)


_EMPTY = np.zeros(0, np.int64), np.zeros(0, np.float32)


def _vote(
    rows: NDArray[np.uint8],
    there: NDArray[np.int64],
    mean: NDArray[np.float32],
    planes: NDArray[np.float32],
    shift: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the image pairs of keypoints with one code, as a << shift | b, and their votes."""
    plain, mirrored = (_sorted(codes, there) for codes in _hash(rows, there, mean, planes))
    packed = [*_meet(*plain, *plain, shift), *_meet(*mirrored, *plain, shift)]
    # Pair and number of others in one integer: one sort adds up the votes of each pair.
    votes = np.sort(np.concatenate(packed))
    alike = votes & (_MOST_ALIKE - 1)
    pairs = votes >> (_MOST_ALIKE - 1).bit_length()
    starts = _starts(pairs)
    if not len(starts):
        return _EMPTY
    weights = (1.0 / np.sqrt(np.arange(1, _MOST_ALIKE + 1))).astype(np.float32)
    return pairs[starts], np.add.reduceat(weights[alike], starts)


def _sorted(
    codes: NDArray[np.int64], there: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the codes in ascending order, and the image of each."""
    places = int(len(there) - 1).bit_length()
    both = np.sort(codes << places | np.arange(len(codes)))
    return both >> places, (there[both & ((1 << places) - 1)] // COUNT).astype(np.int32)


def _meet(
    asked: NDArray[np.int64],
    asking: NDArray[np.int32],
    known: NDArray[np.int64],
    owner: NDArray[np.int32],
    shift: int,
) -> Iterator[NDArray[np.int64]]:
    """Yield pairs of images with the number of known keypoints that have the code, less one."""
    low = np.searchsorted(known, asked, "left").astype(np.int32)
    count = np.searchsorted(known, asked, "right").astype(np.int32) - low
    rows = np.flatnonzero((count > (asked is known)) & (count <= _MOST_ALIKE))
    bits = (_MOST_ALIKE - 1).bit_length()
    step = 0
    while len(rows):
        first, second = asking[rows], owner[low[rows] + step]
        other = first < second if asked is known else first != second
        first, second = first[other].astype(np.int64), second[other].astype(np.int64)
        pair = np.minimum(first, second) << shift | np.maximum(first, second)
        yield pair << bits | (count[rows[other]] - 1)
        if asked is known:  # either keypoint asks for the other
            yield pair << bits | (count[rows[other]] - 1)
        step += 1
        rows = rows[count[rows] > step]


def _hash(
    rows: NDArray[np.uint8],
    there: NDArray[np.int64],
    mean: NDArray[np.float32],
    planes: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Return the codes of descriptors and of their mirror images, shape (2, n)."""
    bits = planes.shape[1]
    powers = np.zeros((bits, 2), dtype=np.float32)
    half = bits // 2
    powers[:half, 0], powers[half:, 1] = 2.0 ** np.arange(half), 2.0 ** np.arange(bits - half)
    offset = mean @ planes
    mirror = mirror_descriptors(planes.T).T
    codes = np.empty((2, len(there)), dtype=np.int64)
    for start in range(0, len(there), 65_536):
        part = slice(start, start + 65_536)
        numbers = unpack_descriptors(rows[there[part]])
        for k, each in enumerate((planes, mirror)):
            low, high = ((numbers @ each > offset).astype(np.float32) @ powers).T.astype(np.int64)
            codes[k, part] = high << half | low
    return codes


def _starts(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return np.concatenate([[0], changes]) if len(ordered) else changes


def _add_up(
    codes: NDArray[np.int64], votes: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.argsort(codes)
    codes, votes = codes[order], votes[order]
    starts = _starts(codes)
    if not len(starts):
        return codes, votes
    return codes[starts], np.add.reduceat(votes, starts)


def _nearest(
    codes: NDArray[np.int64], votes: NDArray[np.float32], shift: int, n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keep a pair that is among the most voted ones of either image."""
    codes, votes = codes[votes >= LEAST_VOTES], votes[votes >= LEAST_VOTES]
    a, b = codes >> shift, codes & ((1 << shift) - 1)
    kept = np.zeros(len(codes), dtype=bool)
    owner, pair = np.concatenate([a, b]), np.tile(np.arange(len(codes)), 2)
    order = np.lexsort((-votes[pair], owner))
    starts = np.searchsorted(owner[order], owner[order])
    rank = np.arange(len(order)) - starts
    kept[pair[order[rank < n_neighbors]]] = True
    return np.column_stack([a[kept], b[kept]]), votes[kept]
