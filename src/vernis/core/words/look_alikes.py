"""Classes whose names look alike: spellings that are folded, and pairs that a person should see."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vernis.core.words.class_names import match_key
from vernis.core.words.spelling import MEANS_ANOTHER_THING, is_code, singular_form, spelling_form

Likeness = Literal["case", "spelling", "letters of another script", "plural"]

_MOST_OF_GROUP, _RARE_SHARE = 0.5, 0.25
_CYRILLIC = "аеорсухіјѕһԁԛԝьАВЕКМНОРСТХІЈЅԌҮԚԜ"
_CYRILLIC_LOOKS = "aeopcyxijshdqwbABEKMHOPCTXIJSGYQW"
_GREEK = "οανρυιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_GREEK_LOOKS = "oavpuiABEZHIKMNOPTYX"
_OTHER = "ıɑɡⅠⅤⅩⅼⅽⅾⅿ"
_OTHER_LOOKS = "iagIVXlcdm"
_LATIN_LOOK = str.maketrans(
    _CYRILLIC + _GREEK + _OTHER, _CYRILLIC_LOOKS + _GREEK_LOOKS + _OTHER_LOOKS
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Names of one taxonomy that a reader may take for one another, the most frequent first."""

    names: tuple[str, ...]
    by: Likeness


def rarer_spellings(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the spellings that differ from a far commoner one in case alone.

    Of names that are equal but for case, the commonest must stand on more than half of their
    images. Where one of the others stands on a quarter of them or less, all others are its rarer
    spellings: such a group is joined as a whole or not at all. Names of one or two letters are
    codes (``US`` and ``us``, ``A`` and ``a``) and never folded.

    Parameters
    ----------
    counts : mapping of str to int
        Class → images.

    Returns
    -------
    dict of str to str
        Rarer spelling → the commonest one. Folding and asking again gives nothing more.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        groups[_case_key(name)].append(name)
    folded: dict[str, str] = {}
    for key, names in groups.items():
        total = sum(counts[name] for name in names)
        common = max(names, key=lambda name: counts[name])
        if is_code(key) or counts[common] <= _MOST_OF_GROUP * total:
            continue
        others = [name for name in names if name != common]
        if any(counts[name] <= _RARE_SHARE * total for name in others):
            folded |= dict.fromkeys(others, common)
    return folded


def _case_key(name: str) -> str:
    # Not casefold: "Maße" and "Masse" are two words.
    return unicodedata.normalize("NFC", name.lower())


def find_look_alikes(counts: Mapping[str, int]) -> list[LookAlike]:
    """Return the classes that look alike, the surest kind first.

    In turn: names that differ in case; in accents, hyphens, underscores, apostrophes or blanks;
    in letters of another script that look the same (Cyrillic ``а``); as singular and plural.
    A group of names is told once, by the first kind that joins all of it.

    Parameters
    ----------
    counts : mapping of str to int
        Class → images.
    """
    known = {spelling_form(name) for name in counts}
    kinds: Sequence[tuple[Likeness, Callable[[str], str]]] = (
        ("case", match_key),
        ("spelling", _joined),
        ("letters of another script", lambda name: _joined(latin_look(name))),
        ("plural", lambda name: _singular(spelling_form(name), known)),
    )
    told: set[frozenset[str]] = set()
    found = []
    for kind, key in kinds:
        groups: dict[str, list[str]] = defaultdict(list)
        for name in sorted(counts, key=lambda name: (-counts[name], name)):
            groups[key(name) or name].append(name)
        for names in groups.values():
            if len(names) > 1 and not any(set(names) <= before for before in told):
                told.add(frozenset(names))
                found.append(LookAlike(tuple(names), kind))
    return found


def _singular(form: str, known: Collection[str]) -> str:
    """Return the singular; of ``greens`` and its like, which mean something else, the form."""
    doubtful = form.rpartition(" ")[2] in MEANS_ANOTHER_THING
    return form if doubtful else singular_form(form, known)


def _joined(name: str) -> str:
    # "sea food" is "seafood", but "v1 0" is not "v10".
    return re.sub(r"(?<!\d) | (?!\d)", "", spelling_form(name))


def latin_look(name: str) -> str:
    """Return a name with the letters of other scripts that look Latin written in Latin.

    Only in words that mix scripts, or that hold nothing but such letters: a Russian word stays
    Russian.
    """
    if name.isascii():
        return name
    return _WORD.sub(lambda word: _word_look(word[0]), name)


def _word_look(word: str) -> str:
    looks = word.translate(_LATIN_LOOK)
    mixed = any(c.isascii() and c.isalpha() for c in word)
    return looks if mixed or looks.isascii() else word
