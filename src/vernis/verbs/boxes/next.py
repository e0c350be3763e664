"""``vernis boxes next``: which pictures to draw boxes in next, so that a detector learns most.

Pictures that together cover the looks of the collection, the classes of the taxonomy and small,
medium and large objects, each further one of a kind worth less than the one before. Classes come
from labels and, where there are none, from the taxonomy's latest model; sizes from what ``vernis
detect`` has seen. What has boxes already counts, and duplicates are chosen once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.choosing import SIZES, Candidates, Chosen, choose_pictures, size_counts
from vernis.core.detect.vectors import ObjectTable
from vernis.domain.errors import NothingToLearn
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, WHERE, BaseSettings, OneOf, Option, Screen, Verb, count
from vernis.verbs.see.filters import select_images
from vernis.verbs.steps.detecting import SURE
from vernis.verbs.steps.drawn_boxes import drawn_regions

if TYPE_CHECKING:
    from vernis.session.session import Session
    from vernis.session.vectors import ImageVectors

_SURE_OF_SIZES = SURE / 2
"""Score from which an object that the shipped detector sees counts for its size."""
_WHY = ("looks", "classes", "sizes")


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which pictures, and how many."""

    taxonomy: Annotated[str, Option("the taxonomy whose classes are to be boxed")]
    _: KW_ONLY
    n: Annotated[int, count("pictures")] = 50
    where: Annotated[str, WHERE] = ""
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class NextRow:
    """A picture to draw boxes in."""

    image: Annotated[str, "path relative to the indexed folder"]
    classes: Annotated[tuple[str, ...], "what it is expected to show, the likeliest first"]
    sizes: Annotated[Mapping[str, int], "objects that the shipped detector sees, by their size"]
    adds: Annotated[str, "what it adds most to: looks, classes or sizes"]


@dataclass(frozen=True, slots=True)
class Result:
    """The pictures, those that are worth most first."""

    rows: tuple[NextRow, ...]
    drawn: Annotated[int, "images that have boxes of the taxonomy"]
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Choose pictures to draw boxes in.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    FilterError
        A wrong filter.
    NothingToLearn
        No picture has a vector, or each of them has boxes.
    """
    taxonomy = session.catalog.labels.taxonomy(settings.taxonomy)
    vectors = session.vectors(session.space())
    images_with_boxes = {one.image for one in drawn_regions(session, taxonomy.name)}
    drawn = np.isin(vectors.ids, list(images_with_boxes))
    wanted = np.ones(len(vectors.ids), bool)
    if settings.where.strip():
        wanted = np.isin(vectors.ids, select_images(session, settings.where)) | drawn
    if not (wanted & ~drawn).any():
        raise NothingToLearn(
            "no picture is left to draw boxes in: "
            + ("embed them first (vernis embed)" if not len(vectors.ids) else "all have some")
        )
    rows = np.flatnonzero(wanted)
    classes = _expected(session, settings.taxonomy, vectors)[rows]
    sizes, looked = _sizes(session, vectors, rows)
    X = vectors.X[rows] - vectors.X.mean(axis=0)
    X /= np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)
    candidates = Candidates(
        X, classes, sizes, session.duplicate_codes(vectors.ids)[rows], drawn[rows]
    )
    chosen = choose_pictures(candidates, settings.n, seed=settings.seed)
    notes = []
    if not classes.any():
        notes.append("no label or model says what is where: classes were not considered")
    if not looked:
        notes.append("sizes were not considered; look for objects first: vernis detect")
    return Result(
        rows=_rows(session, chosen, candidates, vectors.ids[rows], taxonomy.classes),
        drawn=len(images_with_boxes),
        notes=tuple(notes),
    )


def _expected(session: Session, taxonomy: str, vectors: ImageVectors) -> NDArray[np.float64]:
    """Return how surely each image shows each class, shape (n_images, n_classes)."""
    matrix = session.matrix(taxonomy)
    at = np.searchsorted(matrix.image_ids, vectors.ids)
    labels = np.asarray(matrix.values[at], np.float64)
    known = ~np.isnan(labels)
    record = session.catalog.models.latest(taxonomy)
    said = np.zeros_like(labels)
    if record is not None:
        kept = session.catalog.models.predictions(record)
        names = session.catalog.models.load(record)[1]["classes"]
        place = {int(image): row for row, image in enumerate(kept["image_ids"])}
        rows = [(row, place[int(i)]) for row, i in enumerate(vectors.ids) if int(i) in place]
        for column, name in enumerate(matrix.taxonomy.classes):
            if name in names and rows:
                here, there = np.array(rows).T
                said[here, column] = kept["ensemble"][there, names.index(name)]
    return np.where(known, labels, said)


def _sizes(
    session: Session, vectors: ImageVectors, rows: NDArray[np.intp]
) -> tuple[NDArray[np.float64], bool]:
    """Return the objects of each size, and whether anybody has looked for some."""
    space = session.models.object_model().space
    hashes = [vectors.hashes[row] for row in rows]
    held = np.flatnonzero(session.catalog.vectors.holds(space, hashes))
    counts = np.zeros((len(rows), len(SIZES)))
    if not len(held):
        return counts, False
    read = session.catalog.vectors.read(space, [hashes[at] for at in held])
    table = ObjectTable.of_vectors(np.asarray(read, np.float32), _SURE_OF_SIZES)
    for at, row in enumerate(held):
        counts[row] = size_counts(table.boxes[table.pictures == at])
    return counts, True


def _rows(
    session: Session,
    chosen: Chosen,
    candidates: Candidates,
    ids: NDArray[np.int64],
    names: Sequence[str],
) -> tuple[NextRow, ...]:
    uris = session.uris_of(ids[chosen.rows].tolist())
    found = []
    for row, gain in zip(chosen.rows.tolist(), chosen.gains, strict=True):
        likely = candidates.classes[row]
        order = [c for c in np.argsort(-likely, kind="stable") if likely[c] >= 0.5]
        sizes = dict(zip(SIZES, candidates.sizes[row].astype(int).tolist(), strict=True))
        found.append(
            NextRow(
                image=uris[int(ids[row])],
                classes=tuple(names[c] for c in order),
                sizes=sizes,
                adds=_WHY[int(np.argmax(gain))],
            )
        )
    return tuple(found)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the pictures."""
    rows = [
        {
            "image": row.image,
            "expected": row.classes,
            "objects": " ".join(f"{n} {size}" for size, n in row.sizes.items() if n),
            "adds most to": row.adds,
        }
        for row in result.rows
    ]
    screen.table(
        rows,
        ["image", "expected", "objects", "adds most to"],
        title=f"Pictures to draw boxes of {settings.taxonomy} in",
    )
    screen.line(
        f"{counted(result.drawn, 'image has', 'images have')} boxes of it already. "
        "Box everything in a picture; vernis boxes accept takes what is proposed."
    )


VERB = Verb(Settings, work, show, document=OneOf("rows"), access="read")
