from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from vernis.core.explore.flow_order import order_layers, weigh_crossings
from vernis.core.explore.profile import (
    OTHER,
    count_together,
    gather_flows,
    jaccard_index,
    measure_lift,
    order_by_likeness,
)
from vernis.domain.errors import InvalidValue
from vernis.report.flows.page import render_flows
from vernis.report.flows.sankey import LABEL_ROOM, SankeyView, place_nodes


def test_lift_is_share_by_share_with_the_interval_of_clopper_and_pearson():
    Y = np.full((100, 3), np.nan)
    Y[:20, 0] = 1  # 10 of the part's 30, 20 of 100
    Y[20:25, 1] = 1
    part = np.zeros(100, bool)
    part[10:40] = True
    found = measure_lift(Y, part)
    assert found.counts.tolist() == [10, 5, 0]
    assert found.lift[:2] == pytest.approx([10 / 30 / 0.2, 5 / 30 / 0.05])
    # R: binom.test(10, 30)$conf.int
    assert found.low[0] * 0.2 == pytest.approx(0.1728742, abs=1e-6)
    assert found.high[0] * 0.2 == pytest.approx(0.5281200, abs=1e-6)
    assert np.isnan(found.lift[2])
    with pytest.raises(InvalidValue, match="part of shape"):
        measure_lift(Y, part[:5])


def test_what_was_met_once_does_not_lead_the_list():
    Y = np.zeros((1000, 2))
    Y[:60, 0] = 1  # 50 of 100 in the part
    Y[:1, 1] = 1  # 1 of 1: lift 10, but of one image
    part = np.zeros(1000, bool)
    part[:50] = part[100:150] = True
    found = measure_lift(Y, part)
    assert found.lift[1] > found.lift[0]
    assert found.low[0] > 1 > found.low[1]


def test_ends_of_the_interval_at_none_and_at_all():
    Y = np.ones((10, 1))
    part = np.arange(10) < 4
    found = measure_lift(Y, part)
    assert found.high[0] == 1
    found = measure_lift(np.r_[np.zeros(4), np.ones(6)][:, None], part)
    assert found.low[0] == found.lift[0] == 0
    assert 0 < found.high[0] < 1.1


def test_pairs_and_jaccard():
    A = np.array([[1, 0], [1, 1], [np.nan, 1]])
    together = count_together(A, A)
    assert together.tolist() == [[2, 1], [1, 2]]
    assert jaccard_index(together, [2, 2], [2, 2])[0, 1] == pytest.approx(1 / 3)


def test_likeness_puts_blocks_together():
    rng = np.random.default_rng(0)
    block = np.repeat([0, 1, 2], 5)
    shuffled = rng.permutation(15)
    likeness = (block[shuffled][:, None] == block[shuffled][None]) * 0.8 + 0.1
    order = order_by_likeness(likeness)
    assert (np.diff(block[shuffled][order]) != 0).sum() == 2
    assert order_by_likeness(np.ones((1, 1))).tolist() == [0]


def crossings_one_by_one(F: np.ndarray) -> float:
    total = 0.0
    for i, k in np.argwhere(F > 0):
        for j, m in np.argwhere(F > 0):
            if i < j and k > m:
                total += F[i, k] * F[j, m]
    return total


def test_crossings_are_those_counted_one_by_one():
    rng = np.random.default_rng(1)
    for _ in range(20):
        F = rng.integers(0, 4, (rng.integers(1, 6), rng.integers(1, 6)))
        assert weigh_crossings(F) == pytest.approx(crossings_one_by_one(F))


def test_order_is_near_the_best_of_all_orders():
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(25):
        F = rng.integers(0, 9, (4, 5)) * (rng.random((4, 5)) < 0.6)
        best = min(
            weigh_crossings(F[np.ix_(a, b)])
            for a in permutations(range(4))
            for b in permutations(range(5))
        )
        left, right = order_layers(F)
        assert sorted(left) == list(range(4))
        found = weigh_crossings(F[np.ix_(left, right)])
        assert found >= best - 1e-9
        ratios.append((found + 1) / (best + 1))
    assert np.mean(ratios) < 1.05
    assert np.mean(np.array(ratios) < 1.0001) > 0.7


def test_order_of_a_diagram_without_need_to_cross_has_none():
    F = np.kron(np.eye(6), np.ones((1, 3))) * 5
    rng = np.random.default_rng(3)
    shuffled = F[rng.permutation(6)][:, rng.permutation(18)]
    left, right = order_layers(shuffled)
    assert weigh_crossings(shuffled[np.ix_(left, right)]) == 0


def test_gathering_loses_no_image():
    rng = np.random.default_rng(4)
    F = rng.poisson(3, (12, 20)) * (rng.random((12, 20)) < 0.5)
    names = tuple(f"l{i}" for i in range(12)), tuple(f"r{i}" for i in range(20))
    for min_flow, max_nodes in ((1, 99), (3, 99), (3, 5), (6, 4)):
        flows = gather_flows(*names, F, min_flow=min_flow, max_nodes=max_nodes)
        assert flows.values.sum() == F.sum()
        assert len(flows.left) <= max_nodes + 1
        inner = flows.values[: len(flows.left) - (OTHER in flows.left)]
        inner = inner[:, : len(flows.right) - (OTHER in flows.right)]
        assert inner[inner > 0].min() >= min_flow
        for name, row in zip(flows.left, flows.values, strict=True):
            if name != OTHER:
                assert row.sum() == F[names[0].index(name)].sum()
    whole = gather_flows(*names, F, min_flow=1, max_nodes=99)
    assert OTHER not in (*whole.left, *whole.right)
    with pytest.raises(InvalidValue, match="1 or more"):
        gather_flows(*names, F, min_flow=0)


@pytest.mark.parametrize("seed", range(4))
def test_labels_never_overlap_and_nodes_are_in_proportion(seed):
    rng = np.random.default_rng(seed)
    F = np.rint(rng.pareto(0.6, (31, 27)) * (rng.random((31, 27)) < 0.3)).astype(int)
    F[0, 0] = 5000
    left, right, rise = place_nodes(F)
    for side, sizes in ((left, F.sum(axis=1)), (right, F.sum(axis=0))):
        assert np.diff(side.middle).min() >= LABEL_ROOM
        assert side.top[0] >= 0
        assert side.top[-1] + side.height[-1] <= rise + 1e-6
        assert (side.top[:-1] + side.height[:-1] <= side.top[1:] + 1e-9).all()
        assert side.height == pytest.approx(sizes * left.height[0] / F[0].sum())


def view_of(names: tuple[str, ...]) -> SankeyView:
    values = np.arange(1, 2 * len(names) + 1).reshape(len(names), 2)
    return SankeyView("a", "b", names, ("x", "y"), values, False, False, "images", "note")


def test_page_is_whole_and_escapes_names():
    evil = "</script><img src=x onerror=alert(1)>"
    rows = [{"from": evil, "to": "x", "images": 1, "share": 1.0, "lift": None}]
    page = render_flows(view_of((evil, "two")), rows).decode()
    assert "<img" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert page.count('class="ribbon"') == 4
    assert page.count('role="button"') == 4
    assert "default-src 'none'" in page.replace("&#39;", "'")


def test_flows_that_do_not_fit_their_names_are_refused():
    with pytest.raises(InvalidValue, match=r"expected flows of \(1, 2\)"):
        SankeyView("a", "b", ("x",), ("y", "z"), np.ones((2, 2), int), False, False, "images", "")
