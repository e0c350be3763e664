"""Reads several layers of a network at once as maps, with the picture's proportions kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
from vernis.adapters.backbones.receptive_fields import main_maps
from vernis.adapters.pixels import resize
from vernis.domain.errors import UsageError
from vernis.domain.ports import Pixels

_MULTIPLE = 32
_STAGES = 3
"""So many maps before the last are read beside it where no layers are named."""
_FINEST = 16
"""Of these none is finer than this many pixels a cell."""


@dataclass(frozen=True)
class PatchMapReader:
    """Turns a picture into maps of a network's layers.

    Attributes
    ----------
    backbone : OnnxBackbone
    layers : tuple of str
        The finest first.
    side : int
        Pixels: the picture is shown with about ``side · side`` of them, so that the cost does not
        hang on its proportions.
    """

    backbone: OnnxBackbone
    layers: tuple[str, ...]
    side: int

    @property
    def name(self) -> str:
        """What the maps are of."""
        return f"{self.backbone.name}:{'+'.join(self.layers)}@{self.side}"

    def open(self) -> Callable[[Pixels], list[NDArray[Any]]]:
        """Return the function from a picture to its maps, shape (height, width, channels) each."""
        read = self.backbone.open_maps(self.layers)
        fixed = self.backbone.fixed_side

        def work(pixels: Pixels) -> list[NDArray[Any]]:
            height, width = pixels.shape[:2]
            size = (fixed, fixed) if fixed else shown_size(width, height, self.side)
            maps = read(resize(pixels, size))
            return [np.ascontiguousarray(each.transpose(1, 2, 0)) for each in maps]

        return work


def shown_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return width and height of about ``side²`` pixels in a picture's proportions.

    Both are multiples of 32. Pictures longer than 8 : 1 are squeezed to that.
    """
    aspect = min(max(width / height, 1 / 8), 8)
    exact = side * math.sqrt(aspect), side / math.sqrt(aspect)
    across, down = (max(_MULTIPLE, round(value / _MULTIPLE) * _MULTIPLE) for value in exact)
    return across, down


def open_patch_maps(
    backbone: OnnxBackbone, layers: Sequence[str] = (), side: int = 512, *, last: bool = False
) -> PatchMapReader:
    """Return what reads maps of a network.

    Parameters
    ----------
    backbone : OnnxBackbone
    layers : sequence of str
        Default: the last four maps of 16 pixels a cell or more.
    side : int
    last : bool
        Of these the last alone, which the network's own classifier reads.

    Raises
    ------
    UsageError
        A layer is no map, or the network has none.
    NotFound
        The graph has no such layer.
    """
    if side % _MULTIPLE or side < 2 * _MULTIPLE:
        raise UsageError(f"expected a size of 64 pixels or more, in steps of 32, got {side}")
    shapes = backbone.layers
    if not layers and last:
        layers = main_maps(backbone)[-1:]
    elif not layers:
        finest = backbone.spec.side / _FINEST
        maps = [name for name in main_maps(backbone) if shapes[name][-1] <= finest]
        layers = maps[-_STAGES - 1 :]
    for name in layers:
        backbone.reader(name, "max")  # refuses an unknown name
        if len(shapes.get(name, ())) != 3:
            raise UsageError(f"{name!r} is no map of channels; see: vernis layers --kind map")
    if not layers:
        raise UsageError(f"{backbone.name} has no maps to locate with; see: vernis layers")
    ordered = sorted(layers, key=lambda name: -shapes[name][-1])
    return PatchMapReader(backbone, tuple(ordered), side)
