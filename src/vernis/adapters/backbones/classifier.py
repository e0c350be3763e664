"""The last layer of the shipped network, which tells 1,000 classes of ImageNet apart."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
from onnx import numpy_helper

from vernis.adapters.backbones.zoo import WEIGHTS, list_shipped_files, read_checksums
from vernis.core.explore.picture_words import Classifier
from vernis.core.words.noun_tree import NounTree, read_noun_tree
from vernis.domain.types import Space

LAYER = "pooled"
"""What the last layer reads."""
_NOUNS = "imagenet_nouns.txt"


@cache
def imagenet_nouns() -> NounTree:
    """Return the names of the classes, what is above them, and nouns that are like them."""
    return read_noun_tree((WEIGHTS / _NOUNS).read_text(encoding="utf-8"))


def classifier_of(space: Space) -> Classifier | None:
    """Return what reads classes in the vectors of a space.

    Its input is the layer ``pooled`` of these vectors. None where the shipped network did not make
    them, or where that layer is not among them.
    """
    names = [str(name) for name, _ in space.settings.get("layers", [])]
    sums = read_checksums()
    for file in list_shipped_files():
        if sums[file] == space.settings.get("sha256") and LAYER in names:
            return _open(file)
    return None


@cache
def _open(file: str) -> Classifier:
    graph = onnx.load(str(WEIGHTS / file)).graph
    found = {
        one.name: numpy_helper.to_array(one)
        for one in graph.initializer
        if one.name.startswith("logits.")
    }
    weights = np.ascontiguousarray(found["logits.weight.f16"].astype(np.float32).T)
    return Classifier(weights, found["logits.bias"].astype(np.float32), imagenet_nouns())
