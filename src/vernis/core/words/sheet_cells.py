"""Cells of sheets that people open in a spreadsheet: text that would be taken for a formula.

A sheet that is opened runs what begins with ``=``, ``+``, ``-`` or ``@``, and a file or a class may
be named so. Formats for other programs are written as they are; only tables for people pass here.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


def as_text(cell: str) -> str:
    """Return a cell that a spreadsheet shows and does not run: an apostrophe before what it would.

    >>> as_text("=1+1"), as_text("it's")
    ("'=1+1", "it's")
    """
    return "'" + cell if _FORMULA.match(cell) else cell


def from_text(cell: str) -> str:
    """Return what ``as_text`` was given.

    >>> from_text("'=1+1"), from_text("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if _QUOTED.match(cell) else cell
