"""Vectors by content hash, in immutable shards beside the ledger."""

from __future__ import annotations

import json
import threading
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.shards import Shard, Shards
from vernis.adapters.catalog.storage import to_json
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import Hashes, Space, hash_column, hash_texts

_FEW = 500  # up to so many hashes are looked up one by one
_SMALL = 4096  # rows; shards below are merged when there are many
_MANY = 48


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where vectors lie: 72 bytes a vector. ``hashes`` ascend."""

    hashes: NDArray[np.bytes_]
    shards: NDArray[np.int32]
    rows: NDArray[np.int32]

    def find(self, wanted: NDArray[np.bytes_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the position of each wanted hash, and whether it is there."""
        positions = np.searchsorted(self.hashes, wanted)
        known = positions < len(self.hashes)
        known[known] = self.hashes[positions[known]] == wanted[known]
        return positions, known


class ShardRows:
    """Vectors that lie in shards, read where rows of them are asked for: 8 bytes an image.

    Parameters
    ----------
    shards : Shards
    opened : sequence of ndarray
        The vectors of each shard.
    places : ndarray of int32, shape (n, 2)
        Of each row, which of these shards holds it, and in which row.
    space : Space
    """

    def __init__(
        self,
        shards: Shards,
        opened: Sequence[NDArray[Any]],
        places: NDArray[np.int32],
        space: Space,
    ) -> None:
        self._shards, self._opened, self._places, self._space = shards, opened, places, space

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._places), self._space.dim

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return some rows, of the space's dtype."""
        places = self._places[key]
        result = np.empty((len(places), self._space.dim), dtype=self._space.dtype)
        if not len(places):
            return result
        order = np.argsort(places[:, 0], kind="stable")
        numbers, starts = np.unique(places[order, 0], return_index=True)
        for number, part in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            vectors = self._opened[number]
            result[part] = vectors[places[part, 1]]
            self._shards.release(vectors)
        return result


