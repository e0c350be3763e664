"""What words are like each other, by a small transformer (BERT; Devlin et al. 2019), in NumPy.

The weights and the vocabulary are all-MiniLM-L6-v2's (Apache License 2.0), which a package of its
own carries. Words as vectors: those that are used alike point alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

DIM = 384
_HEADS = 12
_LAYERS = 6
_LEAST = 1e-12
_MASKED = -1e4
_LONGEST = 128  # pieces of a text
_BATCH = 64
_PART = re.compile(r"\w+|[^\w\s]")


class SentenceEncoder:
    """Turns short texts into vectors.

    Parameters
    ----------
    tensors : mapping of str to ndarray of float32
        As the network's publisher names them.
    vocabulary : sequence of str
        Its word pieces, in their order.

    Raises
    ------
    InvalidValue
        A tensor is missing or of another shape.
    """

    def __init__(self, tensors: Mapping[str, Floats], vocabulary: Sequence[str]) -> None:
        self._tensors = tensors
        self._pieces = {piece: number for number, piece in enumerate(vocabulary)}
        last = f"encoder.layer.{_LAYERS - 1}.output.LayerNorm.weight"
        words = tensors.get("embeddings.word_embeddings.weight", np.zeros((0, 0)))
        if words.shape != (len(vocabulary), DIM) or tensors.get(last, words).shape != (DIM,):
            raise InvalidValue(
                f"expected a network of {_LAYERS} layers for {len(vocabulary):,} words in {DIM} "
                f"numbers, got words of the shape {words.shape}"
            )

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return the vector of each text, shape (n_texts, DIM), of length 1."""
        numbers = [self._split(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(numbers[place]))
        result = np.zeros((len(texts), DIM), np.float32)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            width = max(len(numbers[place]) for place in places)
            batch, there = np.zeros((2, len(places), width), np.int64)
            for row, place in enumerate(places):
                own = numbers[place]
                batch[row, : len(own)], there[row, : len(own)] = own, 1
            result[places] = self._run(batch, there.astype(np.float32))
        return result

    def _split(self, text: str) -> list[int]:
        """Return the word pieces of a text, the longest first, between the marks of both ends."""
        spread = unicodedata.normalize("NFD", text.lower())
        plain = "".join(sign for sign in spread if unicodedata.category(sign) != "Mn")
        found: list[int] = []
        for word in _PART.findall(plain):
            found += self._split_word(word)
        return [self._pieces["[CLS]"], *found[: _LONGEST - 2], self._pieces["[SEP]"]]

    def _split_word(self, word: str) -> list[int]:
        start, found = 0, []
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self._pieces:
                    found.append(self._pieces[piece])
                    start = end
                    break
            else:
                return [self._pieces["[UNK]"]]
        return found

    def _run(self, pieces: NDArray[np.int64], there: Floats) -> Floats:
        """Return the mean over the pieces of each text of what the last layer gives."""
        name = "embeddings."
        x = self._tensors[f"{name}word_embeddings.weight"][pieces]
        x = x + self._tensors[f"{name}position_embeddings.weight"][: pieces.shape[1]]
        x = self._level(x + self._tensors[f"{name}token_type_embeddings.weight"][0], name)
        hidden = (1 - there)[:, None, None, :] * _MASKED
        for number in range(_LAYERS):
            x = self._layer(x, hidden, f"encoder.layer.{number}.")
        mean = (x * there[..., None]).sum(axis=1) / there.sum(axis=1, keepdims=True)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)

    def _layer(self, x: Floats, hidden: Floats, name: str) -> Floats:
        from scipy.special import erf

        n, length, _ = x.shape
        parts = []
        for part in ("query", "key", "value"):
            heads = self._linear(x, f"{name}attention.self.{part}").reshape(n, length, _HEADS, -1)
            parts.append(heads.transpose(0, 2, 1, 3))
        query, key, value = parts
        said = query @ key.transpose(0, 1, 3, 2) / np.sqrt(np.float32(DIM / _HEADS)) + hidden
        said = np.exp(said - said.max(axis=-1, keepdims=True))
        said /= said.sum(axis=-1, keepdims=True)
        seen = (said @ value).transpose(0, 2, 1, 3).reshape(n, length, DIM)
        x = self._level(
            x + self._linear(seen, f"{name}attention.output.dense"), f"{name}attention.output."
        )
        inner = self._linear(x, f"{name}intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(np.float32(2))))
        return self._level(x + self._linear(inner, f"{name}output.dense"), f"{name}output.")

    def _linear(self, x: Floats, name: str) -> Floats:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return np.asarray(x @ weight.T + bias, np.float32)

    def _level(self, x: Floats, name: str) -> Floats:
        """Give each row mean 0 and variance 1, then the network's own."""
        rest = x - x.mean(axis=-1, keepdims=True)
        level = rest / np.sqrt((rest * rest).mean(axis=-1, keepdims=True) + _LEAST)
        weight = self._tensors[f"{name}LayerNorm.weight"]
        return np.asarray(level * weight + self._tensors[f"{name}LayerNorm.bias"], np.float32)
