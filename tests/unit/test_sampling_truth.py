"""The random sample is fair, and labels are measured against its truth as by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.learn.truth import count_changes, measure_labels, wilson_interval
from vernis.core.numeric.sampling import draw_sample
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


def test_who_has_judged_all_images_knows_the_figures_without_an_interval():
    before = labels(0, 1, 1, None, 2, 0)
    after = labels(0, 0, 1, 1, 2, 1)
    counts = count_changes(TRUTH, before, after, population=6)
    assert counts["mended"] == {"sample": 1, "value": 1.0, "low": 1.0, "high": 1.0}
    found = measure_labels(TRUTH, before, population=6, n_draws=50)
    shares = (found["coverage"], found["accuracy"], found["micro"]["f1"], found["macro"]["recall"])
    for share in shares:
        assert share["low"] == share["high"] == pytest.approx(share["value"])


def test_a_large_part_of_the_collection_narrows_the_interval():
    # by hand: 8 of 300 from 638 counts as 8/300 of 300 / (1 - 300/638) = 566.27 images
    share = wilson_interval(8, 300, drawn=300 / 638)
    assert (round(638 * share.low, 1), round(638 * share.high, 1)) == (10.4, 27.7)
    truth = np.ones((300, 1), bool)
    after = np.ones((300, 1), bool)
    after[:8] = False
    broken = count_changes(truth, truth, after, population=638)["broken"]
    assert (broken["low"], broken["high"]) == (10.4, 27.7)
    # 30 more images than were judged: no more than those can be broken unseen
    assert count_changes(truth, truth, after, population=310)["broken"]["low"] >= 8
    assert count_changes(truth, truth, truth, population=301)["broken"]["high"] <= 1


def test_labels_without_an_error_are_not_certain_to_be_right():
    truth = np.eye(3, dtype=bool)[np.repeat([0, 1, 2], [80, 16, 4])]
    found = measure_labels(truth, truth, n_draws=50)
    # Wilson's for 100 of 100, by hand: n / (n + z^2)
    for share in (found["micro"]["precision"], found["micro"]["f1"], found["accuracy"]):
        assert share["value"] == share["high"] == 1.0
        assert share["low"] == pytest.approx(100 / (100 + 1.96**2), abs=1e-4)
    # K^2 / sum(1 / n_k) = 9 / (1/80 + 1/16 + 1/4) = 27.69
    assert found["macro"]["f1"]["low"] == pytest.approx(27.69 / (27.69 + 1.96**2), abs=1e-3)


def test_what_is_not_known_is_no_number():
    none = measure_labels(TRUTH, np.zeros_like(TRUTH), n_draws=20)
    assert none["accuracy"] == {"value": None, "low": 0.0, "high": 1.0}
