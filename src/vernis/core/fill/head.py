"""Train the head that fills, with hold-outs that suit the unlabelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.fill.answers import Kind
from vernis.core.fill.holdout import HoldOut, match_holdout
from vernis.core.fill.plan import FillPlan, plan_fill
from vernis.core.learn.heads import Head, fit_head
from vernis.core.numeric.row_blocks import ChosenRows, as_rows
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows


@dataclass(frozen=True, slots=True, eq=False)
class FillEvidence:
    """Predictions for labelled (held out) and unlabelled images, from which fill plans are made.

    Attributes
    ----------
    labelled, unlabelled : ndarray of int64
        Rows of the images with at least one ``yes``, and of the others.
    Y : ndarray of float32, shape (n_labelled, n_classes)
    held_out : ndarray of float32, shape (n_labelled, n_classes)
    unknown : ndarray of float32, shape (n_unlabelled, n_classes)
    allowed : ndarray of bool, shape (n_unlabelled, n_classes)
    holdout : HoldOut
    kind : {'single', 'multi'}
    """

    labelled: NDArray[np.int64]
    unlabelled: NDArray[np.int64]
    Y: NDArray[np.float32]
    held_out: NDArray[np.float32]
    unknown: NDArray[np.float32]
    allowed: NDArray[np.bool_]
    holdout: HoldOut
    kind: Kind

    def plan(
        self,
        precision: float,
        *,
        confirmed: ArrayLike | None = None,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> FillPlan:
        """Choose what may be filled at a precision; see `plan_fill`."""
        return plan_fill(
            self.Y,
            self.held_out,
            self.unknown,
            self.holdout,
            kind=self.kind,
            precision=precision,
            allowed=self.allowed,
            confirmed=confirmed,
            confidence=confidence,
            seed=seed,
        )


def gather_evidence(
    X: Rows | ArrayLike,
    Y: ArrayLike,
    *,
    kind: Kind,
    head: Head,
    groups: ArrayLike | None = None,
    seed: int = 0,
    on_update: Callable[[int, int], None] | None = None,
) -> FillEvidence:
    """Match the hold-out to the unlabelled images, train on the labelled ones, predict all.

    Parameters
    ----------
    X : Rows, shape (n_images, n_features)
        Embeddings of all images; of very many they are read block by block.
    Y : array_like, shape (n_images, n_classes)
        1, 0 or NaN for unknown. Images without a 1 are those to fill.
    kind : {'single', 'multi'}
    groups : array_like of int, shape (n_images,), optional
        Duplicates.
    head : Head
        Not fitted yet. An ensemble should be large enough that each image is held out from two
        members or more, so that held-out answers are means too.
    seed : int
        Of the hold-out.
    on_update : callable, optional
        Called with the updates done and their total.

    Returns
    -------
    FillEvidence

    Raises
    ------
    InvalidValue
        If shapes disagree or there are fewer than two labelled images that are no duplicates.
    """
    X, Y = as_rows(X), np.asarray(Y, np.float32)
    if Y.ndim != 2 or len(X) != len(Y):
        raise InvalidValue(f"expected labels of shape ({len(X)}, n_classes), got {Y.shape}")
    has_label = np.asarray((Y == 1).any(axis=1))
    labelled, unlabelled = np.flatnonzero(has_label), np.flatnonzero(~has_label)
    codes = np.arange(len(X)) if groups is None else np.asarray(groups)
    holdout = match_holdout(
        ChosenRows(X, labelled), ChosenRows(X, unlabelled), groups=codes[labelled], seed=seed
    )
    together = np.empty(len(X), np.int64)
    together[labelled] = holdout.groups
    together[unlabelled] = holdout.groups.max() + 1 + np.arange(len(unlabelled))
    fit_head(head, X, Y, groups=together, on_update=on_update)
    return FillEvidence(
        labelled=labelled,
        unlabelled=unlabelled,
        Y=Y[labelled],
        held_out=head.oob_proba_[labelled],
        unknown=head.ensemble_proba_[unlabelled],
        allowed=np.asarray(Y[unlabelled] != 0),
        holdout=holdout,
        kind=kind,
    )
