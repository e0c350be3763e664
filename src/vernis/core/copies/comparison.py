"""Compare two pictures that lie on one another: a copy, a variant, or neither.

A copy may have been moved, turned, cut, resampled, recoloured as a whole, and covered in places by
text or a mark. A variant is another picture of one template or article: in some place both show
something, and something else (a word, a number), or an object has another colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vernis.core.copies.color_change import YCC, find_color_change
from vernis.core.copies.color_map import stands_before_another_ground, unexplained_share
from vernis.core.copies.correspondence import Overlay
from vernis.core.copies.fingerprints import ORIENTATIONS, turn_matrix
from vernis.core.copies.local_shift import find_local_shift
from vernis.core.copies.registration import LUMA, Registered, register, register_small, warp

VIEW_SIDE = 224
"""Pixels of the longer side of the pictures that are compared."""

_WINDOW = 9
_LEAST_COVER = 0.12
# An edited picture lies within the other one or the other way round, and a map of the whole
# explains where its parts are. Two shots of one scene overlap, and their parts moved apart.
_CONTAINED, _NEARLY_CONTAINED = 0.97, 0.8
_MOST_SHIFT, _LEAST_SHIFT, _RELATED_SHIFT = 0.6, 0.1, 0.8  # pixels
# Pictures of one template lie on one another; what moved against what is behind it, or shines from
# another side, in two shots of a scene is no other content.
_VARIANT_SHIFT = 0.25
_MOST_APART = 0.42
# Of small pictures, before the larger ones are decoded: what nearly all edits reach, and three in
# four pairs of shots of one scene do not.
_SMALL_AGREEMENT, _SMALL_WINDOW = 0.83, 5
_COVER_GRID, _COVER_SLACK = 16, 0.015
_TEXTURE = 4.0  # grey levels of spread from which a window shows something
_FULL_TEXTURE = 20.0
_ALIKE = 0.5
_CALM, _MOST_NOISE = 0.05, 60.0
_RIM = 3
_LEAST_PIXELS = 4
_PLACES = 6
_MOST_COVERED = 0.36
_LEAST_OUTSIDE = 0.6
# Of pictures that keypoints alone bring together; beyond it only what fills a rectangle.
_MOST_MARKED, _FILLED = 0.15, 0.78
# So many keypoints so near one another, in pixels, are of one shot, however it was sharpened.
_SURE_MATCHES, _SURE_MISS = 24, 0.35
# Where a picture is nearly white or black throughout, brightening has cut off what was there.
_CUT_OFF = 245.0, 8.0
_RING = 7
# What both show in a place of a variant is drawn in the same tones (ink on paper, a number on a
# board): their sorted grey levels differ by less than this share of their spread. And it is more
# than what is around it by this factor: a fine weave differs, too, when it was resampled.
_SAME_TONES = 0.38
_SAME_AROUND = 10.0  # grey levels
_LEAST_DIFFERENCE = 6.0  # a weave of weak contrast that was resampled comes to 4, a digit to 14
# A box of text laid over weak texture comes to 0.35, another digit to 0.21 at most.
_PLAIN_TONES = 0.25
# In drawn pictures there may be more ink in the one: another line of text.
_SAME_INKS, _SAME_ENDS, _INK_ENDS = 0.6, 0.4, (0.03, 0.97)
_OWN_CONTENT, _OWN_PIXELS = 1.5, 40
# Where the ground agrees to a few grey levels and the place differs by many times that, it is no
# weave that was resampled: no edit of 5,000 reaches 12 levels there, another digit 20 to 80.
_CALM_AROUND, _PLAIN_DIFFERENCE, _PLAIN_FACTOR = 3.0, 12.0, 4.0
_DRAWN = 0.5  # share of windows that show nothing: a slide, a form, a logo
# In drawn pictures, where both show something, a bar of text apart, which takes so much of a
# picture: lines of text on other lines disagree in 0.18 of it and more, edits in 0.14 at most.
_MOST_DISAGREEMENT, _LEAST_BAR = 0.16, 0.05
# Of 368 edits none left more than 0.08 of a picture unexplained by one map of colours; one sign
# before two grounds 0.1 to 0.35.
_MOST_UNEXPLAINED = 0.1
_QUANTILE = 0.35
_AGREES = 0.8
_HOLE_PRICE = 0.3
_LEAST_TEXTURED = 0.01
_LEAST_VARIANT = 0.6
# An even strip around both pictures is the mount of a border or a frame: its colour says nothing.
_AROUND, _MOST_MOUNT, _SAME_HUE = 0.45, 0.5, 12.0
_NAMED_ANGLE, _NAMED_STRETCH, _NAMED_SCALE = 4.0, 1.08, 0.06


VariantReason = Literal["", "content", "color"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What comparing two pictures gave.

    Attributes
    ----------
    kind : {"copy", "variant", "different"}
    similarity : float
        0..1; the agreement of what both show, places that were only covered left out at a price.
    overlay : Overlay
        How the first lies on the second, refined.
    covered : float
        Share of the compared area in which text or a mark was laid over one of them.
    reason : str
        Of a variant: ``content`` or ``color``; else empty.
    other_ground : bool
        Of different pictures: one thing before two grounds. However much their fingerprints
        agree, they are no copies.
    """

    kind: Literal["copy", "variant", "different"]
    similarity: float
    overlay: Overlay
    covered: float = 0.0
    reason: VariantReason = ""
    other_ground: bool = False


