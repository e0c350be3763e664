"""How fast each arithmetic and runtime of the shipped backbone is on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.zoo import (
    ARITHMETICS,
    DEFAULT_ARITHMETIC,
    RUNTIMES,
    Arithmetic,
    open_backbone,
)
from vernis.domain.errors import MissingExtra
from vernis.domain.ports import Pixels

WORTH = 0.9
"""Share of the default's time below which another way is worth a space of its own: less is within
what two measurements of one way differ by."""

Way = tuple[Arithmetic, str]
"""Arithmetic and runtime."""


def time_ways(pictures: int = 24, *, seed: int = 0) -> list[tuple[Way, float, float]]:
    """Measure every way to run the shipped backbone that is installed here.

    The ways take turns on every picture, one thread each, so that other work on the machine strikes
    all alike.

    Parameters
    ----------
    pictures : int
        How many are drawn, 1 or more.
    seed : int
        Of the drawing.

    Returns
    -------
    list of (way, float, float)
        Arithmetic and runtime, the default first; the median processor time of a picture,
        milliseconds; the least cosine of its vectors to those of the default, -1 to 1.
    """
    drawn = _draw(pictures, seed)
    measures = _open_ways()
    spent: dict[Way, list[float]] = {way: [] for way in measures}
    vectors: dict[Way, list[NDArray[np.float64]]] = {way: [] for way in measures}
    for measure in measures.values():
        measure(drawn[0])  # the first picture pays for memory and code that is made once
    for picture in drawn:
        for way, measure in measures.items():
            started = time.process_time()
            vector = measure(picture)
            spent[way].append(1000 * (time.process_time() - started))
            vectors[way].append(np.asarray(vector, np.float64))
    default = vectors[DEFAULT_ARITHMETIC, RUNTIMES[0]]
    return [
        (way, float(np.median(spent[way])), min(map(_cosine, vectors[way], default)))
        for way in measures
    ]


def choose_way(timed: list[tuple[Way, float, float]]) -> Way:
    """Return the quickest way; the default, the first of them, unless one is clearly quicker."""
    (default, standard, _), *_ = timed
    way, least, _ = min(timed, key=lambda row: row[1])
    return way if least <= WORTH * standard else default


def _open_ways() -> dict[Way, Callable[[Pixels], NDArray[Any]]]:
    ways: list[Way] = [(arithmetic, runtime) for arithmetic in ARITHMETICS for runtime in RUNTIMES]
    ways.sort(key=lambda way: way != (DEFAULT_ARITHMETIC, RUNTIMES[0]))
    opened = {}
    for arithmetic, runtime in ways:
        try:
            backbone = open_backbone(arithmetic=arithmetic, runtime=runtime)
            opened[arithmetic, runtime] = backbone.reader().open()
        except MissingExtra:
            continue
    return opened


def _draw(pictures: int, seed: int) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (pictures, 16, 16, 3), dtype=np.uint8)
    return [np.kron(small, np.ones((16, 16, 1), np.uint8)) for small in coarse]


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
