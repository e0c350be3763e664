"""The clusters that were found last, as the catalog keeps them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.tfidf import Term
from vernis.domain.ports import Catalog

_RUN = "clusters"


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """One cluster.

    Attributes
    ----------
    number : int
        From 1; it stays when images are added.
    name : str
    named_by : {"words", "person"}
    silhouette : float
        Mean of its measured members among the points that were clustered, -1..1; NaN when none
        was measured.
    images : tuple of int
        Ids of the members.
    central : tuple of int
        The members nearest to the center, the medoid first.
    words : mapping of str to tuple of Term
        ``labels``, ``texts``, ``names``: what sets it apart, most telling first.
    center : ndarray of float32, shape (dim,)
        Mean of the members' unit vectors.
    """

    number: int
    name: str
    named_by: str
    silhouette: float
    images: tuple[int, ...]
    central: tuple[int, ...]
    words: Mapping[str, tuple[Term, ...]]
    center: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """All clusters of one run.

    Attributes
    ----------
    space, method : str
    ks : tuple of int
        The range of k that was asked for.
    n_images : int
        Images that were clustered; those in no cluster are noise.
    evidence : tuple of str
        Taxonomies whose labels named the clusters.
    scan : tuple of dict
        ``k``, ``silhouette``, ``error`` (standard error) for each k that was tried.
    notes : tuple of str
    clusters : tuple of Cluster
        In the order of their numbers.
    fingerprint : str
        Of the images, the space and the settings.
    """

    space: str
    method: str
    ks: tuple[int, ...]
    n_images: int
    evidence: tuple[str, ...]
    scan: tuple[Mapping[str, float], ...]
    notes: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    fingerprint: str = field(default="")

    @property
    def n_noise(self) -> int:
        """Images in no cluster."""
        return self.n_images - sum(len(cluster.images) for cluster in self.clusters)


def write_clustering(catalog: Catalog, clustering: Clustering) -> None:
    """Store the clusters; earlier ones give way to them."""
    document = {
        "space": clustering.space,
        "method": clustering.method,
        "ks": list(clustering.ks),
        "n_images": clustering.n_images,
        "evidence": list(clustering.evidence),
        "scan": [dict(row) for row in clustering.scan],
        "notes": list(clustering.notes),
        "fingerprint": clustering.fingerprint,
        "clusters": [_cluster_document(cluster) for cluster in clustering.clusters],
    }
    catalog.runs.finish(_RUN, clustering.fingerprint, document)


def read_clustering(catalog: Catalog) -> Clustering | None:
    """Return the stored clusters, None when none were found yet."""
    document = catalog.runs.summary(_RUN)
    if document is None:
        return None
    return Clustering(
        space=document["space"],
        method=document["method"],
        ks=tuple(document["ks"]),
        n_images=int(document["n_images"]),
        evidence=tuple(document["evidence"]),
        scan=tuple(document["scan"]),
        notes=tuple(document["notes"]),
        clusters=tuple(_cluster_from(each) for each in document["clusters"]),
        fingerprint=document["fingerprint"],
    )


def clustering_document(clustering: Clustering, uris: Mapping[int, str]) -> dict[str, Any]:
    """Return the documented shape of the clusters; see docs/json.md."""
    return {
        "space": clustering.space,
        "method": clustering.method,
        "k": len(clustering.clusters),
        "images": clustering.n_images,
        "noise": clustering.n_noise,
        "scan": [{**row, "k": int(row["k"])} for row in clustering.scan],
        "notes": list(clustering.notes),
        "clusters": [
            {
                "number": cluster.number,
                "name": cluster.name,
                "named_by": cluster.named_by,
                "size": len(cluster.images),
                "silhouette": cluster.silhouette,
                "words": {
                    kind: [asdict(t) for t in terms] for kind, terms in cluster.words.items()
                },
                "central": _named(cluster.central, uris),
                "images": _named(cluster.images, uris),
            }
            for cluster in clustering.clusters
        ],
    }


def _named(ids: Sequence[int], uris: Mapping[int, str]) -> list[str]:
    return [uris[image] for image in ids if image in uris]


def _cluster_document(cluster: Cluster) -> dict[str, Any]:
    return {
        "number": cluster.number,
        "name": cluster.name,
        "named_by": cluster.named_by,
        "silhouette": None if np.isnan(cluster.silhouette) else cluster.silhouette,
        "images": list(cluster.images),
        "central": list(cluster.central),
        "words": {kind: [asdict(term) for term in terms] for kind, terms in cluster.words.items()},
        "center": base64.b64encode(cluster.center.astype("<f2").tobytes()).decode("ascii"),
    }


def _cluster_from(document: Mapping[str, Any]) -> Cluster:
    silhouette = document["silhouette"]
    center = np.frombuffer(base64.b64decode(document["center"]), dtype="<f2")
    return Cluster(
        number=int(document["number"]),
        name=document["name"],
        named_by=document["named_by"],
        silhouette=float("nan") if silhouette is None else float(silhouette),
        images=tuple(document["images"]),
        central=tuple(document["central"]),
        words={
            kind: tuple(Term(**term) for term in terms) for kind, terms in document["words"].items()
        },
        center=center.astype(np.float32),
    )
