"""Reads the scores of a network that was trained on a taxonomy, from the bytes of its file."""

from __future__ import annotations

import hashlib
from typing import Any

from numpy.typing import NDArray

from vernis.adapters.backbones.inputs import fit_picture
from vernis.adapters.backbones.onnx_backbone import OnnxReader
from vernis.adapters.backbones.zoo import DEFAULT_FIT, DEFAULT_SIDE
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

_SCORES, _IMAGES = "logits", "images"


def open_scores(graph: bytes, name: str, n_classes: int) -> OnnxReader:
    """Return the reader of a network's scores.

    Parameters
    ----------
    graph : bytes
        ONNX, as ``training.classifier_training`` writes it.
    name : str
        Of the space of the scores.
    n_classes : int
    """
    settings: dict[str, Any] = {
        "layers": [[_SCORES, n_classes]],
        "pooling": "none",
        "side": DEFAULT_SIDE,
        "fit": DEFAULT_FIT,
        "sha256": hashlib.sha256(graph).hexdigest(),
    }
    space = Space(name, n_classes, "float32", settings)
    return OnnxReader(space, graph, {DEFAULT_SIDE: [_SCORES]}, _fitted, _IMAGES)


def _fitted(pixels: Pixels, side: int) -> NDArray[Any]:
    return fit_picture(pixels, side, DEFAULT_FIT)
