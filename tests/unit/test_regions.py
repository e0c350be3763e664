"""Boxes and regions: fractions, corners, and turning with the EXIF orientation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vernis.domain.errors import InvalidValue
from vernis.domain.regions import (
    Box,
    Region,
    attributes_text,
    inverse_orientation,
    require_object,
    turn_point,
    turned_size,
)

numbers = st.floats(-500, 1500)
sides = st.floats(0, 900)
boxes = st.builds(Box, numbers, numbers, sides, sides)
orientations = st.integers(1, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_turned_as_pillow_turns_the_picture(orientation):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[3:8, 11:25] = 255
    stored = Image.fromarray(pixels)
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(stored)
    rows, columns = np.nonzero(np.asarray(upright))
    turned = Box(11, 3, 14, 5).turned(orientation, (30, 20))
    assert turned.corners == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turned_size(orientation, (30, 20)) == upright.size


@given(boxes, orientations)
def test_turning_back_gives_the_same_box(box, orientation):
    size = (640, 480)
    there = box.turned(orientation, size)
    back = there.turned(inverse_orientation(orientation), turned_size(orientation, size))
    assert back.corners == pytest.approx(box.corners, abs=1e-9)


@given(boxes)
def test_fractions_and_corners_say_the_same(box):
    again = Box.from_center(*box.center((640, 480)), (640, 480))
    assert again.corners == pytest.approx(box.corners, abs=1e-9)
    assert Box.from_corners(*box.corners).corners == pytest.approx(box.corners, abs=1e-9)


@given(boxes)
def test_the_clipped_box_lies_in_the_picture(box):
    clipped = box.clipped((640, 480))
    assert clipped.inside((640, 480), 0)
    assert clipped.area <= box.area + 1e-9
    if box.inside((640, 480), 0):
        assert clipped.corners == pytest.approx(box.corners, abs=1e-9)


def test_corners_may_come_in_any_order():
    assert Box.from_corners(9, 8, 3, 2) == Box(3, 2, 6, 6)


def test_regions_are_turned_with_their_outline():
    region = Region(
        Box(0, 0, 10, 5), (30, 20), "polygon", "[[0,0,10,0,10,5]]", 7, attributes_text({"a": "é"})
    )
    turned = region.turned(6)
    assert turned.picture == (20, 30)
    assert turned.box == Box(15, 0, 5, 10)
    assert turned.polygons() == [[20, 0, 20, 10, 15, 10]]
    assert (turned.foreign_id, turned.attribute_values()) == (7, {"a": "é"})
    assert region.turned(1) is region
    mask = Region(Box(0, 0, 10, 5), (30, 20), "mask", '{"counts":"x","size":[20,30]}')
    assert (mask.turned(3).shape, mask.turned(3).outline) == ("box", "")
    assert mask.polygons() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Box(math.nan, 0, 1, 1),
        lambda: Box(0, math.inf, 1, 1),
        lambda: Box(0, 0, -1, 1),
        lambda: Box(0, 0, 1, 1).center((0, 4)),
        lambda: Region(Box(0, 0, 1, 1), (0, 1)),
        lambda: Region(Box(0, 0, 1, 1), (1, 1), "circle"),
        lambda: Region(Box(0, 0, 1, 1), (1, 1), "polygon"),
        lambda: turn_point(0, 0, 9, (1, 1)),
        lambda: require_object("[1]"),
        lambda: require_object("{"),
    ],
)
def test_bad_values_are_refused(make):
    with pytest.raises(InvalidValue, match="expected"):
        make()


def test_attributes_are_compact_text():
    assert attributes_text({}) == ""
    assert attributes_text({"a": 1, "b": [1.5]}) == '{"a":1,"b":[1.5]}'
    require_object("")
    require_object('{"a":1}')
