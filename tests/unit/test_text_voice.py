"""Reading beside the image model: log-odds by Bayes' rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vernis.core.text.brands import BrandMatch
from vernis.core.text.voice import hear_voice, join_voices, reading_voice, weigh_voice

RIGHT = {"exact": 0.98, "sure": 0.9, "unsure": 0.5}


def match(brand: str, evidence: float = 1.0) -> BrandMatch:
    return BrandMatch(brand, brand.lower(), brand, 0, evidence, 0.9, (0,), 0.1)


def test_a_reading_multiplies_the_odds_of_its_class():
    read = [[match("Lion")], [match("Tiger", -1.0), match("Lion", -5.0)], [], [match("Other")]]
    voice = reading_voice(read, {"Lion": 0, "Tiger": 2}, 5, RIGHT)
    assert voice.shape == (4, 5)
    assert voice[0] == pytest.approx([math.log(0.98 / 0.02 * 4), 0, 0, 0, 0])
    assert voice[1] == pytest.approx([math.log(4), 0, math.log(0.9 / 0.1 * 4), 0, 0])
    assert not voice[2:].any()


def test_a_guessing_image_model_leaves_the_share_of_right_readings():
    # Bayes' rule by hand: five classes as likely as one another, then one of them is read.
    voice = reading_voice([[match("Lion")], [match("Lion", -1.0)]], {"Lion": 1}, 5, RIGHT)
    joined = join_voices(np.full((2, 5), 0.2), voice, "single")
    assert joined[:, 1] == pytest.approx([0.98, 0.9], abs=1e-6)
    assert joined[0, [0, 2, 3, 4]] == pytest.approx(0.02 / 4, abs=1e-6)
    assert joined.sum(axis=1) == pytest.approx(1)
    alone = join_voices(np.full((2, 5), 0.2), voice, "multi")
    assert alone[0, 1] == pytest.approx(49 / (1 + 49), abs=1e-6)
    assert alone[0, [0, 2, 3, 4]] == pytest.approx(0.2)


def test_both_voices_together_are_surer_than_each_and_silence_changes_nothing():
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [np.nan, np.nan, np.nan], [0.5, 0.3, 0.2]])
    read = [[match("Lion", -1.0)], [match("Lion", -1.0)], [], []]
    joined = join_voices(probs, reading_voice(read, {"Lion": 0}, 3, RIGHT), "single")
    assert joined[0, 0] > 0.9 > joined[1, 0] > probs[1, 0]
    assert np.array_equal(joined[2:], probs[2:].astype(np.float32), equal_nan=True)


def test_of_two_brands_neither_is_certain():
    read = [[match("Lion"), match("Tiger")]]
    joined = join_voices(
        np.full((1, 4), 0.25), reading_voice(read, {"Lion": 0, "Tiger": 1}, 4, RIGHT), "single"
    )
    assert joined[0, 0] == pytest.approx(joined[0, 1])
    assert joined[0, 0] < 0.5


def test_a_reading_that_is_always_right_stays_finite():
    voice = reading_voice([[match("Lion")]], {"Lion": 0}, 1, dict.fromkeys(RIGHT, 1.0))
    joined = join_voices(np.array([[0.0]]), voice, "multi")
    assert np.isfinite(voice).all()
    assert 0 < joined[0, 0] < 1


def world(right: float, n: int = 300, n_classes: int = 4):
    """Labels, a weak image model, and a voice that claims 98 % and is right as often as said."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, n_classes, n)
    probs = rng.dirichlet(np.ones(n_classes), n)
    probs[np.arange(n), truth] += 0.5
    probs /= probs.sum(axis=1, keepdims=True)
    said = np.where(rng.random(n) < right, truth, (truth + 1) % n_classes)
    voice = np.zeros((n, n_classes))
    voice[np.arange(n), said] = math.log(0.98 / 0.02 * (n_classes - 1))
    return probs, voice, np.eye(n_classes)[truth]


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_a_voice_that_errs_is_heard_less(kind):
    weights = [weigh_voice(*world(right), kind) for right in (0.99, 0.9, 0.7, 0.25)]
    assert weights[0] > 0.8
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] < 0.2


def test_the_weight_makes_the_labels_likeliest():
    probs, voice, labels = world(0.8)
    chosen = weigh_voice(probs, voice, labels, "single")
    given = labels.argmax(axis=1)

    def loss(weight):
        joined = probs * np.exp(weight * voice)
        joined /= joined.sum(axis=1, keepdims=True)
        return -np.log(0.95 * joined[np.arange(len(given)), given] + 0.05 / 4).mean()

    tried = np.linspace(0, 1, 201)
    assert abs(chosen - tried[np.argmin([loss(w) for w in tried])]) <= 0.05
    joined = hear_voice(probs, voice, labels, "single")
    expected = probs * np.exp(chosen * voice)
    assert joined == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-3)


def test_of_few_labels_the_voice_keeps_its_weight():
    probs, voice, labels = (values[:9] for values in world(0.0))
    assert weigh_voice(probs, voice, labels, "single") == 1.0
    probs, voice, labels = world(0.0)
    assert weigh_voice(probs, voice, np.full_like(labels, np.nan), "single") == 1.0
