"""Wrong boxes: what speaks against each, and whether it tells anything."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.detect.box_faults import (
    GivenBoxes,
    area_under_curve,
    suspect_boxes,
    try_faults,
)
from vernis.core.detect.cells import Detections

A, B, C = (0, 0, 20, 20), (100, 0, 120, 20), (200, 0, 220, 20)


def found(*objects):
    boxes, scores, classes = zip(*objects, strict=True) if objects else ((), (), ())
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(classes, int),
    )


def given(*objects):
    boxes, classes = zip(*objects, strict=True)
    return GivenBoxes(np.array(boxes, float), np.array(classes))


def test_each_kind_of_fault_is_suspected_most_where_it_is():
    boxes = given((A, 0), (B, 0), (C, 0))
    seen = found((A, 0.9, 0), (B, 0.8, 1), ((300, 0, 320, 20), 0.7, 1))
    doubts = suspect_boxes(boxes, seen)
    assert doubts.swapped.argmax() == 1
    assert doubts.swapped[1] == pytest.approx(0.8)
    assert doubts.swapped[0] == pytest.approx(-0.9)
    assert doubts.found[1, 0] == 1
    assert doubts.spurious == pytest.approx([0.1, 0.2, 1.0])
    assert doubts.missing == pytest.approx([0, 0, 0.7])


def test_a_box_beside_its_object_is_misplaced():
    aside = (10, 0, 30, 20)  # overlaps A by a third
    doubts = suspect_boxes(given((aside, 0), (B, 0)), found((A, 0.9, 0), (B, 0.9, 0)))
    assert doubts.misplaced[0] == pytest.approx(0.9 * (1 - 1 / 3) - 0.9 / 3)
    assert doubts.misplaced[1] < 0
    assert doubts.found[0, 1] == 0


def test_an_object_that_was_found_twice_is_missing_once():
    seen = found((A, 0.6, 0), ((1, 0, 21, 20), 0.5, 1), (C, 0.4, 0))
    assert suspect_boxes(given((B, 0)), seen).missing == pytest.approx([0.6, 0, 0.4])


def test_pictures_without_any_box_or_any_find():
    nothing = GivenBoxes(np.zeros((0, 4)), np.zeros(0, int))
    assert suspect_boxes(nothing, found((A, 0.5, 0))).missing == pytest.approx([0.5])
    doubts = suspect_boxes(given((A, 0)), found())
    assert doubts.spurious.tolist() == [1]
    assert doubts.swapped.tolist() == [0]
    assert doubts.found.tolist() == [[-1, -1]]


def test_the_area_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))


def scenes(rng, *, useful):
    boxes, seen = [], []
    for _ in range(60):
        corners = np.array([(x, y, x + 30, y + 30) for x in (0, 50, 100) for y in (0, 50)], float)
        classes = rng.integers(0, 3, 6)
        boxes.append(GivenBoxes(corners, classes))
        said = classes if useful else rng.integers(0, 3, 6)
        moved = corners if useful else corners + rng.uniform(-200, 200, (6, 1))
        seen.append(
            Detections(moved.astype(np.float32), rng.uniform(0.3, 0.9, 6).astype(np.float32), said)
        )
    return boxes, seen


def test_a_detector_that_knows_the_objects_finds_planted_faults():
    powers = try_faults(*scenes(np.random.default_rng(1), useful=True), 3)
    assert set(powers) == {"swapped", "spurious", "misplaced", "missing"}
    assert all(one.auroc > 0.95 and one.is_better_than_chance for one in powers.values())
    assert np.isfinite(powers["swapped"].limit)


def test_one_that_sees_nothing_finds_none_better_than_chance():
    powers = try_faults(*scenes(np.random.default_rng(2), useful=False), 3)
    assert not powers["swapped"].is_better_than_chance
    assert not powers["misplaced"].is_better_than_chance


def test_nothing_is_swapped_where_there_is_one_class():
    boxes, seen = scenes(np.random.default_rng(3), useful=True)
    boxes = [GivenBoxes(one.boxes, one.classes * 0) for one in boxes]
    power = try_faults(boxes, seen, 1)["swapped"]
    assert np.isnan(power.auroc)
    assert not power.is_better_than_chance
