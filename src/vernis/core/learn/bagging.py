"""Hold-out plans: which images each estimator trains on.

A plan never separates a group: images of one group (duplicates of one another) are either all in an
estimator's sample or all held out from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from vernis.core.numeric.groups import group_codes
from vernis.domain.errors import InvalidValue

Plan = NDArray[np.bool_]
"""Shape (n_estimators, n_images): True where the estimator may train on the image."""

Table = Any
"""A sparse matrix (n_groups, n_classes), whose stubs would tie this to one version of scipy."""


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


def _class_table(Y: ArrayLike | None, codes: NDArray[np.intp]) -> Table:
    """Return which groups hold a ``yes`` of which class, shape (n_groups, n_classes)."""
    n_groups = int(codes.max(initial=-1)) + 1
    if Y is None:
        return sparse.csr_matrix(np.zeros((n_groups, 0), np.int32))
    Y = np.asarray(Y)
    if Y.ndim == 1:
        classes, columns = np.unique(Y, return_inverse=True)
        rows, n_classes = np.arange(len(Y)), len(classes)
    else:
        rows, columns = np.nonzero(np.nan_to_num(Y) > 0.5)
        n_classes = Y.shape[1]
    _require(len(Y) == len(codes), f"Y of {len(codes)} rows", Y.shape)
    ones = np.ones(len(rows), np.int32)
    table: Table = sparse.csr_matrix((ones, (codes[rows], columns)), shape=(n_groups, n_classes))
    table.data[:] = 1
    return table


def _stratified_order(table: Table, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the groups in random order, sorted by their rarest class (none = last)."""
    n_groups, n_classes = table.shape
    frequency = np.asarray(table.sum(axis=0)).ravel()
    rank = np.empty(n_classes, np.intp)
    rank[np.argsort(frequency, kind="stable")] = np.arange(n_classes)
    rarest = np.full(n_groups, n_classes, np.intp)
    coo = table.tocoo()
    np.minimum.at(rarest, coo.row, rank[coo.col])
    shuffled = generator.permutation(n_groups)
    return shuffled[np.argsort(rarest[shuffled], kind="stable")]


