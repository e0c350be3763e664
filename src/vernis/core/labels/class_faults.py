"""Classes that are wrong as a whole: their images look like those of another class.

A misnamed folder, a synonym or a slip of the pen makes two classes of one kind of picture. Image by
image nothing is wrong there, or everything is; it is one fault, of the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.learnability import measure_learnability, measure_separations
from vernis.core.numeric.row_blocks import ChosenRows
from vernis.domain.ports import Rows
from vernis.domain.types import Learnability

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_FEWEST = 6
"""Images of a class below which its pictures are not compared."""
_ALIKE = 0.02
"""A pair is alike where more permutations than this share tell it as well."""
_MOST_APART = 0.75
"""And where its separation is below this with 90 %. With true labels even the classes that are
taken for one another most have 0.85 to 1."""
_OTHERS_APART = 0.8
"""And where the median separation of the other classes from their nearest is this or more: where
two of five labels are wrong, all neighbours look alike."""
_HELD_TOGETHER = 0.5
"""And where of so many of their images nothing is likelier than the two together."""


@dataclass(frozen=True, slots=True)
class ClassFault:
    """The pictures of a class look like those of another one.

    Attributes
    ----------
    label, into : int
        The class, and the one that it looks like: the larger of both.
    n_images : int
        Images that are given ``label``.
    told_apart : Learnability or None
        What the pictures tell between the two; None where they were not compared.
    """

    label: int
    into: int
    n_images: int
    told_apart: Learnability | None = None


def find_class_faults(
    features: Rows,
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    *,
    groups: NDArray[np.integer] | None = None,
    apart: Sequence[tuple[int, int]] = (),
    seed: int = 0,
) -> tuple[ClassFault, ...]:
    """Find the classes of a single-label taxonomy that look like another one.

    Parameters
    ----------
    features : Rows, shape (n_images, d)
        Of ``combine_blocks``.
    labels : ndarray of int, shape (n_images,)
        Negative = unknown.
    probs : ndarray, shape (n_images, n_classes)
        Leave-out predictions.
    groups : ndarray of int, shape (n_images,), optional
        See `measure_learnability`.
    apart : sequence of (int, int)
        Pairs that a person judged to be two things.
    seed : int

    Returns
    -------
    tuple of ClassFault
        Most images first. No class is named twice as the one that looks like another.

    Notes
    -----
    Each class of 6 images or more is held against the one that its images are predicted to have
    most, itself left out. They are alike where, among the images of the two alone, the leave-out
    predictions are no better than those of permuted labels (`measure_learnability`) and not far
    better than chance, while most other classes are told from their nearest, and both together
    from all others: in a column that has nothing to do with the pictures no two classes are told
    apart, and none is a fault.
    """
    count = np.bincount(labels[labels >= 0], minlength=probs.shape[1])
    excluded = {frozenset(pair) for pair in apart}
    pairs = [p for p in _nearest_pairs(labels, probs, count) if frozenset(p) not in excluded]
    between = [_tell(features, labels, pair, groups, seed) for pair in pairs]
    others = [separation for separation, found in between if found is None]
    if others and float(np.median(others)) < _OTHERS_APART:
        return ()
    faults: dict[int, ClassFault] = {}
    for (label, into), (_, found) in zip(pairs, between, strict=True):
        if found and _stand_together(features, labels, probs, (label, into), groups, seed):
            faults.setdefault(label, ClassFault(label, into, int(count[label]), found))
    return tuple(sorted(faults.values(), key=lambda fault: (-fault.n_images, fault.label)))


def _nearest_pairs(
    labels: NDArray[np.integer], probs: NDArray[np.floating], count: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Return each class with the one that its images are predicted to have most, smaller first."""
    pairs: dict[tuple[int, int], None] = {}
    for own in np.flatnonzero(count >= _FEWEST).tolist():
        mean = np.asarray(probs[labels == own].mean(axis=0, dtype=np.float64))
        mean[(count < _FEWEST) | (np.arange(len(mean)) == own)] = -1.0
        other = int(mean.argmax())
        if mean[other] >= 0:
            into, label = sorted((own, other), key=lambda k: (-count[k], k))
            pairs[label, into] = None
    return list(pairs)


def _tell(
    features: Rows,
    labels: NDArray[np.integer],
    pair: tuple[int, int],
    groups: NDArray[np.integer] | None,
    seed: int,
) -> tuple[float, Learnability | None]:
    """Return the separation of the images of two classes, and the test of it where they are alike.

    Most pairs are so far apart that no test is needed.
    """
    both = np.isin(labels, pair)
    own = None if groups is None else np.asarray(groups)[both]
    given = (labels[both] == pair[0]).astype(np.int64)
    rows = ChosenRows(features, both)
    separation = float(measure_separations(rows, given, groups=own, seed=seed)[1])
    if separation >= _MOST_APART:
        return separation, None
    found = measure_learnability(rows, given, groups=own, seed=seed).classes[1]
    return separation, found if _look_alike(found) else None


