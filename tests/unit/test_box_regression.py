"""How the boxes of cells move onto objects, on drawn cells."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.detect.box_regression import boxes_stay, fit_box_regression
from vernis.core.detect.cell_head import (
    CellHead,
    HeadSettings,
    SeenCells,
    choose_examples,
    fit_cell_head,
    project_examples,
)
from vernis.core.numeric.boxes import overlaps, paired_overlaps
from vernis.domain.errors import InvalidValue


def pictures(rng, n, move, n_features=8, cells=30):
    """Return features, boxes and true boxes of each picture; `move` says where an object lies."""
    for _ in range(n):
        features = rng.normal(0, 1, (cells, n_features)).astype(np.float32)
        corner = rng.uniform(0, 300, (cells, 2))
        boxes = np.hstack([corner, corner + rng.uniform(20, 60, (cells, 2))]).astype(np.float32)
        yield features, boxes, move(features, boxes).astype(np.float32)


def lower_half(features, boxes):
    """The object fills the lower half of the box, and is wider the more the first feature says."""
    middle, wide = boxes[:, [0, 2]].mean(axis=1), boxes[:, 2] - boxes[:, 0]
    half = wide / 2 * np.exp(0.3 * features[:, 0])
    upper = boxes[:, [1, 3]].mean(axis=1)
    return np.stack([middle - half, upper, middle + half, boxes[:, 3]], axis=1)


def test_boxes_move_to_where_objects_are_in_pictures_that_were_not_seen():
    rng = np.random.default_rng(0)
    found = fit_box_regression(*zip(*pictures(rng, 20, lower_half), strict=True))
    features, boxes, true = next(pictures(rng, 1, lower_half))
    before = paired_overlaps(boxes, true).mean()
    after = paired_overlaps(found.move(features, boxes), true)
    assert before < 0.5
    assert after.mean() > 0.9
    assert (after > before).all()


def test_boxes_stay_where_features_tell_nothing():
    rng = np.random.default_rng(1)

    def anywhere(_, boxes):
        return boxes + np.tile(rng.normal(0, 4, (len(boxes), 2)), 2)

    few = list(pictures(rng, 10, anywhere, n_features=60, cells=5))
    found = fit_box_regression(*zip(*few, strict=True))
    features, boxes, true = next(pictures(rng, 1, anywhere, n_features=60, cells=400))
    before = paired_overlaps(boxes, true).mean()
    assert paired_overlaps(found.move(features, boxes), true).mean() > before - 0.02


@pytest.mark.parametrize("shown", [0, 1, 4])
def test_with_objects_in_fewer_pictures_than_folds_boxes_stay(shown):
    rng = np.random.default_rng(2)
    given = list(pictures(rng, shown, lower_half))
    none = np.zeros((0, 8), np.float32), np.zeros((0, 4)), np.zeros((0, 4))
    found = fit_box_regression(*zip(*given, *[none] * 6, strict=True))
    _, boxes, _ = next(pictures(rng, 1, lower_half))
    features = rng.normal(0, 1, (len(boxes), 8)).astype(np.float32)
    np.testing.assert_allclose(found.move(features, boxes), boxes, atol=1e-4)


def test_a_box_without_an_area_moves_without_harm():
    moved = boxes_stay(2).move(np.ones((1, 2), np.float32), np.full((1, 4), 5, np.float32))
    assert np.isfinite(moved).all()


def scene(rng):
    """Return cells of which the object fills the lower half, the object and its class."""
    corner = rng.uniform(0, 300, (200, 2)).astype(np.float32)
    boxes = np.hstack([corner, corner + 40])
    features = rng.normal(0, 1, (200, 6)).astype(np.float32)
    shown = np.flatnonzero(overlaps(boxes, boxes[:1])[:, 0] > 0.5)
    features[shown, 0] += 6
    true = boxes[:1] + np.array([0, 16, 0, 0])
    objectness = np.full(200, 0.2, np.float32)
    objectness[shown] = 0.9
    return SeenCells(features.astype(np.float16), boxes, objectness), true.astype(float)


def test_a_head_finds_moved_boxes_also_when_it_was_saved():
    rng = np.random.default_rng(3)
    how = HeadSettings(hard=40, random=40, regularization=1.0, least=0.1)
    given = [(scene(rng), np.zeros(1, int)) for _ in range(12)]
    examples = [choose_examples(*one, label, 1, how, rng) for one, label in given]
    head = fit_cell_head(*project_examples(examples, how), 1, how)
    seen, true = scene(rng)
    (best, *_) = head.find(seen).boxes
    raw = overlaps(seen.boxes, true).max()
    assert overlaps(best[None], true)[0, 0] > raw
    arrays, settings = head.to_arrays()
    again = CellHead.from_arrays(arrays, settings)
    np.testing.assert_array_equal(again.find(seen).boxes, head.find(seen).boxes)


def test_a_head_that_was_saved_before_boxes_moved_leaves_them():
    rng = np.random.default_rng(4)
    how = HeadSettings(hard=40, random=40, regularization=1.0, least=0.1)
    examples = [choose_examples(*scene(rng), np.zeros(1, int), 1, how, rng) for _ in range(8)]
    arrays, settings = fit_cell_head(*project_examples(examples, how), 1, how).to_arrays()
    old = CellHead.from_arrays(
        {name: values for name, values in arrays.items() if not name.startswith("box_")}, settings
    )
    seen, _ = scene(rng)
    assert overlaps(old.find(seen).boxes, seen.boxes).max(axis=1).min() > 0.9999
    with pytest.raises(InvalidValue, match="box weights"):
        CellHead.from_arrays({**arrays, "box_weights": np.zeros((3, 4))}, settings)
