"""Confident learning's rules for wrong labels, the peer that flagged images are measured against.

Northcutt, Jiang & Chuang, *Confident Learning: Estimating Uncertainty in Dataset Labels*, JAIR
2021. Labels come as for `scores`; with several labels an image each class is judged alone as
yes or no, and one error suffices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
_Codes = NDArray[np.int64]
_Probs = NDArray[np.float64]


def confident_errors(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> BoolArray:
    """Return the images off the diagonal of the confident joint.

    An image counts for a class that it has with confidence: at least the mean probability that the
    images given the class have of it; for its likeliest class where there are several. It is an
    error where that is not the class given (eq. 1), unless the given class is the likeliest.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of class indices (negative = unknown), or (n_images,
        n_classes) of 1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        In 0..1; did not see the image's own label.

    Returns
    -------
    ndarray of bool, shape (n_images,)
        False where nothing is known.
    """
    return _judge(labels, probs, _off_diagonal)


def pruned_errors(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> BoolArray:
    """Return the images that pruning by noise rate removes, cleanlab's default rule.

    Of the images given class i, for each other class j, as many as the calibrated confident joint
    counts there (eq. 2) are removed: those with the largest margin ``p_j - p_i`` (section 3.2,
    method 4). One image of a class stays, and an image whose given class is the likeliest stays.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of class indices (negative = unknown), or (n_images,
        n_classes) of 1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        In 0..1; did not see the image's own label.

    Returns
    -------
    ndarray of bool, shape (n_images,)
        False where nothing is known.
    """
    return _judge(labels, probs, _pruned)


def _judge(
    labels: NDArray[np.generic],
    probs: NDArray[np.floating],
    rule: Callable[[_Codes, _Probs], BoolArray],
) -> BoolArray:
    """Apply a rule to the images of known labels, class by class where they carry several."""
    p = np.asarray(probs, dtype=np.float64)
    if np.ndim(labels) == 1:
        return _where_known(np.asarray(labels, dtype=np.int64), p, rule)
    y = np.asarray(labels, dtype=np.float64)
    wrong = np.zeros(len(p), dtype=bool)
    for given, yes in zip(y.T, p.T, strict=True):
        codes = np.where(np.isfinite(given), np.nan_to_num(given), -1).astype(np.int64)
        wrong |= _where_known(codes, np.stack([1.0 - yes, yes], axis=1), rule)
    return wrong


def _where_known(
    given: _Codes, p: _Probs, rule: Callable[[_Codes, _Probs], BoolArray]
) -> BoolArray:
    known = given >= 0
    wrong = np.zeros(len(given), dtype=bool)
    if known.any():
        wrong[known] = rule(given[known], p[known])
    return wrong


def _confident_class(given: _Codes, p: _Probs) -> _Codes:
    """Return the class each image has with confidence; -1 where it has none."""
    threshold = np.full(p.shape[1], np.inf)
    for k in np.unique(given):
        threshold[k] = p[given == k, k].mean()
    confident = p >= threshold - 1e-6
    # as the package does: of several, the likeliest class of all
    counted = np.where(confident.sum(axis=1) > 1, p.argmax(axis=1), confident.argmax(axis=1))
    return np.asarray(np.where(confident.any(axis=1), counted, -1))


def _off_diagonal(given: _Codes, p: _Probs) -> BoolArray:
    counted = _confident_class(given, p)
    return np.asarray((counted >= 0) & (counted != given) & ~_is_likeliest(given, p))


def _pruned(given: _Codes, p: _Probs) -> BoolArray:
    joint = _calibrated_joint(given, _confident_class(given, p), p.shape[1])
    wrong = np.zeros(len(given), dtype=bool)
    for i, counts in enumerate(joint):
        rows = np.flatnonzero(given == i)
        if len(rows) < 2:
            continue
        for j in np.flatnonzero(counts):
            if j != i:
                margin = p[rows, j] - p[rows, i]
                wrong[rows[np.argsort(-margin, kind="stable")[: counts[j]]]] = True
    return wrong & ~_is_likeliest(given, p)


def _is_likeliest(given: _Codes, p: _Probs) -> BoolArray:
    own = p[np.arange(len(given)), given]
    return np.asarray(own >= p.max(axis=1) - np.finfo(np.float64).eps)


def _calibrated_joint(given: _Codes, counted: _Codes, n_classes: int) -> NDArray[np.int64]:
    """Return how many images of each given class (row) truly are of each class (column)."""
    joint = np.zeros((n_classes, n_classes))
    sure = counted >= 0
    np.add.at(joint, (given[sure], counted[sure]), 1.0)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1.0))
    share = joint / joint.sum(axis=1, keepdims=True)
    joint = _whole(share * np.bincount(given, minlength=n_classes)[:, None]).astype(np.float64)
    # one image of each class stays: what the diagonal lacks is taken evenly from the errors
    stay = np.maximum(joint.diagonal(), 1.0)
    errors = np.maximum(np.count_nonzero(joint, axis=1) - 1.0, 1.0)
    joint = np.maximum(joint - ((stay - joint.diagonal()) / errors)[:, None], 0.0)
    np.fill_diagonal(joint, stay)
    return _whole(joint.T).T


def _whole(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round each row to whole numbers of the same rounded sum, changing what is nearest to it."""
    found = np.rint(rows)
    for row, whole in zip(rows, found, strict=True):
        missing = int(np.rint(row.sum()) - whole.sum())
        step = 1 if missing > 0 else -1
        whole[np.argsort(row - whole, kind="stable")[::-step][: abs(missing)]] += step
    return found.astype(np.int64)
