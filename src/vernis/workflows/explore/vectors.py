"""The search vectors of the present images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.rows import normalize_rows
from vernis.domain.ports import Catalog
from vernis.domain.types import ImageRecord, Space
from vernis.workflows.training_data import search_columns


def read_unit_vectors(
    catalog: Catalog, space: Space
) -> tuple[list[ImageRecord], NDArray[np.float32]]:
    """Return the present images that have a sound vector, and their search columns.

    Returns
    -------
    images : list of ImageRecord
    vectors : ndarray of float32, shape (n_images, dim)
        Of length 1.
    """
    images = catalog.images.all()
    missing = set(catalog.vectors.missing(space, [image.content_hash for image in images]))
    images = [image for image in images if image.content_hash not in missing]
    stored = catalog.vectors.read(space, [image.content_hash for image in images])
    vectors = np.asarray(stored[:, search_columns(space)], dtype=np.float32)
    sound = np.asarray(np.isfinite(vectors).all(axis=1))
    images = [image for image, fine in zip(images, sound.tolist(), strict=True) if fine]
    return images, normalize_rows(vectors[sound])
