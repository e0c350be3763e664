"""Class activation maps: where a classifier of whole pictures finds its reasons.

Zhou et al., *Learning Deep Features for Discriminative Localization* (CVPR 2016): a classifier that
is linear in the mean of a map's cells gives each cell a score by the same weights, and the mean of
these scores is the score of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.patch_lda import PatchClassifier, PatchMaps, told_apart
from vernis.core.numeric.threads import single_threaded_products

_LEAST_SPREAD = 1e-6


@single_threaded_products()
def fit_activation_maps(
    pictures: Sequence[PatchMaps], Y: NDArray[np.floating], *, strength: float = 0.03
) -> PatchClassifier:
    """Learn one logistic regression a class on the means of maps; its weights score every cell.

    Parameters
    ----------
    pictures : sequence of PatchMaps
        Of one map each, mostly the last of the network.
    Y : ndarray of float, shape (n_pictures, n_classes)
        1, 0 or NaN for unknown.
    strength : float
        Inverse of the regularization, scikit-learn's ``C``.

    Raises
    ------
    InvalidValue
        There is no picture, or a class has no picture with it or none without it.
    """
    from sklearn.linear_model import LogisticRegression

    Y = told_apart(pictures, Y)
    X = np.stack(
        [np.concatenate([m.mean(axis=(0, 1), dtype=np.float32) for m in maps]) for maps in pictures]
    )
    mean, spread = X.mean(axis=0), np.maximum(X.std(axis=0), _LEAST_SPREAD)
    X = (X - mean) / spread
    weights, bias = [], []
    for column in Y.T:
        known = np.isfinite(column)
        model = LogisticRegression(C=strength, max_iter=500).fit(X[known], column[known] == 1)
        weights.append(model.coef_[0] / spread)
        bias.append(float(model.intercept_[0]) - float(mean @ weights[-1]))
    return PatchClassifier(np.stack(weights, axis=1).astype(np.float32), np.array(bias, np.float32))
