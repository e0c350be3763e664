"""The steps of the near search against slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vernis.core.copies import candidates as near_candidates
from vernis.core.copies.alignment import Placements, sample, sample_grid
from vernis.core.copies.candidates import describe_turns, propose_by_turns
from vernis.core.copies.fingerprints import shrink, turn, turn_matrix
from vernis.core.copies.guesses import choose_crops, describe_small, place_crops
from vernis.core.copies.verification import compare_structure


@pytest.fixture
def pictures():
    """Return 40 soft pictures of 64 × 64 points."""
    rng = np.random.default_rng(0)
    rough = rng.normal(128, 60, (40, 10, 10))
    y, x = np.meshgrid(np.linspace(0, 9, 64), np.linspace(0, 9, 64), indexing="ij")
    soft = [map_coordinates(picture, [y, x], order=1) for picture in rough]
    return np.stack(soft).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("side", [16, 64])
def test_sampling_is_bilinear_in_every_orientation(pictures, orientation, side):
    scale = np.array([0.7, 1.1], dtype=np.float32)
    matrix = turn_matrix(orientation) * scale
    offset = np.array([0.62, 0.4], dtype=np.float32) - matrix @ np.float32([0.5, 0.5])
    placed = Placements(np.stack([matrix] * 3), np.stack([offset] * 3))
    values, inside = sample(pictures, np.array([4, 7, 4]), placed, side)
    points = sample_grid(side) @ matrix.T + offset
    pixel = np.clip(points * 64 - 0.5, 0, 63)
    for row, name in enumerate((4, 7, 4)):
        expected = map_coordinates(pictures[name].astype(float), pixel[:, ::-1].T, order=1)
        np.testing.assert_allclose(values[row], expected, atol=2e-3)
    wanted = ((points >= 0) & (points <= 1)).all(axis=1)
    assert (inside[0] == wanted).mean() > 0.999
    assert set(np.unique(inside)) <= {0.0, 1.0}


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_shrinking_is_averaging(pictures, side):
    step = 64 // side
    expected = pictures.reshape(40, side, step, side, step).mean(axis=(2, 4))
    np.testing.assert_allclose(shrink(pictures, side), expected, rtol=1e-6)
    # Rows of fingerprints are not contiguous.
    wide = np.pad(pictures.reshape(40, -1), [(0, 0), (0, 514)])
    np.testing.assert_array_equal(
        shrink(wide[:, :4096].reshape(40, 64, 64), side), shrink(pictures, side)
    )


def test_cells_that_are_all_probed_propose_what_the_exact_search_does(pictures, monkeypatch):
    # One picture that looks the same in all orientations names its neighbours eight times.
    level = np.hypot(*np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5))
    pictures = np.concatenate([pictures, (4 * level)[None].astype(np.uint8), pictures[:5, ::-1]])
    descriptors = describe_turns(pictures)
    exact, similarity = propose_by_turns(descriptors, 4)
    monkeypatch.setattr(near_candidates, "EXACT_LIMIT", 0)
    monkeypatch.setattr(near_candidates, "_TURN_PROBES", 1_000)
    by_cells, values = propose_by_turns(descriptors, 4)
    np.testing.assert_array_equal(exact, by_cells)
    np.testing.assert_allclose(similarity, values, atol=1e-5)
    assert {(row, 41 + row) for row in range(5)} <= {tuple(pair) for pair in exact.tolist()}


def test_crops_are_chosen_where_they_were_cut(pictures):
    # 38 of 64 points are 0.6 of the width.
    cut = pictures[:6, 13:51, 0:38].astype(np.float32)
    edges = np.linspace(0, 38, 9).round().astype(int)
    rows = np.add.reduceat(np.add.reduceat(cut, edges[:-1], axis=1), edges[:-1], axis=2)
    areas = np.diff(edges)[:, None] * np.diff(edges)
    turned = np.stack([turn(picture, 5) for picture in rows / areas])
    whole = np.arange(6)
    choice = choose_crops(shrink(pictures[:6], 32), describe_small(turned), whole, whole)
    placed = place_crops(choice)
    np.testing.assert_allclose(placed.scale(), 0.6, atol=0.01)
    corners = np.array([[0.5, 0.5]]) @ placed.matrix[0].T + placed.offset[0]
    np.testing.assert_allclose(corners[0], [0.3, 0.5], atol=0.02)
    assert set(placed.orientation().tolist()) == {5}


@pytest.mark.parametrize("side", [16, 32, 64])
def test_structure_tells_the_same_from_another_at_every_size(pictures, side):
    small = shrink(pictures, side)
    still = Placements(np.stack([np.eye(2, dtype=np.float32)] * 2), np.zeros((2, 2), np.float32))
    same, other = compare_structure(small, np.array([[3, 3], [3, 4]]), still)
    assert same > 0.99
    assert other < 0.5
