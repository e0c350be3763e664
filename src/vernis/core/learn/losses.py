"""The losses of a head: masked cross-entropy with independent or exclusive classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Loss = Literal["sigmoid", "softmax"]
Floats = NDArray[np.float32]


def activate(logits: Floats, loss: Loss) -> Floats:
    """Turn logits into probabilities, in place."""
    if loss == "sigmoid":
        expit(logits, out=logits)
        return logits
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Targets ready for training.

    Attributes
    ----------
    values : ndarray of float32, shape (n_images, n_classes)
    weight : ndarray of float32, shape (n_images, 1 or n_classes), or None
        Product of the mask, the class weights and the sample weights.
    """

    values: Floats
    weight: Floats | None


def prepare_targets(
    Y: Floats,
    loss: Loss,
    *,
    sample_weight: Floats | None = None,
    class_weight: Floats | None = None,
    smoothing: float = 0.0,
) -> Targets:
    """Bring labels and weights into the form of `Targets`.

    Parameters
    ----------
    Y : ndarray of float32, shape (n_images, n_classes)
        Values in 0..1, NaN where unknown.
    loss : {'sigmoid', 'softmax'}
    sample_weight : ndarray of float32, shape (n_images,) or (n_images, n_classes), optional
    class_weight : ndarray of float32, shape (n_classes,), optional
    smoothing : float
        Share of each target replaced by the uniform one.
    """
    known = ~np.isnan(Y)
    filled = np.where(known, Y, np.float32(0))
    factors: list[Floats] = []
    if sample_weight is not None:
        factors.append(sample_weight.reshape(len(Y), -1))
    if loss == "softmax":
        values = Y
        level = 1.0 / Y.shape[1]
        if class_weight is not None:
            by_image = (filled @ class_weight)[:, None]
            factors.append(np.where(by_image > 0, by_image, np.float32(1)))
    else:
        values = filled
        level = 0.5
        if class_weight is not None:
            factors.append(1 + filled * (class_weight - 1))
        if not known.all():
            factors.append(known.astype(np.float32))
    if smoothing:
        values = values * np.float32(1 - smoothing) + np.float32(smoothing * level)
    weight = None
    for factor in factors:
        weight = factor if weight is None else weight * factor
    return Targets(values, weight)


def loss_gradient(
    probabilities: Floats, targets: Targets, rows: NDArray[np.intp], loss: Loss
) -> Floats:
    """Turn probabilities into the gradient of the cross-entropy by the logits, in place.

    A softmax row with unknown classes is credited with the likelihood of "one of the classes that
    are not excluded": the mass that the known classes leave is shared among the unknown ones in
    proportion to the present probabilities, which leaves a wholly unknown row without gradient.
    """
    wanted = targets.values[rows]
    if loss == "softmax":
        unknown = np.isnan(wanted)
        if unknown.any():
            left = np.clip(1 - np.nansum(wanted, axis=-1, keepdims=True), 0, 1)
            mass = (probabilities * unknown).sum(axis=-1, keepdims=True)
            shared = probabilities * (left / np.maximum(mass, 1e-12))
            wanted = np.where(unknown, shared, wanted)
    probabilities -= wanted
    if targets.weight is not None:
        probabilities *= targets.weight[rows]
    return probabilities
