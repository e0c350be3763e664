"""Do the pictures tell the classes apart at all? A permutation test of leave-out predictions.

A column that has nothing to do with the pictures (a season drawn at random, an inventory number)
contradicts every prediction, and all of its labels would look wrong. Before a label is called
wrong, its column must be told from the same column dealt out to the images at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata

from vernis.core.labels.scores import as_matrix
from vernis.core.numeric.groups import group_codes
from vernis.core.numeric.kernel_ridge import kernel_basis
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows
from vernis.domain.types import Learnability, LearnabilityVerdict

DoubleArray = NDArray[np.float64]
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_N_PERMUTATIONS = 199
_LEVEL = 0.02
"""So often at most is a random column taken for one that the pictures tell."""
_RIDGE = 1.0
_BANDWIDTH = 0.4
_N_LANDMARKS = 500
_MOST_IMAGES = 6000
_FEWEST_TOLD = 3
"""Images with and without a class below which nothing is said of it."""
_FEWEST_DENIED = 10
"""Images with and without a class below which it is never called untellable."""
_NEXT_TO_NOTHING = 0.65
"""A separation that is surely below this is of no use to judge single labels by."""


@dataclass(frozen=True, slots=True)
class TaxonomyLearnability:
    """The learnability of a taxonomy, and of each of its classes, in their order."""

    whole: Learnability
    classes: tuple[Learnability, ...]

    @property
    def denied(self) -> tuple[int, ...]:
        """The classes that the pictures do not tell from the others."""
        return tuple(k for k, one in enumerate(self.classes) if one.verdict == "no")


@dataclass(frozen=True, slots=True, eq=False)
class _Smoother:
    """The leave-out predictions ``D (H - diag H)`` of a centred kernel, as factors.

    ``features``: (n, rank), ``scaled``: times ``inverse`` they give ``H``. ``factor``: the diagonal
    of D, ``1 / (1 - leverage)``.
    """

    features: FloatArray
    inverse: FloatArray
    leverage: FloatArray
    factor: FloatArray


@single_threaded_products()
def measure_learnability(
    features: Rows,
    labels: NDArray[np.generic],
    *,
    groups: NDArray[np.integer] | None = None,
    n_permutations: int = _N_PERMUTATIONS,
    seed: int = 0,
) -> TaxonomyLearnability:
    """Tell whether leave-out predictions beat what permuted labels give, by class and in all.

    Parameters
    ----------
    features : Rows, shape (n_images, d)
        Of mean squared length 1, as `combine_blocks` yields them.
    labels : ndarray, shape (n_images,) of int (negative = unknown) or (n_images, n_classes) of
        1, 0, NaN
    groups : ndarray of int, shape (n_images,), optional
        Duplicates: one image of each group takes part, the first with a label, so that a label
        that was dealt out by group looks as random as it is.
    n_permutations : int
        49 or more.
    seed : int
        Draws permutations, landmarks, and images where they are more than 6,000.

    Returns
    -------
    TaxonomyLearnability
        A class that all images have, or none, is ``unclear``; so is a taxonomy of one class.

    Notes
    -----
    The statistic is the sum of products of centred labels and their leave-out predictions under
    kernel ridge regression of one fixed width and strength: for a class ``yᵀ A y`` with
    ``A = D (H - diag H)``, ``D = diag(1 / (1 - H))``; for a taxonomy its sum over the classes. It
    is proportional to the coefficient of discrimination (Tjur, *Coefficients of determination in
    logistic regression models*, The American Statistician 2009): the mean prediction where
    the class is given, minus the mean where it is not. Nothing is chosen by the labels, so the same
    statistic of permuted labels has the same distribution if the pictures say nothing, and the
    test holds exactly, whatever the number and the frequency of classes. Permuting the labels
    costs two sparse products each: the kernel is factorized once.

    With several labels an image, whole rows are permuted, so that classes that go together stay
    so; unknown entries stay where they are.
    """
    if n_permutations < 49:
        raise InvalidValue(f"expected 49 permutations or more, got {n_permutations}")
    rng = np.random.default_rng(seed)
    rows, known, yes = _taking_part(features, labels, groups, rng)
    n_known, n_yes = known.sum(axis=0), yes.sum(axis=0)
    tested = _tested(known, yes)
    if not ((n_yes > 0) & (n_yes < n_known)).any():
        classes = tuple(_unmeasured(int(count)) for count in n_yes)
        return TaxonomyLearnability(_unmeasured(len(rows)), classes)
    smoother = _smoother(features[rows], seed)
    dealt = _statistics(smoother, known, yes, n_permutations, rng)
    p_values = _p_values(dealt)
    areas, deviations, whole_area, whole_deviation = _measure(
        _predictions(smoother, known, yes), known, yes, tested, dealt
    )
    fewer = np.minimum(n_yes, n_known - n_yes)
    classes = tuple(
        _judge(areas[k], deviations[k], p_values[k], int(fewer[k]), int(n_yes[k]))
        if tested[k]
        else _unmeasured(int(n_yes[k]))
        for k in range(len(tested))
    )
    # A class with too few images says nothing by itself, but it takes part in the whole.
    p_whole = _p_values(dealt.sum(axis=1, keepdims=True))[0]
    whole = _judge(whole_area, whole_deviation, p_whole, int(fewer.max()), len(rows))
    return TaxonomyLearnability(whole, classes)


@single_threaded_products()
def measure_separations(
    features: Rows,
    labels: NDArray[np.generic],
    *,
    groups: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> DoubleArray:
    """Return the separation of each class as `measure_learnability` does, without its test.

    NaN where a class has too few images with or without it. That takes a third of the time.
    """
    rows, known, yes = _taking_part(features, labels, groups, np.random.default_rng(seed))
    areas, tested = np.full(yes.shape[1], np.nan), np.flatnonzero(_tested(known, yes))
    if not len(tested):
        return areas
    scores = _predictions(_smoother(features[rows], seed), known, yes)
    for k in tested:
        areas[k] = _area(scores[known[:, k], k], yes[known[:, k], k])[0]
    return areas


def _taking_part(
    features: Rows,
    labels: NDArray[np.generic],
    groups: NDArray[np.integer] | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], BoolArray, BoolArray]:
    """Return the images of the test, and which of their entries are known and yes."""
    matrix = as_matrix(labels, _count_classes(labels))
    if len(matrix) != len(features):
        raise InvalidValue(f"expected labels of {len(features)} images, got {len(matrix)}")
    rows = _distinct_rows(matrix, groups)
    rows = _thin(rows, matrix[rows] == 1, rng)
    return rows, np.isfinite(matrix[rows]), matrix[rows] == 1


def _tested(known: BoolArray, yes: BoolArray) -> BoolArray:
    """Return the classes with images enough, both with and without them."""
    n_yes = yes.sum(axis=0)
    enough = (n_yes >= _FEWEST_TOLD) & (known.sum(axis=0) - n_yes >= _FEWEST_TOLD)
    return np.asarray(enough)


def _count_classes(labels: NDArray[np.generic]) -> int:
    if np.ndim(labels) == 2:
        return int(np.shape(labels)[1])
    return int(np.asarray(labels).max(initial=0)) + 1


def _distinct_rows(matrix: FloatArray, groups: NDArray[np.integer] | None) -> NDArray[np.intp]:
    """Return the first labelled image of each group."""
    labelled = np.flatnonzero(np.isfinite(matrix).any(axis=1))
    codes = group_codes(groups, len(matrix))[labelled]
    return np.sort(labelled[np.unique(codes, return_index=True)[1]])


def _thin(rows: NDArray[np.intp], yes: BoolArray, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return at most so many rows as the test needs, those with rare classes first."""
    if len(rows) <= _MOST_IMAGES:
        return rows
    count = np.maximum(yes.sum(axis=0), 1)
    rarest = np.where(yes, count, len(rows)).min(axis=1)
    # Chances in proportion to 1 / frequency, cut at 1: rare classes stay whole.
    keys = rng.exponential(size=len(rows)) * rarest
    return np.sort(rows[np.argsort(keys, kind="stable")[:_MOST_IMAGES]])


def _smoother(features: NDArray[np.floating], seed: int) -> _Smoother:
    basis = kernel_basis(features, bandwidth=_BANDWIDTH, n_landmarks=_N_LANDMARKS, seed=seed)
    phi = basis.features - basis.features.mean(axis=0)
    spectrum, rotation = np.linalg.eigh((phi.T @ phi).astype(np.float64))
    phi = phi @ rotation.astype(np.float32)
    inverse = (1.0 / (np.maximum(spectrum, 0.0) + _RIDGE)).astype(np.float32)
    leverage = (phi * phi) @ inverse
    return _Smoother(phi, inverse, leverage, 1.0 / np.maximum(1.0 - leverage, 1e-3))


def _statistics(
    smoother: _Smoother, known: BoolArray, yes: BoolArray, n: int, rng: np.random.Generator
) -> DoubleArray:
    """Return the statistic of every class for the given labels and n permutations of them.

    Shape (n + 1, n_classes), the given ones first. With ``π`` the share of yes, ``m`` the known
    rows and the diagonal taken off, ``(y - π m)ᵀ D H (y - π m)``.
    """
    phi, factor = smoother.features, smoother.factor
    own = (factor * smoother.leverage)[:, None]
    table = np.concatenate([phi, phi * factor[:, None], own], axis=1)
    rank = phi.shape[1]
    share = yes.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    everywhere = share[:, None] * (known.T.astype(np.float32) @ table)
    found = np.zeros((n + 1, yes.shape[1]))
    for turn in range(n + 1):
        dealt = yes if turn == 0 else _permuted(known, yes, rng)
        sums = csr_array(dealt.T.astype(np.float32)) @ table
        centred = sums - everywhere
        products = (centred[:, rank:-1] * smoother.inverse) * centred[:, :rank]
        # Σ dh (y - π)² over the known rows = (1 - 2π) Σ_yes dh + π² Σ dh
        diagonal = (1.0 - 2.0 * share) * sums[:, -1] + share * everywhere[:, -1]
        found[turn] = products.sum(axis=1, dtype=np.float64) - diagonal
    return found


