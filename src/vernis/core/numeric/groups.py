"""Groups of images that belong together, such as duplicates, as codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue


def group_codes(groups: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """Return the number of each image's group, shape (count,), from 0 without gaps.

    Parameters
    ----------
    groups : array_like, shape (count,), or None
        Equal for images of one group; None: every image is alone.
    count : int
        How many images there are.

    Raises
    ------
    InvalidValue
        If the groups have another shape.
    """
    if groups is None:
        return np.arange(count, dtype=np.int64)
    own = np.asarray(groups)
    if own.shape != (count,):
        raise InvalidValue(f"expected groups of shape ({count},), got {own.shape}")
    return np.unique(own, return_inverse=True)[1].astype(np.int64)
