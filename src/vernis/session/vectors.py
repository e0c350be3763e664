"""The vectors of the present images, aligned with their labels: the one home of that reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Rows
from vernis.domain.types import LabelMatrix, Space, Taxonomy


@dataclass(frozen=True, slots=True, eq=False)
class ImageVectors:
    """The present images that have a sound vector in a space.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_images,)
        Ascending.
    hashes : tuple of str
        Content of each image.
    vectors : Rows of float32, shape (n_images, space.dim)
        Of very many images they are read where rows are asked for.
    n_without_vector : int
        Present images left out: their vector is missing or not finite.
    space : Space
    """

    ids: NDArray[np.int64]
    hashes: tuple[str, ...]
    vectors: Rows
    n_without_vector: int
    space: Space

    @property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """All vectors as an array."""
        return self.vectors[:]

    def search_vectors(self) -> NDArray[np.float32]:
        """Return the columns that neighbours are searched by, rows of length 1."""
        from vernis.core.numeric.rows import normalize_rows

        return normalize_rows(self.X[:, search_columns(self.space)])


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What a head is trained on.

    Attributes
    ----------
    taxonomy : Taxonomy
    image_ids : ndarray of int64, shape (n_images,)
        The present images that have a vector.
    vectors : Rows of float32, shape (n_images, space.dim)
        Of very many images they are read where rows are asked for.
    Y : ndarray of float32, shape (n_images, n_classes)
        1, 0 or NaN. In an open multi-label taxonomy the classes that a labelled image does not
        carry count as ``no`` (see ``assume_no``).
    groups : ndarray of int64, shape (n_images,)
        Equal for images that are duplicates of one another.
    stated, confirmed : ndarray of bool, shape (n_images, n_classes)
        Entries that somebody stated, and those that a person confirmed.
    n_assumed : int
        How many ``no`` are assumed.
    n_without_vector : int
        Present images left out (their vector is missing or not finite).
    hashes : tuple of str
        Content of each image.
    space : Space
        Of the vectors.
    where : str
        The filter that all of the images fulfil; "" for all images.
    """

    taxonomy: Taxonomy
    image_ids: NDArray[np.int64]
    vectors: Rows
    Y: NDArray[np.float32]
    groups: NDArray[np.int64]
    stated: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]
    n_assumed: int
    n_without_vector: int
    hashes: tuple[str, ...]
    space: Space
    where: str = ""

    @property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """All vectors as an array."""
        return self.vectors[:]

    @property
    def n_labelled(self) -> int:
        """Return the number of images with at least one ``yes``."""
        return int((self.Y == 1).any(axis=1).sum())

    @property
    def subject(self) -> str:
        """Return what is learned, for a sentence: the taxonomy and the filter."""
        return f"'{self.taxonomy.name}'" + (f" where {self.where}" if self.where else "")

    def among(self, chosen: NDArray[np.int64], where: str) -> TrainingData:
        """Return the part of some images alone, those that the filter ``where`` holds for."""
        rows = np.isin(self.image_ids, chosen)
        Y = self.Y[rows]
        return replace(
            self,
            image_ids=self.image_ids[rows],
            vectors=self.vectors[rows],
            Y=Y,
            groups=self.groups[rows],
            stated=self.stated[rows],
            confirmed=self.confirmed[rows],
            n_assumed=int(((Y == 0) & ~self.stated[rows]).sum()),
            n_without_vector=len(chosen) - int(rows.sum()),
            hashes=tuple(np.asarray(self.hashes, object)[rows]),
            where=where,
        )


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


def align(matrix: LabelMatrix, vectors: ImageVectors, groups: NDArray[np.int64]) -> TrainingData:
    """Return labels and vectors of the images that have both a row and a vector."""
    Y, n_assumed = assume_no(matrix)
    rows = np.searchsorted(matrix.image_ids, vectors.ids)
    return TrainingData(
        taxonomy=matrix.taxonomy,
        image_ids=vectors.ids,
        vectors=vectors.vectors,
        Y=Y[rows],
        groups=groups,
        stated=np.isfinite(matrix.values[rows]),
        confirmed=matrix.confirmed[rows],
        n_assumed=n_assumed,
        n_without_vector=vectors.n_without_vector,
        hashes=vectors.hashes,
        space=vectors.space,
    )


def space_document(space: Space) -> dict[str, Any]:
    """Return the space as JSON-able."""
    settings = dict(space.settings)
    return {"name": space.name, "dim": space.dim, "dtype": space.dtype, "settings": settings}


def join_spaces(spaces: Sequence[Space]) -> Space:
    """Return the space whose vectors are those of several spaces side by side.

    It is not stored: its vectors are read from its parts, and its layers are theirs, so that what
    weighs the layers of a space alike weighs these alike.
    """
    if len(spaces) == 1:
        return spaces[0]
    layers = [layer for space in spaces for layer in _layers_of(space)]
    joined = [space_document(space) for space in spaces]
    settings = {"layers": layers, "joined": joined}
    name = " + ".join(space.name for space in spaces)
    return Space(name, sum(space.dim for space in spaces), "float16", settings)


def parts_of(space: Space) -> list[Space]:
    """Return the spaces that a space was joined of; a stored one is its own only part."""
    joined = space.settings.get("joined")
    return [Space(**part) for part in joined] if joined else [space]


def _layers_of(space: Space) -> list[list[Any]]:
    names = [str(name) for name, _ in space.settings.get("layers", [])]
    slices = layer_slices(space)
    if len(slices) != len(names):
        names = [space.name]
    widths = [stop - start for start, stop in slices]
    return [[name, width] for name, width in zip(names, widths, strict=True)]


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
