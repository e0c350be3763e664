"""How a table of labels is read: what ``run`` and ``import`` can be told about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from vernis.core.words.repeated_rows import RowIs
from vernis.verbs.declare import KEEP_CASE, BaseSettings, Option


def read_separator(text: str) -> str:
    r"""Return a separator as a person writes it: ``\n`` and ``\t`` may be spelt out."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


@dataclass(frozen=True)
class TableSettings(BaseSettings):
    """Which columns of a table of labels are taken, and what its cells mean."""

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
    image_column: Annotated[
        str | None,
        Option("column that names the images (default: the one whose cells do)", "COLUMN"),
    ] = None
    separator: Annotated[
        str | None,
        Option(
            "stands between the classes of a cell; '' for none (default: | or what the cells show: "
            "lists, ; , or a line break)",
            "TEXT",
            parse=read_separator,
        ),
    ] = None
    one_hot: Annotated[
        Sequence[str] | None,
        Option(
            "this column of 0 and 1, yes and no or marks is one class of a taxonomy that these "
            "columns make together (repeatable; '': no column is; default: by their cells)",
            "COLUMN",
        ),
    ] = None
    row: Annotated[
        RowIs | None,
        Option(
            "what a row is: an image, so that rows that differ contradict each other, or a label "
            "(a box), so that those of an image go together (default: by the table)"
        ),
    ] = None
    blank: Annotated[
        Sequence[str] | None,
        Option(
            "this word in a cell means blank (repeatable; '': only empty cells are blank; default: "
            "nan, NA, N/A, null, None, unknown, -, ?, the errors of spreadsheets and the like)",
            "WORD",
        ),
    ] = None
    keep_case: Annotated[bool, KEEP_CASE] = False
