"""A measure of pictures that needs nothing but their pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from vernis.domain.ports import Pixels
from vernis.domain.types import Space


@dataclass(frozen=True, slots=True)
class PixelMeasure:
    """The PictureReader of a measure.

    Attributes
    ----------
    space : Space
        Where its vectors are stored.
    measure : callable
        From the pixels of a picture to its vector.
    """

    space: Space
    measure: Callable[[Pixels], NDArray[Any]]

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return what measures."""
        return self.measure
