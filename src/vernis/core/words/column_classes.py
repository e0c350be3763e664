"""From the parts of a column's cells to class names: blanks, spellings, look-alikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vernis.core.words.blank_words import USUAL_BLANKS, BlankCount, Blanks, count_blanks
from vernis.core.words.class_names import clean_name
from vernis.core.words.look_alikes import LookAlike, find_look_alikes, rarer_spellings


@dataclass(frozen=True, slots=True)
class ColumnClasses:
    """The classes of a column, and what a person should know of their names.

    Attributes
    ----------
    cells : tuple of tuple of str
        The classes of each cell, in order, each once.
    blanks : BlankCount
    counts : mapping of str to int
        Class → cells, after folding; with those of the taxonomy that other images carry.
    folded : mapping of str to str
        Rarer spelling → the one that was taken.
    folded_cells : int
        Cells in which that happened.
    alike : tuple of LookAlike
        Classes that look alike and are kept apart.
    """

    cells: tuple[tuple[str, ...], ...]
    blanks: BlankCount
    counts: Mapping[str, int]
    folded: Mapping[str, str]
    folded_cells: int
    alike: tuple[LookAlike, ...]


def read_names(parts: Iterable[str], blanks: Blanks = USUAL_BLANKS) -> tuple[str, ...]:
    """Return the class names of a cell's parts, in order and each once, without the blank ones."""
    names = map(clean_name, parts)
    return tuple(dict.fromkeys(name for name in names if not blanks.hold(name)))


def read_classes(
    cells: Sequence[Sequence[str]],
    blanks: Blanks = USUAL_BLANKS,
    *,
    keep_case: bool = False,
    known: Mapping[str, int] | None = None,
) -> ColumnClasses:
    """Return the classes of a column.

    Parameters
    ----------
    cells : sequence of sequence of str
        The parts of each cell, as they were written.
    blanks : Blanks
    keep_case : bool
        Spellings that differ in case alone stay apart, however rare one is.
    known : mapping of str to int, optional
        Class → images beside those of the column that carry it already.
    """
    read = [read_names(parts, blanks) for parts in cells]
    counts = Counter(known or {})
    counts.update(name for names in read for name in names)
    here = {name for names in read for name in names}
    rarer = {} if keep_case else rarer_spellings(counts)
    folded = {name: into for name, into in rarer.items() if name in here}
    taken = tuple(tuple(dict.fromkeys(folded.get(n, n) for n in names)) for names in read)
    changed = sum(not folded.keys().isdisjoint(names) for names in read)
    counts = Counter(known or {})
    counts.update(name for names in taken for name in names)
    alike = tuple(find_look_alikes({name: n for name, n in counts.items() if n}))
    return ColumnClasses(taken, count_blanks(cells, blanks), counts, folded, changed, alike)