def _permuted(known: BoolArray, yes: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Deal the rows out anew; a class's states go to images of which they are known."""
    order = rng.permutation(len(yes))
    if known.all():
        return yes[order]
    dealt = np.zeros_like(yes)
    for k, mask in enumerate(known.T):
        dealt[np.flatnonzero(mask), k] = yes[order[mask[order]], k]
    return dealt


def _p_values(dealt: DoubleArray) -> DoubleArray:
    # The last digits of equal sums depend on their order.
    slack = 1e-6 * np.abs(dealt).max(axis=0)
    return np.asarray((dealt >= dealt[0] - slack).mean(axis=0))


def _predictions(smoother: _Smoother, known: BoolArray, yes: BoolArray) -> FloatArray:
    share = yes.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, yes - share, 0.0).astype(np.float32)
    weights = smoother.inverse[:, None] * (smoother.features.T @ centred)
    without_own = smoother.features @ weights - smoother.leverage[:, None] * centred
    return np.asarray(smoother.factor[:, None] * without_own)


def _measure(
    scores: FloatArray, known: BoolArray, yes: BoolArray, tested: BoolArray, dealt: DoubleArray
) -> tuple[DoubleArray, DoubleArray, float, float]:
    """Return the separation of each class and its standard error, then those of the taxonomy.

    Each comes from what every image moves it by, as if the predictions were given; leave-out
    predictions hang together, so the error is widened by as much as that understates how the
    permuted statistic varies.
    """
    n, n_classes = yes.shape
    areas = np.full(n_classes, np.nan)
    moves, gap_moves = np.zeros((n, n_classes)), np.zeros((n, n_classes))
    for k in np.flatnonzero(tested):
        rows = np.flatnonzero(known[:, k])
        has = yes[rows, k]
        areas[k], placements = _area(scores[rows, k], has)
        moves[rows, k] = _moves(placements, has)
        signed = np.where(has, 1.0, -1.0) * (has.sum() * (~has).sum() / len(rows))
        gap_moves[rows, k] = signed * _moves(scores[rows, k], has)
    deviations = _length(moves) * _widening(dealt, gap_moves)
    if not tested.any():
        return areas, deviations, float("nan"), float("nan")
    weights = np.where(tested, yes.sum(axis=0), 0.0)
    weights /= weights.sum()
    area = float(weights[tested] @ areas[tested])
    whole = dealt[:, tested].sum(axis=1, keepdims=True)
    wider = _widening(whole, gap_moves.sum(axis=1, keepdims=True))
    return areas, deviations, area, float((_length((moves @ weights)[:, None]) * wider)[0])


def _area(scores: FloatArray, has: BoolArray) -> tuple[float, DoubleArray]:
    """Return how often an image with the class is above one without, and the placements."""
    placements = _placements(scores, has)
    return float(placements[has].mean()), placements


def _placements(scores: FloatArray, has: BoolArray) -> DoubleArray:
    """Return the share of the other side that each image is rightly above or below."""
    within = np.empty(len(has))
    within[has], within[~has] = rankdata(scores[has]), rankdata(scores[~has])
    above = (rankdata(scores) - within) / np.where(has, (~has).sum(), has.sum())
    return np.asarray(np.where(has, above, 1.0 - above))


def _moves(values: NDArray[np.floating], has: BoolArray) -> DoubleArray:
    """Return what each image moves the mean of its side by; the squares add up to its variance."""
    wide = values.astype(np.float64)
    size = np.where(has, has.sum(), (~has).sum())
    mean = np.where(has, wide[has].mean(), wide[~has].mean())
    return np.asarray((wide - mean) / np.sqrt(size * (size - 1.0)))


def _length(moves: DoubleArray) -> DoubleArray:
    return np.asarray(np.sqrt((moves**2).sum(axis=0)))


def _widening(dealt: DoubleArray, gap_moves: DoubleArray) -> DoubleArray:
    return np.asarray(np.maximum(dealt[1:].std(axis=0) / np.maximum(_length(gap_moves), 1e-12), 1))


def _judge(
    area: float, deviation: float, p_value: float, n_fewer: int, n_images: int
) -> Learnability:
    low, high = (float(np.clip(area + z * deviation, 0.0, 1.0)) for z in (-1.96, 1.96))
    verdict: LearnabilityVerdict = "unclear"
    if p_value <= _LEVEL:
        verdict = "yes"
    elif n_fewer >= _FEWEST_DENIED and high < _NEXT_TO_NOTHING:
        verdict = "no"
    return Learnability(verdict, float(area), low, high, float(p_value), n_images)


def _unmeasured(n_images: int) -> Learnability:
    nan = float("nan")
    return Learnability("unclear", nan, nan, nan, 1.0, n_images)
