"""Kernel ridge regression in passes over blocks of images, whose memory does not grow with them.

Where `kernel_ridge` holds the features of all images, this holds sums over blocks: first the second
moments of the features and their products with the labels, which are added up; then each block's
leave-out predictions. The algebra is the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from vernis.core.numeric.kernel_ridge import (
    IMPUTATIONS,
    RIDGES,
    BoolArray,
    FloatArray,
    LeftOutPrediction,
    fit_temperature,
    leave_group_out,
    soft_clip,
)
from vernis.core.numeric.row_blocks import drawn_evenly, slices_of
from vernis.core.numeric.threads import in_threads, single_threaded_products
from vernis.domain.errors import InvalidValue

WHOLE = 20_000
"""Up to so many images `kernel_ridge` holds all features, some 20 kB an image."""
_BLOCK = 4096
_JUDGED = 20_000
"""Images at most on which the ridge and the temperature are chosen, evenly among all."""
_AHEAD = 2

KernelOf = Callable[[NDArray[np.intp]], FloatArray]
"""From rows of images to their kernel with the landmarks, shape (n_rows, n_landmarks)."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelMap:
    """What turns the kernel of an image with the landmarks into scores.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_landmarks, n_classes)
    mean : ndarray of float32, shape (n_classes,)
        Added to the products.
    """

    weights: FloatArray
    mean: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over the training images: features × features, × targets, features, targets."""

    gram: NDArray[np.float64]
    cross: NDArray[np.float64]
    features: NDArray[np.float64]
    targets: NDArray[np.float64]

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.gram + other.gram,
            self.cross + other.cross,
            self.features + other.features,
            self.targets + other.targets,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    """Weights of the features for one ridge."""

    weights: FloatArray
    inverse: FloatArray
    mean: FloatArray
    n_train: int


@single_threaded_products()
def predict_in_passes(
    kernel_of: KernelOf,
    landmarks: NDArray[np.intp],
    train: BoolArray,
    labels: NDArray[np.floating],
    *,
    kind: str,
    groups: NDArray[np.integer] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> tuple[LeftOutPrediction, KernelMap]:
    """Predict every image from the others, as ``nystrom_basis`` and ``predict_left_out`` do.

    Parameters
    ----------
    kernel_of : callable
        The kernel of some rows with the landmarks; called from several threads.
    landmarks : ndarray of int, shape (n_landmarks,)
        Rows of the landmarks, training images.
    train : ndarray of bool, shape (n_images,)
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    kind : {"single", "multi"}
    groups : ndarray of int, shape (n_images,), optional
        Images of one group never speak for one another.
    ridges : sequence of float
        Tried on `_JUDGED` images.

    Returns
    -------
    LeftOutPrediction
    KernelMap
        Of the fit to all training images; unknown labels have been imputed once for it.

    Notes
    -----
    Blocks are fixed and added in their order, so the result has the same bits whatever the number
    of threads. Beside the predictions the memory is that of a few blocks and of the second moments
    (8 bytes times the square of the number of landmarks).
    """
    values = np.asarray(labels, np.float32)
    known = np.isfinite(values) & train[:, None]
    if not known.any():
        raise InvalidValue("expected at least one known label, got none")
    work = _Passes(kernel_of, landmarks, train, values, known, _shared(groups, train))
    ridge, error = work.choose(ridges)
    found = work.map_of(ridge)
    if not known[train].all():
        for round in range(IMPUTATIONS):
            work.impute(ridge)
            if not round:
                found = work.map_of(ridge)
    scores = work.predict(ridge)
    if kind == "multi":
        for part in _slices(len(scores)):
            scores[part] = soft_clip(scores[part])
        return LeftOutPrediction(scores, ridge, error, 1.0), found
    rows = drawn_evenly(np.flatnonzero(known.any(axis=1)), _JUDGED)
    given = np.where(known[rows], values[rows], 0.0).argmax(axis=1)
    slope = fit_temperature(scores[rows], given)
    scores *= np.float32(slope)
    for part in _slices(len(scores)):
        scores[part] = softmax(scores[part], axis=1)
    return LeftOutPrediction(scores, ridge, error, slope), found


class _Passes:
    """The passes, and what is known between them."""

    def __init__(
        self,
        kernel_of: KernelOf,
        landmarks: NDArray[np.intp],
        train: BoolArray,
        values: FloatArray,
        known: BoolArray,
        shared: NDArray[np.int64],
    ) -> None:
        self._kernel_of, self._train = kernel_of, train
        self._values, self._known, self._shared = values, known, shared
        self._blocks = list(_blocks(shared))
        rates = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        self._rates = rates.astype(np.float32)
        self._imputed: FloatArray | None = None
        # The landmarks' own kernel is divided out first; see ``nystrom_basis``.
        eigenvalues, vectors = np.linalg.eigh(kernel_of(landmarks).astype(np.float64))
        kept = eigenvalues > 1e-6 * eigenvalues[-1]
        self._whiten = (vectors[:, kept] / np.sqrt(eigenvalues[kept])).astype(np.float32)
        self._n_train = int(train.sum())
        self._sums = self._add_up(lambda rows: self._features(rows, self._whiten))
        spectrum, self._rotation = np.linalg.eigh(self._sums.gram)
        self._spectrum = np.maximum(spectrum, 0.0)
        self._map = (self._whiten.astype(np.float64) @ self._rotation).astype(np.float32)
        self._turn_sums()

    def _turn_sums(self) -> None:
        turned = self._rotation.T
        self._cross = turned @ self._sums.cross
        self._feature_sum = turned @ self._sums.features

    def _features(self, rows: NDArray[np.intp], through: FloatArray) -> FloatArray:
        return np.asarray(self._kernel_of(rows) @ through, np.float32)

    def _targets(self, rows: NDArray[np.intp]) -> FloatArray:
        rest = self._rates[None] if self._imputed is None else self._imputed[rows]
        return np.asarray(np.where(self._known[rows], self._values[rows], rest), np.float32)

    def _add_up(self, features_of: Callable[[NDArray[np.intp]], FloatArray]) -> _Sums:
        def sums(taken: NDArray[np.intp]) -> _Sums:
            return _sums_of(features_of(taken), self._targets(taken))

        total: _Sums | None = None
        for part in in_threads(sums, self._trained(), ahead=_AHEAD):
            total = part if total is None else total + part
        assert total is not None
        return total

    def _solve(self, ridge: float, more: _Sums | None = None) -> _Solution:
        targets, cross = self._sums.targets, self._cross
        if more is not None:
            targets, cross = targets + more.targets, cross + more.cross
        mean = targets / self._n_train
        inverse = 1.0 / (self._spectrum + ridge)
        weights = inverse[:, None] * (cross - np.outer(self._feature_sum, mean))
        return _Solution(
            weights.astype(np.float32),
            inverse.astype(np.float32),
            mean.astype(np.float32),
            self._n_train,
        )

    def _left_out(
        self, rows: NDArray[np.intp], phi: FloatArray, by: _Solution, targets: FloatArray
    ) -> FloatArray:
        """Return the leave-out scores of rows that hold every group of theirs as a whole."""
        scores = phi @ by.weights + by.mean
        inside = self._train[rows]
        taken, own, targets = rows[inside], phi[inside], targets[inside]
        residual = targets - scores[inside]
        leverage = (own * own) @ by.inverse + 1.0 / by.n_train
        out = targets - residual / np.maximum(1.0 - leverage, 1e-3)[:, None]
        for members in _runs(self._shared[taken]):
            apart = leave_group_out(own[members], by.inverse, by.n_train, residual[members])
            out[members] = targets[members] - apart
        scores[inside] = out
        return np.asarray(scores, np.float32)

    def choose(self, ridges: Sequence[float]) -> tuple[float, float]:
        """Return the ridge of least squared leave-out error on some images, and that error.

        Where labels are unknown each ridge imputes them on these images alone; what they add to the
        sums stands for what those of all images would add.
        """
        parts = self._judged()
        phi = list(in_threads(lambda some: self._features(some, self._map), parts))
        share = self._n_train / sum(map(len, parts))
        incomplete = not self._known[self._train].all()

        def error(ridge: float) -> float:
            out = self._scored(parts, phi, self._solve(ridge))
            for _ in range(IMPUTATIONS if incomplete else 0):
                by = self._solve(ridge, _added(phi, self._surprise(parts, out), share))
                out = self._scored(parts, phi, by, out)
            off = [
                (found - self._values[some])[self._known[some]]
                for some, found in zip(parts, out, strict=True)
            ]
            return float((np.concatenate(off).astype(np.float64) ** 2).mean())

        found = list(in_threads(error, list(ridges)))
        best = int(np.argmin(found))
        return ridges[best], found[best]

    def _trained(self) -> list[NDArray[np.intp]]:
        """Return the training images of each block that holds some."""
        return [own for rows in self._blocks if len(own := rows[self._train[rows]])]

    def _judged(self) -> list[NDArray[np.intp]]:
        """Return training images in blocks: all, or some of very many.

        These share no group; where all images share one, they are whole groups.
        """
        if self._n_train <= _JUDGED:
            return self._trained()
        alone = np.flatnonzero(self._train & (self._shared < 0))
        if len(alone):
            rows = drawn_evenly(alone, _JUDGED)
            return [rows[part] for part in _slices(len(rows))]
        together = np.flatnonzero(self._shared >= 0)
        names = np.unique(self._shared[together])
        most = max(1, len(names) * _JUDGED // len(together))
        chosen = drawn_evenly(names, most)
        return list(_whole_groups(together[np.isin(self._shared[together], chosen)], self._shared))

    def _scored(
        self,
        parts: Sequence[NDArray[np.intp]],
        phi: Sequence[FloatArray],
        by: _Solution,
        imputed: Sequence[FloatArray] | None = None,
    ) -> list[FloatArray]:
        rest = imputed or [self._rates[None]] * len(parts)
        return [
            self._left_out(some, own, by, np.where(self._known[some], self._values[some], unknown))
            for some, own, unknown in zip(parts, phi, rest, strict=True)
        ]

    def _surprise(
        self, parts: Sequence[NDArray[np.intp]], out: Sequence[FloatArray]
    ) -> list[FloatArray]:
        """Return by how much imputed targets differ from the class's rate; 0 where known."""
        return [
            np.where(self._known[some], np.float32(0), found - self._rates)
            for some, found in zip(parts, out, strict=True)
        ]

    def impute(self, ridge: float) -> None:
        """Put the leave-out predictions in the place of unknown labels; one more round."""
        by = self._solve(ridge)
        if self._imputed is None:
            self._imputed = np.broadcast_to(self._rates, self._values.shape).copy()
        imputed = self._imputed

        def work(rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], FloatArray, _Sums]:
            phi = self._features(rows, self._map)
            out = self._left_out(rows, phi, by, self._targets(rows))
            inside = self._train[rows]
            known = self._known[rows]
            targets = np.where(known, self._values[rows], out)[inside].astype(np.float32)
            return rows, out, _cross_of(phi[inside], targets)

        parts = None
        for rows, out, sums in in_threads(work, self._blocks, ahead=_AHEAD):
            imputed[rows] = out
            parts = sums if parts is None else parts + sums
        assert parts is not None
        # The moments stay; what the targets take part in is new, and turned already.
        self._cross, self._sums = (
            parts.cross,
            _Sums(self._sums.gram, parts.cross, self._sums.features, parts.targets),
        )

    def predict(self, ridge: float) -> FloatArray:
        """Return the leave-out scores of all images."""
        by = self._solve(ridge)
        scores = np.empty(self._values.shape, np.float32)

        def work(rows: NDArray[np.intp]) -> None:
            phi = self._features(rows, self._map)
            scores[rows] = self._left_out(rows, phi, by, self._targets(rows))

        for _ in in_threads(work, self._blocks):
            pass
        return scores

    def map_of(self, ridge: float) -> KernelMap:
        """Return the fit to all training images."""
        by = self._solve(ridge)
        return KernelMap(np.asarray(self._map @ by.weights, np.float32), by.mean)


