"""``vernis index``: list the images: new, changed, moved, vanished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

from vernis.domain.addresses import is_address
from vernis.domain.types import UNREAD_FOLDER, IndexChanges
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.writing_back import sweep_after_kill
from vernis.verbs.declare import KEEP_CASE, EngineOptions, Home, Option, Screen, Verb
from vernis.verbs.steps.describing import FileWords, chosen
from vernis.verbs.steps.feeds import sum_changes
from vernis.verbs.steps.folder_classes import (
    ClassesFrom,
    FolderLabels,
    label_by_folders,
)
from vernis.verbs.steps.insides import EveryOption, InsideOption, choose_inside
from vernis.verbs.steps.places import (
    FEED_SUFFIXES,
    Looking,
    Manner,
    check_place,
    forget_places,
    sort_places,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(EngineOptions):
    """What is listed."""

    paths: Annotated[
        Sequence[Path | str],
        Option(
            "a folder, or files; also addresses (s3://BUCKET/FOLDER, gs://…, https://…), further "
            "folders and feeds (FEED.jsonl) beside it (default: all that were indexed)"
        ),
    ] = ()
    _: KW_ONLY
    classes_from: ClassesFrom = None
    keep_case: Annotated[bool, KEEP_CASE] = False
    file_words: FileWords = None
    inside: InsideOption = ()
    every: EveryOption = None
    forget: Annotated[
        Sequence[str],
        Option(
            "look at this address or further folder no more; its images count as vanished",
            requests=None,
        ),
    ] = ()


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
    posts: Annotated[int, "lines of feeds that were read"] = 0
    notes: Annotated[tuple[str, ...], "what was seen of the folders, and done to their names"] = ()


def home(settings: Settings) -> Home:
    """Say that a collection may be made for a folder, or where the user names one.

    Raises
    ------
    UsageError
        A path is not there, or an address holds a password.
    """
    for path in settings.paths:
        check_place(path)
    folder = _folder(settings)
    addresses = [str(path) for path in settings.paths if is_address(str(path))]
    if folder is None and addresses:
        name = PurePosixPath(addresses[0].rstrip("/")).name.partition(".")[0]
        return Home(may_be_new=True, name=name or "images")
    feeds = [Path(path) for path in settings.paths if Path(path).suffix.lower() in FEED_SUFFIXES]
    if folder is None and feeds:
        return Home(may_be_new=True, name=feeds[0].stem)
    return Home(folder=folder, may_be_new=bool(settings.paths))


def _folder(settings: Settings) -> Path | None:
    """Return the folder that is named, or the first of several places where it is one."""
    if not settings.paths or is_address(str(settings.paths[0])):
        return None
    first = Path(settings.paths[0])
    return first if first.is_dir() else None


def work(session: Session, settings: Settings, *, by_folders: bool = True) -> Result:
    """Bring the list of images up to date; take classes from folders unless labels were imported.

    What the files and their sidecars say (keywords, captions, …) becomes labels and attributes, as
    a batch of its own. Folders become a new taxonomy only where names and pictures speak for it,
    so that there are vectors by then, or where ``classes_from`` says so; see ``folder_classes``.
    An address, or a further folder, is looked at beside the folder that was indexed before; without
    a path all that the collection knows are looked at again, and feeds are read on.

    Raises
    ------
    UsageError
        A path is not there, or nothing was indexed before and none is given.
    StorageError
        A store refuses to list its objects, or does not answer.
    """
    home(settings)
    with session.lock("index"):
        if settings.forget:
            forget_places(session, settings.forget)
        listens = chosen(session, settings.file_words) == "read"
        inside, reuse = choose_inside(session, settings.inside, settings.every)
        places = sort_places(session, settings.paths, Manner(listens, inside, reuse))
        session.catalog.vectors.collect_garbage()
        if session.catalog.images.root() is not None:
            sweep_after_kill(session)
        history = session.catalog.history
        batch = history.begin("index", source=by(), note=places.name)
        looking = Looking(session, batch, settings.workers, listens=listens)
        for source in places.sources:
            looking.look(source)
        for feed in places.feeds:
            looking.read_on(feed)
        session.catalog.images.set_places([*session.catalog.images.places(), *places.added])
        if not settings.paths and len(places.sources) > 1:
            session.catalog.images.set_other_files(looking.other_files)
        labelled = FolderLabels()
        with history.joined(batch):
            if by_folders:
                labelled = label_by_folders(
                    session, classes_from=settings.classes_from, keep_case=settings.keep_case
                )
        changes = sum_changes(looking.changes)
        history.close(batch, f"{places.name}: {_say_changes(changes)}")
        said = looking.describe()
    return Result(
        images=looking.images,
        new=changes.new,
        changed=changes.changed,
        moved=changes.moved,
        vanished=changes.vanished,
        unchanged=changes.unchanged,
        unreadable=changes.unreadable,
        other_files=looking.other_files.total(),
        labelled_by_folder=labelled.images,
        posts=looking.posts,
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
    if result.posts:
        facts["posts"] = result.posts
    by_folder = {f"labelled by folder: {k}": n for k, n in result.labelled_by_folder.items()}
    screen.facts(facts | by_folder)


VERB = Verb(Settings, work, show, home=home)
