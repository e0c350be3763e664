"""Tell whether an object has another colour, or the whole picture was only toned.

Saturation, white balance and fading change all colours together. A turn of the hues counts as an
edit where at least three hues turn together; of one coloured object on a neutral ground it cannot
be told from an article of another colour, so that counts as one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    dtype=np.float32,
)
"""RGB → brightness, Cb and Cr (ITU-R BT.601)."""
_MOST_SATURATION = 2.6
_MOST_CAST = 14.0  # levels of Cb or Cr that white balance moves at 100 levels of brightness
_SOFT = 8.0
_ODD = 16.0  # levels of colour beyond what toning explains
_LEAST_SHARE = 0.006
_END, _NOISE = 248.0, 8.0
_LEAST_AREA = 12
# Sum over the channels of Sobel's gradients that an object's outline has in both pictures.
_OUTLINE = 280.0
_TURNED = 20.0  # degrees
_COLORED, _NEUTRAL = 12.0, 8.0
_HUE_BINS, _HUE_SHARE, _HUES = 12, 0.02, 3
_FITS, _FITTED_SHARE = 18.0, 0.85


def find_color_change(
    first: NDArray[np.float32], second: NDArray[np.float32], inside: NDArray[np.bool_]
) -> bool:
    """Tell whether an object that both aligned pictures show has another colour in each.

    Parameters
    ----------
    first, second : ndarray of float32, shape (height, width, 3)
        RGB, 0..255, one lying on the other.
    inside : ndarray of bool, shape (height, width)
        Where they can be compared.
    """
    a, b = (ndimage.gaussian_filter(_half(rgb), (0.5, 0.5, 0)) @ YCC.T for rgb in (first, second))
    mask = _half(inside.astype(np.float32)[..., None])[..., 0] > 0.99
    cut = _cut_off(first, second) | _cut_off(second, first)
    whole = _half(cut.astype(np.float32)[..., None])[..., 0] < 0.01
    mask = ndimage.binary_erosion(mask, iterations=2, border_value=1)
    if mask.sum() < 4 * _LEAST_AREA:
        return False
    # Where the colours are the same as they are, there is nothing to explain.
    apart = np.square(b[..., 1:] - a[..., 1:]).sum(axis=-1) > _ODD**2
    if (apart & mask).sum() < _LEAST_SHARE * mask.sum():
        return False
    strength = [float(np.abs(plane[..., 1:][mask]).mean()) for plane in (a, b)]
    if strength[1] > strength[0]:
        a, b = b, a  # toning is fitted from the more colourful to the less
    miss, saturation = _tone(a, b, mask)
    odd = ndimage.binary_opening((np.linalg.norm(miss, axis=-1) > _ODD) & mask & whole)
    if odd.sum() < _LEAST_SHARE * mask.sum() or _turn_together(a, b, mask):
        return False
    return _has_outlined_object(a, b, odd, mask, saturation)


def _cut_off(dark: NDArray[np.float32], bright: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell where brightening drove a channel to its end, so that the hue is another one."""
    brighter = (bright > dark - _NOISE).all(axis=-1)
    return np.asarray(brighter & (bright > _END).any(axis=-1))


