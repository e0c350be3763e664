"""Which parts a file has, and where the picture of a part lies on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vernis.adapters.local_copies import local_copy
from vernis.adapters.parts import documents, slides, tiff_pages, videos
from vernis.domain.errors import UnreadableImage
from vernis.domain.parts import Inside, kind_inside, page_of, split_part, time_of

_SUFFIX: Mapping[Inside, str] = {"video": ".jpg", "pdf": ".png", "tiff": ".tif"}


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file whose parts the catalog knows, as it was then."""

    size: int
    mtime_ns: int
    parts: tuple[str, ...]
    """Their uris."""


@dataclass(frozen=True, slots=True)
class PartLister:
    """Tells the parts of files.

    Parameters
    ----------
    kinds : frozenset of {'video', 'pdf', 'tiff', 'slides'}
        What is looked into.
    every : float or None
        Seconds between two frames of a video; None: where a scene begins.
    known : mapping of str to KnownFile
        Uri of a file → its parts: a file that is as it was is not opened.
    """

    kinds: frozenset[Inside]
    every: float | None = None
    known: Mapping[str, KnownFile] = field(default_factory=dict, repr=False)

    def looks_into(self, name: str) -> bool:
        """Tell whether files of that name are looked into."""
        return kind_inside(name) in self.kinds

    def parts(self, uri: str, path: Path, size: int, mtime_ns: int) -> Iterator[tuple[str, str]]:
        """Yield the uri of each part of a file, or the file's own with why there is none."""
        known = self.known.get(uri)
        if known is not None and (known.size, known.mtime_ns) == (size, mtime_ns):
            yield from ((part, "") for part in known.parts)
            return
        try:
            places = _places(path, self.every)
        except UnreadableImage as error:
            yield uri, error.reason
            return
        yield from ((f"{uri}#{place}", "") for place in places)


def _places(path: Path, every: float | None) -> tuple[str, ...]:
    kind = kind_inside(path.name)
    if kind == "tiff":
        return tuple(f"page={number}" for number in range(2, tiff_pages.count_pages(path) + 1))
    if kind == "slides":
        return tuple(slides.list_pictures(path))

    def keep(place: str, file: Path) -> None:
        local_copy(_key(path, place), file.suffix, lambda made: _copy(file, made), anew=True)

    if kind == "pdf":
        return documents.list_pages(path, keep)
    return videos.list_frames(path, every, keep)


def _copy(file: Path, made: Path) -> None:
    shutil.copyfile(file, made)


def part_file(path: Path, place: str) -> Path:
    """Return a file that holds the picture at a place of a file; raises UnreadableImage."""
    kind = kind_inside(path.name)
    make = {
        "video": videos.write_frame,
        "pdf": documents.write_page,
        "tiff": tiff_pages.write_page,
        "slides": slides.write_picture,
    }[kind or "slides"]
    suffix = _SUFFIX.get(kind or "slides", PurePosixPath(place).suffix.lower())
    return local_copy(_key(path, place), suffix, lambda made: make(path, place, made))


def _key(path: Path, place: str) -> str:
    """Return what tells a part, as the file is now, from all others."""
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableImage(path, f"no such file ({error.strerror})") from error
    return f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{place}"


def part_facts(path: Path, uri: str) -> dict[str, str | int | float]:
    """Return what is to be known of a part beside its picture: its file, its time or page."""
    found = split_part(uri)
    if found is None:
        return {}
    file, place = found
    facts: dict[str, str | int | float] = {"inside": file}
    time, page = time_of(place), page_of(place)
    if time is not None:
        facts["time"] = time
    elif page is not None:
        facts["page"] = page
    else:
        shown = slides.list_pictures(path).get(place, 0)
        if shown:
            facts["page"] = shown
    return facts
