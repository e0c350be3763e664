"""Kernel ridge regression with closed-form leave-out predictions.

The predictor that given labels are judged by, and the default head. A leave-out prediction has a
closed form, so nothing is trained twice and the strength of the regularization is chosen on the
same pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from vernis.core.numeric.rows import squared_distances
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

RIDGES: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
N_LANDMARKS = 1500
IMPUTATIONS = 6
"""Rounds in which unknown labels take their own leave-out predictions as targets."""
_CLIP_SHARPNESS = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class KernelBasis:
    """A low-rank kernel over all images, diagonal in the metric of the training images.

    Attributes
    ----------
    features : ndarray of float32, shape (n_images, rank)
        ``features @ features.T`` approximates the kernel matrix.
    spectrum : ndarray of float64, shape (rank,)
        Squared norms of the columns over the training images (the columns are orthogonal there).
    train : ndarray of bool, shape (n_images,)
    whiten, rotation : ndarray of float64, shape (n_landmarks, rank) and (rank, rank)
        ``kernel @ whiten @ rotation`` are the features of new images.
    """

    features: FloatArray
    spectrum: NDArray[np.float64]
    train: BoolArray
    whiten: NDArray[np.float64]
    rotation: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LeftOutPrediction:
    """Leave-out predictions of all images.

    Attributes
    ----------
    probs : ndarray of float32, shape (n_images, n_classes)
        Rows sum to 1 for single-label input; each entry stands alone for multi-label.
    ridge : float
        The chosen regularization.
    error : float
        Mean squared leave-out error against the given labels at that ridge.
    slope : float
        Factor of the scores under the softmax; 1 for multi-label.
    """

    probs: FloatArray
    ridge: float
    error: float
    slope: float


def gaussian_kernel(a: FloatArray, b: FloatArray, bandwidth: float) -> FloatArray:
    """Return ``exp(-bandwidth · |a - b|²)`` of all rows, shape (len(a), len(b))."""
    values = squared_distances(a, b)
    values *= -bandwidth
    return np.asarray(np.exp(values, out=values), dtype=np.float32)


@single_threaded_products()
def kernel_basis(
    features: NDArray[np.floating],
    train: BoolArray | None = None,
    *,
    bandwidth: float = 0.4,
    n_landmarks: int = N_LANDMARKS,
    seed: int = 0,
) -> KernelBasis:
    """Build the Nyström features of the Gaussian kernel ``exp(-bandwidth · |a - b|²)``.

    Exact when the training images are no more than ``n_landmarks``.

    Parameters
    ----------
    features : ndarray, shape (n_images, d)
        Of mean squared length 1, as `combine_blocks` yields them.
    train : ndarray of bool, shape (n_images,), optional
        The images with labels; default all.
    bandwidth : float
        Greater than 0.
    n_landmarks : int
    seed : int
        Draws the landmarks.
    """
    x = np.asarray(features, dtype=np.float32)
    known = np.ones(len(x), dtype=bool) if train is None else np.asarray(train, dtype=bool)
    if bandwidth <= 0:
        raise InvalidValue(f"expected a bandwidth above 0, got {bandwidth}")
    rows = draw_landmarks(known, n_landmarks, seed)
    return nystrom_basis(gaussian_kernel(x, x[rows], bandwidth), rows, known)


def draw_landmarks(train: BoolArray, n_landmarks: int, seed: int) -> NDArray[np.intp]:
    """Return the training images that the others are compared with, ascending."""
    rows = np.flatnonzero(train)
    if len(rows) <= n_landmarks:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_landmarks, replace=False))


def nystrom_basis(
    kernel: FloatArray,
    landmarks: NDArray[np.integer],
    train: BoolArray,
    *,
    moments: Literal["kernel", "features"] = "kernel",
) -> KernelBasis:
    """Make a low-rank kernel diagonal in the metric of the training images.

    Williams & Seeger, *Using the Nyström method to speed up kernel machines*, NeurIPS 2000.

    Parameters
    ----------
    kernel : ndarray of float32, shape (n_images, n_landmarks)
    landmarks : ndarray of int, shape (n_landmarks,)
        The rows of ``kernel`` that the columns belong to, training images.
    train : ndarray of bool, shape (n_images,)
    moments : {'kernel', 'features'}
        What the second moments are taken of: of the kernel before the landmarks' own kernel is
        divided out, or of the features after it. The latter keeps the digits that the former loses
        to small eigenvalues (docs/decisions/learning.md).
    """
    # NumPy's, which lets other threads run meanwhile; SciPy's holds the lock of the interpreter.
    values, vectors = np.linalg.eigh(kernel[landmarks].astype(np.float64))
    kept = values > 1e-6 * values[-1]
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    if moments == "features":
        seen = kernel @ whiten.astype(np.float32)
        spectrum, rotation = np.linalg.eigh((seen[train].T @ seen[train]).astype(np.float64))
        mapped = seen @ rotation.astype(np.float32)
    else:
        trained = kernel[train]
        gram = whiten.T @ (trained.T @ trained).astype(np.float64) @ whiten
        spectrum, rotation = np.linalg.eigh(gram)
        mapped = kernel @ (whiten @ rotation).astype(np.float32)
    return KernelBasis(mapped, np.maximum(spectrum, 0.0), train, whiten, rotation)


def leave_out_scores(
    basis: KernelBasis,
    targets: NDArray[np.floating],
    ridge: float,
    groups: NDArray[np.integer] | None = None,
) -> FloatArray:
    """Predict every image without itself and the rest of its group.

    For a training image ``F_out = Y - (I - H)⁻¹ (Y - F)`` with the hat matrix ``H``, blockwise
    over groups (Cook & Weisberg, *Residuals and Influence in Regression*, 1982); other images are
    predicted plainly.

    Parameters
    ----------
    basis : KernelBasis
    targets : ndarray, shape (n_images, n_classes)
        Finite on training images; other rows are not read.
    ridge : float
        Greater than 0.
    groups : ndarray of int, shape (n_images,), optional
        Images of one group never speak for one another.

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        Regression values, mostly in 0..1, not clipped.
    """
    rows = np.flatnonzero(basis.train)
    known = np.asarray(targets, dtype=np.float32)[rows]
    mean = known.mean(axis=0)
    centred = known - mean
    phi = basis.features[rows]
    inverse = (1.0 / (basis.spectrum + ridge)).astype(np.float32)
    weights = inverse[:, None] * (phi.T @ centred)
    scores = basis.features @ weights
    residual = centred - scores[rows]
    leverage = (phi * phi) @ inverse + 1.0 / len(rows)
    left_out = centred - residual / np.maximum(1.0 - leverage, 1e-3)[:, None]
    for members in _shared_groups(groups, rows):
        apart = leave_group_out(phi[members], inverse, len(rows), residual[members])
        left_out[members] = centred[members] - apart
    scores[rows] = left_out
    return np.asarray(scores + mean, dtype=np.float32)


def leave_group_out(
    part: NDArray[np.float32],
    inverse: NDArray[np.float32],
    n_train: int,
    residual: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return ``(I - H)⁻¹ (Y - F)`` of one group: its residuals as they are without it.

    The system is as large as the group or, by Woodbury's identity, as there are features: a group
    may hold thousands of images.

    Parameters
    ----------
    part : ndarray, shape (n_members, n_features)
    inverse : ndarray, shape (n_features,)
        One over the spectrum and the ridge.
    n_train : int
        Of all training images.
    residual : ndarray, shape (n_members, n_classes)

    Returns
    -------
    ndarray, shape (n_members, n_classes)
    """
    diagonal = 1.0 + 1e-6
    n, k = part.shape
    if n <= k + 1:
        hat = (part * inverse) @ part.T + 1.0 / n_train
        found = np.linalg.solve(np.eye(n) * diagonal - hat, residual)
    else:
        wide = np.full((n, k + 1), n_train**-0.5)
        wide[:, :k] = part * np.sqrt(inverse)
        system = np.eye(k + 1) * diagonal - wide.T @ wide
        found = (residual + wide @ np.linalg.solve(system, wide.T @ residual)) / diagonal
    return np.asarray(found, np.float64)


