"""What scores cost where labels are known."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray


def log_loss(
    scores: NDArray[np.floating], Y: NDArray[np.floating], kind: Literal["single", "multi"]
) -> float:
    """Return the mean negative log-likelihood of the known labels.

    Parameters
    ----------
    scores : ndarray, shape (n_images, n_classes)
        Unbounded: of the softmax of each row (single) or the logistic function of each (multi).
        What is not finite is left out.
    Y : ndarray, shape (n_images, n_classes)
        1, 0 or NaN for unknown.
    kind : {'single', 'multi'}
    """
    from scipy.special import log_softmax

    values = np.asarray(scores, np.float64)
    if kind == "single":
        rows = np.flatnonzero((Y == 1).any(axis=1) & np.isfinite(values).all(axis=1))
        codes = np.nan_to_num(Y[rows]).argmax(axis=1)
        return -float(log_softmax(values[rows], axis=1)[np.arange(len(rows)), codes].mean())
    known = ~np.isnan(Y) & np.isfinite(values)
    signed = np.where(Y[known] > 0.5, values[known], -values[known])
    return float(np.logaddexp(0.0, -signed).mean())
