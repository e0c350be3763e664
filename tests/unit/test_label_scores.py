"""Each scorer of labels against a plain loop over the known entries of one image."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels.entry_noise import join_chances, model_entries
from vernis.core.labels.scores import (
    as_matrix,
    balance_probs,
    default_scorer,
    entry_quality,
    label_quality,
)
from vernis.domain.errors import InvalidValue


def several(seed: int = 0, n: int = 30, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return labels with unknown entries, an image without any, and probabilities."""
    rng = np.random.default_rng(seed)
    probs = rng.random((n, k))
    labels = (rng.random((n, k)) < 0.4).astype(float)
    labels[rng.random((n, k)) < 0.25] = np.nan
    labels[0], labels[1], labels[2] = np.nan, 1, 0
    labels[3] = [1, np.nan, np.nan, np.nan]
    return labels, probs


def one_each(seed: int = 0, n: int = 30, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, k, n)
    labels[:4] = [-1, 0, 1, 1]
    return labels, rng.dirichlet(np.ones(k), size=n)


def moving(values: list[float]) -> float:
    ordered = sorted(values, reverse=True)
    average = ordered[0]
    for value in ordered[1:]:
        average = 0.8 * value + 0.2 * average
    return average


def against_entropy(entropy: float, confidence: float) -> float:
    ratio = max(entropy / max(confidence, 1e-6), 1e-6)
    return float(np.log(1 + ratio) / ratio)


def bits(p: float) -> float:
    return float(-sum(q * np.log2(q) for q in (p, 1 - p) if q > 0))


def score_by_hand(scorer: str, y: np.ndarray, p: np.ndarray) -> float:
    """Score one image of several labels."""
    known = [(yes, q) for yes, q in zip(y, p, strict=True) if not np.isnan(yes)]
    agree = [q if yes == 1 else 1 - q for yes, q in known]
    if scorer == "mse":
        return 1 - sum((yes - q) ** 2 for yes, q in known) / len(known)
    if scorer == "mean":
        return sum(agree) / len(agree)
    if scorer == "self_confidence":
        return float(np.prod(agree) ** (1 / len(agree)))
    if scorer == "normalized_margin":
        low = min([q for yes, q in known if yes == 1], default=1)
        high = max([q for yes, q in known if yes == 0], default=0)
        return (low - high + 1) / 2
    if scorer == "softmin":
        weight = np.exp(-np.array(agree) / 0.3)
        return float((weight * agree).sum() / weight.sum())
    if scorer == "ema":
        return moving(agree)
    assert scorer == "weighted_entropy"
    return moving([against_entropy(bits(q), a) for (_, q), a in zip(known, agree, strict=True)])


MULTI = ("mse", "mean", "self_confidence", "normalized_margin", "softmin", "ema")


@pytest.mark.parametrize("scorer", [*MULTI, "weighted_entropy"])
def test_several_labels_are_scored_over_their_known_entries(scorer):
    labels, probs = several()
    score = label_quality(labels, probs, scorer=scorer)
    assert np.isnan(score[0])
    for row in range(1, 30):
        expected = score_by_hand(scorer, labels[row], probs[row])
        assert score[row] == pytest.approx(expected, abs=1e-5)


def test_one_label_is_scored_by_its_own_class():
    labels, probs = one_each()
    known = np.flatnonzero(labels >= 0)
    own = probs[known, labels[known]]
    rest = np.where(np.arange(4) == labels[:, None], 0, probs)[known]
    entropy = -(probs * np.log(probs)).sum(axis=1)[known] / np.log(4)
    share = np.array([(labels[known] == k).mean() for k in labels[known]])
    wanted = {
        "self_confidence": own,
        "ema": own,
        "normalized_margin": (own - rest.max(axis=1) + 1) / 2,
        "weighted_entropy": [against_entropy(e, o) for e, o in zip(entropy, own, strict=True)],
        "posterior": own / (own + share),
        "mse": 1 - ((1 - own) ** 2 + (rest**2).sum(axis=1)) / 4,
        "mean": (own + (1 - rest).sum(axis=1) - 1) / 4,
    }
    for scorer, expected in wanted.items():
        score = label_quality(labels, probs, scorer=scorer)
        assert score[known] == pytest.approx(np.array(expected), abs=1e-5), scorer
        assert np.isnan(score[labels < 0]).all()
    assert np.array_equal(
        label_quality(labels, probs), label_quality(labels, probs, scorer="self_confidence"),
        equal_nan=True,
    )  # fmt: skip


def test_the_ratio_of_entropy_is_kept_away_from_zero():
    sure = label_quality(
        np.array([0, 1]), np.array([[1.0, 0], [1.0, 0]]), scorer="weighted_entropy"
    )
    assert sure == pytest.approx([1, 1], abs=1e-5)
    unsure = label_quality(np.array([0]), np.array([[0.0, 0.5]]), scorer="weighted_entropy")
    assert 0 < unsure[0] < 1e-3


