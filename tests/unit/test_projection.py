"""Maps by t-SNE, UMAP and PCA: they part groups, repeat themselves and take new points."""

import importlib.util

import numpy as np
import pytest

from vernis.core.explore import projection
from vernis.core.explore import tsne as tsne_maps
from vernis.core.explore.map_quality import map_quality
from vernis.core.numeric.components import principal_components
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue

GROUPS, EACH = 4, 40


def groups(seed=0, dim=32):
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 4, (GROUPS, dim))
    rows = np.repeat(centers, EACH, axis=0) + rng.normal(0, 1, (GROUPS * EACH, dim))
    return rows.astype(np.float32), np.repeat(np.arange(GROUPS), EACH)


def tsne(components, iterations=(250,), perplexity=12.0, seed=0):
    count = tsne_maps.count_neighbors(perplexity, len(components))
    neighbors = projection.find_neighbors(components, count)
    return dict(
        tsne_maps.tsne_states(
            components, neighbors, perplexity=perplexity, iterations=iterations, seed=seed
        )
    )


def share_of_own_group(places, labels, others=None, other_labels=None):
    others = places if others is None else others
    other_labels = labels if other_labels is None else other_labels
    ways = ((places[:, None] - others[None]) ** 2).sum(axis=2)
    if others is places:
        np.fill_diagonal(ways, np.inf)
    return (other_labels[ways.argmin(axis=1)] == labels).mean()


@pytest.fixture(scope="module")
def made():
    rows, labels = groups()
    basis = principal_components(rows, 10)
    components = basis.project(rows)
    return basis, components, labels, tsne(components)[250]


def test_components_are_those_of_an_exact_decomposition():
    rows, _ = groups()
    basis = principal_components(rows, 3)
    centered = rows - rows.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
    assert np.abs(np.abs((basis.directions.T * directions[:3]).sum(axis=1)) - 1).max() < 1e-4
    spread = basis.project(rows).std(axis=0) * len(rows) ** 0.5
    np.testing.assert_allclose(spread, lengths[:3], rtol=1e-4)


def test_tsne_parts_groups(made):
    _, components, labels, places = made
    assert share_of_own_group(places, labels) > 0.97
    assert map_quality(components, places).trustworthiness > 0.9


def test_tsne_is_as_good_as_plain_opentsne(made):
    import openTSNE

    _, components, _, places = made
    peer = openTSNE.TSNE(
        perplexity=12, metric="cosine", n_iter=250, neighbors="exact", random_state=0
    ).fit(components)
    ours, theirs = map_quality(components, places), map_quality(components, np.asarray(peer))
    assert ours.preservation > theirs.preservation - 0.03


def test_same_seed_same_map_and_fewer_iterations_lie_on_the_way(made):
    _, components, _, places = made
    states = tsne(components, iterations=(100, 250))
    assert sorted(states) == [100, 250]
    np.testing.assert_array_equal(states[250], places)
    np.testing.assert_array_equal(tsne(components, iterations=(100,))[100], states[100])


def test_neighbours_found_for_a_larger_perplexity_serve_a_smaller_one(made):
    _, components, _, places = made
    neighbors = projection.find_neighbors(components, tsne_maps.count_neighbors(30, 160))
    states = tsne_maps.tsne_states(components, neighbors, perplexity=12, iterations=[250])
    np.testing.assert_array_equal(dict(states)[250], places)


def test_neighbours_of_many_points_are_nearly_all_the_true_ones(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 8)).astype(np.float32)
    exact = projection.find_neighbors(rows, 15)
    monkeypatch.setattr(projection, "_EXACT_NEIGHBORS", 100)
    found = projection.find_neighbors(rows, 15)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact.indices, found.indices, strict=True)]
    assert np.mean(shared) / 15 > 0.95
    assert (found.indices >= 0).all()
    assert (found.indices != np.arange(3000)[:, None]).all()


@pytest.mark.parametrize(
    "place", [tsne_maps.place_by_tsne, projection.place_by_neighbors], ids=["tsne", "mean"]
)
def test_new_points_come_to_their_group_and_move_nothing(made, place):
    basis, components, labels, places = made
    before = places.copy()
    rows, new_labels = groups(seed=0)
    new = basis.project(rows + np.random.default_rng(9).normal(0, 1, rows.shape))[::4]
    found = place(new, components, places)
    np.testing.assert_array_equal(places, before)
    assert share_of_own_group(found, new_labels[::4], places, labels) > 0.95
    assert place(new[:0], components, places).shape == (0, 2)


def test_a_new_point_does_not_depend_on_the_others_that_come_with_it(made):
    basis, components, _, places = made
    new = basis.project(groups(seed=0)[0][::10] + 0.1)
    together = tsne_maps.place_by_tsne(new, components, places)
    alone = tsne_maps.place_by_tsne(new[3:4], components, places)
    np.testing.assert_allclose(alone[0], together[3], atol=1e-5)


def test_equal_vectors_and_few_points_make_a_map():
    rows = np.repeat(np.eye(6, dtype=np.float32), 2, axis=0)
    components = principal_components(rows, 50).project(rows)
    assert np.isfinite(tsne(components, perplexity=30)[250]).all()
    assert np.isfinite(tsne(np.ones((6, 4), np.float32), perplexity=30)[250]).all()
    assert projection.pca_points(components).shape == (12, 2)
    assert projection.pca_points(components[:, :1]).shape == (12, 2)


def test_nonsense_is_refused():
    rows = normalize_rows(groups()[0])
    with pytest.raises(InvalidValue, match="5 different pictures"):
        projection.pca_points(rows[:4])
    neighbors = projection.find_neighbors(rows, 5)
    for perplexity, iterations in ((0.5, [10]), (5, []), (5, [20, 10]), (30, [10])):
        with pytest.raises(InvalidValue):
            next(
                tsne_maps.tsne_states(rows, neighbors, perplexity=perplexity, iterations=iterations)
            )


@pytest.mark.umap
@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="needs the umap extra")
@pytest.mark.filterwarnings("ignore")
def test_umap_parts_groups_and_repeats_itself(made):
    _, components, labels, _ = made
    places = projection.umap_points(components)
    assert share_of_own_group(places, labels) > 0.97
    np.testing.assert_array_equal(places, projection.umap_points(components))


def test_many_points_end_with_a_finer_phase_which_later_states_do_not_see(monkeypatch):
    rng = np.random.default_rng(5)
    components = rng.normal(size=(300, 8)).astype(np.float32)
    plain = tsne(components, perplexity=30, iterations=[200])
    monkeypatch.setattr(tsne_maps, "_LAST_PHASE_FROM", 300)
    found = tsne(components, perplexity=30, iterations=[100, 200])
    alone = tsne(components, perplexity=30, iterations=[200])
    np.testing.assert_array_equal(found[200], alone[200])
    assert np.abs(alone[200] - plain[200]).max() > 1e-3
    few = tsne(components, perplexity=12, iterations=[200])
    monkeypatch.setattr(tsne_maps, "_LAST_PHASE_FROM", 301)
    np.testing.assert_array_equal(tsne(components, perplexity=12, iterations=[200])[200], few[200])


def test_long_vectors_are_cut_without_their_covariance() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(200_000, 3)))[0]  # a covariance of 160 GB
    X = (rng.normal(size=(60, 3)) * [9, 5, 2]) @ axes.T
    found = principal_components(X.astype(np.float16), 3)
    cosines = np.linalg.norm(found.directions.T @ axes, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=0.01)
    again = principal_components(X.astype(np.float16), 3)
    np.testing.assert_array_equal(again.directions, found.directions)
