"""Which places of a picture are unlike the rest of it, whatever its labels.

Reed and Yu, *Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral
distribution* (1990): the squared Mahalanobis distance of a place from the mean of the scene. What
is framed as an object seldom looks like most of its picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vernis.core.locate.patch_lda import Floats, PatchMaps, PatchStatistics, join_cells


@dataclass(frozen=True, slots=True, eq=False)
class Unusualness:
    """A distance of patches from the mean patch of their picture.

    Attributes
    ----------
    whitening : ndarray of float32, shape (n_channels, n_channels)
        ``W`` with ``W Wᵀ`` = the inverse of the patches' (shrunk) covariance over many pictures.
    """

    whitening: Floats

    def measure(self, maps: PatchMaps) -> Floats:
        """Return the squared distance of each cell of the finest map, shape (height, width)."""
        height, width = maps[0].shape[:2]
        cells = join_cells(maps, np.arange(height * width))
        distances = ((cells - cells.mean(axis=0)) @ self.whitening) ** 2
        return np.asarray(distances.sum(axis=1).reshape(height, width), np.float32)


def fit_unusualness(statistics: PatchStatistics) -> Unusualness:
    """Return the distance that belongs to the spread of patches."""
    root = np.linalg.cholesky(np.asarray(statistics.inverse, np.float64))
    return Unusualness(np.asarray(root / statistics.spread[:, None], np.float32))
