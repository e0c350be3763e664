"""What follows from brands that are read: labels for blank images, and labels that are wrong.

Silence says nothing: a label whose brand is not read is no wrong label. A *different* brand that is
surely read is one, unless the given one is read as well.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vernis.core.text.brands import LEAST_LETTERS, BrandMatch, compared_name

Certainty = Literal["exact", "sure", "unsure"]
CERTAINTIES: tuple[Certainty, ...] = ("exact", "sure", "unsure")

Part = Literal["text", "logo", "both"]
PARTS: tuple[Part, ...] = ("text", "both", "logo")
"""Where a brand is found: in the text alone, in text and logos of a service, in logos alone."""

SURE_EVIDENCE = -3.0
"""In nats; measured by ``benchmarks/read.py``."""
_SURE_DISTANCE = 0.15
"""As a share of the name's length, where only the text is known."""
_PRIOR: Mapping[Certainty, float] = {"exact": 0.98, "sure": 0.95, "unsure": 0.8}
_PRIOR_IMAGES = 10.0
"""How many labelled images the prior shares weigh as much as."""
_MOST_NOISE = 0.15
"""Largest share of given labels that is taken for wrong where exact readings contradict them."""
MOST_DISTANCE = 4
"""Larger distances count as this one."""


def strength(match: BrandMatch) -> float:
    """Return how surely a brand is read, in nats: 0 and more is exact.

    Where only the text is known, by edit distance and confidence, on the scale of `certainty`.
    """
    if not math.isnan(match.evidence):
        return match.evidence
    if not match.distance:
        return match.confidence
    share = match.distance / max(len(match.form), 1)
    return SURE_EVIDENCE * share / _SURE_DISTANCE + math.log(max(match.confidence, 1e-3))


def certainty(match: BrandMatch) -> Certainty:
    """Return how surely a brand is read: one letter alone never is, as any scratch may be it."""
    if len(compared_name(match.reading)) < LEAST_LETTERS:
        return "unsure"
    if math.isnan(match.evidence):
        if not match.distance:
            return "exact"
        return "sure" if match.distance <= _SURE_DISTANCE * len(match.form) else "unsure"
    if match.evidence >= 0:
        return "exact"
    return "sure" if match.evidence >= SURE_EVIDENCE else "unsure"


def probabilities(
    matches: Sequence[Sequence[BrandMatch]], given: Sequence[Collection[str]]
) -> dict[Certainty, float]:
    """Return how often a brand that is read alone is right, by certainty.

    The shares of agreement with the given labels, drawn to those that were measured elsewhere as if
    by ten images more. Wrong given labels make all of them too low alike: what exact readings
    disagree beyond what was measured elsewhere is taken for wrong labels, up to 15 %. That lifts no
    share above the one that was measured elsewhere.

    Parameters
    ----------
    matches : sequence of sequence of BrandMatch
        Of each image.
    given : sequence of collection of str
        The brands that each image is labelled with; empty where that is not known.
    """
    right = dict.fromkeys(CERTAINTIES, 0)
    count = dict.fromkeys(CERTAINTIES, 0)
    for read, labels in zip(matches, given, strict=True):
        if len(read) == 1 and labels:
            kind = certainty(read[0])
            count[kind] += 1
            right[kind] += read[0].brand in labels
    agreement = {
        kind: (right[kind] + _PRIOR[kind] * _PRIOR_IMAGES) / (count[kind] + _PRIOR_IMAGES)
        for kind in CERTAINTIES
    }
    noise = min(max(_PRIOR["exact"] - agreement["exact"], 0.0), _MOST_NOISE)
    return {
        kind: max(share, min(share / (1 - noise), _PRIOR[kind]))
        for kind, share in agreement.items()
    }


def contradiction(read: Sequence[BrandMatch], given: Collection[str]) -> BrandMatch | None:
    """Return the brand that says that a label is wrong: the tallest that is surely read.

    None where a given brand is read too, or no other one surely.
    """
    if not given or any(match.brand in given for match in read):
        return None
    sure = [match for match in read if certainty(match) != "unsure"]
    return max(sure, key=lambda match: match.height, default=None)


@dataclass(frozen=True, slots=True)
class Gain:
    """In how many images a brand is found at each distance 0, 1, 2, 3, 4 and more.

    Attributes
    ----------
    brand : str
    found : tuple of int
    labelled : tuple of int
        Those of them that are labelled.
    agreeing : tuple of int
        Those of them that are labelled with this brand.
    parts : tuple of int
        In how many it is found in each of ``PARTS``.
    """

    brand: str
    found: tuple[int, ...]
    labelled: tuple[int, ...]
    agreeing: tuple[int, ...]
    parts: tuple[int, ...]

    @property
    def precision(self) -> float:
        """Share of the labelled ones that are labelled with this brand; NaN without any."""
        known = sum(self.labelled)
        return sum(self.agreeing) / known if known else math.nan


def gains(
    matches: Sequence[Sequence[BrandMatch]],
    given: Sequence[Collection[str]],
    parts: Sequence[Sequence[Part]],
) -> list[Gain]:
    """Return the gain of each brand that is read, the most frequent first."""
    widths = (*[MOST_DISTANCE + 1] * 3, len(PARTS))
    counts: dict[str, list[list[int]]] = {}
    for read, labels, places in zip(matches, given, parts, strict=True):
        for match, part in zip(read, places, strict=True):
            own = counts.setdefault(match.brand, [[0] * width for width in widths])
            own[3][PARTS.index(part)] += 1
            at = min(match.distance, MOST_DISTANCE)
            own[0][at] += 1
            own[1][at] += bool(labels)
            own[2][at] += match.brand in labels
    found = [Gain(brand, *map(tuple, own)) for brand, own in counts.items()]
    return sorted(found, key=lambda gain: (-sum(gain.found), gain.brand))
