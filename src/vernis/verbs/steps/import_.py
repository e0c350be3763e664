"""``vernis import``: import the labels of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import KEEP_CASE, BaseSettings, Option, Screen, Verb
from vernis.verbs.steps.label_import import import_labels

if TYPE_CHECKING:
    from vernis.core.words.label_columns import LabelTable
    from vernis.session.session import Session


@dataclass(frozen=True)
class TableSettings(BaseSettings):
    """Which columns of a table of labels are taken, and what a blank means."""

    _: KW_ONLY
    taxonomy: Annotated[
        Sequence[str] | None,
        Option(
            "use this column of the table (repeatable; default: every column that looks like a "
            "taxonomy)"
        ),
    ] = None
    closed: Annotated[
        Sequence[str],
        Option("in this taxonomy an image with a label has no other: blank classes mean no"),
    ] = ()
    blank: Annotated[
        Sequence[str] | None,
        Option(
            "this word in a cell means blank (repeatable; '': only empty cells are blank; default: "
            "nan, NA, N/A, null, None, -, ?, the errors of spreadsheets and the like)",
            "WORD",
        ),
    ] = None
    keep_case: Annotated[bool, KEEP_CASE] = False


@dataclass(frozen=True)
class Settings(TableSettings):
    """What is imported."""

    file: Annotated[
        Path | str, Option("a CSV file: an image column, and one column for each taxonomy")
    ]


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did."""

    rows: Annotated[int, "rows of the table"]
    images: Annotated[int, "images that a row is about"]
    labelled: Annotated[Mapping[str, int], "taxonomy → images with a label"]
    notes: Annotated[tuple[str, ...], "columns and rows left out, and why"]


def work(session: Session, settings: Settings) -> Result:
    """Record the labels of a table as given ones, one batch a taxonomy.

    A row decides about its image: labels that were given before and are not in the row any more
    are withdrawn. Images without a row keep their labels. Blank cells mean unknown.
    """
    return import_table(session, session.read_label_table(Path(settings.file)), settings)


def import_table(session: Session, table: LabelTable, settings: TableSettings) -> Result:
    """Record the labels of a table that was read."""
    with session.lock("import"):
        found = import_labels(
            session,
            table,
            taxonomies=settings.taxonomy,
            closed=settings.closed,
            blank=settings.blank,
            keep_case=settings.keep_case,
        )
    return Result(found.rows, found.matched, found.taxonomies, found.notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    labelled = {f"labelled in {name}": n for name, n in result.labelled.items()}
    screen.facts({"rows": result.rows, "images": result.images, **labelled})


VERB = Verb(Settings, work, show)
