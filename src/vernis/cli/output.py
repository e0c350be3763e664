"""What the command line prints: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from vernis.domain.documents import to_document

_WIDTH = 140
"""Characters of a table that goes into a file or another program."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    # Names that are not UTF-8 are escaped by the index, so UTF-8 holds any name.
    narrow = (sys.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
    json.dump(to_document(value, 6), sys.stdout, ensure_ascii=narrow, indent=1)
    sys.stdout.write("\n")


def say(message: str) -> None:
    """Write a message to standard error."""
    print(message, file=sys.stderr, flush=True)


def cell(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}".replace("-0.000", "0.000")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    return visible(str(value))


def visible(text: str) -> str:
    """Return a text in which what would move the cursor (a file may be called so) is escaped."""
    return text if text.isprintable() else _CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], text)


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> None:
    """Print rows as a table on standard output.

    Parameters
    ----------
    rows : sequence of mappings
    columns : sequence of str
        The keys to show, in order; an underscore is shown as a blank.
    title : str
        A line above the table; all there is where there are no rows.
    """
    if not rows:
        print(title or "Nothing to list.")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    texts = {name: [cell(row.get(name)) for row in rows] for name in columns}
    headings = {name: name.replace("_", " ") for name in columns}
    natural = sum(max(map(len, (headings[name], *texts[name]))) + 2 for name in columns)
    for name in columns:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        # Where room is short, headings of numbers break into words before a name is broken.
        breaks = numeric and natural > width
        words = (*texts[name], *headings[name].split())
        table.add_column(
            headings[name],
            justify="right" if numeric else "left",
            overflow="fold",
            max_width=max(map(len, words)) if breaks else None,
        )
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in columns))
    console = Console(file=sys.stdout, width=width, highlight=False)
    if title:  # a table's own title breaks where the table ends
        console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)


def print_facts(facts: Mapping[str, Any], title: str = "") -> None:
    """Print names and values, one a line."""
    if title:
        print(title)
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        print(f"  {name:<{width}}  {cell(value)}")


class Terminal:
    """The ``Screen`` of the command line: results on standard output, notes on standard error."""

    def table(
        self,
        rows: Sequence[Any],
        columns: Sequence[str],
        *,
        title: str = "",
        limit: int | None = None,
        total: int | None = None,
    ) -> None:
        """Print rows as a table, at most ``limit``, and how many more there are."""
        shown = [_row(row) for row in rows[:limit]]
        print_table(shown, columns, title=title)
        more = (len(rows) if total is None else total) - len(shown)
        if more > 0:
            say(f"{more:,} more; --limit or --json shows them.")

    def facts(self, facts: Mapping[str, Any], *, title: str = "") -> None:
        """Print names and values, one a line."""
        print_facts(facts, title=title)

    def line(self, text: str = "") -> None:
        """Print a line."""
        print("\n".join(map(visible, text.split("\n"))), flush=True)

    def note(self, text: str) -> None:
        """Say something on standard error."""
        say(f"note: {text}")

    def ask(self, question: str) -> bool | None:
        """Ask yes or no on the terminal; None where standard input is none."""
        if not sys.stdin.isatty():
            return None
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _row(row: Any) -> Mapping[str, Any]:
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name.rstrip("_"): getattr(row, field.name) for field in fields(row)}
    found: Mapping[str, Any] = row
    return found
