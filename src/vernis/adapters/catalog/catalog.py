"""A collection's folder: the ledger, the vectors and the models."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from vernis.adapters.catalog.answers import SqliteAnswerStore
from vernis.adapters.catalog.foreign import SqliteForeignStore
from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.images import SqliteImageStore
from vernis.adapters.catalog.issues import SqliteIssueStore
from vernis.adapters.catalog.labels import SqliteLabelStore
from vernis.adapters.catalog.ledger import (
    FILE_NAME,
    LOCK_NAME,
    Ledger,
    connect,
    connect_memory,
    is_begun,
)
from vernis.adapters.catalog.maps import SqliteMapStore
from vernis.adapters.catalog.models import FolderModels, MemoryModels, ModelFiles, SqliteModelStore
from vernis.adapters.catalog.readings import SqliteReadingStore
from vernis.adapters.catalog.regions import SqliteRegionStore
from vernis.adapters.catalog.runs import SqliteRunLog
from vernis.adapters.catalog.shards import FolderShards, MemoryShards, Shards
from vernis.adapters.catalog.storage import translating
from vernis.adapters.catalog.subjects import NAMES
from vernis.adapters.catalog.vectors import ShardVectorStore
from vernis.domain.closing import Closing
from vernis.domain.errors import CatalogError, InvalidValue

# The tables that what a store returns depends on. Labels and issues are those of present images.
_TABLES = {
    "images": ("image", "root", "other_file"),
    "labels": ("statement", "taxonomy", "class", "source", "batch", "event", "image"),
    "taxonomies": ("taxonomy", "class"),
    "regions": ("region", "region_statement", "taxonomy", "class", "source", "image"),
    "issues": (
        *("issue", "verdict", "suggestion", "image"),
        *("duplicate_group", "duplicate_member", "duplicate_pair", "kept", "meta", NAMES),
    ),
    "found": (
        *("issue", "duplicate_group", "duplicate_member", "duplicate_pair", "kept", "meta", NAMES),
    ),
    "vectors": ("space", "shard", "vector"),
    "models": ("model",),
    "maps": ("map", "map_point"),
    "readings": ("text_reader", "picture_read", "reading"),
    "answers": ("service", "service_request", "answer"),
    "runs": ("run",),
}
_PATIENCE = 5.0  # seconds that a writer waits for another one
# What a creation that was killed may have left.
_OWN = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", f"{FILE_NAME}-journal", LOCK_NAME)


class SqliteCatalog(Closing):
    """``Catalog`` in a folder ``NAME.vernis``.

    The folder holds ``catalog.sqlite`` (the system of record), ``vectors/`` and ``models/``
    (derived data) and ``writer.lock``. Open it with ``create`` or ``open``, or have an empty one
    ``in_memory``; use it in a ``with`` block or call ``close``. Threads may share it.

    Examples
    --------
    >>> with SqliteCatalog.open(Path("photos.vernis"), read_only=True) as catalog:
    ...     print(len(catalog.images.all()))
    """

    def __init__(self, ledger: Ledger, shards: Shards, models: ModelFiles) -> None:
        self._ledger = ledger
        history = SqliteHistory(ledger)
        self._history = history
        self._issues = SqliteIssueStore(ledger, history)
        self._images = SqliteImageStore(ledger, self._issues, history)
        self._labels = SqliteLabelStore(ledger, history)
        self._regions = SqliteRegionStore(ledger, history, self._labels)
        self._foreign = SqliteForeignStore(ledger, history)
        self._vectors = ShardVectorStore(ledger, shards)
        self._models = SqliteModelStore(ledger, models)
        self._runs = SqliteRunLog(ledger)
        self._maps = SqliteMapStore(ledger)
        self._readings = SqliteReadingStore(ledger)
        self._answers = SqliteAnswerStore(ledger)

    @classmethod
    def create(cls, folder: Path | str, *, patience: float = _PATIENCE) -> Self:
        """Make the folder with an empty catalog and open it.

        A creation that was killed half-way is completed. Raises CatalogError when the folder
        holds a catalog or anything else already, StorageError when it cannot be written.
        """
        place = Path(folder)
        with translating(place):
            place.mkdir(parents=True, exist_ok=True)
            strange = [path.name for path in place.iterdir() if path.name not in _OWN]
            started = is_begun(place)
        if started:
            raise CatalogError(f"{place}: holds a collection already; open it instead")
        if strange:
            raise CatalogError(f"{place}: holds other files ({strange[0]}, …); name a new folder")
        return cls._in_folder(connect(place, create=True, patience=patience))

    @classmethod
    def open(
        cls, folder: Path | str, read_only: bool = False, *, patience: float = _PATIENCE
    ) -> Self:
        """Open a collection; an older one is migrated unless ``read_only``.

        Parameters
        ----------
        folder : Path or str
            The collection's folder.
        read_only : bool
            Never write, not even to migrate; works in a read-only folder.
        patience : float
            Seconds to wait for another writer before ``CatalogBusy``.

        Raises
        ------
        CatalogError
            The folder holds no collection, or a damaged one.
        NewerCatalog
            A newer version of Vernis wrote it.
        StorageError
            It cannot be read, or written.
        """
        return cls._in_folder(connect(Path(folder), read_only=read_only, patience=patience))

    @classmethod
    def in_memory(
        cls, folder: Path | str = "memory.vernis", *, patience: float = _PATIENCE
    ) -> Self:
        """Return an empty catalog that lives in memory: for tests, and for trying things out.

        Parameters
        ----------
        folder : Path or str
            Where it is said to lie; nothing is read or written there.
        patience : float
            Seconds to wait for another thread before ``CatalogBusy``.
        """
        return cls(connect_memory(Path(folder), patience), MemoryShards(), MemoryModels())

    @classmethod
    def _in_folder(cls, ledger: Ledger) -> Self:
        return cls(ledger, FolderShards(ledger.folder / "vectors"), FolderModels(ledger.folder))

    # ------------------------------------------------------------------ stores

    @property
    def folder(self) -> Path:
        """The collection's folder."""
        return self._ledger.folder

    @property
    def images(self) -> SqliteImageStore:
        """The images."""
        return self._images

    @property
    def labels(self) -> SqliteLabelStore:
        """Taxonomies, statements and events."""
        return self._labels

    @property
    def regions(self) -> SqliteRegionStore:
        """Places in pictures, and what is said of them."""
        return self._regions

    @property
    def foreign(self) -> SqliteForeignStore:
        """What other tools call images and classes."""
        return self._foreign

    @property
    def history(self) -> SqliteHistory:
        """Batches of changes, and their undoing."""
        return self._history

    @property
    def issues(self) -> SqliteIssueStore:
        """Issues, duplicate groups and suggestions."""
        return self._issues

    @property
    def vectors(self) -> ShardVectorStore:
        """Vectors by content hash."""
        return self._vectors

    @property
    def models(self) -> SqliteModelStore:
        """Saved heads."""
        return self._models

    @property
    def maps(self) -> SqliteMapStore:
        """Maps of the pictures."""
        return self._maps

    @property
    def readings(self) -> SqliteReadingStore:
        """What is read in pictures."""
        return self._readings

    @property
    def answers(self) -> SqliteAnswerStore:
        """What outside services answered, and what it cost."""
        return self._answers

    @property
    def runs(self) -> SqliteRunLog:
        """Which work is done."""
        return self._runs

    def revision(self, store: str) -> tuple[int, int]:
        """Return a value that differs whenever what a store returns may have changed.

        Ask before reading: what was read then is still true when the answer is the same later.

        Parameters
        ----------
        store : str
            ``images``, ``labels``, ``regions``, ``issues``, ``vectors``, ``models``,
            ``maps``, ``readings``, ``answers`` or ``runs``; ``labels:NAME`` for the matrix of one
            taxonomy. ``taxonomies`` and ``found`` are the labels and the issues without what events
            tell: what sources say of images, and verdicts.

        Returns
        -------
        tuple of int
            Changes made through this catalog (also those that were rolled back), and a number that
            changes with each commit of another process, whatever that wrote.

        Raises
        ------
        InvalidValue
            There is no such store.
        NotFound
            There is no such taxonomy.
        """
        if store.startswith("labels:"):
            return self._labels.revision(store.removeprefix("labels:"))
        if store not in _TABLES:
            raise InvalidValue(f"expected one of {', '.join(_TABLES)}, got {store!r}")
        return self._ledger.revision(*_TABLES[store])

    # ------------------------------------------------------------------ writing together

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all or nothing; a nested call joins the outer one.

        Labels and verdicts that are changed in one transaction belong to one batch: one undo takes
        them all back.
        """
        return self._ledger.transaction()

    def snapshot(self) -> AbstractContextManager[None]:
        """Read from one state of the ledger, whatever others commit meanwhile."""
        return self._ledger.snapshot()

    def lock(self, verb: str) -> AbstractContextManager[None]:
        """Hold the writer's lock for a whole workflow; readers are not kept out.

        Raises CatalogBusy, naming the verb and process that hold it, when a second writer's
        patience ends. The system releases the lock of a killed process.
        """
        return self._ledger.lock(verb)

    def integrity(self) -> list[str]:
        """Return what is wrong with the ledger; empty when it is sound."""
        return self._ledger.integrity()

    # ------------------------------------------------------------------ closing

    def close(self) -> None:
        """Release the files; a second call does nothing."""
        self._vectors.close()
        self._ledger.close()
