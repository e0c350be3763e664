"""Heat maps, the boxes that they tell, and how well these fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vernis.core.locate.boxes import components, outer_box
from vernis.core.locate.heat_maps import enlarge, geometric_mean, scale_to_unit
from vernis.core.locate.measures import (
    OVERLAPS,
    THESIS_THRESHOLD,
    THRESHOLDS,
    best_overlaps,
    measure_placement,
    points_inside,
)
from vernis.core.locate.thresholds import GRID, learn_threshold, named_threshold
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import InvalidValue

MAPS = arrays.arrays(np.float64, (6, 7), elements=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))


def paint(size: tuple[int, int], *boxes: tuple[int, int, int, int, float]) -> np.ndarray:
    """Return a map of zeros with filled boxes (left, top, right, bottom, value), in cells."""
    heat = np.zeros(size)
    for left, top, right, bottom, value in boxes:
        heat[top:bottom, left:right] = value
    return heat


def flood(inside: np.ndarray) -> list[set[tuple[int, int]]]:
    """Return the connected parts of a mask by a plain search."""
    left = {(int(y), int(x)) for y, x in np.argwhere(inside)}
    parts = []
    while left:
        part, waiting = set(), [left.pop()]
        while waiting:
            y, x = waiting.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            waiting += near
        parts.append(part)
    return parts


@given(MAPS, st.sampled_from([0.2, 0.5, 0.95]))
@settings(deadline=None)
def test_components_are_those_of_a_plain_search(heat, threshold):
    found = components(heat, threshold)
    wanted = []
    for part in flood(heat >= threshold):
        y, x = zip(*part, strict=True)
        box = (min(x) / 7, min(y) / 6, (max(x) + 1) / 7, (max(y) + 1) / 6)
        wanted.append((len(part), max(heat[cell] for cell in part), *box))
    mine = zip(found.cells, found.scores, *found.boxes.T, strict=True)
    assert np.allclose(sorted(mine), sorted(wanted))
    assert list(found.cells) == sorted(found.cells, reverse=True)


def test_the_outer_box_frames_all_that_is_above_80_of_255():
    heat = paint((10, 10), (1, 2, 3, 4, 1.0), (7, 8, 8, 9, 81 / 255), (0, 0, 1, 1, 80 / 255))
    assert outer_box(heat, THESIS_THRESHOLD).boxes.tolist() == [[0.1, 0.2, 0.8, 0.9]]
    assert not len(outer_box(np.zeros((4, 4)), 0.5).boxes)
    assert not len(components(np.zeros((4, 4)), 0.5).boxes)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=2, max_size=6))
def test_overlaps_are_those_of_counted_cells(corners):
    boxes = np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in corners])
    masks = [paint((9, 9), (*box, 1.0)) > 0 for box in boxes.tolist()]
    for row, first in zip(overlaps(boxes, boxes), masks, strict=True):
        for value, second in zip(row, masks, strict=True):
            union = (first | second).sum()
            assert value == pytest.approx((first & second).sum() / union if union else 0)


def test_enlarging_keeps_a_slope_a_constant_and_the_size():
    slope = np.arange(4.0)[None, :].repeat(3, axis=0)
    wide = enlarge(slope, (6, 8))
    assert wide.shape == (6, 8)
    # Centres of the new cells lie at 0.25 + k / 2 of the old ones' edges; beyond the last the edge.
    assert wide[0] == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert enlarge(np.full((2, 1, 1), 7.0), (5, 3)) == pytest.approx(7.0)
    with pytest.raises(InvalidValue, match="1 cell or more"):
        enlarge(slope, (0, 3))


def test_maps_of_three_sizes_join_by_their_geometric_mean():
    a, b = paint((4, 4), (0, 0, 2, 2, 1.0)), paint((2, 2), (0, 0, 1, 1, 1.0), (1, 0, 2, 1, 0.25))
    both = geometric_mean([a, b], (4, 4))
    wanted = np.sqrt(scale_to_unit(a) * scale_to_unit(enlarge(b, (4, 4))))
    assert both == pytest.approx(wanted / wanted.max())
    assert both[3, 3] == 0
    assert geometric_mean([a], (4, 4)) == pytest.approx(a)
    assert scale_to_unit(np.full((2, 2), 3.0)).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InvalidValue, match="one map"):
        geometric_mean([], (4, 4))


def test_maps_that_are_their_own_boxes_are_placed_without_fault():
    truths = [np.array([[0.1, 0.2, 0.5, 0.6]]), np.array([[0.4, 0.4, 0.9, 1.0], [0, 0, 0.2, 0.2]])]
    maps = [paint((10, 10), (1, 2, 5, 6, 1.0)), paint((10, 10), (4, 4, 9, 10, 1.0))]
    found = measure_placement(maps, truths)
    assert found.rows == 2
    assert (found.max_box_acc, found.corloc, found.pointing, found.rule_of_80) == (1, 1, 1, 1)
    assert found.at == (1, 1, 1)


def test_placement_is_what_a_plain_loop_counts():
    rng = np.random.default_rng(3)
    maps = [scale_to_unit(enlarge(rng.random((4, 5)), (12, 15))) for _ in range(30)]
    truths = []
    for _ in maps:
        corner, size = rng.random((2, 2)) * 0.6, 0.1 + rng.random((2, 2)) * 0.3
        truths.append(np.concatenate([corner, corner + size], axis=1))
    found = measure_placement(maps, truths)
    best = np.zeros((len(THRESHOLDS), len(maps)))
    large = np.zeros_like(best)
    for row, (heat, truth) in enumerate(zip(maps, truths, strict=True)):
        for column, threshold in enumerate(THRESHOLDS):
            parts = components(heat, threshold)
            fits = [[overlaps(p[None], t[None])[0, 0] for t in truth] for p in parts.boxes]
            best[column, row] = max(map(max, fits), default=0)
            large[column, row] = max(fits[0], default=0) if fits else 0
    accuracy = [max((best[c] >= least).mean() for c in range(9)) for least in OVERLAPS]
    assert found.at == pytest.approx(tuple(accuracy))
    assert found.max_box_acc == pytest.approx(np.mean(accuracy))
    assert found.corloc == pytest.approx(max((row >= 0.5).mean() for row in large))
    ruled = [
        overlaps(outer_box(heat, 80 / 255).boxes, truth).max() >= 0.5
        for heat, truth in zip(maps, truths, strict=True)
    ]
    assert found.rule_of_80 == pytest.approx(np.mean(ruled))


def test_the_pointing_game_takes_the_highest_cell_and_a_margin():
    heat = paint((10, 10), (7, 2, 8, 3, 1.0))  # its centre: x 0.75, y 0.25
    assert points_inside(heat, np.array([[0.7, 0.2, 0.8, 0.3]]))
    assert points_inside(heat, np.array([[0.755, 0.2, 0.9, 0.3]]))
    assert not points_inside(heat, np.array([[0.77, 0.2, 0.9, 0.3]]))
    assert not points_inside(heat, np.array([[0.2, 0.7, 0.3, 0.8]]))


def test_placement_needs_a_true_box_for_each_map():
    with pytest.raises(InvalidValue, match="true boxes for each map"):
        measure_placement([], [])
    with pytest.raises(InvalidValue, match="at least one true box"):
        measure_placement([np.ones((2, 2))], [np.zeros((0, 4))])
    with pytest.raises(InvalidValue, match="height and width"):
        best_overlaps(np.ones(3), np.ones((1, 4)))


def test_a_threshold_is_learnt_from_ten_boxes_and_not_from_nine():
    # The object is the part above 0.6; a wide halo of 0.55 is none of it.
    heat = paint((20, 20), (0, 0, 15, 15, 0.55), (4, 4, 10, 10, 1.0))
    truth = np.array([[0.2, 0.2, 0.5, 0.5]])
    learnt = learn_threshold([heat] * 10, [truth] * 10)
    assert learnt is not None
    assert 0.55 < learnt < 1
    assert learnt in GRID
    assert learn_threshold([heat] * 9, [truth] * 9) is None


def test_thresholds_have_names():
    assert named_threshold("thesis") == pytest.approx(80 / 255)
    assert named_threshold("auto") is None
    assert named_threshold("0.4") == 0.4
    for wrong in ("half", "0", "1.5", "nan"):
        with pytest.raises(ValueError):
            named_threshold(wrong)
