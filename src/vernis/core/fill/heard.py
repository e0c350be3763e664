"""Fill by a second voice, such as the text in the pictures, with the promise of `plan`.

The voice answers for some images by itself, labelled ones too, without having learned from their
labels; so all of its answers for labelled images are held out, and no matching is needed: what a
reader reads in a picture does not depend on how like that is to others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.fill.answers import Answers, Doubles, Kind
from vernis.core.fill.plan import FEWEST, SeenAnswers, find_cut
from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True, eq=False)
class HeardPlan:
    """Which answers may be given.

    Attributes
    ----------
    chosen : ndarray of int64, shape (n_suggested,)
        Places among the asked answers, surest first.
    probability : ndarray of float64, shape (n_suggested,)
        That the answer is right.
    precision : float
        Of the held-out answers that are as sure; NaN when nothing is suggested.
    bound : float
        Lower bound of the precision of what is suggested; NaN when nothing is.
    noise : float
        Estimated share of wrong given labels, already taken out of both.
    n_held_out : int
    """

    chosen: NDArray[np.int64]
    probability: Doubles
    precision: float
    bound: float
    noise: float
    n_held_out: int


def plan_heard(
    features: ArrayLike,
    correct: ArrayLike,
    asked: ArrayLike,
    *,
    groups: ArrayLike,
    backed: ArrayLike,
    kind: Kind,
    precision: float,
    confidence: float = 0.95,
    seed: int = 0,
) -> HeardPlan:
    """Choose the answers of a second voice whose precision can be promised.

    Parameters
    ----------
    features : array_like, shape (n_held_out, n_features)
        What tells how sure an answer is, of labelled images; the first column grows with it.
    correct : array_like of bool, shape (n_held_out,)
        Whether it agrees with the given label.
    asked : array_like, shape (n_asked, n_features)
        Of unlabelled images.
    groups : array_like of int, shape (n_held_out,)
        Equal for duplicates.
    backed : array_like of bool, shape (n_held_out,)
        Whether somebody else, such as the pictures, gives the same answer: where both contradict a
        given label it counts as wrong.
    kind : {'single', 'multi'}
    precision, confidence : float
        In (0, 1).
    seed : int

    Raises
    ------
    InvalidValue
        If shapes disagree.
    """
    A, B = np.asarray(features, np.float64), np.asarray(asked, np.float64)
    agrees, codes = np.asarray(correct, bool), np.asarray(groups)
    if A.ndim != 2 or B.shape[1:] != A.shape[1:] or len(A) != len(agrees):
        raise InvalidValue(
            f"expected features of shapes ({len(agrees)}, n) and (m, n), got {A.shape}, {B.shape}"
        )
    nothing = HeardPlan(np.empty(0, np.int64), np.empty(0), np.nan, np.nan, 0.0, len(A))
    if len(A) < FEWEST or len(np.unique(codes)) < 2 or not len(B):
        return nothing
    seen = SeenAnswers(_answers(A), agrees, np.asarray(backed, bool), codes)
    cut = find_cut(seen, _answers(B), kind, False, precision, confidence, seed)
    if cut.last is None:
        return HeardPlan(nothing.chosen, nothing.probability, np.nan, np.nan, cut.noise, len(A))
    order = np.argsort(-cut.asked_score, kind="stable")[: cut.last + 1]
    probability = np.minimum(cut.asked_score[order] / (1 - cut.noise), 1.0)
    return HeardPlan(order, probability, cut.precision, cut.bound, cut.noise, len(A))


def _answers(features: Doubles) -> Answers:
    rows = np.arange(len(features))
    return Answers(rows, np.zeros(len(rows), np.int64), features[:, 0], features)
