"""The list of what an import left out, as a table that people open."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from vernis.core.words.sheet_cells import as_text
from vernis.core.words.sheets import LeftOut
from vernis.domain.errors import StorageError

NAME = "import-notes.csv"
_LONGEST_CELL = 500


def write_import_notes(folder: Path, source: str, left_out: Iterable[LeftOut]) -> Path | None:
    """Write the list in place of that of the import before; without entries there is none.

    Parameters
    ----------
    folder : Path
        The collection's.
    source : str
        Name of the file that was imported.
    left_out : iterable of LeftOut

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    path = folder / NAME
    part = folder / f".{NAME}.part"
    entries = list(left_out)
    try:
        if not entries:
            path.unlink(missing_ok=True)
            return None
        with open(part, "w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "row", "image", "column", "cell", "reason"])
            for entry in entries:
                cells = (
                    source,
                    str(entry.row),
                    entry.image,
                    entry.column,
                    entry.cell,
                    entry.reason,
                )
                writer.writerow(as_text(cell[:_LONGEST_CELL]) for cell in cells)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path
