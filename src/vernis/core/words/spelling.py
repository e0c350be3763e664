"""How near two spellings of a label are: case, plural, or the slip of a pen.

Plural rules are those of English; German ones join on request, since they would take many an
English word for a plural (``pip``/``pipe``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from vernis.core.words.class_names import clean_name, match_key

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = ("en", "de")

_LETTERS_OF_A_WORD = 3
_VOWELS = frozenset("aeiouy")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUND_ALIKE = frozenset(
    frozenset(pair) for pair in ("ck", "cs", "sz", "gj", "mn", "kq", "fv", "td", "bp", "vw")
)
_FIRST_LETTER = 2.0
"""A slip in the first letter is rare (Yannakoudakis & Fawthrop 1983: 1.4 % of misspellings)."""

_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "lice": "louse",
    "oxen": "ox",
    "people": "person",
    "dice": "die",
    "wolves": "wolf",
    "leaves": "leaf",
    "loaves": "loaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "halves": "half",
    "calves": "calf",
    "hooves": "hoof",
    "thieves": "thief",
    "elves": "elf",
    "knives": "knife",
    "wives": "wife",
    "lives": "life",
    "cacti": "cactus",
    "fungi": "fungus",
    "buses": "bus",
    "gases": "gas",
    "lenses": "lens",
}
_OWN_MEANING = """
news goods jeans pants shorts arms glasses clothes customs means spectacles woods waters colours
colors heads looks greens blues lines works forces minutes letters manners pains premises scales
trousers tights brakes series species lens bus gas
"""
MEANS_ANOTHER_THING = frozenset(_OWN_MEANING.split())
"""Words that look like plurals and have, or may have, a meaning of their own."""

_SPELT_TWO_WAYS = """
yogurt/yoghurt color/colour gray/grey donut/doughnut tire/tyre center/centre theater/theatre
mustache/moustache jewelry/jewellery plow/plough fiber/fibre meter/metre harbor/harbour
flavor/flavour armor/armour pajamas/pyjamas aluminum/aluminium omelet/omelette mold/mould
syrup/sirup muesli/musli kebab/kebap
"""
SPELT_TWO_WAYS = frozenset(frozenset(pair.split("/")) for pair in _SPELT_TWO_WAYS.split())
"""Plain forms of one word: American and British spellings, and others that both are right."""


def plain_form(label: str) -> str:
    """Return the label in lower case, without accents, with one blank between its words.

    ``ä``, ``ö``, ``ü`` and ``ß`` become ``ae``, ``oe``, ``ue`` and ``ss``, as German writes them
    where the letters miss; hyphens, underscores, slashes and dots count as blanks, apostrophes as
    nothing.
    """
    text = clean_name(label).casefold()
    for letter, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("&", " and ")):
        text = text.replace(letter, written)
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"['’`´]", "", text)
    return " ".join(re.sub(r"[\s\-_/.,;:+]+", " ", text).split())


def is_code(label: str) -> bool:
    """Return whether a label is a code rather than a word: fewer than three letters (``C++``)."""
    return sum(char.isalpha() for char in label) < _LETTERS_OF_A_WORD


def spelling_form(label: str) -> str:
    """Return what spellings are compared by: the plain form, of a code the label without case.

    Signs mean something in codes and numbers: ``C`` is not ``C++``, nor ``1`` ``-1``.
    """
    key = match_key(label)
    return key if is_code(key) else plain_form(key) or key


def differ_in_digits(a: str, b: str) -> bool:
    """Return whether the numbers in two labels differ (``iphone 6``/``iphone 7``)."""
    return re.findall(r"\d+", a) != re.findall(r"\d+", b)


@lru_cache(maxsize=65536)
def singulars(word: str, languages: tuple[Language, ...] = ("en",)) -> frozenset[str]:
    """Return the words of which ``word`` may be the plural, by rule.

    Parameters
    ----------
    word : str
        One word in its plain form.
    languages : tuple of {"en", "de"}
    """
    found: set[str] = set()
    if "en" in languages:
        found |= _english_singulars(word)
    if "de" in languages:
        found |= _german_singulars(word)
    return frozenset(s for s in found if len(s) > 1 and s != word)


def _english_singulars(word: str) -> set[str]:
    for plural, singular in _IRREGULAR.items():
        # Compounds too: fishermen, bookshelves.
        if word.endswith(plural) and (plural != "oxen" or word == plural):
            return {word[: -len(plural)] + singular}
    found = set()
    if word.endswith("ies") and len(word) > 4:
        found.add(word[:-3] + "y")
    if word.endswith("ves"):
        found |= {word[:-3] + "f", word[:-3] + "fe"}
    if re.search(r"(s|x|z|ch|sh|o)es$", word):
        found.add(word[:-2])
    # "glass" is not the plural of "glas", nor "bus" of "bu"; "citys" is none at all.
    if word.endswith("s") and not re.search(r"(ss|us|is|xs|chs|shs)$", word):
        found.add(word[:-1])
    return found


def _german_singulars(word: str) -> set[str]:
    found = set()
    for ending in ("nen", "en", "er", "e", "n", "s"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            found.add(stem)
            # The umlaut of the plural goes: gläser, glas; bäume, baum.
            found |= {
                stem.replace(umlaut, letter, 1)
                for umlaut, letter in (("aeu", "au"), ("ae", "a"), ("oe", "o"), ("ue", "u"))
                if umlaut in stem
            }
    for umlaut, letter in (("aeu", "au"), ("ae", "a"), ("oe", "o"), ("ue", "u")):
        if umlaut in word and len(word) > 4:
            found.add(word.replace(umlaut, letter, 1))
    return found


def are_plural(a: str, b: str, languages: tuple[Language, ...] = ("en",)) -> bool:
    """Return whether one plain form is the plural of the other, in its last word alone."""
    one, two = a.split(), b.split()
    if len(one) != len(two) or not one or one[:-1] != two[:-1]:
        return False
    last, other = one[-1], two[-1]
    return last in singulars(other, languages) or other in singulars(last, languages)


def singular_form(
    plain: str, known: Collection[str], languages: tuple[Language, ...] = ("en",)
) -> str:
    """Return the plain form with its last word in the singular, where ``known`` holds that."""
    words = plain.split()
    if not words:
        return plain
    options = [
        " ".join([*words[:-1], s])
        for s in sorted(singulars(words[-1], languages), key=lambda s: (-len(s), s))
    ]
    return next((option for option in options if option in known), plain)


def slips_allowed(length: int) -> int:
    """Return how many edits a misspelling of a word may hold: none below 4 letters, 1 up to 7."""
    return 0 if length < 4 else 1 if length < 8 else 2


def slip_cost(a: str, b: str) -> float:
    """Return the cost of turning one word into the other by the slips that people make.

    The optimal string alignment distance with weights: letters swapped 0.5, doubled or undoubled
    0.5, one vowel for another 0.7, a letter of like sound 0.7 or beside it on the keyboard 0.8, a
    letter left out or put in 0.9, ``f`` for ``ph`` 0.7, any other letter 1.3; in the first letter
    twice as much.

    Returns
    -------
    float
        0 for equal words.
    """
    rows, columns = len(a) + 1, len(b) + 1
    cost = [[0.0] * columns for _ in range(rows)]
    for i in range(1, rows):
        cost[i][0] = cost[i - 1][0] + _gap(a, i - 1)
    for j in range(1, columns):
        cost[0][j] = cost[0][j - 1] + _gap(b, j - 1)
    for i in range(1, rows):
        for j in range(1, columns):
            first = _FIRST_LETTER if 1 in (i, j) else 1.0
            options = [
                cost[i - 1][j] + _gap(a, i - 1),
                cost[i][j - 1] + _gap(b, j - 1),
                cost[i - 1][j - 1] + first * _exchange(a[i - 1], b[j - 1]),
            ]
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 1] + b[j - 2] and a[i - 1] != a[i - 2]:
                swapped = 2.0 if 2 in (i, j) else 1.0
                options.append(cost[i - 2][j - 2] + 0.5 * swapped)
            if i > 1 and a[i - 2 : i] == "ph" and b[j - 1] == "f":
                options.append(cost[i - 2][j - 1] + 0.7)
            if j > 1 and b[j - 2 : j] == "ph" and a[i - 1] == "f":
                options.append(cost[i - 1][j - 2] + 0.7)
            cost[i][j] = min(options)
    return cost[-1][-1]


def _gap(word: str, place: int) -> float:
    """Return the cost of leaving out a letter."""
    letter = word[place]
    if (place and word[place - 1] == letter) or word[place + 1 : place + 2] == letter:
        return 0.5
    return 0.9 * (_FIRST_LETTER if place == 0 else 1.0)


def _exchange(a: str, b: str) -> float:
    if a == b:
        return 0.0
    if a in _VOWELS and b in _VOWELS:
        return 0.7
    if frozenset((a, b)) in _SOUND_ALIKE:
        return 0.7
    return 0.8 if _are_beside(a, b) else 1.3


def _are_beside(a: str, b: str) -> bool:
    for number, row in enumerate(_ROWS):
        if a in row:
            place = row.index(a)
            near = row[max(place - 1, 0) : place + 2]
            if number + 1 < len(_ROWS):
                near += _ROWS[number + 1][max(place - 1, 0) : place + 1]
            if number:
                near += _ROWS[number - 1][place : place + 2]
            return b in near
    return False
