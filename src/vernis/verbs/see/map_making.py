"""Make a map of the collection's pictures, or place new pictures into one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore import projection, tsne
from vernis.core.explore.map_quality import map_quality
from vernis.core.numeric.components import principal_components
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.maps import MapPoints, MapRecord
from vernis.domain.types import Space, hash_texts
from vernis.session.vectors import search_columns, space_document

if TYPE_CHECKING:
    from vernis.session.session import Session

METHODS = ("tsne", "umap", "pca")
_PARAMETERS = {
    "tsne": ("perplexity", "iterations"),
    "umap": ("neighbors", "min_dist"),
    "pca": (),
}
_SHORT = {"perplexity": "p", "iterations": "i", "neighbors": "n", "min_dist": "d"}
_READ_AT_ONCE = 8192
_WHOLE, _SAMPLED = 100_000, 50_000
"""Of more pictures than the first, the map is made of the second, drawn evenly by content; the
others are placed into it."""
_MOVED_ALONE = 5_000
"""Up to so many new pictures each finds its place by t-SNE; more stand amid their neighbours."""
_PLACED_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class MapSettings:
    """How a map is made.

    Attributes
    ----------
    method : {"tsne", "umap", "pca"}
    perplexity : float
        Of t-SNE: about how many neighbours a picture is kept near to.
    iterations : int
        Of t-SNE, after the exaggerated ones.
    neighbors : int
        Of UMAP.
    min_dist : float
        Of UMAP: how near to one another points may come, 0..1.
    components : int
        Principal components that the method gets.
    seed : int
    """

    method: Literal["tsne", "umap", "pca"] = "tsne"
    perplexity: float = 30.0
    iterations: int = 500
    neighbors: int = 15
    min_dist: float = 0.1
    components: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InvalidValue(f"expected a method of {', '.join(METHODS)}, got {self.method!r}")
        for name, least, most in (
            ("perplexity", 1, 1000),
            ("iterations", 1, 100_000),
            ("neighbors", 2, 1000),
            ("min_dist", 0, 1),
            ("components", 2, 1000),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InvalidValue(f"expected {name} from {least:g} to {most:g}, got {value!r}")

    @property
    def document(self) -> dict[str, Any]:
        """Return what the map hangs on: the method with its own parameters, JSON-able."""
        names = ["method", *_PARAMETERS[self.method], "components", "seed"]
        return {name: getattr(self, name) for name in names}

    def name(self, space: Space) -> str:
        """Return the name that a map with these settings has when it is given none."""
        parts: list[str] = [self.method]
        parts += [f"{_SHORT[name]}{getattr(self, name):g}" for name in _PARAMETERS[self.method]]
        parts += [f"c{self.components}"] if self.components != 50 else []
        parts += [f"s{self.seed}"] if self.seed else []
        return f"{space.name}/{'-'.join(parts)}"


@dataclass(frozen=True, slots=True)
class MapSummary:
    """A map that is there now, and what had to be done for it."""

    record: MapRecord
    computed: bool
    placed: int
    without_vector: int


@dataclass(frozen=True, slots=True, eq=False)
class MapData:
    """The vectors of a map's pictures, by content.

    Attributes
    ----------
    hashes : tuple of str
    vectors : ndarray of float32, shape (n, dim)
        The columns that neighbours are searched by.
    """

    hashes: tuple[str, ...]
    vectors: NDArray[np.float32]


def settings_of(session: Session, name: str, given: Mapping[str, Any]) -> MapSettings:
    """Return the settings that the user gave, completed by those of the map of that name.

    Raises
    ------
    UsageError
        What was given differs from how the map was made, or is no setting.
    """
    known = {item.name for item in fields(MapSettings)}
    wrong = sorted(set(given) - known)
    if wrong:
        raise UsageError(f"no setting of a map: {', '.join(wrong)}; there are: {', '.join(known)}")
    record = session.catalog.maps.find(name) if name else None
    if record is None:
        return MapSettings(**given)
    for key, value in given.items():
        if key in record.settings and record.settings[key] != value:
            raise UsageError(
                f"the map {name!r} was made with {key} {record.settings[key]}, not {value}; "
                "--fresh makes it anew, another --name makes another"
            )
    return MapSettings(**{**given, **record.settings})


def make_map(
    session: Session, space: Space, settings: MapSettings, *, name: str = "", fresh: bool = False
) -> MapSummary:
    """Make the map, or bring the one that is there up to date.

    A map that was made of the same space with the same settings stays as it is, and pictures that
    came since are placed into it. Pictures with equal bytes share a place. Of more than 100,000
    pictures a sample makes the map, and the others are placed into it.

    Parameters
    ----------
    session : Session
    space : Space
    settings : MapSettings
    name : str
        Default: made of space and settings.
    fresh : bool
        Make it anew of all pictures.

    Raises
    ------
    UsageError
        The map of that name was made of another space or with other settings, or there are too
        few pictures.
    MissingExtra
        UMAP is not installed.
    """
    chosen = name or settings.name(space)
    contents = present_contents(session)
    record = session.catalog.maps.find(chosen)
    if record is not None and not fresh:
        if not is_made_so(record, space, settings) and name:
            raise UsageError(
                f"the map {name!r} was made of {record.space['name']} with {record.settings}; "
                "--fresh makes it anew, another --name makes another"
            )
        if is_made_so(record, space, settings):
            return _bring_up_to_date(session, space, record, contents)
    with session.lock("map"):
        some, others = _sample(contents)
        data = read_map_data(session, space, some)
        points = _compute(session, data, settings)
        record = write_map(session, space, settings, chosen, data, points)
        placed = _place_others(session, space, record, data, points, others)
    return MapSummary(record, True, placed, len(contents) - len(data.hashes) - placed)


def _sample(contents: list[str]) -> tuple[list[str], list[str]]:
    """Return the contents that a map is made of, and those that are placed into it."""
    if len(contents) <= _WHOLE:
        return contents, []
    drawn = np.zeros(len(contents), dtype=bool)
    drawn[np.linspace(0, len(contents) - 1, _SAMPLED).astype(np.intp)] = True
    pairs = list(zip(contents, drawn.tolist(), strict=True))
    return [c for c, taken in pairs if taken], [c for c, taken in pairs if not taken]


def _place_others(
    session: Session,
    space: Space,
    record: MapRecord,
    made: MapData,
    places: projection.Points,
    others: list[str],
) -> int:
    """Place pictures into a map that was made, some at a time; return how many have a vector."""
    vectors, columns = session.catalog.vectors, search_columns(space)
    missing = set(vectors.missing(space, others)) if others else set()
    waiting = [content for content in others if content not in missing]
    count = 0
    for start in range(0, len(waiting), _PLACED_AT_ONCE):
        session.progress("Place the other pictures", start, len(waiting))
        hashes = waiting[start : start + _PLACED_AT_ONCE]
        new = vectors.read(space, hashes)[:, columns].astype(np.float32)
        sound = np.flatnonzero(np.isfinite(new).all(axis=1))
        found = _place(new[sound], made.vectors, places, record.settings)
        named = [hashes[row] for row in sound.tolist()]
        session.catalog.maps.place(record.name, named, found, record.quality)
        count += len(named)
    return count


def is_made_so(record: MapRecord, space: Space, settings: MapSettings) -> bool:
    """Tell whether a map was made of that space with those settings."""
    same_space = dict(record.space) == _plain(space_document(space))
    return same_space and dict(record.settings) == settings.document


def present_contents(session: Session) -> list[str]:
    """Return the distinct contents of the present images, ascending."""
    hashes = np.unique(session.table().hashes)
    return hash_texts(hashes[hashes != b""])


def read_map_data(session: Session, space: Space, contents: list[str]) -> MapData:
    """Read the vectors by which neighbours are searched; contents without one are left out.

    Raises
    ------
    UsageError
        There are too few for a map.
    """
    missing = set(session.catalog.vectors.missing(space, contents))
    hashes = [content for content in contents if content not in missing]
    columns = search_columns(space)
    blocks = [
        session.catalog.vectors.read(space, hashes[start : start + _READ_AT_ONCE])[:, columns]
        for start in range(0, len(hashes), _READ_AT_ONCE)
    ]
    vectors = np.concatenate(blocks).astype(np.float32) if blocks else np.zeros((0, 1), np.float32)
    sound = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if len(sound) < len(hashes):
        vectors = vectors[sound]
        hashes = [hashes[row] for row in sound]
    if len(hashes) < projection.MIN_POINTS:
        raise UsageError(
            f"a map needs {projection.MIN_POINTS} different pictures with a vector of "
            f"{space.name}, there are {len(hashes)}; make them: vernis embed"
        )
    return MapData(tuple(hashes), vectors)


def write_map(
    session: Session,
    space: Space,
    settings: MapSettings,
    name: str,
    data: MapData,
    places: projection.Points,
) -> MapRecord:
    """Measure a map and record it; returns it as the catalog has it."""
    session.progress("Measure the map", 0, None)
    quality = _quality(data.vectors, places)
    marks = np.zeros(len(data.hashes), dtype=bool)
    session.catalog.maps.replace(
        MapRecord(name, space_document(space), settings.document, quality),
        MapPoints(data.hashes, places, marks),
    )
    record = session.catalog.maps.find(name)
    assert record is not None
    return record


def _compute(session: Session, data: MapData, settings: MapSettings) -> projection.Points:
    session.progress("Principal components", 0, None)
    basis = principal_components(data.vectors, settings.components, seed=settings.seed)
    components = basis.project(data.vectors)
    if settings.method == "pca":
        return projection.pca_points(components)
    if settings.method == "umap":
        session.progress("UMAP", 0, None)
        return projection.umap_points(
            components,
            n_neighbors=settings.neighbors,
            min_dist=settings.min_dist,
            seed=settings.seed,
        )
    session.progress("Neighbours", 0, None)
    count = tsne.count_neighbors(settings.perplexity, len(components))
    neighbors = projection.find_neighbors(components, count, seed=settings.seed)
    total = settings.iterations + tsne.EXAGGERATED_ITERATIONS
    states = tsne.tsne_states(
        components,
        neighbors,
        perplexity=settings.perplexity,
        iterations=[settings.iterations],
        seed=settings.seed,
        tick=lambda done: session.progress("t-SNE", done, total),
    )
    return next(states)[1]


def _bring_up_to_date(
    session: Session, space: Space, record: MapRecord, contents: list[str]
) -> MapSummary:
    """Place the pictures that came since the map was made."""
    points = session.catalog.maps.points(record.name)
    known = set(points.hashes)
    fresh = [content for content in contents if content not in known]
    fresh_missing = session.catalog.vectors.missing(space, fresh) if fresh else []
    if len(fresh_missing) == len(fresh):
        return MapSummary(record, False, 0, len(fresh_missing))
    with session.lock("map"):
        session.progress("Place new pictures", 0, None)
        if len(contents) > _WHOLE:
            lacking = set(fresh_missing)
            came = [content for content in fresh if content not in lacking]
            there = np.flatnonzero(~points.placed)
            base = read_map_data(session, space, [points.hashes[row] for row in there.tolist()])
            kept = np.isin(np.array(points.hashes), np.array(base.hashes))
            count = _place_others(session, space, record, base, points.places[kept], came)
            return MapSummary(record, False, count, len(fresh) - count)
        data = read_map_data(session, space, sorted({*fresh, *points.hashes}))
        row_of = {content: row for row, content in enumerate(data.hashes)}
        new = [content for content in fresh if content in row_of]
        made = [
            (row_of[content], place)
            for content, place, later in zip(
                points.hashes, points.places, points.placed, strict=True
            )
            if not later and content in row_of
        ]
        reference = data.vectors[[row for row, _ in made]]
        places = _place(
            data.vectors[[row_of[content] for content in new]],
            reference,
            np.array([place for _, place in made]).reshape(-1, 2),
            record.settings,
        )
        place_of = dict(zip(points.hashes, points.places, strict=True))
        place_of |= dict(zip(new, places, strict=True))
        quality = _quality(data.vectors, np.array([place_of[h] for h in data.hashes]))
        session.catalog.maps.place(record.name, new, places, quality)
    updated = session.catalog.maps.find(record.name)
    assert updated is not None
    return MapSummary(updated, False, len(new), len(fresh) - len(new))


def _place(
    new: NDArray[np.float32],
    reference: NDArray[np.float32],
    places: projection.Points,
    settings: Mapping[str, Any],
) -> projection.Points:
    if len(reference) < projection.MIN_POINTS or not len(new):
        raise UsageError("too few of the map's pictures are left to place new ones; add --fresh")
    basis = principal_components(reference, int(settings["components"]), seed=int(settings["seed"]))
    ours, theirs = basis.project(new), basis.project(reference)
    if settings["method"] == "pca":
        return np.asarray(ours[:, :2], np.float64)
    if settings["method"] == "umap" or len(new) > _MOVED_ALONE:
        return projection.place_by_neighbors(ours, theirs, places)
    return tsne.place_by_tsne(ours, theirs, places)


def _quality(vectors: NDArray[np.float32], places: projection.Points) -> dict[str, Any]:
    found = map_quality(vectors, places)
    return {item.name: getattr(found, item.name) for item in fields(found)}


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as it comes back from JSON: tuples are lists."""
    import json

    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain
