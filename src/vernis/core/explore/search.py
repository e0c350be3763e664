"""Search by example: how examples make a query, and an exact index that reads little.

``ExactIndex`` never misses a neighbour and yet compares few vectors in full: the product of the
leading components plus the product of the lengths of the rests bounds every similarity from above
(Cauchy-Schwarz), and only vectors whose bound reaches the worst of the best found are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.components import leading_directions
from vernis.core.numeric.neighbors import Neighbors
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

Rule = Literal["all", "any"]
RULES: tuple[Rule, ...] = ("all", "any")

COUNTER_WEIGHT = 0.25
"""Weight of the counter-examples; measured, see docs/decisions/search.md."""

_HEADS = 192
_SAMPLE = 8_000
_BLOCK = 16_384
_ROUNDING = 2e-6  # of float32 sums of products of unit vectors
_FIRST = 64


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What one query found, best first.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_found,)
        Rows of the base.
    scores : ndarray of float32, shape (n_found,)
        With one example the cosine similarity.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def combine_examples(
    examples: NDArray[np.generic], counter_examples: NDArray[np.generic], rule: Rule = "all"
) -> NDArray[np.float32]:
    """Return the query vectors whose largest product with a unit vector is its score.

    With ``all`` an image is scored by its mean similarity to the examples (Rocchio 1971, without
    normalization), with ``any`` by the largest; of either a quarter of its mean similarity to the
    counter-examples is taken away.

    Parameters
    ----------
    examples : ndarray, shape (n_examples, dim)
        One or more.
    counter_examples : ndarray, shape (n_counter_examples, dim)
        None or more.
    rule : {"all", "any"}

    Returns
    -------
    ndarray of float32, shape (1 or n_examples, dim)

    Raises
    ------
    InvalidValue
        There is no example, or the dimensions differ.
    """
    if not len(examples):
        raise InvalidValue("expected at least one example, got none")
    if len(counter_examples) and counter_examples.shape[1] != examples.shape[1]:
        raise InvalidValue(
            f"expected counter-examples of {examples.shape[1]} dimensions, "
            f"got {counter_examples.shape[1]}"
        )
    queries = normalize_rows(examples)
    if rule == "all":
        queries = queries.mean(axis=0, keepdims=True)
    if len(counter_examples):
        queries = queries - COUNTER_WEIGHT * normalize_rows(counter_examples).mean(axis=0)
    return np.ascontiguousarray(queries, dtype=np.float32)


def scan(
    queries: NDArray[np.float32],
    vectors: Rows,
    count: int,
    allowed: NDArray[np.bool_] | None = None,
) -> Hits:
    """Compare with every vector, in blocks: the plain way, for one query and for checking.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, dim)
        See ``combine_examples``; the largest product counts.
    vectors : Rows, shape (n, dim)
        Of any length; they are compared as if of length 1.
    count : int
        Hits wanted.
    allowed : ndarray of bool, shape (n,), optional
        The rows that may be found; default all.
    """
    if allowed is None:
        return best_rows(np.arange(len(vectors)), compare(queries, vectors), count)
    rows = np.flatnonzero(allowed)
    return best_rows(rows, compare(queries, vectors, rows), count)


def compare(
    queries: NDArray[np.float32],
    vectors: Rows,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return the largest product of those rows (default all), at length 1, with the queries."""
    count = len(vectors) if rows is None else len(rows)
    scores = np.empty(count, dtype=np.float32)
    for start in range(0, count, _BLOCK):
        part = slice(start, start + _BLOCK)
        some = vectors[part] if rows is None else vectors[rows[part]]
        block = np.asarray(some, dtype=np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        # Dividing the products is cheaper than dividing the vectors.
        scores[part] = (block @ queries.T).max(axis=1) / np.where(lengths > 0, lengths, 1)
    return scores


def best_rows(rows: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> Hits:
    """Return the best of scored rows, ties by row."""
    if count < len(rows):
        worst = np.partition(scores, len(scores) - count)[len(scores) - count]
        keep = scores >= worst  # ties at the end included, so that the lowest rows of them stay
        rows, scores = rows[keep], scores[keep]
    order = np.lexsort((rows, -scores))[:count]
    return Hits(rows[order].astype(np.int64), scores[order].astype(np.float32))


class ExactIndex:
    """Exact search in vectors that stay as they are stored.

    Holds the leading components in float32 (768 bytes a vector) and a reference to the vectors,
    which may be float16 or read when they are asked for.

    Parameters
    ----------
    vectors : Rows, shape (n, dim)
    """

    def __init__(self, vectors: Rows) -> None:
        n, dim = vectors.shape
        self._vectors = vectors
        self._basis = _leading_basis(vectors, min(_HEADS, dim))
        self._heads = np.empty((n, self._basis.shape[1]), dtype=np.float32)
        self._rests = np.empty(n, dtype=np.float32)
        for start in range(0, n, _BLOCK):
            part = slice(start, start + _BLOCK)
            unit = normalize_rows(vectors[part])
            self._heads[part] = unit @ self._basis
            rest = unit - self._heads[part] @ self._basis.T
            self._rests[part] = np.sqrt(np.einsum("ij,ij->i", rest, rest))

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def nbytes(self) -> int:
        """Bytes held beside the vectors."""
        return int(self._heads.nbytes + self._rests.nbytes + self._basis.nbytes)

    def search(
        self,
        queries: NDArray[np.float32],
        count: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Hits:
        """Find the vectors with the largest product with any of the queries; see ``scan``."""
        if queries.shape[1] != self._basis.shape[0]:
            raise InvalidValue(
                f"expected queries of {self._basis.shape[0]} dimensions, got {queries.shape[1]}"
            )
        bounds = self._bounds(queries)
        if allowed is not None:
            bounds[~allowed] = -np.inf
        n = len(bounds)
        available = n if allowed is None else int(allowed.sum())
        count = min(count, available)
        if count <= 0:
            return Hits(np.zeros(0, np.int64), np.zeros(0, np.float32))
        first = min(available, max(_FIRST, 4 * count))
        rows = np.argpartition(bounds, n - first)[n - first :]
        scores = compare(queries, self._vectors, rows)
        worst = np.partition(scores, len(scores) - count)[len(scores) - count]
        bounds[rows] = -np.inf
        more = np.flatnonzero(bounds >= worst - _ROUNDING)
        rows = np.concatenate([rows, more])
        return best_rows(
            rows, np.concatenate([scores, compare(queries, self._vectors, more)]), count
        )

    def _bounds(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        heads = queries @ self._basis
        rest = queries - heads @ self._basis.T
        lengths = np.sqrt(np.einsum("ij,ij->i", rest, rest))
        bounds = self._heads @ heads[0]
        bounds += lengths[0] * self._rests
        for head, length in zip(heads[1:], lengths[1:], strict=True):
            np.maximum(bounds, self._heads @ head + length * self._rests, out=bounds)
        return np.asarray(bounds)


def recall(found: Neighbors, exact: Neighbors) -> float:
    """Return the share of the exact neighbours that were found.

    A neighbour as similar as the last exact one counts as found, whichever it is.
    """
    if not exact.indices.size:
        return 1.0
    same = [len(np.intersect1d(a, b)) for a, b in zip(found.indices, exact.indices, strict=True)]
    tied = (found.similarities >= exact.similarities[:, -1:] - _ROUNDING).sum(axis=1)
    hits = np.minimum(np.maximum(same, tied), exact.indices.shape[1])
    return float(hits.sum() / exact.indices.size)


def _leading_basis(vectors: Rows, count: int) -> NDArray[np.float32]:
    """Return orthonormal directions that hold most of the vectors' length, shape (dim, count).

    Estimated from evenly spaced rows: any basis keeps the search exact, a good one makes it fast.
    """
    n, dim = vectors.shape
    if count == dim or not n:
        return np.eye(dim, count, dtype=np.float32)
    some = normalize_rows(vectors[:: max(1, n // _SAMPLE)])
    return leading_directions(some.T @ some, count)[0]
