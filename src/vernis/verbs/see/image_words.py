"""What is written about each image: its labels, its texts and the words of its file name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vernis.core.words.label_columns import TEXT_NAMES
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.session.session import Session

PROPOSED_ORIGINS = frozenset({"clusters", "topics"})
"""Origins of taxonomies that were proposed from the images themselves: no evidence for a name."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HEXADECIMAL = re.compile(r"[0-9a-f]{8,}", re.IGNORECASE)
# Words that cameras, exports and folders leave in names, and the commonest ones of texts.
_EMPTY = """
img image images dsc dscn dcim pict photo photos picture pictures scan copy final edit edited
export jpg jpeg png tif tiff webp gif heic rgb cmyk web low high res thumb untitled new old
train test val valid validation training and are but for from has have her his into its not our
out that the their them there they this was were which who will with you your
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())


@dataclass(frozen=True, slots=True)
class ImageWords:
    """The words of each image, by where they come from.

    Attributes
    ----------
    image_ids : tuple of int
    labels : tuple of frozenset of str
        Effective labels of all chosen taxonomies; what a reader found on the picture is among them.
    texts : tuple of frozenset of str
        Words of title, caption, description and read text.
    names : tuple of frozenset of str
        Words of the file name and its folders.
    taxonomies : tuple of str
        Those that the labels are of.
    """

    image_ids: tuple[int, ...]
    labels: tuple[frozenset[str], ...]
    texts: tuple[frozenset[str], ...]
    names: tuple[frozenset[str], ...]
    taxonomies: tuple[str, ...]

    @property
    def kinds(self) -> Mapping[str, Sequence[frozenset[str]]]:
        """The three kinds by name, the most telling first."""
        return {"labels": self.labels, "texts": self.texts, "names": self.names}


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text or a file name in lower case, without those that say nothing."""
    plain = _HEXADECIMAL.sub(" ", _CAMEL.sub(" ", text))
    return frozenset(word.lower() for word in _WORD.findall(plain)) - _EMPTY_WORDS


def read_image_words(
    session: Session, images: Sequence[ImageRecord], taxonomies: Collection[str] = ()
) -> ImageWords:
    """Gather the words of images.

    Parameters
    ----------
    session : Session
    images : sequence of ImageRecord
        Present ones.
    taxonomies : collection of str
        Whose labels count; none named: all but those that clusters or topics were turned into.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    names = list(taxonomies) or [
        taxonomy.name
        for taxonomy in session.taxonomies()
        if taxonomy.origin not in PROPOSED_ORIGINS
    ]
    place = {image.id: row for row, image in enumerate(images)}
    labels: list[set[str]] = [set() for _ in images]
    for name in names:
        matrix = session.matrix(name)
        for row, column in np.argwhere(matrix.values == 1).tolist():
            at = place.get(int(matrix.image_ids[row]))
            if at is not None:
                labels[at].add(matrix.taxonomy.classes[column])
    lines = session.text_lines()
    texts = [
        frozenset[str]().union(
            *(words_of(str(image.metadata.get(key, ""))) for key in TEXT_NAMES),
            *map(words_of, lines.get(image.content_hash, ())),
        )
        for image in images
    ]
    return ImageWords(
        tuple(image.id for image in images),
        tuple(frozenset(own) for own in labels),
        tuple(texts),
        tuple(words_of(image.uri.rsplit(".", 1)[0]) for image in images),
        tuple(names),
    )
