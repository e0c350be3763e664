"""Small convolutional networks on maps, in plain arrays: how they are held and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.components import Components
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

_SIDE = 3
"""Cells along each side of every kernel."""
_PARTS = ("scale", "shift", "kernel", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A normalization of the channels that come in, and a convolution of 3 × 3 cells.

    Cells beyond the edge count as 0 after the normalization, so the map keeps its size.

    Attributes
    ----------
    scale, shift : ndarray of float32, shape (n_in,)
        What comes in is multiplied by one and the other added.
    kernel : ndarray of float32, shape (n_out, n_in, 3, 3)
    bias : ndarray of float32, shape (n_out,)
    """

    scale: Floats
    shift: Floats
    kernel: Floats
    bias: Floats

    def __post_init__(self) -> None:
        n_out, n_in = self.kernel.shape[:2]
        shapes = (self.scale.shape, self.shift.shape, self.kernel.shape[2:], self.bias.shape)
        if shapes != ((n_in,), (n_in,), (_SIDE, _SIDE), (n_out,)):
            raise InvalidValue(f"parts of a convolution do not fit together: {shapes}")

    def apply(self, maps: Floats) -> Floats:
        """Return the maps after it, shape (n_pictures, height, width, n_out)."""
        pictures, height, width, _ = maps.shape
        edge = ((0, 0), (1, 1), (1, 1), (0, 0))
        padded = np.pad(maps * self.scale + self.shift, edge)
        total = np.zeros((pictures, height, width, len(self.bias)), np.float32)
        for row in range(_SIDE):
            for column in range(_SIDE):
                seen = padded[:, row : row + height, column : column + width]
                total += seen @ np.ascontiguousarray(self.kernel[:, :, row, column].T)
        return np.asarray(total + self.bias, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutionalClassifier:
    """A fully convolutional classifier: the mean of its last map is what it says of a picture.

    Attributes
    ----------
    components : Components
        What the channels of each cell are brought to first.
    layers : tuple of Convolution
        What is below 0 after each but the last becomes 0.
    """

    components: Components
    layers: tuple[Convolution, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise InvalidValue("expected one convolution or more")
        given = [self.components.directions.shape[1], *(len(one.bias) for one in self.layers)]
        for width, layer in zip(given, self.layers, strict=False):
            if width != len(layer.scale):
                raise InvalidValue(
                    f"a convolution takes {len(layer.scale)} channels and is given {width}"
                )

    @property
    def n_channels(self) -> int:
        """Channels of the maps that it reads."""
        return len(self.components.mean)

    def class_maps(self, maps: NDArray[np.floating]) -> Floats:
        """Return the score of each class in each cell.

        Parameters
        ----------
        maps : ndarray, shape (n_pictures, height, width, n_channels)

        Returns
        -------
        ndarray of float32, shape (n_pictures, height, width, n_classes)
            Unbounded.
        """
        if maps.ndim != 4 or maps.shape[3] != self.n_channels:
            raise InvalidValue(
                f"expected maps of {self.n_channels} channels, got shape {maps.shape}"
            )
        cells = np.asarray(maps, np.float32).reshape(-1, self.n_channels)
        values = self.components.project(cells).reshape(*maps.shape[:3], -1)
        for layer in self.layers[:-1]:
            values = np.maximum(layer.apply(values), 0)
        return self.layers[-1].apply(values)

    def scores(self, maps: NDArray[np.floating]) -> Floats:
        """Return the score of each class in each picture, shape (n_pictures, n_classes)."""
        return np.asarray(self.class_maps(maps).mean(axis=(1, 2)), np.float32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return its parts as plain arrays, to be stored without pickle."""
        parts = {
            f"{part}_{number}": getattr(layer, part)
            for number, layer in enumerate(self.layers)
            for part in _PARTS
        }
        return {**parts, "mean": self.components.mean, "directions": self.components.directions}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ConvolutionalClassifier:
        """Put together what `to_arrays` took apart; raises KeyError and InvalidValue."""
        count = sum(name.startswith("kernel_") for name in arrays)
        return cls(
            Components(
                np.asarray(arrays["mean"], np.float32), np.asarray(arrays["directions"], np.float32)
            ),
            tuple(
                Convolution(*(np.asarray(arrays[f"{part}_{n}"], np.float32) for part in _PARTS))
                for n in range(count)
            ),
        )
