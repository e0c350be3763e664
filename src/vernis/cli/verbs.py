"""What the verbs share: their common options, the collection that they open, how they end."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.cli.output import print_json, print_table, say
from vernis.cli.progress import choose_progress

if TYPE_CHECKING:
    from vernis.collection import Collection

Command = Callable[[Namespace], int]


def add_verb(
    verbs: Any, name: str, command: Command, help: str, *, table: bool = False
) -> argparse.ArgumentParser:
    """Return the parser of a new verb, with the options that every verb has.

    Parameters
    ----------
    verbs : the subparsers of the command line, or of a verb that has verbs of its own
    name : str
    command : callable
        Gets the parsed options, returns the exit code.
    help : str
    table : bool
        The verb prints a table, so it has ``--json`` too.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
    parser.set_defaults(command=command)
    parser.add_argument(
        "--collection",
        metavar="DIR",
        help="the NAME.vernis folder (default: the only one beside or above the working folder)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    if table:
        parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    return parser


def add_space(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses among the embedding spaces."""
    parser.add_argument(
        "--space", metavar="NAME", help="embedding space (default: the current one)"
    )


def fraction(text: str) -> float:
    """Parse a number above 0 and below 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text!r}")
    return value


def open_collection(options: Namespace, *, create_for: Path | None = None) -> Collection:
    """Open the collection that the options name, or the only one beside or above."""
    from vernis.collection import Collection, find_collection

    if create_for is None:
        return Collection.open(options.collection or find_collection())
    folder = Path(options.collection or f"{create_for.resolve().name}.vernis")
    return Collection.open(folder) if folder.exists() else Collection.create(folder)


@contextmanager
def working(options: Namespace, *, create_for: Path | None = None) -> Iterator[Collection]:
    """Open the collection for long work, whose progress is shown."""
    with (
        open_collection(options, create_for=create_for) as collection,
        choose_progress(options.quiet) as progress,
    ):
        collection.progress = progress
        yield collection


def print_rows(
    options: Namespace,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    title: str = "",
    limit: int | None = None,
) -> None:
    """Print rows as the options ask: all of them as JSON, or the first ``limit`` as a table."""
    if options.json:
        print_json(rows)
        return
    print_table(rows[:limit], columns, title=title)
    if limit is not None and len(rows) > limit:
        say_more(len(rows) - limit)


def say_more(count: int) -> None:
    """Say that a table was cut."""
    say(f"{count:,} more; --limit or --json shows them.")
