"""Matrices whose rows are made where they are asked for give what the whole matrix gives."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from vernis.core.fill import holdout
from vernis.core.fill.head import gather_evidence
from vernis.core.labels import predictions
from vernis.core.labels.class_faults import find_class_faults
from vernis.core.labels.learnability import measure_learnability
from vernis.core.labels.predictions import predict_labels
from vernis.core.learn import scaling
from vernis.core.learn.heads import StoredModel
from vernis.core.learn.models import kernel
from vernis.core.learn.scaling import BlockScaler, fit_projection
from vernis.core.numeric import additive_ridge, components, row_blocks, threads
from vernis.core.numeric.row_blocks import JoinedRows, MadeRows, by_blocks, column_sums

N = 700


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 rows, few numbers held: what else only very many images need."""
    monkeypatch.setattr(row_blocks.slices_of, "__defaults__", (64,))
    monkeypatch.setattr(row_blocks.hold_if_small, "__defaults__", (0,))
    monkeypatch.setattr(additive_ridge, "_BLOCK", 64)
    monkeypatch.setattr(kernel, "WHOLE", 100)


def drawn(seed=0, dim=24):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 5, N)
    X = rng.normal(size=(5, dim))[classes] + rng.normal(size=(N, dim))
    Y = np.eye(5, dtype=np.float32)[classes]
    Y[::7] = np.nan
    return X.astype(np.float32), Y


def unread(X):
    """The same rows, as a matrix that is no array."""
    return MadeRows(X, lambda rows: rows, X.shape[1])


@pytest.mark.parametrize(
    "key", [slice(None), slice(3, 90), np.arange(N) % 3 == 0, np.array([5, 1])]
)
def test_made_and_joined_rows_are_those_of_the_whole(key, small_blocks):
    X, _ = drawn()
    made = MadeRows(X, lambda rows: 2 * rows, X.shape[1])
    joined = JoinedRows([X[:, :4].astype(np.float16), made])
    assert made.shape == X.shape
    assert joined.shape == (N, 4 + X.shape[1])
    np.testing.assert_array_equal(made[key], 2 * X[key])
    expected = np.hstack([X[:, :4].astype(np.float16).astype(np.float32), 2 * X])
    np.testing.assert_array_equal(joined[key], expected[key])


def test_blocks_come_in_order_and_cover_each_row_once(small_blocks):
    X, _ = drawn()
    parts = list(by_blocks(X, len))
    assert [size for _, size in parts] == [64] * 10 + [60]
    assert [part.start for part, _ in parts] == list(range(0, N, 64))


