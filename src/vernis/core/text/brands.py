"""Which of the owner's brands are read in a picture.

The rule by default asks, for every sequence of one to three words, how likely the recognizer takes
each brand for what is printed, beside what it takes for the likeliest. Where the recognizer tells
only its text (an outside service), the Levenshtein distance decides, and a word that stands for
itself, since it is an everyday word or read surely, is no misreading of a brand. The rule of the
thesis compares by distance alone.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vernis.core.text.ngrams import Gram, read_grams
from vernis.core.text.normalization import plain_letter, plain_text
from vernis.core.text.spelling import SpelledLine, spell_probability
from vernis.core.words.blank_words import Blanks
from vernis.domain.errors import InvalidValue
from vernis.domain.readings import Reading

RuleName = Literal["default", "thesis"]
RULES: tuple[RuleName, ...] = ("default", "thesis")

LEAST_EVIDENCE = -6.0
"""In nats; measured by ``benchmarks/read.py``."""
_LETTER_GAIN = 0.3
"""Nats a letter: a long name fits by chance less often than a short one."""
_DOUBT_SHARE = 0.5
"""How much of the doubt in the likeliest spelling counts against any brand."""
_WIDEST = 0.4
"""Spellings further from a brand, as a share of its length, are not tried."""
_EDIT_COST = 3.0
"""Nats an edit, where only the text is known; it orders matches of the same words."""
LEAST_LETTERS = 2
"""Of a name shorter than this only the exact spelling counts, and that not surely."""
_MOST_WORDS = 5
_YES, _NO = ("yes", "y", "true", "1", "x"), ("no", "n", "false", "0")


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand of the owner's list.

    Attributes
    ----------
    name : str
    aliases : tuple of str
        Other names that are printed for it.
    forbidden : tuple of str
        What is never a misreading of it.
    exact : bool
        Only its exact spelling counts.
    """

    name: str
    aliases: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidValue(f"expected the name of a brand, got {self.name!r}")


@dataclass(frozen=True, slots=True)
class BrandMatch:
    """A brand that is read in a picture, and why.

    Attributes
    ----------
    brand : str
    reading : str
        The words that are taken for it, in plain form.
    form : str
        Which of its names they spell.
    distance : int
        Levenshtein distance between the two.
    evidence : float
        How the brand compares with the likeliest spelling, in nats: 0 and more is an exact and sure
        reading, ``LEAST_EVIDENCE`` the least that counts. NaN where only a text is known.
    confidence : float
        Of the least sure of its lines, 0..1.
    lines : tuple of int
        Their places among the readings.
    height : float
        Of the tallest of them, as a share of the picture's shorter side.
    """

    brand: str
    reading: str
    form: str
    distance: int
    evidence: float
    confidence: float
    lines: tuple[int, ...]
    height: float


@dataclass(frozen=True, slots=True)
class BrandRule:
    """How readings are compared with brands.

    Attributes
    ----------
    name : {"default", "thesis"}
    tolerance : float
        Distances up to this share of a brand's length count, rounded; halves go to the even number,
        as Python rounds.
    everyday : collection of str
        Words in plain form that stand for themselves where only a text is known.
    sure : float
        A text of at least this confidence stands for itself too.
    least_confidence : float
        Lines below it are left out.
    """

    name: RuleName = "default"
    tolerance: float = 0.25
    everyday: Collection[str] = field(default_factory=frozenset)
    sure: float = 0.98
    least_confidence: float = 0.3

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InvalidValue(f"expected one of {', '.join(RULES)}, got {self.name!r}")
        if not 0 <= self.tolerance < 1:
            raise InvalidValue(f"expected a tolerance from 0 to below 1, got {self.tolerance!r}")


