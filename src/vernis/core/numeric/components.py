"""Principal components: exact, by second moments, and by iteration.

`principal_components` (scikit-learn's) is what maps are made of, and `fit_components` the base of a
head's projection. `leading_directions` takes second moments as they are, centred or not: the bounds
of exact searches need the vectors' length and not their variance. `combine_blocks` joins layers for
the kernel that judges labels, by an iteration that needs a tenth of the time of the exact ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.row_blocks import MadeRows, drawn_evenly, hold_if_small
from vernis.core.numeric.rows import normalize_rows
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

Floats = NDArray[np.float32]

_SAMPLE = 20_000  # vectors from which the principal directions are estimated
_LEAST_SAMPLE = 1000
_VALUES = 2**28  # numbers of float32 in 1 GB
_LONGEST_COVARIANCE = 4096
_COMBINED = 50_000  # images that say how layers are joined
_LEAST_UNIT_WIDTH = 64
"""Narrower blocks keep the lengths of their rows, which then tell as much as the direction."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """A projection on principal directions, which can be repeated on new vectors.

    Attributes
    ----------
    mean : ndarray of float32, shape (dim,)
    directions : ndarray of float32, shape (dim, n_components)
        Orthonormal, the direction of the largest variance first.
    """

    mean: Floats
    directions: Floats

    def project(self, vectors: Rows) -> Floats:
        """Return the components of vectors, shape (n, n_components)."""
        step = min(8192, max(1, _VALUES // (4 * vectors.shape[1])))
        blocks = [
            (vectors[start : start + step].astype(np.float32) - self.mean) @ self.directions
            for start in range(0, len(vectors), step)
        ]
        width = self.directions.shape[1]
        return np.concatenate(blocks) if blocks else np.zeros((0, width), np.float32)


def fit_components(
    rows: NDArray[np.floating], n_components: int, solver: str, seed: int = 0
) -> tuple[Components, NDArray[np.floating]]:
    """Fit scikit-learn's PCA; return the components and the variance along each.

    Parameters
    ----------
    rows : ndarray of float, shape (n, dim)
    n_components : int
        1..min(n, dim).
    solver : {'covariance_eigh', 'full', 'randomized'}
        See scikit-learn's ``PCA``.
    seed : int
        Of the randomized solver.

    Returns
    -------
    Components
    variance : ndarray, shape (n_components,)
        Descending.
    """
    from sklearn.decomposition import PCA

    with single_threaded_products():  # the last bits must not hang on the number of cores
        found = PCA(n_components, svd_solver=solver, random_state=seed).fit(rows)
    components = Components(
        np.asarray(found.mean_, np.float32),
        np.ascontiguousarray(found.components_.T, dtype=np.float32),
    )
    return components, np.asarray(found.explained_variance_)


def principal_components(
    vectors: NDArray[np.generic], n_components: int = 50, *, seed: int = 0, sample: int = _SAMPLE
) -> Components:
    """Find the directions of the largest variance (from 20,000 vectors where there are more).

    Vectors of more than 4,096 numbers (a flattened layer) are too long for their covariance: their
    directions are found by a randomized decomposition (Halko, Martinsson & Tropp 2011), from as
    many vectors as 1 GB holds.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    n_components : int
        Cut to what ``n`` and ``dim`` allow.
    seed : int
        Draws the sample.
    sample : int
        Vectors that the directions are estimated from, at most.
    """
    n, dim = vectors.shape
    rows = np.arange(n)
    sample = min(sample, max(_VALUES // dim, _LEAST_SAMPLE))
    if n > sample:
        rows = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    solver = "covariance_eigh" if dim <= _LONGEST_COVARIANCE else "randomized"
    some = vectors[rows].astype(np.float32)
    return fit_components(some, min(n_components, len(rows), dim), solver, seed)[0]


def project_rows(
    vectors: Rows, n_components: int, *, seed: int = 0, sample: int = _SAMPLE
) -> Floats:
    """Centre the vectors, keep their principal components and scale each row to length 1.

    Parameters
    ----------
    vectors : Rows, shape (n, dim)
    n_components : int
        Components to keep; no projection when ``dim`` is not larger.
    seed : int
        Draws the sample from which mean and components are estimated.
    sample : int
        Size of that sample.

    Returns
    -------
    ndarray of float32, shape (n, min(dim, n_components))
    """
    n, dim = vectors.shape
    rows = np.arange(n)
    if n > sample:
        rows = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    some = vectors[rows].astype(np.float32)
    mean = some.mean(axis=0) if n else np.zeros(dim, np.float32)
    if dim <= n_components:
        return np.asarray(normalize_rows(vectors[:].astype(np.float32) - mean))
    some -= mean
    directions, _ = leading_directions(some.T @ some, n_components)
    return np.asarray(normalize_rows(Components(mean, directions).project(vectors)))


def leading_directions(moments: NDArray[np.floating], count: int) -> tuple[Floats, NDArray[Any]]:
    """Return orthonormal directions of the largest second moments, and these moments.

    Parameters
    ----------
    moments : ndarray, shape (dim, dim)
        ``rows.T @ rows`` of vectors, centred or not.
    count : int
        1..dim.

    Returns
    -------
    directions : ndarray of float32, shape (dim, count)
        The largest first.
    values : ndarray of float64, shape (count,)
    """
    from scipy.linalg import eigh

    dim = len(moments)
    with single_threaded_products():
        values, directions = eigh(
            np.asarray(moments, np.float64), subset_by_index=(max(0, dim - count), dim - 1)
        )
    return np.ascontiguousarray(directions[:, ::-1], dtype=np.float32), values[::-1]


@single_threaded_products()
def combine_blocks(
    blocks: Sequence[NDArray[np.floating]], n_components: int = 300, seed: int = 0
) -> Floats:
    """Join embeddings of several layers into one space in which each layer weighs the same.

    Blocks without negative values (outputs of a ReLU) are replaced by their square root, as large
    activations would drown the rest (Arandjelović & Zisserman, *Three things everyone should know
    to improve object retrieval*, CVPR 2012). Every block is standardized by feature and each of
    its rows scaled to unit length (on average, where it has fewer than 64 columns); the joined
    vectors are centred, reduced by PCA and scaled to a mean squared length of 1.

    Parameters
    ----------
    blocks : sequence of ndarray, each of shape (n_images, d_block)
    n_components : int
        Dimensions kept, at most.
    seed : int
        Of the randomized PCA.

    Returns
    -------
    ndarray of float32, shape (n_images, min(n_components, rank))

    Raises
    ------
    InvalidValue
        When there is no block, or the blocks differ in length.
    """
    lengths = {len(b) for b in blocks}
    if len(lengths) != 1:
        raise InvalidValue(f"expected blocks of one length, got {sorted(lengths)}")
    return _combine(blocks, n_components, seed)[1]


@single_threaded_products()
def combine_rows(
    rows: Rows, slices: Sequence[tuple[int, int]], n_components: int = 300, seed: int = 0
) -> Rows:
    """Join the layers that lie side by side in rows, as `combine_blocks` does.

    Parameters
    ----------
    rows : Rows
        Of more than 50,000, so many, evenly among them, say how all are joined.
    slices : sequence of (start, stop)
        The columns of each layer.
    n_components : int
    seed : int

    Returns
    -------
    Rows of float32, shape (n_images, min(n_components, rank))
        Of very many images they are made where they are asked for.
    """
    some = rows[drawn_evenly(np.arange(len(rows)), _COMBINED)]
    found, values = _combine([some[:, start:stop] for start, stop in slices], n_components, seed)
    if len(rows) <= _COMBINED:
        return values

    def make(part: NDArray[Any]) -> Floats:
        return found.apply([part[:, start:stop] for start, stop in slices])

    return hold_if_small(MadeRows(rows, make, values.shape[1]))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """What brings the columns of a layer to one range, and its rows to one length."""

    root: bool
    mean: NDArray[np.floating]
    spread: NDArray[np.floating]

    @classmethod
    def of(cls, block: NDArray[np.floating]) -> _Level:
        values = np.asarray(block, dtype=np.float32)
        root = bool(values.size and values.min() >= 0)
        values = np.sqrt(values) if root else values
        spread = values.std(axis=0)
        return cls(root, values.mean(axis=0), np.where(spread > 1e-7, spread, 1.0))

    def apply(self, block: NDArray[np.floating]) -> Floats:
        values = np.asarray(block, dtype=np.float32)
        values = np.sqrt(np.maximum(values, 0.0)) if self.root else values
        values = np.asarray((values - self.mean) / self.spread)
        if values.shape[1] >= _LEAST_UNIT_WIDTH:
            return normalize_rows(values)
        return np.asarray(values / np.sqrt(values.shape[1]), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Combination:
    """How layers are joined; no axes: all columns are kept."""

    levels: Sequence[_Level]
    mean: Floats
    axes: Floats | None
    scale: float

    def apply(self, blocks: Sequence[NDArray[np.floating]]) -> Floats:
        parts = [level.apply(block) for level, block in zip(self.levels, blocks, strict=True)]
        joined = np.concatenate(parts, axis=1) - self.mean
        if self.axes is not None:
            joined = joined @ self.axes
        return np.asarray(joined / self.scale, dtype=np.float32)


def _combine(
    blocks: Sequence[NDArray[np.floating]], n_components: int, seed: int
) -> tuple[_Combination, Floats]:
    """Return how blocks are joined, and the joined ones."""
    levels = [_Level.of(block) for block in blocks]
    parts = [level.apply(block) for level, block in zip(levels, blocks, strict=True)]
    joined = np.concatenate(parts, axis=1)
    mean = joined.mean(axis=0)
    joined -= mean
    rank, axes = min(n_components, *joined.shape), None
    if rank < min(joined.shape):
        axes = _iterated_axes(joined, rank, seed)
        joined = joined @ axes
    scale = max(float(np.sqrt((joined**2).sum(axis=1).mean())), 1e-12)
    joined = np.asarray(joined / scale, dtype=np.float32)
    return _Combination(levels, mean, axes, scale), joined


def _iterated_axes(values: Floats, rank: int, seed: int) -> Floats:
    """Return the leading right singular vectors by subspace iteration, shape (d, rank)."""
    rng = np.random.default_rng(seed)
    n, d = values.shape
    if d <= n:
        gram = values.T @ values
        axes = rng.standard_normal((d, min(d, rank + 20)), dtype=np.float32)
        for _ in range(6):
            axes = np.linalg.qr(gram @ axes)[0]
        small = np.asarray(axes.T @ gram @ axes, dtype=np.float64)
        _, rotation = np.linalg.eigh(small)
        return np.asarray(axes @ rotation[:, ::-1][:, :rank], dtype=np.float32)
    spectrum, left = np.linalg.eigh(np.asarray(values @ values.T, dtype=np.float64))
    top = left[:, ::-1][:, :rank] / np.sqrt(np.maximum(spectrum[::-1][:rank], 1e-12))
    return np.asarray(values.T @ top, dtype=np.float32)
