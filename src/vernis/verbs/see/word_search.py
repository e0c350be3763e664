"""Search by words: in labels, read text and file names, and in what the pictures show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.word_scores import either, rank
from vernis.core.words.documents import (
    WordMatches,
    asked_words,
    correct_word,
    split_words,
)
from vernis.domain.errors import UsageError
from vernis.verbs.see.picture_evidence import PictureEvidence, Seen

if TYPE_CHECKING:
    from vernis.session.session import Session

Floats = NDArray[np.float32]

_SILENT = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to")
) | {"with", "picture", "pictures"}
_WRITTEN = {"labels": 0.97, "read": 0.8, "name": 0.7}
"""How probably an image is what is written of it; chosen, not measured."""
_BEGINNING = 0.5  # of that, where a word only begins so
_KIND = 0.6  # a label that is a kind of what is asked
_SPREAD = 0.02  # between the best and the worst match of a field
_SURELY_THE_SAME = 0.9  # similarity of spellings of a word that also means something as it is
_UNLIKELY = 0.05
_TELLING = 0.05  # sources that say less are not named


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that was found, how relevant it is, and what speaks for it."""

    image_id: int
    relevance: float
    fields: tuple[str, ...]
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What a search by words found, best first; ``notes`` say how."""

    images: list[FoundImage]
    notes: tuple[str, ...]


class WordIndex(Protocol):
    """A full-text index of images."""

    def vocabulary(self) -> list[str]:
        """Return every word that begins with no digit."""
        ...

    def begins_a_word(self, text: str) -> bool:
        """Tell whether a word begins so, or is that."""
        ...

    def begins_a_longer_word(self, text: str) -> bool:
        """Tell whether another word begins so."""
        ...

    def find(self, words: Sequence[str], *, beginnings: bool) -> WordMatches:
        """Return the images with every word, and where; perhaps with words that begin so."""
        ...


@dataclass(eq=False)
class _Part:
    """One part of what is asked, and the probability that images have it, by source."""

    text: str
    sources: dict[str, Floats] = field(default_factory=dict)

    def add(self, source: str, probabilities: Floats) -> None:
        known = self.sources.get(source)
        self.sources[source] = probabilities if known is None else np.maximum(known, probabilities)


def find_words(
    session: Session,
    index: WordIndex,
    text: str,
    allowed: NDArray[np.int64] | None,
    count: int,
    least: float,
) -> FoundWords:
    """Search for words, wherever they are written, and in the pictures.

    Parameters
    ----------
    session : Session
    index : WordIndex
        Of what is written.
    text : str
    allowed : ndarray of int64, optional
        Ids of the images that may be found; default all.
    count : int
        Images wanted.
    least : float
        Of the relevance of what is found.

    Raises
    ------
    UsageError
        The text holds no word.
    """
    asked = asked_words(text)
    if not asked:
        raise UsageError(f"nothing to search for in {text!r}; give a word")
    asked = [word for word in asked if word not in _SILENT] or asked
    pictures = PictureEvidence(session)
    written = _Written(session, index, pictures)
    parts = [_Part(part) for part in dict.fromkeys(pictures.split(asked))]
    notes = list(pictures.missing())
    for part in parts:
        for source, probabilities in pictures.of(part.text).items():
            part.add(source, probabilities)
        notes += written.add(part)
        if not part.sources:
            pictures.add_alike(part.text)
            for source, probabilities in pictures.of(part.text).items():
                part.add(source, probabilities)
    ids = pictures.image_ids
    may = np.ones(len(ids), np.bool_) if allowed is None else np.isin(ids, allowed)
    chances = [either(part.sources.values(), len(ids)) for part in parts]
    rows, relevance, every = rank(chances, may, least)
    if not every and len(rows):
        notes.append("no image has all the words; these have some of them")
    unwritten = [part.text for part in parts if not _WRITTEN.keys() & part.sources.keys()]
    notes += [note for text in unwritten for note in pictures.limits(text)]
    if len(rows) and relevance[0] < _UNLIKELY:
        notes.append(
            f"nothing is likely to be meant; the best has a probability of {relevance[0]:.1%}"
        )
    rows, relevance = rows[:count], relevance[:count]
    seen = pictures.seen([part.text for part in parts], rows)
    images = [
        FoundImage(int(ids[row]), float(value), _telling(parts, row), own)
        for row, value, own in zip(rows.tolist(), relevance.tolist(), seen, strict=True)
    ]
    return FoundWords(images, tuple(dict.fromkeys(notes)))


def _telling(parts: Sequence[_Part], row: int) -> tuple[str, ...]:
    """Return the sources that speak for an image, the ones that say most first."""
    said: dict[str, float] = {}
    for part in parts:
        for source, probabilities in part.sources.items():
            said[source] = max(said.get(source, 0.0), float(probabilities[row]))
    order = sorted(said, key=lambda source: -said[source])
    return tuple(source for source in order if said[source] >= _TELLING) or tuple(order[:1])


class _Written:
    """Where words are written: in labels, in what is read, in file names."""

    def __init__(self, session: Session, index: WordIndex, pictures: PictureEvidence) -> None:
        self._session = session
        self._index = index
        self._pictures = pictures
        self._vocabulary: list[str] | None = None

    def add(self, part: _Part) -> list[str]:
        """Add to a part what is written, under the nearest spelling that is; say which."""
        known = self._pictures.knows(part.text)
        least = {"least": _SURELY_THE_SAME} if known else {}
        words = part.text.split()
        corrected = [self._spelling(word, **least) for word in words]
        # What is nowhere written but means something may be a misspelling of that alone.
        self._find(part, corrected)
        self._kinds(part)
        notes = [
            f"nothing is named {word!r}; searched for {other!r}"
            for word, other in zip(words, corrected, strict=True)
            if word != other
        ]
        if not notes and not known and not part.sources:
            other = self._pictures.respelt(part.text)
            if other != part.text:
                for source, probabilities in self._pictures.of(other).items():
                    part.add(source, probabilities)
                part.text, notes = (
                    other,
                    [f"nothing is named {part.text!r}; searched for {other!r}"],
                )
        return notes

    def _spelling(self, word: str, **least: float) -> str:
        """Return the nearest word that is written; all are read only where none begins so.

        A number that is not there is none that is misspelt: those of files are nearly all others.
        """
        if word[:1].isdigit() or self._index.begins_a_word(word):
            return word
        if self._vocabulary is None:
            self._vocabulary = self._index.vocabulary()
        return correct_word(word, self._vocabulary, **least)

    def _find(self, part: _Part, words: Sequence[str]) -> None:
        longer = any(map(self._index.begins_a_longer_word, words))
        for beginnings in (True, False) if longer else (False,):
            matches = self._index.find(words, beginnings=beginnings)
            rows = self._pictures.rows_of(matches.image_ids)
            best = matches.relevance.max(initial=0.0) or 1.0
            kept = 1 - _SPREAD * (1 - matches.relevance / best)
            for name, probability in _WRITTEN.items():
                here = matches.fields[name] & (rows >= 0)
                if here.any():
                    found = np.zeros(len(self._pictures.image_ids), np.float32)
                    found[rows[here]] = probability * (_BEGINNING if beginnings else 1) * kept[here]
                    part.add(name, found)

    def _kinds(self, part: _Part) -> None:
        """Add the images with a label that is a kind of what is asked."""
        nouns = self._pictures.nouns
        for taxonomy in self._session.taxonomies():
            kinds = [
                column
                for column, name in enumerate(taxonomy.classes)
                if nouns.is_kind(" ".join(split_words(name)), part.text)
            ]
            if not kinds:
                continue
            matrix = self._session.matrix(taxonomy.name)
            rows = self._pictures.rows_of(matrix.image_ids)
            holds = (matrix.values[:, kinds] == 1).any(axis=1) & (rows >= 0)
            found = np.zeros(len(self._pictures.image_ids), np.float32)
            found[rows[holds]] = _KIND
            part.add("labels", found)
