"""Multi-layer perceptrons: the bagged one of Vernis and scikit-learn's plain one."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from vernis.core.learn import persistence
from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.mlp import layer_widths
from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    class_codes,
    labelled_rows,
    link,
    to_distribution,
    without_unknown,
)
from vernis.core.numeric.threads import single_threaded_products

_MIN_UPDATES = 300


class BaggedNetworks:
    """``BaggedMLP`` behind the interface of the lab.

    Parameters
    ----------
    kind : {'single', 'multi'}
    seed : int
    **head
        Further parameters of ``BaggedMLP``.

    Attributes
    ----------
    oob_proba_ : ndarray of float32, shape (n_images, n_classes)
    """

    def __init__(self, kind: Kind, seed: int = 0, **head: Any) -> None:
        self.kind = kind
        loss = "softmax" if kind == "single" else "sigmoid"
        # components and scaling were applied before, the same for every model
        fixed = {"n_components": None, "scaling": "none", "loss": loss, "seed": seed}
        self.model = BaggedMLP(**{**fixed, **head})

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        self.model.fit(X, Y, groups=groups)
        self.oob_proba_ = self.model.oob_proba_
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        return self.model.predict_proba(X)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts; the settings as JSON, in bytes."""
        arrays, settings = persistence.to_arrays(self.model)
        return {**arrays, "settings": np.frombuffer(json.dumps(settings).encode(), np.uint8)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        settings = json.loads(arrays["settings"].tobytes())
        own = {name: part for name, part in arrays.items() if name != "settings"}
        self.model = persistence.from_arrays(own, settings)
        return self


class PlainNetwork:
    """One network of scikit-learn, with the layers, epochs and batches of ``BaggedMLP``.

    Parameters
    ----------
    kind : {'single', 'multi'}
    hidden : int or sequence of int
        Widths of the hidden layers; one number is one layer.
    epochs : int
        Raised for small collections until there are 300 updates.
    batch_size : int
        Images an update.
    seed : int
    """

    def __init__(
        self,
        kind: Kind,
        hidden: int | Sequence[int] = (512, 512),
        epochs: int = 5,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        self.kind = kind
        self.hidden = layer_widths(hidden)
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed

    @single_threaded_products()
    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        steps = -(-len(rows) // self.batch_size)
        network = MLPClassifier(
            self.hidden,
            batch_size=min(self.batch_size, len(rows)),
            max_iter=max(self.epochs, -(-_MIN_UPDATES // steps)),
            random_state=self.seed,
        )
        target = class_codes(Y[rows]) if self.kind == "single" else without_unknown(Y[rows])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few epochs are meant
            network.fit(X[rows], target)
        self.layers_ = [np.asarray(w, np.float32) for w in network.coefs_]
        self.biases_ = [np.asarray(b, np.float32) for b in network.intercepts_]
        self.present_ = np.arange(Y.shape[1])
        if self.kind == "single":
            self.present_ = np.asarray(network.classes_)
        self.n_classes_ = Y.shape[1]
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        rows = np.asarray(X, np.float32)
        for weight, bias in zip(self.layers_[:-1], self.biases_[:-1], strict=True):
            rows = np.maximum(rows @ weight + bias, 0)
        scores = rows @ self.layers_[-1] + self.biases_[-1]
        if self.kind == "multi":
            return link(scores, "multi")
        if len(self.present_) <= 2:  # scikit-learn has one output for two classes
            yes = link(scores, "multi")
            scores = np.concatenate([1 - yes, yes], axis=1)[:, -len(self.present_) :]
        else:
            scores = link(scores, "single")
        found = np.zeros((len(rows), self.n_classes_), np.float32)
        found[:, self.present_] = scores
        return to_distribution(found, "single")

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        arrays: dict[str, NDArray[Any]] = {
            "present": self.present_,
            "n_classes": np.asarray(self.n_classes_),
        }
        for number, (weight, bias) in enumerate(zip(self.layers_, self.biases_, strict=True)):
            arrays[f"layer_{number}"], arrays[f"shift_{number}"] = weight, bias
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        numbers = range(sum(name.startswith("layer_") for name in arrays))
        self.layers_ = [arrays[f"layer_{number}"] for number in numbers]
        self.biases_ = [arrays[f"shift_{number}"] for number in numbers]
        self.present_, self.n_classes_ = arrays["present"], int(arrays["n_classes"])
        return self