def _hold_out_by_blocks(
    n_groups: int, n_estimators: int, share: float, generator: np.random.Generator
) -> Plan:
    """Return which of the groups, in stratified order, are held out from which estimator.

    Consecutive groups form blocks as long as there are estimators. In each block the estimators
    stand in a random order, and round after round every group is held out from another one: so the
    samples are of one size, each block (and class) is spread over all estimators, and each group is
    held out floor or ceil of ``share * n_estimators`` times.
    """
    rounds = share * n_estimators
    whole = math.floor(rounds + 1e-9)
    n_blocks = -(-n_groups // n_estimators)
    seats = generator.permuted(np.tile(np.arange(n_estimators), (n_blocks, 1)), axis=1)
    shifts = generator.permuted(np.tile(np.arange(n_estimators), (n_blocks, 1)), axis=1)
    held = np.zeros((n_estimators, n_blocks * n_estimators), bool)
    places = np.arange(n_blocks * n_estimators).reshape(n_blocks, n_estimators)
    for turn in range(min(whole + 1, n_estimators)):
        seat = (np.arange(n_estimators) + shifts[:, turn, None]) % n_estimators
        chosen = np.take_along_axis(seats, seat, axis=1)
        taken = np.ones(places.shape, bool)
        if turn == whole:  # the fractional round: that part of the groups, evenly spread
            quota = np.cumsum(np.full(places.size, rounds - whole))
            step = np.floor(quota + 1e-9) - np.floor(quota - (rounds - whole) + 1e-9)
            taken = generator.permuted(step.reshape(places.shape) > 0, axis=1)
        held[chosen[taken], places[taken]] = True
    return held[:, :n_groups]


_LONGEST_CHAIN = 8
"""Groups that change places so that one may return to a sample."""


@dataclass(frozen=True, slots=True, eq=False)
class _Repair:
    """Returns groups to samples that would lack a class which two groups or more hold.

    Attributes
    ----------
    held : ndarray of bool, shape (n_estimators, n_groups)
        Changed in place.
    table : sparse array, shape (n_groups, n_classes)
    frequency : ndarray, shape (n_classes,)
    may_move : bool
        A group is held out from another estimator instead where its only hold-out is taken.
    """

    held: Plan
    table: Table
    frequency: NDArray[Any]
    may_move: bool

    def run(self) -> None:
        """Mend every sample, as far as a hold-out of every group allows."""
        for estimator, label in _missing(self.held, self.table, self.frequency):
            self._mend(estimator, [label], frozenset())

    def _mend(self, estimator: int, labels: Iterable[int], moved: frozenset[int]) -> bool:
        """Return a group of each class that the sample lacks; False where one cannot return."""
        for label in labels:
            members = self.table[:, [label]].tocsc().indices
            if not self.held[estimator, members].all():
                continue  # an earlier repair mended this one too
            times = self.held[:, members].sum(axis=0)
            free = [int(g) for g in members[np.argsort(-times, kind="stable")] if g not in moved]
            if not any(self._return(estimator, group, moved) for group in free):
                return False
        return True

    def _return(self, estimator: int, group: int, moved: frozenset[int]) -> bool:
        """Return a group; others change places where the sample it goes to lacks a class then."""
        before = self.held.copy()
        self.held[estimator, group] = False
        if self.held[:, group].any() or not self.may_move:
            return True
        own = self.table.indices[self.table.indptr[group] : self.table.indptr[group + 1]]
        shared = own[self.frequency[own] >= 2].tolist()
        if len(moved) < _LONGEST_CHAIN:
            for other in np.argsort(before.sum(axis=1), kind="stable").tolist():
                if other == estimator:
                    continue
                self.held[other, group] = True
                if self._mend(other, shared, moved | {group}):
                    return True
                self.held[:] = before
                self.held[estimator, group] = False
        self.held[:] = before  # better unseen by one estimator than never held out
        return False


def _missing(held: Plan, table: Table, frequency: NDArray[Any]) -> list[tuple[int, int]]:
    present = (~held).astype(np.int32) @ table
    lacking = (np.asarray(present) == 0) & (frequency >= 2)
    return [(int(e), int(c)) for e, c in np.argwhere(lacking)]


def subsample_plan(
    n_images: int,
    *,
    n_estimators: int = 5,
    fraction: float = 0.75,
    groups: ArrayLike | None = None,
    Y: ArrayLike | None = None,
    seed: int = 0,
) -> Plan:
    """Draw a sub-sample for each estimator.

    The draws are balanced rather than independent: every group is held out from
    floor or ceil of ``(1 - fraction) * n_estimators`` estimators, so that with five estimators at
    75 % every image has an out-of-bag prediction (independent draws leave 24 % without one).

    Parameters
    ----------
    n_images : int
    n_estimators : int
    fraction : float
        Share of the groups in each sample, in (0, 1].
    groups : array_like, shape (n_images,), optional
        Images with equal values are kept together.
    Y : array_like, shape (n_images,) or (n_images, n_classes), optional
        Labels for stratification: classes, or 1 / 0 / NaN. Every class that two groups or more hold
        is in every sample (where a hold-out of every group does not forbid it).
    seed : int

    Returns
    -------
    ndarray of bool, shape (n_estimators, n_images)

    Raises
    ------
    InvalidValue
        If a number is out of range or a shape does not fit.
    """
    _require(n_images >= 1, "1 image or more", n_images)
    _require(n_estimators >= 1, "1 estimator or more", n_estimators)
    _require(0 < fraction <= 1, "samples of a share in (0, 1]", fraction)
    codes = group_codes(groups, n_images)
    table = _class_table(Y, codes)
    n_groups = int(codes.max()) + 1
    generator = np.random.default_rng([seed, 0xBA6])
    held = np.zeros((n_estimators, n_groups), bool)
    order = _stratified_order(table, generator)
    held[:, order] = _hold_out_by_blocks(n_groups, n_estimators, 1 - fraction, generator)
    frequency = np.asarray(table.sum(axis=0)).ravel()
    _Repair(held, table, frequency, may_move=(1 - fraction) * n_estimators >= 1).run()
    for estimator in np.flatnonzero(held.all(axis=1)):  # fewer groups than estimators
        held[estimator, generator.integers(n_groups)] = False
    return ~held[:, codes]
