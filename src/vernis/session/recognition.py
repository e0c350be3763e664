"""Know the collection of a folder by what is in it, wherever either of the two has moved.

A name says little: folders are renamed and mounted elsewhere, and two folders may have one name.
Sizes are compared first, then the content of a sample, so that 57,000 images cost one listing and
some hundred files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vernis.domain.addresses import is_address, is_own_file
from vernis.domain.errors import CatalogError, UsageError
from vernis.domain.types import FileTable, ImageTable

_SAMPLE = 96  # files of each side
_TRIES = 32  # files of one size that are hashed for one image
_MOST_LACKING = 0.2  # of the images of a collection that goes on: some are always deleted
_LEAST_KNOWN = 0.3  # of the files of the folder: a collection may grow threefold
_SOME = 0.1  # share of images in common from which it is worth saying


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a folder and a collection have in common.

    Attributes
    ----------
    known : float
        Share of the folder's files that the collection knows, 0..1.
    found : float
        Share of the collection's images that lie in the folder, 0..1.
    """

    known: float
    found: float

    @property
    def is_same(self) -> bool:
        """Whether the folder is the collection's, be it grown or somewhat thinned out."""
        return self.found >= 1 - _MOST_LACKING and self.known >= _LEAST_KNOWN

    @property
    def is_some(self) -> bool:
        """Whether there is more in common than chance gives."""
        return max(self.known, self.found) >= _SOME


@dataclass(frozen=True, slots=True)
class Home:
    """The collection of a folder.

    Attributes
    ----------
    folder : Path
        The collection's; not there yet where one is to be made.
    note : str
        What a person should know of the choice, in one line; often empty.
    """

    folder: Path
    note: str = ""


def find_home(images: Path, here: Path, suffix: str) -> Home:
    """Return the collection of a folder of images among those of the working folder.

    In this order: the one that was made of this very folder; one whose own folder is gone and
    whose images are here; a new one, named after the folder.

    Parameters
    ----------
    images : Path
        A folder.
    here : Path
        Where collections lie.
    suffix : str
        Of their folders.

    Raises
    ------
    UsageError
        Several collections may be meant; names them, and ``--collection``.
    """
    own = Path(f"{images.resolve().name}{suffix}")
    collections = _read_collections(here, suffix)
    of_this = [place for place, root in collections.items() if _is_same_place(root, images)]
    if of_this:
        chosen = own if own in of_this else of_this[0]
        if len(of_this) > 1 and own not in of_this:
            raise UsageError(_ask(images, of_this))
        return Home(chosen)
    is_unread = (here / own).exists() and own not in collections  # older, damaged, or no catalog
    if not collections or is_unread:
        return Home(own)
    return _choose(images, here, own, collections)


def find_named_home(name: str, here: Path, suffix: str) -> Path:
    """Return the collection in a folder to which images of elsewhere are added.

    One of that name; else the only one there is; else a new one of that name.

    Raises
    ------
    UsageError
        There are several others.
    """
    own = here / f"{name}{suffix}"
    found = sorted(path for path in here.glob(f"*{suffix}") if path.is_dir())
    if own.exists() or not found:
        return own
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found)
    raise UsageError(
        f"{here.resolve()} holds several collections ({names}); name one: --collection"
    )


def _read_collections(here: Path, suffix: str) -> dict[Path, Path | None]:
    """Return the collections in a folder, each with its folder of images."""
    from vernis.adapters.catalog.catalog import SqliteCatalog

    found: dict[Path, Path | None] = {}
    for place in sorted(here.glob(f"*{suffix}")):
        try:
            with SqliteCatalog.open(place, True) as catalog:
                beside = catalog.images.root_beside()
                found[place.relative_to(here)] = beside or catalog.images.root()
        except CatalogError:  # no collection, or one that says so itself when it is opened
            continue
    return found


def _choose(images: Path, here: Path, own: Path, collections: dict[Path, Path | None]) -> Home:
    from vernis.adapters.files import FolderSource

    listed, _ = FolderSource(images.resolve()).list_files()
    likeness = {
        place: _compare(images.resolve(), listed, here / place)
        for place, root in collections.items()
        if root is not None and len(listed)
    }
    ranked = sorted(likeness, key=lambda place: -likeness[place].known - likeness[place].found)
    same = [place for place in ranked if likeness[place].is_same]
    left = [place for place in same if not _holds_its_images(here / place, collections[place])]
    if len(left) == 1 and (left == same or own not in same):
        place = left[0]
        moved = f"that lay in {collections[place]}" if place != own else "moved"
        return Home(place, f"goes on with {place}: it knows the images of {images}, {moved}")
    if same:
        raise UsageError(_ask(images, same))
    if collections.get(own, images) is None:  # nothing was indexed into it yet
        return Home(own)
    free = _free_name(here, own)
    notes = [
        f"{place} knows {found.known:.0%} of these files and holds {found.found:.0%} of its "
        f"images here; to go on with it: --collection {place}"
        for place, found in likeness.items()
        if found.is_some
    ]
    if free != own:
        notes.insert(0, f"{own} is about other images, those of {collections[own]}")
    return Home(free, f"a new collection, {free}: {'; '.join(notes)}" if notes else "")


