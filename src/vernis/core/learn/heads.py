"""Heads: any model of the lab, behind what learning, filling and predicting need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn import persistence
from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.convolutional_head import ConvolutionalHead
from vernis.core.learn.models.interface import Floats, Kind, LabelModel
from vernis.core.learn.models.kernel import KernelRidge
from vernis.core.learn.models.registry import (
    STACKING,
    check_parameters,
    make_model,
    predict_out_of_sample,
)
from vernis.core.learn.models.stacked import Stacked
from vernis.core.learn.network_scores import NETWORK, NetworkScores
from vernis.core.learn.scaling import Projection, fit_projection
from vernis.core.numeric.convolution_training import TrainingSchedule
from vernis.domain.errors import UsageError
from vernis.domain.ports import Rows

CONVOLUTIONAL = "fcnn"
"""Reads maps instead of pooled vectors, so it takes no part in comparisons of the others."""


class FittedHead(Protocol):
    """A classifier of images by their vectors that also knows what it says of its own images.

    Attributes
    ----------
    ensemble_proba_, oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        Of the images that it learned from: by the whole model, and by (parts of) it that saw
        neither the image nor any of its group.
    """

    ensemble_proba_: Floats
    oob_proba_: Floats

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return probabilities, shape (n_images, n_classes)."""
        ...


