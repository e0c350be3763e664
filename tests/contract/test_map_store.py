"""Maps in the catalog: written whole, found by name, added to, removed."""

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.maps import MapPoints, MapRecord


def points(n=4, seed=0):
    rng = np.random.default_rng(seed)
    hashes = tuple(f"{number:04x}" for number in range(n))
    return MapPoints(hashes, rng.normal(size=(n, 2)), np.zeros(n, dtype=bool))


def record(name="m", **settings):
    return MapRecord(name, {"name": "s", "dim": 3}, {"method": "pca", **settings}, {"judged": 4})


def test_a_map_comes_back_as_it_was_written(catalog):
    written = points()
    catalog.maps.replace(record(seed=3), written)
    found = catalog.maps.find("m")
    assert (found.settings, found.space["dim"]) == ({"method": "pca", "seed": 3}, 3)
    assert (found.points, found.placed, found.quality) == (4, 0, {"judged": 4})
    assert found.created
    read = catalog.maps.points("m")
    assert read.hashes == written.hashes
    np.testing.assert_array_equal(read.places, written.places)


def test_placing_adds_and_moves_nothing(catalog):
    written = points()
    catalog.maps.replace(record(), written)
    catalog.maps.place("m", ["ffff"], np.array([[7.0, 8.0]]), {"judged": 5})
    read = catalog.maps.points("m")
    np.testing.assert_array_equal(read.places[:4], written.places)
    assert read.places[4].tolist() == [7.0, 8.0]
    assert read.placed.tolist() == [False] * 4 + [True]
    found = catalog.maps.find("m")
    assert (found.points, found.placed, found.quality) == (5, 1, {"judged": 5})


def test_a_map_of_the_same_name_replaces_the_old_one_whole(catalog):
    catalog.maps.replace(record("a"), points(6))
    catalog.maps.replace(record("b"), points(5))
    catalog.maps.replace(record("a", seed=1), points(2, seed=1))
    assert [found.name for found in catalog.maps.records()] == ["a", "b"]
    assert len(catalog.maps.points("a").hashes) == 2
    assert len(catalog.maps.points("b").hashes) == 5


def test_what_fails_half_way_leaves_the_old_map(catalog):
    catalog.maps.replace(record(), points())
    twice = MapPoints(("x", "x"), np.zeros((2, 2)), np.zeros(2, dtype=bool))
    with pytest.raises(Exception, match="UNIQUE"):
        catalog.maps.replace(record(seed=9), twice)
    assert catalog.maps.find("m").settings == {"method": "pca"}
    assert len(catalog.maps.points("m").hashes) == 4


def test_names_that_are_not_there(catalog):
    assert catalog.maps.find("m") is None
    catalog.maps.replace(record("pets"), points())
    with pytest.raises(NotFound, match="pets"):
        catalog.maps.points("m")
    with pytest.raises(NotFound):
        catalog.maps.remove("m")
    catalog.maps.remove("pets")
    assert catalog.maps.records() == []


def test_places_must_be_finite_and_as_many_as_the_contents():
    with pytest.raises(InvalidValue, match="finite"):
        MapPoints(("a",), np.array([[np.inf, 0.0]]), np.zeros(1, dtype=bool))
    with pytest.raises(InvalidValue, match="shape"):
        MapPoints(("a",), np.zeros((2, 2)), np.zeros(1, dtype=bool))
