"""The answer of a search as a contact sheet, the query in the first column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.core.explore.regions import Region
from vernis.domain.errors import UnreadableImage, UsageError, VernisError
from vernis.report.explore.contact_sheet import Theme, Tile, draw_sheet, save_sheet
from vernis.report.wording import counted
from vernis.verbs.see.searching import ExampleRow, FoundRow, Query, SearchResult

if TYPE_CHECKING:
    from vernis.session.session import Session

_EXAMPLE, _COUNTER = "#0072B2", "#D55E00"  # blue and vermillion of Okabe & Ito
_COLUMNS = 10  # results beside one another
_LABEL_LINES = 3
_MOST = 400


def write_sheet(
    session: Session, found: SearchResult, path: Path | str, *, theme: Theme = "light"
) -> Path:
    """Draw what a search found.

    Every search is a row (or several, when it found more than ten images) that begins with its
    examples, framed in blue, and counter-examples, framed in vermillion.

    Raises
    ------
    UsageError
        Nothing was found, or more than 400 images, which no sheet can show readably.
    StorageError
        The file cannot be written.
    """
    total = sum(len(search.results) for search in found.searches)
    if not total:
        raise UsageError("nothing was found, so there is no sheet to draw")
    if total > _MOST:
        raise UsageError(f"{total:,} images are too many for a sheet; take at most {_MOST} (--k)")
    drawer = _Drawer(session)
    keys = max(len(drawer.asked(search.query)) for search in found.searches)
    most = max(len(search.results) for search in found.searches)
    columns = math.ceil(most / math.ceil(most / _COLUMNS))  # rows of about the same length
    rows: list[list[Tile | None]] = []
    for search in found.searches:
        asked = drawer.asked(search.query)
        tiles: list[Tile | None] = [drawer.result(row) for row in search.results] or [None]
        for start in range(0, len(tiles), columns):
            first: list[Tile | None] = [*asked] if start == 0 else []
            free: list[Tile | None] = [None] * (keys - len(first))
            rows.append([*free, *first, *tiles[start : start + columns]])
    headings = ["query"] * min(keys, 1) + [""] * max(0, keys - 1)
    if most <= columns and found.method != "filter":
        headings += [str(number + 1) for number in range(columns)]
    sheet = draw_sheet(
        rows,
        title=_title(found, total),
        headings=headings if any(headings) else (),
        key_columns=keys,
        theme=theme,
    )
    return save_sheet(sheet, path)


def _title(found: SearchResult, total: int) -> str:
    words = found.searches[0].query.words
    where = f" where {found.where}" if found.where else ""
    if found.method == "filter":
        part = f"{total:,} of " if total < found.searched else ""
        return f"{part}{counted(found.searched, 'image')}{where}"
    if words:
        return f"“{words}”{where}"
    return f"Most similar images{where}"


class _Drawer:
    """Makes tiles of the rows of a search."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decode = session.files.decoder()
        self._full = session.files.decoder(full_size=True)

    def asked(self, query: Query) -> list[Tile]:
        """Return the tiles of examples and counter-examples."""
        examples = [self._key(item, _EXAMPLE, "") for item in query.images]
        counter = [self._key(item, _COUNTER, "not like this") for item in query.not_images]
        return [*examples, *counter]

    def result(self, row: FoundRow) -> Tile:
        """Return the tile of a found image."""
        value = row.relevance if row.similarity is None else row.similarity
        score = [] if value is None else [f"{value:.3f}"]
        return self._tile(self._path(row), (*score, _name(row), *_labels(row.labels)))

    def _key(self, item: ExampleRow, frame: str, said: str) -> Tile:
        caption = (*([said] if said else []), _name(item), *_labels(item.labels))
        region = Region.parse(item.region) if item.region else None
        return self._tile(self._path(item), caption, frame, region)

    def _path(self, item: ExampleRow | FoundRow) -> Path:
        return self._session.files.path_of_uri(item.image) if item.id else Path(item.image)

    def _tile(
        self,
        path: Path,
        caption: Sequence[str],
        frame: str = "",
        region: Region | None = None,
    ) -> Tile:
        try:
            # A region is counted in pixels of the whole picture.
            pixels = (self._decode if region is None else self._full)(path)
        except UnreadableImage as error:
            return Tile(None, (*caption, error.reason), frame)
        if region is None:
            return Tile(pixels, tuple(caption), frame)
        height, width = pixels.shape[:2]
        try:
            left, top, right, bottom = region.box(width, height, path.name)
        except VernisError:  # the file has changed since
            return Tile(pixels, tuple(caption), frame)
        share = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        return Tile(pixels, tuple(caption), frame, (share,))


def _name(item: ExampleRow | FoundRow) -> str:
    return item.image.rpartition("/")[2]


def _labels(labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line a taxonomy, without those that say nothing new."""
    lines = list(dict.fromkeys(", ".join(names) for names in labels.values()))
    return lines[:_LABEL_LINES]
