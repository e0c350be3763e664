"""``vernis index``: list the images: new, changed, moved, vanished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import UsageError
from vernis.domain.types import UNREAD_FOLDER, IndexChanges
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.writing_back import sweep_after_kill
from vernis.verbs.declare import KEEP_CASE, EngineOptions, Home, Option, Screen, Verb
from vernis.verbs.steps.describing import (
    FileWords,
    Listener,
    chosen,
    describe_files,
    taxonomy_of_files,
)
from vernis.verbs.steps.folder_classes import (
    ClassesFrom,
    FolderLabels,
    label_by_folders,
)
from vernis.verbs.steps.indexing import index_files

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(EngineOptions):
    """What is listed."""

    paths: Annotated[
        Sequence[Path | str], Option("a folder, or files (default: the indexed folder)")
    ] = ()
    _: KW_ONLY
    classes_from: ClassesFrom = None
    keep_case: Annotated[bool, KEEP_CASE] = False
    file_words: FileWords = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one indexing found, in images."""

    images: Annotated[int, "images listed, the unreadable ones included"]
    new: int
    changed: int
    moved: int
    vanished: int
    unchanged: int
    unreadable: int
    other_files: Annotated[int, "files that are no images"]
    labelled_by_folder: Annotated[Mapping[str, int], "taxonomy of class folders → labelled images"]
    notes: Annotated[tuple[str, ...], "what was seen of the folders, and done to their names"] = ()


def home(settings: Settings) -> Home:
    """Say that a collection may be made for a folder, or where the user names one."""
    for path in settings.paths:
        if not Path(path).exists():
            raise UsageError(f"{path}: no such file or folder")
    return Home(folder=_folder(settings), may_be_new=bool(settings.paths))


def _folder(settings: Settings) -> Path | None:
    paths = [Path(path) for path in settings.paths]
    return paths[0] if len(paths) == 1 and paths[0].is_dir() else None


def work(session: Session, settings: Settings, *, by_folders: bool = True) -> Result:
    """Bring the list of images up to date; take classes from folders unless labels were imported.

    What the files and their sidecars say (keywords, captions, …) becomes labels and attributes, as
    a batch of its own. Folders become a new taxonomy only where names and pictures speak for it,
    so that there are vectors by then, or where ``classes_from`` says so; see ``folder_classes``.

    Raises
    ------
    UsageError
        A path is not there, or nothing was indexed before and none is given.
    """
    home(settings)
    folder = _folder(settings)
    files = None if folder is not None or not settings.paths else settings.paths
    with session.lock("index"):
        listens = chosen(session, settings.file_words) == "read"
        source = session.file_source(folder, files, metadata=listens)
        listener = Listener(taxonomy_of_files(session))
        session.catalog.vectors.collect_garbage()
        if session.catalog.images.root() is not None:
            sweep_after_kill(session)
        history = session.catalog.history
        batch = history.begin("index", source=by(), note=str(source.root))
        found = index_files(
            session, source, workers=settings.workers, batch=batch, hear=listener.hear
        )
        labelled = FolderLabels()
        with history.joined(batch):
            if by_folders:
                labelled = label_by_folders(
                    session, classes_from=settings.classes_from, keep_case=settings.keep_case
                )
        changes = found.changes
        history.close(batch, f"{source.root}: {_say_changes(changes)}")
        said: list[str] = []
        if listens:
            said = describe_files(session, source, found.listed, listener, settings.workers)
    return Result(
        images=found.images,
        new=changes.new,
        changed=changes.changed,
        moved=changes.moved,
        vanished=changes.vanished,
        unchanged=changes.unchanged,
        unreadable=changes.unreadable,
        other_files=sum(found.other_files.values()),
        labelled_by_folder=labelled.images,
        notes=(*labelled.notes, *said, *_say_unread(session)),
    )


def _say_unread(session: Session) -> list[str]:
    """Return what was passed over that a person can have read: folders, and formats of extras."""
    unread = session.images("unreadable")
    folders = [image for image in unread if image.reason.startswith(UNREAD_FOLDER)]
    notes = []
    if folders:
        named = ", ".join(folder.uri for folder in folders[:3])
        more = f" and {len(folders) - 3:,} more" if len(folders) > 3 else ""
        why = folders[0].reason.removeprefix(UNREAD_FOLDER).strip()
        notes.append(
            f"{counted(len(folders), 'folder')} cannot be read {why}: {named}{more}; "
            "give yourself the right to read, then run again"
        )
    extras = Counter(image.reason for image in unread if "pip install" in image.reason)
    notes += [f"{counted(n, 'picture')} unread: {reason}" for reason, n in extras.items()]
    return notes


def _say_changes(changes: IndexChanges) -> str:
    """Return what came, went and moved, for the note of the batch."""
    counts = {name: getattr(changes, name) for name in ("new", "changed", "moved", "vanished")}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "labels"


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    counts = ("images", "new", "changed", "moved", "vanished", "unchanged", "unreadable")
    facts = {name: getattr(result, name) for name in counts}
    facts["other files"] = result.other_files
    by_folder = {f"labelled by folder: {k}": n for k, n in result.labelled_by_folder.items()}
    screen.facts(facts | by_folder)


VERB = Verb(Settings, work, show, home=home)
