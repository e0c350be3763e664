"""The predictions that given labels are held against, from features and labels alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.dependence import listen_to_others
from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.neighbor_probabilities import neighbor_probabilities
from vernis.core.numeric.additive_ridge import WHOLE, predict_in_passes
from vernis.core.numeric.kernel_ridge import (
    N_LANDMARKS,
    LeftOutPrediction,
    draw_landmarks,
    gaussian_kernel,
    kernel_basis,
    predict_left_out,
)
from vernis.core.numeric.threads import in_threads, single_threaded_products
from vernis.domain.ports import Rows

FloatArray = NDArray[np.float32]

BANDWIDTH = 0.4
"""For embeddings with one label an image: their vectors are all about equally far from another."""
BANDWIDTHS = (0.1, 0.2, 0.4, 1.0, 2.0, 4.0)
"""For several labels an image, and for few columns, in which distances differ more."""
_NARROW = 64
_SIDE_BY_SIDE = 20_000
"""Up to so many images two widths are tried at once; each takes some 20 kB an image."""
MOST_OF_NEIGHBORS = 0.5
"""The neighbours' largest share in the mean of both. By squared error they would have 0.7 of it on
aquarium and 0.9 on coco128, where an even mean ranks better."""


def predict_labels(
    features: Rows,
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
    features : Rows, shape (n_images, d)
        Of ``combine_rows``; one label an image reads them block by block where they are many.
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
        No entry has seen itself.

    Notes
    -----
    The kernel's bandwidth: with several labels an image the one under whose predictions the given
    labels are likeliest, errors and all (`model_entries`), searched from `BANDWIDTH` downhill.
    The leave-out error would choose narrower ones, which predict the errors of the neighbours
    too. With one label an image `BANDWIDTH`, or the one of least leave-out error below 64 columns.
    """
    labelled = np.asarray(np.isfinite(labels).any(axis=1))

    def left_out(bandwidth: float) -> LeftOutPrediction:
        if len(features) > WHOLE:
            landmarks = draw_landmarks(labelled, N_LANDMARKS, seed)
            near = np.asarray(features[landmarks], np.float32)
            return predict_in_passes(
                lambda rows: gaussian_kernel(
                    np.asarray(features[rows], np.float32), near, bandwidth
                ),
                landmarks,
                labelled,
                labels,
                kind=kind,
                groups=groups,
            )[0]
        basis = kernel_basis(features[:], labelled, bandwidth=bandwidth, seed=seed)
        return predict_left_out(basis, labels, kind=kind, groups=groups)

    with single_threaded_products():
        if kind == "single":
            narrow = features.shape[1] < _NARROW
            tried = [left_out(b) for b in (BANDWIDTHS[2:] if narrow else (BANDWIDTH,))]
            return min(tried, key=lambda found: found.error).probs
        features = features[:]
        near = neighbor_probabilities(features, labels, groups)
        at_once = 2 if len(features) <= _SIDE_BY_SIDE else 1
        return _likeliest(lambda bandwidth: _join(left_out(bandwidth).probs, near, labels), at_once)


def _join(
    probs: FloatArray, near: FloatArray, labels: NDArray[np.floating]
) -> tuple[FloatArray, float]:
    """Return what kernel, neighbours and other labels say together, and its `EntryNoise.loss`."""
    weight = _weight_of(near, probs, labels)
    mixed = ((1.0 - weight) * probs + weight * near).astype(np.float32)
    heard = listen_to_others(mixed, labels)
    return heard, model_entries(labels, heard).loss


def _likeliest(predicted: Callable[[float], tuple[FloatArray, float]], at_once: int) -> FloatArray:
    """Return the predictions of the bandwidth of least loss, from `BANDWIDTH` downhill."""
    at = BANDWIDTHS.index(BANDWIDTH)
    # `BANDWIDTH` and the next narrower one are always needed.
    needed = (at, at - 1)[:at_once]
    ready = dict(zip(needed, in_threads(predicted, [BANDWIDTHS[i] for i in needed]), strict=True))
    best, loss = ready.pop(at)
    for step in (-1, 1):
        moved = False
        while 0 <= at + step < len(BANDWIDTHS):
            tried = at + step
            probs, found = ready.pop(tried) if tried in ready else predicted(BANDWIDTHS[tried])
            if found >= loss:
                break
            best, loss, at, moved = probs, found, at + step, True
        if moved:
            break
    return best


def _weight_of(near: FloatArray, probs: FloatArray, labels: NDArray[np.floating]) -> float:
    """Return the share of ``near`` of least squared error, within its bounds."""
    known = np.isfinite(labels)
    step = (near - probs)[known].astype(np.float64)
    length = float((step**2).sum())
    if not length:
        return 0.0
    best = float(((labels - probs)[known] * step).sum()) / length
    return float(np.clip(best, 0.0, MOST_OF_NEIGHBORS))