class Head(FittedHead, Protocol):
    """A classifier that learns from vectors."""

    def fit(
        self,
        X: Floats,
        y: Floats,
        *,
        groups: NDArray[np.int64],
        on_update: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Train on labels of 1, 0 and NaN, shape (n_images, n_classes), and predict the images."""
        ...


def make_head(
    model: str,
    kind: Kind,
    *,
    n_components: int | None,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
) -> Head:
    """Return an unfitted head.

    Parameters
    ----------
    model : str
        One of ``registry.MODELS``, ``stacking``, or ``fcnn``, which reads maps and needs their
        ``map_shape`` (channels, height, width) among the parameters.
    kind : {'single', 'multi'}
    n_components : int or None
        Principal components (of ``fcnn``: of the channels); None keeps all columns.
    seed : int
    parameters : mapping, optional
        The model's own, see ``registry.PARAMETERS``: ``hidden`` (neurons of each hidden layer),
        ``sample_share`` (of the images each estimator sees), ``batch_size``, ``epochs``…; also as
        they were saved with a head.

    Raises
    ------
    NotFound
        There is no model of that name.
    UsageError
        The model has not one of the parameters.
    InvalidValue
        A parameter is out of range.
    """
    own = persistence.current_parameters(parameters or {})
    if model == CONVOLUTIONAL:
        return _make_convolutional(kind, n_components, seed, own)
    if model != "bagged_mlp":
        return StoredModel(model, kind, n_components, seed, own)
    check_parameters((model,), own)
    own = {"loss": "softmax" if kind == "single" else "sigmoid", **own}
    return BaggedMLP(**{**own, "n_components": n_components, "seed": seed})


def _make_convolutional(
    kind: Kind, n_components: int | None, seed: int, own: Mapping[str, Any]
) -> ConvolutionalHead:
    unknown = set(own) - {"map_shape", "epochs"}
    if unknown:
        raise UsageError(f"the model {CONVOLUTIONAL!r} does not take {min(unknown)!r}")
    epochs = own.get("epochs", TrainingSchedule().epochs)
    schedule = TrainingSchedule(epochs=epochs, channels=n_components)
    return ConvolutionalHead(kind, own["map_shape"], schedule, seed)


def fit_head(
    head: Head,
    X: Rows,
    y: Floats,
    *,
    groups: NDArray[np.int64],
    on_update: Callable[[int, int], None] | None = None,
) -> None:
    """Train a head; only those that learn in passes over blocks leave very many vectors unread."""
    if isinstance(head, StoredModel):
        head.fit(X, y, groups=groups, on_update=on_update)
    else:
        head.fit(X[:], y, groups=groups, on_update=on_update)


def notes_of(head: FittedHead) -> tuple[str, ...]:
    """Return what a fit has to tell: members of a stack that were left out, weights, the loss."""
    if isinstance(head, ConvolutionalHead):
        return head.notes_
    model = head.model if isinstance(head, StoredModel) else None
    return model.notes_ if isinstance(model, Stacked) else ()


def save_head(head: FittedHead) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Take a fitted head apart: arrays without pickle, and settings that are JSON-able."""
    if isinstance(head, StoredModel | ConvolutionalHead | NetworkScores):
        return head.to_saved()
    return persistence.to_arrays(head)  # type: ignore[arg-type]


def restore_head(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> FittedHead:
    """Put together what `save_head` took apart.

    Raises
    ------
    ModelError, KeyError
        A part is missing or does not fit.
    """
    if settings["head"] == "bagged_mlp":
        return persistence.from_arrays(arrays, settings)
    if settings["head"] == CONVOLUTIONAL:
        return ConvolutionalHead.from_saved(arrays, settings)
    if settings["head"] == NETWORK:
        return NetworkScores.from_saved(arrays, settings)
    return StoredModel.from_saved(arrays, settings)


class StoredModel:
    """A model of the registry as a head: it brings its own projection.

    Parameters
    ----------
    name : str
        One of ``registry.MODELS`` but ``bagged_mlp``, which is a head itself; or ``stacking``.
    kind : {'single', 'multi'}
    n_components : int or None
    seed : int
    parameters : mapping, optional
        The model's own.

    Attributes
    ----------
    ensemble_proba_, oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        See `Head`.
    projection_ : Projection
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        n_components: int | None,
        seed: int = 0,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.kind = name, kind
        self.n_components, self.seed = n_components, seed
        self.parameters = dict(parameters or {})
        self.model = _make(name, kind, seed, self.parameters)

    def fit(
        self,
        X: Rows,
        y: Floats,
        *,
        groups: NDArray[np.int64],
        on_update: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train, and predict the training images; see `Head`."""
        if on_update is not None:
            on_update(0, 1)
        self.projection_ = fit_projection(X, self.n_components, seed=self.seed)
        projected = self.projection_.over(X)
        rows: Any = projected if isinstance(self.model, KernelRidge) else projected[:]
        self.model.fit(rows, y, groups)
        self.ensemble_proba_ = self.model.predict_proba(rows)
        self.oob_proba_ = predict_out_of_sample(
            self.name,
            self.model,
            self.kind,
            rows,
            y,
            groups,
            n_folds=4,
            seed=self.seed,
            parameters=self.parameters,
        )
        if on_update is not None:
            on_update(1, 1)
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return probabilities, shape (n_images, n_classes)."""
        return self.model.predict_proba(self.projection_.apply(np.asarray(X, np.float32)))

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and settings, as ``persistence.to_arrays`` does."""
        arrays = {f"model_{key}": value for key, value in self.model.to_arrays().items()}
        arrays["projection_mean"] = self.projection_.mean
        arrays["projection_matrix"] = self.projection_.matrix
        return arrays, {
            "format": 1,
            "head": self.name,
            "kind": self.kind,
            "parameters": {"n_components": self.n_components, **self.parameters},
        }

    @classmethod
    def from_saved(
        cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
    ) -> StoredModel:
        """Put a saved head together again."""
        parameters = persistence.current_parameters(settings["parameters"])
        n_components = parameters.pop("n_components")
        head = cls(settings["head"], settings["kind"], n_components, parameters=parameters)
        own = {key[6:]: value for key, value in arrays.items() if key.startswith("model_")}
        head.model.restore(own)
        head.projection_ = Projection(
            arrays["projection_mean"], arrays["projection_matrix"], "rows"
        )
        return head


def _make(name: str, kind: Kind, seed: int, parameters: Mapping[str, Any]) -> LabelModel:
    if name == STACKING:
        return Stacked(kind, seed, parameters=parameters)
    return make_model(name, kind, seed, parameters)
