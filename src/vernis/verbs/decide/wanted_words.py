"""Which labels go into the files: by who said them, and as which words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vernis.core.words.class_names import LEVELS
from vernis.domain.errors import InvalidValue
from vernis.domain.metadata import Word
from vernis.domain.types import HeldLabel

if TYPE_CHECKING:
    from vernis.session.session import Session

Said = Literal["human", "accepted", "fill", "given", "proposal", "reader", "api"]
"""Who said a label: a person; a suggestion that a person accepted; ``fill --apply``; an import;
clusters and topics that were made classes; a reader of text or an outside service."""

KEYWORDS = frozenset({"keywords", "keyword", "tags", "tag", "subject", "subjects"})
"""Taxonomies whose classes are written as they are; others stand above theirs in a hierarchy."""
FROM_FILES = "given:xmp"
"""Source of what stood in the files themselves, which is never written there."""

_FILL = "accepted:fill"


@dataclass(frozen=True, slots=True)
class WantedWords:
    """Words by image, and the labels that do not go out.

    Attributes
    ----------
    words : mapping of int to tuple of Word
    left_out : mapping of str to int
        Who said them → labels.
    unfit : tuple of str
        Classes whose names no file can hold.
    """

    words: Mapping[int, tuple[Word, ...]]
    left_out: Mapping[str, int]
    unfit: tuple[str, ...]


def wanted_words(
    session: Session, taxonomies: Sequence[str], included: Collection[str]
) -> WantedWords:
    """Return the effective labels of present images as words.

    Parameters
    ----------
    session : Session
    taxonomies : sequence of str
    included : collection of str
        Of ``Said``.
    """
    words: dict[int, list[Word]] = {}
    left_out: Counter[str] = Counter()
    unfit: dict[str, None] = {}
    for name in taxonomies:
        for held in session.catalog.labels.held(name):
            who = who_said(held.source)
            if held.source == FROM_FILES:
                continue
            if who not in included:
                left_out[who] += 1
                continue
            try:
                words.setdefault(held.image_id, []).append(word_of(name, held))
            except InvalidValue:
                unfit[f"{name}: {held.label!r}"] = None
    found = {image: tuple(said) for image, said in words.items()}
    return WantedWords(found, dict(left_out.most_common()), tuple(unfit))


def who_said(source: str) -> str:
    """Return which of ``Said`` a source is.

    >>> who_said("accepted:fill@kernel@2"), who_said("human:anna")
    ('fill', 'human')
    """
    return "fill" if source.startswith(_FILL) else source.partition(":")[0]


def word_of(taxonomy: str, held: HeldLabel) -> Word:
    """Return a label as a word; raises InvalidValue where its name fits into no file."""
    source, _, model = held.source.partition("@")
    if taxonomy.lower() in KEYWORDS:
        levels = [level for level in held.label.split(LEVELS) if level.strip()]
        path = tuple(levels) or (held.label,)
    else:
        path = (taxonomy, held.label)
    return Word(path, taxonomy, held.label, source, model, held.probability, held.time)
