"""Measure the quality of a decoded picture, and note what is damaged of its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from vernis.core.quality import MEASURES, measure
from vernis.domain.damage import DAMAGE_SPACE
from vernis.domain.ports import Decoded, Pixels
from vernis.domain.types import Space

QUALITY_SPACE = Space(
    "quality", len(MEASURES), "float32", {"version": 2, "measures": list(MEASURES)}
)
"""Where the measures of pictures are stored; see ``vernis.core.quality.MEASURES``."""


@dataclass(frozen=True, slots=True)
class QualityReader:
    """The PictureReader of quality measures, in the space ``quality``."""

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return QUALITY_SPACE

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return ``measure``."""
        return measure


@dataclass(frozen=True, slots=True)
class DamageReader:
    """The DecodingReader of what is damaged, in the space ``damage``."""

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return DAMAGE_SPACE

    def open_decoded(self) -> Callable[[Decoded], NDArray[Any]]:
        """Return what notes the damage of a decoded picture."""
        return lambda decoded: decoded.damage.as_vector()
