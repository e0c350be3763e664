"""How probably pictures show what words mean, and how evidence is put together."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.adapters.backbones.classifier import classifier_of
from vernis.adapters.backbones.zoo import open_backbone
from vernis.core.explore.picture_words import (
    Classifier,
    Neighborhood,
    PictureWords,
    word_probabilities,
)
from vernis.core.explore.word_scores import either, rank
from vernis.core.words.noun_tree import read_noun_tree
from vernis.domain.errors import InvalidValue

NOUNS = read_noun_tree("cat\t3\t\ndog\t3\t\ncar\t\t\nanimal\t\n")


@pytest.fixture
def classifier():
    return Classifier(np.eye(3, dtype=np.float32), np.array([0, 0, 1], np.float32), NOUNS)


def test_probabilities_are_sums_of_the_softmax_of_the_last_layer(classifier):
    vectors = np.array([[2, 0, 0], [0, 3, -1], [0, 0, 4]], np.float16)
    weights = np.stack([NOUNS.meaning(word).weights for word in ("animal", "car")])
    said = word_probabilities(classifier, vectors, weights)
    for row, vector in zip(said, vectors.astype(float), strict=True):
        e = np.exp([vector[0], vector[1], vector[2] + 1])
        np.testing.assert_allclose(row, [e[:2].sum() / e.sum(), e[2] / e.sum()], rtol=1e-5)
    assert word_probabilities(classifier, vectors[:0], weights).shape == (0, 2)


def test_a_classifier_has_a_name_for_every_class():
    with pytest.raises(InvalidValue, match="expected 4 biases and names"):
        Classifier(np.ones((3, 4), np.float32), np.zeros(4, np.float32), NOUNS)


def test_the_shipped_network_is_read_as_it_reads_itself():
    """In closed form from the stored layer: the same as its own output."""
    backbone = open_backbone()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (256, 300, 3), np.uint8)
    reader = backbone.reader("pooled+logits")
    vector = reader.open()(pixels).astype(np.float32)
    classifier = classifier_of(open_backbone().reader().space)
    logits = vector[:1280] @ classifier.weights + classifier.bias
    np.testing.assert_allclose(logits, vector[1280:], atol=0.02)
    assert classifier_of(backbone.reader("stage5.pooled").space) is None


def test_neighbours_overrule_a_single_picture():
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(2, 8) * 5, 60, axis=0)
    vectors = centers + rng.standard_normal(centers.shape) * 0.3
    said = np.repeat([0.8, 0.01], 60).astype(np.float32)
    said[3], said[100] = 0.02, 0.9  # mistaken among sixty alike
    asked = Neighborhood(vectors).ask(said)
    assert asked[:60].min() > 0.6
    assert asked[60:].max() < 0.1
    order = np.argsort(-said)
    assert order[59] != 3
    assert set(np.argsort(-asked)[:60].tolist()) == set(range(60))


def test_images_without_a_vector_show_nothing(classifier):
    words = PictureWords(classifier, np.array([2, 5]), np.eye(2, 3, dtype=np.float32))
    found = words.classes(np.array([1, 2, 9, 5]))
    assert found.sum(axis=1).tolist() == pytest.approx([0, 1, 0, 1])


def test_one_source_is_enough_and_every_part_counts():
    a, b = np.array([0.5, 0.0], np.float32), np.array([0.5, 0.2], np.float32)
    np.testing.assert_allclose(either([a, b], 2), [0.75, 0.2], rtol=1e-6)
    assert either([], 2).tolist() == [0, 0]
    parts = [np.array([0.9, 0.5, 0.9, 0.0]), np.array([0.1, 0.5, 0.0, 0.0])]
    rows, relevance, every = rank(parts, np.ones(4, bool))
    assert every
    assert rows.tolist() == [1, 0]
    np.testing.assert_allclose(relevance, [0.25, 0.09], rtol=1e-6)
    rows, _, _ = rank(parts, np.array([True, False, True, True]), least=0.1)
    assert rows.tolist() == []


def test_where_none_has_every_part_those_with_some_are_ranked():
    parts = [np.array([0.9, 0.0, 0.0]), np.array([0.0, 0.5, 0.001])]
    rows, relevance, every = rank(parts, np.ones(3, bool))
    assert not every
    assert rows.tolist() == [0, 1, 2]
    np.testing.assert_allclose(relevance, [0.45, 0.25, 0.0005], rtol=1e-6)
    with pytest.raises(InvalidValue):
        rank([], np.ones(3, bool))