def test_softmin_turns_from_the_mean_to_the_worst_label():
    labels, probs = several()
    worst = np.nanmin(entry_quality(labels, probs)[1:], axis=1)
    cold = label_quality(labels, probs, scorer="softmin", temperature=1e-3)[1:]
    assert cold == pytest.approx(worst, abs=1e-3)
    hot = label_quality(labels, probs, scorer="softmin", temperature=1e4)[1:]
    assert hot == pytest.approx(label_quality(labels, probs, scorer="mean")[1:], abs=1e-3)
    with pytest.raises(InvalidValue, match="temperature above 0, got 0"):
        label_quality(labels, probs, temperature=0)


def test_balanced_probabilities_lose_half_of_the_class_frequencies():
    labels, probs = several()
    counts = [(np.nansum(labels[:, k]), np.isfinite(labels[:, k]).sum()) for k in range(4)]
    share = np.array([(yes + 1) / (n + 2) for yes, n in counts])
    clipped = np.clip(probs, 0.02, 0.98)
    odds = clipped / (1 - clipped) / np.sqrt(share / (1 - share))
    assert balance_probs(labels, probs) == pytest.approx(odds / (1 + odds), abs=1e-5)
    given, sums = one_each()
    share = np.array([((given == k).sum() + 1) / ((given >= 0).sum() + 2) for k in range(4)])
    fair = sums / np.sqrt(share)
    fair /= fair.sum(axis=1, keepdims=True)
    assert balance_probs(given, sums) == pytest.approx(fair, abs=1e-5)
    known = given >= 0
    score = label_quality(given, sums, scorer="balanced")
    assert score[known] == pytest.approx(fair[known, given[known]], abs=1e-5)
    worst = np.nanmin(entry_quality(labels, balance_probs(labels, probs))[1:], axis=1)
    assert label_quality(labels, probs, scorer="balanced")[1:] == pytest.approx(worst, abs=1e-6)
    extreme = balance_probs(np.array([[1.0], [0.0]]), np.array([[0.001], [0.999]]))
    assert extreme[:, 0] == pytest.approx([0.02, 0.98], abs=1e-5)


def test_the_posterior_of_several_labels_joins_the_chances_of_the_noise_model():
    labels, probs = several(n=200)
    expected = join_chances(model_entries(labels, probs.astype(np.float32)).wrong)
    score = label_quality(labels, probs, scorer="posterior")
    assert score[1:] == pytest.approx(expected[1:], abs=1e-4)
    assert np.array_equal(score, label_quality(labels, probs), equal_nan=True)
    assert (default_scorer("single"), default_scorer("multi")) == ("self_confidence", "posterior")


def test_a_class_that_is_likelier_by_chance_scores_lower():
    probs = np.tile([0.5, 0.5], (10, 1))
    score = label_quality(np.array([0] * 8 + [1] * 2), probs, scorer="posterior")
    assert score[0] == pytest.approx(0.5 / (0.5 + 0.8))
    assert score[9] == pytest.approx(0.5 / (0.5 + 0.2))


def test_entries_are_scored_by_the_state_that_is_given():
    labels = np.array([[1, 0, np.nan]])
    found = entry_quality(labels, np.array([[0.3, 0.3, 0.3]]))
    assert found[0, :2] == pytest.approx([0.3, 0.7])
    assert np.isnan(found[0, 2])
    assert entry_quality(np.array([1]), np.array([[0.3, 0.6]]))[0] == pytest.approx([0.7, 0.6])


def test_class_indices_become_rows_of_yes_and_no():
    found = as_matrix(np.array([2, -1, 0]), 3)
    assert found.tolist()[0::2] == [[0, 0, 1], [1, 0, 0]]
    assert np.isnan(found[1]).all()
    assert as_matrix(np.array([], dtype=int), 3).shape == (0, 3)
    with pytest.raises(InvalidValue, match="below 3, got 3"):
        as_matrix(np.array([0, 3]), 3)
    with pytest.raises(InvalidValue, match="integer type, got float64"):
        as_matrix(np.array([0.0, 1.0]), 3)


def test_probabilities_a_hair_outside_are_borne_others_and_odd_labels_refused():
    labels = np.array([[1.0, 0.0]])
    assert label_quality(labels, np.array([[1 + 5e-7, -5e-7]]), scorer="mean") == pytest.approx([1])
    for bad in (1.001, -0.001):
        with pytest.raises(InvalidValue, match=r"0\.\.1"):
            label_quality(labels, np.array([[0.5, bad]]))
    assert label_quality(np.array([[1.0, np.nan]]), np.array([[0.5, 7.0]]))[0] > 0
    with pytest.raises(InvalidValue, match="1, 0 or NaN"):
        label_quality(np.array([[0.5, 1.0]]), np.array([[0.5, 0.5]]))
    with pytest.raises(InvalidValue, match=r"shape \(n, n_classes\), got \(2,\)"):
        label_quality(labels, np.array([0.5, 0.5]))
