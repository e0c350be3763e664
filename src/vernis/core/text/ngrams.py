"""Sequences of words that run over the ends of lines.

A name may be printed on two lines, beside a logo, or one letter apart. So each line has followers:
the line that goes on to its right, and the lines that begin under it. Words follow each other
within a line and from its last word to the first of a follower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.domain.readings import Reading

_LEAST_ALIKE = 0.35
"""Least ratio of the heights of two lines that belong together."""
_WIDEST_GAP = 1.5
"""Largest gap between two lines that belong together, in heights of the taller."""
_OVERLAP = 0.75
"""How far lines under each other may overlap, as detectors draw them taller than their letters."""
_LEVEL = 0.4
"""Lines beside each other meet within this share of the taller one's height."""

Place = tuple[int, int]
"""A word: the number of its line and its number in the line."""


@dataclass(frozen=True, slots=True)
class Gram:
    """One to three words that follow each other, by their places.

    ``confidence`` is that of the least sure line.
    """

    words: tuple[str, ...]
    places: tuple[Place, ...]
    confidence: float

    @property
    def joined(self) -> str:
        """The words without blanks."""
        return "".join(self.words)

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines that it lies on."""
        return tuple(dict.fromkeys(line for line, _ in self.places))


def read_grams(
    readings: Sequence[Reading], words: Sequence[Sequence[str]], longest: int = 3
) -> list[Gram]:
    """Return every sequence of up to ``longest`` words, shorter ones first.

    Parameters
    ----------
    readings : sequence of Reading
    words : sequence of sequence of str
        The words of each reading, in order.
    longest : int
    """
    follows = follow_lines(readings)
    paths: list[tuple[Place, ...]] = [
        ((line, number),) for line, own in enumerate(words) for number in range(len(own))
    ]
    grams: list[Gram] = []
    for _ in range(longest):
        grams += [_gram(path, words, readings) for path in paths]
        paths = [
            (*path, place)
            for path in paths
            for place in _next(path[-1], words, follows)
            if place not in path
        ]
    return grams


def _gram(
    path: tuple[Place, ...], words: Sequence[Sequence[str]], readings: Sequence[Reading]
) -> Gram:
    confidence = min(readings[line].confidence for line, _ in path)
    return Gram(tuple(words[line][number] for line, number in path), path, confidence)


def _next(
    place: Place, words: Sequence[Sequence[str]], follows: Sequence[Sequence[int]]
) -> list[Place]:
    line, number = place
    if number + 1 < len(words[line]):
        return [(line, number + 1)]
    return [(other, 0) for other in follows[line] if words[other]]


def follow_lines(readings: Sequence[Reading]) -> list[list[int]]:
    """Return for each line the places of those that may go on from it, at most three.

    They are the nearest to its right on the same level and the two nearest under it, as its own
    direction has right and under, and not much smaller, taller or further away than it is tall.
    """
    if not readings:
        return []
    corners = np.stack([reading.corners for reading in readings]).astype(np.float64)
    return [_follow(number, corners) for number in range(len(readings))]


def _follow(number: int, corners: NDArray[np.float64]) -> list[int]:
    own = corners[number]
    along, down = own[1] - own[0], own[3] - own[0]
    width, height = np.linalg.norm(along), np.linalg.norm(down)
    if min(width, height) <= 0:
        return []
    # Every line in the frame of this one: x from its start, y from its top.
    x, y = (corners - own[0]) @ (along / width), (corners - own[0]) @ (down / height)
    tall = np.linalg.norm(corners[:, 3] - corners[:, 0], axis=1)
    larger = np.maximum(tall, height)
    alike = np.minimum(tall, height) / np.maximum(larger, 1e-9) >= _LEAST_ALIKE
    alike[number] = False
    # Pieces of a bent line are level with each other where they meet, not in their middles.
    level = np.abs((y[:, 0] + y[:, 3]) / 2 - height / 2) < _LEVEL * larger
    gap = (x[:, 0] + x[:, 3]) / 2 - width
    onward = x[:, 1] > x[:, 0]
    beside = np.flatnonzero(alike & level & onward & (gap > -larger) & (gap < _WIDEST_GAP * larger))
    fall = y.min(1) - height
    overlap = np.minimum(x.max(1), width) - np.maximum(x.min(1), 0)
    near = (fall > -_OVERLAP * larger) & (fall < _WIDEST_GAP * larger) & ~level
    under = np.flatnonzero(alike & near & (overlap > -0.5 * larger))
    found = beside[np.argsort(gap[beside], kind="stable")][:1].tolist()
    return [*found, *under[np.argsort(fall[under], kind="stable")][:2].tolist()]
