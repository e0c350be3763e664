"""Look closer at pairs that may be copies: where they lie on one another, and how they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.comparison import (
    Comparison,
    compare_small,
    compare_views,
    cover_both,
    cover_of,
)
from vernis.core.copies.correspondence import Overlay, overlay_pairs
from vernis.core.copies.families import Families
from vernis.core.copies.fingerprints import Fingerprints
from vernis.core.copies.keypoints import LONGER_SIDE, Keypoints, unpack_keypoints
from vernis.core.numeric.threads import in_threads

Look = Callable[[int], NDArray[np.uint8] | None]
"""From the row of an image to its picture, RGB, about ``VIEW_SIDE`` pixels; None: it is gone."""

Pair = tuple[int, int]
Report = Callable[[int, int], None]

_KEPT_VIEWS = 1024
# By keypoints alone: one picture lies so far within the other, and so many keypoints lie on one
# another, the more the more the pictures share and the less exactly (pixels of their largest
# picture) half of them lie there. Fitted to edits and to shots of one scene from two places.
_CONTAINED, _MATCHES, _MATCHES_BY_COVER, _MATCHES_BY_MISS = 0.93, 1.6, 3.0, 0.65
_BLOCK = 256
_MANY_PAIRS = 60  # from so many on processes make up for their start
# Of each image the chains over so many of its most similar copies are followed: all in groups of
# copies as people make them, few where thousands of copies of one placeholder would cost millions
# of comparisons.
_CHAIN_DEGREE, _MANY, _LOW_CHAIN_DEGREE = 32, 128, 4
_CHAIN_ROUNDS = 2
# Of chains: the one picture and the third lie so far within one another; of what both pictures show
# of the third so much is common to both where it is known, or compared.
_AS_MUCH, _SHARED, _LEAST_SHARED, _SHARED_BY_PARTS = 0.8, 0.5, 0.1, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A pair that may be copies, a < b.

    Attributes
    ----------
    pair : (int, int)
    overlay : Overlay
        How the first lies on the second.
    similarity : float
        What is known of it, 0..1; 0: nothing.
    related : bool
        It is known already that they are of one picture; see ``compare_views``.
    """

    pair: Pair
    overlay: Overlay
    similarity: float = 0.0
    related: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A pair and what it is, a < b; ``confirmed``: that is seen, not inferred."""

    pair: Pair
    comparison: Comparison
    confirmed: bool = True

    @property
    def kind(self) -> Literal["copy", "variant", "different"]:
        """What the pair is."""
        return self.comparison.kind


@dataclass(frozen=True, slots=True, eq=False)
class PairTask:
    """A pair and all that is needed to compare it, but its pictures.

    Attributes
    ----------
    proposal : Proposal
    threshold : float
        Least similarity of a copy, 0..1.
    overlays : tuple of Overlay
        How the first may lie on the second.
    luma : (ndarray, ndarray) of uint8, shape (side, side)
        The grey pictures of their fingerprints.
    aspects : (float, float)
        Width over height of each.
    """

    proposal: Proposal
    threshold: float
    overlays: tuple[Overlay, ...]
    luma: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    aspects: tuple[float, float]

    def compare(self, look: Look) -> Seen | None:
        """Compare the pictures; None: they are no copies, or one is gone.

        Parameters
        ----------
        look : callable
            Asked for the pictures only where the small ones may be copies.
        """
        proposal = self.proposal
        small = min(
            (compare_small(*self.luma, self.aspects, each) for each in self.overlays),
            key=lambda found: found.apart,
        )
        if not proposal.related and not small.may_be_copies():
            return None
        first, second = (look(row) for row in proposal.pair)
        found = None
        if first is not None and second is not None:
            matches = max(each.matches for each in self.overlays)
            placed = replace(small.overlay, matches=matches)
            found = compare_views(first, second, placed, self.threshold, related=proposal.related)
        unseen = found is None or (found.kind == "different" and not found.other_ground)
        if unseen and proposal.similarity:
            # Enough is known of it; the closer look only tells variants apart.
            return _known(proposal)
        return None if found is None else Seen(proposal.pair, found)


Compare = Callable[[PairTask], Seen | None]


@dataclass(eq=False)
class CloseLook:
    """Compares pairs of pictures at a closer look.

    Parameters
    ----------
    records : ndarray of uint8, shape (n_images, RECORD_SIZE)
        The keypoints of each image.
    fingerprints : Fingerprints
        Of the images.
    look : callable
    compare : callable, optional
        Does ``PairTask.compare`` elsewhere, asked by several threads, where there are many pairs:
        a comparison is so many short steps that threads of one interpreter gain nothing.
    """

    records: NDArray[np.uint8]
    fingerprints: Fingerprints
    look: Look
    compare: Compare | None = None
    _views: Look = field(init=False, repr=False)
    _points: Callable[[int], Keypoints] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._views = lru_cache(maxsize=_KEPT_VIEWS)(self.look)
        self._points = lru_cache(maxsize=8 * _KEPT_VIEWS)(
            lambda row: unpack_keypoints(self.records[row])
        )

    def _aspect(self, row: int) -> float:
        return float(self.fingerprints.aspect[row])

    def overlay(self, pair: Pair) -> Overlay | None:
        """Return how the first lies on the second by their keypoints, None where it does not."""
        return self._overlays([pair])[0]

    def _overlays(self, pairs: Sequence[Pair]) -> list[Overlay | None]:
        return overlay_pairs([(self._points(a), self._points(b)) for a, b in pairs])

    def propose(self, pairs: Sequence[Pair]) -> list[Proposal]:
        """Return those pairs that may be an edit of one another by their keypoints alone."""

        def see(block: Sequence[Pair]) -> list[Proposal]:
            overlays = zip(block, self._overlays(block), strict=True)
            return [
                Proposal(pair, overlay)
                for pair, overlay in overlays
                if overlay is not None and self._may_be_edited(pair, overlay)
            ]

        blocks = [pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK)]
        return [each for part in in_threads(see, blocks) for each in part]

    def _covers(self, pair: Pair, overlay: Overlay) -> tuple[float, float]:
        """Return the share of each picture that lies on the other, the larger one first."""
        first, second = ((1000, max(1, round(1000 * self._aspect(row)))) for row in pair)
        covers = (
            cover_of(overlay.matrix, first, second),
            cover_of(overlay.inverse().matrix, second, first),
        )
        return max(covers), min(covers)

    def _may_be_edited(self, pair: Pair, overlay: Overlay) -> bool:
        """Tell an overlay of copies from one of two shots of a scene, by the keypoints alone."""
        miss = overlay.miss * LONGER_SIDE
        needed = _MATCHES * (miss + 0.1) ** _MATCHES_BY_MISS
        if overlay.matches < needed:  # however little they share
            return False
        most, least = self._covers(pair, overlay)
        needed = _MATCHES * np.exp(_MATCHES_BY_COVER * least) * (miss + 0.1) ** _MATCHES_BY_MISS
        return bool(most >= _CONTAINED and overlay.matches >= needed)

    def settle(
        self,
        proposals: Sequence[Proposal],
        threshold: float,
        families: Families,
        report: Report | None = None,
    ) -> list[Seen]:
        """Say of each proposed pair what it is, and look at no more pairs than that needs.

        In rounds: of an image one pair a round is looked at, those that share the most first; what
        follows from what was seen is not looked at. So the time grows with the number of images,
        not with that of the pairs.

        Parameters
        ----------
        proposals : sequence of Proposal
        threshold : float
            Least similarity of a copy, 0..1.
        families : Families
            What is known; what is seen is added.
        report : callable, optional
            Receives the number of settled pairs and their total.
        """
        waiting = sorted(proposals, key=self._order)
        seen: list[Seen] = []
        while waiting:
            chosen: list[Proposal] = []
            later: list[Proposal] = []
            busy: set[int] = set()
            for each in waiting:
                follows = _what_follows(each, families)
                if follows is not None:
                    seen.append(follows)
                elif busy.isdisjoint(each.pair):
                    busy.update(each.pair)
                    chosen.append(each)
                else:
                    later.append(each)
            for found in self._look_at(chosen, threshold, apart=len(proposals) >= _MANY_PAIRS):
                seen.append(found)
                _note(found, families)
            waiting = later
            if report is not None:
                report(len(proposals) - len(waiting), len(proposals))
        return seen

    def _order(self, proposal: Proposal) -> tuple[float, float, Pair]:
        # Of two parts of one picture each may be a copy of it and none of the other.
        least = self._covers(proposal.pair, proposal.overlay)[1]
        worth = proposal.similarity or proposal.overlay.matches / 1000
        return -round(least, 1), -worth, proposal.pair

    def _look_at(
        self, chosen: Sequence[Proposal], threshold: float, *, apart: bool = False
    ) -> list[Seen]:
        compare = self._compare_here if self.compare is None or not apart else self.compare
        tasks = [self._task(each, threshold) for each in chosen]
        return [seen for seen in in_threads(compare, tasks) if seen is not None]

    def _compare_here(self, task: PairTask) -> Seen | None:
        return task.compare(self._views)

    def _task(self, proposal: Proposal, threshold: float) -> PairTask:
        first, second = proposal.pair
        overlays = [proposal.overlay]
        if proposal.related:
            overlays += [each for each in [self.overlay(proposal.pair)] if each is not None]
        luma = self.fingerprints.luma[first], self.fingerprints.luma[second]
        aspects = self._aspect(first), self._aspect(second)
        return PairTask(proposal, threshold, tuple(overlays), luma, aspects)

    def _weigh(self, chain: _Chain, families: Families) -> tuple[Proposal, bool]:
        """Return what a chain proposes, and whether it is to be compared.

        Where the one picture shows as much as the third, no more and no less, the other lies on
        it as on the third, however little of that a comparison sees: a mount around it, a coarse
        JPEG of a part. Two parts are compared. Those of a collage, which is a copy of two
        pictures, meet on it at most where their mounts do.
        """
        onto = [each.inverse() for each in chain.overlays]
        shapes = [(1000, max(1, round(1000 * self._aspect(row)))) for row in chain.pair]
        middle = (1000, max(1, round(1000 * self._aspect(chain.middle))))
        shared = cover_both((onto[0].matrix, shapes[0]), (onto[1].matrix, shapes[1]), middle)
        within = [
            cover_of(each.matrix, shape, middle)
            for each, shape in zip(chain.overlays, shapes, strict=True)
        ]
        around = [
            cover_of(each.matrix, middle, shape) for each, shape in zip(onto, shapes, strict=True)
        ]
        as_much = max(map(min, within, around)) > _AS_MUCH
        known = as_much and shared > _SHARED and families.verdict(*chain.pair) == "copy"
        overlay = chain.overlays[0].then(onto[1])
        proposal = Proposal(chain.pair, overlay, chain.weakest if known else 0.0, related=True)
        compared = shared > (_LEAST_SHARED if max(around) > _AS_MUCH else _SHARED_BY_PARTS)
        return proposal, compared and not known

    def follow_chains(
        self, copies: Iterable[Seen], tried: set[Pair], threshold: float, families: Families
    ) -> list[Seen]:
        """Say what a and c are where a-b and b-c are copies; compare them where that does not tell.

        They are compared at the overlay that both imply.

        Parameters
        ----------
        copies : iterable of Seen
        tried : set of (int, int)
            Pairs that were compared already; those of the chains are added.
        threshold : float
            Least similarity: a turned part and a covered copy resemble one another less than
            either resembles the original.
        families : Families
            Of the copies.
        """
        known, found = list(copies), []
        for _ in range(_CHAIN_ROUNDS):
            weighed = [self._weigh(each, families) for each in _chains(known, tried, families)]
            if not weighed:
                break
            tried.update(each.pair for each, _ in weighed)
            told = [_known(each) for each, _ in weighed if each.similarity]
            seen = self._look_at([each for each, compared in weighed if compared], threshold)
            found += told + seen
            known += told + [each for each in seen if each.kind == "copy"]
        return found


def _known(proposal: Proposal) -> Seen:
    """Return a pair whose similarity is known as the copy that it is."""
    found = Comparison("copy", proposal.similarity, proposal.overlay)
    return Seen(proposal.pair, found, confirmed=False)


def _note(seen: Seen, families: Families) -> None:
    """Keep what a pair tells of its families."""
    if seen.comparison.reason:
        families.tell_apart(*seen.pair, seen.comparison.reason)
    elif seen.kind == "copy" and seen.confirmed and families.verdict(*seen.pair) in (None, "copy"):
        families.join(*seen.pair, seen.comparison.similarity)


def reconsider(seen: Seen, families: Families) -> Seen:
    """Return an inferred variant as a copy where other pairs joined its pictures afterwards."""
    joined = families.verdict(*seen.pair) == "copy"
    if seen.confirmed or not seen.comparison.reason or not joined:
        return seen
    known = Comparison("copy", families.least(seen.pair[0]), seen.comparison.overlay)
    return Seen(seen.pair, known, confirmed=False)


def _what_follows(proposal: Proposal, families: Families) -> Seen | None:
    """Return what is known of a pair by what was seen of others."""
    verdict = families.verdict(*proposal.pair)
    if verdict is None:
        return None
    least = min(families.least(image) for image in proposal.pair)
    similarity = proposal.similarity or least
    if verdict == "copy":
        return Seen(proposal.pair, Comparison("copy", similarity, proposal.overlay))
    found = Comparison("variant", similarity, proposal.overlay, reason=verdict)
    return Seen(proposal.pair, found, confirmed=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Two pictures that are copies of a third one, and how they lie on it."""

    pair: Pair
    middle: int
    weakest: float
    overlays: tuple[Overlay, Overlay]


def _chains(copies: Sequence[Seen], tried: set[Pair], families: Families) -> list[_Chain]:
    """Return the untried pairs two steps apart, each by its most similar middle."""
    around: dict[int, list[tuple[float, int, Overlay]]] = {}
    for seen in copies:
        (a, b), overlay = seen.pair, seen.comparison.overlay
        around.setdefault(a, []).append((seen.comparison.similarity, b, overlay.inverse()))
        around.setdefault(b, []).append((seen.comparison.similarity, a, overlay))
    best: dict[Pair, _Chain] = {}
    for middle in sorted(around):
        degree = _CHAIN_DEGREE if families.size(middle) <= _MANY else _LOW_CHAIN_DEGREE
        near = sorted(around[middle], key=lambda step: (-step[0], step[1]))[:degree]
        for value, a, from_a in near:
            for other, c, from_c in near:
                weakest = min(value, other)
                if a >= c or (a, c) in tried:
                    continue
                if (a, c) not in best or weakest > best[a, c].weakest:
                    best[a, c] = _Chain((a, c), middle, weakest, (from_a, from_c))
    return [chain for _, chain in sorted(best.items())]
