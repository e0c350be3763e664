"""Contact sheets of clusters, outliers and leaked pairs, and the silhouette over k."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.errors import InvalidValue, UnreadableImage
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted
from vernis.verbs.see.cluster_store import Cluster, Clustering

if TYPE_CHECKING:
    from vernis.report.explore.contact_sheet import Theme
    from vernis.session.files import ReadPicture
    from vernis.session.session import Session
    from vernis.verbs.see.leakage import PairRow
    from vernis.verbs.see.outliers import OutlierRow

_PER_CLUSTER = 9
_SIDE = 116
_MOST_CLUSTERS = 60
_MOST_WORDS = 2


def write_cluster_sheet(
    session: Session, clustering: Clustering, path: Path | str, *, theme: Theme = "light"
) -> Path:
    """Draw a row of medoid pictures for each cluster, its name and its words above.

    Parameters
    ----------
    session : Session
    clustering : Clustering
    path : Path or str
        Ends in ``.png``.
    theme : {"light", "dark"}

    Raises
    ------
    InvalidValue
        There is no cluster.
    StorageError
        The file cannot be written.
    """
    from vernis.report.explore.contact_sheet import Tile, draw_sheet, save_sheet

    if not clustering.clusters:
        raise InvalidValue("expected at least one cluster for the sheet, got none")
    shown = clustering.clusters[:_MOST_CLUSTERS]
    read, progress = session.files.pictures(), session.progress
    here = {image.id: image for image in session.images()}
    strips = []
    for done, cluster in enumerate(shown):
        progress("Sheet", done, len(shown))
        members = [here[image] for image in cluster.central if image in here][:_PER_CLUSTER]
        tiles: list[Tile | None] = [
            Tile(_decode(read, image), (image.uri.rsplit("/", 1)[-1],)) for image in members
        ]
        # Equal widths, so that the strips can be stacked.
        tiles += [None] * (_PER_CLUSTER - len(tiles))
        strips.append(draw_sheet([tiles], title=_title(cluster), side=_SIDE, theme=theme))
    progress("Sheet", len(shown), len(shown))
    return save_sheet(np.concatenate(strips), path)


def write_outlier_sheet(session: Session, rows: Sequence[OutlierRow], path: Path | str) -> Path:
    """Draw outliers, the worst first, in rows of eight; at most 64.

    Parameters
    ----------
    session : Session
    rows : sequence of OutlierRow
    path : Path or str
        Ends in ``.png``.

    Raises
    ------
    InvalidValue
        There is none.
    """
    from vernis.report.explore.contact_sheet import Tile, draw_sheet, save_sheet

    read = session.files.pictures()
    tiles = [
        Tile(
            _decode(read, session.catalog.images.find(row.image)),
            (row.label or row.image.rsplit("/", 1)[-1], f"score {row.score:.2f}"),
        )
        for row in rows[:64]
    ]
    lines = [tiles[start : start + 8] for start in range(0, len(tiles), 8)]
    return save_sheet(draw_sheet(lines, title="Outliers, worst first", side=130), path)


def write_pair_sheet(session: Session, rows: Sequence[PairRow], path: Path | str) -> Path:
    """Draw pairs across splits side by side, three to a line; at most 36.

    Parameters
    ----------
    session : Session
    rows : sequence of PairRow
    path : Path or str
        Ends in ``.png``.

    Raises
    ------
    InvalidValue
        There is none.
    """
    from vernis.report.explore.contact_sheet import Tile, draw_sheet, save_sheet

    read = session.files.pictures()
    tiles: list[Tile] = []
    for row in rows[:36]:
        alike = f"{row.kind} {row.similarity:.2f}"
        sides = ((row.first, row.first_split, alike), (row.second, row.second_split, ""))
        for uri, split, note in sides:
            image = session.catalog.images.find(uri)
            caption = (f"{split}: {uri.rsplit('/', 1)[-1]}", note)
            tiles.append(Tile(_decode(read, image), caption))
    lines = [tiles[start : start + 6] for start in range(0, len(tiles), 6)]
    return save_sheet(
        draw_sheet(lines, title="Pairs across splits, the surest first", side=150), path
    )


def _decode(read: ReadPicture, image: ImageRecord) -> Pixels | None:
    try:
        return read(image)
    except (UnreadableImage, OSError):
        return None


def _title(cluster: Cluster) -> str:
    """Return number, name, size and the first words that the name does not hold."""
    kinds = [cluster.words[kind] for kind in ("labels", "texts", "names") if cluster.words[kind]]
    words = [
        f"{term.word} {term.share:.0%}"
        for term in (kinds[0] if kinds else ())
        if term.word not in cluster.name
    ][:_MOST_WORDS]
    said = f"{cluster.number} · {cluster.name} · {counted(len(cluster.images), 'image')}"
    return f"{said} · {', '.join(words)}" if words else said


def write_silhouette_figure(clustering: Clustering, path: Path | str) -> Path:
    """Draw the mean silhouette over k, with two standard errors around it.

    Raises
    ------
    InvalidValue
        Only one k was tried, so there is nothing to compare.
    """
    from vernis.report.charts import MUTED, PALETTE, draw_line, new_figure, save_figure

    if len(clustering.scan) < 2:
        raise InvalidValue("expected a range of k to draw, such as --k 5..40; one k was tried")
    ks = [row.k for row in clustering.scan]
    means = np.array([row.silhouette for row in clustering.scan])
    errors = np.array([row.error for row in clustering.scan])
    figure, axes = new_figure("Silhouette over the number of clusters", height=4.5)
    draw_line(
        axes,
        ks,
        means,
        name="mean silhouette",
        style={"color": PALETTE[0], "marker": "o", "linestyle": "-", "markersize": 4},
        spread=2 * errors,
    )
    best = int(np.argmax(means))
    axes.axvline(ks[best], color=MUTED, linestyle="--", linewidth=1)
    axes.annotate(
        f"k = {ks[best]:.0f}: {means[best]:.3f}",
        (ks[best], means[best]),
        xytext=(8, 8),
        textcoords="offset points",
        color=MUTED,
    )
    axes.margins(y=0.15)
    axes.set_xlabel("k, number of clusters")
    axes.set_ylabel("mean silhouette (-1 to 1)")
    band = "; band: two standard errors of the sample" if errors.any() else ""
    axes.set_title(
        f"{clustering.space}, {counted(clustering.n_images, 'image')}{band}",
        fontsize=10,
        loc="left",
        fontweight="normal",
    )
    return save_figure(figure, path)
