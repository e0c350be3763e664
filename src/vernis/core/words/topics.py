"""Topics of label lists: latent Dirichlet allocation and its coherence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

LABELS_A_TOPIC = 3
IMAGES_A_TOPIC = 10
"""Fewer distinct labels or images a topic, on average, and the data does not carry so many."""

_TOP_WORDS = 10
_WORD_PRIOR = 0.05
_RELEVANCE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class TopicModel:
    """Topics of a collection of label lists.

    Attributes
    ----------
    words : ndarray of float64, shape (n_topics, n_labels)
        Probability of each label in each topic; rows sum to 1.
    shares : ndarray of float64, shape (n_images, n_topics)
        Share of each topic in each image; rows sum to 1.
    counts : ndarray of float64, shape (n_topics, n_labels)
        How often each label is expected to stand for each topic, 0 or more.
    """

    words: NDArray[np.float64]
    shares: NDArray[np.float64]
    counts: NDArray[np.float64]

    def top_words(self, count: int) -> list[NDArray[np.int64]]:
        """Return the labels of each topic, most probable first, ``count`` at most.

        A label that is expected to stand for a topic less than once is not of it.
        """
        order = np.argsort(-self.words, axis=1, kind="stable")[:, :count]
        return [row[self.counts[topic, row] >= 1.0] for topic, row in enumerate(order)]


def most_topics(presence: NDArray[np.bool_]) -> int:
    """Return how many topics the data can carry: a third of its labels, a tenth of its images."""
    used = int(presence.any(axis=0).sum())
    filled = int(presence.any(axis=1).sum())
    return min(used // LABELS_A_TOPIC, filled // IMAGES_A_TOPIC)


def fit_topics(presence: NDArray[np.bool_], k: int, *, seed: int = 0) -> TopicModel:
    """Find topics by latent Dirichlet allocation (variational Bayes, all images in each step).

    Sources: Blei, Ng & Jordan (2003), JMLR 3, 993-1022; Hoffman, Blei & Bach (2010), NeurIPS 23.
    Priors: 1/k for the topics of an image, 0.05 for the labels of a topic; label lists are
    short, so a label mostly belongs to one topic.

    Parameters
    ----------
    presence : ndarray of bool, shape (n_images, n_labels)
        Which image carries which label; every image at least one.
    k : int
        1 or more.
    seed : int

    Returns
    -------
    TopicModel
        Topics in the order of how many images they are the largest in.
    """
    from sklearn.decomposition import LatentDirichletAllocation

    if k < 1 or not len(presence):
        raise InvalidValue(f"expected 1 topic or more and some images, got {k}, {len(presence)}")
    model = LatentDirichletAllocation(
        k,
        doc_topic_prior=1.0 / k,
        topic_word_prior=_WORD_PRIOR,
        learning_method="batch",
        max_iter=20,
        random_state=seed,
    )
    shares = np.asarray(model.fit_transform(presence.astype(np.float64)), dtype=np.float64)
    counts = np.asarray(model.components_, dtype=np.float64)
    words = counts / counts.sum(axis=1, keepdims=True)
    largest = np.bincount(shares.argmax(axis=1), minlength=k)
    order = np.lexsort((-shares.sum(axis=0), -largest))
    return TopicModel(words[order], shares[:, order], (counts - _WORD_PRIOR)[order])


def relevant_words(
    words: NDArray[np.float64], presence: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Return the labels that name a topic best, shape (n_topics, min(count, n_labels)).

    Relevance ``0.6 log p(w|t) + 0.4 log (p(w|t) / p(w))`` keeps labels that are everywhere out of
    the names. Source: Sievert & Shirley (2014), LDAvis, equation 1, with their lambda of 0.6.
    """
    marginal = np.maximum(presence.sum(axis=0), 1.0) / max(1.0, float(presence.sum()))
    logs = np.log(np.maximum(words, 1e-12))
    relevance = _RELEVANCE * logs + (1 - _RELEVANCE) * (logs - np.log(marginal))
    return np.asarray(np.argsort(-relevance, axis=1, kind="stable")[:, :count], dtype=np.int64)


def npmi_coherence(
    presence: NDArray[np.bool_], top: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return how much the first labels of each topic occur together, -1..1, shape (n_topics,).

    Mean over pairs of ``log(p(a, b) / (p(a) p(b))) / -log p(a, b)``, the probabilities being shares
    of the images: 1 always together, 0 independent, -1 never together. A pair that is on every
    image says nothing and counts 0. Sources: Bouma (2009), GSCL, 31-40; Lau, Newman & Baldwin
    (2014), EACL, 530-539.

    Parameters
    ----------
    presence : ndarray of bool, shape (n_images, n_labels)
    top : sequence of ndarray of int64
        Columns of ``presence`` for each topic; one alone has no pair and counts 0.
    """
    n = len(presence)
    scores = np.zeros(len(top))
    for topic, columns in enumerate(top):
        chosen = presence[:, columns].astype(np.float64)
        together = chosen.T @ chosen / n
        alone = np.diag(together)
        first, second = np.triu_indices(len(columns), 1)
        joint = together[first, second]
        expected = alone[first] * alone[second]
        values = np.where(expected > 0, -1.0, 0.0)
        some = (joint > 0) & (joint < 1)
        values[some] = np.log(joint[some] / expected[some]) / -np.log(joint[some])
        values[joint >= 1] = 0.0
        scores[topic] = values.mean() if len(values) else 0.0
    return scores


def umass_coherence(
    presence: NDArray[np.bool_], top: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return the UMass coherence of each topic, 0 or less mostly, shape (n_topics,).

    Mean over pairs, ``b`` ranked before ``a``, of ``log((D(a, b) + 1) / D(b))`` with ``D`` counts
    of images. Source: Mimno et al. (2011), EMNLP, 262-272, equation 1 (a mean, not a sum, so that
    topics of fewer labels compare). Labels on no image are left out.
    """
    scores = np.zeros(len(top))
    for topic, columns in enumerate(top):
        chosen = presence[:, columns].astype(np.float64)
        chosen = chosen[:, chosen.any(axis=0)]
        together = chosen.T @ chosen
        before, after = np.triu_indices(chosen.shape[1], 1)
        values = np.log((together[before, after] + 1.0) / together[before, before])
        scores[topic] = values.mean() if len(values) else 0.0
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class TopicScan:
    """Topics for each k of a range. ``coherence`` holds the mean NPMI of each, in order."""

    ks: tuple[int, ...]
    models: tuple[TopicModel, ...]
    coherence: tuple[float, ...]

    @property
    def best(self) -> int:
        """The position of the most coherent k; of equal ones the smallest."""
        return int(np.argmax(self.coherence))


def scan_topics(presence: NDArray[np.bool_], ks: Sequence[int], *, seed: int = 0) -> TopicScan:
    """Fit topics for each k and measure the coherence of their ten most probable labels.

    Topics that no image is mostly about count like the others: splitting too finely costs.
    """
    models = tuple(fit_topics(presence, k, seed=seed) for k in ks)
    coherence = tuple(
        float(npmi_coherence(presence, m.top_words(_TOP_WORDS)).mean()) for m in models
    )
    return TopicScan(tuple(ks), models, coherence)
