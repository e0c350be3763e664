"""Clusters on arrays: silhouettes, class-based TF-IDF, names, numbers that stay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from vernis.core.explore import clusters
from vernis.core.explore.silhouettes import measure_silhouettes
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
