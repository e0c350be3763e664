"""The effective labels: which of several sources is believed. Arrays in, arrays out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.types import LabelAccount, TaxonomyKind

_RANKS = {
    "human": 5,
    "accepted": 4,
    "given": 3,
    "reader": 2,
    "api": 2,
    "proposal": 2,
    "model": 0,
}
COUNTED = 1
"""Sources below this rank are kept but are no labels."""
CONFIRMED = 5
"""From this rank on a person looked at the image. Suggestions that were applied as a batch rank
below: nobody looked at each, so they are no evidence and may themselves be wrong."""


def rank_of(source: str) -> int:
    """Return how much a source is believed, by the word before its first colon.

    Raises
    ------
    InvalidValue
        The word is none of human, accepted, given, reader, api, proposal, model.
    """
    rank = _RANKS.get(source.partition(":")[0])
    if rank is None:
        raise InvalidValue(
            f"expected a source that begins with one of {', '.join(_RANKS)}, got {source!r}"
        )
    return rank


def effective_labels(
    rows: NDArray[np.signedinteger[Any]],
    shape: tuple[int, int],
    *,
    kind: TaxonomyKind,
    closed: bool,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Merge the statements of all sources into one matrix.

    Of the statements on one image × class the one of the highest rank holds, and of equal ranks
    the latest. In a ``single`` taxonomy one yes an image holds, chosen likewise, and the rest are
    no; a yes that a higher-ranking no refutes implies nothing. In a ``closed`` taxonomy the rest
    of an image with a yes are no.

    Parameters
    ----------
    rows : ndarray of int, shape (n_statements, 5 or more)
        Image's row, class's column, rank, batch, 1 for yes or 0 for no; further columns do not
        matter here.
    shape : tuple of int
        (n_images, n_classes).

    Returns
    -------
    values : ndarray of float32, shape (n_images, n_classes)
        1, 0 or NaN for unknown.
    confirmed : ndarray of bool, shape (n_images, n_classes)
        True where a person said it, a no that a person's yes implies in a ``single`` taxonomy
        included.
    """
    values = np.full(shape, np.nan, dtype=np.float32)
    confirmed = np.zeros(shape, dtype=np.bool_)
    yes, no = that_hold(rows, shape[1], kind)
    if kind == "single":
        confirmed[yes[:, 0]] = (yes[:, 2] >= CONFIRMED)[:, None]
    if kind == "single" or closed:
        values[yes[:, 0]] = 0
    for part, value in ((no, 0), (yes, 1)):
        values[part[:, 0], part[:, 1]] = value
        confirmed[part[:, 0], part[:, 1]] |= part[:, 2] >= CONFIRMED
    return values, confirmed


def account_labels(
    rows: NDArray[np.signedinteger[Any]],
    n_classes: int,
    *,
    kind: TaxonomyKind,
    sources: Mapping[int, str],
) -> LabelAccount:
    """Return what became of the labels that came in.

    Parameters
    ----------
    rows : ndarray of int, shape (n_statements, 6)
        As `effective_labels` takes them, and the source's number.
    n_classes : int
    kind : {'single', 'multi'}
    sources : mapping of int to str
        The name of each source.
    """
    given = rows[(rows[:, 2] == _RANKS["given"]) & (rows[:, 4] == 1)]
    # A table and the words of a file may give the same label.
    given = given[np.unique(_cells(given, n_classes), return_index=True)[1]]
    yes, _ = that_hold(rows, n_classes, kind)
    before, now = _cells(given, n_classes), _cells(yes, n_classes)
    lost = ~np.isin(before, now)
    new = yes[~np.isin(now, before)]
    beside = np.isin(new[:, 0], given[:, 0])
    by_source: Counter[str] = Counter()
    for source, labels in zip(*np.unique(yes[:, 5], return_counts=True), strict=True):
        by_source[sources[int(source)].partition(":")[0]] += int(labels)
    changed = np.concatenate((given[lost, 0], new[beside, 0]))
    return LabelAccount(
        at_import=len(before),
        taken_away=int(lost.sum()),
        added=int(beside.sum()),
        filled_in=int((~beside).sum()),
        now=len(now),
        corrected_images=len(np.unique(changed)),
        images_at_import=len(np.unique(given[:, 0])),
        images_now=len(np.unique(yes[:, 0])),
        by_source=dict(by_source.most_common()),
    )


def _cells(rows: NDArray[np.signedinteger[Any]], n_classes: int) -> NDArray[np.int64]:
    return rows[:, 0].astype(np.int64) * n_classes + rows[:, 1]


def that_hold(
    rows: NDArray[np.signedinteger[Any]], n_classes: int, kind: TaxonomyKind
) -> tuple[NDArray[np.signedinteger[Any]], NDArray[np.signedinteger[Any]]]:
    """Return the statements that hold: those of yes, and those of no; see `effective_labels`."""
    rows = rows[rows[:, 2] >= COUNTED]
    held = rows[_last_of_each(_cells(rows, n_classes), rows[:, 2], rows[:, 3])]
    yes, no = held[held[:, 4] == 1], held[held[:, 4] == 0]
    if kind == "single":
        yes = yes[_last_of_each(yes[:, 0], yes[:, 2], yes[:, 3])]
    return yes, no


def _last_of_each(
    group: NDArray[np.signedinteger[Any]],
    rank: NDArray[np.signedinteger[Any]],
    batch: NDArray[np.signedinteger[Any]],
) -> NDArray[np.intp]:
    """Return the position of each group's member of highest rank, then latest batch."""
    order = np.lexsort((batch, rank, group))
    ordered = group[order]
    last = np.ones(len(ordered), dtype=np.bool_)
    last[:-1] = ordered[1:] != ordered[:-1]
    return order[last]
