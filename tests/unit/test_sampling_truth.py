"""The random sample is fair, and labels are measured against its truth as by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.learn.sampling import draw_sample
from vernis.core.learn.truth import count_changes, measure_labels, wilson_interval
from vernis.domain.errors import InvalidValue


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=200),
    st.integers(1, 60),
    st.integers(0, 5),
)
def test_every_stratum_gives_its_share(strata, size, seed):
    rows = draw_sample(strata, size, seed=seed)
    assert len(set(rows.tolist())) == len(rows) == min(size, len(strata))
    codes = np.asarray(strata)
    for code in set(strata):
        expected = (codes == code).sum() * len(rows) / len(codes)
        # a stratum is a run of the ordered rows: at both its ends less than one row is cut
        assert abs((codes[rows] == code).sum() - expected) < 2


def test_every_image_has_the_same_chance():
    strata = [0] * 50 + [1] * 7 + [2] * 3
    drawn = np.zeros(60)
    for seed in range(2000):
        drawn[draw_sample(strata, 12, seed=seed)] += 1
    # 2000 draws of probability 0.2: standard deviation 18
    assert np.abs(drawn - 400).max() < 75


def test_the_order_is_random_so_that_a_beginning_is_a_sample():
    strata = np.repeat(np.arange(10), 100)
    first = [strata[draw_sample(strata, 200, seed=seed)[:20]] for seed in range(50)]
    assert abs(np.mean(first) - 4.5) < 0.35
    assert min(len(set(part.tolist())) for part in first) >= 5


def test_a_sample_is_refused_when_it_makes_no_sense():
    with pytest.raises(InvalidValue, match="at least 1"):
        draw_sample([0, 1], 0)
    with pytest.raises(InvalidValue, match="shape"):
        draw_sample([[0, 1]], 1)


def test_wilson_interval_of_the_literature():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662
    share = wilson_interval(81, 263)
    assert (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
    nothing = wilson_interval(0, 0)
    assert np.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


TRUTH = np.eye(3, dtype=bool)[[0, 0, 1, 1, 2, 2]]


def labels(*columns):
    return np.array([[c == column for c in range(3)] for column in columns])


def test_labels_are_measured_by_hand():
    # right, wrong, right, unlabelled, right, wrong
    given_labels = labels(0, 1, 1, None, 2, 0)
    found = measure_labels(TRUTH, given_labels, n_draws=50)
    assert found["coverage"]["value"] == pytest.approx(5 / 6)
    assert found["accuracy"]["value"] == pytest.approx(3 / 5)
    assert found["micro"]["precision"]["value"] == pytest.approx(3 / 5)
    assert found["micro"]["recall"]["value"] == pytest.approx(3 / 6)
    low, high = found["micro"]["f1"]["low"], found["micro"]["f1"]["high"]
    assert low <= found["micro"]["f1"]["value"] <= high


def test_changes_are_counted_by_hand():
    before = labels(0, 1, 1, None, 2, 0)
    after = labels(1, 0, 1, 1, 2, 1)
    counts = count_changes(TRUTH, before, after, population=600)
    assert {name: row["sample"] for name, row in counts.items()} == {
        "mended": 1,
        "broken": 1,
        "missed": 1,
        "filled_right": 1,
        "filled_wrong": 0,
    }
    assert counts["mended"]["value"] == 100.0
    assert counts["mended"]["low"] < 100 < counts["mended"]["high"]


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(InvalidValue, match="two"):
        measure_labels(TRUTH, TRUTH[:2])
