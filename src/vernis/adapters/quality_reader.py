"""Where the quality of pictures is stored, and what notes the damage of their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from vernis.core.quality import MEASURES
from vernis.domain.damage import DAMAGE_SPACE
from vernis.domain.ports import Decoded
from vernis.domain.types import Space

QUALITY_SPACE = Space(
    "quality", len(MEASURES), "float32", {"version": 2, "measures": list(MEASURES)}
)
"""Where the measures of pictures are stored; see ``vernis.core.quality.MEASURES``."""


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
