"""A closer look at pictures: one larger pass of a network, pooled over its middle and its tiles.

A small thing that the mean over the whole picture drowns stands out in the tile that it lies in;
what a photographer meant stands in the middle (docs/decisions/embedding.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.inputs import fit_picture
from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
from vernis.adapters.backbones.receptive_fields import main_maps
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

SIDE = 448
"""Pixels at which the picture is shown, twice the side of an embedding."""
POOLING = "tiles"
_LAST = 4  # maps that are read, as the default embedding reads four layers
_TILES = 3  # across and down
_NESTED = (1.0, 0.7, 0.5)  # shares of width and height, around the middle
_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class TileReader:
    """The PictureReader of a network's last maps, pooled by `pool_tiles`.

    Attributes
    ----------
    backbone : OnnxBackbone
        Its input's side is the one at which pictures are shown.
    """

    backbone: OnnxBackbone

    @property
    def layers(self) -> tuple[str, ...]:
        """The maps that are read, first to last."""
        return tuple(main_maps(self.backbone)[-_LAST:])

    @property
    def long_side(self) -> int:
        """Pixels that the longer side of a decoded picture should have, where the file has them."""
        return self.backbone.spec.side

    @property
    def space(self) -> Space:
        """Where the vectors are stored: of each map what `pool_tiles` returns."""
        widths = [2 * self.backbone.layers[name][0] for name in self.layers]
        settings = {
            "layers": [[name, width] for name, width in zip(self.layers, widths, strict=True)],
            "pooling": POOLING,
            "side": self.backbone.spec.side,
            "fit": self.backbone.spec.fit,
            "sha256": self.backbone.sha256,
        }
        return Space(f"{self.backbone.name}:{POOLING}", sum(widths), "float16", settings)

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return the function from a picture to its vector."""
        read = self.backbone.open_maps(self.layers)
        spec = self.backbone.spec

        def work(pixels: Pixels) -> NDArray[Any]:
            maps = read(fit_picture(pixels, spec.side, spec.fit))
            joined = np.concatenate([pool_tiles(np.asarray(one, np.float32)) for one in maps])
            return np.asarray(joined.clip(-_FLOAT16_MAX, _FLOAT16_MAX), np.float16)

        return work


def pool_tiles(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what weighs the middle of a map more, and of each channel the largest mean of a tile.

    Parameters
    ----------
    values : ndarray of float32, shape (n_channels, height, width)

    Returns
    -------
    ndarray of float32, shape (2 * n_channels,)
        The mean of the means of the whole map, of its middle 70 % and of its middle half (of width
        and height); then the maximum over nine tiles, three across and three down, each half as
        wide and half as high as the map.
    """
    height, width = values.shape[1:]

    def mean(top: int, left: int, down: int, across: int) -> NDArray[np.float32]:
        part = values[:, top : top + down, left : left + across]
        return np.asarray(part.mean(axis=(1, 2)), np.float32)

    nested = []
    for share in _NESTED:
        down, across = max(1, round(share * height)), max(1, round(share * width))
        nested.append(mean((height - down) // 2, (width - across) // 2, down, across))
    down, across = max(1, round(height / 2)), max(1, round(width / 2))
    tops = [round(i * (height - down) / (_TILES - 1)) for i in range(_TILES)]
    lefts = [round(i * (width - across) / (_TILES - 1)) for i in range(_TILES)]
    tiles = [mean(top, left, down, across) for top in tops for left in lefts]
    return np.concatenate([np.mean(nested, axis=0), np.max(tiles, axis=0)])
