"""The user's cache folder and the model files that were used before.

A stored vector knows its backbone by checksum; the registry leads from there to the file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from vernis.domain.errors import StorageError


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model file of the user's own that was used before."""

    name: str
    path: Path
    sha256: str


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``VERNIS_CACHE``, else the user's cache."""
    if named := os.environ.get("VERNIS_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "vernis"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in the cache, all of it or nothing.

    Raises
    ------
    StorageError
        The cache cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot write ({error.strerror}); VERNIS_CACHE names another folder"
        ) from error


def remember_model(path: Path, sha256: str) -> None:
    """Note where a model file lies; one small file a checksum, so that no two writers clash.

    Raises
    ------
    StorageError
        The cache cannot be written.
    """
    document = {"name": path.stem, "path": str(path.resolve())}
    data = json.dumps(document).encode()
    note = _folder() / f"{sha256}.json"
    if not note.is_file() or note.read_bytes() != data:
        write_whole(note, data)


def known_models() -> list[KnownModel]:
    """Return the noted model files that are still there, by name."""
    found = []
    for note in sorted(_folder().glob("*.json")):
        try:
            document = json.loads(note.read_text(encoding="utf-8"))
            model = KnownModel(str(document["name"]), Path(document["path"]), note.stem)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half-written by a foreign program: the note is made anew when it is needed
        if model.path.is_file():
            found.append(model)
    return sorted(found, key=lambda model: (model.name, str(model.path)))


def _folder() -> Path:
    return cache_folder() / "known-models"
