"""Where the shards of vectors lie: in a folder, or in memory."""

from __future__ import annotations

import mmap
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.storage import sync_folder, translated_os
from vernis.domain.types import Space

_BLOCK = 1 << 20  # bytes read at a time for a checksum
_DROP: int | None = getattr(mmap, "MADV_DONTNEED", None)  # not on Windows


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard, as its row of the ledger has it. ``bytes`` is the size of its file."""

    id: int
    file: str
    rows: int
    bytes: int
    checksum: int


class Shards(Protocol):
    """Keeps shards by name."""

    def write(self, name: str, vectors: NDArray[Any]) -> int:
        """Write a shard durably; return its size in bytes."""
        ...

    def load(self, shard: Shard, space: Space) -> NDArray[Any] | None:
        """Return a shard's vectors; None when they are not those that were written."""
        ...

    def release(self, vectors: NDArray[Any]) -> None:
        """Let go of the memory that reading from loaded vectors has filled."""
        ...

    def names(self) -> list[str]:
        """Return every shard that lies there, unfinished ones included."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a shard; return whether it is gone."""
        ...


class FolderShards:
    """Shards in files ``FOLDER/*.npy``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, vectors: NDArray[Any]) -> int:
        """Write to a temporary name, sync and rename; raises StorageError."""
        temporary = self._folder / f"{name}.tmp"
        try:
            if not self._folder.is_dir():
                self._folder.mkdir(exist_ok=True)
                sync_folder(self._folder.parent)
            with open(temporary, "wb") as stream:
                np.save(stream, vectors, allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._folder / name)
            sync_folder(self._folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise translated_os(error, self._folder) from error
        return (self._folder / name).stat().st_size

    def load(self, shard: Shard, space: Space) -> NDArray[Any] | None:
        """Map a shard; None when it is not the file that was written."""
        path = self._folder / shard.file
        try:
            if path.stat().st_size != shard.bytes:
                return None
            vectors: np.memmap[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            if vectors.shape != (shard.rows, space.dim) or vectors.dtype != np.dtype(space.dtype):
                return None
            # Read, not through the map: its pages would stay in this process's memory.
            if _checksum(path, vectors.offset) != shard.checksum:
                return None
        except (OSError, ValueError, EOFError):
            return None
        return vectors

    def release(self, vectors: NDArray[Any]) -> None:
        """Give the mapped pages back to the system, which has the file in its cache."""
        mapped = vectors.base
        if _DROP is not None and isinstance(mapped, mmap.mmap):
            mapped.madvise(_DROP)

    def names(self) -> list[str]:
        """Return the names of the shards' files."""
        if not self._folder.is_dir():
            return []
        names = (path.name for path in self._folder.iterdir())
        return [name for name in names if name.endswith((".npy", ".npy.tmp"))]

    def remove(self, name: str) -> bool:
        """Remove a file; False when it is in use (Windows) or gone."""
        try:
            (self._folder / name).unlink()
        except OSError:
            return False
        return True


class MemoryShards:
    """Shards that live as long as this object."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[Any]] = {}

    def write(self, name: str, vectors: NDArray[Any]) -> int:
        """Keep a copy."""
        kept = vectors.copy()
        kept.flags.writeable = False
        self._kept[name] = kept
        return kept.nbytes

    def load(self, shard: Shard, space: Space) -> NDArray[Any] | None:
        """Return what was kept."""
        return self._kept.get(shard.file)

    def release(self, vectors: NDArray[Any]) -> None:
        """Do nothing: there is no second copy."""

    def names(self) -> list[str]:
        """Return the names of what is kept."""
        return list(self._kept)

    def remove(self, name: str) -> bool:
        """Forget a shard."""
        return self._kept.pop(name, None) is not None


def _checksum(path: Path, offset: int) -> int:
    value = 0
    with open(path, "rb") as stream:
        stream.seek(offset)
        while block := stream.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value
