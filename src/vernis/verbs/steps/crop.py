"""``vernis crop``: the part of each picture that shows its label, as a view.

Where boxes of the label were drawn, they are framed together; elsewhere the part of the heat map
of ``locate``. Nothing is written but with ``--out``: then each part becomes a file of its own, and
no original is touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.core.locate.crops import cut
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.report.wording import counted
from vernis.verbs.declare import Option, Screen, Verb
from vernis.verbs.steps.cropping import Rule, View, views
from vernis.verbs.steps.drawn_boxes import drawn_boxes
from vernis.verbs.steps.locating import LocateOptions, locate_labels, plan_locating

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(LocateOptions):
    """Whose parts are cut out, and how."""

    taxonomy: Annotated[str, Option("the taxonomy whose labels are shown")]
    _: KW_ONLY
    rule: Annotated[
        Rule,
        Option(
            "largest: the largest part of the map; all: one box around all parts, as in the thesis"
        ),
    ] = "largest"
    threshold: Annotated[
        float | None,
        Option(
            "share of the map's highest value (default: .5 for largest, 80 of 255 for all)",
            above=0,
            below=1,
        ),
    ] = None
    margin: Annotated[
        float, Option("added at every side, as a share of the box", at_least=0, at_most=5)
    ] = 0.05
    out: Annotated[
        Path | str | None, Option("write the parts as PNG files into this new folder", "DIR")
    ] = None


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A part of an image."""

    image: Annotated[str, "path"]
    label: str
    box: Annotated[tuple[int, int, int, int], "xmin, ymin, xmax, ymax in pixels, upright"]
    share: Annotated[float, "of the picture's area"]
    origin: Annotated[str, "drawn or located"]
    confidence: Annotated[float, "1 of drawn boxes"]
    file: Annotated[str | None, "written with --out"]


@dataclass(frozen=True, slots=True)
class Result:
    """The parts."""

    taxonomy: str
    views: tuple[ViewRow, ...]
    folder: Annotated[str | None, "where the files are"]
    unreadable: Annotated[int, "images that could not be decoded"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the part of each picture that shows its label.

    Raises
    ------
    NotFound, FilterError, UsageError
        There is no such taxonomy, or a setting is wrong.
    NothingToLearn
        Nothing can be learned from the labels.
    StorageError
        A file cannot be written.
    """
    folder = None if settings.out is None else Path(settings.out)
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already; name a new folder")
    plan = plan_locating(session, settings.taxonomy, settings)
    with session.lock("crop"):
        found = locate_labels(session, plan, settings)
    shown = list(
        views(
            plan,
            found.maps,
            drawn_boxes(session, settings.taxonomy),
            rule=settings.rule,
            threshold=settings.threshold,
            margin=settings.margin,
        )
    )
    failed = dict(found.failed)
    files = {} if folder is None else _write(session, shown, folder, failed)
    rows = tuple(_row(view, files.get(number)) for number, view in enumerate(shown))
    return Result(
        settings.taxonomy,
        rows,
        None if folder is None else str(folder),
        len(failed),
        plan.notes,
    )


def _row(view: View, file: str | None) -> ViewRow:
    return ViewRow(
        image=view.image.uri,
        label=view.label,
        box=view.pixels,
        share=round(view.share, 4),
        origin=view.origin,
        confidence=round(view.confidence, 4),
        file=file,
    )


def _write(
    session: Session, shown: Sequence[View], folder: Path, failed: dict[str, str]
) -> dict[int, str]:
    """Write each view at full size; an image that cannot be read is noted."""
    from vernis.report.explore.contact_sheet import save_sheet

    read, files = session.files.pictures(full_size=True), dict[int, str]()
    for number, view in enumerate(shown):
        session.progress("crop", number, len(shown))
        try:
            part = cut(read(view.image), view.corners)
        except UnreadableImage as error:
            failed[view.image.uri] = error.reason
            continue
        stem = re.sub(r"[^\w.-]+", "_", PurePosixPath(view.image.uri).stem)[:80]
        label = re.sub(r"[^\w.-]+", "_", view.label)[:40]
        path = folder / f"{view.image.id:06d}_{stem}_{label}.png"
        files[number] = str(save_sheet(np.ascontiguousarray(part), path))
    return files


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the views, the surest first."""
    rows = sorted(result.views, key=lambda row: -row.confidence)
    columns = ["image", "label", "box", "share", "origin", "confidence"]
    screen.table(rows, columns, title=f"Parts that show {result.taxonomy}", limit=20)
    for note in result.notes:
        screen.note(note)
    if result.folder:
        written = sum(row.file is not None for row in result.views)
        screen.line(f"{counted(written, 'file')} in {result.folder}")


VERB = Verb(Settings, work, show)
