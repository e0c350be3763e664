"""Cells for points: one each, near, and nearly as near as an exact assignment makes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from vernis.core.explore import overlap
from vernis.core.explore.overlap import hilbert_order, tile_points
from vernis.domain.errors import InvalidValue

PLACES = arrays(
    np.float64,
    st.tuples(st.integers(0, 60), st.just(2)),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(PLACES, st.sampled_from([0.1, 0.5, 1.0]))
def test_every_point_has_a_cell_of_its_own_inside_the_grid(points, fill):
    tiling = tile_points(points, fill=fill)
    cells = tiling.cells
    assert len(np.unique(cells, axis=0)) == len(points)
    assert (cells >= 0).all()
    assert (cells < [max(tiling.columns, 1), max(tiling.rows, 1)]).all()


def clusters(n=600, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (6, 2))[rng.integers(0, 6, n)] + rng.normal(0, 3, (n, 2))


def test_the_ways_are_nearly_the_shortest():
    points = clusters()
    places, columns, rows = overlap._scaled(points.copy(), 0.5)
    cells = overlap._deal(places, columns, rows)
    for shift in (0, overlap._WINDOW // 2):
        overlap._improve(places, cells, columns, rows, shift)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    costs = ((places[:, None] - (grid + 0.5)) ** 2).sum(axis=2)
    best = costs[linear_sum_assignment(costs)].sum()
    ours = ((cells + 0.5 - places) ** 2).sum()
    assert best <= ours <= 1.02 * best


def test_a_grid_stays_a_grid_the_right_way_up():
    x, y = np.meshgrid(np.arange(8), np.arange(8))
    points = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    tiling = tile_points(points, fill=1.0)
    assert (tiling.columns, tiling.rows) == (8, 8)
    np.testing.assert_array_equal(tiling.cells, np.column_stack([x.ravel(), 7 - y.ravel()]))


def test_an_outlier_does_not_crush_the_rest():
    points = np.vstack([clusters(2000), [[1e6, 1e6]]])
    tiling = tile_points(points)
    assert len(np.unique(tiling.cells[:-1, 0])) > 0.8 * tiling.columns


def test_equal_places_and_bad_input():
    assert len(np.unique(tile_points(np.zeros((50, 2))).cells, axis=0)) == 50
    with pytest.raises(InvalidValue, match="finite points"):
        tile_points(np.array([[np.nan, 0.0]]))
    with pytest.raises(InvalidValue, match="fill"):
        tile_points(np.zeros((3, 2)), fill=0)


@pytest.mark.parametrize("side", [1, 2, 8, 16])
def test_the_curve_goes_from_cell_to_neighbouring_cell(side):
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    cells = np.column_stack([x.ravel(), y.ravel()])
    path = cells[hilbert_order(cells)]
    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()
    assert len(hilbert_order(cells[:0])) == 0
