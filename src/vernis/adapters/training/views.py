"""Views of a training picture in drawn scale, place and colours, so that few pictures go far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.domain.ports import Pixels
from vernis.domain.training import BoxedPixels
from vernis.domain.types import ImageRecord

_GREY = 114
"""Outside of the picture."""


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """What is drawn.

    Attributes
    ----------
    side : int
        Longer side of the picture at a scale of 1, in pixels: what is seen when objects are found.
    crop : int
        Side of a view, in pixels.
    least_scale, most_scale : float
        Evenly on a logarithmic scale.
    stretch : float
        Logarithm of the ratio of the sides, at most, either way.
    least_seen : float
        A box of which less is in the view is no example, and nothing is learned in its place.
    least_length : float
        Nor one whose side (the root of its area) has fewer pixels.
    """

    side: int = 512
    crop: int = 384
    least_scale: float = 0.6
    most_scale: float = 1.5
    stretch: float = 0.12
    least_seen: float = 0.4
    least_length: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A square view of a picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (crop, crop, 3)
    boxes : ndarray of float64, shape (n, 4)
    classes : ndarray of int, shape (n,)
    doubtful : ndarray of float64, shape (m, 4)
        Boxes of which too little is seen.
    """

    pixels: Pixels
    boxes: NDArray[np.float64]
    classes: NDArray[np.intp]
    doubtful: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SmallPictures:
    """Decodes pictures for training, so small that many fit into memory.

    Attributes
    ----------
    decode : callable
        From an image to its pixels.
    side : int
        Their longer side has at most so many pixels.
    """

    decode: Callable[[ImageRecord], Pixels]
    side: int

    def read(self, image: ImageRecord) -> Pixels:
        """Return the pixels of an image; raises what ``decode`` raises."""
        pixels = self.decode(image)
        height, width = pixels.shape[:2]
        scale = self.side / max(height, width)
        if scale >= 1:
            return pixels
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def draw_views(
    pictures: Sequence[BoxedPixels], n: int, how: ViewSettings, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[View]]:
    """Return n views of drawn pictures; first their pixels together, (n, crop, crop, 3)."""
    views = [draw_view(pictures[int(rng.integers(len(pictures)))], how, rng) for _ in range(n)]
    return np.stack([view.pixels for view in views]), views


def draw_view(picture: BoxedPixels, how: ViewSettings, rng: np.random.Generator) -> View:
    """Return a view of a picture: scaled, cut out, perhaps turned left to right, in other colours.

    Four of five views are cut out around an object.
    """
    height, width = picture.pixels.shape[:2]
    scale = how.side / max(height, width)
    scale *= math.exp(rng.uniform(math.log(how.least_scale), math.log(how.most_scale)))
    stretch = math.exp(rng.uniform(-how.stretch, how.stretch))
    wide, high = max(8, round(width * scale * stretch)), max(8, round(height * scale / stretch))
    boxes = picture.boxes * np.array([wide / width, high / height] * 2)
    x, y = _place(boxes, wide, high, how.crop, rng)
    pixels = _cut_out(picture.pixels, (wide, high), x, y, how.crop)
    boxes = boxes - np.array([x, y, x, y])
    whole = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6), axis=1)
    boxes = boxes.clip(0, how.crop)
    seen = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    good = (seen / whole >= how.least_seen) & (np.sqrt(seen) >= how.least_length)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
        boxes[:, [0, 2]] = how.crop - boxes[:, [2, 0]]
    return View(
        change_colors(pixels, rng),
        boxes[good],
        picture.classes[good],
        boxes[(seen > 0) & ~good],
    )


def change_colors(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a picture with another brightness, contrast, saturation, and sometimes a cast."""
    changed = pixels.astype(np.float32) * np.float32(rng.uniform(0.65, 1.35))
    mean = changed.mean()
    changed = (changed - mean) * np.float32(rng.uniform(0.65, 1.35)) + mean
    grey = changed.mean(axis=2, keepdims=True)
    changed = (changed - grey) * np.float32(rng.uniform(0.65, 1.35)) + grey
    if rng.random() < 0.3:
        changed += rng.uniform(-18, 18, 3).astype(np.float32)
    return np.asarray(changed.clip(0, 255), np.uint8)


def _place(
    boxes: NDArray[np.float64], width: int, height: int, crop: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Return where a view begins in the scaled picture."""
    around = None
    if len(boxes) and rng.random() < 0.8:
        box = boxes[rng.integers(len(boxes))]
        around = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    start = []
    for axis, length in enumerate((width, height)):
        if length <= crop:
            begin = -rng.uniform(0, crop - length)
        elif around is None:
            begin = rng.uniform(0, length - crop)
        else:
            begin = min(max(around[axis] - rng.uniform(0.15, 0.85) * crop, 0), length - crop)
        start.append(round(begin))
    return start[0], start[1]


def _cut_out(pixels: Pixels, size: tuple[int, int], x: int, y: int, crop: int) -> Pixels:
    """Return the view from a place on of a picture that is scaled first, grey where it ends."""
    wide, high = size
    left, upper = max(0, x), max(0, y)
    right, lower = min(wide, x + crop), min(high, y + crop)
    across, down = pixels.shape[1] / wide, pixels.shape[0] / high
    part = Image.fromarray(pixels).resize(
        (right - left, lower - upper),
        Image.Resampling.BILINEAR,
        box=(left * across, upper * down, right * across, lower * down),
        reducing_gap=2.0,
    )
    view = np.full((crop, crop, 3), _GREY, np.uint8)
    view[upper - y : lower - y, left - x : right - x] = np.asarray(part)
    return view
