"""Which adapters the map's workflows get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.assembly import job
from vernis.domain.errors import UsageError
from vernis.domain.maps import MapRecord
from vernis.domain.ports import Catalog, Progress
from vernis.domain.types import Space
from vernis.report.wording import counted
from vernis.version import VERSION

if TYPE_CHECKING:
    from vernis.report.map.model import SheetLevel
    from vernis.workflows.explore.map import MapSettings
    from vernis.workflows.explore.map_view import MapContent, ThumbnailStore


def choose_space(catalog: Catalog, space: str | None, name: str) -> Space:
    """Return the space that was asked for, else that of the map of that name, else the default."""
    record = catalog.maps.find(name) if name else None
    if record is None or space is not None:
        return job.embedding_space(catalog, space)
    return Space(**record.space)


def make_map(
    catalog: Catalog,
    space: str | None,
    name: str,
    fresh: bool,
    given: Mapping[str, Any],
    progress: Progress,
) -> tuple[MapRecord, dict[str, Any]]:
    """Make a map or bring it up to date; returns it and what was done."""
    from vernis.workflows.explore.map import MapSettings, make_map, settings_of

    settings = MapSettings(**given) if fresh else settings_of(catalog, name, given)
    where = choose_space(catalog, space, name)
    summary = make_map(catalog, where, settings, name=name, fresh=fresh, progress=progress)
    return summary.record, {
        **map_row(summary.record),
        "computed": summary.computed,
        "placed_now": summary.placed,
        "without_vector": summary.without_vector,
    }


def map_row(record: MapRecord) -> dict[str, Any]:
    """Return a map as a row of a table."""
    return {
        "name": record.name,
        "space": record.space["name"],
        **record.settings,
        "pictures": record.points,
        "placed_later": record.placed,
        **record.quality,
        "created": record.created,
    }


def draw_map(
    catalog: Catalog,
    record: MapRecord,
    out: Path,
    color: str | None,
    workers: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Write picture and page of a map, unless the folder shows just that already."""
    from vernis.adapters.thumbnails import ThumbnailCache
    from vernis.report.map.page import render_map
    from vernis.workflows.explore import map_output, map_view

    progress("Lay out the map", 0, None)
    content = map_view.read_content(catalog, record)
    chosen = map_view.choose_color(content.facets, color)
    folder = map_output.MapFolder(out)
    fingerprint = map_view.content_fingerprint(content, chosen, VERSION)
    done = {
        "color": chosen,
        "page": str(out / map_output.PAGE),
        "picture": str(out / map_output.PICTURE),
    }
    if folder.is_current(fingerprint):
        return {**done, "drawn": False}
    folder.claim()
    store = ThumbnailCache(catalog.folder, map_view.thumbnail_edge(len(content.images)))
    unreadable = _fill(catalog, content, store, workers, progress)
    progress("Draw the picture", 0, None)
    title = f"Map of {catalog.folder.stem}"
    _draw_picture(content, chosen, title, store, out / map_output.PICTURE)
    progress("Draw the page", 0, None)
    levels = _draw_levels(content, store)
    view = map_output.make_view(content, title, chosen, levels, VERSION)
    folder.commit(render_map(view), fingerprint)
    return {**done, "drawn": True, "unreadable": unreadable}


def _fill(
    catalog: Catalog,
    content: MapContent,
    store: ThumbnailStore,
    workers: int | None,
    progress: Progress,
) -> int:
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.files import picture_reader
    from vernis.adapters.pixels import thumbnail_jpeg
    from vernis.workflows.explore.map_view import make_thumbnails

    return make_thumbnails(
        content.images,
        store,
        engine=ThreadEngine(workers),
        read_picture=picture_reader(job.image_root(catalog)),
        thumbnail=lambda pixels, edge: thumbnail_jpeg(pixels, edge, 85),
        progress=progress,
    )


def _draw_picture(
    content: MapContent, color: str, title: str, store: ThumbnailStore, path: Path
) -> None:
    from vernis.adapters.mosaic import LegendEntry, Tile, draw_mosaic, save_mosaic
    from vernis.core.explore.overlap import tile_points
    from vernis.workflows.explore.map_output import (
        MOST_TILES,
        figures_text,
        method_text,
        shown_facet,
    )

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
    save_mosaic(picture, path)


def _draw_levels(content: MapContent, store: ThumbnailStore) -> list[SheetLevel]:
    from vernis.adapters.sprites import SheetSettings, draw_sheets
    from vernis.report.map.model import SheetLevel

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


def make_grid(
    catalog: Catalog,
    space: str | None,
    texts: Sequence[str],
    fresh: bool,
    given: Mapping[str, Any],
    progress: Progress,
) -> tuple[list[MapRecord], dict[str, list[float]]]:
    """Make the maps of a grid; returns them, row by row, and its axes."""
    from vernis.workflows.explore.map_grid import make_grid, read_axes

    settings = _grid_base(given)
    axes = read_axes(settings.method, texts)
    where = job.embedding_space(catalog, space)
    records = make_grid(catalog, where, settings, axes, fresh=fresh, progress=progress)
    return records, axes


def _grid_base(given: Mapping[str, Any]) -> MapSettings:
    from vernis.workflows.explore.map import MapSettings

    known = {item.name for item in fields(MapSettings)}
    wrong = sorted(set(given) - known)
    if wrong:
        raise UsageError(f"no setting of a map: {', '.join(wrong)}")
    return MapSettings(**given)


def draw_grid(
    catalog: Catalog,
    records: Sequence[MapRecord],
    axes: Mapping[str, Sequence[float]],
    out: Path,
    color: str | None,
) -> dict[str, Any]:
    """Write the figure of a grid and its table."""
    from vernis.report.charts import save_figure
    from vernis.workflows.explore import map_output, map_view
    from vernis.workflows.explore.map_figure import grid_document, grid_figure

    folder = map_output.MapFolder(out)
    folder.claim()
    facets = map_view.read_facets(catalog, catalog.images.all())
    chosen = map_view.choose_color(facets, color)
    facet = next((facet for facet in facets if facet.name == chosen), None)
    figure = grid_figure(catalog, records, axes, facet, f"Maps of {catalog.folder.stem}")
    path = save_figure(figure, out / "grid.png")
    rows = [map_row(record) for record in records]
    folder.write("grid.json", grid_document(rows))
    return {"picture": str(path), "table": str(out / "grid.json"), "color": chosen}
