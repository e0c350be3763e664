"""What type a picture is of: photo, drawing or logo, document, screenshot.

Told by measures of its pixels alone. Cameras leave noise and soft edges everywhere; what was drawn
by a program has flat areas, few colours and hard edges; documents are dark signs on light paper in
lines; screenshots have flat areas and long straight edges. The weights are fitted to generated and
real pictures by ``tools/calibrate_appearance.py`` and read by the adapter of that name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue

TYPES = ("photo", "drawing", "document", "screenshot")
ALIASES = {
    **dict.fromkeys(("photograph", "snapshot"), "photo"),
    **dict.fromkeys(("logo", "illustration", "clipart", "graphic", "diagram", "icon"), "drawing"),
    **dict.fromkeys(("scan", "page", "letter", "paper"), "document"),
    **dict.fromkeys(("screen shot", "screen capture"), "screenshot"),
}
"""Other words for them."""
TYPE_FEATURES = (
    "flat",
    "slight_of_changes",
    "hard_of_changes",
    "blank_rows",
    "busy",
    "top_color",
    "four_colors",
    "log_colors",
    "log_other_colors",
    "changing_rows",
    "changing_columns",
    "light",
    "dark",
    "colorful",
    "rim",
)
"""Shares of neighbours in rows (of each channel) that are equal; of the others those that differ by
at most 8 levels, and by more than 40; of rows without such hard steps, and of hard steps in the
others; of the commonest colour, of the four commonest; logarithm of the number of colours (of 12
bits) that more than a thousandth of the pixels have, and that more than a thousandth of the pixels
without the commonest have; shares of rows and columns of the sample with other colours than the
next one at more than half of their places; of light, dark and colourful pixels; of the outermost
pixels that have the commonest colour."""

_SLIGHT, _HARD = 8, 40
_RARE = 0.001
_FEW = 1e-3

Mask = NDArray[np.bool_]


def measure_type_features(
    pixels: NDArray[np.uint8],
    codes: NDArray[np.uint16],
    there: NDArray[np.int64],
    shares: NDArray[np.float32],
    tones: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Measure what the type is told by.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    codes : ndarray of uint16, shape (n_rows, n_columns)
        See ``colors.sample_codes``.
    there, shares, tones : ndarray
        See ``colors.measure_colors``.

    Returns
    -------
    ndarray of float32, shape (len(TYPE_FEATURES),)
    """
    # Rows of the sample: they have just been read.
    rows = pixels[:: 2 * -(-len(pixels) // len(codes))]
    across = _difference(rows[:, 1:], rows[:, :-1])
    hard = across > _HARD
    flat, hard_share = _share(across == 0), _share(hard)
    changed = 1 - flat + _FEW
    blank = 1 - _share(np.asarray(hard.any(axis=(1, 2))))
    most = np.sort(shares)[::-1]
    common = codes == there[shares.argmax()]
    rim = (common[0], common[-1], common[:, 0], common[:, -1])
    return np.array(
        [
            flat,
            (_share(across <= _SLIGHT) - flat) / changed,
            hard_share / changed,
            blank,
            hard_share / (1 - blank + _FEW),
            most[0],
            most[:4].sum(),
            np.log1p(np.count_nonzero(most > _RARE)),
            np.log1p(np.count_nonzero(most[1:] > _RARE * (1 - most[0] + _FEW))),
            _share(2 * np.count_nonzero(codes[1:] != codes[:-1], axis=1) > codes.shape[1]),
            _share(2 * np.count_nonzero(codes[:, 1:] != codes[:, :-1], axis=0) > len(codes)),
            *tones,
            sum(map(np.count_nonzero, rim)) / sum(side.size for side in rim),
        ],
        np.float32,
    )


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(a, b) - np.minimum(a, b)


def _share(holds: Mask) -> float:
    return np.count_nonzero(holds) / max(1, holds.size)


def type_terms(
    features: NDArray[np.floating], means: ArrayLike, spreads: ArrayLike
) -> NDArray[np.float64]:
    """Return the features at unit variance, their products, and 1, shape (n, n_terms)."""
    scaled = (np.asarray(features, np.float64) - np.asarray(means)) / np.asarray(spreads)
    one, other = np.triu_indices(scaled.shape[1])
    return np.column_stack([scaled, scaled[:, one] * scaled[:, other], np.ones(len(scaled))])


@dataclass(frozen=True, slots=True, eq=False)
class TypeModel:
    """A logistic regression that tells the type of pictures.

    Attributes
    ----------
    means, spreads : ndarray of float64, shape (len(TYPE_FEATURES),)
        Of the features of the pictures that it was fitted to.
    weights : ndarray of float64, shape (len(TYPES), n_terms)
        See ``type_terms``.
    """

    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(TYPE_FEATURES)
        expected = ((n,), (n,), (len(TYPES), n + n * (n + 1) // 2 + 1))
        shapes = (self.means.shape, self.spreads.shape, self.weights.shape)
        if shapes != expected:
            raise InvalidValue(f"expected weights of the shapes {expected}, got {shapes}")
        if not all(np.isfinite(part).all() for part in (self.means, self.spreads, self.weights)):
            raise InvalidValue("expected finite weights")
        if (self.spreads <= 0).any():
            raise InvalidValue("expected spreads above 0")

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how probably pictures are of each type.

        Parameters
        ----------
        features : ndarray, shape (n_pictures, len(TYPE_FEATURES))

        Returns
        -------
        ndarray of float32, shape (n_pictures, len(TYPES))
            Rows sum to 1.
        """
        logits = type_terms(features, self.means, self.spreads) @ self.weights.T
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        return np.asarray(logits / logits.sum(axis=1, keepdims=True), np.float32)
