"""What is wrong with a picture that can be read all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.types import Space

DamageKind = Literal["", "cut_off", "garbled", "checksum", "blank_end"]
DAMAGE_KINDS: tuple[DamageKind, ...] = get_args(DamageKind)
"""``cut_off``: the end of the file is missing; ``garbled``: its data do not add up to the picture;
``checksum``: a checksum in the file does not fit its data; ``blank_end``: the picture breaks off
in a block of one colour. Empty: nothing is wrong."""

DAMAGE_SPACE = Space("damage", 2, "float32", {"version": 1, "kinds": list(DAMAGE_KINDS)})
"""Where the damage of pictures is stored: place of the kind in ``DAMAGE_KINDS``, share lost."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a picture.

    Attributes
    ----------
    kind : str
        As in ``DAMAGE_KINDS``.
    lost : float
        Share of the picture's rows that are missing at its end, 0..1.
    """

    kind: DamageKind = ""
    lost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse unknown kinds and shares outside 0..1."""
        if self.kind not in DAMAGE_KINDS or not 0 <= self.lost <= 1:
            raise InvalidValue(
                f"expected a kind of {DAMAGE_KINDS} and a share in 0..1, "
                f"got {self.kind!r} and {self.lost}"
            )

    def as_vector(self) -> NDArray[np.float32]:
        """Return the damage as a row of ``DAMAGE_SPACE``."""
        return np.array([DAMAGE_KINDS.index(self.kind), self.lost], dtype=np.float32)


SOUND = Damage()
