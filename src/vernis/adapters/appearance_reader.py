"""Where the colours and the types of pictures are stored."""

from __future__ import annotations

from vernis.core.appearance.measure import SIZE
from vernis.domain.types import Space

APPEARANCE_SPACE = Space("appearance", SIZE, "float32", {"version": 1})
"""See ``vernis.core.appearance.measure``."""
