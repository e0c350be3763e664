"""The class maps of a fully convolutional classifier, as the thesis takes heat maps from its own.

The classifier is learned from labels of whole pictures; the mean of a class's map is its score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.patch_lda import Floats, PatchMaps, told_apart
from vernis.core.numeric.convolution_training import (
    TrainingSchedule,
    train_convolutional_classifier,
)
from vernis.core.numeric.convolutions import ConvolutionalClassifier
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutionalMaps:
    """A score of the cells of a map for each class.

    Attributes
    ----------
    classifier : ConvolutionalClassifier
    has_learned : bool
        False: its training stayed near constant answers, and its maps tell little.
    """

    classifier: ConvolutionalClassifier
    has_learned: bool = True

    @single_threaded_products()
    def score(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> Floats:
        """Return the score of each cell of the one map, shape (n_chosen, height, width)."""
        found = self.classifier.class_maps(np.asarray(maps[0])[None])[0].transpose(2, 0, 1)
        return np.ascontiguousarray(found if columns is None else found[list(columns)])


def fit_convolutional_maps(
    pictures: Sequence[PatchMaps],
    Y: NDArray[np.floating],
    schedule: TrainingSchedule | None = None,
    *,
    seed: int = 0,
) -> ConvolutionalMaps:
    """Learn a fully convolutional classifier of pictures; its class maps tell where.

    Parameters
    ----------
    pictures : sequence of PatchMaps
        Of one map each, mostly the last of the network.
    Y : ndarray of float, shape (n_pictures, n_classes)
        1, 0 or NaN for unknown. Where each picture carries one class and the others are no, the
        classes exclude one another (softmax).
    schedule : TrainingSchedule, optional
    seed : int

    Raises
    ------
    InvalidValue
        There is no picture, a picture has several maps, or a class has no picture with it or none
        without it.
    MissingExtra
        torch is not installed.
    """
    Y = told_apart(pictures, Y)
    if any(len(maps) != 1 for maps in pictures):
        raise InvalidValue("expected pictures of one map each")
    alone = bool(np.isfinite(Y).all() and ((Y == 1).sum(axis=1) == 1).all())
    maps: list[NDArray[Any]] = [one for (one,) in pictures]
    trained = train_convolutional_classifier(
        maps, Y, "single" if alone else "multi", schedule, seed=seed
    )
    return ConvolutionalMaps(trained.classifier, trained.has_learned)
