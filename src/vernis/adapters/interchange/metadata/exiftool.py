"""Write into TIFF, HEIC, AVIF, GIF and JPEG 2000 files through exiftool, where it is installed.

exiftool (Phil Harvey; an outside program under its own licence) sets our packet as one block in a
copy of the file. The copy is then judged as strictly as our own splices: the packet comes back, and
every tag outside XMP and every pixel is the same; without pillow-heif no HEIC can be judged. Raw
files are never written.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from vernis.adapters.interchange.metadata.carriers import Splice
from vernis.adapters.interchange.metadata.write_back import (
    PreparedWrite,
    embedded_words,
    open_for_writing,
    receipt_of,
)
from vernis.adapters.interchange.metadata.xmp_document import UnusablePacket
from vernis.adapters.interchange.metadata.xmp_merge import Merged, merge
from vernis.domain.errors import UsageError
from vernis.domain.metadata import Wanted, WriteRefused

SUFFIXES = frozenset({".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".gif", ".jp2"})
"""Formats that have a place for XMP and in which exiftool was seen to keep all else."""

_NOT_COMPARED = ("SourceFile", "File:", "System:", "ExifTool:", "XMP", "Composite:")
_WHOLE = ("QuickTime:MediaData", "QuickTime:MediaDataSize", "GIF:GIFVersion")
"""What holds the packet itself, and the version of GIF that allows one."""

_WRAPPER = re.compile(rb"\s*<\?xpacket[^?]*\?>\s*")
_OFFSETS = ("Offset", "Offsets", "Start", "StripOffsets", "TileOffsets", "ApplicationNotes")


class ExifTool:
    """One process of exiftool for many files; a context manager.

    Parameters
    ----------
    program : str
        Its name or path.

    Raises
    ------
    UsageError
        It is not installed.
    """

    def __init__(self, program: str = "exiftool") -> None:
        found = shutil.which(program)
        if found is None:
            raise UsageError(f"{program} is not installed; write sidecars, or install it")
        self.program = found
        self.process: subprocess.Popen[bytes] | None = None
        self.asked = 0

    def __enter__(self) -> Self:
        command = [self.program, "-stay_open", "True", "-@", "-"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.communicate(b"-stay_open\nFalse\n", timeout=10)
            self.process = None

    def packet(self, path: Path) -> bytes | None:
        """Return the XMP packet of a file as it stands there, None where there is none."""
        return self._ask("-b", "-xmp", str(path)) or None

    def set_packet(self, path: Path, packet: bytes | None) -> None:
        """Set the packet of a file, or take it out; whether it worked is for the caller to see."""
        if packet is None:
            self._ask("-q", "-overwrite_original", "-xmp=", str(path))
            return
        source = path.with_suffix(".packet")
        source.write_bytes(packet)
        self._ask("-q", "-overwrite_original", f"-xmp<={source}", str(path))

    def tags(self, path: Path) -> dict[str, Any]:
        """Return all tags outside XMP but those that say where something lies in the file."""
        found = json.loads(self._ask("-j", "-G1:4", "-a", "-u", "-n", str(path)) or b"[{}]")[0]
        return {
            name: value
            for name, value in found.items()
            if not name.startswith(_NOT_COMPARED)
            and name not in _WHOLE
            and not name.split(":")[-1].endswith(_OFFSETS)
        }

    def _ask(self, *arguments: str) -> bytes:
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            raise UsageError("exiftool is used outside its context")
        self.asked += 1
        ready = f"{{ready{self.asked}}}".encode()
        request = "".join(f"{argument}\n" for argument in arguments)
        process.stdin.write(f"{request}-execute{self.asked}\n".encode())
        process.stdin.flush()
        answer = b""
        while not answer.rstrip().endswith(ready):
            line = process.stdout.readline()
            if not line:
                raise UsageError("exiftool ended while it was writing")
            answer += line
        return answer.rstrip()[: -len(ready)]


def prepare_write_with(
    tool: ExifTool,
    image: Path,
    wanted: Wanted,
    *,
    expected: Collection[str] = (),
    orientation: int = 1,
) -> PreparedWrite:
    """Make the new content of an image file through exiftool, and prove it.

    The counterpart of ``prepare_write``; ``commit_write`` and ``undo_write`` are the same.

    Parameters
    ----------
    tool : ExifTool
    image : Path
    wanted : Wanted
    expected : collection of str
        SHA-256 that the image may have; none to take it as it is.
    orientation : int
        EXIF orientation of the image, for regions.

    Raises
    ------
    WriteRefused
        The file cannot be written safely; it is untouched.
    """
    path, data, status = open_for_writing(image, expected)
    if path.suffix.lower() not in SUFFIXES:
        raise WriteRefused(str(path), "format", "is not written through exiftool")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"picture{path.suffix.lower()}"
        copy.write_bytes(data)
        packet = tool.packet(copy)
        try:
            beneath = embedded_words(path) if wanted.words else ()
            merged = merge(packet, wanted, beneath=beneath, orientation=orientation)
        except UnusablePacket as error:
            raise WriteRefused(str(path), "unusable XMP", str(error)) from error
        if merged.packet == packet:
            return PreparedWrite(receipt_of(path, "exiftool", data, data), data, status)
        tags, pixels = tool.tags(copy), _pixels(copy)
        if not pixels:
            raise WriteRefused(str(path), "format", "cannot be decoded here to compare its pixels")
        tool.set_packet(copy, merged.packet)
        if _unwrapped(tool.packet(copy)) != _unwrapped(merged.packet):
            raise WriteRefused(str(path), "damaged", "exiftool does not write it")
        if tool.tags(copy) != tags or _pixels(copy) != pixels:
            raise WriteRefused(str(path), "damaged", "exiftool would have changed other tags")
        return _prepared(path, data, copy.read_bytes(), status, merged)


def _prepared(path: Path, old: bytes, new: bytes, status: Any, merged: Merged) -> PreparedWrite:
    receipt = receipt_of(path, "exiftool", old, new, [difference(old, new)], merged)
    return PreparedWrite(receipt, new, status)


def difference(old: bytes, new: bytes) -> Splice:
    """Return the one splice between two contents that leaves out their common ends."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return Splice(head, len(old) - tail, new[head : len(new) - tail])


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two contents begin with in common."""
    length = min(len(one), len(other))
    a = np.frombuffer(one, np.uint8, length)
    b = np.frombuffer(other, np.uint8, length)
    unlike = np.flatnonzero(a != b)
    return int(unlike[0]) if len(unlike) else length


def _unwrapped(packet: bytes | None) -> bytes:
    """Return a packet without its wrapper, which exiftool adds where it is missing."""
    return _WRAPPER.sub(b"", packet or b"").strip()


def _pixels(path: Path) -> bytes:
    """Return the pixels of all pages, empty where nothing here decodes such a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                pages = []
                for page in range(getattr(image, "n_frames", 1)):
                    image.seek(page)
                    pages.append(image.tobytes())
                return b"".join(pages)
    except Exception:  # Decoders raise whatever a damaged file makes them stumble over.
        return _pixels_of_heif(path)


def _pixels_of_heif(path: Path) -> bytes:
    try:
        import pillow_heif

        return b"".join(bytes(page.data) for page in pillow_heif.open_heif(path))
    except Exception:  # Not installed, or no such file.
        return b""