def compare_views(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    overlay: Overlay,
    threshold: float,
    *,
    related: bool = False,
) -> Comparison:
    """Compare two pictures at the place where the one lies on the other.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (height, width, 3)
        RGB, the longer side about ``VIEW_SIDE`` pixels.
    overlay : Overlay
        How the first lies on the second, as ``compare_small`` gives it.
    threshold : float
        Least similarity of a copy, 0..1.
    related : bool
        It is known otherwise that they are of one picture; else one must lie within the other,
        and its parts where a map of the whole puts them, as two shots of one scene do not.

    Returns
    -------
    Comparison
    """
    # The one that appears smaller in the other is the grid: most of it then falls on the other.
    swapped = overlay.scale() > 1.0
    guess = overlay.inverse() if swapped else overlay
    a, b = (second, first) if swapped else (first, second)
    rgb_a, rgb_b = a.astype(np.float32), b.astype(np.float32)
    grey_a = rgb_a @ LUMA

    def covers(found: Registered) -> float:
        inverse = np.linalg.inv(found.matrix)
        return max(cover_of(found.matrix, a.shape, b.shape), cover_of(inverse, b.shape, a.shape))

    def may_be(found: Registered) -> bool:
        return related or (found.apart < _MOST_APART and covers(found) > _NEARLY_CONTAINED)

    registered = register(grey_a, rgb_b @ LUMA, guess.matrix, may_be)
    refined = Overlay(registered.matrix / registered.matrix[2, 2], overlay.matches)
    placed = refined.inverse() if swapped else refined
    nothing = Comparison("different", 0.0, placed)
    if not may_be(registered):
        return nothing
    warped, inside = warp(rgb_b, refined.matrix, (a.shape[0], a.shape[1]))
    if inside.mean() < _LEAST_COVER:
        return nothing
    grey_b = warped @ LUMA
    windows = _compare_windows(grey_a, grey_b, inside)
    if windows.textured.sum() < _LEAST_TEXTURED * windows.valid.size:
        return nothing
    inner = covers(registered) > _CONTAINED
    most = _RELATED_SHIFT if related else _MOST_SHIFT if inner else _LEAST_SHIFT
    exact = overlay.matches >= _SURE_MATCHES and overlay.miss * VIEW_SIDE < _SURE_MISS
    placing = _Placing(placed, threshold, most, related, exact)
    return _judge(windows, (rgb_a, warped), inside, placing)


