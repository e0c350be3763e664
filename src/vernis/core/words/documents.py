"""Words of labels and file names, as a search by words sees them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_names import clean_name
from vernis.core.words.nearest_names import nearest_names

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile("U+(?=UL)|U?L+|U+|D+|O+")  # over the kinds of letters, see _kind
_SHORT = 5
"""Letters of a word up to which one slip is all that is mended."""
_SHORTEST_CORRECTED = 3


class WordDocument(NamedTuple):
    """The words of one image: its labels and keywords, what was read from it, its path."""

    image_id: int
    labels: str
    read: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class WordMatches:
    """The images that were found by words, and in which fields of their documents.

    Attributes
    ----------
    image_ids : ndarray of int64, shape (n,)
        Ascending.
    relevance : ndarray of float64, shape (n,)
        BM25 over the fields (Robertson & Zaragoza 2009), higher is better; it compares matches of
        one search only. All 1 where so many match that it would say nothing.
    fields : dict of str to ndarray of bool, shape (n,)
        Whether any of the words stands there, by field.
    """

    image_ids: NDArray[np.int64]
    relevance: NDArray[np.float64]
    fields: dict[str, NDArray[np.bool_]]


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, those that are written together also in parts.

    >>> split_words("GreenApple_001.final")
    ['greenapple', 'green', 'apple', '001', 'final']
    """
    words: list[str] = []
    for whole in _WORD.findall(clean_name(text)):
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
    return list(dict.fromkeys(plain_words(text)))


def plain_words(text: str) -> list[str]:
    """Return the words of a text in lower case, in order, without accents.

    >>> plain_words("Perrier-Jouët, RE16")
    ['perrier', 'jouet', 're16']
    """
    if not text.isascii():
        spread = unicodedata.normalize("NFKD", clean_name(text))
        text = "".join(c for c in spread if not unicodedata.combining(c)).casefold()
    return _WORD.findall(text.lower())


def number_forms(word: str) -> list[str]:
    """Return what the word may be in the other number, by the rules of English; often no word.

    A plural that only adds letters is not among them: beginnings of words are found anyway.

    >>> number_forms("berries"), number_forms("boxes"), number_forms("bottles")
    (['berry', 'berrie'], ['box', 'boxe'], ['bottle'])
    >>> number_forms("berry"), number_forms("glass")
    (['berries'], [])
    """
    if len(word) < _SHORTEST_CORRECTED + 1:
        return []
    forms: list[str] = []
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        forms.append(word[:-2])
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        forms.append(word[:-1])
    if word.endswith("y") and word[-2] not in "aeiou":
        forms.append(word[:-1] + "ies")
    return forms


def correct_word(word: str, known: Iterable[str], least: float = 0.7) -> str:
    """Return the nearest known word to one that no known word begins with.

    A word that is known in its other number, of which nothing is near, or that is shorter than
    three letters, stays as it is. Of short words another one is near by one slip at most: words
    that were read hold many that are none.

    Parameters
    ----------
    word : str
    known : iterable of str
    least : float
        Similarity from which another word is near, see ``nearest_names``.
    """
    from rapidfuzz.distance import OSA

    vocabulary = sorted(set(known))
    if len(word) < _SHORTEST_CORRECTED or not set(vocabulary).isdisjoint(number_forms(word)):
        return word
    if any(other.startswith(word) for other in vocabulary):
        return word
    near = nearest_names(word, vocabulary, limit=1, least=least)
    if not near or (len(word) <= _SHORT and OSA.distance(word, near[0]) > 1):
        return word
    return near[0]
