"""Heat maps of each method: what they are joined of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vernis.core.locate.heat_maps import enlarge, scale_to_unit
from vernis.core.locate.localizers import FIT, fit_patches
from vernis.core.locate.patch_lda import patch_statistics
from vernis.core.locate.unusual_places import fit_unusualness
from vernis.domain.errors import InvalidValue


def pictures(n: int = 30, seed: int = 0) -> tuple[list[list[np.ndarray]], np.ndarray, np.ndarray]:
    """Return maps of two layers, the labels of two classes, and the cell of each class."""
    rng = np.random.default_rng(seed)
    Y = np.eye(2)[np.arange(n) % 2]
    cells = rng.integers(0, 4, (n, 2))
    found = []
    for row in range(n):
        fine, late = rng.normal(size=(8, 8, 4)), rng.normal(size=(4, 4, 6))
        y, x = cells[row]
        fine[2 * y : 2 * y + 2, 2 * x : 2 * x + 2, row % 2] += 6
        late[y, x, row % 2] += 6
        found.append([fine.astype(np.float32), late.astype(np.float32)])
    return found, Y, cells


def test_a_place_is_unusual_by_its_mahalanobis_distance():
    maps, _, _ = pictures()
    ridge = 3.0
    known = patch_statistics([m[:1] for m in maps], ridge)
    measured = fit_unusualness(known).measure(maps[0][:1])
    cells = maps[0][0].reshape(-1, 4).astype(float)
    every = np.concatenate([m[0].reshape(-1, 4) for m in maps]).astype(float)
    spread = every.std(axis=0)
    standard = (every - every.mean(axis=0)) / spread
    shrunk = standard.T @ standard / len(every) + ridge * np.eye(4)
    away = (cells - cells.mean(axis=0)) / spread
    expected = [row @ np.linalg.inv(shrunk) @ row for row in away]
    assert np.allclose(measured.ravel(), expected, rtol=1e-3)
    wide = np.linalg.eigh(shrunk)[1][:, ::-1][:, :2]
    part = [row @ wide @ np.linalg.inv(wide.T @ shrunk @ wide) @ wide.T @ row for row in away]
    assert np.allclose(fit_unusualness(known, 2).measure(maps[0][:1]).ravel(), part, rtol=1e-3)


def test_the_map_is_the_weighted_geometric_mean_of_three():
    maps, Y, _ = pictures()
    made = fit_patches(maps, Y)
    one = maps[3]
    parts = [
        scale_to_unit(made.fine.score(one[:1])),
        scale_to_unit(made.unusual.measure(one[:1]))[None],
        scale_to_unit(enlarge(made.late.score(one[1:]), (8, 8))),
    ]
    expected = scale_to_unit(parts[0] ** 0.4 * parts[1] ** 0.3 * parts[2] ** 0.3)
    assert np.allclose(made.heat(one), expected)
    assert np.allclose(made.heat(one, [1]), expected[1:])
    bare = replace(made, unusual_share=0, late_share=0)
    assert np.allclose(bare.heat(one), parts[0])


@pytest.mark.parametrize("method", ["patches", "cam"])
def test_what_is_planted_is_the_highest_place(method):
    maps, Y, cells = pictures()
    shown = maps if method == "patches" else [m[1:] for m in maps]
    made = FIT[method](shown, Y)
    hits = 0
    for row in range(len(maps)):
        heat = made.heat(shown[row], [row % 2])[0]
        y, x = divmod(int(heat.argmax()), heat.shape[1])
        step = heat.shape[0] // 4
        hits += (y // step, x // step) == tuple(cells[row])
    assert hits >= 27


def test_a_network_of_one_map_is_located_by_it_alone():
    maps, Y, _ = pictures()
    made = fit_patches([m[1:] for m in maps], Y)
    assert made.late is None
    assert made.heat(maps[0][1:]).shape == (2, 4, 4)


def test_nothing_is_learned_of_no_picture_or_of_one_class():
    maps, Y, _ = pictures(4)
    with pytest.raises(InvalidValue, match="labels of 0 pictures"):
        fit_patches([], Y)
    with pytest.raises(InvalidValue, match="with and without each class"):
        fit_patches(maps, np.ones((4, 1)))