@dataclass(frozen=True, slots=True, eq=False)
class _Placing:
    """How pictures lie on one another, and what they must reach to be copies.

    Attributes
    ----------
    overlay : Overlay
    threshold : float
        Least similarity of a copy, 0..1.
    most_shift : float
        How far parts of them may have moved against the whole, pixels.
    related : bool
        See ``compare_views``.
    exact : bool
        So many keypoints lie so near one another that they are of one shot.
    """

    overlay: Overlay
    threshold: float
    most_shift: float
    related: bool
    exact: bool


@dataclass(frozen=True, slots=True, eq=False)
class SmallComparison:
    """How two small grey pictures lie on one another, and how far they agree there.

    Attributes
    ----------
    overlay : Overlay
        Of the first on the second, refined.
    apart : float
        How much they differ, 0..1; see ``Registered``.
    agreement : float
        0..1, weighted by texture; where that is too little, with one covered place left out at a
        price. 1 where nothing is seen at this size.
    """

    overlay: Overlay
    apart: float
    agreement: float

    def may_be_copies(self) -> bool:
        """Tell whether a look at larger pictures is worth it."""
        return self.agreement > _SMALL_AGREEMENT


def compare_small(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    aspects: tuple[float, float],
    overlay: Overlay,
) -> SmallComparison:
    """Refine an overlay on the grey pictures of fingerprints.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (side, side)
        Pictures stretched to squares.
    aspects : (float, float)
        Width over height of each picture.
    overlay : Overlay
        Of the first on the second.
    """
    swapped = overlay.scale() > 1.0
    guess = overlay.inverse() if swapped else overlay
    pair, shapes = ((second, first), aspects[::-1]) if swapped else ((first, second), aspects)
    a, b = (picture.astype(np.float32) for picture in pair)
    to_square = [np.diag([max(1.0, 1 / aspect), max(1.0, aspect), 1.0]) for aspect in shapes]
    matrix = to_square[1] @ guess.matrix @ np.linalg.inv(to_square[0])
    found = register_small(a, b, matrix / matrix[2, 2])
    warped, inside = warp(b, found.matrix, (a.shape[0], a.shape[1]))
    windows = _compare_windows(a, warped, inside, _SMALL_WINDOW)
    agreement = 1.0  # a fine weave of weak contrast is not seen at this size
    if windows.textured.sum() >= _LEAST_TEXTURED * inside.size:
        agreement = windows.agreement(without=np.zeros_like(inside))
        if agreement <= _SMALL_AGREEMENT:
            covered = _find_covered(windows, 1)
            price = _HOLE_PRICE * float(covered.sum()) / max(1, windows.valid.sum())
            agreement = max(agreement, windows.agreement(without=covered) - price)
    matrix = np.linalg.inv(to_square[1]) @ found.matrix @ to_square[0]
    refined = Overlay(matrix / matrix[2, 2], overlay.matches, overlay.miss)
    placed = refined.inverse() if swapped else refined
    return SmallComparison(placed, found.apart, agreement)


Shape = tuple[int, ...]


def cover_of(matrix: NDArray[np.floating[Any]], shape: Shape, other: Shape) -> float:
    """Return the share of a picture that falls on the other one; shapes are (height, width)."""
    return float(_falls_on(matrix, shape, other).mean())


def cover_both(
    first: tuple[NDArray[np.floating[Any]], Shape],
    second: tuple[NDArray[np.floating[Any]], Shape],
    middle: Shape,
) -> float:
    """Return how much of what two pictures show of a third is common to both.

    Parameters
    ----------
    first, second : (ndarray, shape)
        How the third picture lies on each, and the shape of that, (height, width).
    middle : (int, int)
        Shape of the third.

    Returns
    -------
    float
        0..1, a share of the smaller part.
    """
    one, other = (_falls_on(matrix, middle, shape) for matrix, shape in (first, second))
    return float((one & other).sum() / max(1, min(one.sum(), other.sum())))


def _falls_on(matrix: NDArray[np.floating[Any]], shape: Shape, other: Shape) -> NDArray[np.bool_]:
    """Return which points of a grid over a picture fall on the other one."""
    u, v, depth = matrix @ _cover_points(shape[0], shape[1])
    depth = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    u, v = u / depth, v / depth
    width, height = other[1] / max(other[:2]), other[0] / max(other[:2])
    slack = _COVER_SLACK
    inside = (u > -slack) & (u < width + slack) & (v > -slack) & (v < height + slack)
    return np.asarray(inside & (depth > 0))


