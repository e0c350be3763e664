"""What turns the maps of a picture into heat maps of its classes: one localizer a method.

A localizer scores the places of a picture for each class (``score``: what its confidence is taken
from) and draws a map of 0..1 (``heat``: what boxes are taken from).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.activation_maps import fit_activation_maps
from vernis.core.locate.convolutional_maps import ConvolutionalMaps, fit_convolutional_maps
from vernis.core.locate.heat_maps import enlarge, scale_to_unit
from vernis.core.locate.patch_lda import (
    Floats,
    PatchClassifier,
    PatchMaps,
    PatchSettings,
    fit_patch_lda,
    patch_statistics,
    told_apart,
)
from vernis.core.locate.unusual_places import Unusualness, fit_unusualness

Method = Literal["patches", "cam", "fcnn"]
METHODS: tuple[Method, ...] = get_args(Method)

UNUSUAL_SHARE, LATE_SHARE = 0.3, 0.3
"""Exponents in the weighted geometric mean; the rest is the patches' (docs/decisions/locate.md)."""


class Localizer(Protocol):
    """Scores the places of a picture."""

    @property
    def has_learned(self) -> bool:
        """False: training stayed near constant answers, and the maps tell little."""
        ...

    def score(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> Floats:
        """Return the score of each cell, unbounded, shape (n_chosen, height, width)."""
        ...

    def heat(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Return the map of each class in 0..1, shape (n_chosen, height, width)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlainLocalizer:
    """The maps of a classifier as they are.

    Attributes
    ----------
    classifier : PatchClassifier or ConvolutionalMaps
    """

    classifier: PatchClassifier | ConvolutionalMaps
    has_learned: bool = True

    def score(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> Floats:
        """See `Localizer`."""
        return self.classifier.score(maps, columns)

    def heat(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> NDArray[np.float64]:
        """See `Localizer`."""
        return scale_to_unit(self.classifier.score(maps, columns))


@dataclass(frozen=True, slots=True, eq=False)
class PatchLocalizer:
    """Patches of early and late maps of a network, and how unlike the picture they are.

    Attributes
    ----------
    fine : PatchClassifier
        Of all maps but the last.
    late : PatchClassifier or None
        The activation maps of the last map, where there are several: less sharp, and less drawn
        to what goes with a class.
    unusual : Unusualness
        Of the same maps as ``fine``.
    unusual_share, late_share : float
        Exponents of both in the weighted geometric mean, in 0..1.
    """

    fine: PatchClassifier
    late: PatchClassifier | None
    unusual: Unusualness
    unusual_share: float = UNUSUAL_SHARE
    late_share: float = LATE_SHARE
    has_learned: bool = True

    def score(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> Floats:
        """See `Localizer`."""
        return self.fine.score(self._fine_maps(maps), columns)

    def heat(self, maps: PatchMaps, columns: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Return the weighted geometric mean of what all three say; see `Localizer`."""
        fine = self._fine_maps(maps)
        scores = scale_to_unit(self.fine.score(fine, columns))
        rest = 1 - self.unusual_share
        joined = scale_to_unit(self.unusual.measure(fine)) ** self.unusual_share
        if self.late is not None:
            late = enlarge(self.late.score(maps[-1:], columns), fine[0].shape[:2])
            joined = joined * scale_to_unit(late) ** self.late_share
            rest -= self.late_share
        return scale_to_unit(scores**rest * joined)

    def _fine_maps(self, maps: PatchMaps) -> PatchMaps:
        return maps if self.late is None else maps[:-1]


def fit_patches(
    pictures: Sequence[PatchMaps], Y: NDArray[np.floating], *, seed: int = 0
) -> PatchLocalizer:
    """Learn the localizer ``patches``; see `fit_patch_lda` for what it takes and raises."""
    several = bool(pictures) and len(pictures[0]) > 1
    fine: Sequence[PatchMaps] = [maps[:-1] for maps in pictures] if several else pictures
    settings, Y = PatchSettings(), told_apart(fine, Y)
    statistics = patch_statistics(fine, settings.ridge, seed)
    classifier = fit_patch_lda(fine, Y, settings, statistics=statistics)
    late = fit_activation_maps([maps[-1:] for maps in pictures], Y) if several else None
    return PatchLocalizer(classifier, late, fit_unusualness(statistics))


def _fit_cam(
    pictures: Sequence[PatchMaps], Y: NDArray[np.floating], *, seed: int = 0
) -> PlainLocalizer:
    return PlainLocalizer(fit_activation_maps(pictures, Y))


def _fit_fcnn(
    pictures: Sequence[PatchMaps], Y: NDArray[np.floating], *, seed: int = 0
) -> PlainLocalizer:
    found = fit_convolutional_maps(pictures, Y, seed=seed)
    return PlainLocalizer(found, found.has_learned)


FIT: Mapping[Method, Callable[..., Localizer]] = {
    "patches": fit_patches,
    "cam": _fit_cam,
    "fcnn": _fit_fcnn,
}
"""How each method is learned: from pictures and labels, with a seed."""
