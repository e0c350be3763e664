"""Search in one embedding space: load the vectors once, ask often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.search import (
    RULES,
    ExactIndex,
    Hits,
    Rule,
    combine_examples,
    scan,
)
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.ports import Rows
from vernis.domain.types import ImageRecord, Space

if TYPE_CHECKING:
    from vernis.session.session import Session

APPROXIMATE_FROM = 200_000
"""Vectors from which a search is approximate unless told otherwise: docs/decisions/search.md."""

_APART = "the words of this text model cannot be compared with the pictures"


class VectorIndex(Protocol):
    """Finds the rows with the largest product with any of the queries."""

    def search(
        self, queries: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> Hits:
        """Return the best rows of those allowed; see ``core.explore.search``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found, best first: ids of images and their similarities."""

    image_ids: NDArray[np.int64]
    similarities: NDArray[np.float32]


class Searcher:
    """The vectors of a space, loaded once, and what is needed to search in them.

    It sees the collection as it was when it was made.

    Parameters
    ----------
    session : Session
    space : Space

    Attributes
    ----------
    image_ids : ndarray of int64, shape (n_images,)
        The images with a vector, ascending.
    vectors : Rows, shape (n_images, dim)
        As stored; of very many a row is read when it is compared.
    missing : int
        Present images that have no vector and so cannot be found.

    Raises
    ------
    UsageError
        No image has a vector.
    """

    def __init__(self, session: Session, space: Space) -> None:
        table, stored = session.table(), session.catalog.vectors
        rows = np.flatnonzero(stored.holds(space, table.hashes))
        self.space = space
        self.image_ids = table.ids[rows]
        self.missing = len(table.ids) - len(rows)
        if not len(rows):
            raise UsageError(f"no image has a vector of {space.name}; make them: vernis embed")
        self._hashes = table.hashes[rows]
        vectors: Rows = stored.rows(space, self._hashes)
        # The approximate index leads to few of them.
        self.vectors = vectors[:] if len(vectors) < APPROXIMATE_FROM else vectors

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def exact(self) -> ExactIndex:
        """The exact index, made when it is first asked for; worth it from the second query on."""
        return ExactIndex(self.vectors)

    def fingerprint(self) -> str:
        """Return what changes whenever the vectors do."""
        return fingerprint(self.space, self._hashes.view(np.uint8))

    def vector_of(self, image: ImageRecord) -> NDArray[np.generic] | None:
        """Return the stored vector of an image, shape (dim,), None where there is none."""
        row = int(np.searchsorted(self.image_ids, image.id))
        if row < len(self.image_ids) and self.image_ids[row] == image.id:
            return np.asarray(self.vectors[row : row + 1][0])
        return None

    def find(
        self,
        examples: NDArray[np.generic],
        counter_examples: NDArray[np.generic] | None = None,
        *,
        count: int = 8,
        rule: Rule = "all",
        among: NDArray[np.int64] | None = None,
        without: Iterable[int] = (),
        index: VectorIndex | None = None,
    ) -> Found:
        """Find the images that resemble examples.

        Parameters
        ----------
        examples, counter_examples : ndarray, shape (n, dim)
            See ``core.explore.search.combine_examples``.
        count : int
            Images wanted, 1 or more.
        rule : {"all", "any"}
            Like all examples together, or like any one of them.
        among : ndarray of int64, optional
            Ids of the images that may be found; default all.
        without : iterable of int
            Ids of images that are not to be found (the examples themselves).
        index : VectorIndex, optional
            Default: all vectors are compared, which is the quickest way to a single answer.

        Raises
        ------
        UsageError
            ``count`` is below 1, or ``rule`` is unknown.
        """
        check_count(count)
        if rule not in RULES:
            raise UsageError(f"expected a rule of {', '.join(RULES)}, got {rule!r}")
        dim = self.space.dim
        if np.shape(examples)[1:] != (dim,):
            raise InvalidValue(f"expected examples of {dim} dimensions, got {np.shape(examples)}")
        against = np.zeros((0, dim), np.float32) if counter_examples is None else counter_examples
        queries = combine_examples(examples, against, rule)
        allowed = self._allowed(among, without)
        if index is not None:
            hits = index.search(queries, count, allowed)
        else:
            hits = scan(queries, self.vectors, count, allowed)
        return Found(self.image_ids[hits.rows], hits.scores)

    def _allowed(
        self, among: NDArray[np.int64] | None, without: Iterable[int]
    ) -> NDArray[np.bool_] | None:
        excluded = np.array(sorted(without), dtype=np.int64)
        if among is None and not len(excluded):
            return None
        allowed = (
            np.ones(len(self), dtype=np.bool_) if among is None else np.isin(self.image_ids, among)
        )
        allowed &= ~np.isin(self.image_ids, excluded)
        return allowed


def check_count(count: int) -> None:
    """Raise UsageError unless at least one image is wanted."""
    if count < 1:
        raise UsageError(f"expected at least 1 image to find (--k), got {count}")


def labels_of(session: Session, image_ids: Sequence[int]) -> list[Mapping[str, tuple[str, ...]]]:
    """Return taxonomy → labels of each image; taxonomies in which it has none are left out."""
    rows: list[dict[str, tuple[str, ...]]] = [{} for _ in image_ids]
    if not len(image_ids):
        return []
    for taxonomy in session.taxonomies():
        matrix = session.matrix(taxonomy.name)
        places = np.searchsorted(matrix.image_ids, np.asarray(image_ids))
        for row, place, image_id in zip(rows, places, image_ids, strict=True):
            if place < len(matrix.image_ids) and matrix.image_ids[place] == image_id:
                held = np.flatnonzero(matrix.values[place] == 1)
                if len(held):
                    row[taxonomy.name] = tuple(matrix.taxonomy.classes[i] for i in held)
    return list(rows)


def choose_space(
    spaces: Sequence[Space], name: str, dim: int, choose: Callable[[], Space]
) -> Space:
    """Return the space that a text model was trained with.

    Parameters
    ----------
    spaces : sequence of Space
        Embedding spaces of the collection.
    name : str
        Of the image tower, "" when it is not known.
    dim : int
        Of the text vectors.
    choose : callable
        Gives the space that is used unless told otherwise.

    Raises
    ------
    UsageError
        No space fits.
    """
    if name:
        begins = (f"{name}@", f"{name}:")
        named = [s for s in spaces if s.name == name or s.name.startswith(begins)]
        if not named:
            near = did_you_mean(name, [space.name for space in spaces])
            raise UsageError(
                f"{_APART}: no embeddings of {name!r}, its image tower{near}; make them (vernis "
                f"embed --backbone {name}.onnx), or name the space: --space NAME"
            )
    else:
        named = [choose()]
    fitting = [space for space in named if space.dim == dim]
    if not fitting:
        raise UsageError(
            f"{_APART}: the space {named[-1].name!r} has {named[-1].dim} dimensions, the text "
            f"model {dim}; embed with its own image tower (vernis embed --backbone MODEL.onnx) or "
            "name the space of it: --space NAME"
        )
    return fitting[-1]
