"""What an image's other labels say of each of its labels, beside the picture.

Who carries `beach` often carries `sea`: a label is likelier where those that go with it are given,
and a missing one shows by the others. Here the leave-out predictions of all classes are corrected
by one linear regression on how the other labels surprised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.entry_noise import model_entries
from vernis.core.numeric.kernel_ridge import soft_clip

FloatArray = NDArray[np.float32]

_IMAGES_A_CLASS = 100
"""Known images a class below which no correction is tried. With 91 (aquarium) what is won on
missing and added labels is lost on flipped ones, with 2 (coco128) more is lost than won."""
_RIDGE = 0.1
"""Of the mean variance of a predictor."""
_CLEAR = 3.0
"""Standard errors by which the squared error must fall for a class to be corrected."""


def listen_to_others(probs: NDArray[np.floating], labels: NDArray[np.floating]) -> FloatArray:
    """Correct each class's probability by the image's other labels, where that clearly helps.

    Parameters
    ----------
    probs : ndarray, shape (n_images, n_classes)
        In 0..1; did not see the image's own labels.
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown, as given.

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        In 0..1; an image's own label of a class took no part in that class's probability.

    Notes
    -----
    The residual ``y - p`` of a class is regressed (ridge) on the residuals ``t - p`` of the others,
    where ``t`` is the believed truth of `model_entries`, not the label as given. Errors go
    together too (a label moved to another class is one wrong yes and one wrong no), and from given
    labels the regression would learn to excuse them. The leave-one-out residuals have a closed
    form; a class whose leave-one-out error does not fall by three standard errors stays as it was.
    The regression without the class itself is read off one inverse over all classes.
    """
    p = np.asarray(probs, dtype=np.float64)
    y = np.asarray(labels, dtype=np.float64)
    known = np.isfinite(y)
    n_classes = p.shape[1]
    if n_classes < 2 or known.sum(axis=0).max(initial=0) < _IMAGES_A_CLASS * n_classes:
        return np.asarray(probs, dtype=np.float32)
    residual = np.where(known, y - p, 0.0)
    surprise = np.where(known, model_entries(y, p).truth - p, 0.0)
    predicted, leverage = _predict_from_others(surprise, residual)
    left_out = residual - (residual - predicted) / np.maximum(1.0 - leverage, 0.05)
    gain = np.where(known, residual**2 - (residual - left_out) ** 2, 0.0)
    count = np.maximum(known.sum(axis=0), 1)
    mean = gain.sum(axis=0) / count
    spread = np.sqrt(np.maximum((gain**2).sum(axis=0) / count - mean**2, 0.0) / count)
    helped = (mean > _CLEAR * spread) & (count >= _IMAGES_A_CLASS * n_classes)
    correction = np.where(known, left_out, predicted)
    corrected = soft_clip((p + correction).astype(np.float32))
    return np.where(helped, corrected, np.asarray(probs, dtype=np.float32))


def _predict_from_others(
    surprise: NDArray[np.float64], residual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ridge predictions of each column from the other columns, and the leverages.

    With ``P`` the inverse over all columns, that without column j is
    ``P - P[:, j] P[j, :] / P[j, j]`` on the others.
    """
    gram = surprise.T @ surprise
    ridge = _RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    own = np.diag(inverse)
    cross = surprise.T @ residual
    np.fill_diagonal(cross, 0.0)
    weights = inverse @ cross
    weights -= inverse * (np.diag(weights) / own)
    mapped = surprise @ inverse
    whole = (mapped * surprise).sum(axis=1, keepdims=True)
    without = mapped - surprise * own
    leverage = whole - 2.0 * surprise * mapped + surprise**2 * own - without**2 / own
    return surprise @ weights, leverage