def _ask(images: Path, places: Sequence[Path]) -> str:
    several = " and ".join(map(str, places))
    verb = "know" if len(places) > 1 else "is about another folder and knows"
    return (
        f"{several} {verb} the images of {images}; say which to go on with: "
        f"--collection {places[0]}, or a new name to begin anew"
    )


def _free_name(here: Path, own: Path) -> Path:
    name, number = own, 2
    while (here / name).exists():
        name = own.with_stem(f"{own.stem}-{number}")
        number += 1
    return name


def _is_same_place(root: Path | None, images: Path) -> bool:
    if root is None:
        return False
    try:
        return root.samefile(images)
    except OSError:
        return False


def _holds_its_images(place: Path, root: Path | None) -> bool:
    """Tell whether a collection's own folder is still there, with images of it."""
    from vernis.adapters.files import path_of

    if root is None or not root.is_dir():
        return False
    uris = [uri for uri in _read_table(place).uris if not is_address(uri) and is_own_file(uri)]
    return any(path_of(root, uri).is_file() for uri in uris[:_SAMPLE])


def _read_table(place: Path) -> ImageTable:
    from vernis.adapters.catalog.catalog import SqliteCatalog

    with SqliteCatalog.open(place, True) as catalog:
        return catalog.images.table(("present", "unreadable"))


def _compare(images: Path, listed: FileTable, place: Path) -> Likeness:
    """Compare the files of a folder with the images of a collection, by samples of both."""
    from vernis.adapters.catalog.catalog import SqliteCatalog

    with SqliteCatalog.open(place, True) as catalog:
        table = catalog.images.table(("present", "unreadable"))
        if not len(table):
            return Likeness(0.0, 0.0)
        contents = _Contents(images, listed, catalog.images.contents_of)
        rng = np.random.default_rng(0)
        files = rng.choice(len(listed), min(_SAMPLE, len(listed)), replace=False).tolist()
        sizes, hashes = set(table.sizes.tolist()), set(table.hashes.tolist())
        known = sum(
            int(listed.sizes[row]) in sizes and contents.hash_of(row) in hashes for row in files
        )
        own = [row for row, uri in enumerate(table.uris) if is_own_file(uri)]
        if not own:
            return Likeness(0.0, 0.0)
        rows = rng.choice(own, min(_SAMPLE, len(own)), replace=False).tolist()
        found = sum(
            contents.hold(table.uris[row], int(table.sizes[row]), bytes(table.hashes[row]))
            for row in rows
        )
    return Likeness(known / len(files), found / len(rows))


class _Contents:
    """Hashes of a folder's files, each made when it is asked for.

    Parameters
    ----------
    images : Path
    listed : FileTable
    contents_of : callable
        Hashes of files → the content of those that Vernis wrote words into.
    """

    def __init__(
        self,
        images: Path,
        listed: FileTable,
        contents_of: Callable[[Sequence[str]], Mapping[str, str]],
    ) -> None:
        self._images = images
        self._listed = listed
        self._contents_of = contents_of
        self._hashes: dict[int, bytes] = {}
        self._row_of = {uri: row for row, uri in enumerate(listed.uris)}
        self._by_size: dict[int, list[int]] = defaultdict(list)
        for row, size in enumerate(listed.sizes.tolist()):
            self._by_size[size].append(row)

    def hash_of(self, row: int) -> bytes:
        """Return the content hash of a file, empty when it cannot be read."""
        from vernis.adapters.files import hash_file, path_of

        if row not in self._hashes:
            try:
                text = hash_file(path_of(self._images, self._listed.uris[row]))
            except OSError:
                text = ""
            self._hashes[row] = self._contents_of([text]).get(text, text).encode()
        return self._hashes[row]

    def hold(self, uri: str, size: int, content: bytes) -> bool:
        """Tell whether an image lies in the folder, at its place or at another."""
        likely = self._by_size.get(size, [])
        place = self._row_of.get(uri)
        if place in likely:
            likely = [place, *likely[:_TRIES]]
        return any(self.hash_of(row) == content for row in likely[: _TRIES + 1])
