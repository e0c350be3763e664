"""The pictures and pages of maps and of grids of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.maps import MapRecord
from vernis.report.wording import counted
from vernis.verbs.see import map_output, map_view
from vernis.version import VERSION

if TYPE_CHECKING:
    from vernis.report.map.model import SheetLevel
    from vernis.session.session import Session
    from vernis.verbs.see.map_view import MapContent, ThumbnailStore


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """Where picture and page of a map lie."""

    color: str
    page: str
    picture: str | None
    drawn: bool
    unreadable: int = 0
    not_shown: Annotated[
        int, "pictures that are not on the page: of very many, it shows those the map was made of"
    ] = 0


def draw_map(
    session: Session,
    record: MapRecord,
    out: Path,
    color: str | None,
    workers: int | None,
    *,
    picture_bytes: int | None = None,
) -> DrawnMap:
    """Write the page of a map, unless the folder shows just that already.

    With ``picture_bytes`` the map is drawn as one PNG, too, of at most so many bytes.
    """
    from vernis.report.map.page import render_map

    session.progress("Lay out the map", 0, None)
    content = map_view.read_content(session, record)
    chosen = map_view.choose_color(content.facets, color)
    folder = map_output.MapFolder(out)
    mark = map_view.content_fingerprint(content, chosen, VERSION)
    page = out / map_output.PAGE
    picture = out / map_output.PICTURE if picture_bytes is not None else None
    where = None if picture is None else str(picture)
    if folder.is_current(mark, picture):
        return DrawnMap(chosen, str(page), where, drawn=False, not_shown=content.not_shown)
    folder.claim()
    store = session.files.thumbnails(map_view.thumbnail_edge(len(content.images)))
    unreadable = map_view.make_thumbnails(session, content.images, store, workers=workers)
    title = f"Map of {session.catalog.folder.stem}"
    if picture is not None and picture_bytes is not None:
        session.progress("Draw the picture", 0, None)
        _draw_picture(content, chosen, title, store, picture, picture_bytes)
    else:
        folder.remove(map_output.PICTURE)  # of an older map
    session.progress("Draw the page", 0, None)
    levels = _draw_levels(content, store)
    view = map_output.make_view(content, title, chosen, levels, VERSION)
    folder.commit(render_map(view), mark)
    missing = {"unreadable": unreadable, "not_shown": content.not_shown}
    return DrawnMap(chosen, str(page), where, drawn=True, **missing)


def _draw_picture(
    content: MapContent,
    color: str,
    title: str,
    store: ThumbnailStore,
    path: Path,
    most_bytes: int,
) -> None:
    from vernis.core.explore.overlap import tile_points
    from vernis.report.map.mosaic import LegendEntry, Tile, draw_mosaic, save_mosaic
    from vernis.verbs.see.map_output import MOST_TILES, figures_text, method_text, shown_facet

    step = -(-len(content.images) // MOST_TILES)
    rows = range(0, len(content.images), max(1, step))
    tiling = content.tiling if step <= 1 else tile_points(content.places[list(rows)])
    facet = shown_facet(content, color)
    hashes = [content.images[row].content_hash for row in rows]
    tiles = (
        Tile(int(x), int(y), facet.color(row) if facet else None, jpeg)
        for row, (x, y), jpeg in zip(rows, tiling.cells, store.read(hashes), strict=True)
    )
    shown = counted(len(content.images), "picture")
    if step > 1:
        shown = f"{len(rows):,} of {shown}"
    quality = figures_text(content.record.quality)
    picture = draw_mosaic(
        tiles,
        tiling.columns,
        tiling.rows,
        title=title,
        subtitle=f"{shown} · {method_text(content.record.settings)} · {quality}",
        legend_title=f"{facet.title}:" if facet else "",
        legend=[LegendEntry(*entry) for entry in facet.legend()] if facet else (),
    )
    save_mosaic(picture, path, most_bytes)


def _draw_levels(content: MapContent, store: ThumbnailStore) -> list[SheetLevel]:
    from vernis.report.map.model import SheetLevel
    from vernis.report.map.sprites import SheetSettings, draw_sheets

    small = 32 if len(content.images) <= 12_000 else 16
    settings = [
        SheetSettings(small, 1024 // small, quality=66),
        SheetSettings(store.edge, 1024 // store.edge, quality=64),
    ]
    hashes = [image.content_hash for image in content.images]
    return [
        SheetLevel(sheets.settings.edge, sheets.settings.columns, sheets.sizes, sheets.pages)
        for sheets in draw_sheets(store.read(hashes), settings)
    ]


def draw_grid(
    session: Session,
    records: Sequence[MapRecord],
    axes: Mapping[str, Sequence[float]],
    out: Path,
    color: str | None,
    table: bytes,
) -> tuple[str, str]:
    """Write the figure of a grid and its table; returns the path of the figure and its colour."""
    from vernis.report.charts import save_figure
    from vernis.verbs.see.map_figure import grid_figure

    folder = map_output.MapFolder(out)
    folder.claim()
    facets = map_view.read_facets(session, session.images())
    chosen = map_view.choose_color(facets, color)
    facet = next((facet for facet in facets if facet.name == chosen), None)
    title = f"Maps of {session.catalog.folder.stem}"
    path = save_figure(grid_figure(session, records, axes, facet, title), out / "grid.png")
    folder.write("grid.json", table)
    return str(path), chosen
