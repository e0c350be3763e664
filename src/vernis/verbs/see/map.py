"""``vernis map``: draw all pictures on a map where the similar lie together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from vernis.domain.types import Space
from vernis.report.wording import counted
from vernis.verbs.declare import (
    FLAT,
    SEED,
    WORKERS,
    BaseSettings,
    OneOf,
    Option,
    Screen,
    Verb,
    count,
)
from vernis.verbs.see.map_drawing import DrawnMap, draw_grid, draw_map
from vernis.verbs.see.map_grid import make_grid, read_axes
from vernis.verbs.see.map_making import MapSettings, make_map, settings_of
from vernis.verbs.see.maps import MapRow, row_of, without_blanks

if TYPE_CHECKING:
    from vernis.session.session import Session

_OF_THE_MAP = (
    "method",
    "perplexity",
    "iterations",
    "neighbors",
    "min_dist",
    "components",
    "seed",
)


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How the map is made and drawn."""

    _: KW_ONLY
    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None
    method: Annotated[
        Literal["tsne", "umap", "pca"] | None, Option("how it is made (default: tsne)")
    ] = None
    perplexity: Annotated[
        float | None, Option("of t-SNE: neighbours that count (default: 30)", "P")
    ] = None
    iterations: Annotated[int | None, count("of t-SNE (default: 500)")] = None
    neighbors: Annotated[int | None, count("of UMAP (default: 15)")] = None
    min_dist: Annotated[float | None, Option("of UMAP (default: 0.1)", "D")] = None
    components: Annotated[int | None, count("of the PCA before (default: 50)")] = None
    seed: Annotated[int | None, SEED] = None
    color: Annotated[
        str | None,
        Option("colour by a taxonomy, issues or none (default: the fullest taxonomy)"),
    ] = None
    grid: Annotated[
        Sequence[str],
        Option(
            "a map for each combination, side by side: perplexity=10,30 iterations=200,500",
            many=True,
        ),
    ] = ()
    name: Annotated[str, Option("of the map (default: made of its settings)")] = ""
    fresh: Annotated[bool, Option("make it anew of all pictures")] = False
    out: Annotated[Path | str, Option("folder of page and picture")] = "map"
    picture: Annotated[bool, Option("draw the map as one large PNG, too")] = False
    picture_size: Annotated[float, Option("largest size of that PNG", "MB", at_least=0.1)] = 5.0
    workers: Annotated[int | None, WORKERS] = None

    def given(self) -> dict[str, Any]:
        """Return the settings of the map that were given."""
        values = {name: getattr(self, name) for name in _OF_THE_MAP}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class MadeMap:
    """A map that is there now."""

    row: Annotated[MapRow, FLAT]
    computed: Annotated[bool, "whether it was made now"]
    placed_now: Annotated[int, "new pictures placed into it"]
    without_vector: Annotated[int, "pictures without a vector"]
    drawn: Annotated[DrawnMap, FLAT]


@dataclass(frozen=True, slots=True)
class MadeGrid:
    """A map for each combination of parameters."""

    parameters: tuple[str, ...]
    maps: tuple[MapRow, ...]
    picture: Annotated[str, "path"]
    table: Annotated[str, "path"]
    color: str


@dataclass(frozen=True, slots=True)
class Result:
    """The map, or the grid of maps where one was asked for."""

    made: MadeMap | None
    grid: MadeGrid | None
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Make a map, or place new pictures into the one that is there, and draw it."""
    if settings.grid:
        return Result(None, _make_grid(session, settings))
    given = settings.given()
    how = MapSettings(**given) if settings.fresh else settings_of(session, settings.name, given)
    space = _choose_space(session, settings.space, settings.name)
    done = make_map(session, space, how, name=settings.name, fresh=settings.fresh)
    drawn = draw_map(
        session,
        done.record,
        Path(settings.out),
        settings.color,
        settings.workers,
        picture_bytes=int(settings.picture_size * 1e6) if settings.picture else None,
    )
    notes = []
    if not done.computed and not done.placed and not drawn.drawn:
        notes.append("nothing had changed")
    if done.without_vector:
        without = counted(done.without_vector, "picture has", "pictures have")
        notes.append(f"{without} no vector yet: vernis embed")
    made = MadeMap(row_of(done.record), done.computed, done.placed, done.without_vector, drawn)
    return Result(made, None, tuple(notes))


def _choose_space(session: Session, space: str | None, name: str) -> Space:
    """Return the space that was asked for, else that of the map of that name, else the default."""
    record = session.catalog.maps.find(name) if name else None
    if record is None or space is not None:
        return session.space(space)
    return Space(**record.space)


def _make_grid(session: Session, settings: Settings) -> MadeGrid:
    how = MapSettings(**settings.given())
    axes = read_axes(how.method, settings.grid)
    space, out = session.space(settings.space), Path(settings.out)
    records = make_grid(session, space, how, axes, fresh=settings.fresh)
    rows = tuple(map(row_of, records))
    table = json.dumps([without_blanks(row) for row in rows], indent=1) + "\n"
    picture, color = draw_grid(session, records, axes, out, settings.color, table.encode())
    return MadeGrid(tuple(axes), rows, picture, str(out / "grid.json"), color)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what was made, and where it lies."""
    if result.grid is not None:
        grid = result.grid
        columns = [*grid.parameters, "trustworthiness", "preservation", "name"]
        screen.table([_whole(row, grid.parameters) for row in grid.maps], columns, title="Maps")
        screen.line(grid.picture)
        return
    assert result.made is not None
    made, row = result.made, result.made.row
    facts: dict[str, Any] = {
        "map": row.name,
        "pictures": row.pictures,
        "trustworthiness": row.trustworthiness,
        f"{counted(row.n_neighbors, 'neighbour')} kept": row.preservation,
    }
    if made.placed_now:
        facts["placed now"] = made.placed_now
    if made.drawn.not_shown:
        facts["not on the page"] = counted(made.drawn.not_shown, "picture")
    if row.judged < row.pictures:
        facts["judged on"] = counted(row.judged, "picture")
    facts["coloured by"] = made.drawn.color or "nothing"
    facts["picture"] = made.drawn.picture or "none (vernis map --picture draws one)"
    facts["page"] = made.drawn.page
    screen.facts(facts)


def _whole(row: MapRow, parameters: Sequence[str]) -> dict[str, Any]:
    """Return a row whose parameters are whole numbers where they can be."""
    values: dict[str, Any] = without_blanks(row)
    for name in parameters:
        value = values[name]
        values[name] = int(value) if float(value).is_integer() else value
    return values


def document(result: Result) -> Mapping[str, Any]:
    """Return the map with where it lies, or the grid, flat and without blanks."""
    if result.grid is not None:
        grid = result.grid
        rows = [without_blanks(row) for row in grid.maps]
        return {**without_blanks(grid), "maps": rows}
    assert result.made is not None
    made = result.made
    return {
        **without_blanks(made.row),
        "computed": made.computed,
        "placed_now": made.placed_now,
        "without_vector": made.without_vector,
        **without_blanks(made.drawn),
    }


VERB = Verb(Settings, work, show, document=document, shape=OneOf("made", "grid"))