class ShardVectorStore:
    """``VectorStore`` over ``FOLDER/vectors/*.npy``.

    A shard is written to a temporary name, synced, renamed, and then named by a row of the ledger:
    that row is the commit point. Shards are never changed. A shard that is missing, truncated or
    damaged does not count: its vectors are ``missing`` and may be appended again. A shard is
    opened, and its checksum taken, when one of its vectors is first asked for.

    Parameters
    ----------
    ledger : Ledger
    shards : Shards
        Where the vectors themselves lie.
    """

    def __init__(self, ledger: Ledger, shards: Shards) -> None:
        self._ledger = ledger
        self._kept = shards
        self._opened: dict[int, NDArray[Any] | None] = {}  # by shard; None: damaged
        self._known: dict[int, tuple[tuple[int, int], _Places]] = {}  # by space, with the revision
        self._counted: tuple[tuple[int, int], list[tuple[Space, int]]] | None = None
        self._guard = threading.RLock()

    # ------------------------------------------------------------------ reading

    def spaces(self) -> list[tuple[Space, int]]:
        """Return each space with its number of vectors."""
        # Asked before reading; counting takes long where vectors are many.
        revision = self._ledger.revision("space", "shard", "vector")
        if self._counted is None or self._counted[0] != revision:
            self._counted = (revision, self._count_spaces())
        return list(self._counted[1])

    def _count_spaces(self) -> list[tuple[Space, int]]:
        # By shard: the vectors of one lie together in that index, by hash they lie anywhere.
        rows = self._ledger.rows(
            "SELECT name, dim, dtype, settings, (SELECT count(*) FROM shard CROSS JOIN vector "
            "ON vector.shard_id = shard.id WHERE shard.space_id = space.id) "
            "FROM space ORDER BY id"
        )
        return [
            (Space(name, dim, dtype, json.loads(settings)), count)
            for name, dim, dtype, settings, count in rows
        ]

    def holds(self, space: Space, hashes: Hashes) -> NDArray[np.bool_]:
        """Return which hashes have a readable vector, shape (len(hashes),)."""
        wanted = hash_column(hashes)
        space_id = self._space_id(space)
        if space_id is None or not len(wanted):
            return np.zeros(len(wanted), dtype=np.bool_)
        with self._ledger.snapshot():
            places = self._places(space_id, wanted)
            shards = {shard.id: shard for shard in self._shards(space_id)}
        positions, known = places.find(wanted)
        asked = places.shards[positions[known]]
        sound = [
            number
            for number in np.unique(asked).tolist()
            if number in shards and self._open(shards[number], space) is not None
        ]
        known[known] = np.isin(asked, sound)
        return known

    def missing(self, space: Space, hashes: Hashes) -> list[str]:
        """Return the distinct hashes without a readable vector, in order."""
        lacking = np.flatnonzero(~self.holds(space, hashes))
        if isinstance(hashes, np.ndarray):
            return list(dict.fromkeys(hash_texts(hashes[lacking])))
        return list(dict.fromkeys(hashes[row] for row in lacking.tolist()))

    def read(self, space: Space, hashes: Hashes) -> NDArray[Any]:
        """Return the vectors, shape (len(hashes), dim), of the space's dtype; raises NotFound."""
        return self.rows(space, hashes)[:]

    def rows(self, space: Space, hashes: Hashes) -> ShardRows:
        """Return the vectors as rows that are read when they are asked for; raises NotFound."""
        wanted = hash_column(hashes)
        for _ in range(3):  # another process may just be merging shards
            with self._ledger.snapshot():
                found = self._find(space, wanted)
            if found is not None:
                return found
            self._forget()
        lost = self.missing(space, wanted)
        raise NotFound(
            f"{len(lost)} of {len(np.unique(wanted))} vectors of the space '{space.name}' are "
            "missing; run 'vernis embed' to make them"
        )

    def _find(self, space: Space, wanted: NDArray[np.bytes_]) -> ShardRows | None:
        """Return where the vectors lie, or None when one cannot be read."""
        if not len(wanted):
            return ShardRows(self._kept, [], np.empty((0, 2), np.int32), space)
        space_id = self._space_id(space)
        if space_id is None:
            return None
        places = self._places(space_id, wanted)
        positions, known = places.find(wanted)
        if not known.all():
            return None
        shards = {shard.id: shard for shard in self._shards(space_id)}
        ids, codes = np.unique(places.shards[positions], return_inverse=True)
        opened: list[NDArray[Any]] = []
        for number in ids.tolist():
            shard = shards.get(number)
            vectors = None if shard is None else self._open(shard, space)
            if vectors is None:
                return None
            opened.append(vectors)
        found = np.stack([codes.astype(np.int32), places.rows[positions]], axis=1)
        return ShardRows(self._kept, opened, found, space)

    def _space_id(self, space: Space) -> int | None:
        row = self._ledger.row(
            "SELECT id FROM space WHERE name = ? AND settings = ? AND dim = ? AND dtype = ?",
            _identity(space),
        )
        return None if row is None else int(row[0])

    def _places(self, space_id: int, wanted: NDArray[np.bytes_]) -> _Places:
        """Return where the wanted vectors lie, or all vectors of the space.

        Call it in a snapshot, so that what is kept belongs to its revision.
        """
        revision = self._ledger.revision("vector", "shard")
        with self._guard:
            known = self._known.get(space_id)
        if known is not None and known[0] == revision:
            return known[1]
        kinds = (bytes, np.int32, np.int32)
        if len(wanted) <= _FEW:
            with self._ledger.listed(hash_texts(np.unique(wanted))):
                return _Places(
                    *self._ledger.columns(
                        "SELECT v.hash, v.shard_id, v.row FROM temp.listed CROSS JOIN vector AS v "
                        "ON v.space_id = ? AND v.hash = listed.value ORDER BY listed.position",
                        (space_id,),
                        kinds=kinds,
                    )
                )
        # The key of the table is (space, hash): the rows come sorted.
        places = _Places(
            *self._ledger.columns(
                "SELECT hash, shard_id, row FROM vector WHERE space_id = ? ORDER BY hash",
                (space_id,),
                kinds=kinds,
            )
        )
        with self._guard:
            self._known[space_id] = (revision, places)
        return places

    def _shards(self, space_id: int) -> list[Shard]:
        rows = self._ledger.rows(
            "SELECT id, file, rows, bytes, checksum FROM shard WHERE space_id = ? ORDER BY id",
            (space_id,),
        )
        return [Shard(*row) for row in rows]

    def _open(self, shard: Shard, space: Space) -> NDArray[Any] | None:
        """Return the shard's vectors, verified once; None when damaged."""
        with self._guard:
            if shard.id not in self._opened:
                self._opened[shard.id] = self._kept.load(shard, space)
            return self._opened[shard.id]

    def _forget(self) -> None:
        with self._guard:
            self._opened.clear()

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
        """Write a shard durably; return its name, size in bytes and checksum."""
        name = f"{uuid.uuid4().hex}.npy"
        return name, self._kept.write(name, vectors), zlib.crc32(vectors.data)

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
        found = self._find(space, hash_column(hashes))
        if found is None or not len(found):  # one is damaged: leave them to be made again
            return
        vectors = found[:]
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
            if self._ledger.in_transaction:
                return 0
            with self._ledger.transaction():
                self._drop_unused()
            named = {row[0] for row in self._ledger.rows("SELECT file FROM shard")}
            stray = [name for name in self._kept.names() if name not in named]
            removed = self._remove(stray)
            for space, _ in self.spaces():
                self._merge_small(space)
            return removed

    def _remove(self, files: Sequence[str]) -> int:
        self._forget()  # an open map would keep the file on some systems
        return sum(self._kept.remove(file) for file in files)

    def close(self) -> None:
        """Release the memory-mapped files."""
        self._forget()
        self._known.clear()


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
