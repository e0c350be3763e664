"""Folders of models: what damage and a kill leave."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.catalog.models import read_model_folder
from vernis.domain.errors import ModelError

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["ä", "b"])}
PREDICTIONS = {"image_ids": np.array([1, 2]), "oob": np.array([[0.5, np.nan]], np.float32)}


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        yield opened


def save(catalog, taxonomy="kind", **changes):
    values = {
        "arrays": ARRAYS,
        "settings": {"classes": ["ä", "b"], "threshold": float("inf")},
        "metrics": {"f1": 0.5},
        "fingerprint": "abc",
        "predictions": PREDICTIONS,
        **changes,
    }
    return catalog.models.save(taxonomy, "lite0", **values)


def test_every_name_gives_a_folder(catalog):
    record = save(catalog, "brand/eau de vie?")
    assert (catalog.folder / record.folder / "model.json").is_file()


def test_a_folder_is_read_wherever_it_lies(catalog, tmp_path):
    record = save(catalog)
    copy = tmp_path / "elsewhere"
    shutil.copytree(catalog.folder / record.folder, copy)
    arrays, document = read_model_folder(copy)
    np.testing.assert_array_equal(arrays["weight"], ARRAYS["weight"])
    assert document["taxonomy"] == "kind"
    assert document["space"] == "lite0"


def test_damage_is_noticed(catalog, tmp_path):
    record = save(catalog)
    folder = catalog.folder / record.folder
    weights = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(weights[:-1] + b"x")
    with pytest.raises(ModelError, match="checksum"):
        catalog.models.load(record)
    (folder / "weights.npz").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        catalog.models.load(record)
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, "format": 9}))
    with pytest.raises(ModelError, match="format 9"):
        catalog.models.load(record)
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        catalog.models.load(record)
    with pytest.raises(ModelError, match="no saved model"):
        read_model_folder(tmp_path)


def test_what_a_kill_left_is_removed_and_nothing_else(catalog):
    record = save(catalog)
    models = catalog.folder / "models"
    (models / "kind-2-dead.tmp").mkdir()
    shutil.copytree(catalog.folder / record.folder, models / "kind-2-orphan")
    (models / "notes").mkdir()
    kept = save(catalog)
    left = {path.name for path in models.iterdir()}
    assert left == {record.folder.split("/")[1], kept.folder.split("/")[1], "notes"}
