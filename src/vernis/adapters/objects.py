"""Images that lie in buckets, on web servers and in other folders: addresses, listings, copies.

An address (``s3://BUCKET/KEY``, ``gs://…``, ``https://…``, ``file:///…``) is the uri of such an
image, in full. A local name never holds ``://``, as the parts of a path are never empty.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from vernis.adapters.buckets import open_system, patiently
from vernis.adapters.files import (
    IMAGE_SUFFIXES,
    Listing,
    ReadMetadata,
    inspect_file,
    path_of,
    try_decoding,
)
from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.object_copies import fetched
from vernis.domain.addresses import FILE, climbs, kind_of, name_of
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.domain.types import FileTable, FoundFile

_PAGE = 1000  # objects that are asked for at once
_ASKED = 16  # web pages and objects that are asked for side by side
_SECOND = 1_000_000_000
_NOWHERE = Path("/")  # addresses are below no folder


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as its store lists it.

    Attributes
    ----------
    address : str
    size : int
        Bytes, 0 where the store does not say.
    mtime_ns : int
        Seconds of its last change since 1970, in nanoseconds, 0 where unknown. The fraction of the
        second stands for its etag, so that another content is another time; 0 where it has none.
    """

    address: str
    size: int = 0
    mtime_ns: int = 0


def list_objects(address: str) -> Iterator[ListedObject]:
    """Yield the objects whose address begins so, page by page: a million need no more memory.

    A bucket of S3 is asked for a thousand at a time. Other stores are walked folder by folder, so
    that no more than one folder's names are held.

    Raises
    ------
    UsageError
        There is nothing of that address.
    StorageError
        The store refuses, or does not answer.
    """
    system, root = open_system(address)
    kind = kind_of(address)
    if hasattr(system, "call_s3"):
        pages = _pages_of_s3(system, address, root)
    elif kind in ("http", "https"):
        pages = _pages_of_web(system, address)
    else:
        pages = _pages_of_folders(system, address, root)
    for page in pages:
        yield from page


def stamp(changed: datetime | None, etag: str) -> int:
    """Return when an object changed, in nanoseconds, with its etag as the fraction of the second.

    Parameters
    ----------
    changed : datetime or None
        With its time zone; None where the store does not say.
    etag : str
        Empty where there is none.
    """
    seconds = 0 if changed is None else max(0, int(changed.timestamp()))
    fraction = 0
    if etag:
        digest = hashlib.blake2b(etag.strip('"').encode(), digest_size=8).digest()
        fraction = 1 + int.from_bytes(digest, "big") % (_SECOND - 1)
    return seconds * _SECOND + fraction


def _pages_of_s3(system: Any, address: str, root: str) -> Iterator[list[ListedObject]]:
    bucket, _, prefix = root.partition("/")
    scheme = kind_of(address)
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    following: dict[str, str] = {}
    while True:
        ask = partial(system.call_s3, "list_objects_v2", Bucket=bucket, Prefix=prefix)
        page = patiently(address, partial(ask, MaxKeys=_PAGE, **following))
        yield [
            ListedObject(
                f"{scheme}://{bucket}/{entry['Key']}",
                int(entry["Size"]),
                stamp(entry.get("LastModified"), str(entry.get("ETag", ""))),
            )
            for entry in page.get("Contents", ())
        ]
        if not page.get("IsTruncated"):
            return
        following = {"ContinuationToken": page["NextContinuationToken"]}


def _pages_of_folders(system: Any, address: str, root: str) -> Iterator[list[ListedObject]]:
    scheme = kind_of(address)
    folders = [root]
    while folders:
        folder = folders.pop()

        def listed(folder: str = folder) -> list[Any]:
            entries = list(system.ls(folder, detail=True))
            system.invalidate_cache()  # it would keep all folders of the store
            return entries

        found = []
        for entry in patiently(f"{scheme}://{folder.lstrip('/')}", listed):
            name = str(entry["name"])
            if entry["type"] == "directory":
                if name.rstrip("/") != folder.rstrip("/"):
                    folders.append(name)
            else:
                size, time = _told_of(entry)
                found.append(ListedObject(f"{scheme}://{name.lstrip('/')}", size, time))
        yield found


def _pages_of_web(system: Any, address: str) -> Iterator[list[ListedObject]]:
    """Follow the links of pages that list files, downwards only."""
    waiting, seen = [f"{address.rstrip('/')}/"], set[str]()
    with ThreadPoolExecutor(_ASKED) as pool:
        while waiting:
            page = waiting.pop()
            seen.add(page)
            entries = patiently(page, partial(system.ls, page, detail=True))
            system.invalidate_cache()
            names = {str(entry["name"]) for entry in entries}
            below = sorted(name for name in names if name.startswith(page) and "?" not in name)
            waiting += [name for name in below if name.endswith("/") and name not in seen]
            images = [name for name in below if _suffix(name) in IMAGE_SUFFIXES]
            others = [
                ListedObject(name)
                for name in below
                if not name.endswith("/") and _suffix(name) not in IMAGE_SUFFIXES
            ]
            yield others
            for start in range(0, len(images), _PAGE):
                yield list(pool.map(_asked(system), images[start : start + _PAGE]))


