"""Find wrong labels: a ranking, what to put instead, how sure, and who speaks for it.

The pieces stand alone: `kernel_ridge` makes probabilities, `scores` turns them into scores,
`estimate` into chances of being wrong and a count. `find_label_issues` joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.entry_noise import join_chances, probability_of_multiple
from vernis.core.labels.estimate import NoiseModel, WrongCount, count_wrong, model_noise
from vernis.core.labels.scores import as_matrix, default_scorer, label_quality
from vernis.core.numeric.neighbors import nearest_neighbors
from vernis.core.numeric.row_blocks import drawn_evenly
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows
from vernis.domain.types import LabelScorer

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

CHANGES: tuple[str, ...] = ("", "extra", "missing", "replaced")
_SEARCHED = 50
_WITNESSES = 50_000
"""Labelled images among which those that speak for a change are looked for, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelIssues:
    """What is suspected of each image; every array has n_images rows.

    Attributes
    ----------
    scorer : str
    score : ndarray of float32, shape (n_images,)
        In 0..1, low = bad; NaN where no label is known.
    probability : ndarray of float32, shape (n_images,)
        That the image carries a wrong label; NaN where no label is known.
    probability_of_multiple : ndarray of float32, shape (n_images,)
        That two of its labels or more are wrong; 0 for a single-label taxonomy.
    expected, variance : ndarray of float32, shape (n_images,)
        How many labels of an image are wrong by their chances p, ``Σ p``, and the variance of that,
        ``Σ p (1 - p)``; 0 where none is judged.
    change : ndarray of str, shape (n_images,)
        ``extra`` (a label too many), ``missing``, ``replaced``, or empty where none is known.
    suggested : ndarray of bool, shape (n_images, n_classes)
        The labels the image should have if it is wrong.
    flagged : ndarray of bool, shape (n_images,)
        Lies in the part of the ranking that is worth reading.
    order : ndarray of int64, shape (n_labelled,)
        Labelled images, worst first.
    wrong : WrongCount
    transition : ndarray of float64
        See `NoiseModel`.
    """

    scorer: str
    score: FloatArray
    probability: FloatArray
    probability_of_multiple: FloatArray
    expected: FloatArray
    variance: FloatArray
    change: NDArray[np.str_]
    suggested: BoolArray
    flagged: BoolArray
    order: NDArray[np.int64]
    wrong: WrongCount
    transition: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SupportingNeighbors:
    """Similar images whose labels speak for the suggestion, nearest first.

    ``indices`` and ``similarities`` have shape (n_queries, n_neighbors), padded with -1 and NaN.
    ``agreement`` (n_queries,) is the share of the nearest 10 labelled images that speak for it.
    """

    indices: NDArray[np.int64]
    similarities: FloatArray
    agreement: FloatArray


