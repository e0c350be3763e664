"""Clusters on arrays: silhouettes, class-based TF-IDF, names, numbers that stay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from vernis.core.explore import clusters
from vernis.core.explore.silhouettes import Silhouettes, measure_silhouettes
from vernis.core.words.naming import propose_names
from vernis.core.words.tfidf import class_tfidf, telling_terms
from vernis.domain.errors import InvalidValue


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(6), [50, 40, 35, 30, 25, 20])
    centres = rng.normal(size=(6, 12)) * 3
    return (centres[truth] + 0.5 * rng.normal(size=(200, 12))).astype("f4"), truth


def test_silhouettes_are_those_of_scikit_learn(blobs):
    points, truth = blobs
    rough = truth // 2
    rough[0] = 3  # alone in its cluster
    measured = measure_silhouettes(points, [truth, rough])
    assert np.allclose(measured.values[0], silhouette_samples(points, truth), atol=1e-4)
    assert np.allclose(measured.values[1], silhouette_samples(points, rough), atol=1e-4)
    assert np.array_equal(measured.error(), [0, 0])


def test_a_sample_estimates_the_silhouette_of_all_within_its_error():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(1500, 5)).astype("f4")
    codes = (points[:, 0] > 0).astype(np.int64) + 2 * (points[:, 1] > 0)
    whole = silhouette_samples(points, codes).mean()
    found = [measure_silhouettes(points, [codes], sample=200, seed=seed) for seed in range(20)]
    z = [(m.mean()[0] - whole) / m.error()[0] for m in found]
    assert abs(np.mean(z)) < 0.6
    assert 0.5 < np.std(z) < 1.5


def test_noise_is_not_measured_and_one_cluster_is_refused(blobs):
    points, truth = blobs
    codes = np.where(truth == 5, -1, truth)
    measured = measure_silhouettes(points, [codes])
    kept = codes >= 0
    assert np.allclose(measured.values[0], silhouette_samples(points[kept], codes[kept]), atol=1e-4)
    with pytest.raises(InvalidValue, match="two clusters"):
        measure_silhouettes(points, [np.zeros(len(points), dtype=np.int64)])


def test_the_scan_finds_the_planted_number_and_is_repeatable(blobs):
    points, truth = blobs
    scan = clusters.scan_kmeans(points, range(2, 11), seed=3)
    assert scan.ks[scan.best] == 6
    assert adjusted_rand_score(truth, scan.codes[scan.best]) == 1
    again = clusters.scan_kmeans(points, range(2, 11), seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(scan.codes, again.codes, strict=True))


def test_density_leaves_scattered_points_out(blobs):
    points, truth = blobs
    scattered = np.random.default_rng(2).uniform(-40, 40, size=(30, 12)).astype("f4")
    codes = clusters.cluster_by_density(np.concatenate([points, scattered]), 10)
    assert (codes[200:] == clusters.NOISE).mean() > 0.9
    inside = codes[:200] >= 0
    assert inside.mean() > 0.8
    assert len(set(codes[:200][inside].tolist())) >= 6
    assert all(len(set(truth[codes[:200] == c].tolist())) == 1 for c in set(codes[:200][inside]))


def test_too_few_distinct_points_are_said_so():
    with pytest.raises(InvalidValue, match="at most 3"):
        clusters.fit_kmeans(np.repeat(np.eye(3, dtype="f4"), 10, axis=0), 5)


def test_class_tfidf_is_the_formula_of_the_paper():
    counts = np.array([[4, 1, 0], [0, 1, 2]])
    mean_size = (5 + 3) / 2
    expected = [
        [4 * math.log(1 + mean_size / 4), math.log(1 + mean_size / 2), 0],
        [0, math.log(1 + mean_size / 2), 2 * math.log(1 + mean_size / 2)],
    ]
    assert np.allclose(class_tfidf(counts), expected)
    with pytest.raises(InvalidValue):
        class_tfidf([[-1, 0]])


def test_words_that_are_everywhere_set_nothing_apart():
    words = [{"photo", "cat"}] * 6 + [{"photo", "dog"}] * 6 + [{"photo"}] * 2
    terms = telling_terms(words, [0] * 6 + [1] * 6 + [-1] * 2, 2)
    assert [[t.word for t in group] for group in terms] == [["cat"], ["dog"]]
    assert terms[0][0].share == 1
    assert terms[0][0].lift == pytest.approx(14 / 6)


def test_names_are_short_and_all_different():
    words = [{"cat"}] * 9 + [{"cat", "kitten"}] * 9 + [{"a"}, {"b"}] * 5 + [set()] * 4
    codes = [0] * 9 + [1] * 9 + [2] * 10 + [3] * 4
    names = propose_names([telling_terms(words, codes, 4), telling_terms(words, codes, 4)], 4)
    assert names == ["cat", "kitten", "a / b", "group 4"]


def test_the_same_name_is_numbered():
    words = [{"cat"}] * 6 + [{"cat"}] * 6 + [{"dog"}] * 6
    terms = telling_terms(words, [0] * 6 + [1] * 6 + [2] * 6, 3)
    assert propose_names([terms], 3) == ["cat", "cat (2)", "dog"]


def test_a_word_on_one_image_of_a_large_group_does_not_name_it():
    words = [{"rare", "cat"}] + [{"cat"}] * 3 + [{"dog"}] * 4
    terms = telling_terms(words, [0] * 4 + [1] * 4, 2)
    assert [t.word for t in terms[0]] == ["cat"]
    assert [t.word for t in telling_terms(words[:3] + words[4:], [0] * 3 + [1] * 4, 2)[0]] == [
        "cat",
        "rare",
    ]
    assert len(telling_terms([{"a", "b", "c"}, {"x"}], [0, 1], 2, limit=2)[0]) == 2


def test_a_group_for_each_image_is_expected_and_no_words_make_no_weights():
    with pytest.raises(InvalidValue, match="each of 2 images, got 1"):
        telling_terms([{"a"}, {"b"}], [0], 1)
    assert class_tfidf(np.zeros((2, 0))).shape == (2, 0)
    assert telling_terms([set(), set()], [0, 1], 2) == [[], []]


def test_numbers_stay_with_their_clusters():
    rng = np.random.default_rng(0)
    old = rng.normal(size=(4, 30))
    new = np.concatenate(
        [rng.normal(size=(1, 30)), old[[2, 0, 3]] + 0.1 * rng.normal(size=(3, 30))]
    )
    pairs = clusters.match_rows(old, new)
    assert pairs == {1: 2, 2: 0, 3: 3}
    assert clusters.number_anew(pairs, [1, 2, 3, 4], 4) == [5, 3, 1, 4]
    assert clusters.match_rows(np.empty((0, 3)), np.ones((2, 3))) == {}


def test_the_first_central_member_is_the_medoid(blobs):
    points, truth = blobs
    members = np.flatnonzero(truth == 1)
    distances = ((points[members, None] - points[None, members]) ** 2).sum(axis=(1, 2))
    assert clusters.central_members(points, truth, 1, 3)[0] == members[np.argmin(distances)]


@pytest.mark.parametrize("k", [0, 1, 201])
def test_refuses_a_k_that_the_points_do_not_carry(blobs, k):
    with pytest.raises(InvalidValue, match="between 2 and the 200 images"):
        clusters.fit_kmeans(blobs[0], k)


def test_kmeans_goes_on_from_given_centers(blobs):
    points, truth = blobs
    means = clusters.mean_vectors(points, truth, 6)
    order = [3, 0, 5, 1, 4, 2]
    codes, centers = clusters.fit_kmeans(points, 6, start=means[order])
    assert np.array_equal(codes, np.argsort(order)[truth])
    assert np.allclose(centers, means[order], atol=1e-3)
    assert centers.dtype == np.float32


def test_every_point_lies_nearest_to_its_own_center(blobs):
    points, _ = blobs
    codes, centers = clusters.fit_kmeans(points, 4, seed=1)
    distances = np.linalg.norm(points[:, None] - centers, axis=2)
    assert np.array_equal(distances.argmin(axis=1), codes)
    for c in range(4):
        assert np.allclose(points[codes == c].mean(axis=0), centers[c], atol=1e-4)


def test_rivals_are_the_ks_that_a_sample_cannot_tell_from_the_best():
    values = np.array([[0.5, 0.6, 0.4, 0.5], [0.6, 0.5, 0.5, 0.3], [0.1, 0.2, 0.1, 0.1]])
    silhouettes = Silhouettes(np.arange(4), values.astype("f4"), 1000)
    scan = clusters.KMeansScan((2, 3, 4), (), (), silhouettes)
    assert scan.best == 0
    assert scan.rivals == (3,)
    # Measured on all points there is no doubt left.
    whole = Silhouettes(np.arange(4), values.astype("f4"), 4)
    assert clusters.KMeansScan((2, 3, 4), (), (), whole).rivals == ()


def test_density_finds_nothing_in_too_few_points_and_refuses_clusters_of_one(blobs):
    points, _ = blobs
    assert clusters.cluster_by_density(points[:5], 5).tolist() == [clusters.NOISE] * 5
    with pytest.raises(InvalidValue, match="2 images or more, got 1"):
        clusters.cluster_by_density(points, 1)


def test_mean_vectors_leave_noise_out_and_are_zero_where_nothing_is():
    vectors = np.array([[1, 0], [3, 2], [9, 9], [5, 5]], dtype="f4")
    means = clusters.mean_vectors(vectors, np.array([0, 0, -1, 2]), 3)
    assert means.tolist() == [[2, 1], [0, 0], [5, 5]]


def test_the_largest_cluster_comes_first_and_of_equal_ones_the_earlier():
    codes = np.array([3, 3, 1, -1, 0, 1, 0, 3, -1, -1])
    assert clusters.order_by_size(codes).tolist() == [3, 1, 0]


def test_pairs_make_the_sum_of_cosines_largest_not_the_first_pair():
    degrees = np.radians([0, 37, 20, 80])
    old, new = np.split(np.column_stack([np.cos(degrees), np.sin(degrees)]), 2)
    # 20 is nearest to 37, but 80 has no other one to go to.
    assert clusters.match_rows(old, new) == {0: 0, 1: 1}
    assert clusters.match_rows(old, 5 * new, least=0.9) == {0: 0}
    assert clusters.match_rows(old, np.zeros((1, 2))) == {}


def test_fresh_numbers_follow_the_largest_ever_used():
    assert clusters.number_anew({1: 0}, [7], 3) == [8, 7, 9]
    assert clusters.number_anew({}, [], 2) == [1, 2]


def test_central_members_are_sorted_by_their_distance_to_the_mean():
    points = np.array([[0, 0], [9, 9], [4, 0], [1, 0], [-5, 0]], dtype="f4")
    codes = np.array([0, 1, 0, 0, 0])
    assert clusters.central_members(points, codes, 0, 3).tolist() == [0, 3, 2]
    assert clusters.central_members(points, codes, 1, 3).tolist() == [1]
