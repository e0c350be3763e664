"""From what is written to class names: blanks, spellings, look-alikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vernis.core.words.blank_words import USUAL_BLANKS, BlankCount, Blanks, count_blanks
from vernis.core.words.class_names import clean_name
from vernis.core.words.look_alikes import LookAlike, find_look_alikes, rarer_spellings


@dataclass(frozen=True, slots=True)
class Spellings:
    """How the classes of a taxonomy are spelt.

    Attributes
    ----------
    counts : mapping of str to int
        Class → images, after folding.
    folded : mapping of str to str
        Rarer spelling → the one that is taken for it.
    changed : int
        Labels to which that happens.
    alike : tuple of LookAlike
        Classes that look alike and are kept apart.
    """

    counts: Mapping[str, int]
    folded: Mapping[str, str]
    changed: int
    alike: tuple[LookAlike, ...]

    def of(self, name: str) -> str:
        """Return the spelling that is taken."""
        return self.folded.get(name, name)


@dataclass(frozen=True, slots=True)
class ColumnClasses:
    """The classes of a column, and what a person should know of their names.

    Attributes
    ----------
    cells : tuple of tuple of str
        The classes of each cell, in order, each once.
    blanks : BlankCount
    spellings : Spellings
        With the classes that other images of the taxonomy carry.
    joined : tuple of str
        Classes that are written in several ways that a reader cannot tell apart.
    """

    cells: tuple[tuple[str, ...], ...]
    blanks: BlankCount
    spellings: Spellings
    joined: tuple[str, ...] = ()


def read_names(parts: Iterable[str], blanks: Blanks = USUAL_BLANKS) -> tuple[str, ...]:
    """Return the class names of a cell's parts, in order and each once, without the blank ones."""
    names = map(clean_name, parts)
    return tuple(dict.fromkeys(name for name in names if not blanks.hold(name)))


def read_cells(
    cells: Iterable[Sequence[str]], blanks: Blanks = USUAL_BLANKS
) -> list[tuple[str, ...]]:
    """Return the class names of each cell; of equal cells, which most are, read once."""
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    read = []
    for parts in map(tuple, cells):
        names = known.get(parts)
        if names is None:
            names = known[parts] = read_names(parts, blanks)
        read.append(names)
    return read


def settle_spellings(
    counts: Mapping[str, int],
    *,
    keep_case: bool = False,
    fixed: Collection[str] = (),
) -> Spellings:
    """Return which spelling is taken for each name.

    Parameters
    ----------
    counts : mapping of str to int
        Class, clean → images.
    keep_case : bool
        Spellings that differ in case alone stay apart, however rare one is.
    fixed : collection of str
        Names that are not changed.
    """
    rarer = {} if keep_case else rarer_spellings(counts)
    folded = {name: into for name, into in rarer.items() if name not in fixed}
    after: Counter[str] = Counter()
    for name, count in counts.items():
        after[folded.get(name, name)] += count
    alike = find_look_alikes({name: count for name, count in after.items() if count})
    return Spellings(after, folded, sum(counts[name] for name in folded), tuple(alike))


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
        Class → images beside those of the column that carry it already; they keep their spelling.
    """
    read = read_cells(cells, blanks)
    counts = Counter(known or {})
    here = Counter(name for names in read for name in names)
    counts.update(here)
    spellings = settle_spellings(counts, keep_case=keep_case, fixed=counts.keys() - here.keys())
    taken = tuple(tuple(dict.fromkeys(map(spellings.of, names))) for names in read)
    joined = _written_in_several_ways(cells, here)
    return ColumnClasses(taken, count_blanks(cells, blanks), spellings, joined)


def _written_in_several_ways(
    cells: Sequence[Sequence[str]], classes: Collection[str]
) -> tuple[str, ...]:
    # Blanks around a name are how people type, and nothing to report.
    written = {part.strip(" ") for parts in cells for part in parts}
    ways = Counter(map(clean_name, written))
    return tuple(sorted(name for name, count in ways.items() if count > 1 and name in classes))
