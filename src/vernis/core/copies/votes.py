"""Propose pairs of images that share keypoints, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.keypoints import COUNT, mirror_descriptors, unpack_descriptors
from vernis.core.numeric.components import leading_directions

_BITS, _TABLES, _DIRECTIONS = 20, 4, 24
_WHITENING = 0.25
# Keypoints that share their code with more than so many others are like anything.
_MOST_ALIKE = 64
_LEAST_VOTES = 1.0
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
    owner = there // COUNT
    nothing = np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    if not len(there):
        return nothing
    rng = np.random.default_rng(seed)
    some = there
    if len(there) > _SAMPLE:
        some = there[np.sort(rng.choice(len(there), _SAMPLE, replace=False))]
    sample = unpack_descriptors(rows[some])
    mean = sample.mean(axis=0)
    moments = (sample - mean).T @ (sample - mean) / len(sample)
    directions, spread = leading_directions(np.asarray(moments), _DIRECTIONS)
    basis = directions * np.maximum(spread, 1e-9) ** -_WHITENING
    codes, weights = [], []
    for table in range(_TABLES):
        turn = np.linalg.qr(rng.normal(size=(basis.shape[1], basis.shape[1])))[0]
        planes = (basis @ turn[:, :_BITS]).astype(np.float32)
        for pair_codes, pair_weights in _vote(rows[there], owner, mean, planes, n):
            codes.append(pair_codes)
            weights.append(pair_weights)
        if len(codes) > 1:
            merged = _add_up(np.concatenate(codes), np.concatenate(weights))
            codes, weights = [merged[0]], [merged[1]]
        del table
    return _nearest(codes[0], weights[0], n, n_neighbors)


def _vote(
    rows: NDArray[np.uint8],
    owner: NDArray[np.int64],
    mean: NDArray[np.float32],
    planes: NDArray[np.float32],
    n: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the image pairs of keypoints with one code, as a · n + b, and their votes."""
    plain, mirrored = _hash(rows, mean, planes)
    order = np.argsort(plain, kind="stable")
    known, owners = plain[order], owner[order]
    for asked in (plain, mirrored):
        low, high = np.searchsorted(known, asked, "left"), np.searchsorted(known, asked, "right")
        count = high - low
        count[count > _MOST_ALIKE] = 0
        asking = np.repeat(np.arange(len(asked)), count)
        place = np.arange(len(asking)) - np.repeat(np.cumsum(count) - count, count)
        first, second = owner[asking], owners[place + low[asking]]
        other = first != second
        first, second = first[other], second[other]
        code = np.minimum(first, second) * n + np.maximum(first, second)
        yield _add_up(code, (1.0 / np.sqrt(count[asking[other]])).astype(np.float32))


def _hash(
    rows: NDArray[np.uint8], mean: NDArray[np.float32], planes: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the codes of descriptors and of their mirror images."""
    powers = (1 << np.arange(planes.shape[1])).astype(np.float32)
    codes = np.empty((2, len(rows)), dtype=np.int32)
    for start in range(0, len(rows), 65_536):
        part = slice(start, start + 65_536)
        descriptors = unpack_descriptors(rows[part])
        for k, each in enumerate((descriptors, mirror_descriptors(descriptors))):
            signs = ((each - mean) @ planes > 0).astype(np.float32)
            codes[k, part] = signs @ powers
    return codes[0], codes[1]


def _add_up(
    codes: NDArray[np.int64], weights: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.argsort(codes, kind="stable")
    codes, weights = codes[order], weights[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])[: len(codes)])
    if not len(starts):
        return codes, weights
    return codes[starts], np.add.reduceat(weights, starts).astype(np.float32)


def _nearest(
    codes: NDArray[np.int64], votes: NDArray[np.float32], n: int, n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keep a pair that is among the most voted ones of either image."""
    codes, votes = codes[votes >= _LEAST_VOTES], votes[votes >= _LEAST_VOTES]
    a, b = np.divmod(codes, n)
    kept = np.zeros(len(codes), dtype=bool)
    owner, pair = np.concatenate([a, b]), np.tile(np.arange(len(codes)), 2)
    order = np.lexsort((-votes[pair], owner))
    starts = np.searchsorted(owner[order], owner[order])
    rank = np.arange(len(order)) - starts
    kept[pair[order[rank < n_neighbors]]] = True
    return np.column_stack([a[kept], b[kept]]), votes[kept]
