"""Where lines of text lie: rectangles, rings and what a probability map says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.text.detection import DetectionSettings, find_lines, scale_line
from vernis.core.text.geometry import (
    Rectangle,
    Ring,
    convex_hull,
    fit_circle,
    fit_ring,
    outline_points,
    smallest_rectangle,
)


def paint_bar(shape: tuple[int, int], rectangle: Rectangle) -> np.ndarray:
    """Return a map that is 0.9 inside the rectangle and 0 outside."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    u, v = x - rectangle.center[0], y - rectangle.center[1]
    along = u * math.cos(rectangle.angle) + v * math.sin(rectangle.angle)
    across = v * math.cos(rectangle.angle) - u * math.sin(rectangle.angle)
    inside = (abs(along) <= rectangle.long / 2) & (abs(across) <= rectangle.short / 2)
    return np.where(inside, 0.9, 0.0)


def paint_ring(shape: tuple[int, int], ring: Ring) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    distance = np.hypot(x - ring.center[0], y - ring.center[1])
    bearing = np.mod(np.arctan2(y - ring.center[1], x - ring.center[0]) - ring.start, 2 * math.pi)
    inside = (distance >= ring.inner) & (distance <= ring.outer) & (bearing <= ring.span)
    return np.where(inside, 0.9, 0.0)


@given(
    angle=st.floats(-math.pi / 2 + 0.01, math.pi / 2),
    long=st.floats(20, 90),
    ratio=st.floats(0.1, 0.9),
)
def test_the_smallest_rectangle_is_the_one_that_the_points_fill(angle, long, ratio):
    drawn = Rectangle((60.0, 70.0), long, long * ratio, angle)
    steps = np.linspace(0, 1, 7)
    a, b, c, d = drawn.corners()
    points = np.concatenate(
        [a + steps[:, None] * (b - a), d + steps[:, None] * (c - d), [drawn.center]]
    )
    found = smallest_rectangle(points)
    assert found.area == pytest.approx(drawn.area, rel=1e-6)
    assert found.center == pytest.approx(drawn.center)
    assert math.cos(2 * (found.angle - angle)) == pytest.approx(1, abs=1e-6)
    assert -math.pi / 2 < found.angle <= math.pi / 2 + 1e-9


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40),
)
def test_the_smallest_rectangle_holds_every_point(points):
    array = np.array(points, float)
    found = smallest_rectangle(array)
    away = array - found.center
    along = away @ [math.cos(found.angle), math.sin(found.angle)]
    across = away @ [-math.sin(found.angle), math.cos(found.angle)]
    assert np.abs(along).max() <= found.long / 2 + 1e-6
    assert np.abs(across).max() <= found.short / 2 + 1e-6


def test_the_hull_leaves_out_what_lies_inside_and_on_its_sides():
    square = [(0, 0), (4, 0), (4, 4), (0, 4)]
    hull = convex_hull(np.array([*square, (2, 2), (2, 0), (4, 1)], float))
    assert sorted(map(tuple, hull.tolist())) == sorted(map(tuple, np.array(square, float).tolist()))


def test_outline_points_are_the_corners_of_pixels():
    mask = np.zeros((4, 6), bool)
    mask[1, 2:5] = True
    assert smallest_rectangle(outline_points(mask)).area == pytest.approx(3)


def test_corners_start_where_a_reader_starts_and_turn_clockwise():
    level = Rectangle((10.0, 10.0), 8.0, 4.0, 0.0)
    assert level.corners().tolist() == [[6, 8], [14, 8], [14, 12], [6, 12]]
    assert level.corners(2).tolist()[0] == pytest.approx([14, 12])
    upright = level.corners(1)
    assert upright[0] == pytest.approx([14, 8])
    assert upright[1] == pytest.approx([14, 12])


@pytest.mark.parametrize("span", [1.0, 2.0, 4.0, 6.0])
def test_the_centre_of_a_thick_arc_is_found_without_bias(span):
    ring = Ring((100.0, 120.0), 70.0, 90.0, -math.pi / 2 - span / 2, span)
    y, x = np.nonzero(paint_ring((240, 240), ring))
    center = fit_circle(x + 0.5, y + 0.5)
    assert center == pytest.approx((100, 120), abs=3)
    found = fit_ring(x + 0.5, y + 0.5)
    assert found is not None
    assert found.inner == pytest.approx(70, abs=3)
    assert found.outer == pytest.approx(90, abs=3)
    assert found.span == pytest.approx(span, abs=0.1)


def test_points_on_a_straight_line_lie_on_no_circle():
    x = np.arange(30.0)
    assert fit_circle(x, 2 * x + 1) is None
    assert fit_ring(x[:2], x[:2]) is None


def test_an_unrolled_ring_is_read_from_the_left_both_ways():
    over = Ring((0.0, 0.0), 10.0, 14.0, -3 * math.pi / 4, math.pi / 2)
    mesh = over.mesh()
    assert mesh[0, 0, 0] < 0 < mesh[-1, 1, 0]
    assert (np.hypot(*mesh[:, 0].T) > np.hypot(*mesh[:, 3].T)).all()
    under = Ring((0.0, 0.0), 10.0, 14.0, math.pi / 4, math.pi / 2).mesh(2)
    assert under[0, 0, 0] < 0 < under[-1, 1, 0]
    assert (np.hypot(*under[:, 0].T) < np.hypot(*under[:, 3].T)).all()
    assert under[1:, 0] == pytest.approx(under[:-1, 1])


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, math.pi / 2, -0.7])
def test_a_line_is_found_and_grown(angle):
    drawn = Rectangle((80.0, 75.0), 90.0, 10.0, angle)
    (line,) = find_lines(paint_bar((150, 160), drawn), DetectionSettings(growth=1.2))
    margin = 1.2 * drawn.area / (2 * (drawn.long + drawn.short))
    assert line.rectangle.center == pytest.approx(drawn.center, abs=1)
    assert line.rectangle.long == pytest.approx(drawn.long + 2 * margin, abs=3)
    assert line.rectangle.short == pytest.approx(drawn.short + 2 * margin, abs=3)
    assert line.score == pytest.approx(0.9)
    assert line.ring is None


def test_a_bent_line_lies_on_a_ring():
    ring = Ring((120.0, 140.0), 80.0, 92.0, -math.pi / 2 - 0.8, 1.6)
    (line,) = find_lines(paint_ring((200, 240), ring))
    assert line.ring is not None
    assert line.ring.center == pytest.approx(ring.center, abs=3)
    assert line.height == pytest.approx(line.ring.width)
    assert line.ring.width > ring.width


def test_faint_small_and_poor_regions_are_no_lines():
    probability = paint_bar((80, 80), Rectangle((40.0, 40.0), 40.0, 8.0, 0.0))
    assert find_lines(np.zeros((32, 32))) == []
    assert find_lines(probability * 0.2) == []
    assert find_lines(probability * 0.35, DetectionSettings(least_score=0.4)) == []
    assert find_lines(probability, DetectionSettings(least_height=12)) == []


def test_a_line_is_scaled_with_its_picture():
    (line,) = find_lines(paint_bar((64, 64), Rectangle((32.0, 20.0), 40.0, 8.0, 0.0)))
    twice = scale_line(line, 2.0, 2.0)
    assert twice.rectangle.area == pytest.approx(4 * line.rectangle.area)
    assert twice.rectangle.center == pytest.approx((64, 40), abs=1)
    assert scale_line(line, 2.0, 1.0).rectangle.long == pytest.approx(2 * line.rectangle.long)
