"""``vernis tag``: suggest what pictures show, by the classes of the shipped network.

ImageNet's 1,000 classes and the everyday words above them (Siamese cat, cat, animal), from the
vectors that are there: no picture is read. They are suggestions of the source ``model:imagenet``,
below whatever anybody says, and label nothing until they are accepted: by ``--accept WORD,…`` or,
image by image, in the app. Filters ask for them (``suggested:cat``); ``vernis show`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_names import match_key
from vernis.core.words.common_nouns import COMMON_NOUNS
from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import UsageError
from vernis.domain.types import Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.declare import WHERE, BaseSettings, Option, Screen, Verb, rows_shown, share
from vernis.verbs.see.filters import select_images

if TYPE_CHECKING:
    from vernis.core.explore.picture_words import PictureWords
    from vernis.session.session import Session

SOURCE = "model:imagenet"
ACCEPTED = "accepted:imagenet"
TAXONOMY = "tags"
_PIECE = 4096  # images whose classes are held at a time
_DIGITS = 4


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which images are looked at, and what is kept or accepted."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    sure: Annotated[float, share("only words that are shown with this probability")] = 0.5
    accept: Annotated[
        Sequence[str],
        Option("make these suggested words labels, as one batch; all: every one", joined=True),
    ] = ()
    taxonomy: Annotated[str, Option("where they are kept", "NAME")] = TAXONOMY
    limit: Annotated[int | None, rows_shown(what="words")] = None


@dataclass(frozen=True, slots=True)
class WordRow:
    """A word, and the images that it is suggested for."""

    word: str
    images: int
    accepted: Annotated[int, "images of which it was made a label by this run"]


@dataclass(frozen=True, slots=True)
class Result:
    """What the pictures show by the shipped network."""

    taxonomy: str
    source: str
    images: Annotated[int, "images that were asked for"]
    seen: Annotated[int, "of these, images with a vector of the shipped network"]
    tagged: Annotated[int, "of these, images with a word"]
    words: Annotated[tuple[WordRow, ...], "the most frequent first"]
    suggested: Annotated[int, "words of images that are suggested"]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing changed"]
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Suggest what the pictures show, and accept what is asked for.

    What was suggested before for these images and is not any more is withdrawn.

    Raises
    ------
    UsageError
        No picture has a vector of the shipped network; the taxonomy is somebody's own; a word that
        is accepted is suggested for no image.
    FilterError
        A wrong filter.
    """
    name = _own_taxonomy(session, settings.taxonomy)
    pictures = session.picture_words()
    if pictures is None:
        raise UsageError(
            "no picture has a vector of the shipped network; the command for it is vernis embed"
        )
    ids = session.table().ids
    if settings.where.strip():
        ids = select_images(session, settings.where)
    said = list(_statements(session, pictures, ids, settings.sure))
    accepted = _accepted(said, settings.accept)
    with session.lock("tag"), session.catalog.transaction():
        batch = _write(session, name, said, accepted, ids)
    seen = np.isin(ids, pictures.image_ids)
    counts, taken = _counts(said), _counts(accepted)
    rows = tuple(WordRow(word, n, taken.get(word, 0)) for word, n in counts.items())
    notes = []
    if not seen.all():
        n = int((~seen).sum())
        notes.append(f"{counted(n, 'image has', 'images have')} no vector yet; run vernis embed")
    return Result(
        taxonomy=name,
        source=SOURCE,
        images=len(ids),
        seen=int(seen.sum()),
        tagged=len({one.image_id for one in said}),
        words=rows[: settings.limit],
        suggested=len(said),
        batch=batch,
        notes=tuple(notes),
    )


def _own_taxonomy(session: Session, name: str) -> str:
    """Return the name where no taxonomy of the owner's has it."""
    known = next((one for one in session.taxonomies() if one.name == name), None)
    if known is not None and known.origin != SOURCE:
        raise UsageError(
            f"the taxonomy '{name}' is yours; name another one for these words: --taxonomy NAME"
        )
    return name


