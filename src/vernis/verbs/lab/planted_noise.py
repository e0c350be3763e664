"""Label noise that is planted: the kinds of it that the studies share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn import noise

Floats = NDArray[np.float32]

NoiseKind = Literal["uniform", "pairs", "confusion", "features", "missing", "added", "unknown"]
SINGLE_KINDS: tuple[NoiseKind, ...] = ("uniform", "pairs", "confusion", "features", "missing")
MULTI_KINDS: tuple[NoiseKind, ...] = ("uniform", "missing", "added", "unknown")


def kinds_of(kind: str, *, wrong_only: bool = False) -> tuple[NoiseKind, ...]:
    """Return the kinds of noise that fit a ``single`` or ``multi`` taxonomy.

    ``wrong_only`` leaves out the one that makes labels unknown, so that nothing is wrong.
    """
    known, silent = (SINGLE_KINDS, "missing") if kind == "single" else (MULTI_KINDS, "unknown")
    return tuple(name for name in known if not wrong_only or name != silent)


class PlantedNoise:
    """Makes the labels of a set of images wrong, in one way after another.

    Parameters
    ----------
    kind : {'single', 'multi'}
    Y : ndarray of float32, shape (n_images, n_classes)
        Taken as clean.
    groups : ndarray of int64, shape (n_images,)
    vectors : callable
        Returns the images' vectors, shape (n_images, dim); asked only by kinds that need them.
    seed : int
    """

    def __init__(
        self,
        kind: Any,
        Y: Floats,
        groups: NDArray[np.int64],
        vectors: Callable[[], Floats],
        seed: int,
    ) -> None:
        self.kind, self.Y, self.groups = kind, Y, groups
        self.vectors, self.seed = vectors, seed
        self._confusions: Floats | None = None

    def apply(self, kind: str, rate: float) -> Floats:
        """Return the labels with noise of one of `SINGLE_KINDS` or `MULTI_KINDS`."""
        from vernis.core.learn.models.interface import class_codes

        if self.kind == "multi":
            change: Mapping[str, Callable[..., Floats]] = {
                "uniform": noise.flip_labels,
                "missing": noise.drop_labels,
                "added": noise.add_labels,
                "unknown": noise.forget_labels,
            }
            return change[kind](self.Y, rate, self.seed)
        if kind == "missing":
            return noise.forget_labels(self.Y, rate, self.seed)
        codes = class_codes(self.Y)
        if kind == "uniform":
            given: Any = noise.flip_uniform(codes, rate, self.seed)
        elif kind == "pairs":
            given = noise.flip_pairs(codes, rate, self.seed)
        elif kind == "features":
            given = noise.flip_by_features(codes, self.vectors(), rate, self.seed)
        else:
            given = self._confuse(codes, rate)
        return np.eye(self.Y.shape[1], dtype=np.float32)[np.asarray(given, np.intp)]

    def _confuse(self, codes: NDArray[np.intp], rate: float) -> Any:
        """Return labels drawn from the confusions of a logistic regression on clean labels."""
        from vernis.core.learn.models.registry import held_out_predictions

        if self._confusions is None:
            self._confusions = held_out_predictions(
                "logistic", "single", self.vectors(), self.Y, self.groups, seed=self.seed
            )
        transition = noise.confusion_transition(codes, self._confusions, rate)
        present = np.unique(codes)
        own = transition[np.ix_(present, present)]
        return noise.flip_by_matrix(codes, own / own.sum(axis=1, keepdims=True), self.seed)
