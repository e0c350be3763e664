"""``vernis export``: write the labels for other programs, and for the import.

``dam`` writes the table that an asset management system imports: ``--for aem``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from vernis.core.words.label_columns import TEXT_NAMES
from vernis.domain.errors import UsageError
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import attributes_text
from vernis.report.wording import counted
from vernis.verbs.decide.handing_over import gather_decisions
from vernis.verbs.declare import WHERE, BaseSettings, Option, Screen, Verb
from vernis.verbs.see.filters import select_images

if TYPE_CHECKING:
    from vernis.domain.types import LabelMatrix, LabelState
    from vernis.session.session import Session

_PEOPLE = ("given", "human:", "accepted:")
_BOXES_ONLY = ("voc", "yolo")

FormatName = Literal[
    "csv",
    "tsv",
    "xlsx",
    "parquet",
    "csv-long",
    "tsv-long",
    "xlsx-long",
    "parquet-long",
    "coco",
    "voc",
    "yolo",
    "folders",
    "hugging-face",
    "hugging-face-csv",
    "hugging-face-parquet",
    "label-studio",
    "cvat",
]
System = Literal["aem", "canto", "bynder", "resourcespace"]


def read_column(text: str) -> str:
    """Return ``TAXONOMY=PROPERTY`` as it is; raises ValueError for what is none."""
    name, sign, written = text.partition("=")
    if not (name and sign and written):
        raise ValueError(f"TAXONOMY=PROPERTY, got {text!r}")
    return text


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is written, and where to."""

    format: Annotated[
        FormatName | Literal["dam", "decisions"],
        Option(
            "a table (-long: a row a label), the files of another tool, class folders (which YOLO "
            "classification reads, too), dam with --for, or decisions: what people decided, for "
            "vernis apply in another copy of the collection"
        ),
    ]
    out: Annotated[Path | str, Option("the file or folder to write")]
    _: KW_ONLY
    taxonomy: Annotated[
        Sequence[str], Option("write this taxonomy (repeatable; default: all of them)")
    ] = ()
    where: Annotated[str, WHERE] = ""
    states: Annotated[
        Sequence[Literal["yes", "no"]], Option("labels in these states", "STATE,…", joined=True)
    ] = ("yes", "no")
    copy: Annotated[bool, Option("copy the pictures into the folder, too")] = False
    link: Annotated[bool, Option("link the pictures into the folder")] = False
    for_: Annotated[System | None, Option("dam: the system that imports the table")] = None
    prefix: Annotated[str, Option("dam: stands before each path, such as /content/dam/shop")] = ""
    column: Annotated[
        Sequence[str],
        Option(
            "dam: a column of its own for a taxonomy, under the name of its property (repeatable)",
            "TAXONOMY=PROPERTY",
            parse=read_column,
        ),
    ] = ()
    brand: Annotated[str, Option("dam: the brand of all assets, which Bynder asks for")] = ""
    overwrite: Annotated[bool, Option("write over a file that is there")] = False


