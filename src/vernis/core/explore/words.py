"""Words of labels and file names, as a search by words sees them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from vernis.core.explore.spelling import nearest_names

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile("U+(?=UL)|U?L+|U+|D+|O+")  # over the kinds of letters, see _kind
_SHORTEST_CORRECTED = 3


class WordDocument(NamedTuple):
    """The words of one image: its labels and keywords, what was read from it, its path."""

    image_id: int
    labels: str
    read: str
    name: str


class WordMatch(NamedTuple):
    """One image that was found by words, and in which fields of its document.

    ``relevance`` is BM25 over the fields (Robertson & Zaragoza 2009), higher is better; it compares
    matches of one search only.
    """

    image_id: int
    relevance: float
    fields: tuple[str, ...]


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, those that are written together also in parts.

    >>> split_words("GreenApple_001.final")
    ['greenapple', 'green', 'apple', '001', 'final']
    """
    words: list[str] = []
    for whole in _WORD.findall(text):
        kinds = "".join(map(_kind, whole))
        parts = [whole[part.start() : part.end()] for part in _PART.finditer(kinds)]
        words.append(whole.casefold())
        if len(parts) > 1:
            words += [part.casefold() for part in parts]
    return words


def _kind(letter: str) -> str:
    """Return U for a capital, L for a small letter, D for a digit, O for other scripts."""
    if letter.isdigit():
        return "D"
    return "U" if letter.isupper() else "L" if letter.islower() else "O"


def asked_words(text: str) -> list[str]:
    """Return the distinct words that a person asks for, in order, without accents or parts."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return list(dict.fromkeys(word.casefold() for word in _WORD.findall(plain)))


def correct_words(asked: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return asked word → the nearest known one, for words that no known word begins with.

    A word of which nothing is near, or that is shorter than three letters, stays as it is.
    """
    vocabulary = sorted(set(known))
    result: dict[str, str] = {}
    for word in asked:
        result[word] = word
        if len(word) >= _SHORTEST_CORRECTED and not any(k.startswith(word) for k in vocabulary):
            near = nearest_names(word, vocabulary, limit=1)
            result[word] = near[0] if near else word
    return result
