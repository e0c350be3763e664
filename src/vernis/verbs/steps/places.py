"""Where the images of a collection lie: its folder, further folders, buckets, pages, feeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vernis.domain.addresses import FILE, holds_secret, is_address, kind_of, name_of, shown
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.ports import FileSource
from vernis.domain.types import FileTable, IndexChanges
from vernis.verbs.steps.describing import Listener, describe_files, taxonomy_of_files
from vernis.verbs.steps.feeds import index_feed
from vernis.verbs.steps.indexing import index_files
from vernis.verbs.steps.insides import InsideChoice

if TYPE_CHECKING:
    from vernis.session.session import Session

FEED_SUFFIXES = (".jsonl", ".ndjson")
_FETCHERS = 16
"""Workers that index what is fetched: they wait more than they work."""
_SINGLE = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".heic"})


@dataclass(frozen=True, slots=True)
class Places:
    """What an indexing looks at.

    Attributes
    ----------
    sources : tuple of FileSource
    feeds : tuple of Path
    added : tuple of str
        Addresses that are looked at again from now on.
    name : str
        For people.
    """

    sources: tuple[FileSource, ...]
    feeds: tuple[Path, ...]
    added: tuple[str, ...]
    name: str


def check_place(path: Path | str) -> None:
    """Refuse a path that is not there, and an address that holds a password; UsageError."""
    text = str(path)
    if is_address(text):
        if holds_secret(text):
            raise UsageError(
                f"{shown(text)}: the address holds a password or signature, which a collection "
                "never keeps; give it by the environment, as the store's own tools read it"
            )
    elif not Path(path).exists():
        raise UsageError(f"{path}: no such file or folder")


@dataclass(frozen=True, slots=True)
class Manner:
    """How places are looked at.

    Attributes
    ----------
    metadata : bool
        What files say is read.
    inside : InsideChoice
        What lies in files is listed.
    reuse : bool
        Files that are as they were are not opened for it.
    """

    metadata: bool
    inside: InsideChoice = field(default_factory=InsideChoice)
    reuse: bool = True

    def own(self, session: Session, folder: Path | None) -> FileSource:
        """Return the source of the collection's own folder."""
        inside = session.places.part_lister(self.inside.kinds, self.inside.every, reuse=self.reuse)
        return session.places.file_source(folder, metadata=self.metadata, inside=inside)

    def place(self, session: Session, address: str) -> FileSource:
        """Return the source of another place."""
        inside = None
        if address.startswith(FILE):
            inside = session.places.part_lister(
                self.inside.kinds, self.inside.every, reuse=self.reuse, place=address
            )
        return session.places.place_source(address, metadata=self.metadata, inside=inside)


def sort_places(session: Session, paths: Sequence[Path | str], manner: Manner) -> Places:
    """Return what is to be looked at: what is named, or all that the collection knows.

    The first folder is the collection's own, unless it has one already that is named too or other
    places stand beside it.

    Raises
    ------
    UsageError
        Nothing is named, and nothing was indexed before.
    """
    known = session.catalog.images.places()
    if not paths:
        return _known_places(session, known, manner)
    addresses = [str(path).rstrip("/") for path in paths if is_address(str(path))]
    local = [Path(path) for path in paths if not is_address(str(path))]
    feeds = [path for path in local if path.suffix.lower() in FEED_SUFFIXES and path.is_file()]
    folders = [path for path in local if path.is_dir()]
    files = [path for path in local if path not in feeds and path not in folders]
    root = session.catalog.images.root()
    own = _own_folder(root, folders, alone=len(paths) == 1)
    tops = [folder.resolve() for folder in (own, root) if folder is not None][:1]
    others = [
        session.places.address_of(path.resolve())
        for path in folders
        # What lies below the collection's own folder is listed already.
        if path != own and not any(path.resolve().is_relative_to(top) for top in tops)
    ]
    singles = [address for address in addresses if _is_single(address)]
    wide = [address for address in addresses if not _is_single(address)]
    sources: list[FileSource] = []
    if own is not None:
        sources.append(manner.own(session, own))
    if files:
        sources.append(session.places.file_source(None, files, metadata=manner.metadata))
    sources += [manner.place(session, one) for one in (*others, *wide)]
    if singles:
        source = session.places.address_source(singles, singles[0], metadata=manner.metadata)
        sources.append(source)
    marks = [session.places.address_of(feed.resolve()) for feed in feeds]
    name = ", ".join(source.name for source in sources) or ", ".join(map(str, feeds))
    return Places(tuple(sources), tuple(feeds), (*others, *wide, *marks), name)


