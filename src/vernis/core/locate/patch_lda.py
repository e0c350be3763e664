"""Patch LDA: what tells patches of a class from all others, learnt from labels of pictures.

A linear discriminant (Fisher 1936) on patch vectors, with one covariance for all classes, shrunk
towards the identity (Friedman, *Regularized Discriminant Analysis*, JASA 1989). Which patches show
the class is not known, so they are picked by the discriminant itself (multiple-instance learning as
in Andrews, Tsochantaridis & Hofmann, NIPS 2002): it starts from the means of whole pictures, and a
few rounds replace the mean of the class by that of its best patches.

    w_c = (S + λI)⁻¹ (μ⁺ - μ⁻)

in standardized vectors; μ⁺ is the mean over pictures of the class of their best patches, μ⁻ half
the mean of pictures without it, half the mean of the worse half of the patches of pictures with it.
No gradient is followed: each round is one product of matrices.

A picture comes as one map a layer, finer layers first. Maps of coarser layers count for every cell
of the finest that they cover, so nothing is enlarged to learn, and since the discriminant is
linear its scores are enlarged instead of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.heat_maps import enlarge
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]
PatchMaps = Sequence[NDArray[Any]]
"""Maps of one picture, shape (height, width, channels) each; the finest first."""

_CELLS = 20_000
"""Patches from which mean, spread and covariance are estimated."""
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class PatchSettings:
    """How a patch classifier is learnt.

    Attributes
    ----------
    share : float
        Of the patches of a picture, that are taken for the class: the best (at least one).
    ridge : float
        λ, in units of the variance of a standardized number.
    rounds : int
        How often the best patches are picked; 0 leaves the means of whole pictures.
    """

    share: float = 0.005
    ridge: float = 3.0
    rounds: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidValue(f"expected a share in 0..1, got {self.share}")
        if self.ridge <= 0 or self.rounds < 0:
            raise InvalidValue(
                f"expected a ridge above 0 and rounds of 0 or more, got {self.ridge}, {self.rounds}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class PatchClassifier:
    """A linear score of patches for each class.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_channels, n_classes)
        On the vectors as they are: the standardization is folded in.
    bias : ndarray of float32, shape (n_classes,)
    """

    weights: Floats
    bias: Floats

    def score(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> Floats:
        """Return the score of each cell of the finest map.

        Parameters
        ----------
        maps : PatchMaps
        columns : sequence of int, optional
            The classes; default all.

        Returns
        -------
        ndarray of float32, shape (n_chosen, height, width)
        """
        chosen = slice(None) if columns is None else list(columns)
        weights, size = self.weights[:, chosen], maps[0].shape[:2]
        total = np.zeros((*size, weights.shape[1]), np.float32) + self.bias[chosen]
        start = 0
        for each in maps:
            stop = start + each.shape[2]
            # For one column alone some processors' kernels raise the flag from what lies beyond it.
            with np.errstate(invalid="ignore"):
                scores = np.asarray(each, np.float32) @ weights[start:stop]
            if scores.shape[:2] == size:
                total += scores
            else:
                total += enlarge(scores.transpose(2, 0, 1), size).transpose(1, 2, 0)
            start = stop
        if start != len(self.weights):
            raise InvalidValue(f"expected maps of {len(self.weights)} channels, got {start}")
        return np.ascontiguousarray(total.transpose(2, 0, 1))


def covering(size: tuple[int, int], coarse: tuple[int, int]) -> NDArray[np.int64]:
    """Return which cell of a coarse map covers each cell of a finer one, shape (height · width,).

    Parameters
    ----------
    size, coarse : (int, int)
        Height and width of both.
    """
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.int64), old - 1)
        for new, old in zip(size, coarse, strict=True)
    )
    return np.asarray((rows[:, None] * coarse[1] + columns[None, :]).ravel())


def join_cells(maps: PatchMaps, cells: NDArray[np.int64]) -> Floats:
    """Return the vectors of some cells of the finest map, all layers joined.

    Parameters
    ----------
    maps : PatchMaps
    cells : ndarray of int64, shape (n_cells,)
        Positions in the flattened finest map.

    Returns
    -------
    ndarray of float32, shape (n_cells, n_channels)
    """
    size = maps[0].shape[:2]
    parts = []
    for each in maps:
        rows = cells
        if each.shape[:2] != size:
            rows = covering(size, each.shape[:2])[cells]
        parts.append(each.reshape(-1, each.shape[2])[rows].astype(np.float32))
    return np.concatenate(parts, axis=1)


def told_apart(pictures: Sequence[PatchMaps], Y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the labels of pictures that something can be learned from.

    Raises
    ------
    InvalidValue
        There is no picture, or a class has no picture with it or none without it.
    """
    Y = np.asarray(Y)
    if not pictures or Y.shape[:1] != (len(pictures),):
        raise InvalidValue(f"expected labels of {len(pictures)} pictures, got shape {Y.shape}")
    if not (Y == 1).any(axis=0).all() or not (Y == 0).any(axis=0).all():
        raise InvalidValue("expected pictures with and without each class")
    return Y