def _half(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = picture[:height, :width]
    return np.asarray(
        (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
    )


def _tone(
    a: NDArray[np.float32], b: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float]:
    """Fit b's colours as s · a's colours + cast · brightness, robustly; return what is left."""
    bright, colors, target = a[..., 0][mask] / 100, a[..., 1:][mask], b[..., 1:][mask]
    weight = np.ones(len(bright), dtype=np.float32)
    saturation, cast = 1.0, np.zeros(2)
    for _ in range(8):
        light = float(weight @ np.square(bright)) + 20.0
        cross = (weight * bright) @ colors
        energy = float((weight[:, None] * np.square(colors)).sum()) + 500.0
        normal = np.array(
            [[energy, *cross], [cross[0], light, 0.0], [cross[1], 0.0, light]], dtype=np.float64
        )
        right = np.append(
            float((weight[:, None] * colors * target).sum()) + 500.0, (weight * bright) @ target
        )
        saturation = float(np.clip(np.linalg.solve(normal, right)[0], 0.0, _MOST_SATURATION))
        cast = ((weight * bright) @ (target - saturation * colors)) / light
        cast = np.clip(cast, -_MOST_CAST, _MOST_CAST)
        left = target - saturation * colors - bright[:, None] * cast
        weight = 1.0 / np.square(1.0 + np.square(left).sum(axis=1) / _SOFT**2)
    miss = b[..., 1:] - saturation * a[..., 1:] - a[..., :1] / 100 * cast
    return miss.astype(np.float32), saturation


def _turn_together(a: NDArray[np.float32], b: NDArray[np.float32], mask: NDArray[np.bool_]) -> bool:
    """Tell whether one linear map of colours explains at least three hues."""
    colors, target = a[..., 1:][mask], b[..., 1:][mask]
    columns = np.column_stack([colors, a[..., 0][mask] / 100, np.ones(len(colors))])
    weight = np.ones(len(colors))
    miss = np.zeros(len(colors))
    for _ in range(8):
        weighted = columns * weight[:, None]
        factors = np.linalg.solve(weighted.T @ columns + 50 * np.eye(4), weighted.T @ target)
        miss = np.square(target - columns @ factors).sum(axis=1)
        weight = 1.0 / np.square(1.0 + miss / 100.0)
    fits = miss < _FITS**2
    if fits.mean() < _FITTED_SHARE:
        return False
    colored = fits & (np.linalg.norm(colors, axis=1) > _COLORED)
    angle = np.arctan2(colors[:, 1], colors[:, 0]) / (2 * np.pi) * _HUE_BINS
    counts = np.bincount(angle[colored].astype(np.int64) % _HUE_BINS, minlength=_HUE_BINS)
    share = counts / len(colors)
    hues: list[int] = []
    for hue in np.argsort(-share, kind="stable").tolist():
        apart = all(
            min((hue - other) % _HUE_BINS, (other - hue) % _HUE_BINS) >= 2 for other in hues
        )
        if share[hue] > _HUE_SHARE and apart:
            hues.append(hue)
    return len(hues) >= _HUES


def _has_outlined_object(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    odd: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    saturation: float,
) -> bool:
    """Tell whether a place of odd colour has an outline in both pictures, and other hues.

    What was laid over a picture has an outline in one of them alone.
    """
    places, count = ndimage.label(odd)
    outlines = [_edges(a), _edges(b)]
    for number in range(1, count + 1):
        here = places == number
        if here.sum() < max(_LEAST_AREA, _LEAST_SHARE * mask.sum()):
            continue
        rim = ndimage.binary_dilation(here, iterations=2) & mask
        rim &= ~ndimage.binary_erosion(here, border_value=1)
        if rim.sum() < 5:
            continue
        seen = min(float(np.quantile(edges[rim], 0.3)) for edges in outlines)
        if seen > _OUTLINE and _hue_differs(a[here], b[here], saturation):
            return True
    return False


def _edges(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    slopes = [
        np.hypot(ndimage.sobel(picture[..., k], 0), ndimage.sobel(picture[..., k], 1))
        for k in range(3)
    ]
    return np.asarray(ndimage.maximum_filter(np.sum(slopes, axis=0), 3))


def _hue_differs(a: NDArray[np.float32], b: NDArray[np.float32], saturation: float) -> bool:
    """Tell a place of another hue, or with and without colour, from one that was only toned."""
    one, other = a[:, 1:].mean(axis=0), b[:, 1:].mean(axis=0)
    strength = float(np.linalg.norm(one)) * max(saturation, 0.3), float(np.linalg.norm(other))
    if min(strength) < _NEUTRAL:
        return max(strength) > _ODD + _NEUTRAL / 2
    cosine = float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))
    return bool(cosine < np.cos(np.radians(_TURNED)))