def test_sums_are_those_of_the_chosen_rows(small_blocks):
    X, _ = drawn()
    chosen = np.arange(N) % 3 > 0
    centre = X.mean(axis=0)
    sums, squares = column_sums(unread(X), chosen, centre)
    off = X[chosen].astype(np.float64) - centre
    np.testing.assert_allclose(sums, off.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(squares, (off**2).sum(axis=0))


def test_scaling_and_projection_of_unread_rows(small_blocks):
    X, _ = drawn()
    slices = [(0, 10), (10, 24)]
    whole, read = BlockScaler(slices).fit(X), BlockScaler(slices).fit_rows(unread(X))
    np.testing.assert_allclose(read.mean_, whole.mean_, atol=1e-6)
    np.testing.assert_allclose(read.scale_, whole.scale_, rtol=1e-5)
    scaled = read.over(unread(X))
    np.testing.assert_array_equal(scaled[:], read.transform(X))
    projection = fit_projection(scaled, 6)
    np.testing.assert_array_equal(projection.matrix, fit_projection(read.transform(X), 6).matrix)
    projected = projection.over(scaled)
    assert not isinstance(projected, np.ndarray)
    np.testing.assert_array_equal(projected[:], projection.apply(read.transform(X)))
    assert row_blocks.hold_if_small(projected, N * 6).shape == (N, 6)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_a_head_of_unread_rows_is_that_of_an_array(kind, small_blocks, monkeypatch):
    X, Y = drawn()
    groups = np.arange(N)
    groups[100:110] = groups[:10]

    def fitted(rows, n_threads=2):
        monkeypatch.setattr(threads, "count_threads", lambda most: n_threads)
        return StoredModel("kernel", kind, 12).fit(rows, Y, groups=groups)

    head, same, one_thread = fitted(X), fitted(unread(X)), fitted(unread(X), 1)
    for other in (same, one_thread):
        np.testing.assert_array_equal(other.oob_proba_, head.oob_proba_)
        np.testing.assert_array_equal(other.ensemble_proba_, head.ensemble_proba_)
    np.testing.assert_array_equal(head.predict_proba(X), head.ensemble_proba_)


def test_layers_of_unread_rows_are_joined_as_those_of_an_array(small_blocks, monkeypatch):
    X, _ = drawn()
    X = np.abs(X)
    X[:, 10:] -= 1
    slices = [(0, 10), (10, 24)]
    whole = components.combine_rows(X, slices, 8)
    np.testing.assert_array_equal(whole, components.combine_blocks([X[:, :10], X[:, 10:]], 8))
    monkeypatch.setattr(components, "_COMBINED", N - 1)
    made = components.combine_rows(unread(X), slices, 8)
    assert not isinstance(made, np.ndarray)
    assert made.shape == (N, 8)
    # All but one of the images say how they are joined.
    same, other = whole[:] @ whole[:].T, made[:] @ made[:].T
    assert np.corrcoef(same.ravel(), other.ravel())[0, 1] > 0.99
    np.testing.assert_array_equal(made[np.array([9, 3])], made[:][[9, 3]])


def test_label_issues_and_fills_of_unread_rows_are_those_of_an_array(small_blocks, monkeypatch):
    X, Y = (part[:300] for part in drawn())
    monkeypatch.setattr(predictions, "WHOLE", 100)
    kept = predict_labels(X, Y, kind="single")
    np.testing.assert_array_equal(predict_labels(unread(X), Y, kind="single"), kept)
    given = np.where(np.isnan(Y[:, 0]), -1, np.nan_to_num(Y).argmax(axis=1))
    told = [measure_learnability(rows, given, n_permutations=49, seed=1) for rows in (X, unread(X))]
    assert told[0] == told[1]
    faults = [find_class_faults(rows, given, kept) for rows in (X, unread(X))]
    assert faults[0] == faults[1]
    monkeypatch.setattr(holdout, "_QUERIES", 50)
    filled = [
        gather_evidence(rows, Y, kind="single", head=StoredModel("kernel", "single", 12))
        for rows in (X, unread(X))
    ]
    np.testing.assert_array_equal(filled[0].held_out, filled[1].held_out)
    np.testing.assert_array_equal(filled[0].unknown, filled[1].unknown)
    assert filled[0].plan(0.7).label.tolist() == filled[1].plan(0.7).label.tolist()


def test_what_a_fit_holds_does_not_grow_with_the_vectors(small_blocks, monkeypatch):
    monkeypatch.setattr(scaling, "_PCA_ROWS", 300)
    monkeypatch.setattr(scaling, "_SCALED", 0)
    monkeypatch.setattr(additive_ridge, "_JUDGED", 300)
    dim = 500

    def peak(n):
        """Return the most that a fit holds beside labels and predictions, in bytes."""
        Y = np.eye(3, dtype=np.float32)[np.arange(n) % 3]

        def make(rows):
            X = np.random.default_rng(0).standard_normal((64, dim)).astype(np.float32)
            return X[rows[:, 0].astype(int) % 64] + 0.01 * rows[:, :1] % 1

        X = MadeRows(np.arange(n, dtype=np.float32)[:, None], make, dim)
        tracemalloc.start()
        scaler = BlockScaler([(0, 200), (200, dim)]).fit_rows(X)
        projection = fit_projection(scaler.over(X), 20)
        model = kernel.KernelRidge("single", n_landmarks=60)
        model.fit(projection.over(scaler.over(X)), Y, np.arange(n))
        model.predict_proba(projection.over(scaler.over(X)))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(700)  # imports
    small, large = peak(1500), peak(4500)
    assert large - small < 0.15 * 3000 * dim * 4
