"""What is suggested instead of a doubtful label, and who supports it: plain loops on few images."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels.entry_noise import join_chances, probability_of_multiple
from vernis.core.labels.estimate import NoiseModel, count_wrong, model_noise
from vernis.core.labels.issues import (
    _name_changes,
    _suggest_multi,
    _suggest_shared,
    _suggest_single,
    find_label_issues,
    find_supporting_neighbors,
    share_truth,
)
from vernis.core.labels.scores import as_matrix, label_quality
from vernis.domain.errors import InvalidValue

NAN = np.nan


def noise_of(wrong, truth=None) -> NoiseModel:
    wrong = np.asarray(wrong, np.float32)
    truth = wrong if truth is None else np.asarray(truth, np.float32)
    image_wrong = np.zeros(len(wrong), np.float32)
    return NoiseModel(truth, wrong, image_wrong, np.eye(2), (1.0, 1.0))


def one_each(n=120, k=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    probs = rng.dirichlet(np.ones(k) / 2, n)
    probs[np.arange(n), truth] += 1.5
    given = np.where(rng.random(n) < 0.15, rng.integers(0, k, n), truth)
    given[:6] = -1
    return given, (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def several(n=120, k=4, seed=0):
    rng = np.random.default_rng(seed)
    probs = rng.beta(0.4, 0.6, (n, k))
    labels = (rng.random((n, k)) < probs).astype(float)
    labels[rng.random((n, k)) < 0.1] = 1.0
    labels[rng.random((n, k)) < 0.1] = NAN
    labels[:6] = NAN
    return labels, probs.astype(np.float32)


def test_the_likeliest_other_class_is_suggested():
    matrix = as_matrix(np.array([0, 2, -1, 1]), 3)
    probs = np.array([[0.9, 0.02, 0.08], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    found = _suggest_single(matrix, probs)
    assert found.astype(int).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_entries_more_wrong_than_right_are_turned_and_the_worst_in_any_case():
    matrix = np.array(
        [
            [1, 0, NAN, 0],
            [1, 0, 1, NAN],
            [1, 1, NAN, NAN],
            [NAN] * 4,
            [0, 1, NAN, NAN],
            [1, 0, 0, 1],
        ]
    )
    wrong = [
        [0.6, 0.7, NAN, 0.1],  # two are turned
        [0.1, 0.2, 0.3, NAN],  # none is wrong: the likeliest to be is turned
        [0.8, 0.1, NAN, NAN],  # one is taken away: what is probably true and unknown comes
        [NAN] * 4,
        [0.9, 0.1, NAN, NAN],  # one is added: nothing else comes
        [0.9, 0.5, 0.5, 0.2],  # a half is no more than a half; the last is not judged
    ]
    truth = [[0, 1, 0.9, 0], [0] * 4, [0, 1, 0.6, 0.5], [1] * 4, [1, 1, 0.9, 0], [0, 0, 0, 0.9]]
    judged = np.isfinite(matrix)
    judged[5, 3] = False
    found = _suggest_multi(matrix, noise_of(wrong, truth), judged)
    assert found.astype(int).tolist() == [
        [0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1],
    ]  # fmt: skip


def test_a_denied_label_that_is_not_judged_stays_denied():
    matrix = np.array([[1.0, 0.0, 1.0]])
    judged = np.array([[True, False, False]])
    noise = noise_of([[0.9, NAN, NAN]], [[0.1, 0.8, 0.9]])
    # what is unknown to the judge is added where it is probably true and not given
    assert _suggest_multi(matrix, noise, judged).tolist() == [[False, True, True]]


def test_changes_are_named_by_what_comes_and_goes():
    matrix = np.array([[1, 0], [1, 1], [0, 1], [NAN, 1], [NAN, NAN]])
    suggested = np.array([[0, 1], [0, 1], [1, 1], [0, 1], [1, 1]], bool)
    names = ["replaced", "extra", "missing", "", ""]
    assert _name_changes(matrix, suggested).tolist() == names


def test_a_group_shares_the_mean_of_its_truth():
    truth = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    matrix = as_matrix(np.array([0, 1, 1, -1]), 2)
    judged = np.isfinite(matrix)
    members = np.array([0, 2])
    found = share_truth(matrix, noise_of(truth, truth), judged, [members], single=True)
    np.testing.assert_allclose(found.truth[[0, 2]], [[0.75, 0.25]] * 2)
    np.testing.assert_allclose(found.truth[[1, 3]], truth[[1, 3]], atol=1e-6)
    np.testing.assert_allclose(found.image_wrong[:3], [0.25, 0.2, 0.75], atol=1e-6)
    np.testing.assert_allclose(found.wrong[2], [0.75, 0.75], atol=1e-6)
    assert np.isnan(found.image_wrong[3])
    assert np.isnan(found.wrong[3]).all()
    entries = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [NAN, 1.0]])
    judged = np.array([[True, True], [True, False], [False, False], [False, True]])
    several_found = share_truth(entries, noise_of(truth, truth), judged, [], single=False)
    np.testing.assert_allclose(several_found.image_wrong, [0.1, 0.2, NAN, 0.5], atol=1e-6)
    np.testing.assert_allclose(
        several_found.wrong, [[0.1, 0.1], [0.2, NAN], [NAN, NAN], [NAN, 0.5]], atol=1e-6
    )


def test_members_without_the_common_truth_are_told_it():
    noise = noise_of(
        [[0.1, 0.1, 0.1], [0.2, 0.9, 0.9], [0.3, 0.5, 0.3], [0.4] * 3],
        [[0.1, 0.8, 0.1]] * 3 + [[1, 0, 0]],
    )
    suggested = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]], bool)
    found = _suggest_shared(suggested, noise, [np.array([0, 1, 2])])
    assert found.astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    # the truth of the first member is that of all of them
    far = noise_of([[0.9, 0.9], [0.9, 0.9]], [[0.1, 0.9], [0.9, 0.1]])
    assert _suggest_shared(np.zeros((2, 2), bool), far, [np.array([1, 1])])[1].tolist() == [1, 0]


def assert_ranked(found, score, n_labelled):
    """The order is that of the scores, and what is flagged the part worth reading."""
    known = np.flatnonzero(np.isfinite(score))
    expected = known[np.argsort(score[known], kind="stable")]
    assert found.order.tolist() == expected.tolist()
    assert len(found.order) == n_labelled == found.wrong.n_labelled
    assert found.order.dtype == np.int64


@pytest.mark.parametrize("scorer", [None, "softmin"])
def test_issues_of_one_label_an_image_are_its_pieces_joined(scorer):
    labels, probs = one_each()
    found = find_label_issues(labels, probs, scorer=scorer, min_yield=0.3)
    noise = model_noise(labels, probs)
    score = label_quality(labels, probs, scorer=scorer)
    np.testing.assert_allclose(found.score, score, atol=1e-6)
    np.testing.assert_allclose(found.probability, noise.image_wrong, atol=1e-6)
    assert found.scorer == (scorer or "self_confidence")
    count = count_wrong(noise.image_wrong, score, spread=noise.spread, min_yield=0.3)
    assert found.wrong.count == pytest.approx(count.count, rel=1e-5)
    assert found.wrong.n_worth_reading == count.n_worth_reading > 3
    assert (found.wrong.low, found.wrong.high) == pytest.approx((count.low, count.high), rel=1e-5)
    assert_ranked(found, score, 114)
    assert set(np.flatnonzero(found.flagged)) == set(found.order[: count.n_worth_reading].tolist())
    assert np.array_equal(found.suggested, _suggest_single(as_matrix(labels, 4), probs))
    assert found.change.tolist() == [""] * 6 + ["replaced"] * 114
    assert (found.probability_of_multiple == 0).all()
    assert found.probability_of_multiple.shape == (120,)
    np.testing.assert_array_equal(found.transition, noise.transition)
    default = find_label_issues(labels, probs, scorer=scorer)
    assert default.wrong.n_worth_reading >= count.n_worth_reading


@pytest.mark.parametrize("scorer", [None, "softmin"])
def test_issues_of_several_labels_an_image_are_its_pieces_joined(scorer):
    labels, probs = several()
    found = find_label_issues(labels, probs, scorer=scorer)
    noise = model_noise(labels, probs)
    score = label_quality(labels, probs, scorer=scorer)
    if scorer is None:
        score[6:] = join_chances(noise.wrong[6:])
    np.testing.assert_allclose(found.score, score, atol=1e-3)
    assert_ranked(found, found.score, 114)
    count = count_wrong(
        noise.image_wrong, found.score, labels_wrong=noise.wrong, spread=noise.spread
    )
    assert found.wrong.count == pytest.approx(np.nansum(noise.wrong), rel=1e-3)
    assert found.wrong.high == pytest.approx(count.high, rel=1e-3)
    np.testing.assert_allclose(
        found.probability_of_multiple, probability_of_multiple(noise.wrong), atol=1e-4
    )
    assert np.array_equal(found.suggested, _suggest_multi(labels, noise, np.isfinite(labels)))
    assert np.array_equal(found.change, _name_changes(labels, found.suggested))


def test_entries_that_a_person_confirmed_are_not_judged():
    labels, probs = one_each()
    worst = find_label_issues(labels, probs).order[:5]
    judged = np.ones((120, 4), bool)
    judged[worst, labels[worst]] = False
    found = find_label_issues(labels, probs, judged=judged)
    assert np.isnan(found.score[worst]).all()
    assert not np.isin(worst, found.order).any()
    assert found.wrong.n_labelled == 109
    judged[:] = True
    judged[worst, (labels[worst] + 1) % 4] = False  # another class than the given one
    assert find_label_issues(labels, probs, judged=judged).wrong.n_labelled == 114
    entries, chances = several()
    known = np.isfinite(entries)
    some = known & (np.arange(4) > 0)
    found = find_label_issues(entries, chances, judged=some)
    noise = model_noise(entries, chances)
    only = np.where(some, noise.wrong, NAN)
    assert found.wrong.count == pytest.approx(np.nansum(only), rel=1e-4)
    some_known = some.any(axis=1)
    np.testing.assert_allclose(
        found.probability[some_known], np.nanmax(only[some_known], axis=1), atol=1e-5
    )
    softmin = find_label_issues(entries, chances, judged=some, scorer="softmin")
    expected = label_quality(np.where(some, entries, NAN), chances, scorer="softmin")
    np.testing.assert_allclose(softmin.score, expected)


def test_images_that_show_the_same_and_disagree_are_flagged_together():
    labels, probs = one_each()
    right = np.flatnonzero(labels == probs.argmax(axis=1))
    a = right[labels[right] == 0][:2]
    b = right[labels[right] == 1][:1]
    members = np.concatenate([a, b])
    found = find_label_issues(labels, probs, groups=[members])
    alone = find_label_issues(labels, probs)
    shared = model_noise(labels, probs).truth[members].mean(axis=0)
    np.testing.assert_allclose(found.probability[members], 1 - shared[labels[members]], atol=1e-5)
    lower = np.minimum(alone.score[members], shared[labels[members]])
    np.testing.assert_allclose(found.score[members], lower, atol=1e-5)
    assert shared.argmax() == 0
    assert found.suggested[b[0]].tolist() == [True, False, False, False]
    assert found.flagged[members].tolist() == [False, False, True]
    assert not alone.flagged[members].any()
    others = np.setdiff1d(np.arange(120), members)
    np.testing.assert_array_equal(found.score[others], alone.score[others])


def supporting_by_hand(x, matrix, suggested, query, n, groups):
    """Return the nearest labelled images outside the group that carry what is suggested."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = unit @ unit[query]
    near = [i for i in np.argsort(-similarity, kind="stable") if np.isfinite(matrix[i]).any()][:50]
    near = [i for i in near if groups[i] != groups[query]]
    given = matrix[query] == 1

    def speaks(i):
        adds = all(matrix[i, c] == 1 for c in np.flatnonzero(suggested & ~given))
        return adds and all(matrix[i, c] == 0 for c in np.flatnonzero(given & ~suggested))

    chosen = [i for i in near if speaks(i)][:n]
    return chosen, [similarity[i] for i in chosen], np.mean([speaks(i) for i in near[:10]])


