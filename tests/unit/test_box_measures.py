"""Found boxes at thresholds: precision, recall and the thresholds that are best."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.detect.box_measures import (
    judge_boxes,
    measure_boxes,
    tune_box_thresholds,
)
from vernis.core.detect.evaluation import PlacedBoxes

BOX = (0, 0, 10, 10)
ASIDE = (50, 50, 60, 60)


def judged():
    """Two pictures, one class: right at .9, wrong at .8, right at .6, wrong at .3; 3 true boxes."""
    truth = PlacedBoxes.of([0, 0, 1], [0, 0, 0], [BOX, ASIDE, BOX])
    found = PlacedBoxes.of(
        [1, 0, 0, 1], [0] * 4, [BOX, (20, 20, 30, 30), (0, 0, 10, 9), BOX], [0.9, 0.8, 0.6, 0.3]
    )
    return judge_boxes(truth, found, 2, 1)


def test_each_true_box_is_found_once_and_the_surest_takes_it():
    found = judged()
    assert found.scores.tolist() == [0.9, 0.8, 0.6, 0.3]
    assert found.right.tolist() == [True, False, True, False]
    assert found.n_true.tolist() == [[2], [1]]


def test_measures_are_those_of_the_definitions():
    measures = measure_boxes(judged(), np.array([0.5]))
    precision, recall = 2 / 3, 2 / 3
    f1 = 2 * precision * recall / (precision + recall)
    f2 = 5 * precision * recall / (4 * precision + recall)
    area = (1 + 2 / 3) / 3  # one true box at precision 1, the next at 2/3, the third never
    assert measures.classes[0, 0] == pytest.approx([precision, recall, f1, f2, area])
    assert measures.micro[0] == pytest.approx(measures.classes[0, 0])
    low, high = measures.macro[1:, 1]
    assert low <= recall <= high
    assert low < high


def test_a_class_without_true_boxes_has_no_measures():
    truth = PlacedBoxes.of([0], [0], [BOX])
    found = PlacedBoxes.of([0, 0], [0, 1], [BOX, BOX], [0.9, 0.9])
    measures = measure_boxes(judge_boxes(truth, found, 1, 2), np.array([0.5, 0.5]))
    assert np.isnan(measures.classes[0, 1]).all()
    assert measures.macro[0, 4] == 1
    assert measures.micro[0, 0] == 0.5
    assert measures.to_document(("a", "b"), 1)["classes"]["b"]["f1"]["value"] is None


@pytest.mark.parametrize(("objective", "kept"), [("f1", 3), ("f2", 3), ("precision", 1)])
def test_the_threshold_is_the_best_of_all(objective, kept):
    found = judged()
    tuned = tune_box_thresholds(found, objective=objective, precision=0.9, fewest=1)
    assert (found.scores >= tuned.values[0]).sum() == kept
    hits = np.array([found.right[:n].sum() for n in range(1, 5)])
    if objective != "precision":
        beta = 1 if objective == "f1" else 4
        worth = (1 + beta) * hits / (beta * 3 + np.arange(1, 5))
        assert worth.argmax() + 1 == kept


def test_a_class_with_few_boxes_shares_the_threshold_of_all():
    tuned = tune_box_thresholds(judged(), fewest=10)
    assert tuned.pooled.tolist() == [True]
    assert 0.3 < tuned.values[0] < 0.6


def test_no_precision_reached_gives_nothing():
    truth = PlacedBoxes.of([0], [0], [BOX])
    found = PlacedBoxes.of([0, 0], [0, 0], [ASIDE, BOX], [0.9, 0.4])
    judged_ = judge_boxes(truth, found, 1, 1)
    tuned = tune_box_thresholds(judged_, objective="precision", precision=0.9, fewest=1)
    assert tuned.values[0] > 0.9


def test_nothing_found_is_no_error():
    truth = PlacedBoxes.of([0], [0], [BOX])
    none = PlacedBoxes.of([], [], [])
    found = judge_boxes(truth, none, 1, 1)
    tuned = tune_box_thresholds(found, fewest=1)
    assert tuned.values.tolist() == [0.5]
    assert measure_boxes(found, tuned.values).macro[0, 4] == 0
