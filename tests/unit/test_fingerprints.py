"""Fingerprints: packing, turning, and what they keep of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.fingerprints import FINGERPRINT_SPACE, compute_fingerprint
from vernis.adapters.pixel_measure import PixelMeasure
from vernis.core.copies.fingerprints import (
    FINGERPRINT_SIZE,
    ORIENTATIONS,
    turn,
    turn_matrix,
    unpack_fingerprints,
)
from vernis.domain.errors import InvalidValue


def gradient(width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 55, height))
    return np.stack([x + y, x, 255 - x], axis=2).astype(np.uint8)


def test_a_fingerprint_keeps_grey_colour_and_aspect():
    row = compute_fingerprint(gradient(300, 200))
    assert row.shape == (FINGERPRINT_SIZE,) == (FINGERPRINT_SPACE.dim,)
    assert row.dtype == np.uint8
    print_ = unpack_fingerprints(row[None])
    assert print_.aspect[0] == pytest.approx(1.5, rel=1e-3)
    luma = np.asarray(Image.fromarray(gradient(300, 200)).convert("L"), dtype=float)
    assert abs(print_.luma[0].mean() - luma.mean()) < 2
    assert print_.chroma[0, 0, 8, 0] > 128 > print_.chroma[0, 0, 8, -1]


def test_the_reader_gives_fingerprints_in_its_space():
    reader = PixelMeasure(FINGERPRINT_SPACE, compute_fingerprint)
    assert reader.space == FINGERPRINT_SPACE
    assert reader.open()(gradient(20, 10)).shape == (reader.space.dim,)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2)])
def test_odd_sizes_have_fingerprints(size):
    assert len(compute_fingerprint(gradient(*size))) == FINGERPRINT_SIZE


def test_rows_of_another_length_are_refused():
    with pytest.raises(InvalidValue, match="expected fingerprints"):
        unpack_fingerprints(np.zeros((2, 7), dtype=np.uint8))


@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_turning_a_picture_and_its_points_agree(orientation):
    picture = np.arange(16).reshape(4, 4)
    turned = turn(picture, orientation)
    for y in range(4):
        for x in range(4):
            moved = turn_matrix(orientation) @ (np.array([x, y]) - 1.5) + 1.5
            assert turned[round(moved[1]), round(moved[0])] == picture[y, x]


def test_rot90_turns_against_the_clock():
    picture = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(turn(picture, ORIENTATIONS.index("rot90")), np.rot90(picture))
    np.testing.assert_array_equal(
        turn(picture, ORIENTATIONS.index("rot270")), np.rot90(picture, -1)
    )