def find_label_issues(
    labels: NDArray[np.generic],
    probs: NDArray[np.floating],
    *,
    scorer: LabelScorer | None = None,
    judged: BoolArray | None = None,
    groups: Sequence[NDArray[np.integer]] = (),
    min_yield: float = 0.25,
) -> LabelIssues:
    """Judge every given label by probabilities that did not see it.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of int (negative = unknown) or (n_images, n_classes) of
        1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        As `predict_left_out` makes them, or a head's out-of-bag means.
    scorer : str, optional
        See `label_quality`.
    judged : ndarray of bool, shape (n_images, n_classes), optional
        The entries that may be wrong, for instance not those that a person confirmed. A
        single-label image is judged when its given class is. Default: every known entry.
    groups : sequence of ndarray of int
        Images of one group show the same thing and their labels disagree, so that one of them at
        least is wrong: they share the mean of their probabilities.
    min_yield : float
        See `count_wrong`.

    Returns
    -------
    LabelIssues
    """
    matrix = as_matrix(labels, np.asarray(probs).shape[-1])
    single = np.ndim(labels) == 1
    name = scorer or default_scorer("single" if single else "multi")
    known = np.isfinite(matrix) if judged is None else np.isfinite(matrix) & judged
    if single:
        known = np.repeat((known & (matrix == 1)).any(axis=1)[:, None], matrix.shape[1], axis=1)
    noise = share_truth(matrix, model_noise(labels, probs), known, groups, single=single)
    if single:
        own = np.where(known.any(axis=1), labels, -1)
        score = label_quality(own, probs, scorer=name)
        suggested = _suggest_single(matrix, probs)
        suggested = _suggest_shared(suggested, noise, groups)
    else:
        score = _score_multi(np.where(known, matrix, np.nan), probs, noise, name)
        suggested = _suggest_multi(matrix, noise, known)
    for members in groups:
        score[members] = np.minimum(score[members], 1.0 - noise.image_wrong[members])
    entries = noise.image_wrong[:, None] if single else noise.wrong
    chances = np.nan_to_num(entries)
    wrong = count_wrong(
        noise.image_wrong,
        score,
        labels_wrong=None if single else noise.wrong,
        spread=noise.spread,
        min_yield=min_yield,
    )
    order = np.argsort(np.where(np.isfinite(score), score, np.inf), kind="stable")
    order = order[: wrong.n_labelled]
    flagged = np.zeros(len(matrix), dtype=bool)
    flagged[order[: wrong.n_worth_reading]] = True
    for members in groups:
        flagged[members] |= noise.image_wrong[members] >= 0.5
    return LabelIssues(
        scorer=name,
        score=score,
        probability=noise.image_wrong,
        probability_of_multiple=_probability_of_multiple(noise, single=single),
        expected=chances.sum(axis=1),
        variance=(chances * (1 - chances)).sum(axis=1),
        change=_name_changes(matrix, suggested),
        suggested=suggested,
        flagged=flagged,
        order=order.astype(np.int64),
        wrong=wrong,
        transition=noise.transition,
    )


def _score_multi(
    judged: FloatArray, probs: NDArray[np.floating], noise: NoiseModel, name: LabelScorer
) -> FloatArray:
    """Score the judged entries; the noise model has learned from the others too."""
    if name != "posterior":
        return label_quality(judged, probs, scorer=name)
    known = np.isfinite(judged)
    score = join_chances(np.where(known, noise.wrong, np.nan))
    return np.where(known.any(axis=1), score, np.nan).astype(np.float32)


def _probability_of_multiple(noise: NoiseModel, *, single: bool) -> FloatArray:
    if single:
        return np.zeros(len(noise.wrong), dtype=np.float32)
    return np.asarray(probability_of_multiple(noise.wrong), dtype=np.float32)


def share_truth(
    matrix: FloatArray,
    noise: NoiseModel,
    judged: BoolArray,
    groups: Sequence[NDArray[np.integer]],
    *,
    single: bool,
) -> NoiseModel:
    """Give the images of a group one common truth, and leave out what is not judged."""
    truth = noise.truth
    if len(groups):
        truth = truth.copy()
    for members in groups:
        truth[members] = truth[members].mean(axis=0)
    wrong, yes = truth.copy(), matrix == 1
    wrong[yes] = np.float32(1.0) - truth[yes]
    wrong[~judged] = np.nan
    if single:
        chance = np.where(matrix == 1, wrong, 0.0).sum(axis=1)
    else:
        chance = np.where(judged, wrong, 0.0).max(axis=1)
    image_wrong = np.where(judged.any(axis=1), chance, np.nan).astype(np.float32)
    return replace(noise, truth=truth, wrong=wrong, image_wrong=image_wrong)


def _suggest_single(matrix: FloatArray, probs: NDArray[np.floating]) -> BoolArray:
    """Suggest the likeliest class other than the given one."""
    others = np.where(matrix == 1, -1.0, np.asarray(probs, dtype=np.float32))
    suggested = np.zeros(matrix.shape, dtype=bool)
    suggested[np.arange(len(matrix)), others.argmax(axis=1)] = True
    labelled: BoolArray = np.asarray(np.isfinite(matrix).any(axis=1))
    return suggested & labelled[:, None]


def _suggest_shared(
    suggested: BoolArray, noise: NoiseModel, groups: Sequence[NDArray[np.integer]]
) -> BoolArray:
    """Suggest the common truth to the members of a group that do not have it."""
    for members in groups:
        common = int(noise.truth[members[0]].argmax())
        wrong = members[noise.wrong[members, common] > 0.5]
        suggested[wrong] = False
        suggested[wrong, common] = True
    return suggested


