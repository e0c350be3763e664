"""What is written of images: the documents of the full-text index, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.documents import WordDocument, split_words

if TYPE_CHECKING:
    from vernis.domain.types import ImageRecord, LabelMatrix
    from vernis.session.session import Session

_NO_WORDS = ("mode", "taken", "format")  # metadata that nobody searches by words
_BLOCK = 10_000  # images whose documents are made at once


class WrittenWords:
    """The words of the present images, as they are when this is made or later.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    mark : int
        The latest event.
    fingerprint : str
        Differs when the words of images may have changed otherwise than by events.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.mark: int = session.catalog.history.mark()
        images = session.kept("fingerprint of the images", ("images",), lambda: _files(session))
        # A class that is new changes nothing for images that events are not about.
        kinds = [replace(taxonomy, classes=()) for taxonomy in session.taxonomies()]
        self.fingerprint: str = fingerprint(images, session.catalog.readings.mark(), kinds)

    def changed_since(self, mark: int) -> Sequence[int]:
        """Return the images that events after a mark are about."""
        return self._session.catalog.history.images_since(mark)

    def documents(self, images: Sequence[int] | None = None) -> Iterator[WordDocument]:
        """Yield the words of some images, default all; of those that are not present none."""
        session = self._session
        ids = session.table().ids
        if images is not None:
            ids = _those_in(ids, np.array(sorted(set(images)), np.int64))
        labels = [_Labels.of(session, taxonomy.name) for taxonomy in session.taxonomies()]
        lines = session.text_lines()
        for first in range(0, len(ids), _BLOCK):
            records = session.catalog.images.get(ids[first : first + _BLOCK].tolist())
            yield from _documents(records, labels, lines)


@dataclass(frozen=True, slots=True)
class _Labels:
    """The labels of a taxonomy, the words of its classes, and the images that readers label."""

    matrix: LabelMatrix
    words: list[str]
    by_reader: set[int]

    @classmethod
    def of(cls, session: Session, taxonomy: str) -> _Labels:
        matrix = session.matrix(taxonomy)
        return cls(
            matrix,
            [" ".join(split_words(name)) for name in matrix.taxonomy.classes],
            session.catalog.labels.images_said_by(taxonomy, "reader:"),
        )


def _files(session: Session) -> str:
    table = session.table()
    return fingerprint(table.ids, table.uris, table.hashes.view(np.uint8))


def _those_in(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the wanted ids that are among the others; both ascending, few wanted of many."""
    rows = np.searchsorted(ids, wanted)
    there = rows < len(ids)
    there[there] = ids[rows[there]] == wanted[there]
    return wanted[there]


def _documents(
    images: Sequence[ImageRecord], labels: Sequence[_Labels], lines: Mapping[str, Sequence[str]]
) -> Iterator[WordDocument]:
    ids = np.array([image.id for image in images], np.int64)
    given: dict[int, list[str]] = {image.id: [] for image in images}
    read: dict[int, list[str]] = {image.id: [] for image in images}
    for own in labels:
        rows = np.searchsorted(own.matrix.image_ids, _those_in(own.matrix.image_ids, ids))
        held, columns = np.nonzero(own.matrix.values[rows] == 1)
        holders = own.matrix.image_ids[rows[held]]
        for image_id, column in zip(holders.tolist(), columns.tolist(), strict=True):
            place = read if image_id in own.by_reader else given
            place[image_id].append(own.words[column])
    for image in images:
        texts = [
            *lines.get(image.content_hash, ()),
            *(
                str(value)
                for key, value in image.metadata.items()
                if isinstance(value, str) and key not in _NO_WORDS
            ),
        ]
        yield WordDocument(
            image.id,
            " ".join(given[image.id]),
            " ".join([*read[image.id], *split_words(" ".join(texts))]),
            " ".join(split_words(image.uri.rpartition(".")[0] or image.uri)),
        )
