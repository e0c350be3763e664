"""A lab run as a folder: settings, data, versions, finished cells, table and figures.

A *cell* is the smallest piece of a study that is computed at once (one model on one fold, say). It
is kept as soon as it is finished, so that a stopped run goes on where it was. ``table.csv`` and
``table.json`` appear when every cell is there, never before.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from vernis.core.words.sheet_cells import as_text
from vernis.domain.documents import to_document
from vernis.domain.errors import StorageError, UsageError
from vernis.version import VERSION

FORMAT = 1
"""Version of the folder's layout; a newer one is refused."""

RUN = "run.json"
TABLE = "table.json"
TABLE_CSV = "table.csv"
CELLS = "cells"

_PACKAGES = ("numpy", "scipy", "scikit-learn", "xgboost", "xgboost-cpu", "onnxruntime", "cleanlab")

_RUN_PARTS: Mapping[str, type] = {
    "study": str,
    "arguments": dict,
    "data": dict,
    "keys": list,
    "versions": dict,
    "digest": str,
    "started": str,
    "finished": str,
}
_TABLE_PARTS: Mapping[str, type] = {"keys": list, "rows": list}
_PARTIAL = ".part"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StudyRun:
    """What a run is of: everything that its table depends on.

    Attributes
    ----------
    study : str
        The verb: ``models``, ``noise``…
    arguments : mapping
        The settings that make the same run again, JSON-able.
    data : mapping
        ``fingerprint`` of the data and what a reader wants to know of them, JSON-able; the
        fingerprint is "" for a study that draws its own data.
    keys : tuple of str
        The columns of the table that name a row; all others are measured.
    """

    study: str
    arguments: Mapping[str, Any]
    data: Mapping[str, Any]
    keys: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return a hash of the study, its arguments, its data and the versions."""
        about = [self.study, to_document(self.arguments), to_document(self.data), versions()]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def default_folder(self) -> Path:
        """Return ``lab/STUDY-TAXONOMY-DIGEST``: the same command finds the same folder."""
        about = self.arguments.get("taxonomy")
        name = "-".join(str(part) for part in (self.study, about) if part)
        return Path("lab") / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}-{self.digest[:8]}"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What the folder of a run says of it.

    Attributes
    ----------
    study, arguments, data, keys
        See `StudyRun`.
    versions : mapping of str to str
        By package.
    digest : str
    started, finished : str
        ISO 8601; ``finished`` is "" while cells are missing.
    """

    study: str
    arguments: Mapping[str, Any]
    data: Mapping[str, Any]
    keys: tuple[str, ...]
    versions: Mapping[str, str]
    digest: str
    started: str
    finished: str


@dataclass(frozen=True, slots=True)
class StoredTable:
    """The table of a finished run; ``keys`` are the columns that name a row."""

    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


