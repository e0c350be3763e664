"""Words that people and programs write where they mean that a cell is blank."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Self

from vernis.core.words.class_names import clean_name, match_key

_NOT_THERE = """
nan -nan na n.a. n.a n/a n/a. #na #n/a #n/d <na> nat null (null) [null] <null> #null! nil none
(none) [none] <none> (blank) (empty) <empty> \\n undefined 1.#ind -1.#ind 1.#qnan -1.#qnan
"""
_EXCEL_ERRORS = """
#value! #ref! #div/0! #num! #name? #getting_data #spill! #calc! #field! #blocked! #unknown!
#connect! #wert! #bezug! #zahl! #nv
"""
_WORDS_FOR_IT = """
unknown unbekannt inconnu inconnue desconocido desconocida sconosciuto
notavailable notapplicable nodata tbd t.b.d. t.b.d
k.a. k.a keineangabe keineangaben o.a. o.a ohneangabe n.n. n.n n.v. nichtvorhanden
s.o. s.o sansobjet n.c. n.d. n.r. nonrenseign\u00e9 nonrenseign\u00e9e
"""
"""What people write, without the spaces. Abbreviations have their dots: ``KA`` may be a name."""

BLANK_WORDS = tuple(sorted({*_NOT_THERE.split(), *_EXCEL_ERRORS.split(), *_WORDS_FOR_IT.split()}))
"""What is blank by default, in any case and with any spaces."""

_DASHES = re.compile(r"[-\u2010-\u2015\u2212?.\u2026_]+")
"""Dashes, question marks and dots alone say nothing either."""


@dataclass(frozen=True, slots=True)
class Blanks:
    """Which words are blank. An empty cell always is.

    Attributes
    ----------
    words : frozenset of str
        Compared without case and spaces.
    dashes : bool
        Cells of nothing but dashes, question marks and dots are blank too.
    """

    words: frozenset[str]
    dashes: bool = False

    @classmethod
    def of(cls, words: Sequence[str] | None) -> Self:
        """Return the words that a person named, in place of the usual ones; None: the usual ones.

        An empty word names none: only empty cells are blank then.
        """
        if words is None:
            return cls(frozenset(map(_key, BLANK_WORDS)), dashes=True)
        return cls(frozenset(map(_key, words)) - {""})

    def hold(self, text: str) -> bool:
        """Return whether a cell, or a part of one, is blank."""
        key = _key(text)
        return not key or key in self.words or (self.dashes and bool(_DASHES.fullmatch(key)))


def _key(text: str) -> str:
    return match_key(text).replace(" ", "")


USUAL_BLANKS = Blanks.of(None)
ONLY_EMPTY = Blanks.of([""])


@dataclass(frozen=True, slots=True)
class BlankCount:
    """How often a column's cells are blank.

    Attributes
    ----------
    empty : int
        Cells in which nothing stands.
    words : mapping of str to int
        Blank word, as it is spelt → how often it stands, the most frequent first.
    look_like_classes : bool
        Such words stand as often as classes do, beside empty cells or beside one another: whoever
        filled the table may mean them. False where a person named the blanks.
    """

    empty: int
    words: dict[str, int] = field(default_factory=dict)
    look_like_classes: bool = False

    @property
    def total(self) -> int:
        """Blank words in all."""
        return sum(self.words.values())


def count_blanks(cells: Iterable[Sequence[str]], blanks: Blanks = USUAL_BLANKS) -> BlankCount:
    """Count the blank words of a column.

    Parameters
    ----------
    cells : iterable of sequence of str
        The parts of each cell, as they were written.
    blanks : Blanks
    """
    empty = 0
    said: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    for parts in cells:
        names = [name for name in map(clean_name, parts) if name]
        empty += not names
        for name in names:
            if blanks.hold(name):
                said[name] += 1
            else:
                classes[match_key(name)] += 1
    by_word: Counter[str] = Counter()
    for name, count in said.items():
        by_word[_key(name)] += count
    # A table has one way to say nothing; whoever uses two may mean something by one of them.
    # Only words can be names: nobody calls a class "-" or "n/a".
    named = {word: n for word, n in by_word.items() if word.isalpha()}
    often = [n for n in named.values() if classes and 2 * n >= median(classes.values())]
    several = len(by_word) + bool(empty) > 1
    suspected = bool(often) and several and blanks == USUAL_BLANKS
    return BlankCount(empty, dict(said.most_common()), suspected)
