"""Look through the images of a filter: their order, a page of them, how often each value occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.filter_evaluation import FilterTable, Mask, evaluate_filter
from vernis.core.explore.filter_language import Condition, format_filter, parse_filter
from vernis.domain.types import Categories, ImageTable, LabelMatrix
from vernis.verbs.see.objects import FIELD

if TYPE_CHECKING:
    from vernis.session.session import Session

ImageOrder = Literal["id", "name", "newest", "oldest", "largest", "smallest"]

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
    return np.asarray(evaluate_filter(parse_filter(where), table, where))


def ordered(images: ImageTable, shown: Mask, order: ImageOrder) -> NDArray[np.int64]:
    """Return the ids of the images that are shown, in order; equal ones by id.

    Parameters
    ----------
    images : ImageTable
    shown : ndarray of bool, shape (n_images,)
    order : str
        ``name`` is the path, ``largest`` the most pixels.
    """
    rows = np.flatnonzero(shown)
    if order == "name":
        names = np.array(images.uris, dtype=object)[rows]
        rows = rows[np.argsort(names, kind="stable")]
    elif order in ("newest", "oldest"):
        rows = _sorted(rows, images.mtimes[rows], down=order == "newest")
    elif order in ("largest", "smallest"):
        pixels = images.widths.astype(np.int64) * images.heights
        rows = _sorted(rows, pixels[rows], down=order == "largest")
    return images.ids[rows]


def _sorted(rows: NDArray[np.int64], values: NDArray[np.int64], *, down: bool) -> NDArray[np.int64]:
    return rows[np.argsort(-values if down else values, kind="stable")]


def browse_rows(session: Session, ids: Sequence[int]) -> tuple[BrowseRow, ...]:
    """Return what cells show of some present images, in their order; raises NotFound."""
    table = session.table()
    rows = table.row_of(np.asarray(ids, np.int64))
    labels: list[dict[str, tuple[str, ...]]] = [{} for _ in ids]
    for taxonomy in session.taxonomies():
        matrix = session.matrix(taxonomy.name)
        yes = matrix.values[rows] == 1
        for at in np.flatnonzero(yes.any(axis=1)).tolist():
            carried = np.flatnonzero(yes[at]).tolist()
            labels[at][taxonomy.name] = tuple(matrix.taxonomy.classes[column] for column in carried)
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
        _of_taxonomy(session.matrix(taxonomy.name), shown)
        for taxonomy in session.taxonomies()
        if not taxonomy.ignored
    ]
    for name in ("is", "issue", "has", "source", "split", FIELD):
        values = {value: np.asarray(mask) for value, mask in table.marks[name].items()}
        facets.append(_of_marks(name, values, shown))
    facets.append(_of_categories("format", images.formats, shown))
    facets.append(_of_folders(images, shown))
    return tuple(facet for facet in facets if facet.values)


def _of_taxonomy(matrix: LabelMatrix, shown: Mask) -> FacetCounts:
    yes = matrix.values == 1
    name, classes = matrix.taxonomy.name, matrix.taxonomy.classes
    counts = zip(classes, yes[shown].sum(axis=0).tolist(), yes.sum(axis=0).tolist(), strict=True)
    values = [
        FacetValue(label, some, total, _condition(name, label, is_taxonomy=True))
        for label, some, total in counts
        if total
    ]
    return _facet(name, "taxonomy", values)


def _of_marks(name: str, masks: dict[str, Mask], shown: Mask) -> FacetCounts:
    values = [
        FacetValue(value, int((mask & shown).sum()), int(mask.sum()), _condition(name, value))
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


def _of_folders(images: ImageTable, shown: Mask) -> FacetCounts:
    tops = [uri.partition("/")[0] if "/" in uri else "" for uri in images.uris]
    names, codes = np.unique(np.array(tops, dtype=object), return_inverse=True)
    column = Categories(codes.astype(np.uint32), tuple(map(str, names)))
    return _of_categories("folder", column, shown)


def _facet(name: str, kind: str, values: Sequence[FacetValue]) -> FacetCounts:
    ranked = sorted(values, key=lambda value: (-value.total, value.value))
    more = max(0, len(ranked) - MOST_VALUES)
    return FacetCounts(name, kind, tuple(ranked[:MOST_VALUES]), more)


_BUILT_IN = {
    "is",
    "issue",
    "has",
    "source",
    "split",
    "format",
    "folder",
    "id",
    "text",
    "name",
    "path",
    "objects",
    FIELD,
}


def _condition(name: str, value: str, *, is_taxonomy: bool = False) -> str:
    """Return the filter that asks for a value; a quoted field is always a taxonomy."""
    quoted = is_taxonomy and (not name.isidentifier() or name.lower() in _BUILT_IN)
    return format_filter(Condition(name, ":", value, quoted))
