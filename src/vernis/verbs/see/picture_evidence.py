"""What the pictures themselves say to a word: what they show, their colours, their type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance import colors, picture_type
from vernis.core.words.nearest_names import nearest_names
from vernis.core.words.noun_tree import Meaning, NounTree
from vernis.verbs.see.appearances import Appearances

if TYPE_CHECKING:
    from vernis.session.session import Session

Floats = NDArray[np.float32]

_HALF = 0.2  # share of the picture at which it is as probable as not that its colour is meant
_SHOWN = 2  # classes that are named as what was seen
_LEAST_SHOWN = 0.02
_TAGS, _LEAST_TAG, _LEAST_COLOR = 5, 0.1, 0.05
_FEW = 3  # classes that are all that is known of something, and are named
_SURELY_THE_SAME = 0.9  # similarity of a word to the one that is meant
_LONG = 6  # letters of a word that may be taken for another


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that a picture shows."""

    what: Annotated[str, "a class of the network, a colour or a type"]
    probability: Annotated[float, "0 to 1; of a colour the share of the picture"]


class PictureEvidence:
    """What the pictures of a collection say to words.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._words = session.picture_words()
        self._looks = Appearances(session)
        self._meanings: dict[str, Meaning | None] = {}
        self.nouns: NounTree = session.networks.nouns()
        self.image_ids: NDArray[np.int64] = session.table().ids

    def rows_of(self, image_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of images among all, -1 of those that are not present."""
        wanted = np.asarray(image_ids, np.int64)
        if np.array_equal(wanted, self.image_ids):
            return np.arange(len(wanted))
        rows = np.searchsorted(self.image_ids, wanted)
        there = rows < len(self.image_ids)
        there[there] = self.image_ids[rows[there]] == wanted[there]
        return np.where(there, rows, -1)

    def split(self, words: Sequence[str]) -> list[str]:
        """Join words that are one noun; before another part a colour is nothing but a colour."""
        parts = self.nouns.split(words)
        self._meanings |= {part: None for part in parts[:-1] if color_named(part)}
        return parts

    def meaning(self, text: str) -> Meaning | None:
        """Return what a word means in the network's classes."""
        if text not in self._meanings:
            self._meanings[text] = self.nouns.meaning(text)
        return self._meanings[text]

    def add_alike(self, text: str) -> None:
        """Let a word that means nothing mean the classes whose names are used like it."""
        if self.meaning(text) is None:
            names = self._session.networks.related_names()
            if names is not None:
                self._meanings[text] = self.nouns.alike(text, names.likeness(text))

    def knows(self, text: str) -> bool:
        """Tell whether the word is a noun of the network, a colour or a type."""
        return bool(self.meaning(text) or color_named(text) or type_named(text))

    def respelt(self, text: str) -> str:
        """Return the noun, colour or type that a word surely is a misspelling of, or itself."""
        if len(text) < _LONG:
            return text
        near = nearest_names(text, self._all_words, limit=1, least=_SURELY_THE_SAME)
        return near[0] if near else text

    @cached_property
    def _all_words(self) -> list[str]:
        return [*self.nouns.nouns(), *colors.COLORS, *picture_type.TYPES]

    def missing(self) -> Iterator[str]:
        """Say what is not known of the pictures."""
        if self._words is None:
            yield (
                "the pictures have no vectors of the shipped network (vernis embed makes them), so "
                "what they show is not searched"
            )
        elif len(self._words.image_ids) < len(self.image_ids):
            n = len(self.image_ids) - len(self._words.image_ids)
            yield f"of {n:,} images the picture itself is not searched; run vernis embed"
        if not self._looks:
            yield "colours and types of the pictures were not measured yet; run vernis embed"

    def limits(self, text: str) -> Iterator[str]:
        """Say what the network cannot know of a word."""
        if self._words is None or color_named(text) or type_named(text):
            return
        meaning = self.meaning(text)
        if meaning is None:
            yield (
                f"what {text!r} looks like is not known (no class of the network, nor a kind of "
                "one); it is looked for in labels, read text and file names alone" + self._remedy()
            )
        elif meaning.way == "nearest":
            near = meaning.nearest
            yield f"{text!r} is no class of the network; searched for as a kind of {near!r}"
        elif meaning.way == "alike":
            yield (
                f"{text!r} is no class of the network, nor a kind of one; searched for by names "
                f"that are used like it: {meaning.nearest}"
            )
        elif meaning.way == "related":
            yield f"{text!r} is no class of the network; searched for by what goes with it"
        elif meaning.n_classes <= _FEW:
            those = np.flatnonzero(meaning.weights >= 1).tolist()
            called = [" ".join(self.nouns.names[i]).lower() for i in those]
            if not any(text in names for names in called):
                only = ", ".join(self.nouns.class_names[i] for i in those)
                yield f"of {text!r} the network knows only: {only}"

    def _remedy(self) -> str:
        if self._session.networks.related_names() is not None:
            return ""
        return '; by words that are used like it too: pip install "vernis[related]"'

    def of(self, text: str) -> Mapping[str, Floats]:
        """Return the probability that each image has what a word means, by source."""
        found: dict[str, Floats] = {}
        meaning = self.meaning(text)
        if meaning is not None and self._words is not None:
            said = self._words.probabilities(meaning.weights[None])[:, 0]
            found["picture"] = self._spread(self._words.image_ids, said)
        color, kind = color_named(text), type_named(text)
        if color is not None and self._looks:
            share = self._looks.color(color)
            found["color"] = self._spread(self._looks.image_ids, share / (share + _HALF))
        if kind is not None and self._looks:
            found["type"] = self._spread(self._looks.image_ids, self._looks.type(kind))
        return found

    def _spread(self, image_ids: NDArray[np.int64], values: Floats) -> Floats:
        """Return the values of some images as those of all, 0 of the others."""
        result = np.zeros(len(self.image_ids), np.float32)
        rows = self.rows_of(image_ids)
        result[rows[rows >= 0]] = values[rows >= 0]
        return result

    def tags(self, image_ids: NDArray[np.int64]) -> list[tuple[Seen, ...]]:
        """Return the likeliest classes of some images, the likeliest first; none is a label."""
        if self._words is None:
            return [() for _ in image_ids]
        classes = self._words.classes(image_ids)
        order = np.argsort(-classes, axis=1, kind="stable")[:, :_TAGS]
        names = self.nouns.class_names
        return [
            tuple(_seen(names[i], row[i]) for i in best if row[i] >= _LEAST_TAG)
            for row, best in zip(classes, order.tolist(), strict=True)
        ]

    def colors(self, image_ids: NDArray[np.int64]) -> list[tuple[Seen, ...]]:
        """Return the colours that take a twentieth of each image or more, the largest first."""
        return self._looked(image_ids, colors.COLORS, self._looks.colors, _LEAST_COLOR)

    def types(self, image_ids: NDArray[np.int64]) -> list[tuple[Seen, ...]]:
        """Return what types each image may be of, the likeliest first."""
        return self._looked(image_ids, picture_type.TYPES, self._looks.types, _LEAST_TAG)

    def _looked(
        self, image_ids: NDArray[np.int64], names: Sequence[str], values: Floats, least: float
    ) -> list[tuple[Seen, ...]]:
        places = {image: row for row, image in enumerate(self._looks.image_ids.tolist())}
        result: list[tuple[Seen, ...]] = []
        for image in image_ids.tolist():
            row = values[places[image]] if image in places else np.zeros(len(names))
            order = np.argsort(-row, kind="stable").tolist()
            result.append(tuple(_seen(names[i], row[i]) for i in order if row[i] >= least))
        return result

    def seen(self, texts: Sequence[str], rows: NDArray[np.int64]) -> list[tuple[Seen, ...]]:
        """Return what speaks for the words in some pictures, the most telling first."""
        ids = self.image_ids[rows]
        result: list[list[Seen]] = [[] for _ in ids]
        for text in texts:
            meaning = self.meaning(text)
            if meaning is not None and self._words is not None:
                classes = self._words.classes(ids) * (meaning.weights > 0)
                order = np.argsort(-classes * meaning.weights, axis=1, kind="stable")[:, :_SHOWN]
                for own, row, best in zip(result, classes, order.tolist(), strict=True):
                    own += [
                        Seen(self.nouns.class_names[i], round(float(row[i]), 3))
                        for i in best
                        if row[i] >= _LEAST_SHOWN
                    ]
            color, kind = color_named(text), type_named(text)
            for name, values in (
                (color, self._looks.color(color) if color and self._looks else None),
                (kind, self._looks.type(kind) if kind and self._looks else None),
            ):
                if name is not None and values is not None:
                    spread = self._spread(self._looks.image_ids, values)[rows]
                    for own, value in zip(result, spread.tolist(), strict=True):
                        if value >= _LEAST_SHOWN:
                            own.append(Seen(name, round(value, 3)))
        return [tuple(own) for own in result]


def _seen(what: str, probability: float) -> Seen:
    return Seen(what, round(float(probability), 3))


def color_named(text: str) -> str | None:
    """Return the basic colour that a word names."""
    name = colors.ALIASES.get(text, text)
    return name if name in colors.COLORS else None


def type_named(text: str) -> str | None:
    """Return the type of picture that a word names, in singular or plural."""
    for form in (text, text.removesuffix("s")):
        name = picture_type.ALIASES.get(form, form)
        if name in picture_type.TYPES:
            return name
    return None