def _own_folder(root: Path | None, folders: Sequence[Path], *, alone: bool) -> Path | None:
    """Return the folder among some that is the collection's own."""
    if not folders or alone or root is None:
        return folders[0] if folders else None
    return next((folder for folder in folders if folder.resolve() == root.resolve()), None)


def _is_single(address: str) -> bool:
    return PurePosixPath(name_of(address)).suffix.lower() in _SINGLE


def _known_places(session: Session, known: Sequence[str], manner: Manner) -> Places:
    feeds = [session.files.path_of_uri(one) for one in known if _names_feed(one)]
    wide = [one for one in known if not _names_feed(one)]
    sources: list[FileSource] = []
    if session.catalog.images.root() is not None or not known:
        sources.append(manner.own(session, None))
    sources += [manner.place(session, one) for one in wide]
    name = ", ".join(source.name for source in sources) or ", ".join(map(str, feeds))
    return Places(tuple(sources), tuple(feeds), (), name)


def _names_feed(address: str) -> bool:
    return kind_of(address) == "file" and address.lower().endswith(FEED_SUFFIXES)


def forget_places(session: Session, named: Sequence[str]) -> None:
    """Look at some places no more; their images count as vanished, and come back with them.

    Raises
    ------
    NotFound
        The collection looks at no such place.
    """
    images = session.catalog.images
    known = images.places()
    for text in named:
        place = text if is_address(text) else session.places.address_of(Path(text).resolve())
        kept = [one for one in known if one.rstrip("/") != place.rstrip("/")]
        if len(kept) == len(known):
            raise NotFound(f"{text}: no such place; there are: {', '.join(known) or 'none'}")
        known = kept
        below = f"{place.rstrip('/')}/"
        table = session.table("present", "unreadable")
        gone = [row for row, uri in enumerate(table.uris) if uri.startswith(below)]
        images.set_state(table.ids[gone].tolist(), "vanished")
    images.set_places(known)


@dataclass(slots=True)
class Looking:
    """One indexing of several places.

    Parameters
    ----------
    session : Session
    batch : int
        Of the history.
    workers : int or None
    listens : bool
        What files say is recorded.
    """

    session: Session
    batch: int
    workers: int | None
    listens: bool
    changes: list[IndexChanges] = field(default_factory=list)
    other_files: Counter[str] = field(default_factory=Counter)
    images: int = 0
    posts: int = 0
    notes: list[str] = field(default_factory=list)
    _heard: list[tuple[FileSource, FileTable, Listener]] = field(default_factory=list)

    def look(self, source: FileSource) -> IndexChanges:
        """List the images of a source in the catalog."""
        listener = Listener(taxonomy_of_files(self.session))
        workers = self.workers
        if workers is None and source.root is None and not source.name.startswith(FILE):
            workers = _FETCHERS
        found = index_files(
            self.session, source, workers=workers, batch=self.batch, hear=listener.hear
        )
        self.changes.append(found.changes)
        self.other_files.update(found.other_files)
        self.images += found.images
        if self.listens:
            self._heard.append((source, found.listed, listener))
        return found.changes

    def read_on(self, feed: Path) -> None:
        """List the pictures of what was added to a feed."""
        found = index_feed(self.session, feed, self.look)
        self.posts += found.posts
        self.notes += found.notes

    def describe(self) -> list[str]:
        """Record what the files said; returns what is to be told of that, and of feeds."""
        told = []
        for source, listed, listener in self._heard:
            told += describe_files(self.session, source, listed, listener, self.workers)
        return [*told, *self.notes]
