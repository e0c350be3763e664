"""A figure that keeps its colours before another ground is another picture; an edit is not."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.copies.color_map import stands_before_another_ground

SHAPE = (160, 160)
EVERYWHERE, NOWHERE = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)


def sign(figure, ground) -> np.ndarray:
    """Return an even figure before an even ground."""
    rows, columns = np.indices(SHAPE)
    place = (np.hypot(rows - 80, columns - 80) < 45) & (np.abs(rows - columns) > 8)
    return np.where(place[..., None], np.float32(figure), np.float32(ground)).astype(np.float32)


def differs(first, second) -> bool:
    found = stands_before_another_ground(first, second, EVERYWHERE, NOWHERE)
    assert found == stands_before_another_ground(second, first, EVERYWHERE, NOWHERE)
    return found


@pytest.mark.parametrize(
    ("figure", "grounds"),
    [
        ((108, 62, 190), ((255, 255, 255), (255, 240, 120))),
        ((20, 20, 24), ((212, 176, 90), (255, 255, 255))),
        ((236, 214, 178), ((20, 20, 24), (124, 20, 50))),
    ],
)
def test_one_mark_before_two_grounds_is_two_pictures(figure, grounds):
    assert differs(sign(figure, grounds[0]), sign(figure, grounds[1]))


GREY = np.float32([[0.299], [0.587], [0.114]])
EDITS = {
    "darker": lambda rgb: rgb * 0.7,
    "gamma": lambda rgb: 255 * (rgb / 255) ** 1.6,
    "greyscale": lambda rgb: np.repeat(rgb @ GREY, 3, axis=2),
    "white balance": lambda rgb: (rgb * np.float32([1.15, 1, 0.85])).clip(0, 255),
    "hues turned": lambda rgb: rgb[..., [1, 2, 0]],
}
BLACK = (20, 20, 24)
"""Before another hue it is told apart: nothing says that the hues were turned."""


@pytest.mark.parametrize(
    ("figure", "edit"),
    [(figure, edit) for figure in ((108, 62, 190), (200, 40, 40)) for edit in EDITS]
    + [(BLACK, edit) for edit in EDITS if edit != "hues turned"],
)
def test_what_an_edit_of_the_whole_makes_is_the_same_picture(figure, edit):
    picture = sign(figure, (212, 176, 90))
    assert not differs(picture, EDITS[edit](picture).astype(np.float32))


def test_what_changes_little_or_is_hidden_says_nothing():
    white, yellow = sign((108, 62, 190), (255, 255, 255)), sign((108, 62, 190), (255, 240, 120))
    assert not differs(white, white)
    assert not stands_before_another_ground(white, yellow, EVERYWHERE, EVERYWHERE)
    photo = np.random.default_rng(1).uniform(0, 255, (*SHAPE, 3)).astype(np.float32)
    assert not differs(white, photo)
