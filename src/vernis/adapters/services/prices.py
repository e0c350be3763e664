"""What services cost: a dated table, which an owner can overrule by one of the same columns."""

from __future__ import annotations

import csv
import io
import math
from importlib.resources import files
from pathlib import Path

from vernis.domain.annotations import FEATURES, Price
from vernis.domain.errors import UsageError

COLUMNS = ("service", "feature", "usd_per_1000", "free_a_month", "as_of")


def shipped_prices() -> tuple[Price, ...]:
    """Return the prices that are known, each with the day on which it was looked up."""
    text = files("vernis.adapters.services").joinpath("prices.csv").read_text("utf-8")
    return _parse(text, "prices.csv")


def read_prices(path: Path) -> tuple[Price, ...]:
    """Read an owner's table of prices.

    Raises
    ------
    UsageError
        There is no such file, or it is no such table.
    """
    try:
        return _parse(path.read_text("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "expected text in UTF-8"
        raise UsageError(f"{path}: cannot be read as a table of prices ({said})") from error


def _parse(text: str, name: str) -> tuple[Price, ...]:
    reader = csv.DictReader(io.StringIO(text))
    lacking = [column for column in COLUMNS[:3] if column not in (reader.fieldnames or ())]
    if lacking:
        raise UsageError(f"{name}: lacks {', '.join(lacking)}; expected {','.join(COLUMNS)}")
    found = []
    for row in reader:
        feature = (row["feature"] or "").strip()
        if feature not in FEATURES:
            raise UsageError(
                f"{name}, line {reader.line_num}: expected a feature of {', '.join(FEATURES)}, "
                f"got {feature!r}"
            )
        found.append(
            Price(
                service=(row["service"] or "").strip(),
                feature=feature,
                usd_per_1000=_number(row["usd_per_1000"], "usd_per_1000", name, reader.line_num),
                free_a_month=int(
                    _number(row.get("free_a_month") or "0", "free_a_month", name, reader.line_num)
                ),
                as_of=(row.get("as_of") or "").strip(),
            )
        )
    return tuple(found)


def _number(text: str | None, column: str, name: str, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{name}, line {line}: expected {column} of 0 or more, got {text!r}")
    return value
