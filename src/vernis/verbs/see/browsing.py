"""Look through the images of a filter: their order, a page of them, how often each value occurs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.filter_evaluation import FilterTable, Mask, evaluate_filter
from vernis.core.explore.filter_language import Condition, format_filter, parse_filter
from vernis.domain.types import Categories, ImageTable
from vernis.verbs.see.appearances import COLOR, TYPE
from vernis.verbs.see.filters import SUGGESTED, Carried, carried
from vernis.verbs.see.objects import FIELD

if TYPE_CHECKING:
    from vernis.session.session import Session

ImageOrder = Literal["id", "name", "newest", "oldest", "largest", "smallest"]

_FIELDS = ("is", "issue", "has", "source", "split", FIELD, SUGGESTED, COLOR, TYPE)
"""Fields of filters whose values are facets."""

MOST_VALUES = 200
"""Values of a facet that are told, the commonest."""


@dataclass(frozen=True, slots=True)
class BrowseRow:
    """An image as a cell of a grid shows it."""

    id: int
    uri: Annotated[str, "path relative to the indexed folder"]
    hash: Annotated[str, "start of the content hash: part of the address of its pictures"]
    width: Annotated[int, "pixels, 0 when unknown"]
    height: int
    format: str
    split: str
    labels: Annotated[dict[str, tuple[str, ...]], "taxonomy → classes that it carries"]
    issues: Annotated[tuple[str, ...], "kinds of open issues"]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """How many images have a value."""

    value: str
    shown: Annotated[int, "of those that the filter holds for"]
    total: Annotated[int, "of all"]
    where: Annotated[str, "the filter that asks for it"]


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """Values of one property, the commonest first."""

    name: str
    kind: Annotated[str, "taxonomy or property"]
    values: tuple[FacetValue, ...]
    more: Annotated[int, "values that are not told"]


def shown_images(table: FilterTable | None, size: int, where: str) -> Mask:
    """Return which images a filter holds for; an empty one holds for all. Raises FilterError."""
    if not where.strip() or table is None:
        return np.ones(size, dtype=np.bool_)
    return np.array(evaluate_filter(parse_filter(where), table, where))


def ordered(images: ImageTable, order: ImageOrder) -> NDArray[np.int64]:
    """Return the rows of all images in order; equal ones by id.

    Parameters
    ----------
    images : ImageTable
    order : str
        ``name`` is the path, ``largest`` the most pixels.
    """
    if order == "name":
        return np.array(sorted(range(len(images)), key=images.uris.__getitem__), np.int64)
    if order in ("newest", "oldest"):
        return _sorted(images.mtimes, down=order == "newest")
    if order in ("largest", "smallest"):
        pixels = images.widths.astype(np.int64) * images.heights
        return _sorted(pixels, down=order == "largest")
    return np.arange(len(images))


def _sorted(values: NDArray[np.int64], *, down: bool) -> NDArray[np.int64]:
    return np.argsort(-values if down else values, kind="stable")


def browse_rows(session: Session, ids: Sequence[int]) -> tuple[BrowseRow, ...]:
    """Return what cells show of some present images, in their order; raises NotFound."""
    table = session.table()
    rows = table.row_of(np.asarray(ids, np.int64))
    labels: list[dict[str, tuple[str, ...]]] = [{} for _ in ids]
    for taxonomy in session.taxonomies():
        known = carried(session, taxonomy.name)
        yes = known.yes[:, rows].T
        for at in np.flatnonzero(yes.any(axis=1)).tolist():
            found = np.flatnonzero(yes[at]).tolist()
            labels[at][taxonomy.name] = tuple(known.classes[column] for column in found)
    problems = session.catalog.issues.kinds_of_images(ids)
    return tuple(
        BrowseRow(
            id=int(table.ids[row]),
            uri=table.uris[row],
            hash=table.hashes[row].decode("ascii")[:12],
            width=int(table.widths[row]),
            height=int(table.heights[row]),
            format=table.formats[row],
            split=table.splits[row],
            labels=labels[at],
            issues=problems.get(int(table.ids[row]), ()),
        )
        for at, row in enumerate(rows.tolist())
    )


def count_facets(session: Session, table: FilterTable, shown: Mask) -> tuple[FacetCounts, ...]:
    """Return how many images have each value: of those shown, and of all."""
    images = session.table()
    facets = [
        _of_taxonomy(taxonomy.name, carried(session, taxonomy.name), shown)
        for taxonomy in session.taxonomies()
        if not taxonomy.ignored
    ]
    for name in _FIELDS:
        # What a text of the label file or a class of the owner's is called means that.
        own = {} if name in table.texts else table.marks[name]
        taken = _classes_before(table, name)
        values = {value: np.asarray(mask) for value, mask in own.items() if value not in taken}
        facets.append(_of_marks(name, values, shown))
    facets.append(_of_categories("format", images.formats, shown))
    folders = session.kept("top folders", ("images",), lambda: _top_folders(images))
    facets.append(_of_categories("folder", folders, shown))
    return tuple(facet for facet in facets if facet.values)


def _classes_before(table: FilterTable, name: str) -> Collection[str]:
    """Return the classes that a field means before its own values, by a taxonomy of its name."""
    if name not in table.yielding:
        return ()
    same = [one for one in table.taxonomies if one.lower() == name]
    return {label for one in same for label in table.taxonomies[one].classes}


def _of_taxonomy(name: str, known: Carried, shown: Mask) -> FacetCounts:
    values = [
        FacetValue(label, _both(yes, shown), total, _condition(name, label, is_taxonomy=True))
        for label, yes in zip(known.classes, known.yes, strict=True)
        if (total := int(np.count_nonzero(yes)))
    ]
    return _facet(name, "taxonomy", values)


def _both(mask: Mask, shown: Mask) -> int:
    return int(np.count_nonzero(mask & shown))


def _of_marks(name: str, masks: dict[str, Mask], shown: Mask) -> FacetCounts:
    values = [
        FacetValue(value, _both(mask, shown), int(np.count_nonzero(mask)), _condition(name, value))
        for value, mask in masks.items()
    ]
    return _facet(name, "property", [value for value in values if value.total])


def _of_categories(name: str, column: Categories, shown: Mask) -> FacetCounts:
    n = len(column.names)
    totals = np.bincount(column.codes, minlength=n).tolist()
    some = np.bincount(column.codes[shown], minlength=n).tolist()
    values = [
        FacetValue(value, some[at], totals[at], _condition(name, value))
        for at, value in enumerate(column.names)
        if value and totals[at]
    ]
    return _facet(name, "property", values)


def _top_folders(images: ImageTable) -> Categories:
    """Return the topmost folder of each image, empty for one that lies in none."""
    places: dict[str, int] = {}
    tops = (uri.partition("/")[0] if "/" in uri else "" for uri in images.uris)
    codes = [places.setdefault(top, len(places)) for top in tops]
    return Categories(np.array(codes, np.uint32), tuple(places))


def _facet(name: str, kind: str, values: Sequence[FacetValue]) -> FacetCounts:
    ranked = sorted(values, key=lambda value: (-value.total, value.value))
    more = max(0, len(ranked) - MOST_VALUES)
    return FacetCounts(name, kind, tuple(ranked[:MOST_VALUES]), more)


_BUILT_IN = {
    *_FIELDS,
    "format",
    "folder",
    "id",
    "text",
    "name",
    "path",
    "objects",
}


def _condition(name: str, value: str, *, is_taxonomy: bool = False) -> str:
    """Return the filter that asks for a value; a quoted field is always a taxonomy."""
    quoted = is_taxonomy and (not name.isidentifier() or name.lower() in _BUILT_IN)
    return format_filter(Condition(name, ":", value, quoted))