def _shared_groups(
    groups: NDArray[np.integer] | None, rows: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """Return the positions (into ``rows``) of each group of two or more."""
    if groups is None:
        return []
    own = np.asarray(groups)[rows]
    order = np.argsort(own, kind="stable")
    bounds = np.flatnonzero(np.diff(own[order])) + 1
    return [part for part in np.split(order, bounds) if len(part) > 1]


@single_threaded_products()
def predict_left_out(
    basis: KernelBasis,
    labels: NDArray[np.floating],
    *,
    kind: str,
    groups: NDArray[np.integer] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> LeftOutPrediction:
    """Predict every image from the others, with the ridge of least leave-out error.

    Parameters
    ----------
    basis : KernelBasis
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    kind : {"single", "multi"}
        Whether one image has one class; decides how scores become probabilities.
    groups : ndarray of int, shape (n_images,), optional
    ridges : sequence of float
        Tried in turn.

    Returns
    -------
    LeftOutPrediction

    Notes
    -----
    Unknown entries of a multi-label image take part with their own leave-out prediction as target,
    repeated until it settles: the fixed point ignores them. Scores become probabilities by a
    softmax whose temperature is fitted to the given labels (single), or are clipped to 0..1 softly
    (multi; plain clipping makes ties of the surest), so they speak of the *given* label, noise
    included.
    """
    if kind not in ("single", "multi"):
        raise InvalidValue(f"expected kind 'single' or 'multi', got {kind!r}")
    values = np.asarray(labels, dtype=np.float32)
    known = np.isfinite(values) & basis.train[:, None]
    if not known.any():
        raise InvalidValue("expected at least one known label, got none")
    best: tuple[float, float, FloatArray] | None = None
    for ridge in ridges:
        targets = impute_targets(basis, values, known, ridge, groups, IMPUTATIONS)
        scores = leave_out_scores(basis, targets, ridge, groups)
        error = float(((scores - values)[known] ** 2).mean())
        if best is None or error < best[0]:
            best = (error, ridge, scores)
    assert best is not None
    error, ridge, scores = best
    if kind == "multi":
        return LeftOutPrediction(soft_clip(scores), ridge, error, 1.0)
    rows = known.any(axis=1)
    given = np.where(known, values, 0.0)[rows].argmax(axis=1)
    slope = fit_temperature(scores[rows], given)
    probs = np.asarray(softmax(slope * scores, axis=1), dtype=np.float32)
    return LeftOutPrediction(probs, ridge, error, slope)


def impute_targets(
    basis: KernelBasis,
    values: FloatArray,
    known: BoolArray,
    ridge: float,
    groups: NDArray[np.integer] | None,
    rounds: int,
) -> FloatArray:
    """Return the values with unknown ones replaced by leave-out predictions, of as many rounds.

    They begin with the mean of the class's known values.
    """
    rates = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    targets = np.where(known, values, rates[None]).astype(np.float32)
    if known[basis.train].all():
        return targets
    for _ in range(rounds):
        targets = np.where(known, values, leave_out_scores(basis, targets, ridge, groups))
    return targets


def soft_clip(scores: FloatArray) -> FloatArray:
    """Bring regression values into 0..1 and keep their order, also beyond the ends."""
    sharp = _CLIP_SHARPNESS * scores.astype(np.float64)
    clipped = np.logaddexp(0.0, sharp) - np.logaddexp(0.0, sharp - _CLIP_SHARPNESS)
    return np.asarray(np.clip(clipped / _CLIP_SHARPNESS, 1e-6, 1.0 - 1e-6), dtype=np.float32)


def fit_temperature(scores: NDArray[np.floating], given: NDArray[np.integer]) -> float:
    """Return the factor on ``scores`` (n, K) whose softmax gives ``given`` (n,) most likelihood."""
    index = np.arange(len(given))

    def loss(log_slope: NDArray[np.float64]) -> float:
        return -float(log_softmax(np.exp(log_slope[0]) * scores, axis=1)[index, given].mean())

    found = minimize(loss, np.array([2.0]), method="Nelder-Mead", options={"xatol": 1e-3})
    return float(np.exp(np.clip(found.x[0], -3.0, 6.0)))
