"""``vernis compare-spaces``: which embedding space suits a taxonomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.report.explore.spaces import draw_comparison
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, BaseSettings, Option, Screen, Verb, count
from vernis.verbs.networks.backbone_options import NO_FILE
from vernis.verbs.networks.space_comparison import Candidate, Recommendation, compare_spaces

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which spaces are compared, and on what."""

    spaces: Annotated[
        Sequence[str],
        Option(
            "spaces of the collection, or BACKBONE[:LAYER[:POOLING]] or a layer of the shipped "
            "backbone, embedded on the sample",
            requests=NO_FILE,
        ),
    ]
    _: KW_ONLY
    taxonomy: Annotated[str | None, Option("compare on its labels (default: the only one)")] = None
    sample: Annotated[int, count("images to compare on", "N", 20)] = 2000
    seed: Annotated[int, SEED] = 0
    out: Annotated[Path | str, Option("the figure, .png or .svg")] = "spaces.png"


@dataclass(frozen=True, slots=True)
class Result:
    """How good each space is, and which is recommended."""

    taxonomy: str
    images: Annotated[int, "compared on"]
    left_out_as_copies: Annotated[int, "images left out: duplicates of others"]
    seed: int
    spaces: Annotated[
        tuple[Mapping[str, Any], ...],
        "a row a space: precision@k of its neighbours with error, components for shares of the "
        "variance, ms_per_image",
    ]
    recommendation: Recommendation
    figure: Annotated[str, "path"]


def work(session: Session, settings: Settings) -> Result:
    """Measure every space on the same labelled images, and draw a figure.

    Raises
    ------
    UsageError
        Fewer than two spaces, two of the same name, or too few labelled images.
    """
    taxonomy = settings.taxonomy or _only_taxonomy(session)
    session.catalog.labels.taxonomy(taxonomy)
    candidates = [_candidate(session, name) for name in settings.spaces]
    found = compare_spaces(
        session, taxonomy, candidates, sample=settings.sample, seed=settings.seed
    )
    title = f"Embedding spaces on {taxonomy!r}, {found.images:,} images"
    figure = draw_comparison(
        title,
        found.rows,
        found.curves,
        Path(settings.out),
        recommended=found.recommendation.space,
        reason=found.recommendation.reason,
    )
    return Result(
        taxonomy=taxonomy,
        images=found.images,
        left_out_as_copies=found.left_out_as_copies,
        seed=settings.seed,
        spaces=tuple(found.rows),
        recommendation=found.recommendation,
        figure=str(figure),
    )


def _only_taxonomy(session: Session) -> str:
    names = [taxonomy.name for taxonomy in session.taxonomies()]
    if len(names) != 1:
        there_are = f"there are {', '.join(names)}" if names else "there is none"
        raise UsageError(f"name the taxonomy to compare on: --taxonomy ({there_are})")
    return names[0]


def _candidate(session: Session, name: str) -> Candidate:
    try:
        space = session.space(name)
    except (NotFound, UsageError) as unknown:
        try:
            reader = session.networks.read_choice(name).open_reader()
        except NotFound as error:
            raise NotFound(f"{error}; nor {unknown}") from error
        return Candidate(name, reader.space, stored=False, reader=reader)
    try:
        reader_of_stored = session.networks.open_space(space)
    except ModelError:  # its vectors can still be judged, only not timed
        return Candidate(name, space, stored=True, reader=None)
    return Candidate(name, space, stored=True, reader=reader_of_stored)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a space, and the recommendation."""
    rows = [_with_short_components(row) for row in result.spaces]
    columns = [name for name in rows[0] if name not in ("stored", "note") and "error" not in name]
    left_out = counted(result.left_out_as_copies, "copy", "copies")
    title = f"{counted(result.images, 'image')} of {result.taxonomy!r}; {left_out} left out"
    screen.table(rows, columns, title=title)
    for row in rows:
        if "note" in row:
            screen.line(f"{row['space']}: {row['note']}")
    screen.line(f"Recommended: {result.recommendation.space}")
    screen.line(f"  {result.recommendation.reason}")
    screen.line(f"Figure: {result.figure}")


def _with_short_components(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose counts of principal components are one column: for 90, 95, 99 %."""
    short: dict[str, Any] = {}
    counts = {name: value for name, value in row.items() if name.startswith("components_")}
    shares = "/".join(name.removeprefix("components_") for name in counts)
    for name, value in row.items():
        if name not in counts:
            short[name] = value
        else:
            short[f"components_for_{shares}_%"] = " / ".join(f"{n:,}" for n in counts.values())
    return short


VERB = Verb(Settings, work, show)
