"""A trained network as a head: what it reads are the network's own scores of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.models.interface import Floats, Kind, link

NETWORK = "fine_tuned"
GRAPH = "graph"
"""The array that holds the bytes of the network's ONNX file."""


class NetworkScores:
    """Makes probabilities of the scores that a network gives.

    Parameters
    ----------
    kind : {'single', 'multi'}
    graph : ndarray of uint8
        The network's ONNX file.
    training : mapping, optional
        How it was trained.

    Attributes
    ----------
    ensemble_proba_, oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        By the network, and by those that have not seen the image.
    """

    def __init__(
        self, kind: Kind, graph: NDArray[np.uint8], training: Mapping[str, Any] | None = None
    ) -> None:
        self.kind, self.graph, self.training = kind, graph, dict(training or {})
        self.ensemble_proba_: Floats
        self.oob_proba_: Floats

    def take(self, scores: Floats, rows: NDArray[np.intp], out_of_fold: Floats) -> None:
        """Take the scores of all images, and of some rows those of networks without them."""
        self.ensemble_proba_ = self.predict_proba(scores)
        self.oob_proba_ = self.ensemble_proba_.copy()
        self.oob_proba_[rows] = self.predict_proba(out_of_fold)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return probabilities of scores, shape (n_images, n_classes)."""
        return link(np.asarray(X, np.float32), self.kind)

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and settings, as ``persistence.to_arrays`` does."""
        about = {"format": 1, "head": NETWORK, "kind": self.kind, "parameters": self.training}
        return {GRAPH: self.graph}, about

    @classmethod
    def from_saved(
        cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
    ) -> NetworkScores:
        """Put a saved head together again; raises KeyError."""
        return cls(settings["kind"], arrays[GRAPH], settings["parameters"])
