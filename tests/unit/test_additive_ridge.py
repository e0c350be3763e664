"""Kernel ridge in passes against the fit that holds all features."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels import predictions
from vernis.core.learn.models import kernel
from vernis.core.numeric import additive_ridge, threads
from vernis.core.numeric.additive_ridge import predict_in_passes
from vernis.core.numeric.kernel_ridge import (
    gaussian_kernel,
    nystrom_basis,
    predict_left_out,
)
from vernis.domain.errors import InvalidValue

N, K = 1500, 7


def draw(kind, seed=0):
    """Draw clustered rows, labels of which some are wrong and some unknown, and groups."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, N)
    x = (0.5 * rng.normal(size=(K, 30))[truth] + rng.normal(size=(N, 30))).astype(np.float32)
    x -= x.mean(axis=0)
    x /= np.sqrt((x**2).sum(axis=1).mean())
    y = np.eye(K, dtype=np.float32)[np.where(rng.random(N) < 0.1, rng.integers(0, K, N), truth)]
    if kind == "multi":
        y[rng.random(y.shape) < 0.3] = np.nan
    y[rng.random(N) < 0.2] = np.nan
    groups = np.arange(N)
    groups[10:200] = groups[10:200] // 5
    return x, y, groups


def both(kind, monkeypatch, block=256):
    monkeypatch.setattr(additive_ridge, "_BLOCK", block)
    x, y, groups = draw(kind)
    train = np.isfinite(y).any(axis=1)
    landmarks = np.flatnonzero(train)[::4]
    basis = nystrom_basis(
        gaussian_kernel(x, x[landmarks], 0.4), landmarks, train, moments="features"
    )
    whole = predict_left_out(basis, y, kind=kind, groups=groups)
    passes = predict_in_passes(
        lambda rows: gaussian_kernel(x[rows], x[landmarks], 0.4),
        landmarks,
        train,
        y,
        kind=kind,
        groups=groups,
    )
    return whole, passes, (x, y, landmarks)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_passes_predict_what_the_whole_fit_does(kind, monkeypatch):
    whole, (found, _), _ = both(kind, monkeypatch)
    assert found.ridge == whole.ridge
    assert found.slope == pytest.approx(whole.slope, rel=1e-3)
    assert np.abs(found.probs - whole.probs).max() < 2e-3
    same = found.probs.argmax(axis=1) == whole.probs.argmax(axis=1)
    assert same.mean() >= 0.995


def test_the_map_of_the_fit_gives_the_scores_of_new_images(monkeypatch):
    _, (found, fitted), (x, y, landmarks) = both("single", monkeypatch)
    unlabelled = ~np.isfinite(y).any(axis=1)
    scores = gaussian_kernel(x[unlabelled], x[landmarks], 0.4) @ fitted.weights + fitted.mean
    odds = np.exp(found.slope * scores.astype(np.float64))
    expected = odds / odds.sum(axis=1, keepdims=True)
    assert np.abs(expected - found.probs[unlabelled]).max() < 1e-4


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_blocks_without_any_labelled_image_are_predicted(kind, monkeypatch):
    monkeypatch.setattr(additive_ridge, "_BLOCK", 256)
    x, y, _ = draw(kind)
    y[:600] = np.nan  # a folder that nobody has labelled
    train = np.isfinite(y).any(axis=1)
    landmarks = np.flatnonzero(train)[::4]

    def kernel_of(rows):
        assert len(rows)
        return gaussian_kernel(x[rows], x[landmarks], 0.4)

    found, _ = predict_in_passes(kernel_of, landmarks, train, y, kind=kind)
    basis = nystrom_basis(
        gaussian_kernel(x, x[landmarks], 0.4), landmarks, train, moments="features"
    )
    whole = predict_left_out(basis, y, kind=kind)
    assert np.abs(found.probs - whole.probs).max() < 2e-3


def test_whole_groups_judge_where_every_image_shares_one(monkeypatch):
    monkeypatch.setattr(additive_ridge, "_BLOCK", 64)
    monkeypatch.setattr(additive_ridge, "_JUDGED", 300)
    x, y, _ = draw("single")
    groups = np.random.default_rng(1).permutation(N) // 3
    train = np.isfinite(y).any(axis=1)
    landmarks = np.flatnonzero(train)[::4]
    shown = []

    def kernel_of(rows):
        shown.append(rows)
        return gaussian_kernel(x[rows], x[landmarks], 0.4)

    shared = additive_ridge._shared(groups, np.ones(N, bool))
    work = additive_ridge._Passes(
        kernel_of, landmarks, np.ones(N, bool), np.eye(K)[np.zeros(N, int)], np.ones((N, K), bool),
        shared,
    )  # fmt: skip
    parts = work._judged()
    judged = np.concatenate(parts)
    assert 250 <= len(judged) <= 330
    assert len(np.unique(judged)) == len(judged)
    whole = np.isin(groups, groups[judged])
    assert np.array_equal(np.sort(judged), np.flatnonzero(whole))
    for part in parts:
        assert not set(groups[part]) & set(groups[np.setdiff1d(judged, part)])

    found, _ = predict_in_passes(kernel_of, landmarks, train, y, kind="single", groups=groups)
    basis = nystrom_basis(
        gaussian_kernel(x, x[landmarks], 0.4), landmarks, train, moments="features"
    )
    plain = predict_left_out(basis, y, kind="single", groups=groups)
    same = found.probs.argmax(axis=1) == plain.probs.argmax(axis=1)
    assert same.mean() >= 0.98


def test_the_bits_do_not_hang_on_the_number_of_threads(monkeypatch):
    results = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(threads, "count_threads", lambda most, cores=cores: min(cores, most))
        results.append(both("multi", monkeypatch)[1][0].probs)
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_no_block_cuts_a_group(monkeypatch):
    monkeypatch.setattr(additive_ridge, "_BLOCK", 64)
    groups = np.arange(N) // 50  # larger than what is left of a block
    shared = additive_ridge._shared(groups, np.ones(N, bool))
    blocks = list(additive_ridge._blocks(shared))
    assert sorted(np.concatenate(blocks).tolist()) == list(range(N))
    homes = {}
    for place, rows in enumerate(blocks):
        for group in set(groups[rows].tolist()):
            assert homes.setdefault(group, place) == place


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_heads_and_label_issues_of_many_images_use_the_passes(kind, monkeypatch):
    x, y, groups = draw(kind)
    model = kernel.KernelRidge(kind, n_landmarks=300).fit(x, y, groups)
    probs = predictions.predict_labels(x, y, kind=kind, groups=groups)
    monkeypatch.setattr(kernel, "WHOLE", 100)
    monkeypatch.setattr(predictions, "WHOLE", 100)
    again = kernel.KernelRidge(kind, n_landmarks=300).fit(x, y, groups)
    assert np.abs(again.oob_proba_ - model.oob_proba_).max() < 5e-3
    assert np.abs(again.predict_proba(x) - model.predict_proba(x)).max() < 2e-3
    labels = predictions.predict_labels(x, y, kind=kind, groups=groups)
    # With every image a landmark the whole fit loses digits to small eigenvalues.
    assert np.corrcoef(labels.ravel(), probs.ravel())[0, 1] > 0.998


def test_nothing_known_is_refused():
    with pytest.raises(InvalidValue, match="at least one known label"):
        predict_in_passes(
            lambda rows: np.ones((len(rows), 2), np.float32),
            np.arange(2),
            np.ones(4, bool),
            np.full((4, 2), np.nan),
            kind="single",
        )
