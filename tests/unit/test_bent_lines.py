"""Lines on an arc, found by their ink."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vernis.core.text.bent_lines import find_ink, fit_bent_line, place_ring, strip_places
from vernis.core.text.geometry import Rectangle, Ring

RING = Ring((150.0, 190.0), 120.0, 150.0, -math.pi / 2 - 0.6, 1.2)


def ink_on(ring: Ring, shape: tuple[int, int]) -> np.ndarray:
    """Return letters, bars of a third of the ring's length, on a ring."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    away = np.hypot(x - ring.center[0], y - ring.center[1])
    bearing = np.arctan2(y - ring.center[1], x - ring.center[0]) - ring.start
    on = (away >= ring.inner) & (away <= ring.outer) & (bearing >= 0) & (bearing <= ring.span)
    return on & (np.mod(bearing * 20, 1) < 0.5)


def assert_same(found: Ring, ring: Ring) -> None:
    """Assert that a ring is another one with a rim."""
    assert found.center == pytest.approx(ring.center, abs=4)
    assert (found.inner + found.outer) / 2 == pytest.approx((ring.inner + ring.outer) / 2, abs=4)
    assert ring.width <= found.width <= 1.6 * ring.width
    middle = ring.start + ring.span / 2
    assert math.cos(found.start + found.span / 2 - middle) > 0.99
    assert ring.span - 0.1 <= found.span <= ring.span + 0.3


def test_letters_on_an_arc_tell_their_ring():
    found = fit_bent_line(ink_on(RING, (110, 300)))
    assert found is not None
    assert_same(found, RING)


def test_other_words_in_the_hollow_do_not_matter():
    ink = ink_on(RING, (110, 300))
    ink[85:97, 120:180] |= np.arange(60) % 6 < 3
    found = fit_bent_line(ink)
    assert found is not None
    assert_same(found, RING)


def test_a_line_under_the_centre_bends_the_other_way():
    ring = Ring((150.0, -80.0), 120.0, 150.0, math.pi / 2 - 0.6, 1.2)
    found = fit_bent_line(ink_on(ring, (110, 300)))
    assert found is not None
    assert_same(found, ring)


def test_a_straight_line_and_scattered_ink_lie_on_no_ring():
    straight = np.zeros((96, 400), np.bool_)
    straight[30:66, 10:390] = np.arange(380) % 10 < 5
    assert fit_bent_line(straight) is None
    scattered = np.random.default_rng(0).random((96, 200)) < 0.1
    assert fit_bent_line(scattered) is None
    assert fit_bent_line(np.zeros((96, 200), np.bool_)) is None


def test_ink_is_what_differs_from_the_ground_inside_the_picture():
    strip = np.full((40, 100, 3), (200, 180, 160), np.uint8)
    strip += np.random.default_rng(0).integers(0, 6, strip.shape, np.uint8)
    strip[10:30, 20:30] = (20, 30, 90)
    strip[:, 90:] = 0  # beyond the picture
    inside = np.ones((40, 100), np.bool_)
    inside[:, 90:] = False
    ink = find_ink(strip, inside)
    expected = np.zeros_like(ink)
    expected[10:30, 20:30] = True
    np.testing.assert_array_equal(ink, expected)
    assert not find_ink(strip, np.zeros_like(inside)).any()
    assert not find_ink(np.full((9, 9, 3), 7, np.uint8), np.ones((9, 9), np.bool_)).any()


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.7])
def test_a_ring_of_a_strip_is_placed_where_its_pixels_lie(angle):
    rectangle = Rectangle((400.0, 300.0), 600.0, 220.0, angle)
    places = strip_places(rectangle, 300, 110)
    placed = place_ring(RING, rectangle, 300, 110)
    ink = ink_on(RING, (110, 300))
    away = np.hypot(*(places[ink] - placed.center).T)
    assert away.min() >= placed.inner - 1e-6
    assert away.max() <= placed.outer + 1e-6
    assert places[ink].mean(axis=0) == pytest.approx(places[ink].mean(axis=0))
    corners = places[[0, 0, -1, -1], [0, -1, -1, 0]]
    assert np.abs(corners - rectangle.corners()).max() < 3


def test_a_word_on_an_arc_whose_hollow_is_filled_is_unrolled():
    """The reader tries the ring where the rectangle is not surely read, and keeps the surer."""
    from vernis.adapters.readers.crops import Pyramid
    from vernis.adapters.readers.onnx_reader import OnnxTextReader, ReaderSettings
    from vernis.core.text.detection import Line

    ink = ink_on(RING, (110, 300))
    picture = Image.new("RGB", (300, 110), "white")
    ImageDraw.Draw(picture).bitmap((0, 0), Image.fromarray(ink.astype(np.uint8) * 255), fill=0)
    seen: list[tuple[int, int]] = []

    def recognize(batch: np.ndarray) -> np.ndarray:
        seen.append(batch.shape[2:])
        steps = np.zeros((1, 4, 3), np.float32)
        steps[0, :, 0] = 1
        # A straight strip is three times as wide as tall, an unrolled one four times and more.
        sure = 0.93 if batch.shape[3] > 3.5 * batch.shape[2] else 0.6
        steps[0, 1] = 1 - sure, sure, 0
        return steps

    def detect(batch: np.ndarray) -> np.ndarray:
        raise AssertionError

    reader = OnnxTextReader(detect, recognize, ("a", "b"))
    line = Line(Rectangle((150.0, 55.0), 300.0, 110.0, 0.0), 1.0)
    pyramid = Pyramid(np.asarray(picture))
    straight = reader._attempt(pyramid, line, 0)
    found, attempt = reader._unroll(pyramid, line, straight)
    assert found.ring is not None
    assert (straight.confidence, attempt.confidence) == pytest.approx((0.6, 0.93))
    assert len(seen) == 2
    assert reader._unroll_tallest(pyramid, [(line, straight)])[0][0].ring is not None
    sure = dataclasses.replace(straight, confidence=0.99)
    assert reader._unroll_tallest(pyramid, [(line, sure)]) == [(line, sure)]
    few = OnnxTextReader(detect, recognize, ("a", "b"), settings=ReaderSettings(bent_lines=0))
    assert few._unroll_tallest(pyramid, [(line, straight)]) == [(line, straight)]
