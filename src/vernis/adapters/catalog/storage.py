"""Translation of SQLite's and the system's errors into Vernis's own, and durable file writes."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vernis.domain.errors import CatalogBusy, CatalogError, StorageError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_NO_WRITE = (errno.EROFS, errno.EACCES, errno.EPERM)


def translated_sqlite(error: sqlite3.Error, path: Path) -> CatalogError:
    """Return the error of Vernis that says what SQLite met with ``path``."""
    # The low byte is the primary result code; the rest only refines it.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    read_only = path.parent.is_dir() and not os.access(path.parent, os.W_OK)
    if code == sqlite3.SQLITE_READONLY or (code == sqlite3.SQLITE_CANTOPEN and read_only):
        return StorageError(f"{path}: read-only, nothing can be written; check its permissions")
    if code == sqlite3.SQLITE_FULL:
        return StorageError(f"{path}: the disk is full; make room and run the command again")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CatalogBusy(f"{path}: another process is writing; try again when it has finished")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return StorageError(f"{path}: cannot be read or written ({error}); check disk and rights")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return CatalogError(f"{path}: damaged or not a Vernis catalog ({error}); restore a backup")
    return CatalogError(f"{path}: {error}")


def translated_os(error: OSError, path: Path) -> StorageError:
    """Return the error of Vernis that says what the system met with ``path``."""
    if error.errno in _DISK_FULL:
        return StorageError(f"{path}: the disk is full; make room and run the command again")
    if error.errno in _NO_WRITE:
        return StorageError(f"{path}: cannot be written ({error.strerror}); check its permissions")
    return StorageError(f"{path}: {error.strerror or error}")


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the system inside the block into errors of Vernis."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated_sqlite(error, path) from error
    except OSError as error:
        raise translated_os(error, path) from error


def to_json(value: Any) -> str:
    """Return JSON with sorted keys; NumPy's numbers and arrays become plain ones."""
    return _ENCODER.encode(value)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return dict(value) if hasattr(value, "keys") else str(value)


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_plain)


def plain_name(text: str) -> str:
    """Write the bytes that are not UTF-8 as ``%XX`` (Python holds them as lone surrogates)."""
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (a rename is safe only when its folder is)."""
    if os.name == "nt":  # a folder cannot be opened there, and renames are journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
