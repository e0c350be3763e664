"""What any ModelStore must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, ModelError
from vernis.domain.ports import Catalog
from vernis.domain.types import ModelRecord

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["ä", "b"])}
PREDICTIONS = {"image_ids": np.array([1, 2]), "oob": np.array([[0.5, np.nan]], np.float32)}


def save(catalog: Catalog, taxonomy: str = "kind", **changes: Any) -> ModelRecord:
    values: dict[str, Any] = {
        "arrays": ARRAYS,
        "settings": {"classes": ["ä", "b"], "threshold": float("inf")},
        "metrics": {"f1": 0.5},
        "fingerprint": "abc",
        "predictions": PREDICTIONS,
        **changes,
    }
    return catalog.models.save(taxonomy, "lite0", **values)


def test_a_saved_model_comes_back(catalog: Catalog) -> None:
    record = save(catalog)
    arrays, settings = catalog.models.load(record)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert settings == {"classes": ["ä", "b"], "threshold": None}
    np.testing.assert_array_equal(catalog.models.predictions(record)["oob"], PREDICTIONS["oob"])
    assert (record.name, record.version, record.metrics) == ("kind", 1, {"f1": 0.5})


def test_versions_count_up_and_the_newest_comes_first(catalog: Catalog) -> None:
    first, second, other = save(catalog), save(catalog), save(catalog, "brand/eau de vie?")
    assert (first.version, second.version, other.version) == (1, 2, 1)
    assert catalog.models.latest("kind") == second
    assert [m.version for m in catalog.models.records("kind")] == [2, 1]
    assert len(catalog.models.records()) == 3
    assert catalog.models.latest("nothing") is None


def test_a_rolled_back_save_is_not_listed(catalog: Catalog) -> None:
    def save_and_fail() -> None:
        with catalog.transaction():
            save(catalog)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_and_fail()
    assert catalog.models.records() == []
    assert save(catalog).version == 1


def test_objects_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match="objects in 'bad'"):
        save(catalog, arrays={"bad": np.array([{}])})
    assert catalog.models.records() == []


def test_what_was_saved_does_not_change_with_the_callers_arrays(catalog: Catalog) -> None:
    weight = np.ones(3)
    record = save(catalog, arrays={"weight": weight}, predictions={"oob": weight})
    weight[:] = 2
    first, _ = catalog.models.load(record)
    first["weight"][:] = 3
    assert catalog.models.load(record)[0]["weight"].tolist() == [1, 1, 1]
    assert catalog.models.predictions(record)["oob"].tolist() == [1, 1, 1]


def test_a_model_that_is_gone_is_named(catalog: Catalog) -> None:
    save(catalog)
    stray = ModelRecord("kind", 7, "kind", "lite0", "models/kind-7-gone", "abc")
    with pytest.raises(ModelError, match="kind-7-gone"):
        catalog.models.load(stray)
