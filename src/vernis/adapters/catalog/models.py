"""Saved heads: rows of the ledger, and one folder a version (npz without pickle, JSON).

``FolderModels`` keeps the folders on the disk, ``MemoryModels`` as long as it lives.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import sync_folder, to_json, translating
from vernis.domain.errors import InvalidValue, ModelError
from vernis.domain.types import ModelKind, ModelRecord

FORMAT = 1
"""Version of the folder's layout; a newer one is refused."""

DOCUMENT = "model.json"
WEIGHTS = "weights.npz"
PREDICTIONS = "predictions.npz"

Records = list[ModelRecord]
Arrays = dict[str, NDArray[Any]]

_COLUMNS = "name, version, taxonomy, space, folder, fingerprint, metrics, created, id"
_TEMPORARY = ".tmp"


class ModelFiles(Protocol):
    """Keeps the arrays and the document of each model, by the name of its folder."""

    def write(
        self,
        name: str,
        document: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        predictions: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write a model durably."""
        ...

    def read(self, name: str) -> tuple[Arrays, dict[str, Any]]:
        """Return arrays and document; raises ModelError."""
        ...

    def predictions(self, name: str) -> Arrays:
        """Return the predictions; raises ModelError."""
        ...

    def collect_garbage(self, named: Collection[str]) -> None:
        """Remove what a kill left: models that are not among ``named``."""
        ...


class SqliteModelStore:
    """``ModelStore`` over the ledger, beside the models' files.

    A model is written whole and then named by a row of the ledger: that row is the commit point.
    What a kill left without its row is removed by the next ``save``.

    Parameters
    ----------
    ledger : Ledger
    files : ModelFiles
    """

    def __init__(self, ledger: Ledger, files: ModelFiles) -> None:
        self._ledger = ledger
        self._files = files

    def save(
        self,
        taxonomy: str,
        space: str,
        *,
        arrays: Mapping[str, NDArray[Any]],
        settings: Mapping[str, Any],
        metrics: Mapping[str, Any],
        fingerprint: str,
        predictions: Mapping[str, NDArray[Any]],
        name: str = "",
    ) -> ModelRecord:
        """Write a model's folder and its ledger row; returns the record with its version.

        ``name`` defaults to the taxonomy's. Raises InvalidValue for arrays that npz could hold
        only by pickle, StorageError when the disk refuses.
        """
        for key, array in (*arrays.items(), *predictions.items()):
            if np.asarray(array).dtype.hasobject:
                raise InvalidValue(f"expected arrays of numbers or text, got objects in '{key}'")
        name = name or taxonomy
        with self._ledger.lock("save a model"), self._ledger.transaction():
            self._files.collect_garbage(
                {str(row[0]) for row in self._ledger.rows("SELECT folder FROM model")}
            )
            row = self._ledger.row("SELECT max(version) FROM model WHERE name = ?", (name,))
            version = int(row[0] or 0) + 1 if row else 1
            document = {
                "format": FORMAT,
                "name": name,
                "version": version,
                "taxonomy": taxonomy,
                "space": space,
                "created": now(),
                "fingerprint": fingerprint,
                "settings": settings,
                "metrics": metrics,
            }
            folder = f"models/{_slug(name)}-{version}-{uuid.uuid4().hex[:8]}"
            self._files.write(folder, document, arrays, predictions)
            values = (name, version, taxonomy, space, folder, fingerprint, to_json(dict(metrics)))
            self._ledger.insert(
                "INSERT INTO model (name, version, taxonomy, space, folder, fingerprint, metrics, "
                "created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, document["created"]),
            )
        return self._records("WHERE folder = ?", (folder,))[0]

    def records(self, taxonomy: str | None = None) -> Records:
        """Return the models, newest first."""
        if taxonomy is None:
            return self._records("")
        return self._records("WHERE taxonomy = ?", (taxonomy,))

    def latest(self, taxonomy: str, *, kind: ModelKind = "head") -> ModelRecord | None:
        """Return the newest head, or the newest detector, of a taxonomy; None without any."""
        finds_boxes = kind == "detector"
        found = (one for one in self.records(taxonomy) if one.is_detector == finds_boxes)
        return next(found, None)

    def load(self, record: ModelRecord) -> tuple[Arrays, dict[str, Any]]:
        """Return arrays and settings; raises ModelError when a file is missing or damaged."""
        arrays, document = self._files.read(record.folder)
        return arrays, document["settings"]

    def predictions(self, record: ModelRecord) -> Arrays:
        """Return the stored predictions; raises ModelError when they are missing or damaged."""
        return self._files.predictions(record.folder)

    def _records(self, condition: str, values: tuple[str, ...] = ()) -> Records:
        rows = self._ledger.rows(
            f"SELECT {_COLUMNS} FROM model {condition} ORDER BY id DESC", values
        )
        return [
            ModelRecord(name, version, about, space, folder, mark, json.loads(metrics), time, id_)
            for name, version, about, space, folder, mark, metrics, time, id_ in rows
        ]


class FolderModels:
    """Models in folders below the collection's.

    Each is written to a temporary folder, synced and renamed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self,
        name: str,
        document: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        predictions: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write a model's folder; raises StorageError."""
        _write_folder(self._folder / name, document, arrays, predictions)

    def read(self, name: str) -> tuple[Arrays, dict[str, Any]]:
        """Return arrays and document; raises ModelError when one is missing or damaged."""
        return read_model_folder(self._folder / name)

    def predictions(self, name: str) -> Arrays:
        """Return the predictions; raises ModelError when they are missing or damaged."""
        folder = self._folder / name
        return _read_arrays(folder / PREDICTIONS, _read_document(folder))

    def collect_garbage(self, named: Collection[str]) -> None:
        """Remove the folders that a killed ``save`` left; call it with the writer's lock held."""
        place = self._folder / "models"
        if not place.is_dir():
            return
        kept = {Path(name).name for name in named}
        for path in place.iterdir():
            unfinished = path.suffix == _TEMPORARY
            if unfinished or (path.name not in kept and (path / DOCUMENT).exists()):
                shutil.rmtree(path, ignore_errors=True)


class MemoryModels:
    """Models that live as long as this object."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Arrays, dict[str, Any], Arrays]] = {}

    def write(
        self,
        name: str,
        document: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        predictions: Mapping[str, NDArray[Any]],
    ) -> None:
        """Keep copies, the document as JSON would give it back."""
        self._kept[name] = (_copies(arrays), _plain(document), _copies(predictions))

    def read(self, name: str) -> tuple[Arrays, dict[str, Any]]:
        """Return arrays and document; raises ModelError."""
        arrays, document, _ = self._find(name)
        return _copies(arrays), copy.deepcopy(document)

    def predictions(self, name: str) -> Arrays:
        """Return the predictions; raises ModelError."""
        return _copies(self._find(name)[2])

    def collect_garbage(self, named: Collection[str]) -> None:
        """Forget the models that are not named."""
        self._kept = {name: kept for name, kept in self._kept.items() if name in named}

    def _find(self, name: str) -> tuple[Arrays, dict[str, Any], Arrays]:
        if name not in self._kept:
            raise ModelError(f"{name}: no saved model here")
        return self._kept[name]


def _copies(arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    return {key: np.array(array) for key, array in arrays.items()}


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document as JSON holds it: NaN and infinity become null."""
    plain: dict[str, Any] = json.loads(to_json(document), parse_constant=lambda _: None)
    return plain


def read_model_folder(folder: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the document of a model's folder, wherever it lies.

    Returns
    -------
    arrays : dict of str to ndarray
    document : dict
        ``name``, ``version``, ``taxonomy``, ``space``, ``created``, ``fingerprint``, ``settings``
        and ``metrics``.

    Raises
    ------
    ModelError
        If it holds no model, a damaged one or one of a newer format.
    """
    document = _read_document(folder)
    return _read_arrays(folder / WEIGHTS, document), document


def _slug(name: str) -> str:
    """Return a name that every file system accepts."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:60] or "model"


def _write_folder(
    folder: Path,
    document: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    predictions: Mapping[str, NDArray[Any]],
) -> None:
    temporary = folder.with_name(folder.name + _TEMPORARY)
    with translating(folder):
        try:
            temporary.mkdir(parents=True)
            files = {
                WEIGHTS: _write_arrays(temporary / WEIGHTS, arrays),
                PREDICTIONS: _write_arrays(temporary / PREDICTIONS, predictions),
            }
            plain = _plain({**document, "files": files})
            text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
            with open(temporary / DOCUMENT, "w", encoding="utf-8") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            sync_folder(temporary)
            temporary.replace(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Write an npz durably; return its size in bytes and checksum."""
    with open(path, "wb") as stream:
        np.savez(stream, allow_pickle=False, **{key: np.asarray(a) for key, a in arrays.items()})
        stream.flush()
        os.fsync(stream.fileno())
    return {"bytes": path.stat().st_size, "crc32": _checksum(path)}


def _checksum(path: Path) -> int:
    value = 0
    with open(path, "rb") as stream:
        while part := stream.read(1 << 20):
            value = zlib.crc32(part, value)
    return value


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / DOCUMENT
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{folder}: no saved model here ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{path}: damaged ({error}); train the model again") from error
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise ModelError(f"{path}: format {version!r}, this version of Vernis reads {FORMAT}")
    return dict(document)


def _read_arrays(path: Path, document: Mapping[str, Any]) -> Arrays:
    try:
        if _checksum(path) != document["files"][path.name]["crc32"]:
            raise ModelError(f"{path}: damaged (its checksum differs); train the model again")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: damaged ({error}); train the model again") from error