@dataclass(frozen=True, slots=True)
class LossRow:
    """What a file or the collection does not hold."""

    kind: str
    count: int
    text: Annotated[str, "what it is, in words"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was written."""

    path: str
    images: int
    labelled: Annotated[Mapping[str, int], "taxonomy → images with a label"]
    losses: Annotated[tuple[LossRow, ...], "what the format does not hold, counted"]
    notes: Annotated[tuple[str, ...], "what to know when the file is read"]


def work(session: Session, settings: Settings) -> Result:
    """Write images with their effective labels; what the format does not hold is counted.

    In tables classes of a cell are joined by ``|``. Where images are known not to carry some,
    these stand in a column ``NAME (no)``. Names that would not be read back from that (they hold a
    ``|``, or look like blanks or numbers) make a column of JSON. ``vernis import`` reads the file
    back as it was.
    """
    _check(settings)
    names = settings.taxonomy or [taxonomy.name for taxonomy in session.taxonomies()]
    if settings.format == "decisions":
        return _write_decisions(session, settings, names)
    matrices = [session.matrix(name) for name in dict.fromkeys(names)]
    only = set(select_images(session, settings.where).tolist()) if settings.where else None
    exchange = exchange_set(session, matrices, states=settings.states, only=only)
    placing: Literal["none", "link", "copy"] = (
        "copy" if settings.copy else "link" if settings.link else "none"
    )
    out = Path(settings.out)
    if settings.format == "dam":
        columns = dict(text.split("=", 1) for text in settings.column)
        for name in columns:
            session.catalog.labels.taxonomy(name)
        written = session.write_assets(
            str(settings.for_), exchange, out, settings.prefix, columns, settings.brand
        )
    else:
        written = session.write_labels(
            settings.format, exchange, out, placing=placing, overwrite=settings.overwrite
        )
    notes = list(written.notes)
    closed = [f"--closed {matrix.taxonomy.name}" for matrix in matrices if matrix.taxonomy.closed]
    if closed:
        notes.append(f"blank classes mean no: a new collection imports it with {' '.join(closed)}")
    counts = {matrix.taxonomy.name: _count(matrix, only) for matrix in matrices}
    losses = tuple(LossRow(loss.kind, loss.count, loss.text) for loss in written.losses)
    return Result(str(written.path), written.images, counts, losses, tuple(notes))


def _write_decisions(session: Session, settings: Settings, names: Sequence[str]) -> Result:
    """Write what people decided, for another copy of the collection."""
    for name in settings.taxonomy:
        session.catalog.labels.taxonomy(name)
    only = set(select_images(session, settings.where).tolist()) if settings.where else None
    handed = gather_decisions(session, names, only)
    session.write_decisions(Path(settings.out), handed, overwrite=settings.overwrite)
    paths = [one.image.path for one in handed.labels]
    paths += [one.image.path for one in handed.verdicts]
    paths += [one.image.path for one in handed.keepers]
    by_taxonomy: dict[str, set[str]] = {}
    for label in handed.labels:
        by_taxonomy.setdefault(label.taxonomy, set()).add(label.image.path)
    note = (
        f"{counted(len(handed.labels), 'label')}, {counted(len(handed.verdicts), 'verdict')} and "
        f"{counted(len(handed.keepers), 'keeper')}; vernis apply takes them over"
    )
    return Result(
        str(settings.out),
        len(set(paths)),
        {name: len(paths) for name, paths in by_taxonomy.items()},
        (),
        (note,),
    )


def _check(settings: Settings) -> None:
    """Refuse what contradicts itself."""
    if not settings.states:
        raise UsageError("expected --states of yes and no, got none")
    if settings.copy and settings.link:
        raise UsageError("--copy and --link exclude each other")
    if (settings.format == "dam") != (settings.for_ is not None):
        raise UsageError("a table for an asset management system: vernis export dam OUT --for aem")
    if settings.format in _BOXES_ONLY:
        raise UsageError(
            f"{settings.format} holds boxes alone, and this collection holds labels of whole "
            "images; class folders are what YOLO classification, torchvision and Keras read: "
            f"vernis export folders {settings.out} --copy"
        )


def _count(matrix: LabelMatrix, only: Collection[int] | None) -> int:
    if only is None:
        return int(matrix.labelled.sum())
    return int(matrix.labelled[np.isin(matrix.image_ids, list(only))].sum())


def exchange_set(
    session: Session,
    matrices: Sequence[LabelMatrix],
    *,
    states: Collection[str] = ("yes", "no"),
    only: Collection[int] | None = None,
) -> ExchangeSet:
    """Return the images with their effective labels, by path.

    Parameters
    ----------
    session : Session
    matrices : sequence of LabelMatrix
        Of the taxonomies that are wanted.
    states : collection of str
        Of the labels that are wanted.
    only : collection of int, optional
        Ids of the images that are wanted; default all.
    """
    labels: dict[int, list[ExchangeLabel]] = {}
    for matrix in matrices:
        for image_id, label in (*_labels_of(matrix), *_unreadable(session, matrix)):
            if label.state in states:
                labels.setdefault(image_id, []).append(label)
    images = []
    for image in sorted(session.images("present", "unreadable"), key=lambda image: image.uri):
        if only is not None and image.id not in only:
            continue
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
    show_losses(result.losses, screen, title="Not written")
    screen.line(f"Written: {result.path}")


def show_losses(losses: Sequence[LossRow], screen: Screen, *, title: str) -> None:
    """Show what was lost as a table; nothing where nothing was."""
    if losses:
        rows = [{"count": loss.count, "what": loss.text} for loss in losses]
        screen.table(rows, ["count", "what"], title=title)


VERB = Verb(Settings, work, show)