def _look_alike(between: Learnability) -> bool:
    error = max(between.high - between.separation, between.separation - between.low) / 1.96
    upper = between.separation + 1.28 * error
    return between.p_value > _ALIKE and upper < _MOST_APART


def _stand_together(
    features: Rows,
    labels: NDArray[np.integer],
    probs: NDArray[np.floating],
    pair: tuple[int, int],
    groups: NDArray[np.integer] | None,
    seed: int,
) -> bool:
    """Return whether the two, taken as one, are told from all other classes."""
    both = np.isin(labels, pair)
    rest = probs[both].copy()
    rest[:, list(pair)] = 0.0
    if (probs[both][:, list(pair)].sum(axis=1) >= rest.max(axis=1)).mean() < _HELD_TOGETHER:
        return False
    known = labels >= 0
    own = None if groups is None else np.asarray(groups)[known]
    given = both[known].astype(np.int64)
    as_one = measure_learnability(ChosenRows(features, known), given, groups=own, seed=seed)
    return as_one.classes[-1].verdict == "yes"


@dataclass(frozen=True, slots=True)
class ClassView:
    """The classes as they are judged: some are left out, some joined with another.

    Attributes
    ----------
    into : ndarray of int64, shape (n_classes,)
        The class that each counts as, itself in most cases; -1: left out.
    """

    into: NDArray[np.int64]
    kept: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        kept = np.flatnonzero(self.into == np.arange(len(self.into)))
        object.__setattr__(self, "kept", kept)

    @classmethod
    def of(
        cls, n_classes: int, left_out: Sequence[int] = (), faults: Sequence[ClassFault] = ()
    ) -> ClassView:
        """Make the view; a class that looks like another one is joined with it, not left out."""
        into = np.arange(n_classes)
        for fault in faults:
            root = into[fault.into]
            into[into == into[fault.label]] = root
        alone = [k for k in left_out if (into == into[k]).sum() == 1]
        into[alone] = -1
        return cls(into)

    @property
    def is_plain(self) -> bool:
        """Whether all classes are judged as they are."""
        return len(self.kept) == len(self.into)

    def reduce(self, labels: NDArray[np.floating]) -> FloatArray:
        """Return labels (n_images, n_classes) of the kept classes, joined ones as one.

        It is yes where any of the joined is, no where all known ones are no.
        """
        matrix = np.asarray(labels, np.float32)
        if self.is_plain:
            return matrix
        columns = [np.flatnonzero(self.into == k) for k in self.kept]
        reduced = [
            matrix[:, own[0]]
            if len(own) == 1
            else np.fmax.reduce(matrix[:, own], axis=1)  # NaN only where all are
            for own in columns
        ]
        return np.stack(reduced, axis=1) if reduced else np.zeros((len(matrix), 0), np.float32)

    def reduce_mask(self, mask: BoolArray) -> BoolArray:
        """Return a mask (n_images, n_classes) of the kept classes: any of the joined."""
        if self.is_plain:
            return mask
        reduced = [mask[:, self.into == k].any(axis=1) for k in self.kept]
        return np.stack(reduced, axis=1) if reduced else np.zeros((len(mask), 0), bool)

    def reduce_probabilities(
        self, probs: NDArray[np.floating], kind: Literal["single", "multi"]
    ) -> FloatArray:
        """Return probabilities (n_images, n_classes) of the kept classes.

        With one label an image those of joined classes add up, and all to 1 again; with several the
        greatest counts.
        """
        join = np.add if kind == "single" else np.maximum
        p = np.asarray(probs, np.float32)
        reduced = [join.reduce(p[:, self.into == k], axis=1) for k in self.kept]
        matrix = np.stack(reduced, axis=1) if reduced else np.zeros((len(p), 0), np.float32)
        if kind == "single" and len(self.kept) < len(self.into):
            matrix = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-7)
        return np.asarray(matrix, np.float32)

    def restore(self, suggested: BoolArray, given: BoolArray) -> BoolArray:
        """Return suggestions for all classes, from those for the kept ones.

        A class that was left out stays as it is given; where joined classes are suggested, the
        given ones of them stay, or else the class that they are joined with comes.
        """
        if self.is_plain:
            return suggested
        restored = given.copy()
        for column, k in enumerate(self.kept):
            joined = self.into == k
            wanted, has = suggested[:, column], given[:, joined].any(axis=1)
            restored[np.ix_(~wanted, joined)] = False
            restored[wanted & ~has, k] = True
        return restored
