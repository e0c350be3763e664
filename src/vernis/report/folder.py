"""The report's folder: written so that a kill leaves the old report or the new one, whole.

The names of the thumbnails hold a digest of the picture that they show, so those of two reports
never meet, and one that is there already need not be written again. ``index.html`` is replaced
last, in one step. A manifest, written before anything else, lists every file that may be ours; only
files in it are ever removed. It names the collection as well: a report of another one is never
written over.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vernis.domain.errors import StorageError, UsageError
from vernis.report.index.page import GENERATOR

PAGE = "index.html"
MANIFEST = "assets/manifest.json"

_THUMB = re.compile(r"thumbs/[0-9a-z-]+\.jpg\Z")
# An earlier version laid styles and scripts into assets/.
_OURS = re.compile(rf"(assets/[a-z]+\.[0-9a-f]{{12}}\.(css|js)\Z|{_THUMB.pattern})")
_PLACEHOLDER = (
    f'<!doctype html><meta charset="utf-8"><meta name="generator" content="{GENERATOR}">'
    "<title>Report</title><p>This report was not finished. Run vernis report again.</p>\n"
)


class ReportFolder:
    """A folder that holds one report.

    Call ``begin``, then ``write`` (threads may), then ``commit``.

    Parameters
    ----------
    path : Path
        Made when it is not there.
    owner : str
        Identity of the collection that the report is about.

    Raises
    ------
    UsageError
        If the folder holds something, but no report of this collection.
    StorageError
        If the disk is full or refuses a write.
    """

    def __init__(self, path: Path, owner: str = "") -> None:
        self.path = path
        self._owner = owner
        self._old: set[str] = set()
        self._new: set[str] = set()

    def is_free(self, names: Iterable[str]) -> bool:
        """Tell whether no report of another collection lies there.

        A report of an earlier version does not say whose it is; it is taken for this collection's
        when it shows one of the thumbnails ``names``, or none at all.
        """
        document = self._read_document()
        if not self._owner or document.get("collection") == self._owner:
            return True
        if "collection" in document:
            return False
        old = {_picture_of(name) for name in self._read_manifest() if _THUMB.match(name)}
        return not old or not old.isdisjoint(map(_picture_of, names))

    def begin(self, names: Iterable[str]) -> None:
        """Claim the folder and note the thumbnails that will be written."""
        with _translating(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise UsageError(f"{self.path}: is a file; name a folder for the report")
            self.path.mkdir(parents=True, exist_ok=True)
            if not self._is_report() and any(self.path.iterdir()):
                raise UsageError(
                    f"{self.path}: holds other files and no report; name a new folder for it"
                )
            names = set(names)
            if not self.is_free(names):
                raise UsageError(
                    f"{self.path}: holds the report of another collection; name a new folder"
                )
            if not (self.path / PAGE).exists():
                # Marks the folder as a report, so that a run that is killed now can go on later
                # and nobody takes its thumbnails for images of the collection.
                self._replace(PAGE, _PLACEHOLDER.encode())
            (self.path / "assets").mkdir(exist_ok=True)
            (self.path / "thumbs").mkdir(exist_ok=True)
            self._old = self._read_manifest()
            self._new = set(names)
            strange = sorted(name for name in self._new if not _THUMB.match(name))
            if strange:
                raise ValueError(f"expected names in thumbs/, got {strange[:3]}")
            self._write_manifest(self._old | self._new)

    def has(self, name: str) -> bool:
        """Tell whether an earlier run wrote the file whole."""
        try:
            return name in self._old and (self.path / name).stat().st_size > 0
        except OSError:
            return False

    def write(self, name: str, content: bytes) -> None:
        """Write one thumbnail that was named to ``begin``."""
        if name not in self._new:
            raise ValueError(f"expected a name given to begin, got {name!r}")
        with _translating(self.path / name):
            self._replace(name, content)

    def commit(self, page: bytes) -> Path:
        """Write the page, then remove what the report before needed alone; return its place."""
        with _translating(self.path):
            self._replace(PAGE, page)
            self._remove_leftovers()
            self._write_manifest(self._new)
        return self.path / PAGE

    def _is_report(self) -> bool:
        try:
            with open(self.path / PAGE, "rb") as stream:
                head = stream.read(4096)
        except FileNotFoundError:
            return (self.path / MANIFEST).exists()  # somebody removed the page alone
        return f'name="generator" content="{GENERATOR}'.encode() in head

    def _read_manifest(self) -> set[str]:
        names = self._read_document().get("files", ())
        if not isinstance(names, list):
            return set()
        return {name for name in names if isinstance(name, str) and _OURS.match(name)}

    def _read_document(self) -> dict[str, Any]:
        try:
            document = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def _write_manifest(self, names: Iterable[str]) -> None:
        document: dict[str, Any] = {"generator": GENERATOR, "files": sorted(names)}
        if self._owner:
            document["collection"] = self._owner
        text = json.dumps(document, indent=0)
        self._replace(MANIFEST, text.encode())

    def _replace(self, name: str, content: bytes) -> None:
        place = self.path / name
        part = _part_of(place)
        with open(part, "wb") as stream:
            stream.write(content)
            if not name.startswith("thumbs/"):  # thousands, and each can be drawn again
                stream.flush()
                os.fsync(stream.fileno())
        part.replace(place)

    def _remove_leftovers(self) -> None:
        """Remove what only the report before needed, and what a killed run left half-written."""
        for name in sorted(self._old | self._new):
            place = self.path / name
            if place.parent.is_symlink():
                continue
            unneeded = [_part_of(place)]
            if name not in self._new:
                unneeded.append(place)
            for path in unneeded:
                with suppress(FileNotFoundError):
                    path.unlink()


def _picture_of(thumbnail: str) -> str:
    """Return the name of a thumbnail without its size."""
    return thumbnail.rpartition("-")[0]


def _part_of(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


@contextmanager
def _translating(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise StorageError(f"{path}: the disk is full; make room and run again") from error
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path}: cannot be written ({reason}); check disk and rights"
        ) from error
