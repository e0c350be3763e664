"""The lock that one writing workflow holds on a collection.

``WriterLock`` is known to every process, ``ThreadLock`` to the threads of this one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from vernis.adapters.catalog.storage import translated_os
from vernis.domain.errors import CatalogBusy

_POLL = 0.05  # seconds between two attempts


class Lock(Protocol):
    """Excludes a second writing workflow."""

    def held(self, verb: str) -> AbstractContextManager[None]:
        """Hold the lock for the block; the thread that holds it may take it again."""
        ...


class ThreadLock:
    """A lock on a collection that no other process can open.

    Parameters
    ----------
    name : str
        Of the collection, for the message.
    patience : float
        Seconds to wait for another thread.
    """

    def __init__(self, name: str, patience: float) -> None:
        self._name = name
        self._patience = patience
        self._threads = threading.RLock()
        self._verb = ""

    @contextmanager
    def held(self, verb: str) -> Iterator[None]:
        """Hold the lock for the block; raises CatalogBusy when another thread keeps it."""
        if not self._threads.acquire(timeout=self._patience):
            raise CatalogBusy(
                f"{self._name}: '{self._verb}' is writing to this collection; wait until it has "
                "finished"
            )
        before, self._verb = self._verb, verb
        try:
            yield
        finally:
            self._verb = before
            self._threads.release()


class WriterLock:
    """An advisory lock on a file, released by the system when its holder dies.

    Parameters
    ----------
    path : Path
        The file; it stays when the lock is released and says who held it last.
    patience : float
        Seconds to wait for another holder.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._threads = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self, verb: str) -> Iterator[None]:
        """Hold the lock for the block; the thread that holds it may take it again.

        Raises
        ------
        CatalogBusy
            Another process or thread held it all the time that this one waited.
        """
        if not self._threads.acquire(timeout=self._patience):
            raise self._busy()
        try:
            if self._depth:
                yield from self._nested()
                return
            descriptor = self._acquire(verb)
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
                os.close(descriptor)  # releases the lock
        finally:
            self._threads.release()

    def _nested(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _acquire(self, verb: str) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _CLOSE_ON_EXEC, 0o644)
        except OSError as error:
            raise translated_os(error, self._path) from error
        deadline = time.monotonic() + self._patience
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise self._busy()
            time.sleep(_POLL)
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"verb": verb, "pid": os.getpid()}).encode())
        except OSError as error:
            os.close(descriptor)
            raise translated_os(error, self._path) from error
        return descriptor

    def _busy(self) -> CatalogBusy:
        try:
            holder = json.loads(self._path.read_text(encoding="utf-8"))
            who = f"'{holder['verb']}' (process {holder['pid']})"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        return CatalogBusy(
            f"{self._path.parent}: {who} is writing to this collection; "
            "wait until it has finished or stop it"
        )


_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        """Lock a byte far behind the text, so that others can read who holds it."""
        try:
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        """Lock the open file; unlike POSIX record locks this also excludes this process."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, InterruptedError):
            return False
        return True