def _added(phi: Sequence[FloatArray], surprise: Sequence[FloatArray], share: float) -> _Sums:
    """Return what targets that differ so from those of the sums would add to these."""
    parts = [_cross_of(own, off) for own, off in zip(phi, surprise, strict=True)]
    cross = sum((part.cross for part in parts), np.zeros(()))
    targets = sum((part.targets for part in parts), np.zeros(()))
    return _Sums(np.zeros(()), share * cross, np.zeros(()), share * targets)


def _sums_of(phi: FloatArray, targets: FloatArray) -> _Sums:
    some = _cross_of(phi, targets)
    return _Sums((phi.T @ phi).astype(np.float64), some.cross, some.features, some.targets)


def _cross_of(phi: FloatArray, targets: FloatArray) -> _Sums:
    return _Sums(
        np.zeros(()),
        (phi.T @ targets).astype(np.float64),
        phi.sum(axis=0, dtype=np.float64),
        targets.sum(axis=0, dtype=np.float64),
    )


def _shared(groups: NDArray[np.integer] | None, train: BoolArray) -> NDArray[np.int64]:
    """Return the group of each training image that shares one, -1 for all others."""
    shared = np.full(len(train), -1, np.int64)
    if groups is None:
        return shared
    rows = np.flatnonzero(train)
    _, codes, counts = np.unique(np.asarray(groups)[rows], return_inverse=True, return_counts=True)
    several = counts[codes] > 1
    shared[rows[several]] = codes[several]
    return shared


def _blocks(shared: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Yield all rows in blocks that cut no group."""
    alone = np.flatnonzero(shared < 0)
    for part in _slices(len(alone)):
        yield alone[part]
    yield from _whole_groups(np.flatnonzero(shared >= 0), shared)


def _whole_groups(
    together: NDArray[np.intp], shared: NDArray[np.int64]
) -> Iterator[NDArray[np.intp]]:
    """Yield these rows by their groups, in blocks that cut none."""
    together = together[np.argsort(shared[together], kind="stable")]
    start = 0
    while start < len(together):
        stop = min(start + _BLOCK, len(together))
        while stop < len(together) and shared[together[stop]] == shared[together[stop - 1]]:
            stop += 1
        yield together[start:stop]
        start = stop


def _runs(codes: NDArray[np.int64]) -> Iterator[slice]:
    """Yield the runs of equal codes that are groups."""
    bounds = np.flatnonzero(np.diff(codes)) + 1
    edges = [0, *bounds.tolist(), len(codes)]
    for start, stop in itertools.pairwise(edges):
        if stop - start > 1 and codes[start] >= 0:
            yield slice(start, stop)


def _slices(n: int) -> Iterator[slice]:
    return iter(slices_of(n, _BLOCK))
