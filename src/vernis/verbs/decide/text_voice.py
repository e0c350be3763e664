"""The brands that were read as a voice of their own, beside the image model.

``vernis brands`` keeps the list of a taxonomy; from then on what is read speaks wherever labels of
that taxonomy are judged or filled. How often a reading is right is estimated from the given labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.text.brands import BrandMatch
from vernis.core.text.conclusions import Certainty, contradiction, probabilities
from vernis.core.text.voice import hear_voice, reading_voice
from vernis.session.vectors import TrainingData
from vernis.verbs.decide.brand_reading import (
    BrandEvidence,
    BrandList,
    ReadImage,
    brands_of_class,
    class_of_brand,
    find_brands,
)
from vernis.verbs.decide.told_apart import (
    LeaveOut,
    known_states,
    tell_apart,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_FEWEST = 10
"""Labelled images below which the pictures are not asked."""


@dataclass(frozen=True, slots=True, eq=False)
class TextVoice:
    """What the text in the pictures says of the classes of a taxonomy, for the rows of its data.

    Attributes
    ----------
    source : str
        ``reader:NAME`` or ``api:NAME``, of what read the first image.
    matches, evidence : tuple
        The brands that are read in each image, the tallest first; () where none is.
    given : tuple of frozenset of str
        The brands that each image is labelled with; empty where that is not known.
    column_of : mapping of str to int
        Brand → its class.
    right : mapping
        Share of right readings by certainty.
    log_odds : ndarray of float32, shape (n_images, n_classes)
        What they add to the log-odds of each class; 0 where nothing is read.
    """

    source: str
    matches: tuple[tuple[BrandMatch, ...], ...]
    evidence: tuple[tuple[BrandEvidence, ...], ...]
    given: tuple[frozenset[str], ...]
    column_of: Mapping[str, int]
    right: Mapping[Certainty, float]
    log_odds: NDArray[np.float32]

    def contradicts(self, row: int) -> bool:
        """Tell whether a brand is surely read that is not the given one, and that one is not."""
        return contradiction(self.matches[row], self.given[row]) is not None


def voice_mark(session: Session, taxonomy: str) -> str:
    """Return a hash of everything read that speaks of a taxonomy; "" where nothing does."""
    listed = session.results.find(f"brands:{taxonomy}", BrandList)
    if listed is None:
        return ""
    answers = session.catalog.answers
    logos = [(service.name, answers.spent(service)) for service in answers.services()]
    return fingerprint(listed, session.catalog.readings.mark(), logos)


def hear_text(session: Session, data: TrainingData) -> TextVoice | None:
    """Return what was read of the classes of a taxonomy; None without a list of brands."""
    listed = session.results.find(f"brands:{data.taxonomy.name}", BrandList)
    if listed is None:
        return None
    return voice_of(listed, find_brands(session, listed), data)


def voice_of(
    listed: BrandList, images: Sequence[ReadImage], data: TrainingData
) -> TextVoice | None:
    """Return what the brands in images say of the classes; None where no image was read."""
    found = {one.image.id: one for one in images}
    if not found:
        return None
    classes = data.taxonomy.classes
    read = [found.get(image) for image in data.image_ids.tolist()]
    matches = tuple(() if one is None else one.matches for one in read)
    brand_of = brands_of_class(listed.brands, classes)
    given = tuple(
        frozenset(brand_of[classes[k]] for k in np.flatnonzero(row == 1) if classes[k] in brand_of)
        for row in data.Y
    )
    place = {name: column for column, name in enumerate(classes)}
    named = class_of_brand(listed.brands, classes)
    column_of = {brand: place[name] for brand, name in named.items()}
    right = probabilities(matches, given)
    return TextVoice(
        source=next(iter(found.values())).source,
        matches=matches,
        evidence=tuple(() if one is None else one.evidence for one in read),
        given=given,
        column_of=column_of,
        right=right,
        log_odds=reading_voice(matches, column_of, len(classes), right),
    )


@dataclass(frozen=True, slots=True, eq=False)
class BothVoices:
    """What pictures say of the classes alone, and together with the text, for the rows of ``data``.

    Both have shape (n_images, n_classes); no image is predicted by its own label.
    """

    data: TrainingData
    pictures: NDArray[np.float32]
    together: NDArray[np.float32]

    def row_of(self, image_id: int) -> int | None:
        """Return the row of an image; None where it has no vector."""
        row = int(np.searchsorted(self.data.image_ids, image_id))
        there = row < len(self.data.image_ids) and self.data.image_ids[row] == image_id
        return row if there else None


def hear_both(
    session: Session, listed: BrandList, images: Sequence[ReadImage]
) -> BothVoices | None:
    """Return what pictures and text say; None where the pictures do not tell the classes apart."""
    space = session.current_space()
    known = {taxonomy.name for taxonomy in session.taxonomies()}
    if space is None or listed.taxonomy not in known:
        return None
    data = session.training_data(listed.taxonomy, space)
    said = LeaveOut(data, 0)
    if data.n_labelled < _FEWEST or not tell_apart(session, data, said=said).is_judged:
        return None
    voice = voice_of(listed, images, data)
    assert voice is not None
    states = known_states(data)
    pictures = said.of_all_classes
    together = hear_voice(pictures, voice.log_odds, states, data.taxonomy.kind)
    return BothVoices(data, pictures, together)
