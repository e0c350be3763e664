"""Find the column that names the images, and the sheet of a workbook that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vernis.core.words.image_names import IMAGE_NAMES, Found, ImageFinder, header_key
from vernis.core.words.label_columns import LabelTable
from vernis.core.words.sheets import LeftOut, Sheet, without_header
from vernis.domain.errors import UsageError

_LOOKED_AT = 400
"""Rows, evenly spread, of which a share finds an image in the column that names them."""

_WORTH = {"path": 1.0, "case": 1.0, "address": 1.0, "suffix": 0.8, "number": 0.5}
_NAMED_WELL = 0.1
_ENOUGH = 0.5
_AS_GOOD = 0.95
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column, how well its cells name images, and how likely its name is."""

    sheet: Sheet
    at: int
    worth: float
    images: int
    rank: int

    @property
    def order(self) -> tuple[float, int, int, int]:
        named = _NAMED_WELL if self.worth and self.rank < len(IMAGE_NAMES) else 0.0
        return (round(self.worth + named, 3), self.images, -self.rank, -self.at)

    @property
    def name(self) -> str:
        return self.sheet.header[self.at]


def find_images(
    sheets: Sequence[Sheet], finder: ImageFinder, image_column: str | None = None
) -> LabelTable:
    """Return the table of the sheet and the column that name the images.

    Parameters
    ----------
    sheets : sequence of Sheet
        Of one file; at least one, with a header.
    finder : ImageFinder
        Knows the images of the collection.
    image_column : str or None
        The column as the user names it; None: the one whose cells name images best, or, where none
        does, the one that is called like it.

    Raises
    ------
    UsageError
        There is no column of that name.
    """
    usable = [_headed(sheet, finder, image_column) for sheet in sheets if sheet.header]
    candidates = [
        _judge(sheet, at, finder) for sheet in usable for at in _columns(sheet, image_column)
    ]
    if image_column is not None and not candidates:
        raise UsageError(no_column(usable, image_column))
    best = max(candidates, key=lambda candidate: candidate.order)
    notes = _describe(best, candidates, usable, image_column)
    if best.worth < _ENOUGH and image_column is None and best.rank >= len(IMAGE_NAMES):
        notes.append(f"that is a guess: {_share(best)}; --image-column COLUMN names another one")
    return _as_table(best, finder, notes)


def name_images(sheet: Sheet, image_column: str | None = None) -> LabelTable:
    """Return the table of a sheet, its column of images found by name alone.

    Raises
    ------
    UsageError
        No column is called like one of images, or like ``image_column``.
    """
    columns = _columns(sheet, image_column)
    ranked = [(_rank(sheet.header[at]), at) for at in columns]
    if not ranked or (image_column is None and min(ranked)[0] >= len(IMAGE_NAMES)):
        raise UsageError(no_column([sheet], image_column or "image"))
    candidate = _Candidate(sheet, min(ranked)[1], 0.0, 0, min(ranked)[0])
    notes = _describe(candidate, [candidate], [sheet], image_column)
    return _as_table(candidate, None, notes)


def no_column(sheets: Sequence[Sheet], name: str) -> str:
    """Return the message about a column that is missing."""
    columns = list(dict.fromkeys(column for sheet in sheets for column in sheet.header))
    shown = ", ".join(columns[:_SHOWN]) + (", …" if len(columns) > _SHOWN else "")
    return f"{sheets[0].source}: no column '{name}'; the columns are {shown}"


def _headed(sheet: Sheet, finder: ImageFinder, image_column: str | None) -> Sheet:
    """Return the sheet, its first row as data where that names an image already."""
    if image_column is not None and _columns(sheet, image_column):
        return sheet
    named = [at for at, cell in enumerate(sheet.first) if _is_image(cell, finder)]
    return without_header(sheet, named[0]) if named else sheet


def _is_image(cell: str, finder: ImageFinder) -> bool:
    found = finder.find(cell) if "." in cell else Found()
    return bool(found.uri) and found.way in ("path", "case", "address")


def _columns(sheet: Sheet, image_column: str | None) -> list[int]:
    if image_column is None:
        return list(range(len(sheet.header)))
    exact = [at for at, name in enumerate(sheet.header) if name == image_column]
    key = header_key(image_column)
    return exact or [at for at, name in enumerate(sheet.header) if header_key(name) == key]


def _rank(name: str) -> int:
    key = header_key(name)
    return IMAGE_NAMES.index(key) if key in IMAGE_NAMES else len(IMAGE_NAMES)


def _judge(sheet: Sheet, at: int, finder: ImageFinder) -> _Candidate:
    step = max(1, len(sheet.rows) // _LOOKED_AT)
    looked = [sheet.rows[row][at] for row in range(0, len(sheet.rows), step)]
    found = [finder.find(cell) for cell in looked]
    worth = sum(_WORTH[this.way] for this in found if this.uri)
    images = len({this.uri for this in found if this.uri})
    return _Candidate(sheet, at, worth / max(1, len(looked)), images, _rank(sheet.header[at]))


def _share(candidate: _Candidate) -> str:
    return f"{candidate.worth:.0%} of its cells name images of the collection"


def _describe(
    best: _Candidate,
    candidates: Sequence[_Candidate],
    sheets: Sequence[Sheet],
    image_column: str | None,
) -> list[str]:
    notes = []
    if len(sheets) > 1:
        others = ", ".join(s.name for s in sheets if s is not best.sheet)
        notes.append(
            f"sheet '{best.sheet.name}' is read, as its rows fit the images ({others}: not)"
        )
    if header_key(best.name) != IMAGE_NAMES[0] and image_column is None:
        notes.append(f"column '{best.name}' names the images")
    if image_column is None and best.worth:
        as_good = [
            f"'{other.name}'"
            for other in candidates
            if other.sheet is best.sheet and other is not best
            if other.worth >= _AS_GOOD * best.worth
        ]
        if as_good:
            does = "does" if len(as_good) == 1 else "do"
            notes.append(f"{', '.join(as_good)} {does} so as well; --image-column COLUMN chooses")
    return notes


def _as_table(best: _Candidate, finder: ImageFinder | None, notes: Sequence[str]) -> LabelTable:
    """Return the rows that name something; the others are left out."""
    sheet, at = best.sheet, best.at
    nameless = [
        LeftOut(number, "no image in this row", column=best.name)
        for number, row in zip(sheet.numbers, sheet.rows, strict=True)
        if not row[at].strip()
    ]
    kept = [
        (number, row)
        for number, row in zip(sheet.numbers, sheet.rows, strict=True)
        if row[at].strip()
    ]
    names = [row[at] for _, row in kept]
    found = finder.find_all(names) if finder is not None else [Found()] * len(names)
    return LabelTable(
        source=sheet.source,
        folder=sheet.folder,
        images=tuple(name.strip() for name in names),
        rows=tuple(number for number, _ in kept),
        columns={
            name: tuple(row[n].strip() for _, row in kept)
            for n, name in enumerate(sheet.header)
            if n != at
        },
        notes=(*sheet.notes, *notes),
        found=tuple(found),
        left_out=(*sheet.left_out, *nameless),
        image_column=best.name,
    )
