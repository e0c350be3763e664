"""Take a batch of changes back: labels and other things in the catalog, files on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.errors import Declined, UsageError
from vernis.domain.history import MOVED_FILES, ON_DISK, WRITTEN_FILES
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.trashing import TrashSummary, reconcile_trash, undo_moves
from vernis.verbs.decide.writing_back import UndoneWrites, sweep_after_kill, undo_writes
from vernis.verbs.declare import Screen

if TYPE_CHECKING:
    from vernis.session.session import Session

MANY = 100
"""More labels or listed images than this are changed only when the person says yes."""
_NOUNS = {
    "label": ("label", "labels"),
    "region label": ("label of a region", "labels of regions"),
    "region": ("region", "regions"),
    "foreign": ("id or attribute of another tool", "ids and attributes of another tool"),
    "verdict": ("verdict", "verdicts"),
    "trash": ("file", "files"),
    "written": ("written file", "written files"),
    "keeper": ("chosen image", "chosen images"),
    "preference": ("list of preferred folders", "lists of preferred folders"),
    "taxonomy": ("taxonomy setting", "taxonomy settings"),
    "arrival": ("new image", "new images"),
    "index": ("changed image", "changed images"),
    "attribute": ("attribute", "attributes"),
    "result": ("name", "names"),
}
_ASKED = ("label", "region label", "region", "arrival", "index")


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back."""

    id: Annotated[int, "the batch that holds the inverse; undoing it turns the changes round again"]
    undoes: Annotated[int, "the batch that was taken back; of a redo the undo"]
    batch: Annotated[int, "the batch whose changes were taken back, or made again"]
    verb: Annotated[str, "what had made that"]
    source: Annotated[str, "who had"]
    time: Annotated[str, "when, UTC"]
    note: str
    changes: Annotated[Mapping[str, int], "how much of what changed: label, trash…"]
    events: Annotated[int, "changes in all"]
    skipped: Annotated[int, "what was changed later, or could not be moved, and stays as it is"]
    files: Annotated[tuple[str, ...], "paths of the files that were moved"]
    not_moved: Annotated[Mapping[str, str], "path of each file that was not moved → reason"]
    written: Annotated[Mapping[str, str], "path of each file that was written → how it is now"]
    not_written: Annotated[Mapping[str, str], "path of each file that was not written → reason"]

    @property
    def exit_code(self) -> int:
        """1 where a file is not as it was before."""
        return int(bool(self.not_moved or self.not_written))


def undo_batch(session: Session, batch: int, *, yes: bool, command: str, who: str = "") -> Undone:
    """Take a batch back, with the files that it moved or wrote.

    Only where files change the writer's lock is held: a person can undo while a job runs.

    A file that cannot be moved or written stays as it is, with the reason; the rest goes on. When
    the work is cut off, the same call goes on.

    Parameters
    ----------
    session : Session
    batch : int
    yes : bool
        Whether the person agreed to change many labels or images.
    command : str
        What a person types for this; the message that refuses names it.
    who : str
        Who undoes it (default: the login name).

    Raises
    ------
    NotFound
        There is no such batch.
    UsageError
        It is undone already, all that it changed was changed later, or it is large and nobody
        said yes.
    """
    history = session.catalog.history
    taken = history.batch(batch)
    if not yes and not taken["undone"] and is_large(taken):
        raise UsageError(
            f"this changes {say_changes(taken['changes'])}; if that is meant: {command} --yes"
        )
    on_disk = any(subject in taken["changes"] for subject in ON_DISK)
    # What a job of another process writes meanwhile is told from this by the catalog.
    with session.lock("undo") if on_disk else session.catalog.transaction():
        undoing = history.begin_undo(batch, source=by(who))
        moves, writes = TrashSummary(), UndoneWrites()
        if history.changes(batch, MOVED_FILES):
            moves = undo_moves(session, batch, undoing)
        if history.changes(batch, WRITTEN_FILES):
            writes = undo_writes(session, batch, undoing)
        not_done = {**moves.skipped, **writes.refused}
        if not_done and not history.changes(undoing):
            history.close(undoing)
            path, reason = next(iter(not_done.items()))
            raise UsageError(
                f"batch {batch}: no file could be changed back; {path}: "
                f"{reason.removeprefix(f'{path}: ')}"
            )
        try:
            history.finish_undo(batch, undoing, len(not_done))
        except UsageError:
            history.close(undoing)
            raise
    done, about = history.batch(undoing), original(session, batch)
    return Undone(
        id=undoing,
        undoes=batch,
        batch=about["id"],
        verb=about["verb"],
        source=about["source"],
        time=about["time"],
        note=about["note"],
        changes=done["changes"],
        events=done["events"],
        skipped=done["skipped"],
        files=tuple(file.uri for file in moves.moved),
        not_moved=moves.skipped,
        written=writes.done,
        not_written=writes.refused,
    )


