"""What words mean in the classes of a network."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.adapters.backbones.classifier import imagenet_nouns
from vernis.core.words.noun_tree import NEAREST, RELATED, read_noun_tree
from vernis.domain.errors import InvalidValue

TEXT = """# three classes, what is above them, and a noun that only a definition names
tabby|tabby cat\t3\t
poodle\t4\t
wine bottle\t6\t7
cat|felines\t5
dog\t5
animal|beast\t
vessel\t
wine\t
+5\thamster|gerbil
+6\tjar
"""


@pytest.fixture(scope="module")
def tree():
    return read_noun_tree(TEXT)


def weights(tree, words):
    return tree.meaning(words).weights.tolist()


def test_a_word_means_the_classes_below_it(tree):
    assert tree.n_classes == 3
    assert tree.class_names == ["tabby", "poodle", "wine bottle"]
    assert weights(tree, "animal") == [1, 1, 0]
    assert weights(tree, "dogs") == weights(tree, "Dog") == [0, 1, 0]
    assert weights(tree, "tabby cats") == [1, 0, 0]
    meaning = tree.meaning("beast")
    assert (meaning.way, meaning.n_classes, meaning.nearest) == ("classes", 2, "")


def test_a_word_that_is_no_class_means_what_goes_with_it_or_what_is_nearest(tree):
    wine = tree.meaning("wine")
    assert (wine.way, wine.n_classes) == ("related", 0)
    assert wine.weights.tolist() == pytest.approx([0, 0, RELATED])
    hamster = tree.meaning("hamsters")
    assert (hamster.way, hamster.nearest) == ("nearest", "animal")
    assert hamster.weights.tolist() == pytest.approx([NEAREST, NEAREST, 0])
    assert tree.meaning("wedding") is None


def test_everyday_words_above_classes_are_told_with_them(tree):
    found = tree.words_above({"animal", "dog", "wine", "poodle"})
    assert found == {
        "tabby": [0],
        "poodle": [1],
        "wine bottle": [2],
        "animal": [0, 1],
        "dog": [1],
    }


def test_names_of_several_words_stay_together(tree):
    words = ["red", "wine", "bottle", "dog"]
    assert tree.split(words) == ["red", "wine bottle", "dog"]
    assert tree.split(words, also=["red wine"]) == ["red wine", "bottle", "dog"]


def test_a_name_is_a_kind_of_what_is_above_it(tree):
    assert tree.is_kind("poodle", "animal")
    assert tree.is_kind("hamster", "animals")
    assert not tree.is_kind("animal", "poodle")
    assert not tree.is_kind("wedding", "animal")
    assert not tree.is_kind("poodle", "wedding")


def test_a_damaged_file_is_refused():
    with pytest.raises(InvalidValue, match="not a file of nouns"):
        read_noun_tree("tabby\tx\ty")


def test_the_shipped_nouns_name_the_classes_of_imagenet_in_their_order():
    tree = imagenet_nouns()
    assert tree.n_classes == 1000
    assert [tree.class_names[i] for i in (0, 151, 340, 999)] == [
        "tench",
        "Chihuahua",
        "zebra",
        "toilet tissue",
    ]
    animals = tree.meaning("animal")
    # The first 398 classes of ImageNet are animals, and nothing else is.
    assert np.flatnonzero(animals.weights == 1).tolist() == list(range(398))
    assert np.flatnonzero(tree.meaning("dog").weights == 1).tolist() == list(range(151, 269))
    assert tree.meaning("puffin").nearest == "seabird"
    assert tree.meaning("kitchen").way == "related"
    assert tree.meaning("city") is None
