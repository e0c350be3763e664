"""Classifiers of patches that learn from labels of whole pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.locate.activation_maps import fit_activation_maps
from vernis.core.locate.patch_lda import (
    PatchClassifier,
    PatchSettings,
    covering,
    fit_patch_lda,
    join_cells,
)
from vernis.domain.errors import InvalidValue

SIZE, COARSE = (8, 6), (4, 3)


def plant(seed: int = 0, n: int = 40) -> tuple[list[list[np.ndarray]], np.ndarray, np.ndarray]:
    """Return noisy maps of two layers, labels of two classes, and where class 0 was planted."""
    rng = np.random.default_rng(seed)
    pictures, places = [], np.full((n, 2), -1)
    Y = (rng.random((n, 2)) < 0.5).astype(float)
    Y[:2] = [[1, 0], [0, 1]]
    for row in range(n):
        fine, coarse = rng.normal(size=(*SIZE, 5)), rng.normal(size=(*COARSE, 4))
        for column in range(2):
            if Y[row, column]:
                y, x = rng.integers(0, COARSE[0]), rng.integers(0, COARSE[1])
                fine[2 * y : 2 * y + 2, 2 * x : 2 * x + 2, column] += 5
                coarse[y, x, column] += 5
                if column == 0:
                    places[row] = y, x
        pictures.append([fine.astype(np.float16), coarse.astype(np.float16)])
    return pictures, Y, places


def plain_lda(pictures, Y, settings):
    """Return the weights of patch LDA by its formula, on joined vectors, one class at a time."""
    cover = covering(SIZE, COARSE)
    rows = [
        np.concatenate([a.reshape(-1, 5), b.reshape(-1, 4)[cover]], axis=1).astype(float)
        for a, b in pictures
    ]
    every = np.concatenate(rows)
    mean, spread = every.mean(axis=0), every.std(axis=0)
    z = [(row - mean) / spread for row in rows]
    joined = np.concatenate(z)
    S = joined.T @ joined / len(joined) + settings.ridge * np.eye(9)
    weights = []
    for label in Y.T:
        without = np.mean([one.mean(axis=0) for one, y in zip(z, label, strict=True) if not y], 0)
        have = [one for one, y in zip(z, label, strict=True) if y]
        w = np.linalg.solve(S, np.mean([one.mean(axis=0) for one in have], 0) - without)
        for _ in range(settings.rounds):
            best, worse = [], []
            for one in have:
                scores = one @ w
                count = max(1, round(settings.share * len(scores)))
                best.append(one[np.argsort(-scores)[:count]].mean(axis=0))
                worse.append(one[scores <= np.median(scores)].mean(axis=0))
            w = np.linalg.solve(S, np.mean(best, 0) - 0.5 * without - 0.5 * np.mean(worse, 0))
        weights.append(w)
    return mean, spread, np.stack(weights, axis=1)


@pytest.mark.parametrize("rounds", [0, 1])
def test_patch_lda_is_its_formula(rounds):
    pictures, Y, _ = plant()
    # One layer of one resolution: scores are not enlarged, so both pick the same patches.
    same = [[np.concatenate([a, np.repeat(np.repeat(b, 2, 0), 2, 1)], axis=2)] for a, b in pictures]
    settings = PatchSettings(share=0.1, ridge=2.0, rounds=rounds)
    found = fit_patch_lda(same, Y, settings)
    mean, spread, weights = plain_lda(pictures, Y, settings)
    assert found.weights == pytest.approx(weights / spread[:, None], rel=1e-3, abs=1e-4)
    assert found.bias == pytest.approx(-(mean / spread) @ weights, rel=1e-3, abs=1e-3)


def test_patch_lda_finds_what_labels_of_pictures_alone_plant():
    pictures, Y, places = plant()
    found = fit_patch_lda(pictures, Y)
    hits = []
    for maps, (y, x) in zip(pictures, places, strict=True):
        if y >= 0:
            heat = found.score(maps, [0])[0]
            row, column = divmod(int(heat.argmax()), SIZE[1])
            hits.append((row // 2, column // 2) == (y, x))
    assert np.mean(hits) > 0.9


def test_scores_of_a_class_alone_are_those_among_all():
    pictures, Y, _ = plant()
    found = fit_patch_lda(pictures, Y)
    assert found.score(pictures[0]).shape == (2, *SIZE)
    assert found.score(pictures[0], [1])[0] == pytest.approx(found.score(pictures[0])[1], abs=1e-5)
    with pytest.raises(InvalidValue, match="9 channels"):
        found.score(pictures[0][:1])


def test_a_coarse_cell_counts_for_each_fine_one_that_it_covers():
    maps = [np.arange(48.0).reshape(8, 6, 1), np.arange(12.0).reshape(4, 3, 1)]
    assert join_cells(maps, np.array([0, 1, 7, 47])).tolist() == [[0, 0], [1, 0], [7, 0], [47, 11]]
    # Sides that do not divide: the cell under the centre.
    assert covering((1, 5), (1, 2)).tolist() == [0, 0, 1, 1, 1]


def test_unknown_labels_take_no_part():
    pictures, Y, _ = plant()
    Y[5:15, 0] = np.nan
    found = fit_patch_lda(pictures, Y, PatchSettings(rounds=0, ridge=1e6)).weights[:, 0]
    every = [join_cells(maps, np.arange(48)) for maps in pictures]
    spread = np.concatenate(every).std(axis=0)
    means = np.stack([rows.mean(axis=0) for rows in every])
    # Without whitening the weights are differences of means: those of known pictures alone.
    wanted = (means[Y[:, 0] == 1].mean(axis=0) - means[Y[:, 0] == 0].mean(axis=0)) / spread**2
    assert found * 1e6 == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_an_activation_map_has_the_score_of_the_picture_as_its_mean():
    from sklearn.linear_model import LogisticRegression

    pictures, Y, _ = plant()
    last = [[maps[1]] for maps in pictures]
    found = fit_activation_maps(last, Y, strength=0.5)
    X = np.stack([maps[0].mean(axis=(0, 1), dtype=np.float32) for maps in last])
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    scores = LogisticRegression(C=0.5, max_iter=500).fit(Z, Y[:, 1] == 1).decision_function(Z)
    means = [found.score(maps, [1]).mean() for maps in last]
    assert means == pytest.approx(scores, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("fit", [fit_patch_lda, fit_activation_maps])
def test_a_class_on_every_picture_or_on_none_is_refused(fit):
    pictures, Y, _ = plant()
    last = [[maps[1]] for maps in pictures]
    for value in (0, 1, np.nan):
        wrong = Y.copy()
        wrong[:, 1] = value
        with pytest.raises(InvalidValue, match="with and without each class"):
            fit(last, wrong)
    with pytest.raises(InvalidValue, match="labels of"):
        fit(last, Y[:3])


def test_settings_out_of_range_are_refused():
    for wrong in ({"share": 0}, {"share": 2}, {"ridge": 0}, {"rounds": -1}):
        with pytest.raises(InvalidValue):
            PatchSettings(**wrong)
    assert PatchClassifier(np.zeros((1, 1), np.float32), np.zeros(1, np.float32)).score(
        [np.ones((2, 3, 1))]
    ).shape == (1, 2, 3)
