"""Find clusters of images, name them by their words, and keep their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore import clusters as core
from vernis.core.explore.silhouettes import measure_silhouettes
from vernis.core.numeric.components import project_rows
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.naming import propose_names
from vernis.core.words.tfidf import telling_terms
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.types import Space
from vernis.report.wording import counted
from vernis.session.vectors import space_document
from vernis.verbs.see.cluster_store import (
    Cluster,
    Clustering,
    ScanRow,
    pack,
    read_clustering,
    write_clustering,
)
from vernis.verbs.see.image_words import ImageWords, read_image_words

if TYPE_CHECKING:
    from vernis.session.session import Session

_COMPONENTS = {"kmeans": 50, "density": 20}
METHODS = tuple(_COMPONENTS)
_SCANNED = 20_000  # images on which the range of k is tried
_MUCH_NEW = 0.2  # share of new images past which the range of k is tried anew
_CENTRAL = 12
_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How clusters are found.

    Attributes
    ----------
    method : {"kmeans", "density"}
    ks : tuple of int
        The range of k that k-means tries; one value fixes it. Not used by ``density``.
    min_size : int or None
        Of a dense cluster; None: 0.4 % of the images, at least 5.
    seed : int
    """

    method: str = "kmeans"
    ks: tuple[int, ...] = tuple(range(5, 41))
    min_size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InvalidValue(f"expected method {' or '.join(METHODS)}, got {self.method!r}")
        if not self.ks or min(self.ks) < 2 or list(self.ks) != sorted(set(self.ks)):
            raise InvalidValue(f"expected k of 2 or more, ascending, got {self.ks}")


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Clusters before they have numbers and names."""

    codes: NDArray[np.int64]
    scan: tuple[ScanRow, ...] = ()
    notes: tuple[str, ...] = ()


def find_clusters(
    session: Session,
    space: Space,
    settings: ClusterSettings | None = None,
    *,
    taxonomies: Sequence[str] = (),
    fresh: bool = False,
) -> Clustering:
    """Cluster the present images and store the clusters.

    Where clusters of the same space and settings are stored, k-means starts from them and keeps
    their number, so that a few new images do not shuffle the rest; what is unchanged is only given
    its words anew. A cluster keeps number and name when it is paired with a stored one (the
    assignment of greatest similarity between the centers, cosine 0.5 or more).

    Parameters
    ----------
    session : Session
    space : Space
        Whose search columns are clustered.
    settings : ClusterSettings, optional
    taxonomies : sequence of str
        Whose labels name the clusters; none named: all.
    fresh : bool
        Start anew instead of from the stored clusters, and forget their numbers and names.

    Raises
    ------
    UsageError
        There are too few images with a vector.
    NotFound
        There is no such taxonomy.
    """
    chosen = settings or ClusterSettings()
    found_vectors = session.vectors(space)
    images, vectors = found_vectors.ids.tolist(), found_vectors.search_vectors()
    if len(images) < 3:
        raise UsageError(
            f"{counted(len(images), 'image has', 'images have')} a vector in the space "
            f"'{space.name}': too few for clusters"
        )
    by_id = {image.id: image for image in session.images()}
    words = read_image_words(session, [by_id[image] for image in images], taxonomies)
    stored = None if fresh else read_clustering(session)
    if stored is not None and stored.space != space.name:
        stored = None
    contents = list(zip(images, found_vectors.hashes, strict=True))
    about = (chosen.method, chosen.ks, chosen.min_size, chosen.seed)
    mark = fingerprint(Clustering.VERSION, contents, space_document(space), about)
    points = project_rows(vectors, _COMPONENTS[chosen.method], seed=chosen.seed)
    _require_distinct(points)
    if stored is not None and stored.fingerprint == mark:
        found = _Found(_codes_of(stored, images), stored.scan, stored.notes)
    else:
        session.progress("Clusters", 0, None)
        found = _search(points, images, stored, chosen)
    quality = _silhouettes(points, found.codes, chosen.seed)
    clustering = _describe(space, chosen, images, vectors, found, quality, words, stored)
    clustering = replace(clustering, fingerprint=mark)
    with session.lock("clusters"), session.catalog.transaction():
        write_clustering(session, clustering)
    session.progress("Clusters", len(images), len(images))
    return clustering


def _codes_of(stored: Clustering, images: Sequence[int]) -> NDArray[np.int64]:
    """Return the place, in the stored list, of the cluster of each image; noise where in none."""
    place = {id_: row for row, cluster in enumerate(stored.clusters) for id_ in cluster.images}
    return np.array([place.get(image, core.NOISE) for image in images], dtype=np.int64)


def _require_distinct(points: NDArray[np.float32]) -> None:
    """Raise UsageError where all pictures are the same: whatever is asked, they make no clusters.

    Of vectors that are the same but for the last bits of a product, all lie where the first does.
    """
    if np.allclose(points, points[0], atol=1e-6):
        raise UsageError(
            f"all {len(points):,} images show the same picture, so there are no clusters to find; "
            "vernis duplicates lists them"
        )


def _search(
    points: NDArray[np.float32],
    images: Sequence[int],
    stored: Clustering | None,
    settings: ClusterSettings,
) -> _Found:
    if settings.method == "density":
        min_size = settings.min_size or max(5, len(points) // 250)
        codes = core.cluster_by_density(points, min_size)
        return _Found(codes, notes=(f"a cluster has {min_size:,} images or more",))
    grown = _grow(points, images, stored, settings)
    return grown if grown is not None else _scan(points, settings)


def _grow(
    points: NDArray[np.float32],
    images: Sequence[int],
    stored: Clustering | None,
    settings: ClusterSettings,
) -> _Found | None:
    """Start k-means from the stored clusters; None where they do not fit."""
    if stored is None or stored.method != "kmeans" or stored.ks != settings.ks:
        return None
    before = _codes_of(stored, images)
    n_clusters = len(stored.clusters)
    gone = set(range(n_clusters)) - set(before.tolist())
    if gone or (before == core.NOISE).mean() > _MUCH_NEW:
        return None
    start = core.mean_vectors(points, before, n_clusters)
    codes, _ = core.fit_kmeans(points, n_clusters, start=start, seed=settings.seed)
    new = int((before == core.NOISE).sum())
    note = (
        f"grown from the clusters that were stored ({counted(new, 'new image')}); k and the "
        "silhouettes over k are theirs, --fresh starts anew"
    )
    return _Found(codes, stored.scan, (note,))


def _scan(points: NDArray[np.float32], settings: ClusterSettings) -> _Found:
    """Try the range of k, on a sample where there are many images."""
    notes = []
    some = points
    if len(points) > _SCANNED:
        rng = np.random.default_rng(settings.seed)
        some = points[np.sort(rng.choice(len(points), _SCANNED, replace=False))]
        notes.append(f"the ks were tried on a random {_SCANNED:,} of {len(points):,} images")
    distinct = len(np.unique(some, axis=0))
    ks = [k for k in settings.ks if k < len(some) and k <= distinct]
    there = f"{len(some):,} images"
    if distinct < len(some):
        there += f" of {counted(distinct, 'different picture')}"
    if not ks:
        raise UsageError(f"{there} are too few for k of {settings.ks[0]} or more")
    if len(ks) < len(settings.ks):
        notes.append(f"k of {ks[-1]} at most: there are {there}")
    scan = core.scan_kmeans(some, ks, seed=settings.seed, sample=_SAMPLE)
    best = scan.best
    codes = scan.codes[best]
    if some is not points:
        codes, _ = core.fit_kmeans(points, ks[best], start=scan.centers[best], seed=settings.seed)
    means, errors = scan.silhouettes.mean(), scan.silhouettes.error()
    rows = tuple(
        ScanRow(int(k), float(m), float(e)) for k, m, e in zip(ks, means, errors, strict=True)
    )
    if len(ks) > 1:
        notes += _explain_choice(scan)
    return _Found(codes, rows, tuple(notes))


def _explain_choice(scan: core.KMeansScan) -> list[str]:
    best = scan.ks[scan.best]
    sample, n_points = scan.silhouettes.values.shape[1], scan.silhouettes.n_points
    measured = (
        "all images"
        if sample == n_points
        else f"a random {sample:,} of {n_points:,} images, each against all"
    )
    notes = [
        f"k = {best} has the largest mean silhouette, "
        f"{scan.silhouettes.mean()[scan.best]:.3f} (measured on {measured})"
    ]
    if scan.rivals:
        notes.append(
            f"not told apart from it (two standard errors): k = {', '.join(map(str, scan.rivals))}"
        )
    if best in (scan.ks[0], scan.ks[-1]):
        notes.append(f"k = {best} is at the edge of the range: try a wider one with --k")
    return notes


def _describe(
    space: Space,
    settings: ClusterSettings,
    images: Sequence[int],
    vectors: NDArray[np.float32],
    found: _Found,
    quality: Sequence[float],
    words: ImageWords,
    stored: Clustering | None,
) -> Clustering:
    """Number the clusters, name them and gather what is shown of them."""
    order = core.order_by_size(found.codes)
    lookup = np.full(int(found.codes.max(initial=-1)) + 2, core.NOISE, dtype=np.int64)
    lookup[order] = np.arange(len(order))
    codes = lookup[found.codes]
    terms = {kind: telling_terms(own, codes, len(order)) for kind, own in words.kinds.items()}
    proposed = propose_names(list(terms.values()), len(order))
    centers = core.mean_vectors(vectors, codes, len(order))
    numbers, names = _keep_numbers(centers, vectors.mean(axis=0), proposed, words, stored)
    clusters = []
    for row, old_code in enumerate(order.tolist()):
        members = np.flatnonzero(codes == row)
        central = core.central_members(vectors, codes, row, _CENTRAL)
        name, named_by = names[row]
        clusters.append(
            Cluster(
                number=numbers[row],
                name=name,
                named_by=named_by,
                silhouette=quality[old_code],
                images=tuple(images[i] for i in members.tolist()),
                central=tuple(images[i] for i in central.tolist()),
                words={kind: tuple(found_[row]) for kind, found_ in terms.items()},
                packed_center=pack(centers[row]),
            )
        )
    return Clustering(
        space=space.name,
        method=settings.method,
        ks=settings.ks,
        n_images=len(images),
        evidence=words.taxonomies,
        scan=found.scan,
        notes=found.notes,
        clusters=tuple(sorted(clusters, key=lambda cluster: cluster.number)),
    )


def _keep_numbers(
    centers: NDArray[np.float32],
    middle: NDArray[np.float32],
    proposed: Sequence[str],
    words: ImageWords,
    stored: Clustering | None,
) -> tuple[list[int], list[tuple[str, str]]]:
    """Return number, name and who named it for each cluster."""
    if stored is None or not stored.clusters:
        return list(range(1, len(centers) + 1)), [(name, "words") for name in proposed]
    old = np.stack([cluster.center for cluster in stored.clusters])
    pairs = core.match_rows(old - middle, centers - middle)
    numbers = core.number_anew(pairs, [c.number for c in stored.clusters], len(centers))
    names: dict[int, tuple[str, str]] = {}
    for row, match in pairs.items():
        before = stored.clusters[match]
        # A name that came from other words is proposed anew; a person's stays.
        if before.named_by == "person" or stored.evidence == words.taxonomies:
            names[row] = (before.name, before.named_by)
    taken = {name for name, _ in names.values()}
    for row, name in enumerate(proposed):
        if row not in names:
            distinct = name if name not in taken else f"{name} ({numbers[row]})"
            names[row] = (distinct, "words")
            taken.add(distinct)
    return numbers, [names[row] for row in range(len(centers))]


def _silhouettes(points: NDArray[np.float32], codes: NDArray[np.int64], seed: int) -> list[float]:
    """Return the mean silhouette of each cluster's measured members, NaN where none was."""
    n_clusters = int(codes.max(initial=-1)) + 1
    if len(np.unique(codes[codes >= 0])) < 2:
        return [float("nan")] * n_clusters
    measured = measure_silhouettes(points, [codes], sample=_SAMPLE, seed=seed)
    own, values = codes[measured.rows], measured.values[0]
    return [
        float(values[own == c].mean()) if (own == c).any() else float("nan")
        for c in range(n_clusters)
    ]
