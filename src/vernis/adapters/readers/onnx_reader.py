"""Read text with ONNX networks: one finds the lines, one reads them, a small one looks first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.adapters.readers.crops import Pyramid, cut_line
from vernis.core.text.bent_lines import find_ink, fit_bent_line, place_ring, strip_places
from vernis.core.text.decoding import decode_steps
from vernis.core.text.detection import DetectionSettings, Line, find_lines, scale_line
from vernis.core.text.spelling import SymbolFold
from vernis.domain.errors import ModelError
from vernis.domain.ports import Pixels
from vernis.domain.readings import Reading

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a batch of one picture to the network's output."""

_MEANS = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_DEVIATIONS = (0.229 * 255, 0.224 * 255, 0.225 * 255)
_STRIDE = 32
"""The detectors take sides that are multiples of this."""
_CLEAR = 0.9
"""One line that is read so surely from above tells that the picture is not upside down."""
_SIDEWAYS = 0.5
_SQUARE = 1.5
_LONE = 2.5
_LEAST_BENT, _MOST_BENT = 1.2, 9.0
"""How many times as wide as tall a line is that may be unrolled."""
_INK_HEIGHT = 96
"""Pixels of the strip in which ink is looked for."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How pictures are read.

    Attributes
    ----------
    side : int
        A picture is shown to the detector with the area of a square of this side, in pixels.
    longest : int
        Its longer side at most.
    gate_side : int
        Longer side of the picture, in pixels, when it is asked whether there is any text; 0 leaves
        the gate open.
    gate_lines : int
        The gate opens where one of so many lines, the surest that it sees, can be read.
    region_least : float
        The larger detector looks where the gate sees text with at least this probability;
    region_margin : float
        and so far around it, as a share of the picture's longer side.
    zoom : float
        Where that is a part of the picture, it is shown up to so many times as large.
    gate_tallest : float
        What it sees taller than this share of the picture's shorter side is no line: on smooth
        grounds the small detector sees some.
    least_confidence : float
        Less sure lines are no readings.
    sure : float
        A level line that is read less surely is also read upside down.
    bent_sure : float
        A line that is read less surely is unrolled where its ink lies on an arc.
    bent_lines : int
        So many of these lines, the tallest.
    line_height : int
        Height of a line as the recognizer wants it, in pixels.
    widest : int
        Longer lines are pressed to this width.
    """

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    side: int = 544
    longest: int = 960
    gate_side: int = 320
    gate_lines: int = 2
    gate_tallest: float = 0.5
    region_least: float = 0.02
    region_margin: float = 0.1
    zoom: float = 1.1
    least_confidence: float = 0.3
    sure: float = 0.8
    bent_sure: float = 0.95
    bent_lines: int = 2
    line_height: int = 48
    widest: int = 1600


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one line spells when it is read from one side."""

    text: str
    confidence: float
    turns: int
    steps: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture, in pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int


class OnnxTextReader:
    """Reads the text in pictures; one worker's own.

    Parameters
    ----------
    detector, recognizer : Network
        The first maps a picture to the probability of text, shape ``(1, 1, height, width)``, the
        second a strip to its symbols, ``(1, n_steps, 1 + n_symbols)``.
    alphabet : sequence of str
        The recognizer's symbols after the blank.
    gate : Network or None
        A quicker detector that looks first; None: every picture is read.
    settings : ReaderSettings, optional
    """

    def __init__(
        self,
        detector: Network,
        recognizer: Network,
        alphabet: Sequence[str],
        *,
        gate: Network | None = None,
        settings: ReaderSettings | None = None,
    ) -> None:
        self.settings = settings or ReaderSettings()
        self._detector, self._recognizer, self._gate = detector, recognizer, gate
        self._alphabet = alphabet
        self._fold = SymbolFold(alphabet)

    def look(self, pixels: Pixels) -> Region | None:
        """Return the part of a picture in which the gate sees text, None where it sees none."""
        settings = self.settings
        height, width = pixels.shape[:2]
        if self._gate is None or settings.gate_side <= 0:
            return Region(0, 0, width, height)
        probability = _find(self._gate, pixels, settings.gate_side / max(height, width))
        lines = [
            line
            for line in self._lines(probability, width, height)
            if line.height < settings.gate_tallest * min(height, width)
        ]
        pyramid = Pyramid(pixels)
        attempts = (
            self._attempt(pyramid, line, _sides(line)[0]) for line in lines[: settings.gate_lines]
        )
        if not any(attempt.confidence >= settings.least_confidence for attempt in attempts):
            return None
        return _around(probability >= settings.region_least, settings.region_margin, width, height)

    def find(self, pixels: Pixels, region: Region | None = None) -> list[Line]:
        """Return the lines of text in a picture, in its pixels, the surest first.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
        region : Region, optional
            Where to look (default: everywhere).
        """
        height, width = pixels.shape[:2]
        region = region or Region(0, 0, width, height)
        scale = self.settings.side / math.sqrt(height * width)
        scale = min(scale, self.settings.longest / max(height, width))
        part = pixels[region.top : region.bottom, region.left : region.right]
        share = part.shape[0] * part.shape[1] / (height * width)
        scale *= min(self.settings.zoom, 1 / math.sqrt(share))
        lines = self._lines(_find(self._detector, part, scale), part.shape[1], part.shape[0])
        return [line.moved(region.left, region.top) for line in lines]

    def _lines(self, probability: NDArray[np.float32], width: int, height: int) -> list[Line]:
        """Return the lines of a map of a picture of that size, in pixels of the picture."""
        across, down = width / probability.shape[1], height / probability.shape[0]
        found = find_lines(probability, self.settings.detection)
        return [scale_line(line, across, down) for line in found]

    def read(self, pixels: Pixels) -> tuple[Reading, ...]:
        """Return the lines of text in a picture, from the tallest to the smallest.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB, upright.
        """
        region = self.look(pixels) if min(pixels.shape[:2]) > 1 else None
        if region is None:
            return ()
        pyramid = Pyramid(pixels)
        shorter = min(pixels.shape[:2])
        readings = []
        decided = self._decide(pyramid, self.find(pixels, region))
        for line, attempt in self._unroll_tallest(pyramid, decided):
            text = attempt.text.strip()
            if not text or attempt.confidence < self.settings.least_confidence:
                continue
            corners = line.rectangle.corners(attempt.turns).astype(np.float32)
            spelling = self._fold.fold(attempt.steps)
            height = line.height / shorter
            readings.append(Reading(text, attempt.confidence, corners, height, spelling))
        return tuple(sorted(readings, key=lambda reading: -reading.height))

    def _decide(self, pyramid: Pyramid, lines: Sequence[Line]) -> list[tuple[Line, _Attempt]]:
        """Read every line, and decide from which side.

        Lines that are upright or not surely read are read from both sides. Where no line is sure to
        be read from above, the others are tried upside down too.
        """
        settings = self.settings
        chosen: list[tuple[Line, _Attempt, list[int]]] = []
        for line in lines:
            first, others = _sides(line)
            best = self._attempt(pyramid, line, first)
            if not _is_level(line) or best.confidence < settings.sure:
                for turns in others:
                    other = self._attempt(pyramid, line, turns)
                    best = other if other.confidence > best.confidence else best
                others = []
            chosen.append((line, best, others))
        if any(
            _is_level(line) and best.turns == _sides(line)[0] and best.confidence >= _CLEAR
            for line, best, _ in chosen
        ):
            return [(line, best) for line, best, _ in chosen]
        final = []
        for line, best, others in chosen:
            for turns in others if best.confidence < _CLEAR else []:
                other = self._attempt(pyramid, line, turns)
                best = other if other.confidence > best.confidence else best
            final.append((line, best))
        return final

    def _unroll_tallest(
        self, pyramid: Pyramid, decided: Sequence[tuple[Line, _Attempt]]
    ) -> list[tuple[Line, _Attempt]]:
        """Read the tallest of the lines that are not surely read on an arc as well."""
        found = list(decided)
        doubtful = [
            place
            for place, (line, attempt) in enumerate(found)
            if attempt.confidence < self.settings.bent_sure and _may_be_bent(line)
        ]
        doubtful.sort(key=lambda place: -found[place][0].rectangle.short)
        for place in doubtful[: self.settings.bent_lines]:
            found[place] = self._unroll(pyramid, *found[place])
        return found

    def _unroll(self, pyramid: Pyramid, line: Line, best: _Attempt) -> tuple[Line, _Attempt]:
        """Return a line as it is read on the arc of its ink, where that is surer."""
        rectangle, straight = line.rectangle, Line(line.rectangle, line.score)
        strip = cut_line(pyramid, straight, 0, height=_INK_HEIGHT, widest=self.settings.widest)
        height, width = strip.shape[:2]
        places = strip_places(rectangle, width, height)
        inside = np.asarray(((places >= 0) & (places < pyramid.size)).all(axis=-1))
        ring = fit_bent_line(find_ink(strip, inside))
        if ring is None:
            return line, best
        bent = Line(rectangle, line.score, place_ring(ring, rectangle, width, height))
        # Upright alone: upside down on a ring that does not fit, anything is read surely.
        attempt = self._attempt(pyramid, bent, _sides(bent)[0])
        whole = len(attempt.text) >= len(best.text) - 1
        surer = attempt.confidence >= max(_CLEAR, best.confidence)
        return (bent, attempt) if whole and surer else (line, best)

    def _attempt(self, pyramid: Pyramid, line: Line, turns: int) -> _Attempt:
        settings = self.settings
        strip = cut_line(pyramid, line, turns, height=settings.line_height, widest=settings.widest)
        values = strip[..., ::-1].astype(np.float32) / 127.5 - 1
        steps = self._recognizer(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))[0]
        if steps.shape[1] != len(self._alphabet) + 1:
            raise ModelError(
                f"the recognizer has {steps.shape[1] - 1} symbols, its alphabet "
                f"{len(self._alphabet)}"
            )
        text, confidence = decode_steps(steps, self._alphabet)
        return _Attempt(text, min(confidence, 1.0), turns, steps)


def _find(network: Network, pixels: Pixels, scale: float) -> NDArray[np.float32]:
    """Return the probability of text in a picture that is scaled first, shape ``(h, w)``."""
    height, width = (
        max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in pixels.shape[:2]
    )
    image = Image.fromarray(pixels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    channels = np.asarray(image)
    batch = np.empty((1, 3, height, width), np.float32)
    for place, (mean, deviation) in enumerate(zip(_MEANS, _DEVIATIONS, strict=True)):
        # The network was trained on BGR, with ImageNet's figures in the order of RGB.
        np.multiply(channels[..., 2 - place], np.float32(1 / deviation), out=batch[0, place])
        batch[0, place] -= np.float32(mean / deviation)
    return np.asarray(network(batch)[0, 0])


def _around(seen: NDArray[np.bool_], margin: float, width: int, height: int) -> Region:
    """Return the part of a picture in which a map of it is true, with a margin around it."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    down, across = height / seen.shape[0], width / seen.shape[1]
    spare = margin * max(width, height)
    return Region(
        max(0, math.floor(columns[0] * across - spare)),
        max(0, math.floor(rows[0] * down - spare)),
        min(width, math.ceil((columns[-1] + 1) * across + spare)),
        min(height, math.ceil((rows[-1] + 1) * down + spare)),
    )


