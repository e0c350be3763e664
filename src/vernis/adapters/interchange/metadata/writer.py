"""One writer for files of every format: own splices, exiftool where it is asked for, sidecars."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from vernis.adapters.interchange.metadata import write_back
from vernis.adapters.interchange.metadata.exiftool import SUFFIXES, ExifTool, prepare_write_with
from vernis.domain.metadata import Carrier, Receipt, SidecarStyle, Wanted, WriteRefused

_MOST_OF_UNDO = 1 << 24


class FileWriter:
    """Implements the port ``MetadataWriter``.

    Parameters
    ----------
    exiftool : bool
        Write TIFF, HEIC, AVIF, GIF and JPEG 2000 through exiftool rather than sidecars.

    Raises
    ------
    UsageError
        On entering, when exiftool is asked for and not installed.
    """

    def __init__(self, *, exiftool: bool = False) -> None:
        self._wants_tool = exiftool
        self._tool: ExifTool | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._wants_tool:
            self._tool = self._open.enter_context(ExifTool())
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def prepare(
        self,
        image: Path,
        wanted: Wanted,
        *,
        expected: Collection[str],
        where: Carrier,
        style: SidecarStyle,
    ) -> write_back.PreparedWrite:
        """Make the new content of an image file or its sidecar; raises WriteRefused."""
        if self._tool is None or where == "sidecar" or image.suffix.lower() not in SUFFIXES:
            return write_back.prepare_write(
                image, wanted, expected=expected, where=where, style=style
            )
        write = prepare_write_with(self._tool, image, wanted, expected=expected)
        if len(write.receipt.undo) > _MOST_OF_UNDO:
            reason = "so much of the file would move that its undo is too large to be kept"
            raise WriteRefused(str(image), "too large", reason)
        return write

    def prepare_undo(self, receipt: Receipt) -> write_back.Undone:
        """Make the content that takes a write back; raises WriteRefused."""
        return write_back.prepare_undo(receipt)

    def commit(self, write: write_back.PreparedWrite) -> tuple[int, int]:
        """Set a write in place; returns size and time of change, 0 of a file that is gone."""
        write_back.commit_write(write)
        if write.data is None:
            return 0, 0
        status = Path(write.receipt.path).stat()
        return status.st_size, status.st_mtime_ns

    def sync(self, folders: Iterable[Path]) -> None:
        """Make the names in folders last, once after many writes."""
        write_back.sync_folders(folders)

    def sweep(self, folders: Iterable[Path]) -> list[Path]:
        """Remove the temporary files that killed runs left in folders; returns them."""
        return write_back.sweep(folders)
