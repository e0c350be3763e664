"""Search by words in labels, read text and file names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.documents import (
    WordDocument,
    WordMatch,
    asked_words,
    correct_words,
    split_words,
)
from vernis.domain.errors import UsageError

if TYPE_CHECKING:
    from vernis.session.session import Session

_NO_WORDS = ("mode", "taken", "format")  # metadata that nobody searches by words


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What a search by words found; ``notes`` say how."""

    matches: list[WordMatch]
    notes: tuple[str, ...]


class WordIndex(Protocol):
    """A full-text index of images."""

    def vocabulary(self) -> list[str]:
        """Return every word."""
        ...

    def find(self, words: Sequence[str], *, every: bool) -> list[WordMatch]:
        """Return the images with every word, or with any, best first; beginnings count."""
        ...


def words_fingerprint(session: Session) -> str:
    """Return what changes whenever the words of the present images may have changed."""
    images = [(image.id, image.uri, image.content_hash) for image in session.images()]
    read = session.catalog.readings.mark()
    # Every change of a label is in a batch, an undo is one too; the latest one may still grow.
    latest = session.catalog.history.batches(1)
    return fingerprint(images, read, (latest[0]["id"], latest[0]["events"]) if latest else 0)


def find_words(index: WordIndex, text: str, allowed: set[int] | None, count: int) -> FoundWords:
    """Search, first for images with every word, then for those with any.

    Parameters
    ----------
    index : WordIndex
    text : str
    allowed : set of int, optional
        Ids of the images that may be found; default all.
    count : int
        Matches wanted.

    Raises
    ------
    UsageError
        The text holds no word.
    """
    asked = asked_words(text)
    if not asked:
        raise UsageError(f"nothing to search for in {text!r}; give a word")
    corrected = correct_words(asked, index.vocabulary())
    notes = [
        f"nothing is named {word!r}; searched for {other!r}"
        for word, other in corrected.items()
        if word != other
    ]
    words = list(dict.fromkeys(corrected.values()))
    for every in (True, False):
        found = index.find(words, every=every)
        matches = [m for m in found if allowed is None or m.image_id in allowed]
        if matches:
            if not every:
                notes.append("no image has all the words; these have some of them")
            return FoundWords(matches[:count], tuple(notes))
    return FoundWords([], tuple(notes))


def word_documents(session: Session) -> Iterator[WordDocument]:
    """Yield the words of each image."""
    images = session.images()
    labels: dict[int, list[str]] = {image.id: [] for image in images}
    read: dict[int, list[str]] = {image.id: [] for image in images}
    for taxonomy in session.taxonomies():
        matrix = session.matrix(taxonomy.name)
        by_reader = session.catalog.labels.images_said_by(taxonomy.name, "reader:")
        words = [" ".join(split_words(name)) for name in matrix.taxonomy.classes]
        for row, column in np.argwhere(matrix.values == 1):
            image_id = int(matrix.image_ids[row])
            place = read if image_id in by_reader else labels
            if image_id in place:
                place[image_id].append(words[column])
    lines = session.text_lines()
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
            " ".join(labels[image.id]),
            " ".join([*read[image.id], *split_words(" ".join(texts))]),
            " ".join(split_words(image.uri.rpartition(".")[0] or image.uri)),
        )
