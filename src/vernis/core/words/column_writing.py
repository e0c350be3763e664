"""Write taxonomies as columns of a table, so that the import reads them back as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vernis.core.words.cell_parts import SEPARATOR, ColumnParts, take_apart, write_exact, write_list
from vernis.core.words.column_classes import read_classes
from vernis.core.words.label_columns import judge_column, may_be_classes
from vernis.core.words.one_hot import find_one_hot
from vernis.core.words.table_reading import NO_SUFFIX
from vernis.domain.types import TaxonomyKind

Cells = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class ColumnOfClasses:
    """A taxonomy to be written.

    Attributes
    ----------
    name : str
    kind : str
    yes, no : sequence of sequence of str
        What each image carries, and what it surely does not, an entry an image.
    """

    name: str
    kind: TaxonomyKind
    yes: Cells
    no: Cells


def write_columns(taxonomies: Sequence[ColumnOfClasses]) -> dict[str, list[str]]:
    """Return the cells of each column, by its name.

    The plainest form that reads back as it was: classes joined by ``|``, and where images are
    known not to carry some, a column ``NAME (no)`` of them; else JSON lists; else objects such as
    ``{"yes": ["a|b"], "no": []}``, whose names are taken to the letter.

    Parameters
    ----------
    taxonomies : sequence of ColumnOfClasses
        Of distinct names, with as many entries each.
    """
    names = {taxonomy.name for taxonomy in taxonomies}
    written = {
        taxonomy.name: _exact(taxonomy)
        if taxonomy.name + NO_SUFFIX in names
        else _plainest(taxonomy)
        for taxonomy in taxonomies
    }
    columns = {name: cells for found in written.values() for name, cells in found.items()}
    possible = {name: cells for name, cells in columns.items() if may_be_classes(name)}
    hot = find_one_hot(possible)
    if hot is not None:
        # Columns that hold nothing but yes and no would be read as classes of one taxonomy.
        written |= {t.name: _exact(t) for t in taxonomies if written[t.name].keys() & hot.classes}
    return {name: cells for found in written.values() for name, cells in found.items()}


def _plainest(taxonomy: ColumnOfClasses) -> dict[str, list[str]]:
    joined = _columns(taxonomy, SEPARATOR.join)
    if _reads_back(taxonomy, joined):
        return joined
    listed = _columns(taxonomy, write_list)
    if taxonomy.kind == "multi" and _reads_back(taxonomy, listed):
        return listed
    return _exact(taxonomy)


def _columns(
    taxonomy: ColumnOfClasses, join: Callable[[Sequence[str]], str]
) -> dict[str, list[str]]:
    columns = {taxonomy.name: [join(cell) for cell in taxonomy.yes]}
    if any(taxonomy.no):
        columns[taxonomy.name + NO_SUFFIX] = [join(cell) for cell in taxonomy.no]
    return columns


def _exact(taxonomy: ColumnOfClasses) -> dict[str, list[str]]:
    several = taxonomy.kind == "multi"
    rows = zip(taxonomy.yes, taxonomy.no, strict=True)
    return {taxonomy.name: [write_exact(yes, no, several=several) for yes, no in rows]}


def _reads_back(taxonomy: ColumnOfClasses, columns: Mapping[str, list[str]]) -> bool:
    """Tell whether the import takes the columns for what they are."""
    cells = columns[taxonomy.name]
    parts = take_apart(cells)
    use = judge_column(taxonomy.name, cells, parts=parts)
    if use.role != "taxonomy" or use.kind != taxonomy.kind:
        return not any(taxonomy.yes) and not any(taxonomy.no)
    if not _same(parts, taxonomy.yes):
        return False
    negative = columns.get(taxonomy.name + NO_SUFFIX)
    return negative is None or _same(take_apart(negative), taxonomy.no)


def _same(parts: ColumnParts, cells: Cells) -> bool:
    return read_classes(parts.yes).cells == tuple(map(tuple, cells))
