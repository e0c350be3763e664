"""The state of a taxonomy in figures: filling, imbalance, co-occurrence, keywords that repeat."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue

_RARE = 0.001
"""A class on less than this share of the images is rare."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelAudit:
    """The state of one taxonomy.

    Attributes
    ----------
    n_images, n_labelled, n_classes, n_used : int
        Images, images with at least one ``yes``, classes, classes with at least one.
    counts : ndarray of int64, shape (n_classes,)
        Images with a ``yes`` of each class.
    imbalance : float
        Largest count divided by the smallest of the used classes; NaN when none is used.
    entropy : float
        Shannon entropy of the used classes' shares, divided by its largest value, the logarithm of
        their number: 1 = all equally frequent, 0 = one holds all; NaN below two used classes.
    labels_per_image : ndarray of int64
        At ``k`` the number of images with ``k`` labels.
    mean_labels : float
        Labels of a labelled image; NaN when there is none.
    together : ndarray of int64, shape (n_classes, n_classes)
        Images that carry both classes; the diagonal holds ``counts``.
    n_rare, n_unique : int
        Used classes on less than 0.1 % of the images, and on exactly one.
    """

    n_images: int
    n_labelled: int
    n_classes: int
    n_used: int
    counts: NDArray[np.int64]
    imbalance: float
    entropy: float
    labels_per_image: NDArray[np.int64]
    mean_labels: float
    together: NDArray[np.int64]
    n_rare: int
    n_unique: int

    @property
    def filling_rate(self) -> float:
        """Share of the images with at least one label."""
        return self.n_labelled / self.n_images if self.n_images else 0.0

    @property
    def rare_share(self) -> float:
        """Share of the used classes that occur on less than 0.1 % of the images."""
        return self.n_rare / self.n_used if self.n_used else 0.0


@dataclass(frozen=True, slots=True)
class StrongPair:
    """Two classes that occur together more often than by chance.

    ``jaccard`` is the share of the images with either class that carry both; ``lift`` how many
    times more often they occur together than independent classes of their frequencies would.
    """

    first: int
    second: int
    together: int
    jaccard: float
    lift: float


def audit_labels(Y: ArrayLike) -> LabelAudit:
    """Count what a label matrix holds.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1 for yes; everything else (0, NaN) is no label.

    Returns
    -------
    LabelAudit

    Raises
    ------
    InvalidValue
        If ``Y`` is no matrix.
    """
    Y = np.asarray(Y)
    if Y.ndim != 2:
        raise InvalidValue(f"expected labels of shape (n_images, n_classes), got {Y.shape}")
    yes = Y == 1
    each = yes.sum(axis=1)
    counts = np.asarray(yes.sum(axis=0), np.int64)
    used = counts[counts > 0]
    chosen = yes.astype(np.float32)
    n_images, n_classes = Y.shape
    return LabelAudit(
        n_images=n_images,
        n_labelled=int((each > 0).sum()),
        n_classes=n_classes,
        n_used=len(used),
        counts=counts,
        imbalance=float(used.max() / used.min()) if len(used) else math.nan,
        entropy=normalized_entropy(used),
        labels_per_image=np.bincount(each, minlength=1).astype(np.int64),
        mean_labels=float(each[each > 0].mean()) if (each > 0).any() else math.nan,
        together=np.rint(chosen.T @ chosen).astype(np.int64),
        n_rare=int((used < _RARE * n_images).sum()),
        n_unique=int((used == 1).sum()),
    )


def normalized_entropy(counts: ArrayLike) -> float:
    """Return Shannon's entropy of shares divided by its maximum (Pielou 1966's evenness).

    Parameters
    ----------
    counts : array_like, shape (n_classes,)
        Zeros are left out.

    Returns
    -------
    float
        In 0..1; NaN below two classes.
    """
    counts = np.asarray(counts, np.float64)
    counts = counts[counts > 0]
    if len(counts) < 2:
        return math.nan
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum() / math.log(len(counts)))


def find_strong_pairs(audit: LabelAudit, limit: int = 20) -> list[StrongPair]:
    """Return the pairs of classes with the highest Jaccard index, at most ``limit``."""
    together = np.triu(audit.together, 1)
    first, second = np.nonzero(together)
    both = together[first, second]
    either = audit.counts[first] + audit.counts[second] - both
    expected = audit.counts[first] * audit.counts[second] / max(audit.n_labelled, 1)
    jaccard = both / np.maximum(either, 1)
    order = np.lexsort((second, first, -jaccard))[:limit]
    return [
        StrongPair(
            int(first[i]),
            int(second[i]),
            int(both[i]),
            float(jaccard[i]),
            float(both[i] / expected[i]),
        )
        for i in order
    ]


def redundancy(Y: ArrayLike, classes: Sequence[str], texts: Sequence[str]) -> tuple[int, int]:
    """Count the labels that a text about the image repeats.

    A label is repeated when all its words occur in the text, whatever their case, accents and
    plural ``s``.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
    classes : sequence of str
    texts : sequence of str
        One an image, such as its file name or title.

    Returns
    -------
    repeated, labels : int
        Labels that the text holds too, and labels on images that have a text.

    Raises
    ------
    InvalidValue
        If shapes disagree.
    """
    yes = np.asarray(Y) == 1
    if yes.shape != (len(texts), len(classes)):
        raise InvalidValue(f"expected labels of ({len(texts)}, {len(classes)}), got {yes.shape}")
    wanted = [split_words(name) for name in classes]
    repeated = labels = 0
    for row, text in zip(yes, texts, strict=True):
        found = split_words(text)
        if not found:
            continue
        columns = np.flatnonzero(row)
        labels += len(columns)
        repeated += sum(bool(wanted[c]) and wanted[c] <= found for c in columns)
    return repeated, labels


def share_like_folder(Y: ArrayLike, folders: Sequence[str]) -> float:
    """Return the share of labelled images that carry the labels of all others in their folder.

    Keywords that were given to whole folders say what the folder is about, not what is seen.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1 for yes; everything else is no label.
    folders : sequence of str
        The folder of each image.

    Returns
    -------
    float
        In 0..1, of the labelled images that share their folder with another labelled one; NaN
        where no folder holds two, and where one folder holds them all: all images alike are
        nothing that a folder would tell.

    Raises
    ------
    InvalidValue
        If shapes disagree.
    """
    yes = np.asarray(Y) == 1
    if yes.ndim != 2 or len(yes) != len(folders):
        raise InvalidValue(f"expected labels of {len(folders)} images, got {yes.shape}")
    labelled = np.flatnonzero(yes.any(axis=1))
    patterns: dict[str, set[bytes]] = {}
    counts: dict[str, int] = {}
    for row, packed in zip(labelled.tolist(), np.packbits(yes[labelled], axis=1), strict=True):
        patterns.setdefault(folders[row], set()).add(packed.tobytes())
        counts[folders[row]] = counts.get(folders[row], 0) + 1
    shared = {folder: n for folder, n in counts.items() if n > 1}
    if not shared or len(counts) < 2:
        return math.nan
    alike = sum(n for folder, n in shared.items() if len(patterns[folder]) == 1)
    return alike / sum(shared.values())


def split_words(text: str) -> frozenset[str]:
    """Return the words of a text in lower case, without accents, digits and plural ``s``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    spaced = re.sub(r"[^a-z]+", " ", plain)
    return frozenset(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in spaced.split())
