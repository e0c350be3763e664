"""Stores of objects that several machines reach: folders, and buckets through fsspec."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vernis.adapters.buckets import open_system, patiently
from vernis.adapters.catalog.storage import sync_folder, translated_os
from vernis.domain.errors import NotFound
from vernis.domain.stores import ObjectStore

T = TypeVar("T")

_TEMPORARY = ".tmp-"


def open_store(url: str | Path) -> ObjectStore:
    """Return the store of a folder, or of an address such as ``s3://BUCKET/FOLDER``.

    Credentials come from the environment, as fsspec's adapters read them; none are kept.

    Raises
    ------
    MissingExtra
        The address needs fsspec, or its adapter of that kind of store.
    """
    text = str(url)
    if "://" not in text:
        return FolderStore(Path(text).absolute())
    if text.startswith("file://"):
        return FolderStore(Path(text.removeprefix("file://")))
    system, root = open_system(text)
    return BucketStore(text, system, root)


@dataclass(frozen=True)
class FolderStore:
    """Objects as files; each is written to a temporary name, synced and renamed."""

    folder: Path

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.folder)

    def write(self, name: str, data: bytes) -> None:
        """Keep data under a name, in place of what was there."""
        path = self.folder / name
        self._written(path, data, lambda temporary: temporary.replace(path))

    def create(self, name: str, data: bytes) -> bool:
        """Keep data under a name unless something is there; returns whether it was kept."""
        path = self.folder / name
        try:
            # Unlike a rename, a link never takes the place of a file.
            self._written(path, data, lambda temporary: os.link(temporary, path))
        except FileExistsError:
            return False
        return True

    def _written(self, path: Path, data: bytes, settle: Callable[[Path], object]) -> None:
        temporary = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            settle(temporary)
            sync_folder(path.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise translated_os(error, path) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises NotFound."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{path}: not there") from error
        except OSError as error:
            raise translated_os(error, path) from error

    def names(self, folder: str) -> set[str]:
        """Return the names of what is kept directly in a folder."""
        path = self.folder / folder
        try:
            names = {entry.name for entry in os.scandir(path) if entry.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            raise translated_os(error, path) from error
        return {name for name in names if not name.startswith(_TEMPORARY)}

    def remove(self, name: str) -> None:
        """Remove what is kept under a name, if there is anything."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise translated_os(error, self.folder / name) from error


@dataclass(frozen=True)
class BucketStore:
    """Objects of a bucket, through a file system of fsspec; each is put as a whole."""

    url: str
    system: Any
    root: str

    def write(self, name: str, data: bytes) -> None:
        """Keep data under a name, in place of what was there."""
        self._patiently(name, lambda path: self.system.pipe_file(path, data))

    def create(self, name: str, data: bytes) -> bool:
        """Keep data under a name unless something is there; returns whether it was kept."""

        def put(path: str) -> bool:
            try:
                self.system.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            return True

        return self._patiently(name, put)

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises NotFound."""
        return bytes(self._patiently(name, self.system.cat_file))

    def names(self, folder: str) -> set[str]:
        """Return the names of what is kept directly in a folder."""

        def listed(path: str) -> list[Any]:
            self.system.invalidate_cache()
            return list(self.system.ls(path, detail=True))

        try:
            entries = self._patiently(folder, listed)
        except NotFound:
            return set()
        return {entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file"}

    def remove(self, name: str) -> None:
        """Remove what is kept under a name, if there is anything."""
        with suppress(NotFound):
            self._patiently(name, self.system.rm_file)

    def _patiently(self, name: str, work: Callable[[str], T]) -> T:
        path = f"{self.root.rstrip('/')}/{name}"
        return patiently(f"{self.url}/{name}", lambda: work(path))
