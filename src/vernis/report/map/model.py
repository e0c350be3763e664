"""What the picture and the page of a map show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F5FC4",
    "#8A8A00",
)
"""For the most frequent classes, in order: Okabe & Ito's without black and yellow, and two more."""

OTHER = "#8E8E93"
"""For every further class."""

NONE = "#C9C9C6"
"""For pictures without a label."""


@dataclass(frozen=True, slots=True)
class Facet:
    """Something by which pictures are coloured and filtered: a taxonomy, or the issues.

    Attributes
    ----------
    name : str
    classes : tuple of str
        The most frequent first.
    values : tuple of tuple of int
        The classes of each picture, ascending; empty where it has none.
    """

    name: str
    classes: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if any(max(row, default=-1) >= len(self.classes) for row in self.values):
            raise InvalidValue(f"expected classes below {len(self.classes)} in {self.name!r}")

    @property
    def title(self) -> str:
        """Return the name, with what the colour of a picture of several classes says."""
        several = any(len(row) > 1 for row in self.values)
        return f"{self.name} (of several the rarest)" if several else self.name

    @property
    def counts(self) -> tuple[int, ...]:
        """Return the number of pictures of each class."""
        flat = [value for row in self.values for value in row]
        return tuple(np.bincount(flat, minlength=len(self.classes)).tolist())

    def shown_class(self, row: int) -> int | None:
        """Return the class that colours a picture: the rarest of its coloured ones.

        None when it has no class. Frequent classes say least of a picture that has several.
        """
        values = self.values[row]
        colored = [value for value in values if value < len(COLORS)]
        if colored:
            return colored[-1]
        return values[0] if values else None

    def color(self, row: int) -> str:
        """Return the colour of a picture."""
        shown = self.shown_class(row)
        if shown is None:
            return NONE
        return COLORS[shown] if shown < len(COLORS) else OTHER

    def legend(self) -> list[tuple[str, str, int]]:
        """Return colour, name and count of pictures of each entry that occurs."""
        shown = [self.shown_class(row) for row in range(len(self.values))]
        entries = [
            (COLORS[code], name, shown.count(code))
            for code, name in enumerate(self.classes[: len(COLORS)])
        ]
        more = sum(1 for code in shown if code is not None and code >= len(COLORS))
        if more:
            further = len(self.classes) - len(COLORS)
            entries.append((OTHER, f"{further} more", more))
        blank = shown.count(None)
        if blank:
            entries.append((NONE, "none", blank))
        return [entry for entry in entries if entry[2]]


def make_facet(name: str, labels: Sequence[Sequence[str]]) -> Facet:
    """Return the facet of a list of classes for each picture."""
    counts: dict[str, int] = {}
    for row in labels:
        for label in row:
            counts[label] = counts.get(label, 0) + 1
    classes = tuple(sorted(counts, key=lambda label: (-counts[label], label)))
    code = {label: number for number, label in enumerate(classes)}
    values = tuple(tuple(sorted({code[label] for label in row})) for row in labels)
    return Facet(name, classes, values)


@dataclass(frozen=True, slots=True)
class SheetLevel:
    """Thumbnails of one size: where picture i lies follows from its number.

    Attributes
    ----------
    edge : int
        Side of a cell, pixels.
    columns : int
        Cells of a sheet across and down.
    sizes : sequence of (int, int)
        Of every picture, (0, 0) where there is none.
    pages : sequence of bytes
        JPEG.
    """

    edge: int
    columns: int
    sizes: Sequence[tuple[int, int]]
    pages: Sequence[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """A map as it is shown; pictures in an order in which neighbours follow one another.

    Attributes
    ----------
    title : str
    facts : mapping of str to str
        Shown under the title: pictures, method, figures.
    uris : sequence of str
    places : ndarray of float64, shape (n, 2)
        x to the right, y upwards.
    cells : ndarray of int64, shape (n, 2)
        Column and row of each picture, no two equal, row 0 on top.
    columns, rows : int
    facets : sequence of Facet
    color : str
        The facet that is shown first; empty for none.
    levels : sequence of SheetLevel
        The overview, then the detail.
    """

    title: str
    facts: Mapping[str, str]
    uris: Sequence[str]
    places: NDArray[np.float64]
    cells: NDArray[np.int64]
    columns: int
    rows: int
    facets: Sequence[Facet]
    color: str = ""
    levels: Sequence[SheetLevel] = field(default_factory=tuple)
    version: str = ""

    def facet(self, name: str) -> Facet | None:
        """Return the facet of that name."""
        return next((facet for facet in self.facets if facet.name == name), None)
