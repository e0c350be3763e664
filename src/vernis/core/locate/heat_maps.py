"""Heat maps: brought to one size, scaled to 0..1, joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float64]


def enlarge(maps: NDArray[np.floating], size: tuple[int, int]) -> Floats:
    """Stretch maps to a size by linear interpolation between the centres of their cells.

    Outside of the outermost centres the map goes on as its edge. A linear map of patch vectors may
    be taken before or after: the result is the same.

    Parameters
    ----------
    maps : ndarray, shape (..., height, width)
    size : (int, int)
        Height and width of the result.

    Returns
    -------
    ndarray of float64, shape (..., size[0], size[1])
    """
    down, across = (_weights(old, new) for old, new in zip(maps.shape[-2:], size, strict=True))
    return np.asarray(down @ np.asarray(maps, np.float64) @ across.T)


def _weights(old: int, new: int) -> Floats:
    """Return the share of each of ``old`` cells in each of ``new``, shape (new, old)."""
    if old < 1 or new < 1:
        raise InvalidValue(f"expected maps of 1 cell or more, got {old} and {new}")
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(place.astype(np.int64), max(old - 2, 0))
    right = np.minimum(left + 1, old - 1)
    share = place - left
    weights = np.zeros((new, old))
    weights[np.arange(new), left] += 1 - share
    weights[np.arange(new), right] += share
    return weights


def scale_to_unit(maps: NDArray[np.floating]) -> Floats:
    """Scale each map so that its lowest value is 0 and its highest 1; a flat map becomes 0.

    Parameters
    ----------
    maps : ndarray, shape (..., height, width)
    """
    values = np.asarray(maps, np.float64)
    low = values.min(axis=(-2, -1), keepdims=True)
    span = values.max(axis=(-2, -1), keepdims=True) - low
    return np.asarray(np.divide(values - low, span, out=np.zeros_like(values), where=span > 0))


def geometric_mean(maps: Sequence[NDArray[np.floating]], size: tuple[int, int]) -> Floats:
    """Join maps of one picture by their geometric mean, as the thesis joins those of three sizes.

    Each is stretched to the size and scaled to 0..1 first, the mean once more.

    Parameters
    ----------
    maps : sequence of ndarray, each of shape (..., height, width)
    size : (int, int)
        Height and width of the result.

    Raises
    ------
    InvalidValue
        There is no map.
    """
    if not maps:
        raise InvalidValue("expected one map or more")
    unit = [scale_to_unit(enlarge(each, size)) for each in maps]
    if len(unit) == 1:
        return unit[0]
    product = np.prod(np.stack(unit), axis=0) ** (1 / len(unit))
    return scale_to_unit(product)
