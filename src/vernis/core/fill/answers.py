"""Answers of a head with what speaks for them, and the probability that they are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from vernis.core.numeric.neighbors import Neighbors
from vernis.core.numeric.threads import single_threaded_products

Doubles = NDArray[np.float64]
Kind = Literal["single", "multi"]

_LEAST_PROBABILITY = 0.2
"""Multi-label answers below it are not considered."""
_VOTERS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Possible labels: for a single-label taxonomy the most probable class of every image.

    Attributes
    ----------
    image, label : ndarray of int64, shape (n_answers,)
        Row of the image and column of the class.
    probability : ndarray of float64, shape (n_answers,)
        Of the head.
    features : ndarray of float64, shape (n_answers, n_features)
        Log-odds, similarity of the nearest labelled image, how much nearer images with the label
        are than images without it, votes of the neighbours, log-odds less the runner-up's.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: Doubles
    features: Doubles


def _log_odds(p: Doubles) -> Doubles:
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))


def collect_answers(
    probabilities: Doubles, neighbors: Neighbors, yes: NDArray[np.bool_], kind: Kind
) -> Answers:
    """Return the labels that a head would give, with what speaks for them.

    Parameters
    ----------
    probabilities : ndarray, shape (n_images, n_classes)
    neighbors : Neighbors
        Of these images among the labelled ones.
    yes : ndarray of bool, shape (n_labelled, n_classes)
    kind : {'single', 'multi'}

    Returns
    -------
    Answers
    """
    if kind == "single":
        image, label = np.arange(len(probabilities)), probabilities.argmax(axis=1)
    else:
        image, label = np.nonzero(probabilities >= _LEAST_PROBABILITY)
    own = probabilities[image, label]
    agrees = yes[neighbors.indices[image], label[:, None]] & (neighbors.similarities[image] > -1)
    similarity = neighbors.similarities[image].astype(np.float64)
    farthest = similarity[:, -1] if similarity.size else np.empty(0)
    nearest_with = np.where(agrees, similarity, -1).max(axis=1, initial=-1)
    nearest_without = np.where(agrees, -1, similarity).max(axis=1, initial=-1)
    weight = np.exp(20 * (similarity[:, :_VOTERS] - similarity[:, :1]))
    votes = (weight * agrees[:, :_VOTERS]).sum(axis=1) / weight.sum(axis=1)
    columns = [
        _log_odds(own),
        similarity[:, 0],
        np.maximum(nearest_with, farthest) - np.maximum(nearest_without, farthest),
        votes,
    ]
    if kind == "single":
        others = probabilities.copy()
        others[image, label] = 0
        columns.append(_log_odds(own) - _log_odds(others.max(axis=1)))
    return Answers(image, label, own, np.stack(columns, axis=1))


def standardize(features: Doubles, asked: Doubles) -> tuple[Doubles, Doubles]:
    """Return both with mean 0 and deviation 1 of the first, column by column."""
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    return (features - mean) / spread, (asked - mean) / spread


@single_threaded_products()
def calibrate(
    features: Doubles, correct: NDArray[np.bool_], groups: NDArray[np.int64], asked: Doubles
) -> tuple[Doubles, Doubles, Doubles]:
    """Return the probability of being right of the held-out answers, twice, and of the asked ones.

    First cross-fitted, for what is measured on them; then by the one curve that the asked ones are
    judged by, so that a cut means the same for both.

    Logistic regression on standardized features (Platt 1999 with more than one feature), five folds
    of whole groups.
    """
    A, B = standardize(features, asked)
    folds = GroupKFold(min(5, len(np.unique(groups))))
    score = np.empty(len(A))
    for train, test in folds.split(A, correct, groups):
        score[test] = _fit_logistic(A[train], correct[train], A[test])
    both = _fit_logistic(A, correct, np.vstack([A, B]))
    return score, both[: len(A)], both[len(A) :]


def _fit_logistic(A: Doubles, correct: NDArray[np.bool_], B: Doubles) -> Doubles:
    """Fit on (A, correct) with one answer of each kind added, so that both kinds are there."""
    if not len(B):
        return np.empty(0)
    model = LogisticRegression(C=1.0)
    model.fit(np.vstack([A, ends_of(A)]), np.append(correct, [False, True]))
    return np.asarray(model.predict_proba(B)[:, 1], np.float64)


def ends_of(A: Doubles) -> Doubles:
    """Return an answer less sure than all, which is taken for wrong, and one more sure: right."""
    ends = np.zeros((2, A.shape[1]))
    ends[:, 0] = float(A[:, 0].min()) - 1, float(A[:, 0].max()) + 1
    return ends
