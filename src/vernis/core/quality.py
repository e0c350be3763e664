"""Measure the technical quality of pictures, and tell which ones are suspect.

Two steps: ``measure`` reduces one decoded picture to a short vector, once, when it is decoded;
``score_quality`` looks at the vectors of the whole collection. The thresholds are relative to the
collection where an absolute one would not be honest: what is odd among studio photographs is
common in a folder of scans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.types import QUALITY_KINDS

Floats = NDArray[np.float64]

MEASURES = (
    "blur",
    "structure",
    "contrast",
    "luminance",
    "p05",
    "p50",
    "p95",
    "brightness",
    "highlights",
    "clipped",
    "clipped_center",
    "white_frame",
    "color",
    "border_top",
    "border_bottom",
    "border_left",
    "border_right",
)
"""Columns of the measures. ``blur``: standard deviation, in pixels of a picture whose shorter side
is 256, of the Gaussian that would blur a step edge as the picture's sharper edges are blurred; NaN
without edges. ``structure``: share of tiles with edges. ``contrast``: standard deviation of the
luminance. ``luminance`` and ``pNN``: its mean and percentiles. ``brightness`` and ``highlights``:
mean and 99th percentile of the largest channel (deep blue water is not dark). ``clipped``: share
of pixels with two channels at their maximum, in the picture and in its central quarter.
``white_frame``: share of white among the outermost pixels. ``color``: what the most colourful half
percent of the pixels reach in max - min of the channels. ``border_…``: share of the side that a
straight, near-uniform bar takes. Everything but ``blur`` is in 0..1."""

BLUR_CAP = 16.0
_LEVELS = np.arange(256) / 255.0
_ROUNDING = 1e-9  # of a sum of shares; far more than it can be
_TILE = 16
_EDGE_ENERGY = 4.0  # squared grey levels a pixel, below which a tile holds noise, not edges
_STRUCTURE_ENERGY = 2.0
_MANY_BANDS = 12
_PIXEL_SIGMA = 0.72  # what a perfectly sharp edge measures, by pixels and pre-filter
_REFERENCE_SIDE = 256
_SHARP_SHARE = 0.2  # of the edges: a blurred background does not make a picture blurred
_CLIP = 250
_WHITE = 245
_SMOOTH_STD, _SAME = 4.0, 12.0  # grey levels within and between the lines of a bar
_STRAIGHT = 0.5
_MIN_BAR = 0.02
_STRAY_SHARE = 0.05


def measure(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure one picture; see ``MEASURES``.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Best with a shorter side of 256 to 512 pixels.

    Returns
    -------
    ndarray of float32, shape (len(MEASURES),)
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InvalidValue(f"expected pixels of shape (height, width, 3), got {pixels.shape}")
    red, green, blue = (np.ascontiguousarray(pixels[..., channel]) for channel in range(3))
    luminance = _luminance(red, green, blue)
    bars = _measure_bars(pixels)
    blur, structure = _measure_edges(luminance)
    if min(luminance.shape) >= _REFERENCE_SIDE:
        luminance, red, green, blue = (
            np.ascontiguousarray(plane[::2, ::2]) for plane in (luminance, red, green, blue)
        )
    low, high = np.minimum(red, green), np.maximum(red, green)
    smallest, largest = np.minimum(low, blue), np.maximum(high, blue)
    clipped = np.maximum(low, np.minimum(high, blue)) >= _CLIP
    height, width = luminance.shape
    center = clipped[height // 4 : height - height // 4, width // 4 : width - width // 4]
    sides = (smallest[0], smallest[-1], smallest[:, 0], smallest[:, -1])
    rim = np.concatenate(sides) >= _WHITE
    grey, bright = _spread(luminance), _spread(largest)
    mean = float(grey @ _LEVELS)
    values = [
        *(blur, structure, float(np.sqrt(grey @ (_LEVELS - mean) ** 2)), mean),
        *(_percentile(grey, share) for share in (0.05, 0.5, 0.95)),
        *(float(bright @ _LEVELS), _percentile(bright, 0.99)),
        *(_share(clipped), _share(center), _share(rim)),
        *(_percentile_of(largest - smallest, 0.995), *bars),
    ]
    return np.asarray(values, dtype=np.float32)


def _spread(plane: NDArray[np.uint8]) -> Floats:
    """Return the share of pixels at each of the 256 levels."""
    return np.bincount(plane.ravel(), minlength=256) / plane.size


def _percentile(spread: Floats, share: float) -> float:
    return float(_LEVELS[min(int(np.searchsorted(np.cumsum(spread), share)), 255)])


def _percentile_of(plane: NDArray[np.uint8], share: float) -> float:
    """Return what ``_percentile`` gives of a plane, without counting every level."""
    low, high = 0, 255
    while low < high:  # the first level that as many pixels do not exceed
        middle = (low + high) // 2
        reached = np.count_nonzero(plane <= middle) - share * plane.size
        if abs(reached) < _ROUNDING * plane.size:
            return _percentile(_spread(plane), share)
        low, high = (low, middle) if reached > 0 else (middle + 1, high)
    return float(_LEVELS[low])


def _share(holds: NDArray[np.bool_]) -> float:
    return np.count_nonzero(holds) / holds.size if holds.size else float("nan")


def _luminance(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the luma of ITU-R BT.601, shape (height, width)."""
    total = red.astype(np.uint16)
    total *= np.uint16(77)
    for plane, weight in ((green, 150), (blue, 29)):
        part = plane.astype(np.uint16)
        part *= np.uint16(weight)
        total += part
    total >>= 8
    return total.astype(np.uint8)