class RunFolder:
    """The folder of one run. Use ``RunFolder.start``.

    Parameters
    ----------
    folder : Path
    run : StudyRun
    """

    def __init__(self, folder: Path, run: StudyRun) -> None:
        self.folder = folder
        self.run = run
        self.reused = 0
        self.computed = 0

    @classmethod
    def start(
        cls, run: StudyRun, out: Path | str | None = None, expected_data: str = ""
    ) -> RunFolder:
        """Make the folder, or take up the same run where it stopped.

        Parameters
        ----------
        run : StudyRun
        out : Path or str, optional
            Default: ``run.default_folder()``.
        expected_data : str
            The fingerprint that the data must have, "" for any.

        Raises
        ------
        UsageError
            The folder holds something else, or the data are not those expected.
        StorageError
            It cannot be written.
        """
        found = str(run.data.get("fingerprint", ""))
        if expected_data and found != expected_data:
            raise UsageError(
                f"the collection's data ({found[:12]}) are not those of the run "
                f"({expected_data[:12]}): labels, images, duplicates or embedding changed; "
                "--other-data runs it all the same"
            )
        folder = Path(out) if out is not None else run.default_folder()
        if (folder / RUN).exists():
            if read_run(folder).digest != run.digest:
                raise UsageError(
                    f"{folder} holds another run (other settings, data or versions); name another "
                    "folder: --out"
                )
        elif folder.exists() and (not folder.is_dir() or any(map(_is_content, folder.iterdir()))):
            raise UsageError(f"{folder} is not empty and no lab run; name another: --out")
        started = cls(folder, run)
        if not (folder / RUN).exists():
            started._describe(finished="")
        return started

    def cell(self, key: Mapping[str, Any], compute: Callable[[], Sequence[Row]]) -> list[Row]:
        """Return the rows of a cell: those kept from before, else computed and kept.

        Parameters
        ----------
        key : mapping
            What distinguishes the cell in this run, JSON-able.
        compute : callable
            Returns the rows, each JSON-able.
        """
        path = self.folder / CELLS / f"{_short_hash(key)}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] == to_document(key):
                self.reused += 1
                return list(kept["rows"])
        rows = [to_document(row) for row in compute()]
        write_whole(path, json.dumps({"key": to_document(key), "rows": rows}) + "\n")
        self.computed += 1
        return rows

    def finish(
        self,
        rows: Sequence[Mapping[str, Any]],
        notes: Sequence[str] = (),
        *,
        draw: Callable[[list[Row], Path], object] | None = None,
    ) -> list[Row]:
        """Write table and figure, then say that the run is finished; returns the rows as written.

        Parameters
        ----------
        rows : sequence of mapping
        notes : sequence of str
        draw : callable, optional
            Draws the rows into ``STUDY.png`` of the folder.
        """
        table = [to_document(row) for row in rows]
        document = {"keys": list(self.run.keys), "notes": list(notes), "rows": table}
        write_whole(self.folder / TABLE_CSV, csv_text(table, self.run.keys))
        write_whole(self.folder / TABLE, json.dumps(document, indent=1) + "\n")
        if draw is not None:
            draw(table, self.folder / f"{self.run.study}.png")
        self._describe(finished=_now(), notes=notes)
        return table

    def _describe(self, finished: str, notes: Sequence[str] = ()) -> None:
        started = _now()
        if (self.folder / RUN).exists():
            started = read_run(self.folder).started
        document = {
            "format": FORMAT,
            "study": self.run.study,
            "arguments": to_document(self.run.arguments),
            "seed": self.run.arguments.get("seed", 0),
            "data": to_document(self.run.data),
            "keys": list(self.run.keys),
            "versions": versions(),
            "digest": self.run.digest,
            "started": started,
            "finished": finished,
            "notes": list(notes),
        }
        write_whole(self.folder / RUN, json.dumps(document, indent=1) + "\n")


def read_run(folder: Path | str) -> StoredRun:
    """Return what the folder of a run says of it.

    Raises
    ------
    UsageError
        The folder holds no lab run, a damaged one, or one of a newer format.
    """
    document = _read_json(Path(folder), RUN, _RUN_PARTS)
    named = {name: document[name] for name in _RUN_PARTS}
    return StoredRun(**{**named, "keys": tuple(document["keys"])})


def read_table(folder: Path | str) -> StoredTable:
    """Return the table of a finished run.

    Raises
    ------
    UsageError
        The folder holds no lab run, or one that is not finished.
    """
    if not read_run(folder).finished:
        raise UsageError(f"{folder}: this run is not finished; go on: vernis lab rerun {folder}")
    found = _read_json(Path(folder), TABLE, _TABLE_PARTS)
    return StoredTable(tuple(found["keys"]), tuple(found["rows"]), tuple(found.get("notes", ())))


def _is_content(path: Path) -> bool:
    """Return whether a file is more than what a write that was stopped leaves behind."""
    return not (path.name.startswith(".") and path.name.endswith(_PARTIAL))


def _read_json(folder: Path, name: str, parts: Mapping[str, type]) -> dict[str, Any]:
    """Return a document that holds ``parts``, by name and type; raises UsageError."""
    path = folder / name
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{folder}: no lab run here ({name}: {error.strerror})") from error
    except ValueError as error:
        raise UsageError(f"{path}: damaged ({error}); run the study again") from error
    if not isinstance(document, dict) or document.get("format", FORMAT) != FORMAT:
        raise UsageError(f"{path}: not of format {FORMAT}, which this version of Vernis reads")
    lacking = [part for part, kind in parts.items() if not isinstance(document.get(part), kind)]
    if lacking:
        raise UsageError(f"{path}: damaged ('{lacking[0]}' is missing); run the study again")
    return document


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on, by package; absent ones are left out."""
    found = {"vernis": VERSION, "python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def write_whole(path: Path, text: str) -> None:
    """Write a file, all of it or nothing.

    Raises
    ------
    StorageError
        The disk refuses.
    """
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error


def csv_text(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """Return rows as CSV, the key columns first."""
    table = [to_document(row) for row in rows]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _columns(table, keys), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: as_text(v) if isinstance(v, str) else v for key, v in row.items()} for row in table
    )
    return stream.getvalue()


def _columns(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    """Return the keys, then the measured columns in the order in which they appear."""
    return list(dict.fromkeys([*keys, *(name for row in rows for name in row)]))


def _short_hash(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(to_document(key), sort_keys=True).encode()).hexdigest()[:24]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
