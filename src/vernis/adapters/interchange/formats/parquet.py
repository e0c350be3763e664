"""Parquet files, through pyarrow (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vernis.domain.errors import InvalidLabels, MissingExtra

_ROWS = 4096


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("parquet", "Parquet") from error
    return pyarrow


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows that share their keys; types are taken from the values."""
    pyarrow = _pyarrow()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, some thousands in memory at a time.

    Raises
    ------
    InvalidLabels
        The file is damaged.
    MissingExtra
        pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                yield from batch.to_pylist()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InvalidLabels(f"{path}: is no readable Parquet file ({error})") from error