def _measure_edges(luminance: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the blur and the share of tiles with structure.

    A step of height A blurred by a Gaussian of deviation s has a squared gradient of total energy
    A² / (2 √π s) and a squared second derivative of A² / (4 √π s³); their ratio is 2 s², whatever
    the contrast. It is taken a tile, along rows and columns apart (a shaken camera blurs one
    direction), after a light smoothing against noise. Of the edges the sharper ones count.
    """
    height, width = luminance.shape
    if min(height, width) < 8:
        return float("nan"), 0.0
    tall = min(_TILE, height)
    bands = luminance[: height // tall * tall].reshape(-1, tall, width)
    if len(bands) >= _MANY_BANDS:
        bands = bands[::2]  # every other one says as much in half the time
    plain = bands.astype(np.int16)
    # Smoothed by (1, 2, 1) along both axes: grey levels times 16, whole numbers.
    tall_sums = plain[:, :-2] + plain[:, 2:]
    tall_sums += plain[:, 1:-1]
    tall_sums += plain[:, 1:-1]
    grey = tall_sums[..., :-2] + tall_sums[..., 2:]
    grey += tall_sums[..., 1:-1]
    grey += tall_sums[..., 1:-1]
    down = grey[:, 1:, :-2] - grey[:, :-1, :-2]
    across = grey[..., 1:] - grey[..., :-1]
    sigmas: list[float] = []
    strength: Any = 0.0
    for first, second in (
        (down[:, :-1], down[:, 1:] - down[:, :-1]),
        (across[..., :-1], across[..., 1:] - across[..., :-1]),
    ):
        energy, bending = _mean_squares(first), _mean_squares(second)
        strength = strength + energy
        weights = np.maximum(energy - _EDGE_ENERGY, 0)
        if weights.any():
            sigma = np.sqrt(energy / (2 * bending + 1e-6))
            sigmas.append(_weighted_quantile(sigma, weights, _SHARP_SHARE))
    structure = float((strength > _STRUCTURE_ENERGY).mean())
    if not sigmas:
        return float("nan"), structure
    own = float(np.sqrt(max(max(sigmas) ** 2 - _PIXEL_SIGMA**2, 0.0)))
    scale = _REFERENCE_SIDE / max(_REFERENCE_SIDE, min(height, width))
    return min(own * scale, BLUR_CAP), structure


def _mean_squares(sixteenths: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the mean square of each tile of bands, shape (bands * tiles,)."""
    n_bands, tall, width = sixteenths.shape
    wide = min(_TILE, width)
    values = sixteenths.astype(np.float32)
    columns = np.einsum("brw,brw->bw", values, values)[:, : width // wide * wide]
    sums: NDArray[np.float32] = columns.reshape(n_bands, -1, wide).sum(axis=2).ravel()
    sums *= np.float32(1 / 256)  # a power of two: not a bit is lost
    sums /= tall * wide
    return sums


def _weighted_quantile(
    values: NDArray[np.float32], weights: NDArray[np.float32], share: float
) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])