def _statements(
    session: Session, pictures: PictureWords, ids: NDArray[np.int64], sure: float
) -> Iterator[Statement]:
    """Yield the words that images show with at least this probability, image by image."""
    nouns = pictures.classifier.nouns
    below = nouns.words_above(COMMON_NOUNS)
    words = sorted(below)
    weights = np.zeros((nouns.n_classes, len(words)), np.float32)
    for column, word in enumerate(words):
        weights[below[word], column] = 1.0
    ids = ids[np.isin(ids, pictures.image_ids)]
    session.progress("tag", 0, len(ids))
    for start in range(0, len(ids), _PIECE):
        piece = ids[start : start + _PIECE]
        chances = np.minimum(pictures.classes(piece) @ weights, 1.0)
        for row, column in np.argwhere(chances >= sure).tolist():
            probability = round(float(chances[row, column]), _DIGITS)
            yield Statement(int(piece[row]), words[column], "yes", probability)
        session.progress("tag", start + len(piece), len(ids))


def _accepted(said: Sequence[Statement], words: Sequence[str]) -> list[Statement]:
    """Return the statements whose words are accepted; raises UsageError for one that none has."""
    if [match_key(word) for word in words] == ["all"]:
        return list(said)
    known = {match_key(one.label) for one in said}
    for word in words:
        if match_key(word) not in known:
            near = did_you_mean(word, sorted({one.label for one in said}))
            raise UsageError(f"{word!r} is suggested for no image{near or ''}")
    wanted = set(map(match_key, words))
    return [one for one in said if match_key(one.label) in wanted]


def _write(
    session: Session,
    name: str,
    said: Sequence[Statement],
    accepted: Sequence[Statement],
    ids: NDArray[np.int64],
) -> int:
    """Write what is suggested for some images, and what is accepted; returns the batch or 0."""
    labels = session.catalog.labels
    there = any(one.name == name for one in session.taxonomies())
    if not said and not there:
        return 0
    labels.define(
        Taxonomy(
            name,
            "multi",
            tuple(sorted({one.label for one in said})),
            origin=SOURCE,
            description="what the shipped network takes pictures for; accepted ones are labels",
            ignored=True,
        )
    )
    asked = set(ids.tolist())
    before = labels.statements_about(name, labels.taxonomy(name).classes).get(SOURCE, ())
    others = [one for one in before if one.image_id not in asked]
    batch = 0
    if accepted:  # first, so that the batch is a decision, which a plain undo takes back
        note = f"{counted(len(accepted), 'label')} accepted"
        batch = labels.record(name, accepted, source=ACCEPTED, verb="tag", note=note)
    note = f"{counted(len(said), 'suggestion')}"
    suggested = [*others, *said]
    return labels.replace_source(name, suggested, source=SOURCE, verb="tag", note=note) or batch


def _counts(said: Sequence[Statement]) -> Mapping[str, int]:
    """Return word → images, the most frequent first."""
    counts: dict[str, int] = {}
    for one in said:
        counts[one.label] = counts.get(one.label, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the most frequent words, and how to go on."""
    if result.words:
        columns = ["word", "images", "accepted"] if settings.accept else ["word", "images"]
        screen.table(result.words, columns, title="What pictures are taken for")
    screen.line(
        f"{counted(result.suggested, 'suggestion')} ({result.source}) for {result.tagged:,} of "
        f"{counted(result.images, 'image')}, in the taxonomy {result.taxonomy}; none is a label "
        "until it is accepted"
    )
    if result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} takes it back)")
    if result.words and not settings.accept:
        word = result.words[0].word
        named = f'"{word}"' if " " in word else word
        screen.line(
            f"Next: vernis search --where 'suggested:{named}', then vernis tag --accept {named}"
        )


VERB = Verb(Settings, work, show)
