"""Which labels of a long-tailed vocabulary are worth keeping. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.words.class_names import known_name, same_names
from vernis.domain.errors import InvalidValue, NotFound, UsageError


@dataclass(frozen=True, slots=True, eq=False)
class FrequencyStudy:
    """What remains of a vocabulary at each minimum frequency.

    Attributes
    ----------
    thresholds : ndarray of int64, shape (n_thresholds,)
        1, then each frequency + 1 (but for the largest): where something changes. A row holds
        from its threshold up to the one before the next.
    labels : ndarray of int64, shape (n_thresholds,)
        Labels that are carried by at least so many images.
    images : ndarray of int64, shape (n_thresholds,)
        Images that carry at least one of these labels.
    assignments : ndarray of int64, shape (n_thresholds,)
        Image × label that remain.
    counts : ndarray of int64, shape (n_classes,)
        Images of each label.
    """

    thresholds: NDArray[np.int64]
    labels: NDArray[np.int64]
    images: NDArray[np.int64]
    assignments: NDArray[np.int64]
    counts: NDArray[np.int64]

    def at(self, threshold: int) -> int:
        """Return the position of the row that holds for a minimum frequency of ``threshold``."""
        place = int(np.searchsorted(self.thresholds, threshold, side="right"))
        return max(place - 1, 0)


def study_frequencies(Y: ArrayLike) -> FrequencyStudy:
    """Count what remains of a vocabulary at each minimum frequency.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1 for yes; everything else (0, NaN) is no label.

    Returns
    -------
    FrequencyStudy

    Raises
    ------
    InvalidValue
        If ``Y`` is no matrix or holds no label.
    """
    Y = np.asarray(Y)
    if Y.ndim != 2:
        raise InvalidValue(f"expected labels of shape (n_images, n_classes), got {Y.shape}")
    yes = Y == 1
    counts = np.asarray(yes.sum(axis=0), np.int64)
    if not counts.any():
        raise InvalidValue("expected at least one label, got none")
    # An image remains as long as the most frequent of its labels does.
    best = np.sort(np.where(yes, counts, 0).max(axis=1))
    used = np.sort(counts[counts > 0])
    held = np.concatenate([[0], np.cumsum(used)])
    levels = np.unique(used)
    thresholds = np.unique(np.concatenate([[1], levels[:-1] + 1]))
    below = np.searchsorted(used, thresholds, side="left")
    return FrequencyStudy(
        thresholds=thresholds.astype(np.int64),
        labels=(len(used) - below).astype(np.int64),
        images=(len(best) - np.searchsorted(best, thresholds, side="left")).astype(np.int64),
        assignments=(held[-1] - held[below]).astype(np.int64),
        counts=counts,
    )


@dataclass(frozen=True, slots=True)
class VocabularyChoice:
    """Which labels to keep. Exactly one of the first three may be set; ``drop`` joins any.

    Attributes
    ----------
    min_count : int or None
        Labels of at least so many images.
    keep : int or None
        The so many most frequent labels; of equally frequent ones the alphabetically first.
    only : tuple of str or None
        Exactly these.
    drop : tuple of str
        Not these.
    """

    min_count: int | None = None
    keep: int | None = None
    only: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.min_count, self.keep, self.only)) > 1:
            raise UsageError("choose by --min-count, by --keep or by --only, not by several")
        for name, value in (("--min-count", self.min_count), ("--keep", self.keep)):
            if value is not None and value < 1:
                raise UsageError(f"expected {name} of 1 or more, got {value}")

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is chosen, so that every used label stays."""
        chosen = (self.min_count, self.keep, self.only)
        return not self.drop and all(value is None for value in chosen)


def choose_labels(
    classes: Sequence[str], counts: ArrayLike, choice: VocabularyChoice
) -> NDArray[np.bool_]:
    """Return which labels stay; labels of no image never do, unless named by ``only``.

    Parameters
    ----------
    classes : sequence of str, length n_classes
    counts : array_like, shape (n_classes,)
        Images of each label.
    choice : VocabularyChoice

    Returns
    -------
    ndarray of bool, shape (n_classes,)

    Raises
    ------
    NotFound
        A label of ``only`` or ``drop`` is not in the vocabulary.
    UsageError
        Nothing would stay.
    """
    counts = np.asarray(counts, np.int64)
    for option, named in (("--only", choice.only or ()), ("--drop", choice.drop)):
        _require_known(option, named, classes)
    stays = counts > 0
    if choice.min_count is not None:
        stays &= counts >= choice.min_count
    elif choice.keep is not None:
        order = sorted(range(len(classes)), key=lambda c: (-counts[c], classes[c]))
        chosen = np.zeros(len(classes), bool)
        chosen[order[: choice.keep]] = True
        stays &= chosen
    elif choice.only is not None:
        stays = np.isin(np.arange(len(classes)), [classes.index(name) for name in choice.only])
    stays &= np.asarray([name not in choice.drop for name in classes], bool)
    if not stays.any():
        top = int(counts.max(initial=0))
        raise UsageError(f"no label would stay; the most frequent one is on {top:,} images")
    return stays


def split_names(texts: Sequence[str], classes: Collection[str]) -> tuple[str, ...]:
    """Return the labels that the texts name; one that is no label itself is split at commas."""
    found: list[str] = []
    for text in texts:
        parts = [text] if same_names(text, classes) else text.split(",")
        found += [known_name(part, classes) for part in parts if part.strip()]
    return tuple(dict.fromkeys(found))


def _require_known(option: str, named: Collection[str], classes: Sequence[str]) -> None:
    missing = [name for name in named if name not in set(classes)]
    if missing:
        from rapidfuzz.process import extractOne

        near = extractOne(missing[0], classes, score_cutoff=60)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise NotFound(f"{option}: there is no label '{missing[0]}'{more}{hint}")
