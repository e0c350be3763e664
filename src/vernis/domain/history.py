"""Batches of changes: what a change is, and the port through which they are read and undone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from vernis.domain.errors import InvalidValue
from vernis.domain.types import Event

IMPORTS: tuple[str, ...] = ("import", "index")
"""Verbs that take in what lies outside. A plain undo takes decisions, never these."""
MOVED_FILES = "trash"
"""Subject of changes that moved files: undone by whoever can move them back."""
WRITTEN_FILES = "written"
"""Subject of changes that wrote into files: undone by whoever can write them back."""
ON_DISK: tuple[str, ...] = (MOVED_FILES, WRITTEN_FILES)
"""Subjects that the catalog alone cannot undo."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is no label and no verdict.

    Attributes
    ----------
    subject : str
        What kind of thing it is about: ``taxonomy``, ``trash``, ``written``, ``keeper``,
        ``index``, ``arrival``, ``region``,
        ``foreign``.
    key : str
        Which one, such as the id of an image.
    before, after : object
        JSON-able states of the thing.
    size : int
        How many things it stands for.
    """

    subject: str
    key: str
    before: Any
    after: Any
    size: int = 1

    def __post_init__(self) -> None:
        if not self.subject or self.size < 1:
            raise InvalidValue(
                f"expected a subject and a size of 1 or more, got {self.subject!r}, {self.size}"
            )


class HistoryStore(Protocol):
    """The append-only history of a collection."""

    def batches(self, limit: int = 20, before: int | None = None) -> list[dict[str, Any]]:
        """Return the latest batches (of those before a batch), newest first.

        Each holds id, time, verb, source, note, changes (how many of what: ``label``,
        ``region label``, ``verdict`` and the subjects of ``Change``), events (their sum), undone,
        undoes (the batch that it undoes), undone_by and skipped (how much an undo left because it
        was changed later).
        """
        ...

    def batch(self, batch_id: int) -> dict[str, Any]:
        """Return one batch as ``batches`` lists it; raises NotFound."""
        ...

    def latest(self, *, imports: bool = False) -> int:
        """Return the latest decision that is not undone, is no undo itself and is not a model's.

        Parameters
        ----------
        imports : bool
            Whether imports and indexings count too.

        Raises
        ------
        NotFound
            There is none.
        """
        ...

    def latest_undone(self) -> int:
        """Return the latest undo that holds: undoing it does its changes again.

        Raises
        ------
        NotFound
            Nothing is undone, or a decision was taken since.
        """
        ...

    def of_image(self, image_id: int) -> list[Event]:
        """Return the labels and verdicts of an image that changed, oldest first."""
        ...

    def mark(self) -> int:
        """Return the number of the latest event: ask before reading, for ``images_since``."""
        ...

    def images_since(self, mark: int) -> list[int]:
        """Return the images whose labels or verdicts were changed after a mark, ascending."""
        ...

    def images_of(self, batch_id: int, limit: int) -> list[int]:
        """Return the images whose labels or verdicts a batch changed, at most so many."""
        ...

    def changes(self, batch_id: int, subject: str | None = None) -> list[Change]:
        """Return the changes of a batch that are no labels and no verdicts, in their order."""
        ...

    def keys(self, subject: str) -> set[str]:
        """Return the keys of all changes of a subject, undone or not."""
        ...

    def changes_of_image(self, image_id: int) -> list[tuple[int, Change]]:
        """Return ``(batch, change)`` of an image's file and place, oldest first."""
        ...

    def record(self, changes: Sequence[Change], *, source: str, verb: str, note: str = "") -> int:
        """Write changes into the transaction's batch; returns it, 0 when there are none."""
        ...

    def begin(self, verb: str, *, source: str, note: str = "") -> int:
        """Make a batch for work that takes several transactions; see ``joined``."""
        ...

    def joined(self, batch_id: int) -> AbstractContextManager[None]:
        """Open a transaction whose changes belong to a batch that was begun before."""
        ...

    def close(self, batch_id: int, note: str | None = None) -> bool:
        """End a batch that was begun: one without changes is dropped (False), else noted."""
        ...

    def undo(self, batch_id: int | None = None, *, source: str = "") -> int:
        """Append the inverse of a batch (default: ``latest()``); returns the batch of it.

        Undoing an undo brings the changes back. What was changed again later is left as it is and
        counted as ``skipped``; where that is all, UsageError is raised. In a single taxonomy that
        holds for an image as a whole. UsageError too where the batch moved or wrote files.
        ``source`` says who undoes it; default who made it.
        """
        ...

    def begin_undo(self, batch_id: int, *, source: str = "") -> int:
        """Return a batch for the inverse of a batch that moved or wrote files.

        One that was begun before and cut off is returned again. Raises NotFound, and UsageError
        where the batch is undone already.
        """
        ...

    def finish_undo(self, batch_id: int, undoing: int, skipped: int = 0) -> None:
        """Undo the rest of a batch, and note that it is undone."""
        ...
