"""``vernis maps``: list the maps of the collection."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.domain.maps import MapRecord
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which map is removed."""

    _: KW_ONLY
    remove: Annotated[str | None, Option("remove the map of this name")] = None


@dataclass(frozen=True, slots=True)
class MapRow:
    """A map; what its method has no use for is left out."""

    name: str
    space: Annotated[str, "embedding space"]
    method: Annotated[str, "tsne, umap or pca"]
    components: Annotated[int, "principal components that the method got"]
    seed: int
    perplexity: float | None
    iterations: int | None
    neighbors: int | None
    min_dist: float | None
    pictures: int
    placed_later: Annotated[int, "pictures fitted into the finished map"]
    trustworthiness: Annotated[float, "0 to 1"]
    preservation: Annotated[float, "share of the nearest neighbours kept"]
    n_neighbors: Annotated[int, "neighbours of each picture that were compared"]
    judged: Annotated[int, "pictures that were judged"]
    trustworthiness_error: Annotated[float, "standard error; 0 when all were judged"]
    preservation_error: Annotated[float, "standard error; 0 when all were judged"]
    created: str


@dataclass(frozen=True, slots=True)
class Result:
    """The maps, the newest first."""

    rows: tuple[MapRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the maps of the collection, the newest first; remove one before."""
    maps = session.catalog.maps
    if settings.remove is not None:
        with session.lock("maps"):
            maps.remove(settings.remove)
    return Result(tuple(map(row_of, maps.records())))


def row_of(record: MapRecord) -> MapRow:
    """Return a map as a row."""
    made, quality = record.settings, record.quality
    return MapRow(
        name=record.name,
        space=record.space["name"],
        method=made["method"],
        components=made["components"],
        seed=made["seed"],
        perplexity=made.get("perplexity"),
        iterations=made.get("iterations"),
        neighbors=made.get("neighbors"),
        min_dist=made.get("min_dist"),
        pictures=record.points,
        placed_later=record.placed,
        trustworthiness=quality["trustworthiness"],
        preservation=quality["preservation"],
        n_neighbors=quality["n_neighbors"],
        judged=quality["judged"],
        trustworthiness_error=quality.get("trustworthiness_error", 0.0),
        preservation_error=quality.get("preservation_error", 0.0),
        created=record.created,
    )


def without_blanks(row: Any) -> dict[str, Any]:
    """Return a row as a document without what is null."""
    whole: dict[str, Any] = to_document(row)
    return {name: value for name, value in whole.items() if value is not None}


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a map."""
    columns = ["name", "pictures", "placed_later", "trustworthiness", "preservation", "created"]
    screen.table(result.rows, columns, title="Maps" if result.rows else "No map yet: vernis map")


def points_frame(session: Session, name: str) -> pd.DataFrame:
    """Return one row an image of a map: ``x``, ``y`` and whether it was ``placed`` later."""
    import pandas as pd

    points = session.catalog.maps.points(name)
    row_of_content = {content: row for row, content in enumerate(points.hashes)}
    rows = []
    for image in session.images():
        row = row_of_content.get(image.content_hash)
        if row is not None:
            x, y = points.places[row].tolist()
            rows.append({"image": image.uri, "x": x, "y": y, "placed": bool(points.placed[row])})
    return pd.DataFrame(rows, columns=["image", "x", "y", "placed"])


VERB = Verb(
    Settings,
    work,
    show,
    document=lambda result: [without_blanks(row) for row in result.rows],
    shape=OneOf("rows"),
)
