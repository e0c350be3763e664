"""Find the keypoints of a decoded picture, and shrink it for a closer look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.copies.comparison import VIEW_SIDE
from vernis.core.copies.keypoints import RECORD_SIZE, Workspace, find_keypoints, level_sizes
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord, Space

KEYPOINT_SPACE = Space("keypoints", RECORD_SIZE, "uint8", {"version": 1})
_LEAST_VIEW = 16  # pixels of the shorter side of a very long picture


@dataclass(frozen=True, slots=True)
class KeypointReader:
    """The PictureReader of keypoints."""

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return KEYPOINT_SPACE

    def open(self) -> Callable[[Pixels], NDArray[np.uint8]]:
        """Return what finds the keypoints of a picture, with memory of its own."""
        workspace = Workspace()
        return lambda pixels: compute_keypoints(pixels, workspace)


def compute_keypoints(pixels: Pixels, workspace: Workspace | None = None) -> NDArray[np.uint8]:
    """Return the keypoints of a picture as bytes.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB, orientation applied.
    workspace : Workspace, optional
        Of this thread alone.

    Returns
    -------
    ndarray of uint8, shape (RECORD_SIZE,)
        See ``vernis.core.copies.keypoints``.
    """
    height, width = pixels.shape[:2]
    first, *others = level_sizes(width, height)
    bilinear = Image.Resampling.BILINEAR
    grey = Image.fromarray(pixels).resize(first, bilinear, reducing_gap=2.0).convert("L")
    levels = [grey, *(grey.resize(size, bilinear, reducing_gap=3.0) for size in others)]
    return find_keypoints([np.asarray(level) for level in levels], workspace)


@dataclass(frozen=True, slots=True)
class ViewReader:
    """Decodes the picture of an image and shrinks it; can be sent to another process."""

    read: Callable[[ImageRecord], Pixels]

    def __call__(self, image: ImageRecord) -> Pixels:
        """Return the picture, RGB; raises what ``read`` raises."""
        return shrink_to_view(self.read(image))


def shrink_to_view(pixels: Pixels) -> Pixels:
    """Return the picture as it is compared at a closer look, about ``VIEW_SIDE`` pixels long."""
    height, width = pixels.shape[:2]
    scale = VIEW_SIDE / max(width, height)
    size = max(_LEAST_VIEW, round(width * scale)), max(_LEAST_VIEW, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)
