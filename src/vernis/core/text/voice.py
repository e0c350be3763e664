"""What is read as one more voice beside the image model: log-odds that are added to its own.

A brand that is read with the certainty k, of which the share q(k) is right, multiplies the odds of
its class by q / (1 - q) over those of a guess, 1 / (n - 1) (Bayes' rule, the two taken for
independent given the class). What is not read says nothing. As the two are not quite independent,
and neither knows its own errors exactly, the voice is weighed by how likely it makes the given
labels (a log-linear pool: Heskes, *Selecting weighting factors in logarithmic opinion pools*,
1998).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.text.brands import BrandMatch
from vernis.core.text.conclusions import Certainty, certainty

_MOST = 0.999
"""No reading is surer than this."""
_LEAST = 1e-4
"""No image model is surer than that of a class, either way."""
_WEIGHTS = np.linspace(1.0, 0.0, 21)
_ERRORS = 0.05
"""Share of given labels that may be anything, so that no wrong one decides the weight alone."""
_FEWEST = 10
"""Labelled images with a reading below which the voice has its full weight."""


def reading_voice(
    matches: Sequence[Sequence[BrandMatch]],
    column_of: Mapping[str, int],
    n_classes: int,
    right: Mapping[Certainty, float],
) -> NDArray[np.float32]:
    """Return what the brands that are read add to the log-odds of each class.

    Parameters
    ----------
    matches : sequence of sequence of BrandMatch
        Of each image.
    column_of : mapping of str to int
        Brand → its class; other brands are left out.
    n_classes : int
    right : mapping
        Share of right readings by certainty, see `conclusions.probabilities`.

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        In nats; 0 where nothing is read.
    """
    voice = np.zeros((len(matches), n_classes), np.float32)
    guess = math.log(max(n_classes - 1, 1))
    for row, read in enumerate(matches):
        for match in read:
            column = column_of.get(match.brand)
            if column is not None:
                share = min(right[certainty(match)], _MOST)
                said = math.log(share / (1 - share)) + guess
                voice[row, column] = max(voice[row, column], said)
    return voice


def join_voices(
    probs: NDArray[np.floating], voice: NDArray[np.floating], kind: Literal["single", "multi"]
) -> NDArray[np.float32]:
    """Return the probabilities of both together; the image model's own where nothing is read.

    Parameters
    ----------
    probs : ndarray, shape (n_images, n_classes)
        Of the image model; NaN stays.
    voice : ndarray, shape (n_images, n_classes)
        Of `reading_voice`.
    kind : {'single', 'multi'}
        With one label an image the classes of an image share a probability of 1.
    """
    joined = np.array(probs, np.float32)
    heard = np.flatnonzero((voice != 0).any(axis=1))
    p = np.clip(joined[heard].astype(np.float64), _LEAST, 1 - _LEAST)
    if kind == "multi":
        odds = p / (1 - p) * np.exp(voice[heard])
        joined[heard] = odds / (1 + odds)
        return joined
    weight = p * np.exp(voice[heard])
    joined[heard] = weight / weight.sum(axis=1, keepdims=True)
    return joined


def hear_voice(
    probs: NDArray[np.floating],
    voice: NDArray[np.floating],
    labels: NDArray[np.floating],
    kind: Literal["single", "multi"],
) -> NDArray[np.float32]:
    """Return the probabilities of both together, the voice weighed by the given labels.

    Parameters
    ----------
    probs : ndarray, shape (n_images, n_classes)
        Of the image model, no entry by the image's own label.
    voice : ndarray, shape (n_images, n_classes)
        Of `reading_voice`.
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    kind : {'single', 'multi'}
    """
    return join_voices(probs, weigh_voice(probs, voice, labels, kind) * voice, kind)


def weigh_voice(
    probs: NDArray[np.floating],
    voice: NDArray[np.floating],
    labels: NDArray[np.floating],
    kind: Literal["single", "multi"],
) -> float:
    """Return the weight of the voice, 0..1, under which the given labels are likeliest.

    Parameters as in `hear_voice`.
    """
    rows = (voice != 0).any(axis=1) & (labels == 1).any(axis=1) & np.isfinite(probs).all(axis=1)
    if rows.sum() < _FEWEST:
        return 1.0
    p, said, given = probs[rows], np.asarray(voice)[rows], labels[rows]
    known = np.isfinite(given) if kind == "multi" else given == 1
    n_ways = 2 if kind == "multi" else given.shape[1]

    def likelihood(weight: float) -> float:
        joined = join_voices(p, weight * said, kind).astype(np.float64)
        of_given = np.where(given == 1, joined, 1 - joined)[known]
        return float(np.log((1 - _ERRORS) * of_given + _ERRORS / n_ways).sum())

    return float(max(_WEIGHTS, key=likelihood))
