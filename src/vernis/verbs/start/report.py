"""``vernis report``: write the static HTML report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import StorageError, VernisError
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord
from vernis.report.folder import ReportFolder
from vernis.report.index.page import render
from vernis.report.model import ImageRef, ReportData
from vernis.session.files import ReadPicture
from vernis.verbs.declare import WORKERS, BaseSettings, Option, Screen, Verb, count
from vernis.verbs.start.report_data import collect_report
from vernis.version import VERSION

if TYPE_CHECKING:
    from vernis.session.session import Session


DEFAULT_FOLDER = "report"


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Where the report is written, and how much it shows."""

    _: KW_ONLY
    taxonomy: Annotated[
        Sequence[str],
        Option("show this taxonomy (repeatable; default: every one that is not ignored)"),
    ] = ()
    out: Annotated[Path | str, Option("folder of the report")] = DEFAULT_FOLDER
    workers: Annotated[int | None, WORKERS] = None
    max_items: Annotated[
        int, count("rows of each list: label issues of a taxonomy, groups, pictures of a fault")
    ] = 2000
    max_suggestions: Annotated[
        int, count("suggested labels of a taxonomy, the least sure first")
    ] = 600
    edge: Annotated[int, Option("longer side of a thumbnail, pixels", "PX", at_least=32)] = 320


@dataclass(frozen=True, slots=True)
class Result:
    """What was written."""

    page: Annotated[str, "path of the page"]
    images: Annotated[int, "images that it shows"]
    drawn: Annotated[int, "thumbnails that were new"]
    without_thumbnail: Annotated[int, "images that are shown without a picture"]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThumbnailStage:
    """Draws the thumbnail of an image into the report's folder."""

    read_picture: ReadPicture
    thumbnail: Callable[[Pixels, int], bytes]
    edge: int
    folder: ReportFolder
    names: Mapping[int, str]

    def open(self) -> Callable[[ImageRecord], None]:
        """Return the work on one image."""

        def work(image: ImageRecord) -> None:
            pixels = self.read_picture(image)
            self.folder.write(self.names[image.id], self.thumbnail(pixels, self.edge))

        return work


def work(session: Session, settings: Settings, *, created: datetime | None = None) -> Result:
    """Write the report into a folder; an older report there is replaced when the new is whole.

    Where nobody named the folder and a report of another collection lies there, a free name is
    taken, and said.

    Raises
    ------
    UsageError
        The folder holds other files and no report, or the report of another collection.
    StorageError
        The disk is full or refuses a write.
    """
    moment = created or datetime.now().astimezone()
    data, shown = collect_report(
        session,
        taxonomies=settings.taxonomy,
        max_items=settings.max_items,
        max_suggestions=settings.max_suggestions,
        created=f"{moment.day} {moment:%B %Y, %H:%M}",
        version=VERSION,
    )
    names = {image.id: _thumbnail_name(image, settings.edge) for image in shown if _is_there(image)}
    folder, notes = _find_folder(session, Path(settings.out), set(names.values()))
    folder.begin(names.values())
    stage = ThumbnailStage(
        session.files.pictures(), session.files.draw_thumbnail, settings.edge, folder, names
    )
    missing = _first_of_each_name([image for image in shown if image.id in names], names, folder)
    failed: set[str] = set()
    for done, outcome in enumerate(session.engine(settings.workers).run(stage, missing), 1):
        if outcome.error is not None:
            _raise_unless_of_one_file(outcome.error)
            failed.add(names[outcome.item.id])
        session.progress("Thumbnails", done, len(missing))
    session.progress("Report", 0, None)
    page = folder.commit(render(_with_thumbnails(data, names, failed)))
    without = sum(1 for i in data.images if i not in names or names[i] in failed)
    return Result(str(page), len(data.images), len(missing) - len(failed), without, notes)


def _find_folder(
    session: Session, path: Path, names: Collection[str]
) -> tuple[ReportFolder, tuple[str, ...]]:
    """Return the folder for the report; beside the default one where another's report lies there.

    A name that a person chose is kept: ``begin`` refuses what it must not write over.
    """
    folder, number = ReportFolder(path, session.identity()), 2
    if path != Path(DEFAULT_FOLDER) or folder.is_free(names):
        return folder, ()
    while not folder.is_free(names):
        folder = ReportFolder(Path(f"{DEFAULT_FOLDER}-{number}"), session.identity())
        number += 1
    note = f"{path} holds the report of another collection; this one lies in {folder.path}"
    return folder, (note,)


def _is_there(image: ImageRecord) -> bool:
    return image.state == "present" and bool(image.content_hash)


def _thumbnail_name(image: ImageRecord, edge: int) -> str:
    return f"thumbs/{image.content_hash[:24].lower()}-{edge}.jpg"


def _first_of_each_name(
    images: list[ImageRecord], names: Mapping[int, str], folder: ReportFolder
) -> list[ImageRecord]:
    """Return one image for each thumbnail that is not there yet (equal bytes share one)."""
    first: dict[str, ImageRecord] = {}
    for image in images:
        first.setdefault(names[image.id], image)
    return [image for name, image in first.items() if not folder.has(name)]


def _raise_unless_of_one_file(error: Exception) -> None:
    """A picture that cannot be read is shown without a preview; all else ends the report."""
    if isinstance(error, StorageError) or not isinstance(error, VernisError | OSError):
        raise error


def _with_thumbnails(data: ReportData, names: Mapping[int, str], failed: set[str]) -> ReportData:
    images: dict[int, ImageRef] = {}
    for number, ref in data.images.items():
        name = names.get(number, "")
        images[number] = replace(ref, thumb="" if name in failed else name)
    return replace(data, images=images)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show where the page lies."""
    screen.line(result.page)


VERB = Verb(Settings, work, show)
