"""The predictions that given labels are held against, from features and labels alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.clean.label_dependence import listen_to_others
from vernis.core.clean.label_relearn import Relearned, kernel_basis, relearn

FloatArray = NDArray[np.float32]

BANDWIDTH = 0.4
"""For embeddings, whose vectors are all about equally far from one another."""
NARROW_BANDWIDTHS = (0.4, 1.0, 2.0, 4.0)
"""Tried where there are few columns, in which distances differ more."""
_NARROW = 64


def predict_labels(
    features: NDArray[np.floating],
    labels: NDArray[np.floating],
    *,
    kind: Literal["single", "multi"],
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> FloatArray:
    """Predict every image's labels from the other images, and from its other labels.

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
    return best.probs if kind == "single" else listen_to_others(best.probs, labels)
