"""Labels that are held out together with all that speaks for them are not judged."""

import numpy as np

from vernis.core.labels.witnesses import speak_beyond_chance, without_witnesses

NAN = float("nan")


def test_a_class_of_copies_has_no_witnesses() -> None:
    labels = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    alone = without_witnesses(labels, np.array([7, 7, 7, 1, 2, 3]))
    assert alone.tolist() == [[True, False]] * 3 + [[False, False]] * 3


def test_one_other_group_is_too_few_and_two_are_enough() -> None:
    labels = np.ones((4, 1), np.float32)
    assert without_witnesses(labels, np.array([0, 0, 1, 1])).all()
    assert not without_witnesses(labels, np.array([0, 0, 1, 2])).any()


def test_images_without_duplicates_are_judged_however_rare_their_class() -> None:
    labels = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    assert not without_witnesses(labels, np.arange(3)).any()


def test_unknown_and_no_need_no_witness() -> None:
    labels = np.array([[1, NAN], [1, 0], [NAN, 1], [0, NAN]], np.float32)
    alone = without_witnesses(labels, np.array([4, 4, 5, 5]))
    assert alone.tolist() == [[True, False], [True, False], [False, False], [False, False]]


def test_no_images_no_labels() -> None:
    assert without_witnesses(np.zeros((0, 2)), np.zeros(0, np.int64)).shape == (0, 2)


def _one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes]


def test_predictions_that_say_the_same_of_all_speak_of_none() -> None:
    labels = _one_hot(np.arange(60) % 3)
    probs = np.full((60, 3), 1 / 3) + np.random.default_rng(0).normal(0, 0.005, (60, 3))
    assert not speak_beyond_chance(labels, probs, np.arange(60))


def test_predictions_that_know_a_part_speak() -> None:
    classes = np.arange(60) % 3
    said = np.where(np.arange(60) % 2 == 0, classes, (classes + 1) % 3)
    assert speak_beyond_chance(_one_hot(classes), _one_hot(said), np.arange(60))


def test_duplicates_count_once() -> None:
    classes = np.repeat([0, 1, 2, 0], 15)
    probs = 0.2 + 0.4 * _one_hot(classes)
    assert speak_beyond_chance(_one_hot(classes), probs, np.arange(60))
    assert not speak_beyond_chance(_one_hot(classes), probs, np.repeat(np.arange(4), 15))


def test_chance_is_taken_for_knowledge_as_rarely_as_it_should() -> None:
    rng = np.random.default_rng(1)
    said = [
        speak_beyond_chance(_one_hot(rng.integers(0, 3, 40)), rng.random((40, 3)), np.arange(40))
        for _ in range(200)
    ]
    assert np.mean(said) <= 0.06
