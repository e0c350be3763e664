"""Pictures of PPTX and ODP: what lies in the archive, and on which page it is shown first."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from vernis.adapters.files import IMAGE_SUFFIXES
from vernis.domain.errors import UnreadableImage

_MOST = 2_000  # pictures of a file
_MOST_BYTES = 1 << 28  # of a picture
_MOST_TEXT = 1 << 25  # bytes of an XML part
_BOMB = 200  # unpacked by packed size from which an archive is a bomb
_SMALL = 1 << 20  # bytes below which it cannot be
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what Office encrypts, and wrote before 2007
_FOLDERS = ("ppt/media/", "Pictures/", "media/")
_SLIDE = re.compile(r"ppt/slides/slide(\d+)\.xml")
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PAGE = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}page"
_HREF = "{http://www.w3.org/1999/xlink}href"


def list_pictures(path: Path) -> dict[str, int]:
    """Return the pictures of a file of slides by name, with the page where each is shown first.

    0 where it is on no page, such as a background of the master.

    Raises
    ------
    UnreadableImage
        It is no such file, is damaged or encrypted, or would unpack to very much.
    """
    with _opened(path) as archive:
        members = _members(path, archive)
        pages = _pages(path, archive)
        return {name: pages.get(member, 0) for name, member in members.items()}


def write_picture(path: Path, name: str, target: Path) -> None:
    """Write a picture of a file of slides as it lies there; raises UnreadableImage."""
    with _opened(path) as archive:
        member = _members(path, archive).get(name)
        if member is None:
            raise UnreadableImage(path, f"holds no picture {name!r}")
        target.write_bytes(_read(path, archive, member, _MOST_BYTES))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive of a file; raises UnreadableImage."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        if _begins(path, _COMPOUND):
            reason = "the file is encrypted, or of an older kind; save it anew"
            raise UnreadableImage(path, reason) from error
        raise UnreadableImage(path, "the archive is damaged") from error
    with archive:
        yield archive


def _begins(path: Path, magic: bytes) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(magic)) == magic
    except OSError:
        return False


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the pictures in the archive: last part of the name → name of the member."""
    found: dict[str, str] = {}
    for info in archive.infolist():
        name = PurePosixPath(info.filename)
        if not info.filename.startswith(_FOLDERS) or name.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if info.flag_bits & 1:
            raise UnreadableImage(path, "the archive is encrypted")
        if info.file_size > _SMALL and info.file_size > _BOMB * max(1, info.compress_size):
            raise UnreadableImage(path, "the archive unpacks to far more than pictures do (a bomb)")
        if info.file_size <= _MOST_BYTES:
            found.setdefault(name.name.replace("#", "_"), info.filename)
        if len(found) == _MOST:
            break
    return found


def _read(path: Path, archive: zipfile.ZipFile, member: str, most: int) -> bytes:
    try:
        info = archive.getinfo(member)
        with archive.open(info) as stream:
            data = stream.read(most + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UnreadableImage(
            path, f"{member} cannot be unpacked: the archive is damaged"
        ) from error
    except NotImplementedError as error:
        raise UnreadableImage(path, f"{member} is packed in an unknown way") from error
    if len(data) > most:
        raise UnreadableImage(path, f"{member} unpacks to more than {most:,} bytes")
    return data


def _tree(path: Path, archive: zipfile.ZipFile, member: str) -> ElementTree.Element | None:
    """Return the tree of an XML part; None where there is none that can be read."""
    if member not in archive.NameToInfo:
        return None
    data = _read(path, archive, member, _MOST_TEXT)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None  # neither has one; what it may blow up to is nobody's business
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return None


def _pages(path: Path, archive: zipfile.ZipFile) -> Mapping[str, int]:
    """Return member → the page where it is shown first."""
    pages: dict[str, int] = {}
    for number, members in enumerate(_of_powerpoint(path, archive), 1):
        for member in members:
            pages.setdefault(member, number)
    for number, members in enumerate(_of_open_document(path, archive), 1):
        for member in members:
            pages.setdefault(member, number)
    return pages


def _of_powerpoint(path: Path, archive: zipfile.ZipFile) -> Iterator[list[str]]:
    """Yield the members that each slide shows, in the order of the slides."""
    for slide in _slides(path, archive):
        folder, name = posixpath.split(slide)
        yield list(_targets(path, archive, f"{folder}/_rels/{name}.rels", folder).values())


def _slides(path: Path, archive: zipfile.ZipFile) -> list[str]:
    """Return the slides in the order in which they are shown, else by number."""
    found = sorted(
        (name for name in archive.NameToInfo if _SLIDE.fullmatch(name)),
        key=lambda name: int(_SLIDE.fullmatch(name)[1]),  # type: ignore[index]
    )
    shown = _tree(path, archive, "ppt/presentation.xml")
    if shown is None:
        return found
    targets = _targets(path, archive, "ppt/_rels/presentation.xml.rels", "ppt")
    ids = [element.get(_ID, "") for element in shown.iter() if element.tag.endswith("}sldId")]
    ordered = [targets[one] for one in ids if targets.get(one) in found]
    return ordered or found


def _targets(path: Path, archive: zipfile.ZipFile, member: str, folder: str) -> dict[str, str]:
    tree = _tree(path, archive, member)
    if tree is None:
        return {}
    return {
        element.get("Id", ""): posixpath.normpath(posixpath.join(folder, element.get("Target", "")))
        for element in tree.iter(_RELATIONS)
        if element.get("TargetMode") != "External"
    }


def _of_open_document(path: Path, archive: zipfile.ZipFile) -> Iterator[list[str]]:
    tree = _tree(path, archive, "content.xml")
    if tree is None:
        return
    for page in tree.iter(_PAGE):
        yield [element.get(_HREF, "") for element in page.iter()]
