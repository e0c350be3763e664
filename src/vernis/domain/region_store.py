"""Regions as a collection keeps them: what is recorded, as columns, and the store.

A region is drawn or found by a source and never changes its place: to move it, remove it and add
another. What it shows is said by statements about region × class, one of each source, in the states
and with the ranks of statements about images; of several the most believed holds. What a model says
never holds: a region of which only models speak is a proposal.

A label of an image is a statement of its own. Whoever says of a region that it shows a class (a
file, a person; no model) says so of the image too, in the same batch, where that source has said
nothing of image × class yet. That a region is removed, or shows something else, says nothing of the
image: its label stays until somebody takes it away, or the batch is undone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.regions import Region
from vernis.domain.types import Categories, ImageState, LabelState


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


def _require_saying(label: str, state: str, probability: float) -> None:
    _require(bool(label), "a class", label)
    _require(state in ("yes", "no", "unknown"), "yes, no or unknown", state)
    _require(math.isnan(probability) or 0 <= probability <= 1, "a probability", probability)


@dataclass(frozen=True, slots=True)
class RegionLabel:
    """What is said of a class on a region; ``probability`` is NaN where none is given."""

    taxonomy: str
    label: str
    state: LabelState = "yes"
    probability: float = math.nan

    def __post_init__(self) -> None:
        _require(bool(self.taxonomy), "a taxonomy", self.taxonomy)
        _require_saying(self.label, self.state, self.probability)


@dataclass(frozen=True, slots=True)
class NewRegion:
    """A region to be added to an image, with what its source says of it."""

    image_id: int
    region: Region
    labels: tuple[RegionLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class RegionStatement:
    """What one source says of one region × class; ``unknown`` withdraws what it said."""

    region_id: int
    label: str
    state: LabelState = "yes"
    probability: float = math.nan

    def __post_init__(self) -> None:
        _require_saying(self.label, self.state, self.probability)


@dataclass(frozen=True, slots=True)
class KnownRegion:
    """A region of the collection: who drew or found it, and the batch that added it."""

    id: int
    image_id: int
    region: Region
    source: str
    batch: int


@dataclass(frozen=True, slots=True, eq=False)
class RegionTable:
    """Many regions as columns, in ascending order of id: 70 bytes a region.

    Outlines, foreign ids and attributes are left out; ``RegionStore.get`` reads them.

    Attributes
    ----------
    ids, image_ids : ndarray of int64, shape (n,)
    boxes : ndarray of float64, shape (n, 4)
        x, y, width and height in pixels of the upright picture.
    pictures : ndarray of int32, shape (n, 2)
        Width and height of that picture.
    shapes, sources : Categories
    batches : ndarray of int64, shape (n,)
    """

    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    pictures: NDArray[np.int32]
    shapes: Categories
    sources: Categories
    batches: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.ids)
        lengths = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        _require(set(lengths.values()) == {n}, "columns of one length", lengths)
        _require(self.boxes.shape == (n, 4), f"boxes of shape ({n}, 4)", self.boxes.shape)
        _require(self.pictures.shape == (n, 2), f"sizes of shape ({n}, 2)", self.pictures.shape)
        _require(bool((np.diff(self.ids) > 0).all()), "ascending ids", self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return a table of some rows: ascending positions or a mask."""
        return type(self)(
            self.ids[rows],
            self.image_ids[rows],
            self.boxes[rows],
            self.pictures[rows],
            self.shapes.take(rows),
            self.sources.take(rows),
            self.batches[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionLabels:
    """What is said of regions in one taxonomy, a row a statement.

    In the order of the regions; of one region × class the most believed source first.

    Attributes
    ----------
    region_ids : ndarray of int64, shape (n,)
    labels, sources : Categories
    yes : ndarray of bool, shape (n,)
        True for yes, False for no.
    probabilities : ndarray of float64, shape (n,)
        NaN where none is given.
    holds : ndarray of bool, shape (n,)
        True for the statement that is believed; never for one of a model. In a ``single`` taxonomy
        one yes a region holds.
    proposed : ndarray of bool, shape (n,)
        True for what a model says and nobody has answered: no other source that counts speaks of
        that region × class, and in a ``single`` taxonomy none says yes of the region.
    """

    region_ids: NDArray[np.int64]
    labels: Categories
    sources: Categories
    yes: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    holds: NDArray[np.bool_]
    proposed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        _require(len(set(lengths.values())) == 1, "columns of one length", lengths)

    def __len__(self) -> int:
        return len(self.region_ids)


class RegionStore(Protocol):
    """The regions of a collection; those of ``Catalog.regions``."""

    def add(
        self, regions: Iterable[NewRegion], *, source: str, verb: str, note: str = ""
    ) -> NDArray[np.int64]:
        """Add regions with what their source says of them, as one batch; returns their new ids.

        Undo removes them again, but not those of which another source has said something since.
        Inside a ``transaction()`` all changes join one batch. Raises NotFound for an unknown
        image, taxonomy or class; nothing is added then.
        """
        ...

    def remove(self, ids: ArrayLike, *, source: str, verb: str, note: str = "") -> int:
        """Remove regions, as one batch that undo takes back with all that was said of them.

        Returns the batch, 0 where all were removed before. Raises NotFound for an unknown region.
        """
        ...

    def record(
        self,
        name: str,
        statements: Iterable[RegionStatement],
        *,
        source: str,
        verb: str,
        note: str = "",
    ) -> int:
        """Record what a source says of regions × classes of a taxonomy, as one batch.

        As ``LabelStore.record``: ``unknown`` withdraws, what changes nothing leaves no event, and
        in a single taxonomy a ``yes`` replaces the source's former ``yes`` on that region. Returns
        the batch or 0. Raises NotFound for an unknown or removed region, or an unknown class.
        """
        ...

    def table(
        self,
        *,
        images: ArrayLike | None = None,
        source: str = "",
        taxonomy: str | None = None,
        batch: int | None = None,
        states: Sequence[ImageState] = ("present",),
    ) -> RegionTable:
        """Return the regions as columns; for collections of any size.

        Parameters
        ----------
        images : array of int, optional
            Only on the images with those ids.
        source : str
            Only those whose source's name begins so: ``model:``, ``human:``.
        taxonomy : str, optional
            Only those of which some source speaks in it; raises NotFound.
        batch : int, optional
            Only those that it added.
        states : sequence of str
            Of their images.
        """
        ...

    def get(self, ids: ArrayLike) -> list[KnownRegion]:
        """Return the regions with those ids whole, in that order; raises NotFound."""
        ...

    def taken_away(self, source: str = "human:") -> list[tuple[KnownRegion, str]]:
        """Return the regions that somebody removed, other than by an import, each with who did.

        Parameters
        ----------
        source : str
            How the sources begin whose removals are meant.
        """
        ...

    def labels(
        self,
        name: str,
        *,
        images: ArrayLike | None = None,
        states: Sequence[ImageState] = ("present",),
    ) -> RegionLabels:
        """Return what is said in a taxonomy of the regions that there are; raises NotFound.

        ``images`` and ``states`` as of ``table``.
        """
        ...

    def counts_by_source(self) -> dict[str, int]:
        """Return how many regions of present images each source drew or found."""
        ...
