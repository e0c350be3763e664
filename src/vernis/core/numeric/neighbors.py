"""Nearest neighbours and all near pairs by cosine similarity.

Exact search is a blocked matrix product. Past some ten thousand vectors, where the product of all
with all costs too much, ``build_cells`` and ``search_cells`` look only into the cells of a coarse
partition that lie nearest to a query (an inverted file).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.components import leading_directions
from vernis.core.numeric.groups import group_codes
from vernis.core.numeric.rows import normalize_rows
from vernis.core.numeric.threads import in_threads
from vernis.domain.errors import InvalidValue

EXACT_LIMIT = 20_000
"""Up to this many vectors ``nearest_within`` compares all with all."""

_BLOCK_BYTES = 64 * 2**20
_BOUND_DIMS = 128
_LLOYD_ROUNDS = 4
_SAMPLE_PER_CELL = 32
_GROUP = 16
_SPARE = 10  # found besides in cells, for those of the own group


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest neighbours of each query, most similar first.

    Attributes
    ----------
    indices : ndarray of int64, shape (n_queries, n_neighbors)
        Rows of the base; -1 where fewer were found.
    similarities : ndarray of float32, shape (n_queries, n_neighbors)
        Cosine similarity, -1..1; -2 where fewer were found.
    """

    indices: NDArray[np.int64]
    similarities: NDArray[np.float32]

    @property
    def nearest(self) -> NDArray[np.float32]:
        """Similarity to the nearest one, shape (n_queries,)."""
        return self.similarities[:, 0]

    def take(self, queries: NDArray[np.integer]) -> Neighbors:
        """Return those of some queries."""
        return Neighbors(self.indices[queries], self.similarities[queries])


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Vectors sorted into the cells of a coarse partition.

    Attributes
    ----------
    centers : ndarray of float32, shape (n_cells, dim)
        Unit vectors.
    members : ndarray of int64, shape (n,)
        Rows of the base, cell by cell.
    starts : ndarray of int64, shape (n_cells + 1,)
        Where each cell begins in ``members``.
    vectors : ndarray of float32, shape (n, dim)
        Unit vectors in the order of ``members``.
    """

    centers: NDArray[np.float32]
    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    vectors: NDArray[np.float32]


def nearest_neighbors(
    queries: NDArray[np.generic],
    base: NDArray[np.generic],
    n_neighbors: int,
    *,
    exclude_self: bool = False,
    groups: NDArray[np.integer] | None = None,
) -> Neighbors:
    """Find the most similar base vectors of each query, exactly.

    Parameters
    ----------
    queries : ndarray, shape (n_queries, dim)
    base : ndarray, shape (n, dim)
    n_neighbors : int
        Cut to the number of base vectors there are.
    exclude_self : bool
        Query i is base vector i and is no neighbour of itself.
    groups : ndarray of int, shape (n,), optional
        The same, and vectors of one group (duplicates) are no neighbours of one another.

    Returns
    -------
    Neighbors
        Ties are in the order of the base's rows.

    Raises
    ------
    InvalidValue
        When the dimensions differ, or there is not one group a vector.
    """
    if queries.ndim != 2 or base.ndim != 2 or queries.shape[1] != base.shape[1]:
        raise InvalidValue(
            f"expected queries and base of one dimension, got {queries.shape} and {base.shape}"
        )
    codes = None if groups is None else group_codes(groups, len(base))
    exclude_self = exclude_self or codes is not None
    unit_base = normalize_rows(base)
    unit_queries = unit_base if queries is base else normalize_rows(queries)
    k = max(0, min(n_neighbors, len(base) - int(exclude_self)))
    indices = np.empty((len(queries), k), dtype=np.int64)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    step = max(1, _BLOCK_BYTES // (4 * max(1, len(base))))

    def search(start: int) -> None:
        block = unit_queries[start : start + step] @ unit_base.T
        if codes is not None:
            block[codes[start : start + step, None] == codes] = -np.inf
        elif exclude_self:
            rows = np.arange(len(block))
            block[rows, rows + start] = -np.inf
        chosen, values = top_columns(block, k)
        indices[start : start + step] = chosen
        similarities[start : start + step] = values

    for _ in in_threads(search, range(0, len(queries), step)):
        pass
    return _without(similarities == -np.inf, Neighbors(indices, np.clip(similarities, -1.0, 1.0)))


def nearest_within(
    vectors: NDArray[np.generic],
    n_neighbors: int,
    *,
    groups: NDArray[np.integer] | None = None,
    exact_limit: int | None = None,
    probes: int = 8,
    seed: int = 0,
) -> Neighbors:
    """Find the nearest others of each vector: exact when few, by cells when many.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    n_neighbors : int
    groups : ndarray of int, shape (n,), optional
        Vectors of one group are no neighbours of one another.
    exact_limit : int, optional
        Up to this many vectors all are compared with all; default `EXACT_LIMIT`.
    probes : int
        Cells to look into past ``exact_limit`` vectors.
    seed : int
        Of the partition.
    """
    if len(vectors) <= (EXACT_LIMIT if exact_limit is None else exact_limit):
        return nearest_neighbors(vectors, vectors, n_neighbors, exclude_self=True, groups=groups)
    unit, codes = normalize_rows(vectors), group_codes(groups, len(vectors))
    spare = min(int(np.bincount(codes).max()), _SPARE)
    found = search_cells(build_cells(unit, seed=seed), unit, n_neighbors + spare, probes=probes)
    found = _without(codes[found.indices] == codes[:, None], found)
    columns, similarities = top_columns(found.similarities, n_neighbors)
    return Neighbors(np.take_along_axis(found.indices, columns, axis=1), similarities)


def _without(unwanted: NDArray[np.bool_], found: Neighbors) -> Neighbors:
    """Return the neighbours with some of them, in place, marked as not found."""
    found.indices[unwanted], found.similarities[unwanted] = -1, -2.0
    return found


def find_similar_pairs(
    vectors: NDArray[np.generic], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find all pairs with a cosine similarity of at least ``threshold``, exactly.

    The vectors are projected on their 128 leading directions. The product of the projections plus
    the product of the lengths of the rests bounds the similarity from above (Cauchy-Schwarz); only
    pairs whose bound reaches the threshold are compared in full.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    threshold : float
        -1..1.

    Returns
    -------
    pairs : ndarray of int64, shape (n_pairs, 2)
        Rows i < j in ascending order.
    similarities : ndarray of float32, shape (n_pairs,)
    """
    unit = normalize_rows(vectors)
    n, dim = unit.shape
    bounds = unit
    if dim > 2 * _BOUND_DIMS:
        some = unit[:: max(1, n // 10_000)]
        basis, _ = leading_directions(some.T @ some, _BOUND_DIMS)
        heads = unit @ basis
        rest = np.sqrt(np.maximum(0.0, 1.0 - np.einsum("ij,ij->i", heads, heads)))
        bounds = np.column_stack([heads, rest]).astype(np.float32)
    found: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    step = max(1, _BLOCK_BYTES // (4 * max(1, n)))
    for start in range(0, n, step):
        block = bounds[start : start + step] @ bounds[start:].T
        rows, columns = np.nonzero(block >= threshold - 1e-5)
        keep = columns > rows
        rows, columns = rows[keep] + start, columns[keep] + start
        exact = pair_similarities(unit, rows, columns)
        keep = exact >= threshold
        found.append(np.column_stack([rows[keep], columns[keep]]))
        values.append(exact[keep])
    if not found:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32)
    return np.concatenate(found), np.concatenate(values)


def pair_similarities(
    unit: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the products of pairs of unit vectors, in bounded memory, shape (n_pairs,)."""
    out = np.empty(len(rows), dtype=np.float32)
    step = max(1, _BLOCK_BYTES // (8 * unit.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        out[part] = np.einsum("ij,ij->i", unit[rows[part]], unit[columns[part]])
    return out


def build_cells(base: NDArray[np.float32], *, seed: int = 0) -> Cells:
    """Partition unit vectors by k-means on a sample (spherical, a few rounds).

    Parameters
    ----------
    base : ndarray of float32, shape (n, dim)
        Unit vectors.
    seed : int
        Draws the sample and the first centres.

    Returns
    -------
    Cells
        About 2·sqrt(n) of them, so that building and probing both grow as n·sqrt(n).
    """
    n = len(base)
    n_cells = max(1, min(n, round(2 * n**0.5)))
    rng = np.random.default_rng(seed)
    sample = base[np.sort(rng.choice(n, min(n, n_cells * _SAMPLE_PER_CELL), replace=False))]
    centers = sample[np.sort(rng.choice(len(sample), n_cells, replace=False))].copy()
    for _ in range(_LLOYD_ROUNDS):
        nearest = _nearest_cells(sample, centers, 1)[:, 0]
        order = np.argsort(nearest, kind="stable")
        counts = np.bincount(nearest, minlength=n_cells)
        filled = counts > 0
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
        centers[filled] = np.add.reduceat(sample[order], firsts, axis=0)
        centers = normalize_rows(centers)
    nearest = _nearest_cells(base, centers, 1)[:, 0]
    members = np.argsort(nearest, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(nearest, minlength=n_cells))])
    return Cells(centers, members, starts.astype(np.int64), base[members])


def search_cells(
    cells: Cells, queries: NDArray[np.float32], n_neighbors: int, *, probes: int = 8
) -> Neighbors:
    """Find the most similar members of the cells nearest to each query.

    Parameters
    ----------
    cells : Cells
    queries : ndarray of float32, shape (n_queries, dim)
        Unit vectors.
    n_neighbors : int
    probes : int
        Cells to look into; all of them makes the search exact.
    """
    indices = np.full((len(queries), n_neighbors), -1, dtype=np.int64)
    similarities = np.full((len(queries), n_neighbors), -2.0, dtype=np.float32)
    visited = _nearest_cells(queries, cells.centers, min(probes, len(cells.centers)))
    visitors = np.argsort(visited.ravel(), kind="stable")
    bounds = np.searchsorted(visited.ravel()[visitors], np.arange(len(cells.centers) + 1))
    visitors //= visited.shape[1]
    for cell in range(len(cells.centers)):
        inside = slice(cells.starts[cell], cells.starts[cell + 1])
        asking = visitors[bounds[cell] : bounds[cell + 1]]
        if inside.start == inside.stop or not len(asking):
            continue
        block = queries[asking] @ cells.vectors[inside].T
        chosen, values = top_columns(block, min(n_neighbors, block.shape[1]))
        # Merge with what the cells before have given.
        both = np.concatenate([similarities[asking], values], axis=1)
        names = np.concatenate([indices[asking], cells.members[inside][chosen]], axis=1)
        best, similarities[asking] = top_columns(both, n_neighbors)
        indices[asking] = np.take_along_axis(names, best, axis=1)
    return Neighbors(indices, similarities)


def _nearest_cells(
    vectors: NDArray[np.float32], centers: NDArray[np.float32], count: int
) -> NDArray[np.int64]:
    out = np.empty((len(vectors), count), dtype=np.int64)
    step = max(1, _BLOCK_BYTES // (4 * len(centers)))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step] @ centers.T
        if count == 1:
            out[start : start + step, 0] = block.argmax(axis=1)
        else:
            out[start : start + step] = top_columns(block, count)[0]
    return out


def top_columns(
    block: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the columns and values of the largest entries of each row, largest first.

    Parameters
    ----------
    block : ndarray of float32, shape (n_rows, n_columns)
    count : int
        At most ``n_columns``. Ties are in the order of the columns.
    """
    rows, width = block.shape
    if width > 4 * _GROUP * count > 0:
        # The largest entries lie in the groups with the largest maxima: one cheap pass.
        whole = width - width % _GROUP
        peaks = block[:, :whole]
        while peaks.shape[1] > width // _GROUP:  # by halves: a reduction as short costs much more
            peaks = np.maximum(peaks[:, ::2], peaks[:, 1::2])
        groups = _largest_columns(peaks, count)
        inside = (groups[:, :, None] * _GROUP + np.arange(_GROUP)).reshape(rows, -1)
        tail = np.broadcast_to(np.arange(whole, width), (rows, width - whole))
        columns = np.concatenate([inside, tail], axis=1)
        best, values = top_columns(np.take_along_axis(block, columns, axis=1), count)
        return np.take_along_axis(columns, best, axis=1), values
    if count < width:
        chosen = _largest_columns(block, count)
    else:
        chosen = np.broadcast_to(np.arange(width), block.shape)
    values = np.take_along_axis(block, chosen, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(values, order, axis=1)


def _largest_columns(block: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the columns of the largest entries of each row, in ascending order.

    NumPy selects values several times as fast as places of values.
    """
    rows, width = block.shape
    if count == 0:
        return np.zeros((rows, 0), dtype=np.int64)
    least = np.partition(block, width - count, axis=1)[:, width - count, None]
    taken = block >= least
    if np.count_nonzero(taken) != rows * count:
        # Of those that are as large as the least, the first.
        more = block > least
        equal = block == least
        open_places = count - more.sum(axis=1, keepdims=True)
        taken = more | (equal & (np.cumsum(equal, axis=1) <= open_places))
        if np.count_nonzero(taken) != rows * count:  # not all are numbers
            return np.sort(np.argpartition(block, -count, axis=1)[:, width - count :], axis=1)
    at = np.flatnonzero(taken).reshape(rows, count)
    return np.asarray(at - np.arange(rows)[:, None] * width)