def _is_level(line: Line) -> bool:
    """Return whether a line is read from left to right, or upside down, but not up or down."""
    if line.ring is not None:
        return abs(math.sin(line.ring.start + line.ring.span / 2)) > _SIDEWAYS
    return abs(line.rectangle.angle) <= math.pi / 4 or _is_square(line)


def _may_be_bent(line: Line) -> bool:
    """Return whether a line is level, and neither as tall as wide nor very long."""
    ratio = line.rectangle.long / max(line.rectangle.short, 1e-6)
    return abs(line.rectangle.angle) <= math.pi / 4 and _LEAST_BENT <= ratio <= _MOST_BENT


def _is_square(line: Line) -> bool:
    return line.rectangle.long < _SQUARE * line.rectangle.short


def _sides(line: Line) -> tuple[int, list[int]]:
    """Return from which side a line is read first, and from which others, as turns."""
    if line.ring is not None:
        # Over the centre letters stand on the inner arc, under it mostly on the outer one.
        over = math.sin(line.ring.start + line.ring.span / 2) < 0
        return (0, [2]) if over else (2, [0])
    angle = line.rectangle.angle
    if abs(angle) <= math.pi / 4:
        return 0, [2]
    level = 3 if angle > 0 else 1
    if _is_square(line):
        return level, [(level + 2) % 4]
    # One letter alone may be as tall as a short word that is turned.
    lone = line.rectangle.long < _LONE * line.rectangle.short
    return 0, [2, level] if lone else [2]
