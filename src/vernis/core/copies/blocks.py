"""The blocks in which pictures and pairs are compared."""

from __future__ import annotations

BLOCK = 2048
"""Pictures or pairs of one piece of work."""


def slices(count: int) -> list[slice]:
    """Return the blocks of so many rows."""
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
