"""Write the static report of a collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from vernis.domain.errors import InvalidValue, StorageError, VernisError
from vernis.domain.ports import Catalog, Engine, Pixels, Progress, silent
from vernis.domain.types import ImageRecord
from vernis.report.folder import ReportFolder
from vernis.report.index.page import render
from vernis.report.model import ImageRef, ReportData
from vernis.workflows.report_data import collect_report

ReadPicture = Callable[[ImageRecord], Pixels]
"""Decodes the picture of an image; raises UnreadableImage or OSError."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What the report shows.

    Attributes
    ----------
    max_items : int
        Most rows of each list (label issues of a taxonomy, groups, pictures of a quality kind);
        the worst come first and the page says how many there are.
    max_suggestions : int
        Most fill suggestions of a taxonomy, the least sure first.
    edge : int
        Longer side of a thumbnail, pixels.
    """

    max_items: int = 2000
    max_suggestions: int = 600
    edge: int = 320

    def __post_init__(self) -> None:
        if self.max_items < 1 or self.max_suggestions < 1 or self.edge < 32:
            got = (self.max_items, self.max_suggestions, self.edge)
            raise InvalidValue(f"expected max_items ≥ 1, max_suggestions ≥ 1, edge ≥ 32, got {got}")


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What was written: the page, the images it shows, and how many thumbnails were new."""

    page: Path
    images: int
    drawn: int
    without_thumbnail: int


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


def write_report(
    catalog: Catalog,
    out: Path,
    *,
    engine: Engine,
    read_picture: ReadPicture,
    thumbnail: Callable[[Pixels, int], bytes],
    version: str,
    settings: ReportSettings | None = None,
    created: datetime | None = None,
    progress: Progress = silent,
) -> ReportSummary:
    """Write the report into a folder; an older report there is replaced when the new is whole.

    Parameters
    ----------
    catalog : Catalog
        Only read.
    out : Path
        Folder of the report; new, empty or holding a report.
    engine : Engine
        Draws the thumbnails.
    read_picture : callable
        Decodes the picture of an ``ImageRecord``.
    thumbnail : callable
        ``(pixels, edge) → JPEG bytes``, as ``adapters.pixels.thumbnail_jpeg``.
    version : str
        Of Vernis, shown at the foot.
    settings : ReportSettings, optional
    created : datetime, optional
        Time shown; None takes now.
    progress : Progress

    Returns
    -------
    ReportSummary

    Raises
    ------
    UsageError
        If ``out`` holds other files and no report.
    StorageError
        If the disk is full or refuses a write.
    """
    settings = settings or ReportSettings()
    moment = created or datetime.now().astimezone()
    data, shown = collect_report(
        catalog,
        max_items=settings.max_items,
        max_suggestions=settings.max_suggestions,
        created=f"{moment.day} {moment:%B %Y, %H:%M}",
        version=version,
    )
    names = {image.id: _thumbnail_name(image, settings.edge) for image in shown if _is_there(image)}
    folder = ReportFolder(out)
    folder.begin(names.values())
    stage = ThumbnailStage(read_picture, thumbnail, settings.edge, folder, names)
    missing = _first_of_each_name([image for image in shown if image.id in names], names, folder)
    failed: set[str] = set()
    for done, outcome in enumerate(engine.run(stage, missing), 1):
        if outcome.error is not None:
            _raise_unless_of_one_file(outcome.error)
            failed.add(names[outcome.item.id])
        progress("Thumbnails", done, len(missing))
    progress("Report", 0, None)
    page = folder.commit(render(_with_thumbnails(data, names, failed)))
    without = sum(1 for i in data.images if i not in names or names[i] in failed)
    return ReportSummary(page, len(data.images), len(missing) - len(failed), without)


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
