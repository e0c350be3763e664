"""Class-based TF-IDF: the words that set one group of images apart from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a group.

    Attributes
    ----------
    word : str
    weight : float
        Class-based TF-IDF, 0 or more; comparable within one group.
    count : int
        Images of the group that carry it.
    share : float
        That count by the images of the group, 0..1.
    lift : float
        That share by the share among all images; above 1 it is commoner here than elsewhere.
    """

    word: str
    weight: float
    count: int
    share: float
    lift: float


def class_tfidf(counts: ArrayLike) -> NDArray[np.float64]:
    """Weigh the terms of each class against all classes.

    ``W[c, t] = tf[c, t] * log(1 + A / tf[t])``: ``tf[c, t]`` is the count of the term in the class,
    ``tf[t]`` its count in all classes and ``A`` the mean number of terms of a class.
    Source: Grootendorst, BERTopic (2022), arXiv:2203.05794, section 3.3.

    Parameters
    ----------
    counts : array-like, shape (n_classes, n_terms)
        0 or more.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_terms)
        0 where the class does not hold the term.

    Raises
    ------
    InvalidValue
        The counts are not a matrix, or one is negative.
    """
    tf = np.asarray(counts, dtype=np.float64)
    if tf.ndim != 2 or (tf < 0).any():
        raise InvalidValue(f"expected a matrix of counts of 0 or more, got shape {tf.shape}")
    if not tf.size:
        return tf
    total = tf.sum(axis=0)
    mean_size = tf.sum() / len(tf)
    ratio = np.divide(mean_size, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(tf * np.log1p(ratio), dtype=np.float64)


def telling_terms(
    words: Sequence[Iterable[str]], codes: ArrayLike, n_groups: int, *, limit: int = 10
) -> list[list[Term]]:
    """Find the words that set each group of images apart.

    A word counts once an image. Kept are those that are commoner in the group than elsewhere and,
    in a group of four images or more, stand on two images at least.

    Parameters
    ----------
    words : sequence of iterables of str
        Of each image.
    codes : array-like of int, shape (n_images,)
        The group of each image; below 0 in none (such images still count as elsewhere).
    n_groups : int
    limit : int
        Words a group.

    Returns
    -------
    list of list of Term
        For each group, the largest weight first; equal ones in the order of the alphabet.
    """
    groups = np.asarray(codes, dtype=np.int64)
    if len(words) != len(groups):
        raise InvalidValue(f"expected a group for each of {len(words)} images, got {len(groups)}")
    found = [Counter[str]() for _ in range(n_groups + 1)]  # the last one: in no group
    for own, code in zip(words, groups.tolist(), strict=True):
        found[code if code >= 0 else n_groups].update(set(own))
    vocabulary = sorted(set().union(*found))
    place = {word: column for column, word in enumerate(vocabulary)}
    counts = np.zeros((n_groups + 1, len(vocabulary)))
    for row, counter in enumerate(found):
        for word, count in counter.items():
            counts[row, place[word]] = count
    # The images of no group are one more class: what is common there does not set a group apart.
    rows = counts if (groups < 0).any() else counts[:-1]
    weights = class_tfidf(rows)
    sizes = np.bincount(groups[groups >= 0], minlength=n_groups)
    everywhere = counts.sum(axis=0) / max(1, len(groups))
    return [
        _terms_of(vocabulary, counts[g], weights[g], int(sizes[g]), everywhere, limit)
        for g in range(n_groups)
    ]


def _terms_of(
    vocabulary: Sequence[str],
    counts: NDArray[np.float64],
    weights: NDArray[np.float64],
    size: int,
    everywhere: NDArray[np.float64],
    limit: int,
) -> list[Term]:
    shares = counts / max(1, size)
    lifts = np.divide(shares, everywhere, out=np.zeros_like(shares), where=everywhere > 0)
    fewest = 2 if size >= 4 else 1
    terms: list[Term] = []
    for column in np.argsort(-weights, kind="stable").tolist():
        if len(terms) == limit or weights[column] <= 0:
            break
        if counts[column] >= fewest and lifts[column] > 1:
            terms.append(
                Term(
                    vocabulary[column],
                    float(weights[column]),
                    int(counts[column]),
                    float(shares[column]),
                    float(lifts[column]),
                )
            )
    return terms
