"""What speaks for two labels meaning the same: how they share images, and what these show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue

_SAMPLE = 200
"""Images of a label that the test of mixing looks at, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelUse:
    """How the labels of a vocabulary are used.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_classes,)
        Images of each label.
    together : ndarray of int64, shape (n_classes, n_classes)
        Images that carry both.
    n_images : int
        Images with at least one label.
    context : ndarray of float32, shape (n_classes, n_classes)
        Cosine of the labels' rows of positive pointwise mutual information (Bullinaria & Levy
        2007), the two labels themselves left out of their rows only as far as the diagonal goes.
        Zero where a label has no companions.
    """

    counts: NDArray[np.int64]
    together: NDArray[np.int64]
    n_images: int
    context: NDArray[np.float32]

    def jaccard(self, a: int, b: int) -> float:
        """Return shared images / images of either, in 0..1."""
        both = int(self.together[a, b])
        return both / max(int(self.counts[a] + self.counts[b]) - both, 1)

    def pmi(self, a: int, b: int) -> float:
        """Return log2 of shared images / those expected of independent labels, NaN for none."""
        both = int(self.together[a, b])
        expected = self.counts[a] * self.counts[b] / max(self.n_images, 1)
        return math.log2(both / expected) if both else math.nan


def measure_use(Y: NDArray[np.float32]) -> LabelUse:
    """Count labels, pairs and contexts of ``Y`` (n_images, n_classes; 1 for yes)."""
    yes = (np.asarray(Y) == 1).astype(np.float32)
    together = np.rint(yes.T @ yes).astype(np.int64)
    counts = np.diag(together).copy()
    n_images = int((yes.sum(axis=1) > 0).sum())
    expected = np.outer(counts, counts) / max(n_images, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ppmi = np.log2(together / expected)
    ppmi = np.where(np.isfinite(ppmi) & (ppmi > 0), ppmi, 0).astype(np.float32)
    np.fill_diagonal(ppmi, 0)
    unit = normalize_rows(ppmi)
    return LabelUse(counts, together, n_images, np.clip(unit @ unit.T, 0, 1))


@dataclass(frozen=True, slots=True, eq=False)
class LabelLooks:
    """What the images of each label look like.

    Attributes
    ----------
    X : ndarray of float32, shape (n_vectors, dim)
        Unit vectors.
    rows : tuple of ndarray of int64, length n_classes
        Rows of ``X`` that carry each label.
    cosine : ndarray of float32, shape (n_classes, n_classes)
        Of the labels' centroids after the mean of all vectors was taken off; NaN for a label
        without vectors.
    """

    X: NDArray[np.float32]
    rows: tuple[NDArray[np.int64], ...]
    cosine: NDArray[np.float32]

    def agreement(self, rare: int, other: int) -> float:
        """Return how near ``other`` is to ``rare`` among all labels.

        1 when its centroid is the nearest of all to that of ``rare``, 0.5 in the middle, 0 the
        farthest; NaN when either has no vector or there are fewer than four labels to compare.
        Ranks are used, as the cosine itself depends on how many images a centroid averages.
        """
        row = self.cosine[rare].copy()
        row[rare] = np.nan
        if not math.isfinite(row[other]) or np.isfinite(row).sum() < 4:
            return math.nan
        others = row[np.isfinite(row)]
        return 1.0 - float((others > row[other]).sum()) / (len(others) - 1)

    def mixing(self, a: int, b: int) -> float:
        """Return how thoroughly the images of two labels mix, in 0..1.

        The nearest-neighbour two-sample test (Schilling 1986; Henze 1988): the share of images
        whose nearest neighbour carries the other label, divided by the share expected if the two
        were drawn from one distribution. Images with both labels are left out. NaN when fewer than
        five images of either are left.
        """
        both = np.intersect1d(self.rows[a], self.rows[b])
        one, two = (np.setdiff1d(self.rows[c], both) for c in (a, b))
        if min(len(one), len(two)) < 5:
            return math.nan
        one, two = _thin(one), _thin(two)
        X = self.X[np.concatenate([one, two])]
        side = np.r_[np.zeros(len(one), bool), np.ones(len(two), bool)]
        near = X @ X.T
        np.fill_diagonal(near, -np.inf)
        other = side[near.argmax(axis=1)] != side
        n = len(side)
        expected = 2 * len(one) * len(two) / (n * (n - 1))
        return float(min(other.mean() / expected, 1.0))


def _thin(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most ``_SAMPLE`` of the rows, evenly spread."""
    if len(rows) <= _SAMPLE:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64)]


def measure_looks(X: NDArray[np.float32], Y: NDArray[np.float32]) -> LabelLooks:
    """Return the looks of labels from vectors ``X`` (n, dim) and labels ``Y`` (n, n_classes).

    Raises
    ------
    InvalidValue
        If the numbers of rows disagree.
    """
    X, yes = np.asarray(X, np.float32), np.asarray(Y) == 1
    if len(X) != len(yes):
        raise InvalidValue(f"expected labels for {len(X)} vectors, got {len(yes)}")
    X = normalize_rows(X)
    counts = yes.sum(axis=0)
    centroids = (yes.T.astype(np.float32) @ X) / np.maximum(counts, 1)[:, None]
    centroids -= X.mean(axis=0) if len(X) else 0
    unit = normalize_rows(centroids, np.float64)
    cosine = (unit @ unit.T).astype(np.float32)
    cosine[counts == 0], cosine[:, counts == 0] = np.nan, np.nan
    rows = tuple(np.flatnonzero(column) for column in yes.T)
    return LabelLooks(X, rows, np.clip(cosine, -1, 1))
