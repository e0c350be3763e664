"""How probably pictures show what a word means, by the classes that their network knows.

The stored vector of a picture is what the network's last layer turns into classes, so the
probability of every class follows from it in closed form, and that of a word is the sum over the
classes that it means: a picture that may be of any of a hundred dogs shows a *dog*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.components import project_rows
from vernis.core.numeric.neighbors import nearest_neighbors
from vernis.core.numeric.threads import in_threads
from vernis.core.words.noun_tree import NounTree
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

_BLOCK = 2048  # pictures whose classes are held at once
_LEAST = 1e-9
_NEIGHBORS = 30
_COMPONENTS = 64
_SAMPLE = 2000  # pictures from which the components are estimated
_ASKED_AGAIN = 1000  # pictures whose neighbours are asked, the likeliest first


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """The last layer of a network, and what its classes are called.

    Attributes
    ----------
    weights : ndarray of float32, shape (dim, n_classes)
    bias : ndarray of float32, shape (n_classes,)
    nouns : NounTree
        Its classes are those of the network, in their order.
    """

    weights: Floats
    bias: Floats
    nouns: NounTree

    def __post_init__(self) -> None:
        n_classes = self.weights.shape[1]
        if self.bias.shape != (n_classes,) or self.nouns.n_classes != n_classes:
            raise InvalidValue(
                f"expected {n_classes} biases and names, got {len(self.bias)} and "
                f"{self.nouns.n_classes}"
            )

    def classes(self, vectors: NDArray[np.generic]) -> Floats:
        """Return the probability of each class, shape (n_pictures, n_classes); rows sum to 1."""
        logits = np.asarray(vectors, np.float32) @ self.weights + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits


def word_probabilities(
    classifier: Classifier, vectors: NDArray[np.generic], weights: Floats
) -> Floats:
    """Return how probably each picture shows each word.

    Parameters
    ----------
    classifier : Classifier
    vectors : ndarray, shape (n_pictures, dim)
    weights : ndarray of float32, shape (n_words, n_classes)
        What the words mean, see ``noun_tree.Meaning``.

    Returns
    -------
    ndarray of float32, shape (n_pictures, n_words)
        In 0..1.
    """
    columns = np.ascontiguousarray(weights.T)

    def block(start: int) -> Floats:
        return np.asarray(classifier.classes(vectors[start : start + _BLOCK]) @ columns)

    blocks = list(in_threads(block, range(0, len(vectors), _BLOCK), ahead=2))
    if not blocks:
        return np.zeros((0, len(weights)), np.float32)
    return np.clip(np.concatenate(blocks), 0.0, 1.0)


class PictureWords:
    """What the pictures of a collection show.

    Parameters
    ----------
    classifier : Classifier
    image_ids : ndarray of int64, shape (n_pictures,)
        Ascending.
    vectors : ndarray, shape (n_pictures, dim)
        What the classifier reads.
    """

    def __init__(
        self,
        classifier: Classifier,
        image_ids: NDArray[np.int64],
        vectors: NDArray[np.generic],
    ) -> None:
        self.classifier = classifier
        self.image_ids = image_ids
        self._vectors = vectors

    @cached_property
    def _neighborhood(self) -> Neighborhood:
        return Neighborhood(self._vectors)

    def probabilities(self, weights: Floats) -> Floats:
        """Return how probably each picture shows each word, its neighbours asked.

        Parameters
        ----------
        weights : ndarray of float32, shape (n_words, n_classes)

        Returns
        -------
        ndarray of float32, shape (n_pictures, n_words)
        """
        said = word_probabilities(self.classifier, self._vectors, weights)
        if len(said) > 1:
            for column in said.T:
                column[:] = self._neighborhood.ask(column)
        return said

    def classes(self, image_ids: NDArray[np.int64]) -> Floats:
        """Return the probability of each class for some images, shape (n, n_classes).

        Zeros for images without a vector.
        """
        rows = np.searchsorted(self.image_ids, image_ids)
        there = rows < len(self.image_ids)
        there[there] = self.image_ids[rows[there]] == image_ids[there]
        result = np.zeros((len(image_ids), len(self.classifier.bias)), np.float32)
        result[there] = self.classifier.classes(self._vectors[rows[there]])
        return result


class Neighborhood:
    """The pictures around each picture, which are asked what it shows.

    One picture of an apple may be taken for a pomegranate; rarely are the thirty like it. Measured:
    ``docs/decisions/words.md``.

    Parameters
    ----------
    vectors : ndarray, shape (n_pictures, dim)
    """

    def __init__(self, vectors: NDArray[np.generic]) -> None:
        self._rows = project_rows(vectors, _COMPONENTS, sample=_SAMPLE)

    def ask(self, probabilities: Floats) -> Floats:
        """Return the probabilities of a word after the neighbours of the likeliest were asked.

        Their log-odds become the mean over the thirty nearest pictures, themselves among them,
        weighted by the cube of the cosine; the order of the others stays, behind them.

        Parameters
        ----------
        probabilities : ndarray of float32, shape (n_pictures,)

        Returns
        -------
        ndarray of float32, shape (n_pictures,)
        """
        kept = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
        odds = np.log(kept) - np.log1p(-kept)
        likeliest = np.sort(np.argsort(-probabilities, kind="stable")[:_ASKED_AGAIN])
        count = min(_NEIGHBORS, max(1, len(odds) // 4))
        found = nearest_neighbors(self._rows[likeliest], self._rows, count)
        weights = np.maximum(found.similarities.astype(np.float64), 0.0) ** 3
        weights[:, 0] += _LEAST
        asked = (weights * odds[found.indices]).sum(axis=1) / weights.sum(axis=1)
        result = np.minimum(odds, asked.min(initial=0.0))
        result[likeliest] = asked
        return np.asarray(1 / (1 + np.exp(-result)), np.float32)