def _measure_bars(pixels: NDArray[np.uint8]) -> list[float]:
    """Return the share of the height or width that a bar takes at the top, bottom, left, right.

    A bar is near-uniform and ends in a straight line: along its whole end the picture differs
    from it. (The margin of an object on a plain ground ends at the object alone.)
    """
    height, width = pixels.shape[:2]
    across = pixels[:, :: max(1, width // 64)]
    down = pixels[:: max(1, height // 64)].transpose(1, 0, 2)
    sides = [across, across[::-1], down, down[::-1]]
    bars = [_find_bar(side) for side in sides]
    margins = [thickness for thickness, _ in bars]
    lengths = [(width, margins[2:])] * 2 + [(height, margins[:2])] * 2
    straight = [
        _ends_straight(side, bar, length, corners)
        for side, bar, (length, corners) in zip(sides, bars, lengths, strict=True)
    ]
    shares = []
    for number, (_, corners) in enumerate(lengths):
        # One bar alone must cross the whole picture; a vase on plain ground has a flat foot.
        opposite = straight[number ^ 1] or not any(corners)
        across_all = height if number < 2 else width
        shares.append(margins[number] / across_all if straight[number] and opposite else 0.0)
    return shares


def _ends_straight(
    side: NDArray[np.uint8],
    bar: tuple[int, NDArray[np.float32]],
    length: int,
    corners: list[int],
) -> bool:
    """Tell whether behind a bar, between the neighbouring bars, the picture begins at once."""
    n_lines, n_points = side.shape[:2]
    thickness, color = bar
    start = -(-corners[0] * n_points // length)
    stop = n_points - -(-corners[1] * n_points // length)
    beyond = thickness + 3
    if thickness < max(3, _MIN_BAR * n_lines) or beyond >= n_lines or stop - start < 8:
        return False
    differing = np.abs(side[beyond, start:stop] - color).max(axis=1) > _SAME
    end = max(1, len(differing) // 10)
    least = min(differing[:end].mean(), differing[-end:].mean(), differing.mean())
    return bool(least >= _STRAIGHT)


def _find_bar(lines: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32]]:
    """Return how many of the lines, from the first on, are near-uniform and alike; their colour."""
    color = lines[0].mean(axis=0, dtype=np.float32)
    if np.abs(lines[0] - color).mean() > _SMOOTH_STD:
        return 0, color
    distance = np.abs(lines - color).max(axis=2)
    belongs = (distance.mean(axis=1) < _SMOOTH_STD) & (
        (distance > _SAME).mean(axis=1) < _STRAY_SHARE
    )
    return len(lines) if belongs.all() else int(np.argmin(belongs)), color


# --------------------------------------------------------------------------- scores


@dataclass(frozen=True, slots=True, eq=False)
class QualityScores:
    """The quality of the images of a collection, by kind of issue.

    Attributes
    ----------
    kinds : tuple of str
        As in ``vernis.domain.types.QUALITY_KINDS``.
    scores : ndarray of float64, shape (n_images, n_kinds)
        In 0..1, low = bad; 0.5 lies at the threshold of the kind.
    flagged : ndarray of bool, shape (n_images, n_kinds)
        Scores below 0.5.
    values : ndarray of float64, shape (n_images, n_kinds)
        What the score is made of, as evidence.
    thresholds : ndarray of float64, shape (n_kinds,)
        The value at which an image is flagged.
    """

    kinds: tuple[str, ...]
    scores: Floats
    flagged: NDArray[np.bool_]
    values: Floats
    thresholds: Floats


_FEW_IMAGES = 20
_COMMON = 0.25  # a property of so many images is the collection's style, not an oddity
_BLANK = 0.03  # share of tiles with structure
_SHARPNESS = 4  # of the change of a score around the threshold


def score_quality(
    measures: NDArray[np.floating[Any]],
    sizes: NDArray[np.integer[Any]],
    damage: NDArray[np.floating[Any]] | None = None,
) -> QualityScores:
    """Score the images of a collection.

    Thresholds for blur, darkness and overexposure follow the quartiles of the collection within
    fixed bounds; those for proportions and size are distances from the median; greyscale is an
    issue only among colour pictures. Pictures on white ground, as shops and logos have them, are
    not taken for overexposed.

    Parameters
    ----------
    measures : ndarray, shape (n_images, len(MEASURES))
        Rows of ``measure``.
    sizes : ndarray of int, shape (n_images, 2)
        Width and height of the original pictures; 0 when unknown.
    damage : ndarray, shape (n_images, 2), optional
        Rows of ``vernis.domain.damage.DAMAGE_SPACE``; None: nothing is damaged.

    Returns
    -------
    QualityScores
    """
    if measures.shape != (len(sizes), len(MEASURES)) or sizes.shape[1:] != (2,):
        raise InvalidValue(
            f"expected measures of shape (n, {len(MEASURES)}) and sizes of shape (n, 2),"
            f" got {measures.shape} and {sizes.shape}"
        )
    rows: Floats = np.asarray(measures, dtype=np.float64)
    sides: Floats = np.asarray(sizes, dtype=np.float64)
    by_kind = {
        "blurry": _judge_blur(rows),
        "dark": _judge_darkness(rows),
        "overexposed": _judge_exposure(rows),
        "low_information": (_column(rows, "structure"), _BLANK, False),
        "odd_aspect_ratio": _judge_proportions(sides),
        "odd_size": _judge_size(sides),
        "greyscale": _judge_color(rows),
        "uniform_border": (rows[:, -4:].sum(axis=1), 0.03, True),
        "damaged": _judge_damage(damage, len(rows)),
    }
    columns = [by_kind[kind] for kind in QUALITY_KINDS]
    scores = np.stack([_score(*column) for column in columns], axis=1)
    return QualityScores(
        kinds=QUALITY_KINDS,
        scores=scores,
        flagged=scores < 0.5,
        values=np.stack([values for values, _, _ in columns], axis=1),
        thresholds=np.array([threshold for _, threshold, _ in columns]),
    )


_Judged = tuple[Floats, float, bool]
"""Values, threshold, and whether high values are bad."""


def _column(measures: Floats, name: str) -> Floats:
    return measures[:, MEASURES.index(name)]


def _score(values: Floats, threshold: float, high_is_bad: bool) -> Floats:
    good = np.maximum(values, 0.0) ** _SHARPNESS
    level = threshold**_SHARPNESS
    return level / (good + level) if high_is_bad else good / (good + level)


def _outlier_bound(values: Floats, spread: float, usual: float, low: float, high: float) -> float:
    """Return the quartile plus ``spread`` interquartile ranges, within bounds.

    Below the first quartile for a negative spread. ``usual`` holds for small collections.
    """
    if len(values) < _FEW_IMAGES:
        return usual
    first, third = np.quantile(values, [0.25, 0.75])
    start = third if spread > 0 else first
    return float(np.clip(start + spread * (third - first), low, high))


def _judge_blur(measures: Floats) -> _Judged:
    blur = _column(measures, "blur")
    edgeless = np.isnan(blur)
    # Contrast without a single edge: everything is blurred. Without contrast: a blank picture.
    filled = np.where(_column(measures, "contrast") > 0.05, BLUR_CAP, 0.0)
    values = np.where(edgeless, filled, blur)
    return values, _outlier_bound(values, 2.0, 1.05, 0.9, 1.6), True


def _judge_darkness(measures: Floats) -> _Judged:
    # The bright spots count as well: a lit window at night is a picture, an underexposed room not.
    values = 0.65 * _column(measures, "brightness") + 0.35 * _column(measures, "highlights")
    return values, _outlier_bound(values, -2.0, 0.3, 0.22, 0.34), False


def _judge_exposure(measures: Floats) -> _Judged:
    values = 0.5 * (_column(measures, "clipped") + _column(measures, "clipped_center"))
    values = np.where(_column(measures, "white_frame") > 0.8, 0.0, values)
    return values, _outlier_bound(values, 3.0, 0.25, 0.2, 0.5), True


def _judge_color(measures: Floats) -> _Judged:
    blank = _column(measures, "structure") < _BLANK  # has no colour worth speaking of
    values = np.where(blank, 1.0, _column(measures, "color"))
    threshold = 0.03
    if len(values) and (values < threshold).mean() > _COMMON:
        values = np.ones_like(values)
    return values, threshold, False


def _judge_damage(damage: NDArray[np.floating[Any]] | None, n_images: int) -> _Judged:
    """Judge every damage alike, the worse the more of the picture is lost."""
    if damage is None:
        return np.zeros(n_images), 0.25, True
    found = np.asarray(damage, dtype=np.float64)
    return np.where(found[:, 0] > 0, 0.5 + 0.5 * found[:, 1], 0.0), 0.25, True


def _judge_proportions(sizes: Floats) -> _Judged:
    """Judge how long pictures are, landscape or portrait alike: 16:9 among 3:4 is not odd."""
    known = np.asarray((sizes > 0).all(axis=1))
    ratios = np.log(np.where(known, sizes[:, 0], 1) / np.where(known, sizes[:, 1], 1))
    longness = np.abs(ratios)
    least = float(np.log(2.5))
    if not known.any():
        return longness, least, True
    first, third = np.quantile(longness[known], [0.25, 0.75])
    return longness, max(least, float(third + 3.0 * (third - first))), True


def _judge_size(sizes: Floats) -> _Judged:
    known = np.asarray((sizes > 0).all(axis=1))
    sides = 0.5 * np.log(np.where(known, sizes[:, 0] * sizes[:, 1], 1))
    least = float(np.log(4.0))
    if not known.any():
        return np.zeros_like(sides), least, True
    first, median, third = np.quantile(sides[known], [0.25, 0.5, 0.75])
    distances = np.where(known, np.abs(sides - median), 0.0)
    return distances, max(least, 3.0 * float(third - first)), True
