"""The predictions that given labels are held against, from features and labels alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.clean.label_dependence import listen_to_others
from vernis.core.clean.label_relearn import Relearned, kernel_basis, relearn
from vernis.core.clean.neighbor_probabilities import neighbor_probabilities

FloatArray = NDArray[np.float32]

BANDWIDTH = 0.4
"""For embeddings, whose vectors are all about equally far from one another."""
NARROW_BANDWIDTHS = (0.4, 1.0, 2.0, 4.0)
"""Tried where there are few columns, in which distances differ more."""
_NARROW = 64
MOST_OF_NEIGHBORS = 0.5
"""The neighbours' largest share in the mean of both. By squared error they would have 0.7 of it on
aquarium and 0.9 on coco128, where an even mean ranks better."""


def predict_labels(
    features: NDArray[np.floating],
    labels: NDArray[np.floating],
    *,
    kind: Literal["single", "multi"],
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> FloatArray:
    """Predict every image's labels from the other images, and from its other labels.

    One label an image: kernel ridge regression, leave-out. Several: its weighted mean with the
    nearest others' labels (`neighbor_probabilities`), corrected by the image's other labels
    (`listen_to_others`). The weight is that of least squared error against the given labels, at
    most `MOST_OF_NEIGHBORS`; where the kernel is all that is needed it is 0.

    Parameters
    ----------
    features : ndarray, shape (n_images, d)
        Of ``label_relearn.combine_blocks``.
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    kind : {'single', 'multi'}
    groups : ndarray of int, shape (n_images,), optional
        Images of one group never speak for one another.
    seed : int
        Draws the landmarks of the kernel.

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        No entry has seen itself. Below 64 columns the kernel's bandwidth is that of least
        leave-out error.
    """
    labelled = np.asarray(np.isfinite(labels).any(axis=1))
    bandwidths = NARROW_BANDWIDTHS if np.shape(features)[1] < _NARROW else (BANDWIDTH,)
    best: Relearned | None = None
    for bandwidth in bandwidths:
        basis = kernel_basis(features, labelled, bandwidth=bandwidth, seed=seed)
        found = relearn(basis, labels, kind=kind, groups=groups)
        if best is None or found.error < best.error:
            best = found
    assert best is not None
    if kind == "single":
        return best.probs
    near = neighbor_probabilities(features, labels, groups)
    weight = _weight_of(near, best.probs, labels)
    mixed = ((1.0 - weight) * best.probs + weight * near).astype(np.float32)
    return listen_to_others(mixed, labels)


def _weight_of(near: FloatArray, probs: FloatArray, labels: NDArray[np.floating]) -> float:
    """Return the share of ``near`` of least squared error, within its bounds."""
    known = np.isfinite(labels)
    step = (near - probs)[known].astype(np.float64)
    length = float((step**2).sum())
    if not length:
        return 0.0
    best = float(((labels - probs)[known] * step).sum()) / length
    return float(np.clip(best, 0.0, MOST_OF_NEIGHBORS))
