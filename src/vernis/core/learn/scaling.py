"""What happens to vectors before a head sees them: scaling and principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from vernis.core.learn.mlp import PREDICTION_ROWS
from vernis.core.numeric.components import fit_components
from vernis.core.numeric.row_blocks import MadeRows, as_rows, column_sums, hold_if_small
from vernis.core.numeric.rows import normalize_rows
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

Scaling = Literal["rows", "columns", "none"]
Floats = NDArray[np.float32]

_SCALED = 32_000_000
"""Numbers of scaled vectors that are held, beside the vectors themselves: 128 MB."""

_PCA_ROWS = 50_000
"""Rows that principal components are fitted on at most; more change them by less than the draw."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """An affine map ``(f(X) - mean) @ matrix``, ``f`` = unit rows when ``scaling`` is ``rows``.

    Attributes
    ----------
    mean : ndarray of float32, shape (n_features,)
    matrix : ndarray of float32, shape (n_features, n_components)
    scaling : {'rows', 'columns', 'none'}
    """

    mean: Floats
    matrix: Floats
    scaling: Scaling

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.mean.shape != (self.matrix.shape[0],):
            shapes = (self.mean.shape, self.matrix.shape)
            raise InvalidValue(f"expected a mean (d,) and a matrix (d, k), got {shapes}")

    def over(self, X: Rows) -> Rows:
        """Return the projected rows of very many vectors: held, or made where they are asked for.

        Their bits are those of ``apply``.
        """
        return hold_if_small(MadeRows(X, self.apply, self.matrix.shape[1]))

    def apply(self, X: Floats) -> Floats:
        """Return the projected rows, shape (n_images, n_components).

        Rows go through in padded blocks of one size, so that the result for a row does not depend
        on the rows beside it.
        """
        projected = np.empty((len(X), self.matrix.shape[1]), np.float32)
        block = np.zeros((PREDICTION_ROWS, X.shape[1]), np.float32)
        with single_threaded_products():
            for start in range(0, len(X), PREDICTION_ROWS):
                rows = np.asarray(X[start : start + PREDICTION_ROWS], np.float32)
                if self.scaling == "rows":
                    rows = normalize_rows(rows)
                block[: len(rows)] = rows - self.mean
                projected[start : start + len(rows)] = (block @ self.matrix)[: len(rows)]
        return projected


def fit_projection(
    X: ArrayLike | Rows, n_components: int | None = 100, scaling: Scaling = "rows", seed: int = 0
) -> Projection:
    """Fit principal components and bring them to an overall variance of 1.

    Parameters
    ----------
    X : array_like or Rows, shape (n_images, n_features)
        Of more than 50,000 rows a drawn part is read.
    n_components : int or None
        None, or at least n_features, keeps the columns as they are but centred.
    scaling : {'rows', 'columns', 'none'}
        ``rows`` gives each row the norm 1 before; ``columns`` gives each column the variance 1.
        The components are not whitened: whitening costs up to 3 points of average precision.
    seed : int

    Returns
    -------
    Projection
    """
    if scaling not in ("rows", "columns", "none"):
        raise InvalidValue(f"expected scaling rows, columns or none, got {scaling!r}")
    X = _drawn(X, seed)
    if scaling == "rows":
        X = normalize_rows(X)
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = X - mean
    divisor = np.ones(X.shape[1], np.float32)
    if scaling == "columns":
        spread = centred.std(axis=0)
        divisor = np.where(spread > 1e-12, spread, 1).astype(np.float32)
        centred /= divisor
    limit = min(centred.shape)
    if n_components is None or n_components >= X.shape[1]:
        basis = np.eye(X.shape[1], dtype=np.float32)
        variance = float(centred.var(axis=0).mean())
    else:
        tall = len(X) > X.shape[1]
        solver = "covariance_eigh" if tall else "full"
        found, explained = fit_components(centred, min(n_components, limit), solver)
        basis, variance = found.directions, float(explained.mean())
    scale = 1 / np.sqrt(variance) if variance > 1e-24 else 1.0
    matrix = np.ascontiguousarray(basis / divisor[:, None] * np.float32(scale), np.float32)
    return Projection(mean, matrix, scaling)


def _drawn(X: ArrayLike | Rows, seed: int) -> Floats:
    """Return the rows that components are fitted on."""
    rows = as_rows(X)
    n = len(rows)
    if n <= _PCA_ROWS:
        return np.asarray(rows[:], np.float32)
    drawn = np.random.default_rng([seed, 0x9CA]).permutation(n)[:_PCA_ROWS]
    return np.asarray(rows[np.sort(drawn)], np.float32)


class BlockScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Standardize and normalize the blocks of columns that several layers contribute.

    Every block is standardized by column and then brought to row norm 1, so that each layer has an
    equal say whatever its width and its range.

    Parameters
    ----------
    slices : sequence of (start, stop), optional
        The blocks' columns; together they must cover each column once. None = one block.

    Attributes
    ----------
    mean_, scale_ : ndarray of float32, shape (n_features,)
    """

    def __init__(self, slices: Sequence[tuple[int, int]] | None = None) -> None:
        self.slices = slices

    def fit(self, X: ArrayLike, y: object = None) -> BlockScaler:
        """Learn each column's mean and standard deviation."""
        rows: Floats = validate_data(self, X, dtype=np.float32)
        covered = np.zeros(rows.shape[1], int)
        for start, stop in self._blocks():
            covered[start:stop] += 1
        if not (covered == 1).all():
            raise InvalidValue(
                f"expected slices that cover {rows.shape[1]} columns, got {self.slices}"
            )
        self.mean_ = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = rows.std(axis=0, dtype=np.float64)
        self.scale_ = np.where(spread > 1e-12, spread, 1).astype(np.float32)
        return self

    def fit_rows(self, X: Rows) -> BlockScaler:
        """Learn as ``fit`` does, of rows that are read block by block."""
        if isinstance(X, np.ndarray):
            return self.fit(X)
        self.fit(X[:1])  # checks the slices
        total, _ = column_sums(X)
        mean = total / len(X)
        _, squares = column_sums(X, centre=mean)
        spread = np.sqrt(squares / len(X)).astype(np.float32)
        self.mean_ = mean.astype(np.float32)
        self.scale_ = np.where(spread > 1e-12, spread, 1).astype(np.float32)
        return self

    def over(self, X: Rows) -> Rows:
        """Return the scaled rows, of many vectors made where they are asked for."""
        return hold_if_small(MadeRows(X, self.transform, X.shape[1]), _SCALED)

    def transform(self, X: ArrayLike) -> Floats:
        """Return the scaled blocks, shape (n_images, n_features)."""
        check_is_fitted(self)
        rows: Floats = validate_data(self, X, dtype=np.float32, reset=False)
        scaled = (rows - self.mean_) / self.scale_
        for start, stop in self._blocks():
            scaled[:, start:stop] = normalize_rows(scaled[:, start:stop])
        return np.asarray(scaled, np.float32)

    def _blocks(self) -> list[tuple[int, int]]:
        if self.slices is None:
            return [(0, int(self.n_features_in_))]
        return [(int(start), int(stop)) for start, stop in self.slices]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