@lru_cache(maxsize=1024)
def _cover_points(height: int, width: int) -> NDArray[np.float64]:
    """Return a grid of points (x, y, 1) of a picture in units of its longer side, a column each."""
    side = max(height, width)
    x, y = np.meshgrid(
        (np.arange(_COVER_GRID) + 0.5) * (width / side / _COVER_GRID),
        (np.arange(_COVER_GRID) + 0.5) * (height / side / _COVER_GRID),
    )
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)])


def _judge(
    windows: _Windows,
    pictures: tuple[NDArray[np.float32], NDArray[np.float32]],
    inside: NDArray[np.bool_],
    placing: _Placing,
) -> Comparison:
    first, second = pictures
    grey_a, grey_b = first @ LUMA, second @ LUMA
    covered = _find_covered(windows)
    similarity = windows.agreement(without=covered)
    share = float(covered.sum() / max(1, windows.valid.sum()))
    similarity = max(0.0, similarity - _HOLE_PRICE * share)
    plain = windows.agreement(without=np.zeros_like(covered))
    hidden = share > _MOST_COVERED or windows.texture_outside(covered) < _LEAST_OUTSIDE
    is_copy = similarity >= placing.threshold and not hidden
    different = Comparison("different", similarity, placing.overlay, share)
    if plain < _LEAST_VARIANT:
        return different
    # Of pictures that nothing but keypoints brought together most end here, before the colours
    # are compared.
    if not placing.related:
        if not is_copy and plain < placing.threshold:
            return different
        marked = share > _MOST_MARKED and not placing.exact
        if marked and not _is_rectangle(_find_covered(windows, 1)):
            # Another side of a carton, held before the same shelf.
            return different
    shift = find_local_shift(grey_a, grey_b, inside)
    if not placing.related and shift > placing.most_shift:
        return different
    found = different
    reason = _find_variant(windows, (first, second), inside, covered, shift < _VARIANT_SHIFT)
    if reason:
        found = Comparison("variant", plain, placing.overlay, share, reason)
    elif _is_before_another_ground(windows, (first, second), inside, covered):
        return replace(different, other_ground=True)
    elif is_copy:
        found = Comparison("copy", similarity, placing.overlay, share)
    if not placing.related and found.kind == "variant" and plain < placing.threshold:
        return different
    return different if shift > placing.most_shift else found


def _find_variant(
    windows: _Windows,
    pictures: tuple[NDArray[np.float32], NDArray[np.float32]],
    inside: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    still: bool,
) -> VariantReason:
    """Return what makes the pictures variants, if anything does."""
    first, second = pictures
    if windows.drawn > _DRAWN and windows.disagreement(_beside_bar(windows)) > _MOST_DISAGREEMENT:
        return "content"
    if _differ_in_content(windows, first @ LUMA, second @ LUMA, inside, still):
        return "content"
    mount = _find_mount(windows)
    # A white ground around an article is no mount: its outline would go with it.
    of_one_hue = _hue_distance(first, second, mount) < _SAME_HUE
    compared = inside & ~covered if of_one_hue else inside & ~covered & ~mount
    return "color" if find_color_change(first, second, compared) else ""


def _is_before_another_ground(
    windows: _Windows,
    pictures: tuple[NDArray[np.float32], NDArray[np.float32]],
    inside: NDArray[np.bool_],
    covered: NDArray[np.bool_],
) -> bool:
    """Tell one thing before two grounds, mounts apart."""
    framed = inside & ~_find_mount(windows)
    if unexplained_share(*pictures, framed, covered) > _MOST_UNEXPLAINED:
        return True
    return stands_before_another_ground(*pictures, inside, covered)


