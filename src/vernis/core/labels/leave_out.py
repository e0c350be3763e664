"""Probabilities for judging labels: what the other images say of each image.

A kernel ridge regression on the embedding predicts every image from all images but itself (or but
its whole group of duplicates). The leave-out prediction has a closed form, so nothing is trained
twice and the strength of the regularization is chosen on the same pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]

RIDGES: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_IMPUTATIONS = 6
_CLIP_SHARPNESS = 20.0
_LEAST_UNIT_WIDTH = 64
"""Narrower blocks keep the lengths of their rows, which then tell as much as the direction."""


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
    """

    features: FloatArray
    spectrum: NDArray[np.float64]
    train: NDArray[np.bool_]


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
    """

    probs: FloatArray
    ridge: float
    error: float


@single_threaded_products()
def combine_blocks(
    blocks: Sequence[NDArray[np.floating]], n_components: int = 300, seed: int = 0
) -> FloatArray:
    """Join embeddings of several layers into one space in which each layer weighs the same.

    Blocks without negative values (outputs of a ReLU) are replaced by their square root, as large
    activations would drown the rest (Arandjelović & Zisserman, *Three things everyone should know
    to improve object retrieval*, CVPR 2012). Every block is standardized by feature and each of
    its rows scaled to unit length (on average, where it has fewer than 64 columns); the joined
    vectors are centred, reduced by PCA and scaled to a
    mean squared length of 1.

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
    joined = np.concatenate([_level(b) for b in blocks], axis=1)
    joined -= joined.mean(axis=0)
    rank = min(n_components, *joined.shape)
    if rank < min(joined.shape):
        joined = joined @ _principal_axes(joined, rank, seed)
    scale = float(np.sqrt((joined**2).sum(axis=1).mean()))
    return np.asarray(joined / max(scale, 1e-12), dtype=np.float32)


def _level(block: NDArray[np.floating]) -> FloatArray:
    values = _standardize(block)
    if values.shape[1] >= _LEAST_UNIT_WIDTH:
        return _unit_rows(values)
    return np.asarray(values / np.sqrt(values.shape[1]), dtype=np.float32)


def _standardize(block: NDArray[np.floating]) -> FloatArray:
    values = np.asarray(block, dtype=np.float32)
    if values.size and values.min() >= 0:
        values = np.sqrt(values)
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 1e-7, spread, 1.0))


def _unit_rows(values: FloatArray) -> FloatArray:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1.0), dtype=np.float32)


def _principal_axes(values: FloatArray, rank: int, seed: int) -> FloatArray:
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


def kernel_basis(
    features: NDArray[np.floating],
    train: NDArray[np.bool_] | None = None,
    *,
    bandwidth: float = 0.4,
    n_landmarks: int = 1500,
    seed: int = 0,
) -> KernelBasis:
    """Build the Nyström features of the Gaussian kernel ``exp(-bandwidth · |a - b|²)``.

    Exact when the training images are no more than ``n_landmarks``. Williams & Seeger, *Using the
    Nyström method to speed up kernel machines*, NeurIPS 2000.

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
    rows = np.flatnonzero(known)
    if len(rows) > n_landmarks:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(rows, n_landmarks, replace=False))
    cross = _gaussian(x, x[rows], bandwidth)
    # NumPy's, which lets other threads run meanwhile; SciPy's holds the lock of the interpreter.
    values, vectors = np.linalg.eigh(cross[rows].astype(np.float64))
    kept = values > 1e-6 * values[-1]
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    trained = cross[known]
    gram = whiten.T @ (trained.T @ trained).astype(np.float64) @ whiten
    spectrum, rotation = np.linalg.eigh(gram)
    mapped = cross @ (whiten @ rotation).astype(np.float32)
    return KernelBasis(mapped, np.maximum(spectrum, 0.0), known)


def _gaussian(a: FloatArray, b: FloatArray, bandwidth: float) -> FloatArray:
    # In place: a copy more of this matrix is a gigabyte at 170,000 images.
    values = a @ b.T
    values *= -2.0
    values += (a * a).sum(axis=1)[:, None]
    values += (b * b).sum(axis=1)[None]
    np.maximum(values, 0.0, out=values)
    values *= -bandwidth
    return np.asarray(np.exp(values, out=values), dtype=np.float32)


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
        part = phi[members]
        hat = (part * inverse) @ part.T + 1.0 / len(rows)
        system = np.eye(len(members)) * (1.0 + 1e-6) - hat
        left_out[members] = centred[members] - np.linalg.solve(system, residual[members])
    scores[rows] = left_out
    return np.asarray(scores + mean, dtype=np.float32)


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
        scores = _masked_scores(basis, values, known, ridge, groups)
        error = float(((scores - values)[known] ** 2).mean())
        if best is None or error < best[0]:
            best = (error, ridge, scores)
    assert best is not None
    error, ridge, scores = best
    return LeftOutPrediction(_to_probs(scores, values, known, kind), ridge, error)


def _masked_scores(
    basis: KernelBasis,
    values: FloatArray,
    known: NDArray[np.bool_],
    ridge: float,
    groups: NDArray[np.integer] | None,
) -> FloatArray:
    totals = known.sum(axis=0)
    rates = np.where(known, values, 0.0).sum(axis=0) / np.maximum(totals, 1)
    targets = np.where(known, values, rates[None]).astype(np.float32)
    scores = leave_out_scores(basis, targets, ridge, groups)
    if known[basis.train].all():
        return scores
    for _ in range(_IMPUTATIONS):
        targets = np.where(known, values, scores)
        scores = leave_out_scores(basis, targets, ridge, groups)
    return scores


def _to_probs(
    scores: FloatArray, values: FloatArray, known: NDArray[np.bool_], kind: str
) -> FloatArray:
    if kind == "single":
        rows = known.any(axis=1)
        given = np.where(known, values, 0.0)[rows].argmax(axis=1)
        slope = fit_temperature(scores[rows], given)
        return np.asarray(softmax(slope * scores, axis=1), dtype=np.float32)
    return soft_clip(scores)


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
