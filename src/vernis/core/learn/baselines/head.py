"""Another model in the bagged MLP's place: with the same projection, predictions and storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.baselines.interface import Floats, Kind
from vernis.core.learn.baselines.registry import (
    STORED,
    from_arrays,
    held_out_predictions,
    make_model,
    to_arrays,
)
from vernis.core.learn.scaling import Projection, fit_projection
from vernis.domain.errors import UsageError


class OtherHead:
    """A model of the registry behind what ``learn`` needs of a head.

    Parameters
    ----------
    name : str
        One of ``registry.STORED``.
    kind : {'single', 'multi'}
    n_components : int or None
    seed : int

    Attributes
    ----------
    ensemble_proba_, oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        Of the images of ``fit``: by the model, and by models that did not see the image.
    projection_ : Projection
    """

    def __init__(self, name: str, kind: Kind, n_components: int | None, seed: int = 0) -> None:
        if name not in STORED:
            raise UsageError(
                f"the model {name!r} cannot be saved as a head; use one of: bagged_mlp, "
                f"{', '.join(STORED)}"
            )
        self.name, self.kind = name, kind
        self.n_components, self.seed = n_components, seed
        self.model = make_model(name, kind, seed)

    def fit(
        self,
        X: Floats,
        Y: Floats,
        *,
        groups: NDArray[np.int64],
        on_update: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train, and predict the training images."""
        self.projection_ = fit_projection(X, self.n_components, seed=self.seed)
        rows = self.projection_.apply(X)
        self.model.fit(rows, Y, groups)
        self.ensemble_proba_ = self.model.predict_proba(rows)
        self.oob_proba_ = self.ensemble_proba_.copy()
        known = ~np.isnan(Y).all(axis=1)
        self.oob_proba_[known] = held_out_predictions(
            self.name, self.kind, rows[known], Y[known], groups[known], n_folds=4, seed=self.seed
        )
        if on_update is not None:
            on_update(1, 1)
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return probabilities, shape (n_images, n_classes)."""
        return self.model.predict_proba(self.projection_.apply(np.asarray(X, np.float32)))

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and settings, as ``persistence.to_arrays`` does."""
        arrays = {f"model_{key}": value for key, value in to_arrays(self.name, self.model).items()}
        arrays["projection_mean"] = self.projection_.mean
        arrays["projection_matrix"] = self.projection_.matrix
        # what fill, which trains networks of its own, reads
        parameters = {
            "n_components": self.n_components,
            "loss": "softmax" if self.kind == "single" else "sigmoid",
        }
        return arrays, {
            "format": 1,
            "head": self.name,
            "kind": self.kind,
            "parameters": parameters,
        }

    @classmethod
    def from_saved(
        cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
    ) -> OtherHead:
        """Put a saved head together again."""
        head = cls(settings["head"], settings["kind"], None)
        own = {key[6:]: value for key, value in arrays.items() if key.startswith("model_")}
        head.model = from_arrays(head.name, head.kind, own)
        head.projection_ = Projection(
            arrays["projection_mean"], arrays["projection_matrix"], "rows"
        )
        return head
