"""Labels that probably mean the same, proposed as merges with their evidence.

Each pair gets a score: the logistic function of a sum of weights of evidence (Good 1950), each
bounded, so that no single one decides. The weights are set by hand; docs/decisions/vocabulary.md
holds what they were measured on.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vernis.core.words.common_nouns import COMMON_NOUNS
from vernis.core.words.look_alikes import latin_look
from vernis.core.words.merge_evidence import LabelLooks, LabelUse
from vernis.core.words.spelling import (
    MEANS_ANOTHER_THING,
    SPELT_TWO_WAYS,
    Language,
    are_plural,
    differ_in_digits,
    is_code,
    plain_form,
    singular_form,
    slip_cost,
    slips_allowed,
    spelling_form,
)
from vernis.domain.errors import InvalidValue

MergeKind = Literal["case", "plural", "misspelling", "synonym"]
MERGE_KINDS: tuple[MergeKind, ...] = ("case", "plural", "misspelling", "synonym")

_BLOCK = 1000
_SYNONYM_IMAGES = 5
"""Labels on fewer images are not judged as synonyms: their company is chance."""
_SYNONYM_MIXING, _SYNONYM_SHARED = 0.6, 0.65
_CODE_SCORE = 0.8
"""Codes that differ in case alone (``US``, ``us``) are not accepted with all others."""
_SYNONYM_TOP = 0.85
"""No synonym scores higher: that two words mean the same is for a person to say."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A proposal to call the images of ``label`` by the name ``into``.

    Attributes
    ----------
    label, into : str
        ``into`` is the more frequent one.
    kind : {"case", "plural", "misspelling", "synonym"}
    score : float
        0..1, high = probably the same.
    count, into_count : int
        Images of each.
    slips : float
        Weighted edits between the plain forms (see ``slip_cost``); 0 for a synonym.
    together : int
        Images that carry both.
    jaccard : float
    pmi : float
        NaN when no image carries both.
    context : float
        How alike the company is that the two keep, 0..1.
    visual : float
        Cosine of the labels' centroids, NaN without vectors.
    nearest : float
        How near ``into`` is among all labels, 1 = the nearest; NaN without vectors.
    mixing : float
        How thoroughly the images of the two mix, 0..1; NaN without vectors or images enough.
    """

    label: str
    into: str
    kind: MergeKind
    score: float
    count: int
    into_count: int
    slips: float = 0.0
    together: int = 0
    jaccard: float = 0.0
    pmi: float = math.nan
    context: float = 0.0
    visual: float = math.nan
    nearest: float = math.nan
    mixing: float = math.nan


def propose_merges(
    classes: Sequence[str],
    use: LabelUse,
    looks: LabelLooks | None = None,
    *,
    languages: Sequence[Language] = ("en",),
    dismissed: Collection[frozenset[str]] = (),
    min_score: float = 0.5,
    exclusive: bool = False,
) -> list[Merge]:
    """Return the merges that the evidence speaks for, surest first.

    Groups are consistent: every label of a group is a probable match of every other one (complete
    link), and all go into the most frequent of them, so that merges form no chains.

    Parameters
    ----------
    classes : sequence of str, length n_classes
    use : LabelUse
        Labels on no image are left out.
    looks : LabelLooks, optional
        Without it pictures say nothing, and synonyms are told by shared images alone.
    languages : sequence of {"en", "de"}
        Whose plural rules hold.
    dismissed : collection of frozenset of two str
        Pairs that a person judged to be different things.
    min_score : float
        In 0..1.
    exclusive : bool
        The labels exclude one another (a single taxonomy), so that sharing no image says nothing.

    Raises
    ------
    InvalidValue
        If lengths disagree.
    """
    if len(classes) != len(use.counts):
        raise InvalidValue(f"expected counts of {len(classes)} labels, got {len(use.counts)}")
    judge = _Judge(classes, use, looks, tuple(languages), exclusive)
    pairs: dict[frozenset[int], Merge] = {}
    for a, b in judge.spelled_alike():
        found = judge.by_spelling(a, b)
        if found is not None and found.score >= min_score:
            pairs[frozenset((a, b))] = found
    for a, b in judge.used_alike():
        found = judge.as_synonyms(a, b)
        if found is not None and found.score >= min_score:
            pairs.setdefault(frozenset((a, b)), found)
    apart = {frozenset(pair) for pair in dismissed}
    pairs = {pair: merge for pair, merge in pairs.items() if {merge.label, merge.into} not in apart}
    return _grouped(pairs, classes, use)


def _grouped(
    pairs: dict[frozenset[int], Merge], classes: Sequence[str], use: LabelUse
) -> list[Merge]:
    """Join labels greedily, surest pair first, where all pairs between two groups are proposed."""
    group: dict[int, set[int]] = {c: {c} for pair in pairs for c in pair}
    ordered = sorted(pairs.items(), key=lambda item: (-item[1].score, item[1].label, item[1].into))
    for pair, _ in ordered:
        a, b = sorted(pair)
        if group[a] is not group[b] and all(
            frozenset((one, two)) in pairs for one in group[a] for two in group[b]
        ):
            joined = group[a] | group[b]
            group.update(dict.fromkeys(joined, joined))
    found = []
    for members in {id(g): g for g in group.values()}.values():
        head = min(members, key=lambda c: _precedence(classes[c], int(use.counts[c])))
        found += [pairs[frozenset((c, head))] for c in members if c != head]
    return sorted(found, key=lambda merge: (-merge.score, merge.label))


def _precedence(name: str, count: int) -> tuple[int, bool, bool, int, str]:
    """Order spellings: the frequent, the known, the lower-case, the short one first."""
    return (-count, plain_form(name) not in COMMON_NOUNS, name != name.lower(), len(name), name)


class _Judge:
    """Scores pairs of labels."""

    def __init__(
        self,
        classes: Sequence[str],
        use: LabelUse,
        looks: LabelLooks | None,
        languages: tuple[Language, ...],
        exclusive: bool,
    ) -> None:
        self.classes, self.use, self.looks = classes, use, looks
        self.languages, self.exclusive = languages, exclusive
        self.used = [c for c in range(len(classes)) if use.counts[c] > 0]
        self.plain = [spelling_form(latin_look(name)) for name in classes]
        known = {self.plain[c] for c in self.used}
        self.stem = [singular_form(plain, known, languages) for plain in self.plain]

    # ------------------------------------------------------------------ candidates

    def spelled_alike(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs whose plain forms or singulars are within the slips allowed."""
        seen: set[tuple[int, int]] = set()
        for forms in (self.plain, self.stem):
            yield from self._near(forms, seen)
        by_singular: dict[str, list[int]] = {}
        for c in self.used:
            by_singular.setdefault(self.stem[c], []).append(c)
        for members in by_singular.values():
            for i, a in enumerate(members):
                yield from ((a, b) for b in members[i + 1 :] if (a, b) not in seen)

    def _near(self, forms: Sequence[str], seen: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import cdist

        compact = [forms[c].replace(" ", "") for c in self.used]
        for start in range(0, len(compact), _BLOCK):
            block = compact[start : start + _BLOCK]
            distance = cdist(block, compact, scorer=OSA.distance, score_cutoff=3, dtype=np.uint8)
            for row, column in np.argwhere(distance <= 3).tolist():
                a, b = self.used[start + row], self.used[column]
                if a < b and (a, b) not in seen:
                    seen.add((a, b))
                    yield a, b

    def used_alike(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs that nearly always share an image, or look alike and never do."""
        often = np.asarray(
            [c for c in self.used if self.use.counts[c] >= _SYNONYM_IMAGES], np.int64
        )
        if len(often) < 2:
            return
        both = self.use.together[np.ix_(often, often)]
        either = self.use.counts[often][:, None] + self.use.counts[often][None] - both
        wanted = both / np.maximum(either, 1) >= 0.8
        if self.looks is not None:
            cosine = self.looks.cosine[np.ix_(often, often)].copy()
            np.fill_diagonal(cosine, np.nan)
            order = np.where(np.isfinite(cosine), cosine, -2)
            nearest = order.argmax(axis=1)
            mutual = nearest[nearest] == np.arange(len(often))
            wanted[np.flatnonzero(mutual), nearest[mutual]] = True
        for row, column in np.argwhere(np.triu(wanted | wanted.T, 1)).tolist():
            yield int(often[row]), int(often[column])

    # ------------------------------------------------------------------ spelling

    def by_spelling(self, a: int, b: int) -> Merge | None:
        """Return the pair as case, plural or misspelling; None when it is none of them."""
        one, two = self.plain[a], self.plain[b]
        if not one or not two or differ_in_digits(one, two):
            return None
        if one.replace(" ", "") == two.replace(" ", ""):
            # "sea food" is "seafood"; a hyphen or a capital says less still.
            sure = 0.99 if one == two else 0.95
            # "us" may be two codes: a person is asked.
            return self._merge(a, b, "case", _CODE_SCORE if is_code(one) else sure)
        if are_plural(one, two, self.languages):
            doubtful = {one.split()[-1], two.split()[-1]} & MEANS_ANOTHER_THING
            return self._merge(a, b, "plural", 0.6 if doubtful else 0.96)
        if self.stem[a].replace(" ", "") == self.stem[b].replace(" ", ""):
            return self._merge(a, b, "plural", 0.93)
        return self._misspelling(a, b)

    def _misspelling(self, a: int, b: int) -> Merge | None:
        costs = [
            (cost, len(one.replace(" ", "")))
            for one, two in ((self.plain[a], self.plain[b]), (self.stem[a], self.stem[b]))
            if (cost := _phrase_slips(one, two)) is not None
        ]
        if not costs:
            return None
        cost, length = min(costs)
        rare, frequent = sorted((a, b), key=lambda c: (self.use.counts[c], self.classes[c]))
        evidence = 6 * (1 - 1.5 * cost / length) - 3
        evidence += self._rarity(rare, frequent) + self._known(rare, frequent)
        evidence += self._company(rare, frequent) + self._looks(rare, frequent)
        return self._merge(a, b, "misspelling", min(_logistic(evidence), 0.98), cost)

    def _rarity(self, rare: int, frequent: int) -> float:
        """A misspelling is rarer than what it misspells; two frequent spellings are two words."""
        ratio = (self.use.counts[rare] + 0.5) / (self.use.counts[frequent] + 0.5)
        return float(np.clip(2 * math.log10(0.2 / ratio), -2, 2))

    def _known(self, rare: int, frequent: int) -> float:
        """Two words of the dictionary are two things, but for one that is spelt in two ways."""
        pairs = _word_pairs(self.stem[rare], self.stem[frequent])
        if pairs and all(frozenset(pair) in SPELT_TWO_WAYS for pair in pairs):
            return 1.0
        both = any({one, two} <= COMMON_NOUNS for one, two in pairs)
        rare_known = any(one in COMMON_NOUNS for one, _ in pairs)
        frequent_known = any(two in COMMON_NOUNS for _, two in pairs)
        return -6.0 if both else -3.0 if rare_known else 1.0 if frequent_known else 0.0

    def _company(self, rare: int, frequent: int) -> float:
        """Spellings of one word share few images, but the same company."""
        if self.exclusive:
            return 0.0
        use, both = self.use, int(self.use.together[rare, frequent])
        expected = use.counts[rare] * use.counts[frequent] / max(use.n_images, 1)
        evidence = 0.0
        if both and both < 0.8 * use.counts[rare]:
            evidence -= 1.0
        elif not both and expected >= 3:
            evidence += 1.0
        weight = min(use.counts[rare] / 5, 1.0)
        return evidence + float(weight * (use.context[rare, frequent] - 0.3))

    def _looks(self, rare: int, frequent: int) -> float:
        """Spellings of one word are on like pictures; one picture says less than five."""
        if self.looks is None:
            return 0.0
        agreement = self.looks.agreement(rare, frequent)
        if not math.isfinite(agreement):
            return 0.0
        weight = self.use.counts[rare] / (self.use.counts[rare] + 1)
        evidence = 4 * weight * (agreement - 0.75)
        mixing = self.looks.mixing(rare, frequent)
        if math.isfinite(mixing):
            evidence += 3 * (mixing - 0.5)
        return float(np.clip(evidence, -3, 2))

    # ------------------------------------------------------------------ synonyms

    def as_synonyms(self, a: int, b: int) -> Merge | None:
        """Return the pair as synonyms when nearly all evidence speaks for it."""
        if differ_in_digits(self.plain[a], self.plain[b]):
            return None
        both = int(self.use.together[a, b])
        certain = _at_least(both, int(self.use.counts[a] + self.use.counts[b]) - both)
        mixing = self.looks.mixing(a, b) if self.looks is not None else math.nan
        if certain >= _SYNONYM_SHARED:
            return self._merge(a, b, "synonym", _SYNONYM_TOP * certain)
        share = self.use.together[a, b] / max(min(self.use.counts[a], self.use.counts[b]), 1)
        if not math.isfinite(mixing) or mixing < _SYNONYM_MIXING or share > 0.1:
            return None
        company = mixing if self.exclusive else float(self.use.context[a, b])
        return self._merge(a, b, "synonym", _SYNONYM_TOP * math.sqrt(mixing * company))

    # ------------------------------------------------------------------ the proposal

    def _merge(self, a: int, b: int, kind: MergeKind, score: float, slips: float = 0.0) -> Merge:
        counts = self.use.counts
        head, tail = sorted((a, b), key=lambda c: _precedence(self.classes[c], int(counts[c])))
        looks = self.looks
        return Merge(
            label=self.classes[tail],
            into=self.classes[head],
            kind=kind,
            score=float(np.clip(score, 0, 1)),
            count=int(counts[tail]),
            into_count=int(counts[head]),
            slips=slips,
            together=int(self.use.together[a, b]),
            jaccard=self.use.jaccard(a, b),
            pmi=self.use.pmi(a, b),
            context=float(self.use.context[a, b]),
            visual=float(looks.cosine[tail, head]) if looks else math.nan,
            nearest=looks.agreement(tail, head) if looks else math.nan,
            mixing=looks.mixing(tail, head) if looks else math.nan,
        )


def _word_pairs(a: str, b: str) -> list[tuple[str, str]]:
    """Return the words in which two labels differ, in pairs; the whole where they split apart."""
    one, two = a.split(), b.split()
    if len(one) != len(two):
        return [(a.replace(" ", ""), b.replace(" ", ""))]
    return [(x, y) for x, y in zip(one, two, strict=True) if x != y]


def _phrase_slips(a: str, b: str) -> float | None:
    """Return the slips between two labels, None when a word holds more than its length allows."""
    from rapidfuzz.distance import OSA

    pairs = _word_pairs(a, b)
    if not pairs:
        return None
    for one, two in pairs:
        allowed = slips_allowed(min(len(one), len(two)))
        # "ph" for "f" is one slip in two letters.
        sounds_alike = allowed > 0 and one.replace("ph", "f") == two.replace("ph", "f")
        if OSA.distance(one, two) > allowed and not sounds_alike:
            return None
    return sum(slip_cost(one, two) for one, two in pairs)


def _at_least(part: int, whole: int) -> float:
    """Return the lower end of the 95 % interval of a share (Wilson 1927): 0.57 for 5 of 5."""
    if not whole:
        return 0.0
    z, share = 1.96, part / whole
    middle = share + z * z / (2 * whole)
    spread = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    return (middle - spread) / (1 + z * z / whole)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
