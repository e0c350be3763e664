"""``vernis export``: write the labels to a file that other programs, and the import, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from vernis.core.words.label_columns import TEXT_NAMES
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import attributes_text
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.domain.types import LabelMatrix, LabelState
    from vernis.session.session import Session

_PEOPLE = ("given", "human:", "accepted:")


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is written, and where to."""

    format: Annotated[
        Literal["csv", "tsv", "xlsx"],
        Option("a table of a row an image and a column a taxonomy, as text or for Excel"),
    ]
    out: Annotated[Path | str, Option("the file to write")]
    _: KW_ONLY
    taxonomy: Annotated[
        Sequence[str], Option("write this taxonomy (repeatable; default: all of them)")
    ] = ()
    overwrite: Annotated[bool, Option("write over a file that is there")] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was written."""

    path: str
    images: int
    labelled: Annotated[Mapping[str, int], "taxonomy → images with a label"]
    notes: Annotated[tuple[str, ...], "what the format does not hold"]


def work(session: Session, settings: Settings) -> Result:
    """Write every image with its effective labels.

    Classes of a cell are joined by ``|``. Where images are known not to carry some, these stand in
    a column ``NAME (no)``. Names that would not be read back from that (they hold a ``|``, or look
    like blanks or numbers) make a column of JSON. ``vernis import`` reads the file back as it was.
    """
    names = settings.taxonomy or [taxonomy.name for taxonomy in session.taxonomies()]
    matrices = [session.matrix(name) for name in dict.fromkeys(names)]
    exchange = exchange_set(session, matrices)
    written = session.write_labels(
        settings.format, exchange, Path(settings.out), overwrite=settings.overwrite
    )
    notes = [f"not written: {loss.text} ({loss.count:,})" for loss in written.losses]
    closed = [f"--closed {matrix.taxonomy.name}" for matrix in matrices if matrix.taxonomy.closed]
    if closed:
        notes.append(f"blank classes mean no: a new collection imports it with {' '.join(closed)}")
    return Result(
        str(written.path),
        written.images,
        {matrix.taxonomy.name: int(matrix.labelled.sum()) for matrix in matrices},
        tuple(notes),
    )


def exchange_set(session: Session, matrices: Sequence[LabelMatrix]) -> ExchangeSet:
    """Return the images with their effective labels, by path.

    Parameters
    ----------
    session : Session
    matrices : sequence of LabelMatrix
        Of the taxonomies that are wanted.
    """
    labels: dict[int, list[ExchangeLabel]] = {}
    for matrix in matrices:
        for image_id, label in (*_labels_of(matrix), *_unreadable(session, matrix)):
            labels.setdefault(image_id, []).append(label)
    images = []
    for image in sorted(session.images("present", "unreadable"), key=lambda image: image.uri):
        texts = {name: image.metadata[name] for name in sorted(TEXT_NAMES & set(image.metadata))}
        found = tuple(labels.get(image.id, ()))
        images.append(
            ExchangeImage(
                image.uri,
                (image.width or 0, image.height or 0),
                image.split,
                attributes=attributes_text({n: t for n, t in texts.items() if t}),
                labels=found,
            )
        )
    taxonomies = (
        ExchangeTaxonomy(
            matrix.taxonomy.name,
            matrix.taxonomy.kind,
            tuple(map(ExchangeClass, matrix.taxonomy.classes)),
            matrix.taxonomy.closed,
        )
        for matrix in matrices
    )
    root = session.catalog.images.root()
    return ExchangeSet(tuple(images), tuple(taxonomies), folder=str(root or ""))


def _labels_of(matrix: LabelMatrix) -> Iterator[tuple[int, ExchangeLabel]]:
    """Yield the labels that were said; what a kind or a closed taxonomy implies, was not."""
    taxonomy = matrix.taxonomy
    values = matrix.values
    carries = (values == 1).any(axis=1)
    implied = carries if taxonomy.kind == "single" or taxonomy.closed else np.zeros_like(carries)
    for row, column in np.argwhere((values == 1) | ((values == 0) & ~implied[:, None])).tolist():
        state: Literal["yes", "no"] = "yes" if values[row, column] == 1 else "no"
        yield (
            int(matrix.image_ids[row]),
            ExchangeLabel(taxonomy.name, taxonomy.classes[column], state),
        )


def _unreadable(session: Session, matrix: LabelMatrix) -> Iterator[tuple[int, ExchangeLabel]]:
    """Yield the labels of images that no matrix has, as their files cannot be read."""
    taxonomy = matrix.taxonomy
    for image_id in session.table("unreadable").ids.tolist():
        said: dict[str, LabelState] = {}
        for source, statement in session.catalog.labels.statements(taxonomy.name, image_id):
            if source.startswith(_PEOPLE):
                said.setdefault(statement.label, statement.state)
        yes = [label for label, state in said.items() if state == "yes"]
        alone = taxonomy.kind == "single" or taxonomy.closed
        for label in yes[:1] if taxonomy.kind == "single" else yes:
            yield image_id, ExchangeLabel(taxonomy.name, label, "yes")
        for label, state in said.items():
            if state == "no" and not (alone and yes):
                yield image_id, ExchangeLabel(taxonomy.name, label, "no")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    labelled = {f"labelled in {name}": n for name, n in result.labelled.items()}
    screen.facts({"images": result.images, **labelled})
    screen.line(f"Written: {result.path}")


VERB = Verb(Settings, work, show)
