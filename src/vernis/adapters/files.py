"""The files of a collection: walk a folder, name its files, hash and probe them.

A uri is the path below the root with ``/`` between the parts. Bytes of a name that are not UTF-8
(old archives, file systems in another encoding) are written as ``%XX`` with upper-case hexadecimal
digits, so that every name fits into SQLite and JSON; a ``%`` that would be mistaken for such an
escape is written ``%25``. All other names are kept as they are, ``%20`` included.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.object_copies import fetched
from vernis.adapters.probe import DEFAULT_LIMITS, HEIF_BRANDS, Limits, probe
from vernis.domain.addresses import FILE, is_address, is_own_file
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.domain.metadata import FileMetadata
from vernis.domain.parts import split_part
from vernis.domain.ports import Decoded, Pixels
from vernis.domain.types import UNREAD_FOLDER, FileTable, FoundFile, ImageRecord

if TYPE_CHECKING:
    from vernis.adapters.parts.inside import PartLister

IMAGE_SUFFIXES = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".apng", ".tif", ".tiff", ".webp"),
        *(".gif", ".bmp", ".dib", ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k"),
        *(".jpf", ".jpx", ".jpc", ".mpo", ".psd", ".tga", ".ico", ".cur", ".icns", ".ppm"),
        *(".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".dcx", ".sgi", ".rgb", ".bw", ".dds"),
        *(".qoi", ".blp", ".fli", ".flc", ".gbr", ".msp", ".p7", ".im", ".ras", ".xbm", ".xpm"),
        *(".ftc", ".ftu"),
    ]
)
"""Files with these names are images: when they cannot be read they are reported one by one."""

_OTHER_SUFFIXES = frozenset(
    [
        *(".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef"),
        *(".srw", ".raw", ".3fr", ".svg", ".svgz", ".pdf", ".eps", ".ai", ".ps", ".csv"),
        *(".tsv", ".txt", ".json", ".jsonl", ".md", ".xml", ".html", ".htm", ".yaml", ".yml"),
        *(".xmp", ".zip", ".gz", ".tar", ".7z", ".rar", ".mp4", ".mov", ".avi", ".mkv"),
        *(".webm", ".m4v", ".mp3", ".wav", ".ppt", ".pptx", ".doc", ".docx", ".xls", ".xlsx"),
        *(".key", ".py", ".ipynb", ".npy", ".npz", ".db", ".ini", ".lnk", ".log"),
    ]
)
"""Files with these names are counted without a look inside (raw pictures resemble TIFF)."""

_SIDECAR_ENDINGS = (".xmp", ".XMP")
_MOST_AT_ONCE = 1 << 26  # bytes of a file that are held to be hashed and read

_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information"})
ReadMetadata = Callable[[Path, bytes | None, bool], FileMetadata]
"""Reads what an image file says: its path, its bytes where they were read, whether a sidecar may
lie beside it. Raises UnreadableImage."""

_SURROGATE = re.compile("[\udc80-\udcff]")
_AMBIGUOUS = re.compile("%(?=(?:25)*[89A-F][0-9A-F])")
_ESCAPE = re.compile("%25(?=(?:25)*[89A-F][0-9A-F])|%([89A-F][0-9A-F])")


def escape_name(name: str) -> str:
    """Return a file name as uris hold it: bytes that are not UTF-8 as ``%XX``."""
    escaped = _AMBIGUOUS.sub("%25", name)
    return _SURROGATE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", escaped)


def unescape_name(text: str) -> str:
    """Invert ``escape_name``; the result names the file for Python's file functions."""
    return _ESCAPE.sub(lambda found: chr(0xDC00 + int(found[1], 16)) if found[1] else "%", text)


def uri_of(root: Path, path: Path) -> str:
    """Return the uri of a file below a root; raises UsageError when it lies elsewhere."""
    try:
        relative = path.relative_to(root)
    except ValueError as error:
        raise UsageError(f"{path} does not lie in the indexed folder {root}") from error
    return "/".join(escape_name(part) for part in relative.parts)


def path_of(root: Path, uri: str) -> Path:
    """Return a file that holds the picture of a uri: below a root, or a copy of an object or part.

    Raises
    ------
    UnreadableImage, StorageError
        Of an address or a part, see ``object_copies.fetched`` and ``parts.inside.part_file``; a
        path below the root is not looked at.
    """
    part = split_part(uri) if "#" in uri else None
    if part is not None:
        from vernis.adapters.parts.inside import part_file

        return part_file(path_of(root, part[0]), part[1])
    if is_address(uri) and not uri.startswith(FILE):
        return fetched(uri)
    if uri.startswith(FILE):
        root, uri = Path("/"), uri.removeprefix(FILE).lstrip("/")
    return root.joinpath(*(unescape_name(part) for part in uri.split("/")))


