"""The SQLite connection of a collection: transactions, errors, the writer's lock."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from vernis.adapters.catalog import schema
from vernis.adapters.catalog.columns import Column, ColumnKind
from vernis.adapters.catalog.locking import Lock, ThreadLock, WriterLock
from vernis.adapters.catalog.storage import translated_sqlite, translating
from vernis.domain.errors import CatalogError, StorageError
from vernis.domain.history import Change

FILE_NAME = "catalog.sqlite"
LOCK_NAME = "writer.lock"
Row = tuple[Any, ...]

_CHUNK = 4096  # rows of a query that are Python objects at a time
_TARGET = re.compile(
    r"\s*(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM)\s+(temp\.)?(\w+)"
)


def now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ledger:
    """One connection to ``FOLDER/catalog.sqlite``.

    Threads may share it: a statement, or a whole transaction, of one thread at a time.

    Parameters
    ----------
    folder : Path
        The collection's folder.
    connection : sqlite3.Connection
        Opened by ``connect`` or ``connect_memory``.
    writer : Lock
        Held by ``lock``.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, writer: Lock) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.batch: int | None = None  # the batch that the current transaction writes to
        self.prepared: list[Change] = []  # changes that wait for the transaction's batch
        self._connection = connection
        self._guard = threading.RLock()
        self._depth = 0
        self._only_reads = False
        self._writes: Counter[str] = Counter()  # by table, and by what ``touch`` names
        self._doubts = 0  # failed writes and rollbacks: what was read meanwhile may not hold
        self._writer = writer

    # ------------------------------------------------------------------ statements

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        with self._guard, translating(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Run a query and return its first row, None when there is none."""
        with self._guard, translating(self.path):
            first: Row | None = self._connection.execute(sql, parameters).fetchone()
            return first

    def columns(
        self, sql: str, parameters: Sequence[Any] = (), *, kinds: Sequence[ColumnKind]
    ) -> list[Any]:
        """Run a query and return its columns, with no Python object for each row.

        Parameters
        ----------
        sql : str
        parameters : sequence
        kinds : sequence
            What becomes of each column: a dtype of NumPy gives an array, ``bytes`` an array of
            ASCII text, ``str`` a list, ``Categories`` codes with their names.
        """
        with self._guard, translating(self.path):
            cursor = self._connection.execute(sql, parameters)
            columns = [Column(kind) for kind in kinds]
            while rows := cursor.fetchmany(_CHUNK):
                for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                    column.add(values)
        return [column.value() for column in columns]

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows that it changed."""
        with self._writing():
            changed = self._connection.execute(sql, parameters).rowcount
            self._count(sql, changed)
            return changed

    def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each row of parameters."""
        with self._writing():
            self._count(sql, self._connection.executemany(sql, parameters).rowcount)

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run an INSERT and return the new row's id."""
        with self._writing():
            cursor = self._connection.execute(sql, parameters)
            self._count(sql, cursor.rowcount)
            return int(cursor.lastrowid or 0)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._guard, translating(self.path):
            # On a full disk SQLite rolls the whole transaction back by itself; what a caller
            # that caught the error writes after that must not be committed piece by piece.
            if self._depth and not self._connection.in_transaction:
                raise StorageError(f"{self.path}: the transaction was rolled back; start it again")
            try:
                yield
            except BaseException:
                self._doubts += 1
                raise

    def _count(self, sql: str, changed: int) -> None:
        table = _table_written(sql) if changed else None
        if table is not None:
            self._refuse_in_snapshot()
            self._writes[table] += 1

    # ------------------------------------------------------------------ revisions

    def touch(self, mark: str) -> None:
        """Count a change of something finer than a table, for ``revision``."""
        with self._guard:
            self._writes[mark] += 1

    def revision(self, *marks: str) -> tuple[int, int]:
        """Return a value that differs when these tables or marks may have changed.

        Parameters
        ----------
        *marks : str
            Names of tables, and of what ``touch`` was called with.

        Returns
        -------
        tuple of int
            Changes made here (rolled-back ones count too), and what SQLite counts of the commits
            of other connections, whichever table they changed.
        """
        with self._guard:
            row = self.row("PRAGMA data_version")
            here = self._doubts + sum(self._writes[mark] for mark in marks)
            return here, int(row[0]) if row else 0

    @contextmanager
    def listed(self, values: Iterable[str] | Iterable[int]) -> Iterator[None]:
        """Fill the temporary table ``listed(position, value)`` for the length of the block."""
        with self._guard:
            self.run("DELETE FROM temp.listed")
            self.run_many("INSERT INTO temp.listed (value) VALUES (?)", ((v,) for v in values))
            try:
                yield
            finally:
                with suppress(sqlite3.Error):  # after a failure there is nothing to empty
                    self._connection.execute("DELETE FROM temp.listed")

    # ------------------------------------------------------------------ transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes: all or nothing.

        The outermost call takes SQLite's write lock and commits; a nested one is a savepoint,
        undone alone when its block raises. All labels and verdicts that one transaction changes
        belong to one batch.
        """
        with self._guard:
            self._refuse_in_snapshot()
            outermost = self._depth == 0
            name = f"level{self._depth}"
            batch, prepared = self.batch, list(self.prepared)
            self.run("BEGIN IMMEDIATE" if outermost else f"SAVEPOINT {name}")
            self._depth += 1
            try:
                yield
                self.run("COMMIT" if outermost else f"RELEASE {name}")
            except BaseException:
                self._doubts += 1
                if outermost:
                    self._roll_back("ROLLBACK")
                else:
                    self._roll_back(f"ROLLBACK TO {name}", f"RELEASE {name}")
                self.batch, self.prepared = batch, prepared
                raise
            finally:
                self._depth -= 1
                if outermost:
                    self.batch, self.prepared = None, []

    def _roll_back(self, *statements: str) -> None:
        if self._connection.in_transaction:
            for statement in statements:
                self._connection.execute(statement)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read from one state of the ledger, whatever others commit meanwhile."""
        with self._guard:
            if self._depth:
                yield
                return
            self.run("BEGIN")
            self._depth += 1
            self._only_reads = True
            try:
                yield
            finally:
                self._only_reads = False
                self._depth -= 1
                self._roll_back("ROLLBACK")

    def _refuse_in_snapshot(self) -> None:
        """Raise RuntimeError inside a snapshot: what is written there would be lost with it."""
        if self._only_reads:
            raise RuntimeError("nothing may be written while a snapshot of the ledger is read")

    @contextmanager
    def lock(self, verb: str) -> Iterator[None]:
        """Hold the writer's lock; see ``WriterLock``."""
        with self._writer.held(verb):
            yield

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file; empty when it is sound."""
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
        broken = [f"broken reference: {row}" for row in self.rows("PRAGMA foreign_key_check")]
        return [line for line in found if line != "ok"] + broken

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        with self._guard:
            self._connection.close()


@lru_cache(maxsize=512)
def _table_written(sql: str) -> str | None:
    """Return the table that a statement writes, None for a query or a temporary table."""
    found = _TARGET.match(sql)
    return None if found is None or found[1] else found[2]


def is_begun(folder: Path) -> bool:
    """Return whether the folder holds a database with something in it."""
    path = folder / FILE_NAME
    if not path.is_file():
        return False
    connection = _open(path, "mode=rw", 1.0)
    try:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    finally:
        connection.close()


def connect(
    folder: Path,
    *,
    create: bool = False,
    read_only: bool = False,
    patience: float = 5.0,
    migrations: Path = schema.FOLDER,
) -> Ledger:
    """Open or create the ledger of a collection and bring its schema up to date.

    Raises
    ------
    CatalogError, NewerCatalog, StorageError, CatalogBusy
    """
    path = folder / FILE_NAME
    if not create and not path.is_file():
        what = f"not a Vernis collection (it holds no {FILE_NAME})"
        raise CatalogError(f"{folder}: {what if folder.exists() else 'no such collection'}")
    if not create and path.stat().st_size == 0 and any((folder / "vectors").glob("*")):
        raise CatalogError(
            f"{path}: is empty, though the collection holds vectors: it was damaged; put a copy of "
            f"the file in its place, or move {folder} away and run again"
        )
    mode = "rwc" if create else "ro" if read_only else "rw"
    connection = _open(path, f"mode={mode}", patience)
    try:
        with translating(path):
            try:
                if not read_only:
                    _bring_up_to_date(connection, folder, patience, migrations)
                _prepare(connection, path, migrations)
            except sqlite3.OperationalError:
                # In a read-only folder SQLite cannot make its shared-memory file. When the last
                # writer closed cleanly there is no WAL, and the file can be read as it is.
                if not read_only or _has_wal(path):
                    raise
                connection.close()
                connection = _open(path, "mode=ro&immutable=1", patience)
                _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return Ledger(folder, connection, WriterLock(folder / LOCK_NAME, patience))


def connect_memory(folder: Path, patience: float) -> Ledger:
    """Return an empty ledger in memory, which ends with its connection.

    ``folder`` is where the collection is said to lie; nothing is read or written there.
    """
    connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=256
    )
    schema.migrate(connection, folder / FILE_NAME)
    _prepare(connection, folder / FILE_NAME, schema.FOLDER)
    return Ledger(folder, connection, ThreadLock(folder.name, patience))


def _open(path: Path, mode: str, patience: float) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise translated_sqlite(error, path) from error


def _bring_up_to_date(
    connection: sqlite3.Connection, folder: Path, patience: float, migrations: Path
) -> None:
    path = folder / FILE_NAME
    known = len(schema.steps(migrations))
    if schema.check(connection, path, known) == known:
        return
    # A workflow of an older version must not have its tables changed under its hands.
    with WriterLock(folder / LOCK_NAME, patience).held("migrate"):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        schema.migrate(connection, path, migrations)


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Path) -> None:
    """Check the schema's version, set the pragmas, make the temporary table."""
    known = len(schema.steps(migrations))
    if schema.check(connection, path, known) < known:
        raise StorageError(
            f"{path}: written by an older version of Vernis; a command that writes migrates it "
            "(vernis index)"
        )
    # FULL syncs the log at every commit: an edit that was acknowledged survives a power cut.
    # Bulk work commits seldom enough for that to cost nothing.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # In memory, what a nested transaction keeps for its undoing would be walked through at every
    # statement: 1,000,000 vectors appended in one transaction would never end.
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("PRAGMA cache_size = -65536")  # KiB
    connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes kept after a checkpoint
    connection.execute("CREATE TEMP TABLE listed (position INTEGER PRIMARY KEY, value ANY) STRICT")


def _has_wal(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0
