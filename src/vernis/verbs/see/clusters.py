"""``vernis clusters``: group images that look alike, as a proposed taxonomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.core.words.tfidf import Term
from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, BaseSettings, OneOf, Option, Screen, Verb, count
from vernis.verbs.see.cluster_decisions import accept_clusters, name_clusters, stored_clusters
from vernis.verbs.see.cluster_store import Clustering, ScanRow
from vernis.verbs.see.clustering import ClusterSettings, find_clusters
from vernis.verbs.see.proposals import (
    AcceptedProposal,
    gather_classes,
    parse_class,
    parse_name,
    show_accepted,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


def whole_range(text: str) -> tuple[int, ...]:
    """Parse ``5..40`` or ``12`` into the whole numbers that it means; raises ValueError."""
    low, dots, high = text.partition("..")
    try:
        first, last = int(low), int(high) if dots else int(low)
    except ValueError:
        first, last = 1, 0
    if not 2 <= first <= last:
        raise ValueError(f"expected a number of 2 or more or a range such as 5..40, got {text!r}")
    return tuple(range(first, last + 1))


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How clusters are found; or what is decided about those that are stored."""

    _: KW_ONLY
    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None
    method: Annotated[
        Literal["kmeans", "density"] | None, Option("how they are found (default: kmeans)")
    ] = None
    k: Annotated[
        Sequence[int] | None,
        Option(
            "clusters of k-means: a range to choose from by silhouette, or one (default: 5..40)",
            parse=whole_range,
            whole=True,
        ),
    ] = None
    min_size: Annotated[int | None, count("images of a dense cluster (default: 0.4 % of all)")] = (
        None
    )
    taxonomy: Annotated[
        Sequence[str], Option("name the clusters by these labels alone (repeatable; default: all)")
    ] = ()
    fresh: Annotated[bool, Option("start anew, and forget stored numbers and names")] = False
    seed: Annotated[int | None, SEED] = None
    sheet: Annotated[
        Path | str | None, Option("draw the medoid pictures of each cluster, .png")
    ] = None
    figure: Annotated[Path | str | None, Option("draw the silhouette over k")] = None
    name: Annotated[
        Sequence[tuple[int, str]],
        Option("N=NAME: rename cluster N of the stored ones (repeatable)", parse=parse_name),
    ] = ()
    accept: Annotated[
        Sequence[tuple[str, Sequence[int]]],
        Option("NAME=N,N: make a class of these stored clusters (repeatable)", parse=parse_class),
    ] = ()
    into: Annotated[str, Option("the taxonomy that --accept makes")] = "clusters"

    @property
    def asks_to_find(self) -> bool:
        """Whether anything is said of how clusters are found."""
        given = (self.space, self.method, self.k, self.min_size, self.seed)
        return any(value is not None for value in given) or bool(self.taxonomy) or self.fresh


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster."""

    number: Annotated[int, "it stays when images are added"]
    name: str
    named_by: Annotated[str, "words or person"]
    size: Annotated[int, "images"]
    silhouette: Annotated[float, "mean of its members, -1 to 1"]
    words: Annotated[Mapping[str, tuple[Term, ...]], "labels, texts, names that set it apart"]
    central: Annotated[tuple[str, ...], "images nearest to its center, the medoid first"]
    images: Annotated[tuple[str, ...], "paths"]


@dataclass(frozen=True, slots=True)
class FoundClusters:
    """All clusters."""

    space: str
    method: str
    k: Annotated[int, "clusters"]
    images: Annotated[int, "images that were clustered"]
    noise: Annotated[int, "of them, in no cluster"]
    scan: Annotated[tuple[ScanRow, ...], "each k that was tried"]
    notes: tuple[str, ...]
    clusters: tuple[ClusterRow, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The clusters, or the taxonomy that was made of them."""

    found: FoundClusters | None
    accepted: AcceptedProposal | None
    drawn: Annotated[tuple[str, ...], "paths of sheet and figure"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Find clusters, or read those of the same images and settings; name and accept them."""
    if settings.accept:
        if settings.name:
            raise UsageError("--name and --accept do not go together; name the clusters first")
        classes = gather_classes(settings.accept)
        accepted = accept_clusters(session, classes, into=settings.into)
        return Result(None, accepted, (), ())
    # Names alone are given to the stored clusters, whichever way those were found.
    if settings.asks_to_find or not settings.name:
        clustering = find_clusters(
            session,
            session.space(settings.space),
            _find_settings(settings),
            taxonomies=settings.taxonomy,
            fresh=settings.fresh,
        )
    if settings.name:
        clustering = name_clusters(session, dict(settings.name))
    found = _described(clustering, session.uris())
    return Result(found, None, _draw(session, settings), found.notes)


def _find_settings(settings: Settings) -> ClusterSettings:
    given = {"method": settings.method, "ks": settings.k, "min_size": settings.min_size}
    given["seed"] = settings.seed
    return ClusterSettings(
        **{name: value for name, value in given.items() if value is not None}  # type: ignore[arg-type]
    )


def _described(clustering: Clustering, uris: Mapping[int, str]) -> FoundClusters:
    def named(ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(uris[image] for image in ids if image in uris)

    return FoundClusters(
        space=clustering.space,
        method=clustering.method,
        k=len(clustering.clusters),
        images=clustering.n_images,
        noise=clustering.n_noise,
        scan=clustering.scan,
        notes=clustering.notes,
        clusters=tuple(
            ClusterRow(
                number=cluster.number,
                name=cluster.name,
                named_by=cluster.named_by,
                size=len(cluster.images),
                silhouette=cluster.silhouette,
                words=cluster.words,
                central=named(cluster.central),
                images=named(cluster.images),
            )
            for cluster in clustering.clusters
        ),
    )


def _draw(session: Session, settings: Settings) -> tuple[str, ...]:
    if settings.sheet is None and settings.figure is None:
        return ()
    from vernis.verbs.see.sheets import write_cluster_sheet, write_silhouette_figure

    stored = stored_clusters(session)
    drawn = []
    if settings.sheet is not None:
        drawn.append(str(write_cluster_sheet(session, stored, settings.sheet)))
    if settings.figure is not None:
        drawn.append(str(write_silhouette_figure(stored, settings.figure)))
    return tuple(drawn)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a cluster, or the classes that were made."""
    if result.accepted is not None:
        show_accepted(result.accepted, screen)
        return
    assert result.found is not None
    found = result.found
    rows = [
        {
            "number": cluster.number,
            "name": cluster.name,
            "images": cluster.size,
            "silhouette": cluster.silhouette,
            "set_apart_by": _telling(cluster.words),
            "medoid": cluster.central[0] if cluster.central else "",
        }
        for cluster in found.clusters
    ]
    columns = ["number", "name", "images", "silhouette", "set_apart_by", "medoid"]
    of_all = f"{counted(found.k, 'cluster')} of {counted(found.images, 'image')}"
    screen.table(rows, columns, title=f"{of_all} ({found.method})")
    if found.noise:
        share = found.noise / found.images
        screen.line(f"In no cluster (noise): {counted(found.noise, 'image')} ({share:.0%}).")
    for path in result.drawn:
        screen.line(path)


def _telling(words: Mapping[str, Sequence[Term]]) -> list[str]:
    """Return the words of a cluster: its labels, and else those of texts and names."""
    kinds = [words[kind] for kind in ("labels", "texts", "names") if words.get(kind)]
    return [f"{term.word} {term.share:.0%}" for term in (kinds[0] if kinds else ())[:5]]


VERB = Verb(
    Settings,
    work,
    show,
    document=OneOf("accepted", "found"),
)