def own_file(root: Path, uri: str) -> Path:
    """Return the file of an image that may be moved and written; raises UsageError for others."""
    part = split_part(uri)
    if part is not None:
        raise UsageError(f"{uri}: is a part of {part[0]}, which stays as it is")
    if not is_own_file(uri):
        raise UsageError(f"{uri}: lies in a store that is only read, never changed")
    return path_of(root, uri)


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """Decodes the pictures of images below a root; other processes may get a copy.

    Parameters
    ----------
    root : Path
    decoder : PictureDecoder
    """

    root: Path
    decoder: PictureDecoder = field(default_factory=PictureDecoder)

    def read(self, image: ImageRecord) -> Pixels:
        """Decode the picture of an image; raises UnreadableImage or OSError."""
        return self.decoder(path_of(self.root, image.uri))

    def examine(self, image: ImageRecord) -> Decoded:
        """Decode the picture of an image and say what is damaged of it; raises as ``read``."""
        return self.decoder.examine(path_of(self.root, image.uri))

    def digest(self, image: ImageRecord) -> str:
        """Digest all that the file of an image holds as a picture; raises as ``read``."""
        return self.decoder.digest(path_of(self.root, image.uri))


@dataclass(slots=True)
class Listing:
    """What a walk met, in columns.

    Attributes
    ----------
    uris : list of str
        Images, and folders that cannot be read, as they were met.
    sizes, mtimes : array of int
    reasons : dict of str to str
        uri → why it cannot be read.
    other_files : Counter
        Files that are not images, by lower-case suffix with the dot; those without a suffix
        under ``(none)``, hidden ones under ``(hidden)``, pipes and devices under ``(special)``.
    sidecars : dict of str to (int, int)
        uri of a sidecar → its size and time of change.
    """

    uris: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("q"))
    mtimes: array[int] = field(default_factory=lambda: array("q"))
    reasons: dict[str, str] = field(default_factory=dict)
    other_files: Counter[str] = field(default_factory=Counter)
    sidecars: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, uri: str, size: int = 0, mtime_ns: int = 0, reason: str = "") -> None:
        """Add an image."""
        self.uris.append(uri)
        self.sizes.append(size)
        self.mtimes.append(mtime_ns)
        if reason:
            self.reasons[uri] = reason

    def table(self) -> FileTable:
        """Return the images in the order of their uris, each once."""
        sizes, mtimes = (np.array(column, np.int64) for column in (self.sizes, self.mtimes))
        uris = tuple(self.uris)
        if not all(one < other for one, other in pairwise(uris)):  # most walks meet them in order
            order = sorted(range(len(uris)), key=uris.__getitem__)
            order = [
                row
                for place, row in enumerate(order, 1)
                if place == len(order) or uris[row] != uris[order[place]]
            ]
            rows = np.array(order, dtype=np.intp)
            uris, sizes, mtimes = tuple(uris[row] for row in order), sizes[rows], mtimes[rows]
        return FileTable(
            uris,
            sizes,
            mtimes,
            {bisect_left(uris, uri): reason for uri, reason in self.reasons.items()},
            self._marks(uris),
        )

    def _marks(self, uris: Sequence[str]) -> dict[int, int]:
        """Return the marks of the files beside which a sidecar may lie."""
        if not self.sidecars:
            return {}
        marks = ((row, _mark(uri, self.sidecars.get)) for row, uri in enumerate(uris))
        return {row: mark for row, mark in marks if mark}


def sidecar_mark(root: Path, uri: str) -> int:
    """Return the mark of the sidecars that lie beside a file now; 0 where there is none."""
    if not is_own_file(uri):
        return 0
    found: dict[str, tuple[int, int]] = {}
    for sidecar in _possible_sidecars(path_of(root, uri)):
        found.update(_stamped(root, sidecar))
    return _mark(uri, found.get)


