"""What the files are that lie among the pictures and are not read: videos, slides, documents…"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file in a person's words, and what takes it in, "" where nothing would."""

    one: str
    many: str
    suffixes: frozenset[str]
    remedy: str = ""


def _kind(one: str, many: str, suffixes: str, remedy: str = "") -> FileKind:
    return FileKind(one, many, frozenset(f".{name}" for name in suffixes.split()), remedy)


FILE_KINDS = (
    _kind(
        "video",
        "videos",
        "mp4 mov avi mkv webm m4v wmv mpg mpeg mts m2ts 3gp flv ogv vob",
        "their frames are read with --inside video",
    ),
    _kind(
        "slide deck",
        "slide decks",
        "ppt pptx pps ppsx pot potx key odp",
        "pictures in PPTX and ODP are read with --inside slides",
    ),
    _kind("document", "documents", "doc docx odt rtf pages indd pub epub"),
    _kind("PDF", "PDFs", "pdf", "their pages are read with --inside pdf"),
    _kind("table", "tables", "csv tsv xls xlsx xlsm ods numbers parquet"),
    _kind("sound file", "sound files", "mp3 wav flac ogg m4a aac aif aiff wma"),
    _kind(
        "raw photo",
        "raw photos",
        "cr2 cr3 crw nef nrw arw srf sr2 dng orf rw2 raf pef srw raw 3fr fff iiq x3f erf mrw kdc",
        "developed as JPEG or TIFF they are read (darktable-cli, exiftool -b -PreviewImage)",
    ),
    _kind(
        "vector drawing",
        "vector drawings",
        "svg svgz ai eps ps emf wmf cdr dxf",
        "exported as PNG they are read (inkscape --export-type=png)",
    ),
    _kind("JPEG XL picture", "JPEG XL pictures", "jxl", "converted to PNG they are read (djxl)"),
    _kind(
        "picture of another program",
        "pictures of other programs",
        "xcf kra clip psb afphoto procreate sketch exr hdr jxr wdp djvu dcm fits fit",
        "exported as PNG or TIFF they are read",
    ),
    _kind("archive", "archives", "zip gz tar 7z rar bz2 xz tgz", "unpacked they are read"),
    _kind("sidecar", "sidecars", "xmp thm aae"),
    _kind("text file", "text files", "txt md json jsonl xml html htm yaml yml log ini srt"),
)
"""In the order in which they are told."""

_OTHER = _kind("other file", "other files", "")


def count_file_kinds(other_files: Mapping[str, int]) -> dict[FileKind, int]:
    """Return how many files are of each kind, in the order of `FILE_KINDS`, the rest last.

    Parameters
    ----------
    other_files : mapping of str to int
        Suffix in small letters, with its dot (or a word in brackets where there is none), → files.
    """
    kinds = {suffix: kind for kind in FILE_KINDS for suffix in kind.suffixes}
    counts: Counter[FileKind] = Counter()
    for suffix, files in other_files.items():
        counts[kinds.get(suffix, _OTHER)] += files
    return {kind: counts[kind] for kind in (*FILE_KINDS, _OTHER) if counts[kind]}


def name_file_kinds(other_files: Mapping[str, int]) -> dict[str, int]:
    """Return the same by name: ``{"videos": 1, "slide decks": 2}``."""
    return {kind.many: files for kind, files in count_file_kinds(other_files).items()}


def say_file_kinds(other_files: Mapping[str, int]) -> str:
    """Return the same as text, with what would take a kind in: "1 video, 2 raw photos (…)"."""
    said = []
    for kind, files in count_file_kinds(other_files).items():
        remedy = f" ({kind.remedy})" if kind.remedy else ""
        said.append(f"{files:,} {kind.one if files == 1 else kind.many}{remedy}")
    return ", ".join(said)
