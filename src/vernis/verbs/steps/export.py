"""``vernis export``: write the labels for other programs, and for the import.

``dam`` writes the table that an asset management system imports: ``--for aem``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from vernis.core.exchange.losses import TEXTS
from vernis.core.exchange.orientation import turn_as_stored
from vernis.domain.errors import UsageError
from vernis.domain.exchange import Carries, Loss
from vernis.report.wording import counted
from vernis.verbs.decide.handing_over import gather_decisions
from vernis.verbs.declare import WHERE, BaseSettings, Option, Screen, Verb
from vernis.verbs.see.filters import chosen_ids
from vernis.verbs.steps.exchange_export import (
    Wanted,
    WantedRegions,
    exchange_set,
    orientations,
    wanted_regions,
)
from vernis.verbs.steps.issue_tables import duplicate_rows, issue_rows

if TYPE_CHECKING:
    from vernis.adapters.interchange.formats.interface import Written
    from vernis.domain.types import LabelMatrix
    from vernis.session.session import Session

_BOXES_ONLY = ("voc", "yolo", "csv-boxes")
_BESIDE = ("hugging-face", "-long")
"""Formats that list labels of images apart from boxes: there they stand for the boxes' classes too,
elsewhere they would be second annotations."""

FormatName = Literal[
    "csv",
    "tsv",
    "xlsx",
    "parquet",
    "csv-long",
    "tsv-long",
    "xlsx-long",
    "parquet-long",
    "csv-boxes",
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
        FormatName | Literal["dam", "decisions", "issues", "duplicates"],
        Option(
            "a table (-long: a row a label, -boxes: a row a box), the files of another tool, class "
            "folders (which YOLO classification reads, too), dam with --for, or decisions: what "
            "people decided, for vernis apply in another copy of the collection; issues (a row an "
            "image, as cleanlab's frames) or duplicates (a row a pair, as fastdup's), by the "
            "suffix of OUT as CSV, TSV, Excel or Parquet"
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
    proposals: Annotated[
        bool, Option("also boxes that a model proposes and nobody has accepted or rejected")
    ] = False
    as_stored: Annotated[
        bool,
        Option(
            "boxes in pixels of the stored pictures, for tools that ignore the EXIF orientation"
        ),
    ] = False
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
    regions: Annotated[int, "boxes and other places in the images"] = 0


def work(session: Session, settings: Settings) -> Result:
    """Write images with their labels and boxes; what the format does not hold is counted.

    All is of one moment, whatever people decide meanwhile.

    Labels and boxes are the effective ones. Ids, attributes and classes that came from the tool go
    back to it unchanged. Boxes are in pixels of the upright picture unless ``as_stored``.

    In tables classes of a cell are joined by ``|``. Where images are known not to carry some,
    these stand in a column ``NAME (no)``. Names that would not be read back from that (they hold a
    ``|``, or look like blanks or numbers) make a column of JSON. ``vernis import`` reads the file
    back as it was.
    """
    _check(settings)
    with session.catalog.snapshot():
        return _export(session, settings)


def _export(session: Session, settings: Settings) -> Result:
    names = settings.taxonomy or [taxonomy.name for taxonomy in session.taxonomies()]
    if settings.format == "decisions":
        return _write_decisions(session, settings, names)
    if settings.format in ("issues", "duplicates"):
        return _write_suspected(session, settings, names)
    matrices = [session.matrix(name) for name in dict.fromkeys(names)]
    only = chosen_ids(session, settings.where)
    carries = (
        None if settings.format == "dam" else session.interchange.format_carries(settings.format)
    )
    wanted = Wanted(
        matrices,
        settings.states,
        only,
        whole=not settings.taxonomy,
        proposals=settings.proposals,
        beside=settings.format.startswith(_BESIDE[0]) or settings.format.endswith(_BESIDE[1]),
        sources=carries is not None and carries.sources,
    )
    regions = wanted_regions(session, wanted)
    if carries is None:
        written, notes = _write_assets(session, settings, wanted)
    else:
        written, notes = _write_files(session, settings, wanted, regions, carries)
    closed = [f"--closed {matrix.taxonomy.name}" for matrix in matrices if matrix.taxonomy.closed]
    if closed:
        notes.append(f"blank classes mean no: a new collection imports it with {' '.join(closed)}")
    counts = {matrix.taxonomy.name: _count(matrix, only) for matrix in matrices}
    losses = tuple(LossRow(loss.kind, loss.count, loss.text) for loss in written.losses)
    unwritten = sum(loss.count for loss in written.losses if loss.kind == "unlabelled regions")
    kept = len(regions) - unwritten if carries is not None and carries.regions else 0
    return Result(str(written.path), written.images, counts, losses, tuple(notes), kept)


def _write_assets(
    session: Session, settings: Settings, wanted: Wanted
) -> tuple[Written, list[str]]:
    """Write the table for an asset management system."""
    columns = dict(text.split("=", 1) for text in settings.column)
    for name in columns:
        session.catalog.labels.taxonomy(name)
    exchange = exchange_set(session, wanted)
    written = session.interchange.write_assets(
        str(settings.for_), exchange, Path(settings.out), settings.prefix, columns, settings.brand
    )
    return written, list(written.notes)


def _write_files(
    session: Session, settings: Settings, wanted: Wanted, regions: WantedRegions, carries: Carries
) -> tuple[Written, list[str]]:
    """Write a table or the files of another tool."""
    if settings.format in _BOXES_ONLY and not regions:
        raise UsageError(
            f"{settings.format} holds boxes alone, and there are none here: this collection holds "
            "labels of whole images; class folders are what YOLO classification, torchvision and "
            f"Keras read: vernis export folders {settings.out} --copy"
        )
    facts = session.catalog.foreign.facts(settings.format)
    exchange = exchange_set(session, wanted, regions if carries.regions else None, facts)
    if settings.as_stored:
        exchange = turn_as_stored(exchange, orientations(session))
    written = session.interchange.write_labels(
        settings.format,
        exchange,
        Path(settings.out),
        placing="copy" if settings.copy else "link" if settings.link else "none",
        overwrite=settings.overwrite,
    )
    if regions and not carries.regions:
        lost = Loss("regions", len(regions), TEXTS["regions"])
        written = replace(written, losses=(lost, *written.losses))
    return written, [*exchange.notes, *written.notes]


def _write_suspected(session: Session, settings: Settings, names: Sequence[str]) -> Result:
    """Write what is suspected; nothing is judged for it."""
    for name in settings.taxonomy:
        session.catalog.labels.taxonomy(name)
    only = chosen_ids(session, settings.where)
    if settings.format == "issues":
        rows = issue_rows(session, names, only)
        made = "vernis run, or quality, issues TAXONOMY, outliers and duplicates"
    else:
        rows = duplicate_rows(session, only)
        made = "vernis duplicates"
    header = next(rows)
    rows = chain([header], rows)
    written = session.interchange.write_table(
        Path(settings.out), rows, overwrite=settings.overwrite
    )
    notes = (
        () if written and len(header) > 1 else (f"nothing is suspected yet; what finds it: {made}",)
    )
    images = len(session.images()) if only is None else len(only)
    return Result(str(settings.out), images, {}, (), notes)


def _write_decisions(session: Session, settings: Settings, names: Sequence[str]) -> Result:
    """Write what people decided, for another copy of the collection."""
    for name in settings.taxonomy:
        session.catalog.labels.taxonomy(name)
    only = chosen_ids(session, settings.where)
    handed = gather_decisions(session, names, only)
    session.interchange.write_decisions(Path(settings.out), handed, overwrite=settings.overwrite)
    paths = [one.image.path for one in handed.labels]
    paths += [one.image.path for one in handed.verdicts]
    paths += [one.image.path for one in handed.keepers]
    paths += [one.image.path for one in handed.regions]
    by_taxonomy: dict[str, set[str]] = {}
    for label in handed.labels:
        by_taxonomy.setdefault(label.taxonomy, set()).add(label.image.path)
    note = (
        f"{counted(len(handed.labels), 'label')}, {counted(len(handed.verdicts), 'verdict')}, "
        f"{counted(len(handed.keepers), 'keeper')} and {counted(len(handed.regions), 'region')}; "
        "vernis apply takes them over"
    )
    return Result(
        str(settings.out),
        len(set(paths)),
        {name: len(paths) for name, paths in by_taxonomy.items()},
        (),
        (note,),
        regions=len(handed.regions),
    )


def _check(settings: Settings) -> None:
    """Refuse what contradicts itself."""
    if not settings.states:
        raise UsageError("expected --states of yes and no, got none")
    if settings.copy and settings.link:
        raise UsageError("--copy and --link exclude each other")
    if (settings.format == "dam") != (settings.for_ is not None):
        raise UsageError("a table for an asset management system: vernis export dam OUT --for aem")


def _count(matrix: LabelMatrix, only: Collection[int] | None) -> int:
    if only is None:
        return int(matrix.labelled.sum())
    return int(matrix.labelled[np.isin(matrix.image_ids, list(only))].sum())


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    labelled = {f"labelled in {name}": n for name, n in result.labelled.items()}
    regions = {"regions": result.regions} if result.regions else {}
    screen.facts({"images": result.images, **labelled, **regions})
    show_losses(result.losses, screen, title="Not written")
    screen.line(f"Written: {result.path}")


def show_losses(losses: Sequence[LossRow], screen: Screen, *, title: str) -> None:
    """Show what was lost as a table; nothing where nothing was."""
    if losses:
        rows = [{"count": loss.count, "what": loss.text} for loss in losses]
        screen.table(rows, ["count", "what"], title=title)


VERB = Verb(Settings, work, show)