@dataclass(frozen=True, slots=True, eq=False)
class PatchStatistics:
    """How the patch vectors of many pictures are spread.

    Attributes
    ----------
    mean, spread : ndarray of float32, shape (n_channels,)
        Mean and standard deviation of each channel.
    inverse : ndarray of float32, shape (n_channels, n_channels)
        Of the correlation, shrunk.
    """

    mean: Floats
    spread: Floats
    inverse: Floats


@single_threaded_products()
def fit_patch_lda(
    pictures: Sequence[PatchMaps],
    Y: NDArray[np.floating],
    settings: PatchSettings | None = None,
    *,
    statistics: PatchStatistics | None = None,
    seed: int = 0,
) -> PatchClassifier:
    """Learn a patch classifier from labels of whole pictures.

    Parameters
    ----------
    pictures : sequence of PatchMaps
        With the same channels; their sizes may differ.
    Y : ndarray of float, shape (n_pictures, n_classes)
        1, 0 or NaN for unknown.
    settings : PatchSettings, optional
    statistics : PatchStatistics, optional
        Default: those of these pictures.
    seed : int
        Draws the patches from which they are estimated.

    Raises
    ------
    InvalidValue
        There is no picture, or a class has no picture with it or none without it.
    """
    settings, Y = settings or PatchSettings(), told_apart(pictures, Y)
    known = statistics or patch_statistics(pictures, settings.ridge, seed)

    def solve(above: Floats, below: Floats) -> Floats:
        # Means of raw vectors: the standardization cancels but for the spread.
        standard = (above - below) / known.spread @ known.inverse
        return np.asarray((standard / known.spread).T, np.float32)

    whole = np.stack([_mean_vector(maps) for maps in pictures])
    without = _class_means(whole, Y == 0)
    weights = solve(_class_means(whole, Y == 1), without)
    for _ in range(settings.rounds):
        best, worse = _picked(pictures, Y == 1, weights, settings.share)
        weights = solve(best, 0.5 * without + 0.5 * worse)
    return PatchClassifier(weights, np.asarray(-known.mean @ weights, np.float32))


@single_threaded_products()
def patch_statistics(pictures: Sequence[PatchMaps], ridge: float, seed: int = 0) -> PatchStatistics:
    """Estimate the spread of patch vectors from some of each picture.

    Parameters
    ----------
    pictures : sequence of PatchMaps
        One or more.
    ridge : float
        Added to the correlation, in units of the variance of a standardized number.
    seed : int
        Draws the patches.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for maps in pictures:
        cells = maps[0].shape[0] * maps[0].shape[1]
        count = min(cells, max(1, -(-_CELLS // len(pictures))))
        drawn.append(join_cells(maps, np.sort(rng.choice(cells, count, replace=False))))
    rows = np.concatenate(drawn)
    mean = rows.mean(axis=0)
    spread = np.maximum(rows.std(axis=0), _LEAST_SPREAD)
    rows -= mean
    rows /= spread
    moments = np.asarray(rows.T @ rows, np.float64) / len(rows)
    inverse = np.linalg.inv(moments + ridge * np.eye(len(moments)))
    return PatchStatistics(mean, spread, np.asarray(inverse, np.float32))


def _mean_vector(maps: PatchMaps) -> Floats:
    """Return the mean of all joined patch vectors of a picture (a coarse cell counts alike)."""
    return np.concatenate([each.mean(axis=(0, 1), dtype=np.float32) for each in maps])


def _class_means(rows: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen rows of each class, shape (n_classes, n_channels)."""
    counts = np.maximum(chosen.sum(axis=0), 1)
    return np.asarray(chosen.T.astype(np.float32) @ rows / counts[:, None], np.float32)


def _picked(
    pictures: Sequence[PatchMaps], carries: NDArray[np.bool_], weights: Floats, share: float
) -> tuple[Floats, Floats]:
    """Return each class's mean of the best patches and of the worse half of them."""
    scorer = PatchClassifier(weights, np.zeros(weights.shape[1], np.float32))
    best, worse = np.zeros_like(weights.T), np.zeros_like(weights.T)
    for maps, carried in zip(pictures, carries, strict=True):
        columns = np.flatnonzero(carried)
        if not len(columns):
            continue
        for column, scores in zip(columns, scorer.score(maps, columns.tolist()), strict=True):
            flat = scores.ravel()
            count = max(1, round(share * len(flat)))
            best[column] += join_cells(maps, np.argpartition(-flat, count - 1)[:count]).mean(axis=0)
            worse[column] += _weighted_mean(maps, scores <= np.median(flat))
    counts = np.maximum(carries.sum(axis=0), 1)[:, None]
    return best / counts, worse / counts


def _weighted_mean(maps: PatchMaps, chosen: NDArray[np.bool_]) -> Floats:
    """Return the mean joined vector of the chosen cells of the finest map."""
    size, parts = maps[0].shape[:2], []
    for each in maps:
        counts = chosen.ravel().astype(np.float32)
        if each.shape[:2] != size:
            cover = covering(size, each.shape[:2])
            counts = np.bincount(cover, counts, each.shape[0] * each.shape[1]).astype(np.float32)
        parts.append(counts @ each.reshape(-1, each.shape[2]).astype(np.float32) / counts.sum())
    return np.concatenate(parts)
