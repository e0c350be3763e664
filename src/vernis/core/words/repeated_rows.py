"""Images that several rows are about: rows that repeat, go together, or contradict each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vernis.core.words.image_names import header_key

RowIs = Literal["image", "label"]

_CORNERS = (
    *({"xmin", "ymin"}, {"xtl", "ytl"}, {"x1", "y1", "x2", "y2"}, {"left", "top"}),
    *({"x", "y", "w", "h"}, {"x", "y", "width", "height"}, {"bboxx", "bboxy"}, {"bbox"}),
    *({"boundingbox"}, {"encodedpixels"}, {"polygon"}, {"segmentation"}, {"x0", "y0"}),
    *({"regionid", "regionshapeattributes"},),
)
"""Columns by which one knows a table of a row a box."""

_FEW = 2
_OFTEN = 0.2
_ALL_DIFFER = 0.8


@dataclass(frozen=True, slots=True)
class Repeats:
    """What several rows of an image say of each column.

    Attributes
    ----------
    row_is : str
        ``image``: rows that differ contradict each other; ``label``: they go together.
    rows : mapping of str to tuple of int
        uri → positions of its rows, in order.
    differing : mapping of str to frozenset of str
        Column → uris whose rows differ in it; blank cells differ from nothing.
    same : int
        Rows that say what an earlier one of the image says.
    """

    row_is: RowIs
    rows: Mapping[str, tuple[int, ...]]
    differing: Mapping[str, frozenset[str]]
    same: int


def find_repeats(
    uris: Sequence[str],
    columns: Mapping[str, Sequence[tuple[str, ...]]],
    header: Iterable[str] = (),
    row_is: RowIs | None = None,
) -> Repeats:
    """Find the images of several rows, and what a row is.

    A row is a label (or a box) where the table has columns of boxes, or where many images have
    several rows and these nearly always differ; else it is an image.

    Parameters
    ----------
    uris : sequence of str
        Image of each row, empty where there is none.
    columns : mapping of str to sequence of tuple of str
        Classes of each row, of the columns that are used.
    header : iterable of str
        All columns of the table.
    row_is : str or None
        None finds out.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for position, uri in enumerate(uris):
        if uri:
            rows[uri].append(position)
    several = {uri: places for uri, places in rows.items() if len(places) > 1}
    differing = {
        name: frozenset(uri for uri, places in several.items() if _differ(cells, places))
        for name, cells in columns.items()
    }
    any_differs = frozenset().union(*differing.values()) if differing else frozenset()
    same = sum(len(places) - 1 for uri, places in several.items() if uri not in any_differs)
    if row_is is None:
        row_is = "label" if _is_a_label(rows, several, any_differs, columns, header) else "image"
    return Repeats(row_is, {uri: tuple(places) for uri, places in rows.items()}, differing, same)


def _differ(cells: Sequence[tuple[str, ...]], places: Sequence[int]) -> bool:
    return len({frozenset(cells[place]) for place in places if cells[place]}) > 1


def _is_a_label(
    rows: Mapping[str, Sequence[int]],
    several: Mapping[str, Sequence[int]],
    differing: frozenset[str],
    columns: Mapping[str, Sequence[tuple[str, ...]]],
    header: Iterable[str],
) -> bool:
    keys = {header_key(name) for name in header}
    if any(corners <= keys for corners in _CORNERS):
        return True
    if len(differing) < _FEW or len(differing) < _OFTEN * len(rows):
        return False
    # Rows that each hold one class more never repeat one; second opinions mostly do.
    return len(differing) >= _ALL_DIFFER * len(several) and any(
        all(_all_distinct(cells, several[uri]) for uri in differing) for cells in columns.values()
    )


def _all_distinct(cells: Sequence[tuple[str, ...]], places: Sequence[int]) -> bool:
    said = [cells[place] for place in places if cells[place]]
    return len(set(said)) == len(said)
