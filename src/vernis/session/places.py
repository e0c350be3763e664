"""``Places``: where images lie, and what lists them there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.domain.ports import FileSource

if TYPE_CHECKING:
    from vernis.adapters.parts.inside import PartLister
    from vernis.domain.metadata import FileMetadata
    from vernis.domain.parts import Inside
    from vernis.domain.posts import FeedPart
    from vernis.session.session import Session


class Places:
    """Folders, lists of files, buckets, pages of links, feeds, and what lies in files.

    Parameters
    ----------
    session : Session
        Whose root and images are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def file_source(
        self,
        folder: Path | None,
        files: Sequence[Path | str] | None = None,
        *,
        metadata: bool = False,
        root: Path | None = None,
        inside: PartLister | None = None,
    ) -> FileSource:
        """Return the folder (default: the indexed one), or the list of files, to be indexed.

        With ``metadata`` what they and their sidecars say is read too. ``root`` is the folder that
        the files lie below (default: the indexed one, else the one that they share); ``inside``
        tells what lies in files of a folder.
        """
        from vernis.adapters.files import FileListSource, FolderSource, common_folder

        reader = _MetadataReader() if metadata else None
        if files is None:
            place = folder.resolve() if folder is not None else self._session.root()
            return FolderSource(place, read_metadata=reader, inside=inside)
        paths = [Path(file).absolute() for file in files]
        place = root or self._session.catalog.images.root() or common_folder(paths)
        return FileListSource(place, paths, read_metadata=reader)

    def part_lister(
        self, kinds: Sequence[Inside], every: float | None, *, reuse: bool, place: str = ""
    ) -> PartLister | None:
        """Return what tells the frames, pages and pictures that lie in files of a folder.

        Parameters
        ----------
        kinds : sequence of {'video', 'pdf', 'tiff', 'slides'}
            None of them: nothing is looked into.
        every : float or None
            Seconds between two frames of a video; None: where a scene begins.
        reuse : bool
            Files that are as they were are not opened.
        place : str
            Address of the folder, empty for the indexed one.
        """
        from vernis.adapters.parts.inside import KnownFile, PartLister
        from vernis.domain.parts import split_part

        if not kinds:
            return None
        found: dict[str, tuple[int, int, list[str]]] = {}
        table = self._session.table()
        start = f"{place}/" if place else ""
        for row, uri in enumerate(table.uris if reuse else ()):
            part = split_part(uri) if "#" in uri and uri.startswith(start) else None
            if part is not None:
                size, mtime = int(table.sizes[row]), int(table.mtimes[row])
                parts = found.setdefault(part[0].removeprefix(start), (size, mtime, []))[2]
                parts.append(uri.removeprefix(start))
        known = {file: KnownFile(*told[:2], tuple(told[2])) for file, told in found.items()}
        return PartLister(frozenset(kinds), every, known)

    def place_source(
        self, address: str, *, metadata: bool = False, inside: PartLister | None = None
    ) -> FileSource:
        """Return what lists the images below an address: a bucket, a page, a further folder."""
        from vernis.adapters.files import FolderSource, OtherFolderSource, path_of
        from vernis.adapters.objects import ObjectSource, below
        from vernis.domain.addresses import FILE

        reader = _MetadataReader() if metadata else None
        if address.startswith(FILE):
            folder = path_of(Path("/"), address)
            return OtherFolderSource(FolderSource(folder, read_metadata=reader, inside=inside))
        return ObjectSource(address, below(address), address, read_metadata=reader)

    def address_source(
        self, addresses: Sequence[str], name: str, *, metadata: bool = False
    ) -> FileSource:
        """Return images named one by one by their addresses, and all of them by ``name``."""
        from vernis.adapters.objects import ObjectSource, of_addresses

        reader = _MetadataReader(sidecars=False) if metadata else None
        return ObjectSource(name, of_addresses(addresses), read_metadata=reader)

    def is_feed(self, path: Path | str) -> bool:
        """Tell whether a path is, by its name, a feed: JSON Lines that name pictures."""
        from vernis.adapters.interchange.feed import is_feed

        return is_feed(Path(path))

    def feed_head(self, path: Path, size: int) -> str:
        """Return a digest of a feed's first bytes; raises StorageError."""
        from vernis.adapters.interchange.feed import head_of

        return head_of(path, size)

    def read_feed(self, path: Path, start: int = 0) -> Iterator[FeedPart]:
        """Yield the posts of a feed from a byte on, some thousand at a time; StorageError."""
        from vernis.adapters.interchange.feed import read_feed

        return read_feed(path, start)

    def address_of(self, path: Path | str) -> str:
        """Return the address of a local file or folder that does not lie below the root."""
        from vernis.adapters.files import address_of

        return address_of(Path(path))


@dataclass(frozen=True, slots=True)
class _MetadataReader:
    """Reads what a file says, and its sidecar unless there is none to look for."""

    sidecars: bool = True

    def __call__(self, path: Path, data: bytes | None, sidecar: bool) -> FileMetadata:
        from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata

        return read_file_metadata(path, data, with_sidecar=sidecar and self.sidecars)
