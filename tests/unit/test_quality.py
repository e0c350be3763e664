"""Quality measures find what was spoiled and leave sound pictures alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, uniform_filter1d

from vernis.core.quality import MEASURES, measure, score_quality
from vernis.domain.errors import InvalidValue

KINDS = (
    *("blurry", "dark", "overexposed", "low_information", "odd_aspect_ratio", "odd_size"),
    *("greyscale", "uniform_border", "damaged"),
)


def scene(seed: int, height: int = 260, width: int = 300) -> np.ndarray:
    """Sharp coloured shapes on a noisy ground."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), rng.uniform(60, 180, 3))
    rows, columns = np.mgrid[:height, :width]
    for _ in range(25):
        row, column = rng.integers(0, height), rng.integers(0, width)
        color = rng.uniform(0, 230, 3)
        if rng.random() < 0.5:
            inside = (rows - row) ** 2 + (columns - column) ** 2 < rng.integers(8, 50) ** 2
        else:
            inside = (abs(rows - row) < rng.integers(5, 45)) & (
                abs(columns - column) < rng.integers(5, 45)
            )
        pixels[inside] = color
    return as_picture(pixels + rng.normal(0, 3, pixels.shape))


def as_picture(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def blur(pixels, sigma):
    return as_picture(gaussian_filter(pixels.astype(float), (sigma, sigma, 0)))


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[..., MEASURES.index(name)]


@cache
def sound(count: int) -> np.ndarray:
    """The measures of pictures with nothing wrong."""
    return np.stack([measure(scene(100 + seed)) for seed in range(count)])


def judge(bad: list[np.ndarray], good: int = 40):
    """Score some spoiled pictures among sound ones; the spoiled come first."""
    rows = np.stack([*(measure(picture) for picture in bad), *sound(good)])
    return score_quality(rows, np.full((len(rows), 2), (300, 260)))


SPOILED = {
    "blurry": [blur(scene(s), sigma) for s, sigma in enumerate((2.0, 3.0, 6.0, 20.0))]
    + [as_picture(uniform_filter1d(scene(7).astype(float), 9, axis=1))],
    "dark": [as_picture(scene(s) * k) for s, k in enumerate((0.3, 0.2, 0.1))],
    "overexposed": [as_picture(scene(s) * k) for s, k in enumerate((3.0, 4.0))],
    "low_information": [
        np.full((260, 300, 3), value, dtype=np.uint8) for value in (0, 128, 255)
    ],
    "greyscale": [np.repeat(scene(s).mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
                  for s in range(2)],
    "uniform_border": [
        np.pad(scene(0), ((30, 30), (0, 0), (0, 0))),
        np.pad(scene(1), ((0, 0), (20, 20), (0, 0)), constant_values=255),
        np.pad(scene(2), ((15, 15), (20, 20), (0, 0)), constant_values=90),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_pictures_are_flagged_among_sound_ones(kind):
    result = judge(SPOILED[kind])
    place = result.kinds.index(kind)
    count = len(SPOILED[kind])
    assert result.flagged[:count, place].all()
    assert not result.flagged[count:].any()


def test_kinds_are_those_of_the_domain():
    assert judge([]).kinds == KINDS


def test_blur_is_the_width_of_the_blur():
    for sigma in (1.5, 2.5, 4.0):
        assert column(measure(blur(scene(3), sigma)), "blur") == pytest.approx(sigma, rel=0.2)


def test_noise_does_not_hide_blur():
    rng = np.random.default_rng(0)
    noisy = as_picture(blur(scene(3), 3.0) + rng.normal(0, 6, (260, 300, 3)))
    assert column(measure(noisy), "blur") > 1.5


def test_blurred_background_does_not_make_a_picture_blurred():
    pixels = blur(scene(4), 8.0)
    pixels[80:180, 100:200] = scene(5)[80:180, 100:200]
    assert column(measure(pixels), "blur") < 0.7


def test_product_on_white_is_neither_overexposed_nor_bordered():
    pixels = np.full((300, 260, 3), 255, dtype=np.uint8)
    pixels[20:280, 90:170] = scene(6)[:260, :80]
    pixels[20:60, 90:110] = 255
    pixels[20:60, 150:170] = 255
    result = judge([pixels])
    assert not result.flagged[0].any()


def test_deep_blue_is_not_dark():
    blue = scene(8)
    blue[..., :2] //= 6
    blue[..., 2] = np.maximum(blue[..., 2], 190)
    assert not judge([blue]).flagged[0, KINDS.index("dark")]


def test_grey_is_normal_in_a_grey_collection():
    rows = np.stack([measure(picture) for picture in SPOILED["greyscale"] * 15])
    result = score_quality(rows, np.full((30, 2), 260))
    assert not result.flagged[:, KINDS.index("greyscale")].any()


def test_proportions_and_size_are_relative():
    rows = np.stack([measure(scene(0))] * 42)
    usual = [(800, 600), (600, 800)] * 20
    result = score_quality(rows, np.array([(3000, 300), (64, 48), *usual]))
    assert result.flagged[0, KINDS.index("odd_aspect_ratio")]
    assert result.flagged[1, KINDS.index("odd_size")]
    assert not result.flagged[2:].any()
    banners = [(900 + 30 * i, 200) for i in range(42)]
    assert not score_quality(rows, np.array(banners)).flagged.any()
    unknown = np.zeros((42, 2), dtype=int)
    assert not score_quality(rows, unknown).flagged.any()


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["zeros", "white", "noise", "ramp"]),
)
def test_any_picture_can_be_measured(height, width, content):
    pixels = {
        "zeros": lambda: np.zeros((height, width, 3)),
        "white": lambda: np.full((height, width, 3), 255),
        "noise": lambda: np.random.default_rng(0).integers(0, 256, (height, width, 3)),
        "ramp": lambda: np.broadcast_to(
            np.linspace(0, 255, width)[None, :, None], (height, width, 3)
        ),
    }[content]().astype(np.uint8)
    row = measure(pixels)
    assert row.shape == (len(MEASURES),)
    assert row.dtype == np.float32
    rest = np.delete(row, MEASURES.index("blur"))
    assert np.isfinite(rest).all()
    assert ((rest >= 0) & (rest <= 1)).all()
    scores = score_quality(row[None], np.array([[width, height]])).scores
    assert ((scores >= 0) & (scores <= 1)).all()


def test_any_damage_is_flagged_and_the_worse_the_more_is_lost():
    rows = np.stack([*sound(4)])
    damage = np.array([[0, 0], [1, 0.01], [1, 0.1], [2, 0.0]])
    result = score_quality(rows, np.full((4, 2), (300, 260)), damage)
    column_of = result.scores[:, KINDS.index("damaged")]
    assert result.flagged[:, KINDS.index("damaged")].tolist() == [False, True, True, True]
    assert column_of[2] < column_of[1] < column_of[0] == 1.0


def test_no_images_no_scores():
    result = score_quality(np.empty((0, len(MEASURES))), np.empty((0, 2), dtype=int))
    assert result.scores.shape == (0, len(KINDS))


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidValue, match=r"\(height, width, 3\)"):
        measure(np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(InvalidValue, match="measures of shape"):
        score_quality(np.zeros((3, 2)), np.zeros((3, 2), dtype=int))
