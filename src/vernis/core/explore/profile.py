"""What is special to a part of a collection: lift, co-occurrence, flows between taxonomies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue

OTHER = "other"
"""The name of the node that stands for all that is too small to be shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Lift:
    """How much more often each label is met in a part than in the whole.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_classes,)
        Images of the part with the label.
    wholes : ndarray of int64, shape (n_classes,)
        Images of the whole with the label.
    n_part, n_whole : int
    lift : ndarray of float64, shape (n_classes,)
        Share in the part / share in the whole; 1 = as everywhere, NaN for labels of no image.
    low, high : ndarray of float64, shape (n_classes,)
        Interval of the lift.
    """

    counts: NDArray[np.int64]
    wholes: NDArray[np.int64]
    n_part: int
    n_whole: int
    lift: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def measure_lift(Y: ArrayLike, part: ArrayLike, *, confidence: float = 0.95) -> Lift:
    """Compare how often labels are met in a part with the whole.

    With k of n images of the part and K of N of the whole, lift = (k / n) / (K / N). Its interval
    is that of k / n (Clopper & Pearson 1934), divided by K / N, which is taken as known: the whole
    is what it is. Sorted by its lower end, what was met once or twice does not lead the list.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1 for yes. Pass the images that could carry a label: those with any label of the taxonomy.
    part : array_like of bool, shape (n_images,)
    confidence : float
        In 0..1.

    Returns
    -------
    Lift

    Raises
    ------
    InvalidValue
        If shapes disagree.
    """
    from scipy.stats import beta

    yes, part = np.asarray(Y) == 1, np.asarray(part, bool)
    if yes.ndim != 2 or part.shape != (len(yes),):
        raise InvalidValue(f"expected a part of shape ({len(yes)},), got {part.shape}")
    counts, wholes = yes[part].sum(axis=0), yes.sum(axis=0)
    n_part, n_whole = int(part.sum()), len(yes)
    tail = (1 - confidence) / 2
    # The ends are 0 and 1 where the distribution has none (k = 0, k = n).
    low = np.nan_to_num(beta.ppf(tail, counts, n_part - counts + 1), nan=0.0)
    high = np.nan_to_num(beta.ppf(1 - tail, counts + 1, n_part - counts), nan=1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(wholes > 0, wholes / max(n_whole, 1), np.nan)
        lift = counts / max(n_part, 1) / whole
        low, high = low / whole, high / whole
    return Lift(counts.astype(np.int64), wholes.astype(np.int64), n_part, n_whole, lift, low, high)


def count_together(A: ArrayLike, B: ArrayLike) -> NDArray[np.int64]:
    """Return the images of each pair of labels, shape (n_a, n_b), from matrices with 1 for yes."""
    one, two = ((np.asarray(Y) == 1).astype(np.float32) for Y in (A, B))
    if len(one) != len(two):
        raise InvalidValue(f"expected labels of {len(one)} images, got {len(two)}")
    return np.asarray(np.rint(one.T @ two), np.int64)


def jaccard_index(
    together: ArrayLike, a_counts: ArrayLike, b_counts: ArrayLike
) -> NDArray[np.float64]:
    """Return shared images / images of either for each pair, in 0..1."""
    both = np.asarray(together, np.float64)
    either = np.asarray(a_counts)[:, None] + np.asarray(b_counts)[None] - both
    return np.asarray(both / np.maximum(either, 1), np.float64)


def order_by_likeness(likeness: ArrayLike) -> NDArray[np.int64]:
    """Return an order of classes in which those that go together stand together.

    Average linkage of 1 - likeness, its leaves ordered so that neighbours are as alike as can be
    (Bar-Joseph, Gifford & Jaakkola 2001).

    Parameters
    ----------
    likeness : array_like, shape (n, n)
        Symmetric, in 0..1.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    likeness = np.asarray(likeness, np.float64)
    if len(likeness) < 3:
        return np.arange(len(likeness), dtype=np.int64)
    distance = 1 - (likeness + likeness.T) / 2
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return np.asarray(leaves_list(tree), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Flows between two taxonomies, the small ones gathered.

    Attributes
    ----------
    left, right : tuple of str
        Names of the nodes; ``other`` comes last where there is one.
    values : ndarray of int64, shape (n_left, n_right)
        Images with both labels. Flows to and from ``other`` hold what is not shown by itself.
    hidden_left, hidden_right : int
        How many labels were gathered in ``other`` as a whole.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    values: NDArray[np.int64]
    hidden_left: int
    hidden_right: int


def gather_flows(
    left: tuple[str, ...],
    right: tuple[str, ...],
    together: ArrayLike,
    *,
    min_flow: int = 1,
    max_nodes: int = 30,
) -> Flows:
    """Leave out what is too small to be seen, and add it up as ``other``; no image is lost.

    Labels without a flow of ``min_flow`` become part of ``other``, and so do all but the largest
    ``max_nodes`` of a side. Of a label that is shown, flows below ``min_flow`` go to ``other``.

    Parameters
    ----------
    left, right : tuple of str
    together : array_like, shape (n_left, n_right)
        Images with both labels.
    min_flow : int
        1 or more.
    max_nodes : int
        Of each side, without ``other``.

    Returns
    -------
    Flows
        Its values sum up to ``together``'s.

    Raises
    ------
    InvalidValue
        If shapes disagree or a limit is below 1.
    """
    F = np.asarray(together, np.int64)
    if F.shape != (len(left), len(right)):
        raise InvalidValue(f"expected flows of ({len(left)}, {len(right)}), got {F.shape}")
    if min_flow < 1 or max_nodes < 1:
        raise InvalidValue(f"expected limits of 1 or more, got {min_flow} and {max_nodes}")
    strong = np.where(min_flow <= F, F, 0)
    rows, columns = _largest(strong.sum(axis=1), max_nodes), _largest(strong.sum(axis=0), max_nodes)
    # A label all of whose flows go to labels that are not shown is not shown either.
    rows = rows[strong[np.ix_(rows, columns)].any(axis=1)]
    columns = columns[strong[np.ix_(rows, columns)].any(axis=0)]
    values = np.zeros((len(rows) + 1, len(columns) + 1), np.int64)
    values[:-1, :-1] = strong[np.ix_(rows, columns)]
    values[:-1, -1] = F[rows].sum(axis=1) - values[:-1, :-1].sum(axis=1)
    values[-1, :-1] = np.delete(F, rows, axis=0)[:, columns].sum(axis=0)
    values[-1, -1] = F.sum() - values.sum()
    with_row, with_column = values[-1].any(), values[:, -1].any()
    return Flows(
        left=(*(left[i] for i in rows), *((OTHER,) if with_row else ())),
        right=(*(right[j] for j in columns), *((OTHER,) if with_column else ())),
        values=values[: None if with_row else -1, : None if with_column else -1],
        hidden_left=int((F.sum(axis=1) > 0).sum()) - len(rows),
        hidden_right=int((F.sum(axis=0) > 0).sum()) - len(columns),
    )


def _largest(sizes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the places of the largest sizes above 0, at most ``most``, in ascending order."""
    order = np.argsort(-sizes, kind="stable")[:most]
    return np.sort(order[sizes[order] > 0])