@pytest.mark.parametrize("grouped", [False, True])
def test_supporting_neighbours_are_those_of_a_plain_loop(grouped):
    rng = np.random.default_rng(2)
    labels, probs = several(seed=2)
    x = rng.normal(size=(120, 6)) + 2 * probs @ rng.normal(size=(4, 6))
    issues = find_label_issues(labels, probs)
    queries = issues.order[:15]
    groups = np.arange(120) // 5 if grouped else np.arange(120)
    found = find_supporting_neighbors(
        x, labels, issues, queries, n_neighbors=3, groups=groups if grouped else None
    )
    assert found.indices.shape == found.similarities.shape == (15, 3)
    lengths = set()
    for row, query in enumerate(queries):
        rows, similar, share = supporting_by_hand(
            x, labels, issues.suggested[query], query, 3, groups
        )
        kept = len(rows)
        lengths.add(kept)
        assert found.indices[row].tolist() == rows + [-1] * (3 - kept)
        np.testing.assert_allclose(found.similarities[row, :kept], similar, atol=1e-5)
        assert np.isnan(found.similarities[row, kept:]).all()
        assert found.agreement[row] == pytest.approx(share)
    assert 3 in lengths
    assert find_supporting_neighbors(x, labels, issues, queries).indices.shape == (15, 5)


def test_nobody_supports_where_all_are_of_one_group():
    labels, probs = one_each(n=12)
    labels[:] = np.arange(12) % 4
    issues = find_label_issues(labels, probs)
    found = find_supporting_neighbors(
        np.eye(12), labels, issues, np.array([0, 3]), groups=np.zeros(12, int)
    )
    assert (found.indices == -1).all()
    assert found.agreement.tolist() == [0, 0]
    with pytest.raises(InvalidValue, match="expected 12 feature rows, got 11"):
        find_supporting_neighbors(np.eye(11), labels, issues, np.array([0]))
