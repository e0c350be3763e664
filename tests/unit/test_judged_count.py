"""Wrong labels are counted by a sample that a person judged, without bias and with an interval."""

import numpy as np
import pytest

from vernis.core.labels.judged_count import (
    count_by_judged,
    draw_by_doubt,
    drawing_chances,
    foretell_error,
)
from vernis.domain.errors import InvalidValue

N = 1200


@pytest.fixture(scope="module")
def labels():
    """Labels of which twice as many are wrong as the model says, most where it doubts."""
    rng = np.random.default_rng(5)
    expected = rng.beta(0.15, 2.5, N)
    found = (rng.random(N) < np.minimum(2 * expected, 0.95)).astype(float)
    return expected, expected * (1 - expected), found


def draw(labels, size, seed):
    expected, variance, found = labels
    chances = drawing_chances(variance, size)
    rows = draw_by_doubt(expected, chances, seed=seed)
    return rows, count_by_judged(
        found[rows], expected[rows], chances[rows], total=float(expected.sum())
    )


def test_chances_go_with_the_doubt_and_sum_to_the_size():
    variance = np.array([0.25, 0.04, 0.0, 0.0, 0.0])
    chances = drawing_chances(variance, 2)
    assert chances.sum() == pytest.approx(2)
    assert chances[0] == 1.0  # its share would be above one: it is drawn in any case
    assert chances[1] / chances[2] == pytest.approx((0.2 + 0.05) / 0.05)
    assert drawing_chances(variance, 9).tolist() == [1.0] * 5
    assert drawing_chances([], 3).tolist() == []
    with pytest.raises(InvalidValue, match="at least 1"):
        drawing_chances(variance, 0)


def test_each_row_is_drawn_with_its_chance_and_once():
    rng = np.random.default_rng(1)
    expected = rng.random(40)
    chances = drawing_chances(expected * (1 - expected), 10)
    times = np.zeros(40)
    for seed in range(2000):
        rows = draw_by_doubt(expected, chances, seed=seed)
        assert len(np.unique(rows)) == 10
        times[rows] += 1
    # four standard deviations of a share of 2,000
    assert np.abs(times / 2000 - chances).max() < 4 * 0.5 / np.sqrt(2000)
    assert draw_by_doubt([], np.zeros(0)).tolist() == []


def test_the_count_has_no_bias_and_its_interval_holds_the_truth(labels):
    expected, _, found = labels
    truth = found.sum()
    assert expected.sum() < 0.7 * truth  # what the model says is far too low
    drawn = [draw(labels, 100, seed)[1] for seed in range(150)]
    values = np.array([one.value for one in drawn])
    standard_error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(truth, abs=4 * standard_error)
    assert np.mean([one.low <= truth <= one.high for one in drawn]) > 0.93
    # half as wide as labels drawn evenly would make it
    rng = np.random.default_rng(0)
    even = [found[rng.permutation(N)[:100]].mean() * N for _ in range(150)]
    assert values.std() < 0.75 * np.std(even)


def test_a_part_of_the_sample_counts_with_its_share_of_the_chances(labels):
    expected, variance, found = labels
    chances = drawing_chances(variance, 200)
    total, values = float(expected.sum()), []
    for seed in range(150):
        rows = draw_by_doubt(expected, chances, seed=seed)[:80]
        values.append(
            count_by_judged(found[rows], expected[rows], 0.4 * chances[rows], total=total).value
        )
    error = 4 * np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(found.sum(), abs=error)


def test_who_judged_all_knows_the_count_and_ten_are_the_fewest(labels):
    expected, variance, found = labels
    rows, count = draw(labels, N, 0)
    assert len(rows) == N
    assert (count.value, count.low, count.high) == (found.sum(),) * 3
    chances = drawing_chances(variance, 9)
    few = draw_by_doubt(expected, chances)
    assert count_by_judged(found[few], expected[few], chances[few], total=1.0) is None


def test_labels_that_changed_take_their_part_of_the_total_along(labels):
    expected, variance, found = labels
    gone = np.arange(N) % 3 == 0
    chances, values = drawing_chances(variance, 150), []
    for seed in range(150):
        rows = draw_by_doubt(expected, chances, seed=seed)
        counted = count_by_judged(
            found[rows],
            expected[rows],
            chances[rows],
            total=float(expected.sum()),
            counts=~gone[rows],
        )
        values.append(counted.value)
    assert np.mean(values) == pytest.approx(found[~gone].sum(), rel=0.05)


def test_nothing_wrong_among_the_judged_leaves_room_for_some(labels):
    expected, variance, _ = labels
    chances = drawing_chances(variance, 100)
    rows = draw_by_doubt(expected, chances)
    clean = count_by_judged(np.zeros(100), expected[rows], chances[rows], total=expected.sum())
    assert clean.low == 0
    assert clean.high >= 1 / chances[rows].max()


def test_no_more_are_wrong_than_there_are(labels):
    expected, variance, _ = labels
    chances = drawing_chances(variance, 30)
    rows = draw_by_doubt(expected, chances)
    every = count_by_judged(
        np.ones(30), expected[rows], chances[rows], total=expected.sum(), most=N - 3
    )
    assert every.value <= every.high == N - 3


def test_the_error_that_is_foretold_falls_with_the_size(labels):
    expected, variance, _ = labels
    count = float(expected.sum())
    told = [foretell_error(variance, size, count) for size in (50, 100, 200)]
    assert told[0] > told[1] > told[2] > 0
    measured = draw(labels, 100, 0)[1]
    assert told[1] * count == pytest.approx((measured.high - measured.low) / 2, rel=0.5)
    assert foretell_error(variance, N, count) is None
    assert foretell_error(variance, 100, 0.5) is None