def _mark(uri: str, find: Callable[[str], tuple[int, int] | None]) -> int:
    """Return what tells the sidecars of a file from other ones; 0 where there is none.

    ``NAME.xmp`` counts for every file of that stem: which of them it means is asked when it is
    read.
    """
    stem, dot, suffix = uri.rpartition(".")
    names = (uri, stem) if dot and "/" not in suffix else (uri,)
    found = {
        name + ending: stamp
        for name in names
        for ending in _SIDECAR_ENDINGS
        if (stamp := find(name + ending)) is not None
    }
    if not found:
        return 0
    digest = hashlib.blake2b(repr(sorted(found.items())).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The image files below a folder. Implements ``FileSource`` of the index workflow.

    Parameters
    ----------
    root : Path
    decoder : PictureDecoder
        Its limits hold for the probing too.
    read_metadata : callable, optional
        Reads what a file and its sidecar say; by default nothing is read.
    inside : PartLister, optional
        Tells the frames, pages and pictures in files; by default none is looked into.
    """

    root: Path
    decoder: PictureDecoder = field(default_factory=PictureDecoder, repr=False, compare=False)
    read_metadata: ReadMetadata | None = field(default=None, repr=False, compare=False)
    inside: PartLister | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.root)

    def covers(self, uri: str) -> bool:
        """Tell whether an image of this uri has vanished when it is not listed."""
        return not is_address(uri)

    def list_files(self) -> tuple[FileTable, dict[str, int]]:
        """Return the image files, and the count of other files by suffix."""
        if not self.root.is_dir():
            raise UsageError(f"{self.root} is not a folder")
        listing = Listing()
        for folder, prefix, entry in _walk(self.root, listing):
            if self.inside is not None and self.inside.looks_into(entry.name):
                _list_inside(self.root, folder, prefix, entry, listing, self.inside)
            else:
                _list_one(self.root, folder, prefix, entry, listing)
        return listing.table(), dict(listing.other_files)

    def inspect(self, file: FoundFile) -> FoundFile:
        """Hash and probe a listed file, and read what it says."""
        return inspect_file(self.root, file, self.decoder.limits, self.read_metadata)

    def describe(self, file: FoundFile) -> FoundFile:
        """Read what a listed file and its sidecar say."""
        if self.read_metadata is None:
            return file
        said = _read_metadata(self.read_metadata, path_of(self.root, file.uri), None, file)
        return replace(file, said=said)

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why a picture cannot be decoded, empty when it can."""
        return try_decoding(self.decoder, path_of(self.root, file.uri))


@dataclass(frozen=True, slots=True)
class OtherFolderSource:
    """The image files below a further folder; their uris are addresses. Implements ``FileSource``.

    Parameters
    ----------
    folder : FolderSource
    """

    folder: FolderSource

    @property
    def root(self) -> None:
        """Uris are addresses."""
        return

    @property
    def name(self) -> str:
        """What people call it."""
        return address_of(self.folder.root)

    def covers(self, uri: str) -> bool:
        """Tell whether an image of this uri has vanished when it is not listed."""
        return uri.startswith(f"{self.name}/")

    def list_files(self) -> tuple[FileTable, dict[str, int]]:
        """Return the image files, and the count of other files by suffix."""
        listed, others = self.folder.list_files()
        uris = tuple(f"{self.name}/{uri}" for uri in listed.uris)
        return replace(listed, uris=uris), others

    def inspect(self, file: FoundFile) -> FoundFile:
        """Hash and probe a listed file, and read what it says."""
        return self.folder.inspect(file)

    def describe(self, file: FoundFile) -> FoundFile:
        """Read what a listed file and its sidecar say."""
        return self.folder.describe(file)

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why a picture cannot be decoded, empty when it can."""
        return self.folder.try_decoding(file)


def address_of(path: Path) -> str:
    """Return the address of a local folder or file, its names written as uris hold them."""
    parts = path.absolute().parts[1:]
    return FILE + "".join(f"/{escape_name(part)}" for part in parts)


@dataclass(frozen=True, slots=True)
class FileListSource:
    """Files named one by one. Implements ``FileSource`` of the index workflow.

    Parameters
    ----------
    root : Path
        The folder that uris are relative to.
    paths : sequence of Path
        Each is taken as an image, whatever its name.
    decoder : PictureDecoder
        Its limits hold for the probing too.
    read_metadata : callable, optional
        Reads what a file and its sidecar say; by default nothing is read.
    """

    root: Path
    paths: Sequence[Path]
    decoder: PictureDecoder = field(default_factory=PictureDecoder, repr=False, compare=False)
    read_metadata: ReadMetadata | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What people call them together."""
        return str(self.root)

    def covers(self, uri: str) -> bool:
        """Tell that nothing vanishes: the listing is a part of what there is."""
        return False

    def list_files(self) -> tuple[FileTable, dict[str, int]]:
        """Return the files, and no others; raises UsageError for one outside the root."""
        listing = Listing()
        for path in self.paths:
            # The root may be given through a link; the folder of the file is resolved, the file
            # itself not, so that a link keeps its own name.
            absolute = path.absolute()
            if not absolute.is_relative_to(self.root):
                absolute = absolute.parent.resolve() / absolute.name
            _add(uri_of(self.root, absolute), absolute, listing)
            for sidecar in _possible_sidecars(absolute):
                listing.sidecars.update(_stamped(self.root, sidecar))
        return listing.table(), {}

    def inspect(self, file: FoundFile) -> FoundFile:
        """Hash and probe a listed file, and read what it says."""
        return inspect_file(self.root, file, self.decoder.limits, self.read_metadata)

    def describe(self, file: FoundFile) -> FoundFile:
        """Read what a listed file and its sidecar say."""
        if self.read_metadata is None:
            return file
        said = _read_metadata(self.read_metadata, path_of(self.root, file.uri), None, file)
        return replace(file, said=said)

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why a picture cannot be decoded, empty when it can."""
        return try_decoding(self.decoder, path_of(self.root, file.uri))


def common_folder(paths: Iterable[Path]) -> Path:
    """Return the deepest folder that holds all files; raises UsageError when there is none."""
    parents = [os.fspath(path.absolute().parent) for path in paths]
    try:
        return Path(os.path.commonpath(parents))
    except ValueError as error:
        raise UsageError("the files have no folder in common; name a folder to index") from error


def inspect_file(
    root: Path,
    file: FoundFile,
    limits: Limits = DEFAULT_LIMITS,
    read_metadata: ReadMetadata | None = None,
) -> FoundFile:
    """Return a listed file with its content hash, what its header says, and what it says itself.

    Parameters
    ----------
    root : Path
    file : FoundFile
    limits : Limits
    read_metadata : callable, optional
        It gets the bytes that are hashed, unless the file is very large.

    Returns
    -------
    FoundFile
        With a ``reason`` when it cannot be read; never raises for a bad file.
    """
    if file.reason:
        return file
    data = None
    try:
        path = path_of(root, file.uri)
        if read_metadata is not None and file.size <= _MOST_AT_ONCE:
            data = path.read_bytes()
            content_hash = hashlib.sha256(data).hexdigest()
        else:
            content_hash = hash_file(path)
    except OSError as error:
        return replace(file, reason=f"the file cannot be read ({error.strerror or error})")
    except UnreadableImage as error:
        return replace(file, reason=error.reason)
    try:
        header = probe(path, limits=limits)
    except UnreadableImage as error:
        return replace(file, content_hash=content_hash, reason=error.reason)
    metadata: dict[str, str | int | float] = {"mode": header.mode}
    if header.frames > 1:
        metadata["frames"] = header.frames
    if header.orientation != 1:
        metadata["orientation"] = header.orientation
    metadata |= _facts_of_part(root, file.uri)
    said = read_metadata and _read_metadata(read_metadata, path, data, file)
    taken = header.taken if said is None else said.taken[:19] or header.taken
    if taken:
        metadata["taken"] = taken
    return replace(
        file,
        content_hash=content_hash,
        width=header.width,
        height=header.height,
        format=header.format,
        metadata=metadata,
        said=said,
    )


def _facts_of_part(root: Path, uri: str) -> dict[str, str | int | float]:
    part = split_part(uri)
    if part is None:
        return {}
    from vernis.adapters.parts.inside import part_facts

    return part_facts(path_of(root, part[0]), uri)


def _read_metadata(
    read: ReadMetadata, path: Path, data: bytes | None, file: FoundFile
) -> FileMetadata | None:
    """Return what a file and its sidecar say, None where it cannot be read; never raises."""
    try:
        return read(path, data, bool(file.sidecar))
    except UnreadableImage:
        return None
    except Exception as error:  # damaged metadata must not cost the picture
        return FileMetadata(notes=(f"its metadata cannot be read ({type(error).__name__})",))


def hash_file(path: Path) -> str:
    """Return the content hash of a file, sha256 in hexadecimal digits; raises OSError."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def try_decoding(decoder: PictureDecoder, path: Path) -> str:
    """Return the reason why a picture file cannot be decoded, empty when it can."""
    try:
        decoder(path)
    except UnreadableImage as error:
        return error.reason
    return ""


def _walk(root: Path, listing: Listing) -> Iterator[tuple[Path, str, os.DirEntry[str]]]:
    """Yield the files below a folder with theirs and what its uris begin with, each folder once.

    Folders reached through links come last, so that a file is named by its real place when that
    lies below the root too; a link back to a folder that was seen is not followed again.
    """
    seen: set[tuple[int, int]] = set()
    folders: list[Path] = [root]
    linked: list[Path] = []
    while folders or linked:
        folder = folders.pop() if folders else linked.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise UsageError(f"{root} cannot be read ({error.strerror})") from error
            reason = f"{UNREAD_FOLDER} ({error.strerror})"
            listing.add(uri_of(root, folder), reason=reason)
            continue
        if folder != root and _is_report({entry.name for entry in entries}, folder):
            continue
        prefix = "" if folder == root else f"{uri_of(root, folder)}/"
        below: list[Path] = []
        for entry in entries:
            if _leads_to_folder(entry):
                if not _is_skipped_folder(entry.name):
                    (linked if entry.is_symlink() else below).append(folder / entry.name)
            else:
                yield folder, prefix, entry
        folders += reversed(below)  # the first is next


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_skipped_folder(name: str) -> bool:
    lowered = name.lower()
    return name.startswith(".") or lowered.endswith(".vernis") or lowered in _SYSTEM_FOLDERS


def _is_report(names: set[str], folder: Path) -> bool:
    """Tell whether a folder is a report that Vernis wrote: its thumbnails are no images."""
    if "index.html" not in names:
        return False
    try:
        with open(folder / "index.html", "rb") as stream:
            head = stream.read(4096).lower()
    except OSError:
        return False
    return re.search(rb'name="?generator"? content="?vernis', head) is not None


def _list_one(
    root: Path, folder: Path, prefix: str, entry: os.DirEntry[str], listing: Listing
) -> None:
    suffix = os.path.splitext(entry.name)[1].lower().removesuffix(".")  # noqa: PTH122
    hidden = entry.name.startswith(".") and suffix not in IMAGE_SUFFIXES
    if hidden or entry.name.startswith("._"):
        listing.other_files["(hidden)"] += 1  # ._x.jpg is a shadow that macOS writes
        return
    try:
        status = entry.stat()
        regular = stat.S_ISREG(status.st_mode)
        if regular and suffix in IMAGE_SUFFIXES:  # of a million files nearly all end here
            listing.add(prefix + escape_name(entry.name), status.st_size, status.st_mtime_ns)
            return
    except OSError:
        regular = entry.is_symlink()  # a link that leads nowhere is reported when named an image
    path = folder / entry.name
    if not regular:
        listing.other_files["(special)"] += 1
    elif _is_image(path):
        _add(uri_of(root, path), path, listing)
    else:
        if suffix == ".xmp":
            listing.sidecars.update(_stamped(root, path))
        listing.other_files[escape_name(suffix) or "(none)"] += 1


def _list_inside(
    root: Path,
    folder: Path,
    prefix: str,
    entry: os.DirEntry[str],
    listing: Listing,
    inside: PartLister,
) -> None:
    """List the parts of a file, and the file where it is an image itself or cannot be read."""
    path = folder / entry.name
    if _is_image(path) or entry.name.startswith("."):
        _list_one(root, folder, prefix, entry, listing)
        if entry.name.startswith("."):
            return
    try:
        status = path.stat()
    except OSError as error:
        listing.add(uri_of(root, path), reason=f"no such file ({error.strerror})")
        return
    size, mtime_ns = status.st_size, status.st_mtime_ns
    for uri, reason in inside.parts(uri_of(root, path), path, size, mtime_ns):
        listing.add(uri, size, mtime_ns, reason)


def _possible_sidecars(image: Path) -> Iterator[Path]:
    for name in (image.name, image.stem):
        for ending in _SIDECAR_ENDINGS:
            yield image.with_name(name + ending)


def _stamped(root: Path, sidecar: Path) -> dict[str, tuple[int, int]]:
    """Return the uri of a sidecar with its size and time of change; nothing where there is none."""
    try:
        status = sidecar.stat()
    except OSError:
        return {}
    return {uri_of(root, sidecar): (status.st_size, status.st_mtime_ns)}


def _add(uri: str, path: Path, listing: Listing) -> None:
    try:
        status = path.stat()
    except OSError as error:
        nowhere = path.is_symlink()
        reason = "the link leads nowhere" if nowhere else f"no such file ({error.strerror})"
        listing.add(uri, reason=reason)
        return
    reason = "" if stat.S_ISREG(status.st_mode) else "it is not a file"
    listing.add(uri, status.st_size, status.st_mtime_ns, reason)


def _is_image(path: Path) -> bool:
    """Tell by the suffix, and by the first bytes where the suffix says nothing."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in _OTHER_SUFFIXES:
        return False
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with open(path, "rb") as stream:
            head = stream.read(16)
    except OSError:
        return False
    return _has_magic(head)


def _has_magic(head: bytes) -> bool:
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return True
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in (*HEIF_BRANDS, b"avif", b"avis")
