"""A part of a picture, as a person names it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from vernis.domain.errors import UsageError


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle: left, top, width, height in pixels of the upright picture, or as shares.

    It is taken for shares when none of the four numbers is above 1.
    """

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``x,y,width,height``; raises UsageError."""
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        sound = len(numbers) == 4 and all(math.isfinite(number) for number in numbers)
        if not sound or min(numbers) < 0 or min(numbers[2:]) == 0:
            raise UsageError(
                f"expected a region as x,y,width,height in pixels (120,40,300,200) or as shares of "
                f"the picture (0.5,0,0.5,1), got {text!r}"
            )
        return cls(*numbers)

    def box(self, width: int, height: int, name: str) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom in pixels of a picture of that size.

        Raises
        ------
        UsageError
            The region leaves the picture, which ``name`` names.
        """
        across, down = (width, height) if self._in_shares() else (1, 1)
        left, top = round(self.x * across), round(self.y * down)
        right = round((self.x + self.width) * across)
        bottom = round((self.y + self.height) * down)
        if right > width or bottom > height or right <= left or bottom <= top:
            raise UsageError(
                f"the region {self} leaves the picture {name}, which is {width} x {height} pixels"
            )
        return left, top, right, bottom

    def __str__(self) -> str:
        """Return it as it is read."""
        return ",".join(f"{v:g}" for v in (self.x, self.y, self.width, self.height))

    def _in_shares(self) -> bool:
        return max(self.x, self.y, self.width, self.height) <= 1
