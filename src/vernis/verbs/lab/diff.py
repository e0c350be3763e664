"""``vernis lab diff``: compare the tables of two runs.

A difference exceeds the spread when it is larger than ``sqrt(sd_a² + sd_b²)``, the standard
deviation of a difference of two independent values. A column without a spread (a time, a count) is
compared and not judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.errors import UsageError
from vernis.report.lab.run_folder import StoredRun, read_run, read_table
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb, without

if TYPE_CHECKING:
    from vernis.session.session import Session

SPREAD = "_sd"
"""A column ``x_sd`` holds the standard deviation of the column ``x``."""

ENDS = ("_low", "_high")
"""Columns ``x_low`` and ``x_high`` hold the interval of the column ``x``."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which runs are compared."""

    a: Annotated[Path | str, Option("folder of a lab run", "A")]
    b: Annotated[Path | str, Option("folder of another run of the same study", "B")]
    _: KW_ONLY
    all: Annotated[bool, Option("also what is equal, and the intervals")] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What differs between two runs."""

    study: str
    keys: Annotated[tuple[str, ...], "the columns that name a row"]
    settings: Annotated[
        Mapping[str, tuple[Any, Any]], "what differs of arguments, data and versions: name → A, B"
    ]
    rows: Annotated[
        tuple[Mapping[str, Any], ...],
        "the keys, measure, a, b, difference, spread, exceeds; the last two are null where a "
        "measure has no spread",
    ]
    only_a: Annotated[tuple[Mapping[str, Any], ...], "keys of rows that B lacks"]
    only_b: Annotated[tuple[Mapping[str, Any], ...], "keys of rows that A lacks"]


def work(session: Session, settings: Settings) -> Result:
    """Return the differences between the tables of two runs, row by row.

    Raises
    ------
    UsageError
        A folder holds no finished run, or the two are not of one study.
    """
    return compare_runs(settings.a, settings.b)


def compare_runs(first: Path | str, second: Path | str) -> Result:
    """Return the differences between the tables of two runs; see `work`."""
    runs = (read_run(first), read_run(second))
    if runs[0].study != runs[1].study:
        raise UsageError(
            f"{first} is a run of '{runs[0].study}' and {second} one of '{runs[1].study}'; "
            "compare two runs of one study"
        )
    tables = (read_table(first), read_table(second))
    keys = tables[0].keys
    a, b = (_by_key(table.rows, keys) for table in tables)
    rows = [row for key in a if key in b for row in _differences(dict(key), a[key], b[key], keys)]
    return Result(
        study=runs[0].study,
        keys=keys,
        settings=_changed(*runs),
        rows=tuple(rows),
        only_a=tuple(dict(key) for key in a if key not in b),
        only_b=tuple(dict(key) for key in b if key not in a),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the settings that differ, the measures that do, and the rows of one run alone."""
    for name, (a, b) in result.settings.items():
        if name == "data.fingerprint":
            a, b = str(a)[:12], str(b)[:12]
        screen.line(f"{name}: {a} → {b}")
    rows = [
        row
        for row in result.rows
        if settings.all or (row["difference"] and not row["measure"].endswith(ENDS))
    ]
    columns = [*result.keys, "measure", "a", "b", "difference", "spread", "exceeds"]
    screen.table(rows, columns)
    for side, lone in (("A", result.only_a), ("B", result.only_b)):
        for key in lone:
            named = ", ".join(f"{name} {value}" for name, value in key.items() if value is not None)
            screen.line(f"only in {side}: {named}")
    judged = [row for row in result.rows if row["exceeds"] is not None]
    beyond = sum(row["exceeds"] for row in judged)
    screen.line(
        f"Different by more than the spread: {beyond} of {counted(len(judged), 'measure')}."
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


def _changed(a: StoredRun, b: StoredRun) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two runs: ``name: (in a, in b)``."""
    changed = {}
    for part in ("arguments", "data", "versions"):
        own, other = getattr(a, part), getattr(b, part)
        for name in sorted({*own, *other}):
            if own.get(name) != other.get(name):
                changed[f"{part}.{name}"] = (own.get(name), other.get(name))
    return changed


VERB = Verb(Settings, work, show, home=without)
