"""A map of the collection's pictures, and the store that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class MapRecord:
    """A map, as the catalog lists it.

    ``space`` is the document of the embedding space (``name``, ``dim``, ``dtype``, ``settings``),
    ``settings`` holds the method with its parameters, ``quality`` what was measured of the map.
    """

    name: str
    space: Mapping[str, Any]
    settings: Mapping[str, Any]
    quality: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    points: int = 0
    placed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MapPoints:
    """The places of a map.

    Attributes
    ----------
    hashes : tuple of str
        Contents of pictures, ascending.
    places : ndarray of float64, shape (n, 2)
        x to the right, y upwards.
    placed : ndarray of bool, shape (n,)
        True for those that were fitted into the finished map.
    """

    hashes: tuple[str, ...]
    places: NDArray[np.float64]
    placed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.hashes)
        if self.places.shape != (n, 2) or self.placed.shape != (n,):
            raise InvalidValue(
                f"expected places of shape ({n}, 2) and {n} marks, got {self.places.shape} and "
                f"{self.placed.shape}"
            )
        if not np.isfinite(self.places).all():
            raise InvalidValue("expected finite places in a map")


class MapStore(Protocol):
    """The maps of a collection, by name."""

    def records(self) -> list[MapRecord]:
        """Return every map, the newest first."""
        ...

    def find(self, name: str) -> MapRecord | None:
        """Return the map of that name, None when there is none."""
        ...

    def points(self, name: str) -> MapPoints:
        """Return the places of a map; raises NotFound that lists the names there are."""
        ...

    def replace(self, record: MapRecord, points: MapPoints) -> None:
        """Write a map; one of the same name goes, in the same transaction."""
        ...

    def place(
        self,
        name: str,
        hashes: Sequence[str],
        places: NDArray[np.float64],
        quality: Mapping[str, Any],
    ) -> None:
        """Add pictures to a map that is there, and what is now measured of it."""
        ...

    def remove(self, name: str) -> None:
        """Remove a map; raises NotFound."""
        ...
