"""What a word means to a network that knows a fixed list of classes.

The nouns of WordNet (Miller 1995) tie a word to the classes below it (an *animal* is any of 398
classes), to classes that have to do with it (a *wine bottle* with *wine*), or, where the word is no
class, to those of the nearest thing above (a *puffin* is a *seabird*).

The file is text, a line a thing, the classes first and in their order: the names of the thing,
parted by ``|``; the places (from 0) of what is above it; of a class also the places of what it has
to do with; parted by tabs. Then, after ``+``, the place of a thing, and nouns that are kinds of it
and no class. Comments begin with ``#``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.documents import number_forms, plain_words
from vernis.domain.errors import InvalidValue

RELATED = 0.3
"""Weight of a class that only has to do with the word."""
NEAREST = 0.2
"""Weight of the classes of the nearest thing above a word that is no class."""
_LONGEST = 4  # words of a name
_LEAST_ALIKE = 0.4
_MOST_ALIKE = 40  # classes that a word is compared with, the likest
_SHARPNESS = 0.05

Way = Literal["classes", "related", "nearest", "alike"]


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What a word means in classes.

    Attributes
    ----------
    word : str
    weights : ndarray of float32, shape (n_classes,)
        In 0..1: how far a picture of the class is one of the word.
    way : {"classes", "related", "nearest", "alike"}
        Whether the word is a class or above some; has only to do with some; stands for
        ``nearest``; or means nothing here and is only used like the names of some.
    n_classes : int
        Classes that are the word or below it.
    nearest : str
        The nearest thing above the word, or the names that are most alike, where that is all there
        is.
    """

    word: str
    weights: NDArray[np.float32]
    way: Way
    n_classes: int
    nearest: str = ""


