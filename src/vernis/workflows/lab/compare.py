"""Compare the tables of two lab runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vernis.domain.errors import UsageError
from vernis.report.lab.run_folder import read_run, read_table
from vernis.report.wording import counted

SPREAD = "_sd"
"""A column ``x_sd`` holds the standard deviation of the column ``x``."""

ENDS = ("_low", "_high")
"""Columns ``x_low`` and ``x_high`` hold the interval of the column ``x``."""

TIME = "_s"
"""A column ``x_s`` holds seconds."""


def compare_runs(first: Path | str, second: Path | str) -> dict[str, Any]:
    """Return the differences between the tables of two runs, row by row.

    A difference exceeds the spread when it is larger than ``sqrt(sd_a² + sd_b²)``, the standard
    deviation of a difference of two independent values. A column without a spread (a time, a
    count) is compared and not judged.

    Returns
    -------
    dict
        ``keys``, ``rows`` (the keys, ``measure``, ``a``, ``b``, ``difference``, ``spread``,
        ``exceeds``), ``only_a`` and ``only_b`` (keys of rows that one run lacks), and ``settings``:
        what differs between the two runs' arguments, data and versions.

    Raises
    ------
    UsageError
        A folder holds no finished run, or the two are not of one study.
    """
    runs = (read_run(first), read_run(second))
    if runs[0]["study"] != runs[1]["study"]:
        raise UsageError(
            f"{first} is a run of '{runs[0]['study']}' and {second} one of '{runs[1]['study']}'; "
            "compare two runs of one study"
        )
    tables = (read_table(first), read_table(second))
    keys = tuple(tables[0]["keys"])
    a, b = (_by_key(table["rows"], keys) for table in tables)
    rows = [row for key in a if key in b for row in _differences(dict(key), a[key], b[key], keys)]
    return {
        "study": runs[0]["study"],
        "keys": list(keys),
        "settings": _changed(*runs),
        "rows": rows,
        "only_a": [dict(key) for key in a if key not in b],
        "only_b": [dict(key) for key in b if key not in a],
    }


def note_repeat(folder: Path | str, run: Mapping[str, Any], outcome: Mapping[str, Any]) -> str:
    """Say whether a run that was repeated gave the same table again; "" if it was just finished.

    Parameters
    ----------
    folder : Path or str
    run : mapping
        ``read_run(folder)`` before the repetition.
    outcome : mapping
        ``folder`` of the repetition.
    """
    again = outcome["folder"]
    if not run["finished"] or Path(again).resolve() == Path(folder).resolve():
        return ""
    found = compare_runs(folder, again)
    rows = [row for row in found["rows"] if not row["measure"].endswith(TIME)]
    other = sum(bool(row["difference"]) for row in rows)
    lone = len(found["only_a"]) + len(found["only_b"])
    if not other and not lone:
        return f"the table is that of {folder}, but for the times"
    lone_rows = f", {counted(lone, 'row is', 'rows are')} in one run alone" if lone else ""
    return (
        f"not the table of {folder}: {other:,} of {counted(len(rows), 'value')} changed"
        f"{lone_rows}; see vernis lab diff {folder} {again}"
    )


def _by_key(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> dict[tuple[tuple[str, Any], ...], Mapping[str, Any]]:
    return {tuple((name, row.get(name)) for name in keys): row for row in rows}


def _differences(
    named: dict[str, Any], a: Mapping[str, Any], b: Mapping[str, Any], keys: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for measure, value in a.items():
        other = b.get(measure)
        if measure in keys or measure.endswith(SPREAD) or not (_number(value) and _number(other)):
            continue
        sd_a, sd_b = a.get(measure + SPREAD), b.get(measure + SPREAD)
        spread = math.hypot(sd_a, sd_b) if sd_a is not None and sd_b is not None else None
        difference = other - value
        rows.append(
            {
                **named,
                "measure": measure,
                "a": value,
                "b": other,
                "difference": difference,
                "spread": spread,
                "exceeds": None if spread is None else bool(abs(difference) > spread + 1e-12),
            }
        )
    return rows


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return ``name: [in a, in b]`` of everything that differs between two runs."""
    changed = {}
    for part in ("arguments", "data", "versions"):
        for name in sorted({*a[part], *b[part]}):
            pair = [a[part].get(name), b[part].get(name)]
            if pair[0] != pair[1]:
                changed[f"{part}.{name}"] = pair
    return changed
