"""Colours by name: the eleven basic terms (Berlin & Kay 1969), and their shares in a picture.

Which name a colour has is a matter of people: a logistic regression on L*, a*, b* and the chroma,
fitted to the names that people gave in the colour survey of xkcd (2010, CC0) by
``tools/calibrate_appearance.py``, says how probably each of the eleven is said.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance.color_terms import TERM_WEIGHTS

COLORS = (
    *("black", "white", "grey", "red", "orange", "yellow"),
    *("green", "blue", "purple", "pink", "brown"),
)
ALIASES = {
    **{"gray": "grey", "silver": "grey", "violet": "purple", "lilac": "purple", "mauve": "purple"},
    **{"scarlet": "red", "crimson": "red", "maroon": "red", "magenta": "pink", "fuchsia": "pink"},
    **{"navy": "blue", "azure": "blue", "turquoise": "blue", "cyan": "blue", "golden": "yellow"},
    **{"beige": "brown", "tan": "brown"},
}
"""Other words for them."""

TONES = ("light", "dark", "colorful")
_LIGHT, _DARK, _COLORFUL = 224, 64, 48
_BITS = 4  # of each channel that count
_LEVELS = 2**_BITS
_HIGH = np.uint8(0xF0)
N_CODES = _LEVELS**3
_SAMPLE = 32  # pixels along the shorter side that are looked at
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_FROM_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)

Floats = NDArray[np.float32]


def lab_of(rgb: NDArray[Any]) -> Floats:
    """Return CIE L*a*b* (D65) of sRGB values of 0..255, shape (..., 3)."""
    value = np.asarray(rgb, np.float64) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _FROM_RGB.T / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def term_features(lab: NDArray[np.floating]) -> Floats:
    """Return what names are told by: L*, a*, b*, chroma, their products, 1; shape (n, 15)."""
    values = np.column_stack([lab, np.hypot(lab[:, 1], lab[:, 2])]) / np.array([50, 40, 40, 40])
    values[:, 0] -= 1.0
    pairs = [values[:, i] * values[:, j] for i in range(4) for j in range(i, 4)]
    return np.column_stack([values, *pairs, np.ones(len(lab))]).astype(np.float32)


def name_colors(lab: NDArray[np.floating]) -> Floats:
    """Return how probably a colour is called each of ``COLORS``.

    Parameters
    ----------
    lab : ndarray, shape (n_colors, 3)

    Returns
    -------
    ndarray of float32, shape (n_colors, len(COLORS))
        Rows sum to 1.
    """
    logits = term_features(lab) @ np.asarray(TERM_WEIGHTS, np.float32).T
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return np.asarray(logits, np.float32)


def code_centers() -> NDArray[np.float64]:
    """Return the RGB value that each code stands for, shape (N_CODES, 3)."""
    steps = (np.arange(_LEVELS) + 0.5) * (256 / _LEVELS) - 0.5
    red, green, blue = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red.ravel(), green.ravel(), blue.ravel()], axis=1)


@cache
def _table() -> Floats:
    """Return of every code how probably it is called what, and which of ``TONES`` it is."""
    centers = code_centers()
    high, low = centers.max(axis=1), centers.min(axis=1)
    tones = (low >= _LIGHT, high <= _DARK, high - low >= _COLORFUL)
    return np.column_stack([name_colors(lab_of(centers)), *tones]).astype(np.float32)


@cache
def _names() -> Floats:
    """Return of every code how probably it is called what, shape (N_CODES, len(COLORS))."""
    return np.ascontiguousarray(_table()[:, : len(COLORS)])


def sample_codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return the codes, 4 bits a channel, of pixels on a grid of 32 by 32 or more.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of uint16, shape (n_rows, n_columns)
    """
    step = max(1, min(pixels.shape[:2]) // _SAMPLE)
    small = pixels[::step, ::step]
    codes = (small[..., 0] & _HIGH).astype(np.uint16)
    codes <<= _BITS
    codes |= small[..., 1] & _HIGH
    codes |= small[..., 2] >> _BITS
    return codes


def measure_colors(
    codes: NDArray[np.uint16], there: NDArray[np.int64], shares: Floats
) -> tuple[Floats, Floats, Floats]:
    """Measure the colours of a picture.

    Parameters
    ----------
    codes : ndarray of uint16, shape (n_rows, n_columns)
        See ``sample_codes``.
    there : ndarray of int64, shape (n_there,)
        The codes that are there.
    shares : ndarray of float32, shape (n_there,)
        Of the picture that has each of them.

    Returns
    -------
    whole, middle : ndarray of float32, shape (len(COLORS),)
        Share of each colour in the picture and in its middle (half its height and width). A
        pixel counts for each name as far as people call it so.
    tones : ndarray of float32, shape (len(TONES),)
        Shares of light, dark and colourful pixels.
    """
    height, width = codes.shape
    middle = codes[height // 4 : height - height // 4, width // 4 : width - width // 4]
    said = shares @ _table().take(there, axis=0)
    inner = _names().take(middle.ravel(), axis=0).mean(axis=0)
    return said[: len(COLORS)], inner, said[len(COLORS) :]
