"""Colours by name, and the type of pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.appearance import TYPE_WEIGHTS, open_type_model, read_type_model
from vernis.core.appearance.colors import COLORS, lab_of, name_colors
from vernis.core.appearance.measure import (
    SIZE,
    color_shares,
    measure_appearance,
    middle_shares,
    type_features,
)
from vernis.core.appearance.picture_type import TYPE_FEATURES, TYPES
from vernis.domain.errors import InvalidValue, ModelError

sys.path.insert(0, str(Path(__file__).parent))
from typed_pictures import TYPES as DRAWN
from typed_pictures import draw_typed


def plain(color, size=(300, 400)):
    return np.full((*size, 3), color, np.uint8)


def test_lab_is_that_of_the_standard():
    # CIE: white, sRGB red and blue under D65.
    lab = lab_of([[255, 255, 255], [255, 0, 0], [0, 0, 255]])
    expected = [[100, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    np.testing.assert_allclose(lab, expected, atol=0.05)


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((220, 20, 20), "red"),
        ((255, 140, 0), "orange"),
        ((250, 230, 30), "yellow"),
        ((30, 140, 40), "green"),
        ((20, 60, 200), "blue"),
        ((120, 30, 160), "purple"),
        ((255, 150, 190), "pink"),
        ((110, 65, 20), "brown"),
    ],
)
def test_plain_colours_have_the_names_that_people_give(color, name):
    vector = measure_appearance(plain(color))
    shares = color_shares(vector[None])[0]
    assert COLORS[int(shares.argmax())] == name
    assert shares.sum() == pytest.approx(1, abs=1e-4)


def test_names_agree_with_the_survey():
    """Colours that people call "dark red", "sky blue"… are red and blue."""
    from matplotlib.colors import XKCD_COLORS

    rgb, names = [], []
    for called, code in XKCD_COLORS.items():
        last = called.removeprefix("xkcd:").replace("/", " ").split()[-1]
        last = {"gray": "grey", "violet": "purple"}.get(last, last)
        if last in COLORS:
            rgb.append([int(code[i : i + 2], 16) for i in (1, 3, 5)])
            names.append(COLORS.index(last))
    said = name_colors(lab_of(rgb)).argmax(axis=1)
    assert (said == names).mean() > 0.88


def test_the_middle_is_measured_apart():
    picture = plain((255, 255, 255))
    picture[75:225, 100:300] = (220, 20, 20)
    vector = measure_appearance(picture)[None]
    red = COLORS.index("red")
    assert color_shares(vector)[0, red] == pytest.approx(0.25, abs=0.03)
    assert middle_shares(vector)[0, red] > 0.8


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (3, 3), (40, 900)])
def test_the_smallest_and_the_longest_pictures_are_measured(size):
    vector = measure_appearance(plain((9, 90, 200), size))
    assert vector.shape == (SIZE,)
    assert np.isfinite(vector).all()
    assert type_features(vector[None]).shape == (1, len(TYPE_FEATURES))


def test_what_is_no_picture_is_refused():
    with pytest.raises(InvalidValue, match="expected pixels"):
        measure_appearance(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_pictures_are_of_their_type(kind):
    """Seeds that the weights were not fitted to."""
    pictures = [np.asarray(draw_typed(kind, seed)) for seed in range(9000, 9016)]
    vectors = np.stack([measure_appearance(picture) for picture in pictures])
    said = open_type_model().probabilities(type_features(vectors)).argmax(axis=1)
    assert (said == TYPES.index(kind)).mean() >= 0.8


def test_the_weights_of_the_types_are_read_as_they_were_written():
    said = json.loads(TYPE_WEIGHTS.read_text(encoding="utf-8"))
    features = np.array([said["means"], np.add(said["means"], said["spreads"])])
    # At the means every term but the last is 0; one spread above them every term is 1.
    weights = np.array(said["weights"])
    logits = np.stack([weights[:, -1], weights.sum(axis=1)])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(open_type_model().probabilities(features), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda said: said["weights"].pop(), "expected weights of the shapes"),
        (lambda said: said["types"].reverse(), "other measures or types"),
        (lambda said: said["spreads"].__setitem__(3, 0), "expected spreads above 0"),
        (lambda said: said["means"].__setitem__(0, float("nan")), "expected finite weights"),
        (lambda said: said.pop("means"), "means"),
    ],
)
def test_a_damaged_file_of_weights_is_told(tmp_path, change, reason):
    said = json.loads(TYPE_WEIGHTS.read_text(encoding="utf-8"))
    change(said)
    path = tmp_path / "types.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(ModelError, match=reason) as told:
        read_type_model(path)
    assert str(path) in str(told.value)


def test_a_missing_file_of_weights_is_told(tmp_path):
    with pytest.raises(ModelError, match="install Vernis anew"):
        read_type_model(tmp_path / "none.json")
