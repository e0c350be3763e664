"""The clusters that were found last, as the catalog keeps them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.tfidf import Term

if TYPE_CHECKING:
    from vernis.session.session import Session

RUN = "clusters"


@dataclass(frozen=True, slots=True)
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
    packed_center : str
        Mean of the members' unit vectors, see ``pack``.
    """

    number: int
    name: str
    named_by: str
    silhouette: float
    images: tuple[int, ...]
    central: tuple[int, ...]
    words: Mapping[str, tuple[Term, ...]]
    packed_center: str

    @property
    def center(self) -> NDArray[np.float32]:
        """Mean of the members' unit vectors, shape (dim,)."""
        return np.frombuffer(base64.b64decode(self.packed_center), "<f2").astype(np.float32)


def pack(center: NDArray[np.float32]) -> str:
    """Return a vector as short text: half floats, base64."""
    return base64.b64encode(center.astype("<f2").tobytes()).decode("ascii")


@dataclass(frozen=True, slots=True)
class ScanRow:
    """The mean silhouette of a number of clusters that was tried."""

    k: int
    silhouette: Annotated[float, "mean, -1 to 1"]
    error: Annotated[float, "standard error"]


@dataclass(frozen=True, slots=True)
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
    scan : tuple of ScanRow
    notes : tuple of str
    clusters : tuple of Cluster
        In the order of their numbers.
    fingerprint : str
        Of the images, the space and the settings.
    """

    VERSION: ClassVar[int] = 2

    space: str
    method: str
    ks: tuple[int, ...]
    n_images: int
    evidence: tuple[str, ...]
    scan: tuple[ScanRow, ...]
    notes: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    fingerprint: str = ""

    @property
    def n_noise(self) -> int:
        """Images in no cluster."""
        return self.n_images - sum(len(cluster.images) for cluster in self.clusters)


def write_clustering(session: Session, clustering: Clustering) -> None:
    """Store the clusters; earlier ones give way to them."""
    session.results.keep(RUN, clustering, clustering.fingerprint)


def read_clustering(session: Session) -> Clustering | None:
    """Return the stored clusters, None when none were found yet."""
    return session.results.find(RUN, Clustering)
