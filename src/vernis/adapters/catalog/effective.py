"""The effective labels: which of several sources is believed. Arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.types import TaxonomyKind

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
    rows : ndarray of int, shape (n_statements, 5)
        Image's row, class's column, rank, batch, 1 for yes or 0 for no.
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
    rows = rows[rows[:, 2] >= COUNTED]
    if not len(rows):
        return values, confirmed
    cells = rows[:, 0].astype(np.int64) * shape[1] + rows[:, 1]
    held = rows[_last_of_each(cells, rows[:, 2], rows[:, 3])]
    yes = held[held[:, 4] == 1]
    if kind == "single":
        yes = yes[_last_of_each(yes[:, 0], yes[:, 2], yes[:, 3])]
        confirmed[yes[:, 0]] = (yes[:, 2] >= CONFIRMED)[:, None]
    if kind == "single" or closed:
        values[yes[:, 0]] = 0
    no = held[held[:, 4] == 0]
    for part, value in ((no, 0), (yes, 1)):
        values[part[:, 0], part[:, 1]] = value
        confirmed[part[:, 0], part[:, 1]] |= part[:, 2] >= CONFIRMED
    return values, confirmed


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
