"""How well boxes fit, against COCO's own program and by hand."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from vernis.core.detect.evaluation import SIZES, PlacedBoxes, evaluate_boxes
from vernis.core.numeric.boxes import overlaps, suppress


def random_boxes(rng: np.random.Generator, n: int) -> np.ndarray[Any, Any]:
    low = rng.uniform(0, 300, (n, 2))
    return np.hstack([low, low + rng.lognormal(3.6, 0.9, (n, 2))])


def random_scene(seed: int) -> tuple[PlacedBoxes, PlacedBoxes]:
    """Return true boxes and found ones: moved, missing, doubled, of another class, invented."""
    rng = np.random.default_rng(seed)
    pictures, classes = rng.integers(0, 12, 160), rng.integers(0, 4, 160)
    true = random_boxes(rng, 160)
    near = true[:130] + rng.normal(0, 4, (130, 4))
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    found = np.vstack([near, near[:30], random_boxes(rng, 60)])
    where = np.concatenate([pictures[:130], pictures[:30], rng.integers(0, 12, 60)])
    what = np.concatenate([classes[:130], classes[:30], rng.integers(0, 4, 60)])
    what = np.where(rng.random(len(what)) < 0.1, (what + 1) % 4, what)
    scores = rng.random(len(what)).round(2)  # with ties
    return PlacedBoxes.of(pictures, classes, true), PlacedBoxes.of(where, what, found, scores)


def with_coco(truth: PlacedBoxes, found: PlacedBoxes) -> Any:
    """Return COCO's precision and recall at 100 boxes a picture."""
    coco_module = pytest.importorskip("pycocotools.coco")
    evaluator_module = pytest.importorskip("pycocotools.cocoeval")

    def rows(boxes: PlacedBoxes) -> list[dict[str, Any]]:
        return [
            {
                "id": i + 1,
                "image_id": int(picture) + 1,
                "category_id": int(label) + 1,
                "bbox": [x, y, right - x, lower - y],
                "area": (right - x) * (lower - y),
                "iscrowd": 0,
                "score": score,
            }
            for i, (picture, label, (x, y, right, lower), score) in enumerate(
                zip(boxes.pictures, boxes.classes, boxes.boxes.tolist(), boxes.scores, strict=True)
            )
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_module.COCO()
        coco.dataset = {
            "images": [{"id": i + 1} for i in range(12)],
            "categories": [{"id": i + 1} for i in range(4)],
            "annotations": rows(truth),
            "info": {},
        }
        coco.createIndex()
        program = evaluator_module.COCOeval(coco, coco.loadRes(rows(found)), "bbox")
        program.evaluate()
        program.accumulate()
    return program.eval


@pytest.mark.parametrize("seed", range(4))
def test_precision_and_recall_are_those_of_coco(seed: int) -> None:
    truth, found = random_scene(seed)
    theirs = with_coco(truth, found)
    ours = evaluate_boxes(truth, found, 4)
    expected = np.where(theirs["precision"][..., -1] < 0, np.nan, theirs["precision"][..., -1])
    np.testing.assert_allclose(ours.precision, expected, atol=1e-9)
    recall = np.where(theirs["recall"][..., -1] < 0, np.nan, theirs["recall"][..., -1])
    np.testing.assert_allclose(ours.recall, recall, atol=1e-9)


def test_targets_as_predictions_are_perfect() -> None:
    truth, _ = random_scene(7)
    perfect = evaluate_boxes(truth, truth, 4)
    assert perfect.mean_ap() >= 0.99
    assert perfect.mean_ap50() == pytest.approx(1)
    assert perfect.mean_recall() == pytest.approx(1)
    assert perfect.n_true.sum(axis=0)[0] == len(truth)


def test_a_class_without_true_boxes_counts_for_nothing() -> None:
    truth = PlacedBoxes.of([0], [0], [[0, 0, 10, 10]])
    found = PlacedBoxes.of([0, 0], [0, 1], [[0, 0, 10, 10], [0, 0, 5, 5]], [0.9, 0.8])
    result = evaluate_boxes(truth, found, 2)
    assert result.mean_ap() == pytest.approx(1)
    assert np.isnan(result.class_ap()[1])
    assert np.isnan(result.mean_ap("large"))


def test_nothing_found_is_zero_and_no_truth_is_unknown() -> None:
    none = PlacedBoxes.of([], [], [])
    truth = PlacedBoxes.of([0], [0], [[0, 0, 10, 10]])
    assert evaluate_boxes(truth, none, 1).mean_ap() == 0
    assert np.isnan(evaluate_boxes(none, truth, 1).mean_ap())


def test_sizes_divide_the_boxes() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 50, 50], [0, 0, 200, 200]]
    truth = PlacedBoxes.of([0, 1, 2], [0, 0, 0], boxes)
    result = evaluate_boxes(truth, truth, 1)
    assert result.n_true[0].tolist() == [3, 1, 1, 1]
    assert [result.mean_ap(size) for size in SIZES] == pytest.approx([1, 1, 1, 1])


def test_overlap_and_suppression_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30], [5, 5, 5, 5]], float)
    assert overlaps(boxes, boxes)[0].tolist() == [1, 0.5, 0, 0]
    assert overlaps(boxes, boxes)[3, 3] == 0
    scores = np.array([0.5, 0.9, 0.1, 0.2])
    same = np.zeros(4, int)
    assert suppress(boxes, scores, same, most=0.4).tolist() == [1, 3, 2]
    assert suppress(boxes, scores, same, most=0.5).tolist() == [1, 0, 3, 2]
    assert suppress(boxes, scores, np.array([0, 1, 0, 0]), most=0.4).tolist() == [1, 0, 3, 2]
