"""Copies on this machine of pictures that are no files of their own: objects, frames, pages.

They are made when a picture is asked for, lie in the user's cache, are never what is worked on, and
those that were used longest ago go when there are too many. ``VERNIS_CACHE`` names another folder,
``VERNIS_CACHE_GB`` how large it may grow (default 4).
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vernis.adapters.catalog.storage import translated_os

_SHARE = 64  # folders, so that none holds very many files
_MOST = 4.0  # gigabytes
_IN_USE = 300  # seconds since a copy was handed out in which it stays
_MADE = ".made-"


def local_copy(name: str, suffix: str, make: Callable[[Path], None], *, anew: bool = False) -> Path:
    """Return a copy of what a name stands for, made where there is none.

    Parameters
    ----------
    name : str
        What tells it from all others: an address, or a file with its state and a place in it.
    suffix : str
        Of the copy's name, with the dot.
    make : callable
        Writes the copy to a path; what it raises is handed on.
    anew : bool
        Make it although there is one.

    Raises
    ------
    StorageError
        The cache cannot be written.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    folder = cache_folder() / f"{int(digest[:4], 16) % _SHARE:02d}"
    path = folder / f"{digest}{suffix}"
    if not anew:
        try:
            os.utime(path)
            return path
        except FileNotFoundError:
            pass
        except OSError as error:
            raise translated_os(error, path) from error
    temporary = folder / f"{_MADE}{uuid.uuid4().hex}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        make(temporary)
        temporary.replace(path)
        _make_room(folder, path)
    except OSError as error:
        raise translated_os(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def cache_folder() -> Path:
    """Return the folder of the copies, which may not be there yet."""
    named = os.environ.get("VERNIS_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vernis" / "copies"


def _make_room(folder: Path, new: Path) -> None:
    """Remove of one of the folders what was used longest ago, down to its share of all."""
    try:
        most = float(os.environ.get("VERNIS_CACHE_GB") or _MOST)
    except ValueError:
        most = _MOST
    found = []
    for entry in os.scandir(folder):
        with suppress(OSError):
            status = entry.stat()
            found.append((status.st_mtime, status.st_size, entry.path))
    left = sum(size for _, size, _ in found) - most * 1e9 / _SHARE
    until = time.time() - _IN_USE
    for used, size, path in sorted(found):
        if left <= 0 or used > until:
            return
        if path != str(new):
            with suppress(OSError):
                Path(path).unlink()
                left -= size
