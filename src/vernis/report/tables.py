"""Tables as CSV and JSON files, all of a file or nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vernis.core.words.sheet_cells import as_text
from vernis.domain.errors import StorageError


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    """Write the columns of the rows, with a header; texts never as formulas of a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: sheet_cell(v) for key, v in row.items()} for row in rows)
    return write_bytes(path, text.getvalue().encode("utf-8"))


def sheet_cell(value: Any) -> Any:
    """Return a value as a table for people holds it: numbers to six digits, texts as texts."""
    if isinstance(value, float):
        return round(value, 6)
    return as_text(value) if isinstance(value, str) else value


def write_json(path: Path, document: Any) -> Path:
    """Write a JSON-able document."""
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    return write_bytes(path, (text + "\n").encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole; raises StorageError."""
    return write_parts(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> Path:
    """Write a file, part after part, beside its place, then move it there.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.writelines(parts)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error
    return path
