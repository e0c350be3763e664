"""Look closer at pairs that may be copies: where they lie on one another, and how they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.comparison import Comparison, compare_views
from vernis.core.copies.correspondence import Overlay, overlay_keypoints
from vernis.core.copies.keypoints import Keypoints, unpack_keypoints
from vernis.core.numeric.threads import in_threads

Look = Callable[[int], NDArray[np.uint8] | None]
"""From the row of an image to its picture, RGB, about ``VIEW_SIDE`` pixels; None: it is gone."""

Pair = tuple[int, int]
Report = Callable[[int, int], None]
_Item = TypeVar("_Item")

_KEPT_VIEWS = 1024
_BLOCK = 256
# Of each image the chains over so many of its most similar copies are followed, so that thousands
# of copies of one placeholder do not cost millions of comparisons.
_CHAIN_DEGREE = 12
_CHAIN_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A pair that was looked at, a < b."""

    pair: Pair
    comparison: Comparison

    @property
    def kind(self) -> Literal["copy", "variant", "different"]:
        """What the pair is."""
        return self.comparison.kind

    def as_copy(self, overlay: Overlay, similarity: float) -> Seen:
        """Return the pair as a copy of a similarity that was found otherwise."""
        return Seen(self.pair, Comparison("copy", similarity, overlay))


@dataclass(eq=False)
class CloseLook:
    """Compares pairs of pictures at a closer look.

    Parameters
    ----------
    records : ndarray of uint8, shape (n_images, RECORD_SIZE)
        The keypoints of each image.
    look : callable
    """

    records: NDArray[np.uint8]
    look: Look
    _views: Look = field(init=False, repr=False)
    _points: Callable[[int], Keypoints] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._views = lru_cache(maxsize=_KEPT_VIEWS)(self.look)
        self._points = lru_cache(maxsize=8 * _KEPT_VIEWS)(
            lambda row: unpack_keypoints(self.records[row])
        )

    def overlay(self, pair: Pair) -> Overlay | None:
        """Return how the first lies on the second by their keypoints, None where it does not."""
        return overlay_keypoints(self._points(pair[0]), self._points(pair[1]))

    def compare(self, pair: Pair, overlay: Overlay, threshold: float) -> Seen | None:
        """Compare a pair at an overlay of the first on the second; None: a picture is gone."""
        first, second = self._views(pair[0]), self._views(pair[1])
        if first is None or second is None:
            return None
        return Seen(pair, compare_views(first, second, overlay, threshold))

    def find(
        self, pairs: Sequence[Pair], threshold: float, report: Report | None = None
    ) -> list[Seen]:
        """Compare those pairs whose keypoints lie on one another."""

        def see(block: Sequence[Pair]) -> list[Seen]:
            overlays = ((pair, self.overlay(pair)) for pair in block)
            seen = (self.compare(p, o, threshold) for p, o in overlays if o is not None)
            return [each for each in seen if each is not None]

        return self._in_blocks(see, pairs, report)

    def check(self, pairs: Sequence[tuple[Pair, Overlay]], threshold: float) -> list[Seen]:
        """Compare pairs at given overlays, or better ones that their keypoints give."""

        def see(block: Sequence[tuple[Pair, Overlay]]) -> list[Seen]:
            found = []
            for pair, given in block:
                seen = self.compare(pair, self.overlay(pair) or given, threshold)
                if seen is not None:
                    found.append(seen)
            return found

        return self._in_blocks(see, pairs)

    def _in_blocks(
        self,
        see: Callable[[Sequence[_Item]], list[Seen]],
        pairs: Sequence[_Item],
        report: Report | None = None,
    ) -> list[Seen]:
        blocks = [pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK)]
        found: list[Seen] = []
        for done, part in enumerate(in_threads(see, blocks), 1):
            found += part
            if report is not None:
                report(min(done * _BLOCK, len(pairs)), len(pairs))
        return found

    def follow_chains(
        self, copies: Iterable[Seen], tried: set[Pair], threshold: float
    ) -> list[Seen]:
        """Compare a and c where a-b and b-c are copies, at the overlay that both imply.

        Parameters
        ----------
        copies : iterable of Seen
        tried : set of (int, int)
            Pairs that were compared already; those of the chains are added.
        threshold : float
            Least similarity: a turned part and a covered copy resemble one another less than
            either resembles the original.
        """
        known, found = list(copies), []
        for _ in range(_CHAIN_ROUNDS):
            chains = _chains(known, tried)
            if not chains:
                break
            tried.update(pair for pair, _ in chains)
            seen = self.check(chains, threshold)
            found += seen
            known += [each for each in seen if each.kind == "copy"]
        return found


def _chains(copies: Sequence[Seen], tried: set[Pair]) -> list[tuple[Pair, Overlay]]:
    """Return the untried pairs two steps apart, each by its most similar middle."""
    around: dict[int, list[tuple[float, int, Overlay]]] = {}
    for seen in copies:
        (a, b), overlay = seen.pair, seen.comparison.overlay
        around.setdefault(a, []).append((seen.comparison.similarity, b, overlay))
        around.setdefault(b, []).append((seen.comparison.similarity, a, overlay.inverse()))
    best: dict[Pair, tuple[float, Overlay, Overlay]] = {}
    for middle in sorted(around):
        near = sorted(around[middle], key=lambda step: (-step[0], step[1]))[:_CHAIN_DEGREE]
        for value, a, to_a in near:
            for other, c, to_c in near:
                weakest = min(value, other)
                if a < c and (a, c) not in tried and weakest > best.get((a, c), (0.0,))[0]:
                    best[a, c] = (weakest, to_a, to_c)
    return [(pair, to_a.inverse().then(to_c)) for pair, (_, to_a, to_c) in sorted(best.items())]
