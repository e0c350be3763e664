"""Labels, vectors and duplicates of a taxonomy as aligned arrays."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Catalog
from vernis.domain.types import LabelMatrix, Space, Taxonomy


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What a head is trained on.

    Attributes
    ----------
    taxonomy : Taxonomy
    image_ids : ndarray of int64, shape (n_images,)
        The present images that have a vector.
    X : ndarray of float32, shape (n_images, space.dim)
    Y : ndarray of float32, shape (n_images, n_classes)
        1, 0 or NaN. In an open multi-label taxonomy the classes that a labelled image does not
        carry count as ``no`` (see ``assume_no``).
    groups : ndarray of int64, shape (n_images,)
        Equal for images that are duplicates of one another.
    n_assumed : int
        How many ``no`` are assumed.
    n_without_vector : int
        Present images left out (their vector is missing or not finite).
    hashes : tuple of str
        Content of each image.
    """

    taxonomy: Taxonomy
    image_ids: NDArray[np.int64]
    X: NDArray[np.float32]
    Y: NDArray[np.float32]
    groups: NDArray[np.int64]
    n_assumed: int
    n_without_vector: int
    hashes: tuple[str, ...]

    @property
    def n_labelled(self) -> int:
        """Return the number of images with at least one ``yes``."""
        return int((self.Y == 1).any(axis=1).sum())


def assume_no(matrix: LabelMatrix) -> tuple[NDArray[np.float32], int]:
    """Fill the unknown classes of labelled images with ``no`` where nothing else says ``no``.

    An open multi-label taxonomy holds hardly a ``no``, and without one a head learns to say yes to
    everything; so a class that a labelled image does not carry is taken for a ``no``. In the other
    taxonomies the labels are left as they are.

    Returns
    -------
    Y : ndarray of float32, shape (n_images, n_classes)
    n_assumed : int
    """
    values = matrix.values.astype(np.float32, copy=True)
    if matrix.taxonomy.kind == "single":
        return values, 0
    assumed = np.isnan(values) & (values == 1).any(axis=1)[:, None]
    values[assumed] = 0
    return values, int(assumed.sum())


def duplicate_codes(catalog: Catalog, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each image, equal for duplicates (also through a third image)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {int(image): row for row, image in enumerate(image_ids)}
    pairs: list[tuple[int, int]] = []
    for group in catalog.issues.groups():
        members = [place[image] for image in group.images if image in place]
        pairs += itertools.pairwise(members)
    first: dict[str, int] = {}
    for image in catalog.images.all():
        if image.id in place:
            pairs.append((place[image.id], first.setdefault(image.content_hash, place[image.id])))
    rows, columns = np.asarray(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(place),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def read_training_data(catalog: Catalog, taxonomy: str, space: Space) -> TrainingData:
    """Read the labels and vectors of every present image.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    """
    matrix = catalog.labels.matrix(taxonomy)
    Y, n_assumed = assume_no(matrix)
    hash_of = {image.id: image.content_hash for image in catalog.images.all()}
    hashes = [hash_of[int(image)] for image in matrix.image_ids]
    missing = set(catalog.vectors.missing(space, hashes))
    rows = np.flatnonzero([h not in missing for h in hashes])
    X = np.asarray(catalog.vectors.read(space, [hashes[row] for row in rows]), np.float32)
    sound = np.isfinite(X).all(axis=1)
    rows = rows[sound]
    image_ids = matrix.image_ids[rows]
    return TrainingData(
        taxonomy=matrix.taxonomy,
        image_ids=image_ids,
        X=X if sound.all() else X[sound],
        Y=Y[rows],
        groups=duplicate_codes(catalog, image_ids),
        n_assumed=n_assumed,
        n_without_vector=len(hashes) - len(rows),
        hashes=tuple(hashes[row] for row in rows),
    )


def space_document(space: Space) -> dict[str, Any]:
    """Return the space as JSON-able."""
    settings = dict(space.settings)
    return {"name": space.name, "dim": space.dim, "dtype": space.dtype, "settings": settings}


def layer_slices(space: Space) -> list[tuple[int, int]]:
    """Return the columns of each layer of the space; one slice when it names no layers."""
    widths = [int(width) for _, width in space.settings.get("layers", [])]
    if sum(widths) != space.dim:
        return [(0, space.dim)]
    ends = np.cumsum(widths).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def search_columns(space: Space) -> slice:
    """Return the columns that neighbours are searched by.

    The final pooled vector where the space names it among others: earlier layers help heads and do
    harm to search (docs/decisions/embedding.md). Else all columns.
    """
    names = [str(name) for name, _ in space.settings.get("layers", [])]
    slices = layer_slices(space)
    if len(slices) == len(names) and "pooled" in names:
        return slice(*slices[names.index("pooled")])
    return slice(0, space.dim)
