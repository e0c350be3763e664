"""Hold-outs as far from the training images as the unlabelled images are.

Photos come in bursts. A held-out photo whose burst was trained on is easier than an unlabelled
photo of another day, so plain out-of-bag predictions promise too much. Here the labelled images are
joined to groups, by average linkage on the cosine similarity of their embeddings, and whole groups
are held out; how coarse the groups are is read off the unlabelled images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from vernis.core.numeric.neighbors import Neighbors, nearest_neighbors
from vernis.core.numeric.row_blocks import ChosenRows, as_rows, slices_of
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]

SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.21, 0.18, 0.15, 0.12, 0.1, 0.08, 0.06)
"""Numbers of groups that are tried, as shares of the labelled images, after single images."""

_QUERIES = 50_000  # images whose neighbours are found at a time
_DECILES = np.arange(0.1, 0.95, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class HoldOut:
    """Groups to hold out together, and the neighbourhoods that result.

    Attributes
    ----------
    groups : ndarray of int64, shape (n_labelled,)
        Equal for images that are held out together.
    measured : ndarray of int64, shape (n_measured,)
        The labelled images whose hold-out is measured: all, or a sample of many.
    labelled : Neighbors
        Of the measured images, outside their groups; their ``indices`` are rows of the labelled
        images, and a similarity of -1 stands where there are too few.
    open : Neighbors
        Of the measured images with nothing held out but themselves and their duplicates.
    unknown : Neighbors
        Of the unlabelled images.
    is_matched : bool
        False when even the coarsest groups leave the labelled images nearer to one another than the
        unlabelled ones are to them: the labels then speak for other pictures.
    """

    groups: Codes
    measured: Codes
    labelled: Neighbors
    open: Neighbors
    unknown: Neighbors
    is_matched: bool

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))


def match_holdout(
    X: Rows | ArrayLike,
    X_unknown: Rows | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_reference: int = 4000,
    n_neighbors: int = 50,
    seed: int = 0,
) -> HoldOut:
    """Find the finest groups that make held-out images as far from the rest as the unlabelled ones.

    The groups are coarsened until, at every decile of the unlabelled images' similarity to their
    nearest labelled image, at least as large a share of the held-out images lies below (less half a
    standard error).

    Parameters
    ----------
    X : Rows, shape (n_labelled, n_features)
        Embeddings of the labelled images.
    X_unknown : Rows, shape (n_unknown, n_features)
    groups : array_like of int, shape (n_labelled,), optional
        Duplicates, which are never separated.
    n_reference : int
        At most so many labelled images are compared; of more, a sample is.
    n_neighbors : int
    seed : int

    Returns
    -------
    HoldOut

    Raises
    ------
    InvalidValue
        If there are fewer than two labelled groups, or shapes do not fit.
    """
    rows, unknown = _checked(X), _checked(X_unknown)
    if rows.shape[1] != unknown.shape[1]:
        raise InvalidValue(f"expected {rows.shape[1]} features, got {unknown.shape[1]}")
    given = np.arange(len(rows)) if groups is None else np.asarray(groups)
    if given.shape != (len(rows),):
        raise InvalidValue(f"expected groups of shape ({len(rows)},), got {given.shape}")
    _, first, codes = np.unique(given, return_index=True, return_inverse=True)
    if len(first) < 2:
        raise InvalidValue(f"expected two groups of labelled images or more, got {len(first)}")
    heads = first[_sample(len(first), n_reference, seed)]
    measured = np.sort(heads)
    reference = np.asarray(rows[measured], np.float32)
    unit = normalize_rows(reference)
    similarity = unit @ unit.T
    far = _find_of_many(unknown, reference, n_neighbors)
    chosen, is_matched = _coarsen(similarity, far.nearest)
    near = _find_neighbors(reference, reference, n_neighbors, chosen)
    beside = _find_neighbors(reference, reference, 5, np.arange(len(measured)))
    return HoldOut(
        groups=_spread(rows, measured, chosen, codes, first),
        measured=measured.astype(np.int64),
        labelled=Neighbors(measured[near.indices], near.similarities),
        open=Neighbors(measured[beside.indices], beside.similarities),
        unknown=Neighbors(measured[far.indices], far.similarities),
        is_matched=is_matched,
    )


def _checked(X: Rows | ArrayLike) -> Rows:
    rows = as_rows(X)
    if len(rows.shape) != 2:
        raise InvalidValue(f"expected vectors of shape (n, features), got {rows.shape}")
    return rows


def _coarsen(similarity: Floats, unknown: Floats) -> tuple[Codes, bool]:
    """Return the finest groups that leave the images as far from the rest as ``unknown`` are."""
    n = len(similarity)
    tree = linkage(_condensed_distance(similarity), "average")
    chosen = np.arange(n)
    for share in (1.0, *SHARES):
        count = max(2, round(share * n))
        trial = np.arange(n) if share == 1 else fcluster(tree, count, "maxclust").astype(np.int64)
        if len(np.unique(trial)) < 2:
            break
        chosen = trial
        held = np.where(chosen[:, None] == chosen, -1, similarity).max(axis=1)
        if _is_as_far(held, unknown):
            return chosen, True
    return chosen, False


def _find_neighbors(
    queries: Floats, reference: Floats, k: int, groups: Codes | None = None
) -> Neighbors:
    """Return the ``k`` most similar reference rows of each query, -1 where there are fewer.

    ``groups`` are those of the reference rows where these are the queries too: an image's own group
    is left out.
    """
    found = nearest_neighbors(queries, reference, k, groups=groups)
    lack = ((0, 0), (0, min(k, len(reference)) - found.indices.shape[1]))
    similarities = np.pad(found.similarities, lack, constant_values=-1.0)
    return Neighbors(np.pad(np.maximum(found.indices, 0), lack), np.maximum(similarities, -1.0))


def _find_of_many(queries: Rows, reference: Floats, k: int) -> Neighbors:
    """Find neighbours of very many queries, some at a time."""
    if len(queries) <= _QUERIES:
        return _find_neighbors(np.asarray(queries[:], np.float32), reference, k)
    parts = [
        _find_neighbors(np.asarray(queries[part], np.float32), reference, k)
        for part in slices_of(len(queries), _QUERIES)
    ]
    return Neighbors(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.similarities for part in parts]),
    )


def _sample(n: int, at_most: int, seed: int) -> Codes:
    if n <= at_most:
        return np.arange(n)
    return np.random.default_rng([seed, 0xF111]).choice(n, at_most, replace=False)


def _condensed_distance(similarity: Floats) -> NDArray[np.float64]:
    distance = np.clip(1 - similarity.astype(np.float64), 0, 2)
    distance = (distance + distance.T) / 2
    return np.asarray(squareform(distance, checks=False))


def _is_as_far(held: Floats, unknown: Floats) -> bool:
    """Tell whether the held-out similarities are, decile by decile, no higher."""
    if not len(unknown):
        return True
    cut = np.quantile(unknown, _DECILES)
    below = (held[:, None] <= cut).mean(axis=0)
    error = np.sqrt(_DECILES * (1 - _DECILES) * (1 / len(held) + 1 / len(unknown)))
    return bool((below >= _DECILES - error / 2).all())


def _spread(
    rows: Rows, measured: NDArray[np.intp], chosen: Codes, codes: NDArray[np.intp], first: Codes
) -> Codes:
    """Give every image the group of its duplicate set's head, and that of its nearest measured."""
    group_of_head = np.empty(len(first), np.int64)
    place = codes[measured]
    group_of_head[place] = chosen
    others = np.setdiff1d(np.arange(len(first)), place)
    if len(others):
        asked = ChosenRows(rows, first[others])
        nearest = _find_of_many(asked, np.asarray(rows[measured]), 1).indices[:, 0]
        group_of_head[others] = chosen[nearest]
    return group_of_head[codes]
