"""Fill by a second voice: what is promised is kept, and nothing is promised without evidence."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.fill.heard import plan_heard
from vernis.domain.errors import InvalidValue


def answers(n: int, rng: np.random.Generator, floor: float = 0.4):
    """Strengths in nats, and whether each answer is right: the surer the oftener."""
    sure = rng.uniform(-6, 6, n)
    right = floor + (1 - floor) / (1 + np.exp(-1.2 * sure - 2))
    return sure[:, None], rng.random(n) < right


def plan(seed: int, precision: float = 0.9, n: int = 300, noise: float = 0.0):
    rng = np.random.default_rng(seed)
    held, correct = answers(n, rng)
    asked, truth = answers(200, rng)
    swapped = rng.random(n) < noise
    found = plan_heard(
        held,
        correct & ~swapped,
        asked,
        groups=np.arange(n),
        backed=correct & swapped,
        kind="single",
        precision=precision,
        seed=seed,
    )
    return found, asked, truth


def test_the_promise_is_kept_and_the_surest_are_taken():
    shares, filled = [], []
    for seed in range(40):
        found, asked, truth = plan(seed)
        if len(found.chosen):
            shares.append(truth[found.chosen].mean())
            taken = np.zeros(len(asked), bool)
            taken[found.chosen] = True
            assert asked[taken].min() >= asked[~taken].max()
            assert (np.diff(found.probability) <= 0).all()
            assert found.bound >= 0.9
        filled.append(len(found.chosen) / 200)
    assert np.mean(filled) > 0.4
    assert np.mean(np.array(shares) < 0.9) <= 0.1


def test_less_is_promised_of_more():
    assert len(plan(1, 0.85)[0].chosen) > len(plan(1, 0.95)[0].chosen)


def test_wrong_labels_that_somebody_else_contradicts_too_are_taken_out():
    found, _, truth = plan(3, n=600, noise=0.12)
    assert found.noise > 0.05
    assert truth[found.chosen].mean() > 0.85
    assert len(found.chosen) > 40


def test_copies_count_as_one():
    rng = np.random.default_rng(2)
    held, correct = answers(40, rng)
    asked, _ = answers(50, rng)

    def chosen(times: int, groups: np.ndarray) -> int:
        found = plan_heard(
            np.repeat(held, times, axis=0),
            np.repeat(correct, times),
            asked,
            groups=groups,
            backed=np.zeros(len(groups), bool),
            kind="single",
            precision=0.9,
        )
        return len(found.chosen)

    copied, apart = np.repeat(np.arange(40), 12), np.arange(480)
    assert chosen(12, copied) < chosen(12, apart)


@pytest.mark.parametrize(("n", "groups"), [(9, np.arange(9)), (30, np.zeros(30, int))])
def test_of_few_answers_nothing_is_promised(n, groups):
    found = plan_heard(
        np.ones((n, 1)),
        np.ones(n, bool),
        np.ones((5, 1)),
        groups=groups,
        backed=np.zeros(n, bool),
        kind="single",
        precision=0.5,
    )
    assert (len(found.chosen), found.n_held_out) == (0, n)
    assert np.isnan(found.bound)


def test_shapes_must_agree():
    with pytest.raises(InvalidValue, match="expected features"):
        plan_heard(
            np.ones((12, 2)),
            np.ones(12, bool),
            np.ones((5, 1)),
            groups=np.arange(12),
            backed=np.zeros(12, bool),
            kind="single",
            precision=0.9,
        )
