"""Which vectors tell the labels of a taxonomy best: the likelihood of its given labels.

One object that fills the picture, many small ones, things that stand on the edge: no vectors are
the best for all. The given labels themselves say which to take, errors allowed for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.predictions import predict_labels

LEAST_GAIN = 0.01
"""Other vectors than the first are taken where the loss falls by this share of it at least."""


def label_loss(
    features: NDArray[np.floating],
    labels: NDArray[np.floating],
    *,
    kind: Literal["single", "multi"],
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> float:
    """Return how unlikely the given labels are by what the other images say of each.

    Parameters
    ----------
    features : ndarray, shape (n_images, d)
        Of ``combine_blocks``.
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    kind : {'single', 'multi'}
    groups : ndarray of int, shape (n_images,), optional
        Images of one group never speak for one another.
    seed : int

    Returns
    -------
    float
        Nats: of an image with one label, of a known entry with several (`EntryNoise.loss`, in
        which the errors of the labels are allowed for).
    """
    probs = predict_labels(features, labels, kind=kind, groups=groups, seed=seed)
    if kind == "multi":
        return float(model_entries(labels, probs).loss)
    given = (labels == 1).any(axis=1)
    chance = np.where(labels == 1, probs, 0.0).sum(axis=1)[given]
    return -float(np.log(np.maximum(chance, 1e-6)).mean())


def choose_blocks(
    candidates: Mapping[str, Callable[[], NDArray[np.floating]]],
    labels: NDArray[np.floating],
    *,
    kind: Literal["single", "multi"],
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> tuple[str, dict[str, float]]:
    """Return the name of the features to take, and the `label_loss` of all.

    Parameters
    ----------
    candidates : mapping of str to callable
        Makes the features of each; the first is kept unless another is better by `LEAST_GAIN`.
    labels, kind, groups, seed
        See `label_loss`.
    """
    how = {"kind": kind, "groups": groups, "seed": seed}
    losses = {name: label_loss(make(), labels, **how) for name, make in candidates.items()}  # type: ignore[arg-type]
    first = next(iter(losses))
    best = min(losses, key=lambda name: losses[name])
    return (best if losses[best] <= (1 - LEAST_GAIN) * losses[first] else first), losses
