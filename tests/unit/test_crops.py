"""Parts of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.locate.crops import centre_crop, cut, with_margin
from vernis.domain.errors import InvalidValue


def test_the_centre_is_cut_out_of_the_middle():
    assert centre_crop(0.5).tolist() == [0.25, 0.25, 0.75, 0.75]
    picture = np.arange(10 * 8 * 3, dtype=np.uint8).reshape(10, 8, 3)
    part = cut(picture, centre_crop(0.5))
    assert part.shape == (6, 4, 3)  # rows 2.5..7.5: every pixel that the box touches
    assert np.array_equal(part, picture[2:8, 2:6])
    with pytest.raises(InvalidValue):
        centre_crop(0)


def test_a_margin_is_a_share_of_the_box_and_stays_inside():
    assert with_margin(np.array([0.4, 0.4, 0.6, 0.8]), 0.5) == pytest.approx([0.3, 0.2, 0.7, 1.0])
    with pytest.raises(InvalidValue):
        with_margin(np.zeros(4), -1)


def test_a_box_without_area_cuts_one_pixel():
    picture = np.zeros((5, 5, 3), np.uint8)
    for corners in ([0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1]):
        assert cut(picture, np.array(corners)).shape == (1, 1, 3)