def _asked(system: Any) -> Any:
    """Return what asks a web server for size and etag of an object."""

    def ask(address: str) -> ListedObject:
        try:
            told = patiently(address, lambda: system.info(address))
        except UsageError:  # it is gone, which the reading of it will say
            return ListedObject(address)
        return ListedObject(address, *_told_of(told))

    return ask


_ETAGS = ("ETag", "etag", "md5Hash", "content_md5")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "Last-Modified", "created")


def _told_of(entry: dict[str, Any]) -> tuple[int, int]:
    """Return size and stamp of what an adapter of fsspec tells of an object."""
    etag = next((str(entry[name]) for name in _ETAGS if entry.get(name)), "")
    time = next((entry[name] for name in _TIMES if entry.get(name)), None)
    return int(entry.get("size") or 0), stamp(_as_time(time), etag)


def _as_time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _suffix(address: str) -> str:
    return PurePosixPath(name_of(address)).suffix.lower()


# --------------------------------------------------------------------------- sources


ListAll = Callable[[], tuple[FileTable, dict[str, int]]]
"""Lists images, and counts other objects by suffix."""


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """Images that are named by their addresses. Implements ``FileSource`` of the index workflow.

    Parameters
    ----------
    name : str
        What people call it.
    list_files : callable
        What there is: ``below`` an address, or ``of_addresses``.
    address : str
        Below which everything is listed, so that what is not has vanished; "": the listing is a
        part of what there is, and nothing vanishes.
    decoder : PictureDecoder
        Its limits hold for the probing too.
    read_metadata : callable, optional
        Reads what a file says; by default nothing is read. Sidecars are not looked for.
    """

    name: str
    list_files: ListAll
    address: str = ""
    decoder: PictureDecoder = field(default_factory=PictureDecoder, repr=False, compare=False)
    read_metadata: ReadMetadata | None = field(default=None, repr=False, compare=False)

    @property
    def root(self) -> None:
        """Uris are addresses."""
        return

    def covers(self, uri: str) -> bool:
        """Tell whether an image of this uri has vanished when it is not listed."""
        return bool(self.address) and uri.startswith(f"{self.address.rstrip('/')}/")

    def inspect(self, file: FoundFile) -> FoundFile:
        """Fetch, hash and probe a listed object, and read what it says."""
        return _inspected(file, self.decoder, self.read_metadata)

    def describe(self, file: FoundFile) -> FoundFile:
        """Return the file as it is: what it says was read with its bytes."""
        return file

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why a picture cannot be decoded, empty when it can."""
        return _tried(file, self.decoder)


def below(address: str) -> ListAll:
    """Return what lists a bucket, a folder in it, or a page of links.

    Names tell what is an image: an object without a known ending is not looked into.
    """
    return lambda: tabled(list_objects(address))


def of_addresses(addresses: Sequence[str]) -> ListAll:
    """Return what lists single addresses, each an image whatever its name.

    Their size and time are known once they are fetched.
    """
    return lambda: (FileTable.of(FoundFile(address, "", 0, 0) for address in addresses), {})


def tabled(objects: Iterable[ListedObject]) -> tuple[FileTable, dict[str, int]]:
    """Return the images among objects as columns, and the count of others by suffix."""
    listing, others = Listing(), Counter[str]()
    for one in objects:
        name = name_of(one.address)
        suffix = PurePosixPath(name).suffix.lower()
        if not name or name.startswith("._"):
            continue  # a folder that is an object of its own, or a shadow that macOS writes
        if climbs(one.address):
            others["(special)"] += 1
            continue
        if suffix in IMAGE_SUFFIXES:
            listing.add(one.address, one.size, one.mtime_ns)
        else:
            others[suffix or "(none)"] += 1
    return listing.table(), dict(others)


def _inspected(
    file: FoundFile, decoder: PictureDecoder, read_metadata: ReadMetadata | None
) -> FoundFile:
    if file.reason:
        return file
    try:
        if not file.uri.startswith(FILE):
            fetched(file.uri, anew=True)
        path = path_of(_NOWHERE, file.uri)
    except UnreadableImage as error:
        return replace(file, reason=error.reason)
    found = inspect_file(_NOWHERE, file, decoder.limits, read_metadata)
    if file.size or not found.content_hash:
        return found
    return replace(found, size=path.stat().st_size)


def _tried(file: FoundFile, decoder: PictureDecoder) -> str:
    try:
        return try_decoding(decoder, path_of(_NOWHERE, file.uri))
    except UnreadableImage as error:
        return error.reason
