"""``Interchange``: what a collection reads from, and writes for, other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vernis.core.words.image_names import ImageFinder
from vernis.core.words.sheets import LeftOut, Sheet
from vernis.domain.errors import UsageError
from vernis.domain.ports import MetadataWriter
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.adapters.interchange.formats.asset_management import System
    from vernis.adapters.interchange.formats.interface import Placing, Written
    from vernis.domain.exchange import Carries, ExchangeSet
    from vernis.domain.handover import Handover
    from vernis.domain.metadata import FileMetadata
    from vernis.session.session import Session


class _Sizes(dict[str, tuple[int, int]]):
    """uri → size of the images, also by other names that can only mean one of them."""

    def __init__(self, images: Sequence[ImageRecord]) -> None:
        super().__init__({image.uri: (image.width, image.height) for image in images})
        self._finder: ImageFinder | None = None

    def get(self, uri: str, default: Any = None) -> Any:
        """Return the size of the image that a name means."""
        if uri in self:
            return self[uri]
        if self._finder is None:
            self._finder = ImageFinder(self)
        return super().get(self._finder.find(uri).uri, default)


class Interchange:
    """Tables, formats of other tools, handed-over decisions and words in files.

    Parameters
    ----------
    session : Session
        Whose images, paths and folder are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def read_sheets(self, path: Path) -> list[Sheet]:
        """Read the sheets of a table of labels; raises UsageError, InvalidLabels, MissingExtra."""
        from vernis.adapters.interchange.label_tables import read_sheets

        if not path.is_file():
            raise UsageError(f"{path}: no such file; labels come from a table such as a CSV file")
        return read_sheets(path)

    def write_labels(
        self,
        format: str,
        exchange: ExchangeSet,
        out: Path,
        *,
        placing: Placing = "none",
        overwrite: bool = False,
    ) -> Written:
        """Write labels in a format of other programs, wholly or not at all.

        Raises
        ------
        UsageError
            There is no such format, or something is there already.
        """
        from vernis.adapters.interchange.formats.interface import Pictures
        from vernis.adapters.interchange.formats.registry import format_named

        chosen = format_named(format)
        pictures = Pictures(self._session.files.path_of_uri, placing)
        if not out.exists():
            return chosen.write(exchange, out, pictures)
        if not overwrite or not out.is_file():
            raise UsageError(f"{out}: is there already; name a new file, or add --overwrite")
        beside = out.with_name(f".{out.name}.new")
        beside.unlink(missing_ok=True)
        written = chosen.write(exchange, beside, pictures)
        beside.replace(out)
        return replace(written, path=out)

    def read_decisions(self, path: Path) -> Handover:
        """Return the decisions that a file hands over; raises InvalidLabels."""
        from vernis.adapters.interchange.decisions_file import read_decisions

        return read_decisions(path)

    def write_decisions(self, path: Path, handed: Handover, *, overwrite: bool = False) -> None:
        """Write decisions into a file; raises UsageError where something is there already."""
        from vernis.adapters.interchange.decisions_file import write_decisions

        if path.exists() and not (overwrite and path.is_file()):
            raise UsageError(f"{path}: is there already; name a new file, or add --overwrite")
        write_decisions(path, handed)

    def write_table(
        self, out: Path, rows: Iterator[list[str | float]], *, overwrite: bool = False
    ) -> int:
        """Write a header and rows as a table of the kind that the suffix says; returns the rows.

        Raises
        ------
        UsageError
            The suffix is that of no table, or something is there already.
        """
        from vernis.adapters.interchange.formats.interface import new_file
        from vernis.adapters.interchange.formats.tables import TABLES, write_rows

        kind = TABLES.get(out.suffix.lower())
        if kind is None:
            raise UsageError(f"{out}: expected a name that ends with {', '.join(TABLES)}")
        if overwrite and out.is_file():
            target = out.with_name(f".{out.name}.new")
            target.unlink(missing_ok=True)
        else:
            target = out
        count = 0

        def counted_rows() -> Iterator[list[str | float]]:
            nonlocal count
            for count, row in enumerate(rows):  # noqa: B007
                yield row

        with new_file(target) as part:
            write_rows(part, counted_rows(), kind)
        if target is not out:
            target.replace(out)
        return count

    def holds_boxes(self, path: Path) -> bool:
        """Tell whether a file is a table of boxes."""
        from vernis.adapters.interchange.formats.box_tables import BoxTable

        return BoxTable().recognises(path)

    def format_carries(self, format: str) -> Carries:
        """Return what a format of other programs can hold; raises UsageError."""
        from vernis.adapters.interchange.formats.registry import format_named

        return format_named(format).carries

    def write_assets(
        self,
        system: str,
        exchange: ExchangeSet,
        out: Path,
        prefix: str,
        columns: Mapping[str, str],
        brand: str,
    ) -> Written:
        """Write the table that an asset management system imports; raises UsageError."""
        from vernis.adapters.interchange.formats.asset_management import (
            AssetSettings,
            write_assets,
        )

        named = cast("System", system)
        return write_assets(exchange, out, named, AssetSettings(prefix, columns, brand))

    def read_exchange(
        self, path: Path, format: str = "auto", *, taxonomy: str = "", one_based: bool = True
    ) -> tuple[str, ExchangeSet]:
        """Read the labels of another tool; returns the format and what it holds.

        ``one_based``: the first pixel of Pascal VOC is 1.

        Raises
        ------
        InvalidLabels
            It is of no format that is known, or cannot be read.
        UsageError
            There is no such format.
        """
        from vernis.adapters.interchange.formats.interface import ReadSettings
        from vernis.adapters.interchange.formats.registry import format_named, recognise

        chosen = recognise(path) if format == "auto" else format_named(format)
        settings = ReadSettings(sizes=_Sizes(self._session.images()), one_based=one_based)
        if taxonomy:
            settings = replace(settings, taxonomy=taxonomy)
        return chosen.name, chosen.read(path, settings)

    def file_metadata(self) -> Callable[[ImageRecord], FileMetadata]:
        """Return what reads keywords, captions, … of an image's file and sidecar.

        It raises UnreadableImage.
        """
        from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata

        return lambda image: read_file_metadata(self._session.files.path_of(image))

    def sidecar_marks(self, uris: Sequence[str]) -> dict[str, int]:
        """Return the mark of the sidecars beside each image, as ``FileTable`` holds it."""
        from vernis.adapters.files import sidecar_mark

        root = self._session.root()
        return {uri: sidecar_mark(root, uri) for uri in uris}

    def metadata_writer(self, *, exiftool: bool = False) -> MetadataWriter:
        """Return what writes words into image files and sidecars."""
        from vernis.adapters.interchange.metadata.writer import FileWriter

        return FileWriter(exiftool=exiftool)

    def write_import_notes(self, source: str, left_out: Iterable[LeftOut]) -> Path | None:
        """List what an import left out, in the collection's folder; None where that is nothing."""
        from vernis.adapters.interchange.import_notes import write_import_notes

        return write_import_notes(self._session.catalog.folder, source, left_out)

    def find_label_tables(self, folder: Path, finder: ImageFinder) -> list[Path]:
        """Return the tables in a folder that name images of it."""
        from vernis.adapters.interchange.label_tables import find_label_tables

        return find_label_tables(folder, finder)
