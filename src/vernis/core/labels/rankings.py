"""Rankings of labels by neighbours and distances, without a trained model, and what they are worth.

They are the peers that Vernis's own scores are measured against. Images of one group (duplicates)
never speak for one another, in any of them. All scores: low = bad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.neighbor_probabilities import nearest_others
from vernis.core.numeric.groups import group_codes
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]

_BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What the neighbours say of each image's label.

    Attributes
    ----------
    score : ndarray of float32, shape (n_images,)
        SimiFeat's ranking: the cosine between the votes and the given label, 0..1.
    margin : ndarray of float32, shape (n_images,)
        Weight of the votes for the given class minus that of the strongest other, as shares of all.
    outvoted : ndarray of bool, shape (n_images,)
        SimiFeat's rule: another class has more votes than the given one.
    """

    score: FloatArray
    margin: FloatArray
    outvoted: NDArray[np.bool_]


def neighbor_votes(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer] | None = None,
    k: int = 10,
) -> Votes:
    """Let the nearest images vote on each label by SimiFeat's rule.

    Votes are weighted by cosine similarity. The image is one of the ``k`` voters; the similarity to
    itself is extrapolated from its two nearest neighbours, as in the authors' code (Zhu, Dong and
    Liu, *Detecting Corrupted Labels Without Training a Model to Predict*, ICML 2022). Of their
    method this is one round on fixed features, without the rounds over augmented pictures.

    Parameters
    ----------
    features : ndarray, shape (n_images, dim)
        A similarity below 0 counts as 0.
    labels : ndarray of int, shape (n_images,)
        0 or more.
    groups : ndarray of int, shape (n_images,), optional
    k : int
        3 or more.

    Returns
    -------
    Votes
    """
    given = np.asarray(labels)
    if k < 3 or given.ndim != 1 or len(given) < k or int(given.min(initial=0)) < 0:
        raise InvalidValue(f"expected 3 ≤ k ≤ number of known labels, got k = {k}, {given.shape}")
    indices, weights = nearest_others(features, k - 1, groups)
    rows = np.arange(len(given))
    votes = np.zeros((len(given), int(given.max()) + 1), np.float32)
    for column in range(k - 1):
        np.add.at(votes, (rows, given[indices[:, column]]), weights[:, column])
    votes[rows, given] += np.maximum(2 * weights[:, 0] - weights[:, 1], 0.0)
    own = votes[rows, given]
    others = votes.copy()
    others[rows, given] = -np.inf
    strongest = np.maximum(others.max(axis=1), 0.0)
    total, length = votes.sum(axis=1), np.linalg.norm(votes, axis=1)
    return Votes(
        score=np.asarray(own / np.maximum(length, 1e-12), np.float32),
        margin=np.asarray((own - strongest) / np.maximum(total, 1e-12), np.float32),
        outvoted=np.asarray(strongest > own),
    )


def distance_ratio(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer] | None = None,
) -> FloatArray:
    """Return SelfClean's score: is the nearest image of another class nearer than one's own class?

    ``other² / (own² + other²)`` with the cosine distances to the nearest image of the same and of
    another label; an image that is alone in its class takes the farthest distance for ``own``
    (Gröger et al., *Intrinsic Self-Supervision for Data Quality Audits*, NeurIPS 2024, and their
    code). Their features come from self-supervised training on the collection; here they are given.

    Parameters
    ----------
    features : ndarray, shape (n_images, dim)
    labels : ndarray of int, shape (n_images,)
    groups : ndarray of int, shape (n_images,), optional

    Returns
    -------
    ndarray of float32, shape (n_images,)
        In 0..1; one half where both distances are 0 or there is no other class.
    """
    unit = normalize_rows(features)
    given, own_group = np.asarray(labels), group_codes(groups, len(unit))
    score = np.empty(len(unit), np.float32)
    for start in range(0, len(unit), _BLOCK):
        part = slice(start, start + _BLOCK)
        distance = np.maximum(1.0 - unit[part] @ unit.T, 0.0)
        foreign = own_group[part, None] != own_group[None]
        same = given[part, None] == given[None]
        own = np.where(foreign & same, distance, np.inf).min(axis=1)
        other = np.where(foreign & ~same, distance, np.inf).min(axis=1)
        farthest = np.where(foreign & ~same, distance, 0.0).max(axis=1)
        own = np.where(np.isfinite(own), own, farthest) ** 2
        other = np.where(np.isfinite(other), other, np.sqrt(own)) ** 2
        total = own + other
        score[part] = np.where(total > 0, other / np.where(total > 0, total, 1.0), 0.5)
    return score


def precision_at(score: NDArray[np.floating], wrong: NDArray[np.bool_], depth: int) -> float:
    """Return the share of wrong ones among the ``depth`` lowest scores.

    Equal scores at the border take part with the mean over their orders, so the order of the images
    does not matter.

    Parameters
    ----------
    score : ndarray, shape (n_images,)
    wrong : ndarray of bool, shape (n_images,)
    depth : int
        1 to n_images.
    """
    values = np.asarray(score, np.float64)
    if not 1 <= depth <= len(values):
        raise InvalidValue(f"expected a depth of 1 to {len(values)}, got {depth}")
    border = np.partition(values, depth - 1)[depth - 1]
    below, tied = values < border, values == border
    among_tied = (depth - int(below.sum())) * float(np.mean(wrong[tied]))
    return (int(wrong[below].sum()) + among_tied) / depth
