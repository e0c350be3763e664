"""Vectors by content hash, in immutable shards beside the ledger."""

from __future__ import annotations

import itertools
import json
import os
import threading
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import sync_folder, to_json, translated_os
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import Space

_FEW = 500  # up to so many hashes are looked up one by one
_SMALL = 4096  # rows; shards below are merged when there are many
_MANY = 48


@dataclass(frozen=True, slots=True)
class _Shard:
    id: int
    file: str
    rows: int
    bytes: int
    checksum: int


class ShardVectorStore:
    """``VectorStore`` over ``FOLDER/vectors/*.npy``.

    A shard is written to a temporary name, synced, renamed, and then named by a row of the ledger:
    that row is the commit point. Shards are never changed. A shard that is missing, truncated or
    damaged does not count: its vectors are ``missing`` and may be appended again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._folder = ledger.folder / "vectors"
        self._maps: dict[int, NDArray[Any] | None] = {}  # None: damaged
        self._guard = threading.RLock()

    # ------------------------------------------------------------------ reading

    def spaces(self) -> list[tuple[Space, int]]:
        """Return each space with its number of vectors."""

        rows = self._ledger.rows(
            "SELECT name, dim, dtype, settings, "
            "(SELECT count(*) FROM vector WHERE vector.space_id = space.id) "
            "FROM space ORDER BY id"
        )
        return [
            (Space(name, dim, dtype, json.loads(settings)), count)
            for name, dim, dtype, settings, count in rows
        ]

    def missing(self, space: Space, hashes: Sequence[str]) -> list[str]:
        """Return the distinct hashes without a readable vector, in order."""
        distinct = list(dict.fromkeys(hashes))
        space_id = self._space_id(space)
        if space_id is None:
            return distinct
        places = self._places(space_id, distinct)
        sound = {
            shard.id for shard in self._shards(space_id) if self._map(shard, space) is not None
        }
        return [h for h in distinct if h not in places or places[h][0] not in sound]

    def read(self, space: Space, hashes: Sequence[str]) -> NDArray[Any]:
        """Return the vectors, shape (len(hashes), dim), of the space's dtype; raises NotFound."""
        wanted = list(hashes)
        for _ in range(3):  # another process may just be merging shards
            with self._ledger.snapshot():
                vectors = self._gather(space, wanted)
            if vectors is not None:
                return vectors
            self._forget()
        lost = self.missing(space, wanted)
        raise NotFound(
            f"{len(lost)} of {len(set(wanted))} vectors of the space '{space.name}' are missing; "
            "run 'vernis embed' to make them"
        )

    def _gather(self, space: Space, hashes: list[str]) -> NDArray[Any] | None:
        """Return the vectors, or None when one cannot be read."""
        result = np.empty((len(hashes), space.dim), dtype=space.dtype)
        if not hashes:
            return result
        space_id = self._space_id(space)
        if space_id is None:
            return None
        places = self._places(space_id, hashes)
        try:
            flat = np.fromiter(
                itertools.chain.from_iterable(places[h] for h in hashes), np.int64, 2 * len(hashes)
            ).reshape(-1, 2)
        except KeyError:
            return None
        shards = {shard.id: shard for shard in self._shards(space_id)}
        order = np.argsort(flat[:, 0], kind="stable")
        ids, starts = np.unique(flat[order, 0], return_index=True)
        for shard_id, part in zip(ids, np.split(order, starts[1:]), strict=True):
            shard = shards.get(int(shard_id))
            vectors = None if shard is None else self._map(shard, space)
            if vectors is None:
                return None
            result[part] = vectors[flat[part, 1]]
        return result

    def _space_id(self, space: Space) -> int | None:
        row = self._ledger.row(
            "SELECT id FROM space WHERE name = ? AND settings = ? AND dim = ? AND dtype = ?",
            _identity(space),
        )
        return None if row is None else int(row[0])

    def _places(self, space_id: int, hashes: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return shard and row of each hash that has a vector."""
        if len(hashes) <= _FEW:
            with self._ledger.listed(hashes):
                rows = self._ledger.rows(
                    "SELECT v.hash, v.shard_id, v.row FROM temp.listed CROSS JOIN vector AS v "
                    "ON v.space_id = ? AND v.hash = listed.value",
                    (space_id,),
                )
        else:
            rows = self._ledger.rows(
                "SELECT hash, shard_id, row FROM vector WHERE space_id = ?", (space_id,)
            )
        return {row[0]: row[1:] for row in rows}

    def _shards(self, space_id: int) -> list[_Shard]:
        rows = self._ledger.rows(
            "SELECT id, file, rows, bytes, checksum FROM shard WHERE space_id = ? ORDER BY id",
            (space_id,),
        )
        return [_Shard(*row) for row in rows]

    def _map(self, shard: _Shard, space: Space) -> NDArray[Any] | None:
        """Return the shard's vectors, memory-mapped and verified once; None when damaged."""
        with self._guard:
            if shard.id not in self._maps:
                self._maps[shard.id] = _load(self._folder / shard.file, shard, space)
            return self._maps[shard.id]

    def _forget(self) -> None:
        with self._guard:
            self._maps.clear()

    # ------------------------------------------------------------------ writing

    def append(self, space: Space, hashes: Sequence[str], vectors: NDArray[Any]) -> None:
        """Write one shard (tmp → fsync → rename → ledger row).

        A hash that has a vector already gets the new one. Raises InvalidValue for a wrong shape, a
        repeated hash or values that the space's dtype cannot hold.
        """
        if not len(hashes) and not len(vectors):
            return
        shard = _checked(space, hashes, vectors)
        file, size, checksum = self._write(shard)
        with self._ledger.transaction():
            space_id = self._define(space)
            self._commit(space_id, file, size, checksum, list(hashes))
        self._merge_small(space)

    def _define(self, space: Space) -> int:
        self._ledger.run(
            "INSERT OR IGNORE INTO space (name, settings, dim, dtype) VALUES (?, ?, ?, ?)",
            _identity(space),
        )
        found = self._space_id(space)
        assert found is not None
        return found

    def _write(self, vectors: NDArray[Any]) -> tuple[str, int, int]:
        """Write a shard's file durably; return its name, size in bytes and checksum."""
        name = f"{uuid.uuid4().hex}.npy"
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
        size = (self._folder / name).stat().st_size
        return name, size, zlib.crc32(vectors.data)

    def _commit(
        self, space_id: int, file: str, size: int, checksum: int, hashes: Sequence[str]
    ) -> None:
        shard_id = self._ledger.insert(
            "INSERT INTO shard (space_id, file, rows, bytes, checksum, time) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (space_id, file, len(hashes), size, checksum, now()),
        )
        self._ledger.run_many(
            "INSERT INTO vector (space_id, hash, shard_id, row) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (space_id, hash) DO UPDATE SET shard_id = excluded.shard_id, "
            "row = excluded.row",
            ((space_id, h, shard_id, row) for row, h in enumerate(hashes)),
        )

    def _merge_small(self, space: Space) -> None:
        """Merge the small shards of a space into one when there are many.

        The old files go only after the ledger names the new one; a reader that had looked up the
        old ones looks again. Inside a transaction nothing is merged: it might be rolled back.
        """
        if self._ledger.in_transaction:
            return
        space_id = self._space_id(space)
        assert space_id is not None
        small = [shard for shard in self._shards(space_id) if shard.rows < _SMALL]
        if len(small) < _MANY:
            return
        marks = ", ".join(str(shard.id) for shard in small)
        hashes = [
            str(row[0])
            for row in self._ledger.rows(
                f"SELECT hash FROM vector WHERE space_id = ? AND shard_id IN ({marks}) "
                "ORDER BY shard_id, row",
                (space_id,),
            )
        ]
        vectors = self._gather(space, hashes)
        if vectors is None or not len(vectors):  # one is damaged: leave them to be made again
            return
        file, size, checksum = self._write(vectors)
        with self._ledger.transaction():
            self._commit(space_id, file, size, checksum, hashes)
            self._drop_unused(f"AND id IN ({marks})")
        self._remove([shard.file for shard in small])

    def _drop_unused(self, condition: str = "") -> None:
        self._ledger.run(
            "DELETE FROM shard WHERE NOT EXISTS "
            f"(SELECT 1 FROM vector WHERE vector.shard_id = shard.id) {condition}"
        )

    def collect_garbage(self) -> int:
        """Remove shard files without a ledger row (left by a kill); returns their number.

        Small shards are merged when there are many (``append`` cannot inside a transaction).
        Takes the writer's lock, so that no other process's shard is removed before its row is
        written. Inside a transaction, which might be rolled back, nothing is removed.
        """
        with self._ledger.lock("collect garbage"):
            if self._ledger.in_transaction or not self._folder.is_dir():
                return 0
            with self._ledger.transaction():
                self._drop_unused()
            named = {row[0] for row in self._ledger.rows("SELECT file FROM shard")}
            stray = [
                path.name
                for path in self._folder.iterdir()
                if path.name.endswith((".npy", ".npy.tmp")) and path.name not in named
            ]
            removed = self._remove(stray)
            for space, _ in self.spaces():
                self._merge_small(space)
            return removed

    def _remove(self, files: Sequence[str]) -> int:
        removed = 0
        self._forget()  # an open map would keep the file on some systems
        for file in files:
            try:
                (self._folder / file).unlink()
                removed += 1
            except OSError:  # in use (Windows) or gone: the next collection sees to it
                continue
        return removed

    def close(self) -> None:
        """Release the memory-mapped files."""
        self._forget()


def _identity(space: Space) -> tuple[str, str, int, str]:
    return space.name, to_json(dict(space.settings)), space.dim, space.dtype


def _checked(space: Space, hashes: Sequence[str], vectors: NDArray[Any]) -> NDArray[Any]:
    """Return the vectors in the space's dtype, contiguous; raises InvalidValue."""
    expected = (len(hashes), space.dim)
    if np.shape(vectors) != expected:
        raise InvalidValue(
            f"expected vectors of shape {expected} for the space '{space.name}', "
            f"got {np.shape(vectors)}"
        )
    if len(set(hashes)) != len(hashes):
        raise InvalidValue(f"expected distinct hashes, got {len(hashes) - len(set(hashes))} twice")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(vectors, dtype=space.dtype)
        if space.dtype == "uint8":
            fits = bool(np.array_equal(cast, vectors))
        else:
            fits = not bool((np.isinf(cast) & np.isfinite(vectors)).any())
    if not fits:
        raise InvalidValue(f"expected values that {space.dtype} can hold for '{space.name}'")
    return cast


def _load(path: Path, shard: _Shard, space: Space) -> NDArray[Any] | None:
    """Map a shard; None when it is not the file that was written."""
    try:
        if path.stat().st_size != shard.bytes:
            return None
        vectors: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if vectors.shape != (shard.rows, space.dim) or vectors.dtype != np.dtype(space.dtype):
        return None
    if zlib.crc32(vectors.data) != shard.checksum:
        return None
    return vectors