@dataclass(frozen=True, slots=True)
class _Form:
    """One name of a brand as it is compared."""

    brand: Brand
    written: str
    compared: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A gram that may be a form. ``rank`` orders candidates that explain the same words."""

    form: _Form
    gram: Gram
    distance: int
    evidence: float
    rank: float


class BrandMatcher:
    """Finds the brands of a list in the readings of pictures.

    Parameters
    ----------
    brands : sequence of Brand
    rule : BrandRule, optional
    """

    def __init__(self, brands: Sequence[Brand], rule: BrandRule | None = None) -> None:
        self.rule = rule or BrandRule()
        thesis = self.rule.name == "thesis"
        self._plain: Callable[[str], str] = str.casefold if thesis else compared_name
        self._forms = [
            _Form(brand, name, self._plain(name))
            for brand in brands
            for name in _names(brand, articles=not thesis)
            if self._plain(name)
        ]
        self._compared = [form.compared for form in self._forms]
        self._forbidden = {
            brand.name: frozenset(map(self._plain, brand.forbidden)) for brand in brands
        }
        words = max((len(form.written.split()) for form in self._forms), default=1)
        self._longest = 3 if thesis else min(max(words, 3), _MOST_WORDS)

    def match(self, readings: Sequence[Reading]) -> list[BrandMatch]:
        """Return the brands that are read in one picture, the tallest first.

        Parameters
        ----------
        readings : sequence of Reading
            All lines of the picture.
        """
        places = [
            place
            for place, reading in enumerate(readings)
            if reading.confidence >= self.rule.least_confidence
        ]
        kept = [readings[place] for place in places]
        if not kept or not self._forms:
            return []
        if self.rule.name == "thesis":
            grams = read_grams(kept, [reading.text.casefold().split() for reading in kept])
            found = self._by_distance(grams, " ")
        else:
            found = _drop_worse(self._by_likelihood(kept))
        best: dict[str, _Candidate] = {}
        for candidate in sorted(found, key=lambda c: (-c.rank, c.distance)):
            best.setdefault(candidate.form.brand.name, candidate)
        if self.rule.name == "default":
            # A letter that stands alone may be anything: it says nothing beside a whole name.
            whole = {n: c for n, c in best.items() if len(c.form.compared) >= LEAST_LETTERS}
            best = whole or best
        matches = [_tell(candidate, kept, places) for candidate in best.values()]
        return sorted(matches, key=lambda match: (-match.height, match.brand))

    def _by_likelihood(self, readings: Sequence[Reading]) -> list[_Candidate]:
        """Compare by likelihood where the reader tells it, by distance elsewhere."""
        spelled = [SpelledLine(r.spelling) if r.spelling is not None else None for r in readings]
        words = [
            line.words if line is not None else plain_text(reading.text).split()
            for line, reading in zip(spelled, readings, strict=True)
        ]
        grams = read_grams(readings, words, self._longest)
        told: list[tuple[Gram, list[SpelledLine]]] = []
        plain: list[Gram] = []
        for gram in grams:
            lines = [line for number, _ in gram.places if (line := spelled[number]) is not None]
            if len(lines) == len(gram.places):
                told.append((gram, lines))
            else:
                plain.append(gram)
        found = self._by_distance(plain, "")
        pairs = self._near([gram.joined for gram, _ in told], _WIDEST)
        gains = _log_ratios([(*told[g], self._compared[f]) for g, f, d in pairs if d])
        for g, f, distance in pairs:
            gram, lines = told[g]
            form = self._forms[f]
            best = sum(
                line.best(number) for line, (_, number) in zip(lines, gram.places, strict=True)
            )
            ratio = float(next(gains)) if distance else 0.0
            evidence = ratio + _DOUBT_SHARE * best + _LETTER_GAIN * len(form.compared)
            if distance == 0 or evidence >= LEAST_EVIDENCE:
                found.append(_Candidate(form, gram, distance, evidence, evidence))
        return found

    def _by_distance(self, grams: Sequence[Gram], between: str) -> list[_Candidate]:
        """Compare the texts alone."""
        texts = [between.join(gram.words) for gram in grams]
        found = []
        for g, f, distance in self._near(texts, self.rule.tolerance):
            gram, form = grams[g], self._forms[f]
            if distance and self.rule.name == "default" and self._stands_for_itself(gram):
                continue
            rank = _LETTER_GAIN * len(form.compared) - _EDIT_COST * distance
            found.append(_Candidate(form, gram, distance, math.nan, rank))
        return found

    def _stands_for_itself(self, gram: Gram) -> bool:
        return gram.confidence >= self.rule.sure or gram.joined in self.rule.everyday

    def _near(self, texts: Sequence[str], share: float) -> list[tuple[int, int, int]]:
        """Return text, form and distance of all that are near enough to be tried."""
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist

        if not texts:
            return []
        most = [
            0 if form.brand.exact else round(len(form.compared) * share) for form in self._forms
        ]
        distances = cdist(
            texts,
            self._compared,
            scorer=Levenshtein.distance,
            score_cutoff=max(most),
            dtype=np.uint16,
        )
        rows, columns = np.nonzero(distances <= np.array(most))
        return [
            (g, f, int(distances[g, f]))
            for g, f in zip(rows.tolist(), columns.tolist(), strict=True)
            if texts[g] not in self._forbidden[self._forms[f].brand.name]
        ]


def compared_name(text: str) -> str:
    """Return a name as it is compared: in plain form, without blanks."""
    return plain_text(text).replace(" ", "")


def _names(brand: Brand, articles: bool) -> list[str]:
    """Return the names of a brand, and each without its article, which prints often leave out."""
    names = [brand.name, *brand.aliases]
    if articles and not brand.exact:
        names += [name[4:] for name in names if name.casefold().startswith("the ")]
    return list(dict.fromkeys(name.strip() for name in names))


def _log_ratios(tasks: Sequence[tuple[Gram, list[SpelledLine], str]]) -> Iterator[float]:
    """Yield how much less likely each name is than what is read, as a difference of logarithms."""
    if not tasks:
        return
    letters, silences, best = [], [], []
    for gram, lines, name in tasks:
        own = [(line, number) for line, (_, number) in zip(lines, gram.places, strict=True)]
        letters.append(np.concatenate([line.columns(number, name) for line, number in own]))
        silences.append(np.concatenate([line.silence(number) for line, number in own]))
        best.append(sum(line.best(number) for line, number in own))
    yield from spell_probability(letters, silences, [name for *_, name in tasks]) - np.array(best)


def _drop_worse(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Leave out a brand's candidate that another brand's explains better.

    That one shares a word with it and ranks higher, as ``Bud Light`` does over ``Bud``.
    """
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (-c.rank, c.distance)):
        words = set(candidate.gram.places)
        if not any(
            other.form.brand.name != candidate.form.brand.name and words & set(other.gram.places)
            for other in kept
        ):
            kept.append(candidate)
    return kept


