"""A part of a picture, as a person names it."""

from __future__ import annotations

import pytest

from vernis.core.explore.regions import Region
from vernis.domain.errors import UsageError


def test_pixels_are_taken_as_they_are():
    region = Region.parse("120,40,300,200")
    assert region == Region(120, 40, 300, 200)
    assert region.box(640, 480, "a.jpg") == (120, 40, 420, 240)


def test_shares_grow_with_the_picture():
    region = Region.parse("0.5,0,0.5,1")
    assert region.box(640, 480, "a.jpg") == (320, 0, 640, 480)
    assert region.box(101, 51, "a.jpg") == (50, 0, 101, 51)
    assert Region.parse("0,0,1,1").box(30, 20, "a.jpg") == (0, 0, 30, 20)


def test_one_number_above_one_makes_pixels_of_all():
    assert Region.parse("0,0,1,2").box(30, 20, "a.jpg") == (0, 0, 1, 2)


def test_neighbouring_shares_leave_no_gap_and_no_overlap():
    left, right = Region.parse("0,0,0.3,1"), Region.parse("0.3,0,0.7,1")
    for width in range(5, 60):
        assert left.box(width, 9, "x")[2] == right.box(width, 9, "x")[0]
        assert right.box(width, 9, "x")[2] == width


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "a,b,c,d",
        "0,0,0,5",
        "0,0,5,0",
        "-1,0,5,5",
        "0,0,nan,5",
        "0,0,inf,5",
    ],
)
def test_refuses_what_is_no_region(text):
    with pytest.raises(UsageError, match="expected a region as x,y,width,height"):
        Region.parse(text)


@pytest.mark.parametrize(
    "text", ["600,0,41,10", "0,470,10,11", "640,0,5,5", "0.9,0,0.2,0.5", "0,0,0.0001,0.5"]
)
def test_refuses_a_region_that_leaves_the_picture_or_holds_no_pixel(text):
    with pytest.raises(UsageError, match=r"leaves the picture a\.jpg, which is 640 x 480 pixels"):
        Region.parse(text).box(640, 480, "a.jpg")


def test_is_written_as_it_is_read():
    for text in ("120,40,300,200", "0.5,0,0.5,1"):
        assert str(Region.parse(text)) == text
        assert Region.parse(str(Region.parse(text))) == Region.parse(text)