def _suggest_multi(matrix: FloatArray, noise: NoiseModel, judged: BoolArray) -> BoolArray:
    """Turn every entry that is wrong with a chance above one half, and the worst in any case.

    Where a label is taken away, unknown classes that are probably true are added.
    """
    chance = np.where(judged, noise.wrong, -1.0)
    turned = chance > 0.5
    rows = np.flatnonzero(judged.any(axis=1))
    turned[rows, chance[rows].argmax(axis=1)] = True
    given = matrix == 1
    suggested = np.where(turned, ~given, given)
    loses: BoolArray = np.asarray((given & ~suggested).any(axis=1))
    suggested |= loses[:, None] & ~judged & (matrix != 1) & (noise.truth > 0.5)
    labelled: BoolArray = np.asarray(np.isfinite(matrix).any(axis=1))
    return np.asarray(suggested & labelled[:, None])


def _name_changes(matrix: FloatArray, suggested: BoolArray) -> NDArray[np.str_]:
    given = matrix == 1
    removes = (given & ~suggested).any(axis=1)
    adds = (suggested & ~given).any(axis=1)
    known = np.isfinite(matrix).any(axis=1)
    code = np.where(known, removes * 1 + adds * 2, 0)
    return np.asarray(CHANGES)[code]


def _witnesses(matrix: FloatArray) -> NDArray[np.intp]:
    """Return the labelled images, or as many of each label where they are very many."""
    labelled = np.flatnonzero(np.isfinite(matrix).any(axis=1))
    if len(labelled) <= _WITNESSES:
        return labelled
    most = max(1, _WITNESSES // matrix.shape[1])
    carriers = (np.flatnonzero(column == 1) for column in matrix.T)
    return np.unique(np.concatenate([drawn_evenly(own, most) for own in carriers]))


def find_supporting_neighbors(
    features: Rows,
    labels: NDArray[np.generic],
    issues: LabelIssues,
    queries: NDArray[np.integer],
    *,
    n_neighbors: int = 5,
    groups: NDArray[np.integer] | None = None,
) -> SupportingNeighbors:
    """Find, for some images, the nearest labelled ones that speak for the suggested change.

    A witness carries every class that would be added, and surely none that would be removed.

    Parameters
    ----------
    features : Rows, shape (n_images, d)
        Of more than 50,000 labelled images so many are looked among, evenly of each label.
    labels : ndarray
        As given to `find_label_issues`.
    issues : LabelIssues
    queries : ndarray of int, shape (n_queries,)
        Images to explain, for instance the flagged ones.
    n_neighbors : int
    groups : ndarray of int, shape (n_images,), optional
        An image's own group is left out.

    Returns
    -------
    SupportingNeighbors
    """
    if len(features) != len(issues.score):
        raise InvalidValue(f"expected {len(issues.score)} feature rows, got {len(features)}")
    matrix = as_matrix(labels, issues.suggested.shape[1])
    pool = _witnesses(matrix)
    near = nearest_neighbors(features[queries], features[pool], _SEARCHED)
    found = pool[near.indices]
    own = np.arange(len(features)) if groups is None else np.asarray(groups)
    foreign = (found != np.asarray(queries)[:, None]) & (own[found] != own[queries][:, None])
    indices = np.full((len(queries), n_neighbors), -1, dtype=np.int64)
    similarities = np.full((len(queries), n_neighbors), np.nan, dtype=np.float32)
    agreement = np.zeros(len(queries), dtype=np.float32)
    for row, image in enumerate(queries):
        given = matrix[image] == 1
        added = issues.suggested[image] & ~given
        removed = given & ~issues.suggested[image]
        theirs = matrix[found[row]]
        speaks = (theirs[:, added] == 1).all(axis=1) & (theirs[:, removed] == 0).all(axis=1)
        others = np.flatnonzero(foreign[row])
        chosen = others[speaks[others]][:n_neighbors]
        indices[row, : len(chosen)] = found[row, chosen]
        similarities[row, : len(chosen)] = near.similarities[row, chosen]
        agreement[row] = speaks[others[:10]].mean() if len(others) else 0.0
    return SupportingNeighbors(indices, similarities, agreement)