def _tell(candidate: _Candidate, readings: Sequence[Reading], places: Sequence[int]) -> BrandMatch:
    gram = candidate.gram
    return BrandMatch(
        brand=candidate.form.brand.name,
        reading=" ".join(gram.words),
        form=candidate.form.written,
        distance=candidate.distance,
        evidence=candidate.evidence,
        confidence=gram.confidence,
        lines=tuple(places[line] for line in gram.lines),
        height=max(readings[line].height for line in gram.lines),
    )


def parse_brands(
    rows: Sequence[Mapping[str, str]], numbers: Sequence[int] | None = None
) -> tuple[list[Brand], list[str]]:
    """Read an owner's list of brands.

    Parameters
    ----------
    rows : sequence of mapping
        With the keys ``brand`` and, where wanted, ``aliases`` and ``forbidden`` (several parted by
        ``|``) and ``exact`` (``yes`` for brands that count in their exact spelling only).
    numbers : sequence of int, optional
        Of the lines in the file; default 2, 3, 4, …

    Returns
    -------
    brands : list of Brand
    remarks : list of str
        One line for each row that is left out or changed.
    """
    brands: dict[str, Brand] = {}
    owner_of: dict[str, str] = {}
    remarks: list[str] = []
    lines = numbers if numbers is not None else range(2, len(rows) + 2)
    for number, row in zip(lines, rows, strict=True):
        name = " ".join((row.get("brand") or "").split())
        compared = compared_name(name)
        reason = _why_left_out(name, compared, owner_of)
        if reason:
            remarks.append(f"line {number}: {reason}, left out")
            continue
        exact, forbidden, said = _read_limits(name, compared, row)
        aliases = []
        for alias in _parts(row, "aliases"):
            of = owner_of.get(compared_name(alias))
            if of is None:
                aliases.append(alias)
            else:
                said.append(f"its alias {alias!r} is a name of {of!r} already, left out")
        remarks += [f"line {number}: {one}" for one in said]
        brands[compared] = Brand(name, tuple(aliases), forbidden, exact)
        for own in (name, *aliases):
            owner_of.setdefault(compared_name(own), name)
    return list(brands.values()), remarks


def _why_left_out(name: str, compared: str, owner_of: Mapping[str, str]) -> str:
    """Return why a row is no brand of its own, "" where it is one."""
    if not name:
        return "no brand"
    if any(unicodedata.category(sign) in ("Cc", "Cn", "Co") or sign == "\ufffd" for sign in name):
        return f"{name[:20]!r} holds signs that no text has"
    if not compared:
        return f"{name!r} has neither letter nor digit"
    if Blanks.of(None).hold(name):
        return f"{name!r} is a word for a blank"
    if compared in owner_of:
        own = owner_of[compared]
        again = "again" if compared_name(own) == compared else "by an alias already"
        return f"{name!r} is {own!r} {again}"
    return ""


def _read_limits(
    name: str, compared: str, row: Mapping[str, str]
) -> tuple[bool, tuple[str, ...], list[str]]:
    """Return whether only the exact spelling counts, forbidden readings, and remarks."""
    remarks = []
    said = (row.get("exact") or "").strip()
    exact = said.casefold() in _YES
    if said and not exact and said.casefold() not in _NO and not Blanks.of(None).hold(said):
        remarks.append(f"exact is {said!r}, expected yes or nothing; taken for no")
    if len(compared) < LEAST_LETTERS and not exact:
        exact = True
        remarks.append(f"{name!r} is short, only its exact spelling counts")
    forbidden = []
    for reading in _parts(row, "forbidden"):
        if compared_name(reading) == compared:
            remarks.append(f"{reading!r} is its own name and cannot be forbidden")
        else:
            forbidden.append(reading)
    return exact, tuple(forbidden), remarks


def _parts(row: Mapping[str, str], key: str) -> list[str]:
    return [part.strip() for part in (row.get(key) or "").split("|") if part.strip()]


def unknown_letters(brands: Sequence[Brand], alphabet: Collection[str]) -> dict[str, str]:
    """Return the brands that a reader cannot spell, with the letters that it does not know.

    Parameters
    ----------
    brands : sequence of Brand
        A brand of which one name can be spelled is none of them.
    alphabet : collection of str
        The reader's symbols.
    """
    known = {plain_letter(symbol) for symbol in alphabet}
    found = {}
    for brand in brands:
        lacking = [set(compared_name(name)) - known for name in (brand.name, *brand.aliases)]
        if all(lacking):
            order = dict.fromkeys(compared_name(brand.name))
            found[brand.name] = "".join(letter for letter in order if letter in lacking[0])
    return found
