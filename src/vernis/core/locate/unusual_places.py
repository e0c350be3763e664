"""Which places of a picture are unlike the rest of it, whatever its labels.

Reed and Yu, *Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral
distribution* (1990): the squared Mahalanobis distance of a place from the mean of the scene. What
is framed as an object seldom looks like most of its picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vernis.core.locate.patch_lda import Floats, PatchMaps, PatchStatistics, covering

_DIRECTIONS = 128
"""Principal directions that count: as the ridge is added to each, those of little spread add little
to the distance, and all cost five times as much."""


@dataclass(frozen=True, slots=True, eq=False)
class Unusualness:
    """A distance of patches from the mean patch of their picture.

    Attributes
    ----------
    whitening : ndarray of float32, shape (n_channels, n_directions)
        ``W`` with ``W Wᵀ`` = the inverse of the patches' (shrunk) covariance over many pictures,
        on the directions of the widest spread.
    """

    whitening: Floats

    def measure(self, maps: PatchMaps) -> Floats:
        """Return the squared distance of each cell of the finest map, shape (height, width)."""
        size, start = maps[0].shape[:2], 0
        whitened = np.zeros((size[0] * size[1], self.whitening.shape[1]), np.float32)
        for each in maps:
            stop = start + each.shape[2]
            cells = each.reshape(-1, each.shape[2]).astype(np.float32)
            part = cells @ self.whitening[start:stop]
            whitened += part if each.shape[:2] == size else part[covering(size, each.shape[:2])]
            start = stop
        whitened -= whitened.mean(axis=0)
        return np.asarray((whitened**2).sum(axis=1).reshape(size), np.float32)


def fit_unusualness(
    statistics: PatchStatistics, directions: int | None = _DIRECTIONS
) -> Unusualness:
    """Return the distance that belongs to the spread of patches.

    Parameters
    ----------
    statistics : PatchStatistics
    directions : int or None
        Principal directions that count; None: all.
    """
    values, vectors = np.linalg.eigh(np.asarray(statistics.inverse, np.float64))
    root = (vectors * np.sqrt(values))[:, :directions]  # the widest spread first
    return Unusualness(np.asarray(root / statistics.spread[:, None], np.float32))