def settle_moves(session: Session) -> None:
    """Complete the record of files that a killed run moved, so that their batch can be undone."""
    if session.catalog.images.root() is not None:
        with session.lock("undo"):
            reconcile_trash(session.catalog, session.files.trash())
            sweep_after_kill(session)


def original(session: Session, batch: int) -> dict[str, Any]:
    """Return the batch that an undo, or an undo of an undo, is about in the end."""
    row = session.catalog.history.batch(batch)
    while row["undoes"] is not None:
        row = session.catalog.history.batch(row["undoes"])
    return row


def is_large(batch: Mapping[str, Any]) -> bool:
    """Tell whether a batch changed more labels or listed images than is undone unasked."""
    # Labels that came along with files that were moved are no reason to ask.
    moved = any(subject in batch["changes"] for subject in ON_DISK)
    return not moved and any(batch["changes"].get(name, 0) > MANY for name in _ASKED)


def say_changes(changes: Mapping[str, int]) -> str:
    """Return how much of what was changed, in words.

    >>> say_changes({"label": 12, "verdict": 1})
    '12 labels, 1 verdict'
    """
    parts = [counted(n, *_NOUNS.get(name, (name, name))) for name, n in changes.items()]
    return ", ".join(parts) or "nothing"


def say_batch(batch: Mapping[str, Any]) -> str:
    """Return a batch in a line: verb, who, when, how much, note."""
    when = str(batch["time"])[:16].replace("T", " ")
    _, _, person = str(batch["source"]).partition("human:")
    who = f" by {person}" if person else ""
    note = f" ({batch['note']})" if batch["note"] else ""
    return (
        f"batch {batch['id']}: {batch['verb']}{who}, {when} UTC, "
        f"{say_changes(batch['changes'])}{note}"
    )


def agree(session: Session, batch: int, *, yes: bool, screen: Screen, doing: str) -> bool:
    """Show what is going to be done, and ask where it is much.

    Returns
    -------
    bool
        Whether the person agreed; False where it is little, or where nobody can be asked.

    Raises
    ------
    Declined
        The person said no.
    """
    row = session.catalog.history.batch(batch)
    if row["undone"]:
        return yes
    about = {**original(session, batch), "changes": row["changes"]}
    screen.line(f"{doing} {say_batch(about)}")
    if yes or not is_large(row):
        return yes
    answer = screen.ask(f"This changes {say_changes(row['changes'])}. Go on?")
    if answer is False:
        raise Declined("nothing was changed")
    return bool(answer)


def show_undone(result: Undone, screen: Screen, *, done: str, back: str) -> None:
    """Show what was done, what was not, and how it is reversed."""
    screen.line(f"{done}: {say_changes(result.changes)} (batch {result.id}; {back})")
    for path, reason in result.not_moved.items():
        screen.note(f"not moved: {path}: {reason.removeprefix(f'{path}: ')}")
    for path, reason in result.not_written.items():
        screen.note(f"not written: {path}: {reason}")
    ways = Counter(result.written.values())
    for way, count in ways.most_common():
        first = next(path for path, how in result.written.items() if how == way)
        screen.line(f"{counted(count, 'file')}: {way} ({first}{', …' if count > 1 else ''})")
    later = result.skipped - len(result.not_moved) - len(result.not_written)
    if later > 0:
        one = "thing was changed again later and stays as it is"
        many = "things were changed again later and stay as they are"
        screen.note(f"{counted(later, one, many)}.")