@dataclass(frozen=True)
class NounTree:
    """Things, what is above them, and what they have to do with.

    Attributes
    ----------
    names : tuple of tuple of str
        Of each thing; the first ``n_classes`` are the classes.
    above : tuple of tuple of int
        Places of the things right above.
    beside : tuple of tuple of int
        Of each class: places of the things that it has to do with.
    others : mapping of str to int
        Nouns that are no class, with the place of the nearest thing above.
    """

    names: tuple[tuple[str, ...], ...]
    above: tuple[tuple[int, ...], ...]
    beside: tuple[tuple[int, ...], ...]
    others: Mapping[str, int]

    @property
    def n_classes(self) -> int:
        """How many of the things are classes."""
        return len(self.beside)

    @property
    def class_names(self) -> list[str]:
        """The first name of each class."""
        return [names[0] for names in self.names[: self.n_classes]]

    @cached_property
    def _places(self) -> Mapping[str, tuple[int, ...]]:
        places: dict[str, tuple[int, ...]] = {}
        for place, names in enumerate(self.names):
            for key in dict.fromkeys(map(_key, names)):
                places[key] = (*places.get(key, ()), place)
        return places

    @cached_property
    def _lines_up(self) -> Sequence[frozenset[int]]:
        """The places of each thing and all above it."""
        known: dict[int, frozenset[int]] = {}

        def up(place: int) -> frozenset[int]:
            if place not in known:
                known[place] = frozenset({place}).union(*map(up, self.above[place]))
            return known[place]

        return [up(place) for place in range(len(self.names))]

    def words_above(self, everyday: Collection[str]) -> dict[str, list[int]]:
        """Return word → the classes that it is, or that lie below it.

        Of each class its first name, and of all that is above it the first names that are everyday
        words: *Siamese cat*, *cat*, *animal*, but no *vertebrate*. Things that share a name are one
        word.

        Parameters
        ----------
        everyday : collection of str
            In lower case.
        """
        found: dict[str, list[int]] = {}
        for number in range(self.n_classes):
            names = (self.names[place][0] for place in self._lines_up[number] - {number})
            kept = {name for name in names if name.lower() in everyday}
            for name in {self.names[number][0], *kept}:
                found.setdefault(name, []).append(number)
        return found

    def nouns(self) -> Iterator[str]:
        """Yield every noun that means something here, in lower case without accents."""
        yield from self._places
        yield from self.others

    def knows(self, words: str) -> bool:
        """Tell whether words, in singular or plural, mean something here."""
        return bool(self._find(words)) or self._nearest(words) is not None

    def split(self, words: Sequence[str], also: Iterable[str] = ()) -> list[str]:
        """Join words that are one noun, the longest first: ``red wine bottle``.

        Parameters
        ----------
        words : sequence of str
            As ``plain_words`` gives them.
        also : iterable of str
            Further names of several words.
        """
        more, parts = set(also), []
        place = 0
        while place < len(words):
            for length in range(min(_LONGEST, len(words) - place), 0, -1):
                text = " ".join(words[place : place + length])
                if length == 1 or text in more or self.knows(text):
                    parts.append(text)
                    place += length
                    break
        return parts

    def meaning(self, words: str) -> Meaning | None:
        """Return what words mean in classes, None where they mean nothing."""
        found = self._find(words)
        weights = np.zeros(self.n_classes, dtype=np.float32)
        for number, beside in enumerate(self.beside):
            if any(place in self._lines_up[other] for other in beside for place in found):
                weights[number] = RELATED
        below = self._below(found)
        if below:
            weights[below] = 1.0
            return Meaning(words, weights, "classes", len(below))
        nearest = next(iter(self.above[found[0]]), None) if found else self._nearest(words)
        if nearest is None:
            return Meaning(words, weights, "related", 0) if weights.any() else None
        way: Way = "related" if weights.any() else "nearest"
        near = self._below((nearest,))
        weights[near] = np.maximum(weights[near], NEAREST)
        return Meaning(words, weights, way, 0, self.names[nearest][0])

    def alike(self, words: str, likeness: NDArray[np.floating]) -> Meaning | None:
        """Return what words mean by the classes whose names are used like them.

        Parameters
        ----------
        words : str
        likeness : ndarray, shape (n_classes,)
            Cosines of the words with the names of the classes.

        Returns
        -------
        Meaning or None
            None where no name is at all alike.
        """
        order = np.argsort(-likeness, kind="stable")[:_MOST_ALIKE]
        best = float(likeness[order[0]])
        if best < _LEAST_ALIKE:
            return None
        weights = np.zeros(self.n_classes, dtype=np.float32)
        weights[order] = RELATED * np.exp((likeness[order] - best) / _SHARPNESS)
        names = ", ".join(self.names[place][0] for place in order[:3].tolist())
        return Meaning(words, weights, "alike", 0, names)

    def is_kind(self, name: str, words: str) -> bool:
        """Tell whether what a name means is what words mean, or a kind of it."""
        wanted = self._find(words)
        if not wanted:
            return False
        own = list(self._find(name))
        nearest = self._nearest(name)
        if not own and nearest is not None:
            own = [nearest]
        return any(place in self._lines_up[one] for one in own for place in wanted)

    def _below(self, places: Sequence[int]) -> list[int]:
        return [
            number
            for number in range(self.n_classes)
            if any(place in self._lines_up[number] for place in places)
        ]

    def _find(self, words: str) -> tuple[int, ...]:
        for form in _forms(words):
            if form in self._places:
                return self._places[form]
        return ()

    def _nearest(self, words: str) -> int | None:
        return next((self.others[form] for form in _forms(words) if form in self.others), None)


def _key(name: str) -> str:
    return " ".join(plain_words(name))


def _forms(words: str) -> Iterator[str]:
    """Yield what the words may be called: as they are, and with the last one in the singular."""
    key = _key(words)
    yield key
    head, _, last = key.rpartition(" ")
    for form in number_forms(last):
        yield f"{head} {form}".strip()


def read_noun_tree(text: str) -> NounTree:
    """Read a file of nouns; raises InvalidValue where it is damaged."""
    names: list[tuple[str, ...]] = []
    above: list[tuple[int, ...]] = []
    beside: list[tuple[int, ...]] = []
    others: dict[str, int] = {}
    try:
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            first, second, *third = line.split("\t")
            if first.startswith("+"):
                others |= {_key(noun): int(first) for noun in second.split("|")}
                continue
            names.append(tuple(first.split("|")))
            above.append(_numbers(second))
            if third:
                beside.append(_numbers(third[0]))
    except ValueError as error:
        raise InvalidValue(f"not a file of nouns: {error}") from error
    return NounTree(tuple(names), tuple(above), tuple(beside), others)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text else ()