def name_overlay(comparison: Comparison) -> str:
    """Say how the first picture became the second: an orientation and changes joined by ``+``.

    ``crop`` where the pictures differ in extent, ``rotation`` by another angle than 90°, ``warp``
    where the sides are not scaled alike, ``banner`` where something was laid over.
    """
    linear = comparison.overlay.matrix[:2, :2]
    scale = max(float(np.sqrt(abs(np.linalg.det(linear)))), 1e-6)
    turns = np.stack([turn_matrix(k) for k in range(len(ORIENTATIONS))])
    match = np.einsum("ij,kij->k", linear / scale, turns)
    nearest = int(match.argmax())
    rest = turns[nearest].T @ linear / scale
    angle = abs(np.degrees(np.arctan2(rest[1, 0] - rest[0, 1], rest[0, 0] + rest[1, 1])))
    long, short = np.linalg.svd(rest, compute_uv=False)
    changes = (
        ("rotation", angle > _NAMED_ANGLE),
        ("warp", long > _NAMED_STRETCH * short),
        ("crop", abs(np.log(scale)) > _NAMED_SCALE),
        ("banner", comparison.covered > 0),
    )
    parts = [ORIENTATIONS[nearest]] if nearest else []
    parts += [name for name, seen in changes if seen]
    return "+".join(parts) or ORIENTATIONS[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """What windows around each pixel show; arrays of shape (height, width)."""

    correlation: NDArray[np.float32]
    spread_a: NDArray[np.float32]
    spread_b: NDArray[np.float32]
    valid: NDArray[np.bool_]
    cut_off: NDArray[np.bool_]

    @property
    def textured(self) -> NDArray[np.bool_]:
        """Where at least one of the pictures shows something."""
        return self.valid & ~self.cut_off & (np.maximum(self.spread_a, self.spread_b) > _TEXTURE)

    @property
    def drawn(self) -> float:
        """Return the share of the compared windows in which neither picture shows anything."""
        flat = self.valid & (np.maximum(self.spread_a, self.spread_b) <= _TEXTURE)
        return float(flat.sum() / max(1, self.valid.sum()))

    def disagreement(self, where: NDArray[np.bool_]) -> float:
        """Return the share of what both pictures show there that does not agree; 0..1."""
        both = self.valid & where & (np.minimum(self.spread_a, self.spread_b) > _TEXTURE)
        return float((both & (self.correlation < _AGREES)).sum() / max(1, both.sum()))

    def agreement(self, without: NDArray[np.bool_]) -> float:
        """Return the mean correlation, weighted by texture; 0..1."""
        weight = np.minimum(np.maximum(self.spread_a, self.spread_b), _FULL_TEXTURE)
        weight = weight * (self.textured & ~without)
        agreed = weight * np.clip(self.correlation, 0, 1)
        return float(agreed.sum() / max(float(weight.sum()), 1e-6))

    def texture_outside(self, covered: NDArray[np.bool_]) -> float:
        """Return the share of a picture's texture that is not covered, of the better one; 0..1."""
        shares = []
        for spread in (self.spread_a, self.spread_b):
            texture = np.where(
                self.valid & (spread > _TEXTURE), np.minimum(spread, _FULL_TEXTURE), 0
            )
            shares.append(float(texture[~covered].sum()) / max(float(texture.sum()), 1e-6))
        return max(shares)


def _compare_windows(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    inside: NDArray[np.bool_],
    window: int = _WINDOW,
) -> _Windows:
    a, b = ndimage.gaussian_filter(a, 0.8), ndimage.gaussian_filter(b, 0.8)
    mask = inside.astype(np.float32)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(ndimage.uniform_filter(values * mask, window, mode="constant"))

    count = np.maximum(mean(np.ones_like(mask)), 1e-3)
    mean_a, mean_b = mean(a) / count, mean(b) / count
    valid = (count > 0.7) & ndimage.binary_erosion(inside, iterations=_RIM, border_value=1)
    var_a = _without_noise(mean(a * a) / count - mean_a * mean_a, valid)
    var_b = _without_noise(mean(b * b) / count - mean_b * mean_b, valid)
    covariance = mean(a * b) / count - mean_a * mean_b
    correlation = covariance / np.sqrt(var_a * var_b + 1.0)
    high, low = np.maximum(mean_a, mean_b), np.minimum(mean_a, mean_b)
    cut_off = ((high > _CUT_OFF[0]) | (low < _CUT_OFF[1])) & (np.minimum(var_a, var_b) < 1.0)
    return _Windows(correlation, np.sqrt(var_a), np.sqrt(var_b), valid, cut_off)


def _without_noise(
    variance: NDArray[np.floating[Any]], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Take away the variance that the calmest windows have: the noise of a film or a sensor."""
    if not valid.any():
        return np.asarray(np.maximum(variance, 0), dtype=np.float32)
    noise = min(float(np.quantile(variance[valid], _CALM)), _MOST_NOISE)
    return np.asarray(np.maximum(variance - max(noise, 0.0), 0), dtype=np.float32)


def _find_covered(windows: _Windows, most: int = _PLACES) -> NDArray[np.bool_]:
    """Return where the one picture shows what the other does not: the largest such places."""
    apart = windows.textured & (windows.correlation < _ALIKE)
    places, count = ndimage.label(ndimage.binary_dilation(apart, iterations=2))
    sizes = np.bincount(places[apart], minlength=count + 1)[1:]
    largest = np.argsort(-sizes, kind="stable")[:most]
    chosen = largest[sizes[largest] >= _LEAST_PIXELS] + 1
    return np.asarray(ndimage.binary_dilation(np.isin(places, chosen), iterations=2))


def _beside_bar(windows: _Windows) -> NDArray[np.bool_]:
    """Return what a covered rectangle leaves that is larger than a line of text."""
    bar = _find_covered(windows, 1)
    is_bar = bar.sum() > _LEAST_BAR * windows.valid.sum() and _is_rectangle(bar)
    return ~bar if is_bar else np.ones_like(bar)


def _find_mount(windows: _Windows) -> NDArray[np.bool_]:
    """Return the even strip that surrounds what both pictures show; nothing where there is none."""
    rim = windows.valid & ~ndimage.binary_erosion(windows.valid)
    even = windows.valid & (np.maximum(windows.spread_a, windows.spread_b) <= _TEXTURE)
    places, count = ndimage.label(even)
    at_rim = ndimage.maximum_filter(places, size=3)[rim]
    touching = np.bincount(at_rim, minlength=count + 1)[1:]
    areas = np.bincount(places.ravel(), minlength=count + 1)[1:]
    mounts = (touching > _AROUND * rim.sum()) & (areas < _MOST_MOUNT * windows.valid.sum())
    found = np.isin(places, np.flatnonzero(mounts) + 1)
    return np.asarray(ndimage.binary_dilation(found, iterations=_WINDOW // 2 + _RIM))


def _hue_distance(
    first: NDArray[np.float32], second: NDArray[np.float32], place: NDArray[np.bool_]
) -> float:
    """Return how far the colours of a place lie apart in the plane of Cb and Cr, in levels."""
    if not place.any():
        return 0.0
    one, other = (np.median(rgb[place], axis=0) @ YCC[1:].T for rgb in (first, second))
    return float(np.linalg.norm(one - other))


def _is_rectangle(place: NDArray[np.bool_]) -> bool:
    """Tell whether a place fills an upright rectangle, as a bar of text does."""
    box = ndimage.find_objects(place.astype(np.int8))[0]
    return bool(ndimage.binary_fill_holes(place)[box].mean() > _FILLED)


def _differ_in_content(
    windows: _Windows,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    inside: NDArray[np.bool_],
    still: bool,
) -> bool:
    """Tell whether in some place both pictures show something, and something else.

    Text or a mark that is laid over a picture hides what is there and has tones of its own; in a
    variant what the one and the other show is drawn in the same tones, on the same ground. Where
    the parts of the pictures are not ``still`` only drawn ones are told apart: lines of text lie
    on other lines, and draw the map of the whole with them.
    """
    drawn = windows.drawn > _DRAWN
    if not (still or drawn):
        return False
    both = np.minimum(windows.spread_a, windows.spread_b) > _TEXTURE
    apart = windows.valid & both & (windows.correlation < _ALIKE)
    places, count = ndimage.label(ndimage.binary_dilation(apart, iterations=2))
    boxes = ndimage.find_objects(places)
    b = _match_tone(a, b, windows)
    for number in range(1, count + 1):
        box = _grown(boxes[number - 1], _RING + 3, apart.shape)
        here = places[box] == number
        core = here & apart[box]
        if core.sum() < _OWN_PIXELS:
            continue
        near = ndimage.binary_dilation(here, iterations=2)
        ring = ndimage.binary_dilation(here, iterations=_RING) & ~near & inside[box]
        ring &= places[box] == 0
        if ring.sum() < 5 * _LEAST_PIXELS:
            continue
        difference = np.abs(a[box] - b[box])
        around, here_apart = float(np.median(difference[ring])), float(difference[core].mean())
        plain = around < _CALM_AROUND and here_apart > max(
            _PLAIN_DIFFERENCE, _PLAIN_FACTOR * (around + 0.5)
        )
        own = still and around < _SAME_AROUND and here_apart > _LEAST_DIFFERENCE
        own = own and _own_content(windows, box, core, ring)
        shown = a[box][near], b[box][near]
        apart_in_tones = _tone_distance(*shown)
        if (own or (plain and drawn)) and apart_in_tones < _SAME_TONES:
            return True
        if plain and apart_in_tones < _PLAIN_TONES:
            return True
        lone = drawn or _is_even(windows, box, ring)
        if plain and lone and apart_in_tones < _SAME_INKS and _in_same_inks(*shown):
            return True
    return False


def _match_tone(
    a: NDArray[np.float32], b: NDArray[np.float32], windows: _Windows
) -> NDArray[np.float32]:
    """Return b in the brightness and contrast of a, as seen where both agree."""
    agree = windows.valid & (windows.correlation > _AGREES)
    if agree.sum() < 2 * _OWN_PIXELS:
        return b
    one, other = a[agree], b[agree]
    deviation = float(other.std())
    if deviation < 1e-3:
        return b
    covariance = float(((one - one.mean()) * (other - other.mean())).mean())
    gain = float(np.clip(covariance / deviation**2, 0.3, 3.0))
    return np.asarray(gain * (b - other.mean()) + one.mean(), dtype=np.float32)


def _tone_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return how far the sorted grey levels of two places differ, as a share of their spread."""
    distance = float(np.abs(np.sort(one) - np.sort(other)).mean())
    return distance / (min(float(one.std()), float(other.std())) + 2.0)


def _in_same_inks(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Tell whether two places are drawn in the same inks, if more or less of them."""
    ends = np.stack([np.quantile(place, _INK_ENDS) for place in (one, other)])
    span = float(ends[:, 1].max() - ends[:, 0].min())
    return bool(np.abs(ends[0] - ends[1]).max() < _SAME_ENDS * (span + 2.0))


def _own_content(
    windows: _Windows,
    box: tuple[slice, slice],
    core: NDArray[np.bool_],
    ring: NDArray[np.bool_],
) -> bool:
    """Tell whether both pictures show more in a place than around it."""
    ratios = [
        (float(np.quantile(spread[box][core], _QUANTILE)) + 2.0)
        / (float(np.quantile(spread[box][ring], _QUANTILE)) + 2.0)
        for spread in (windows.spread_a, windows.spread_b)
    ]
    return min(ratios) > _OWN_CONTENT


def _is_even(windows: _Windows, box: tuple[slice, slice], ring: NDArray[np.bool_]) -> bool:
    """Tell whether nothing is shown around a place: a digit on a board, a word on a label."""
    spreads = (windows.spread_a, windows.spread_b)
    return all(float(np.median(spread[box][ring])) < _TEXTURE for spread in spreads)


def _grown(box: tuple[slice, ...] | None, by: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    assert box is not None
    rows, columns = (
        slice(max(0, part.start - by), min(size, part.stop + by))
        for part, size in zip(box, shape, strict=True)
    )
    return rows, columns
