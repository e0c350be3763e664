"""A trash folder with a manifest: files are moved there and back, never deleted.

``manifest.jsonl`` holds a line for each move, flushed to disk before the file moves, with the
batch that the move belongs to. Whether a file lies in the trash is read from the disk, so that a
killed run leaves nothing in doubt.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from vernis.domain.errors import StorageError, UsageError
from vernis.domain.types import TrashedFile

MANIFEST = "manifest.jsonl"
_PART = ".vernis-part"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FolderTrash:
    """The trash of a collection; implements the port ``TrashFolder``.

    Attributes
    ----------
    folder : Path
        Created when the first file comes. A file lies below ``files/IMAGE_ID``, with its name.
    locate : callable
        From a uri to the path of its file in the collection's root.
    """

    folder: Path
    locate: Callable[[str], Path]

    def contents(self) -> list[TrashedFile]:
        """Return the files that lie in the trash, in the order in which they came."""
        return [entry for entry in self._entries() if self._stored(entry).exists()]

    def returned(self) -> list[TrashedFile]:
        """Return the files that lay in the trash once and do not now."""
        return [entry for entry in self._entries() if not self._stored(entry).exists()]

    def _entries(self) -> list[TrashedFile]:
        """Return the last line of the manifest about each file, in the order of the first moves."""
        manifest = self.folder / MANIFEST
        if not manifest.exists():
            return []
        entries: dict[int, TrashedFile] = {}
        for line in manifest.read_text(encoding="utf-8").splitlines():
            try:
                entry = TrashedFile(**json.loads(line))
            except (ValueError, TypeError):
                # The last line of a run that was killed while writing; its file never moved.
                continue
            if not entry.restored_by:
                entries.pop(entry.image_id, None)
            entries[entry.image_id] = entry
        return list(entries.values())

    def put(self, file: TrashedFile) -> None:
        """Move a file into the trash.

        Raises
        ------
        UsageError
            When the file is gone or no longer what the catalog knows.
        StorageError
            When the disk refuses.
        """
        source, target = self._original(file), self._stored(file)
        if not source.is_file() or source.stat().st_size != file.size:
            raise UsageError(f"{file.uri}: changed since it was indexed; run vernis index first")
        if target.exists():
            raise StorageError(f"{target}: the trash holds another file of that name; restore it")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._append(file)
            _move(source, target)
        except OSError as error:
            raise StorageError(
                f"{file.uri}: cannot be moved to the trash: {_why(error)}"
            ) from error

    def restore(self, file: TrashedFile) -> None:
        """Move a file back to where it came from.

        Raises
        ------
        StorageError
            When another file has taken its place, or the disk refuses.
        """
        source, target = self._stored(file), self._original(file)
        if target.exists() or target.is_symlink():
            raise StorageError(
                f"{file.uri}: another file has taken its place; move that one away first"
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.restored_by:
                self._append(file)
            _move(source, target)
        except OSError as error:
            raise StorageError(f"{file.uri}: cannot be moved back: {_why(error)}") from error

    def _original(self, file: TrashedFile) -> Path:
        return self.locate(file.uri)

    def _stored(self, file: TrashedFile) -> Path:
        return self.folder / "files" / str(file.image_id) / self._original(file).name

    def _append(self, file: TrashedFile) -> None:
        line = json.dumps(asdict(file), ensure_ascii=False) + "\n"
        manifest = self.folder / MANIFEST
        with open(manifest, "ab+") as stream:
            if stream.tell():
                # A line that a kill cut off must not swallow this one.
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())


def _move(source: Path, target: Path) -> None:
    """Rename, or across file systems copy, check, and only then remove the source."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(target.name + _PART)
        shutil.copy2(source, part)
        if _sha256(part) != _sha256(source):
            part.unlink()
            raise OSError(errno.EIO, "the copy differs from the file") from error
        _sync(part)
        part.replace(target)
        _sync(target.parent)
        source.unlink()
    _sync(target.parent)
    _sync(source.parent)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
