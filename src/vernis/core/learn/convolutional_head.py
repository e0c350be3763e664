"""A fully convolutional classifier as a head: it reads maps of a network that were not pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.models.interface import Floats, Groups, Kind, labelled_rows, link
from vernis.core.numeric.convolution_training import (
    TrainedClassifier,
    TrainingSchedule,
    train_convolutional_classifier,
)
from vernis.core.numeric.convolutions import ConvolutionalClassifier
from vernis.core.numeric.folds import stratified_folds
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue

_FOLDS = 4
"""Trainings by which every image is predicted by a classifier that did not see it."""
_BLOCK = 64
"""Pictures that are predicted at once."""


class ConvolutionalHead:
    """Trains with torch, predicts without it.

    Parameters
    ----------
    kind : {'single', 'multi'}
    map_shape : (int, int, int)
        Channels, height and width of the maps that rows hold, flattened in this order.
    schedule : TrainingSchedule, optional
    seed : int

    Attributes
    ----------
    ensemble_proba_, oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        By the classifier of all images, and by those of four folds that saw neither the image nor
        any of its group.
    notes_ : tuple of str
        What the fit has to tell.
    """

    def __init__(
        self,
        kind: Kind,
        map_shape: tuple[int, int, int],
        schedule: TrainingSchedule | None = None,
        seed: int = 0,
    ) -> None:
        self.kind, self.map_shape, self.seed = kind, tuple(map_shape), seed
        self.schedule = schedule or TrainingSchedule()
        self.notes_: tuple[str, ...] = ()

    def fit(
        self,
        X: Floats,
        y: Floats,
        *,
        groups: Groups,
        on_update: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train, and predict the training images; see `heads.Head`."""
        maps, y = self._maps(X), np.asarray(y, np.float32)
        rows = labelled_rows(y, self.kind)
        total = (_FOLDS + 1) * self.schedule.epochs

        def train(chosen: NDArray[np.intp], done: int) -> TrainedClassifier:
            def tell(epoch: int, _: int) -> None:
                if on_update is not None:
                    on_update(done * self.schedule.epochs + epoch, total)

            kept = list(maps[chosen])
            return train_convolutional_classifier(
                kept, y[chosen], self.kind, self.schedule, seed=self.seed, on_update=tell
            )

        whole = train(rows, 0)
        self.classifier_ = whole.classifier
        self.ensemble_proba_ = self._predict(self.classifier_, maps)
        self.oob_proba_ = self.ensemble_proba_.copy()
        fold = stratified_folds(y[rows], _FOLDS, groups=groups[rows], seed=self.seed)
        for number in range(_FOLDS):
            held = fold == number
            if held.any() and not held.all():
                part = train(rows[~held], number + 1).classifier
                self.oob_proba_[rows[held]] = self._predict(part, maps[rows[held]])
        self.notes_ = (
            f"the training loss fell to {whole.loss:.3f}; constant answers give "
            f"{whole.constant_loss:.3f}" + ("" if whole.has_learned else ": it has not learned"),
        )
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return probabilities, shape (n_images, n_classes)."""
        maps = self._maps(np.asarray(X))
        return self._predict(self.classifier_, maps)

    @single_threaded_products()
    def _predict(self, classifier: ConvolutionalClassifier, maps: NDArray[Any]) -> Floats:
        blocks = [
            classifier.scores(maps[start : start + _BLOCK]) for start in range(0, len(maps), _BLOCK)
        ]
        return link(np.concatenate(blocks), self.kind)

    def _maps(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the maps that rows hold, shape (n_images, height, width, channels)."""
        if X.ndim != 2 or X.shape[1] != int(np.prod(self.map_shape)):
            raise InvalidValue(f"expected rows of maps {self.map_shape}, got shape {X.shape}")
        return X.reshape(-1, *self.map_shape).transpose(0, 2, 3, 1)

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and settings, as ``persistence.to_arrays`` does."""
        settings = {
            "format": 1,
            "head": "fcnn",
            "kind": self.kind,
            "parameters": {
                "n_components": self.schedule.channels,
                "map_shape": list(self.map_shape),
                "epochs": self.schedule.epochs,
            },
        }
        return self.classifier_.to_arrays(), settings

    @classmethod
    def from_saved(
        cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
    ) -> ConvolutionalHead:
        """Put a saved head together again; raises KeyError and InvalidValue."""
        own = settings["parameters"]
        schedule = TrainingSchedule(epochs=own["epochs"], channels=own["n_components"])
        head = cls(settings["kind"], tuple(own["map_shape"]), schedule)
        head.classifier_ = ConvolutionalClassifier.from_arrays(arrays)
        return head
