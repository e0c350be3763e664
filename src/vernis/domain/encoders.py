"""The protocols of what turns things other than pictures into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class TextEncoder(Protocol):
    """Turns words into vectors that can be compared with those of pictures.

    ``space`` names the image tower that it was trained with, "" when that is not known.
    """

    name: str
    space: str

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of length 1, shape (len(texts), dimension of the image tower)."""
        ...
