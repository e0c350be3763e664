"""What a person decides about clusters: their names, and which become classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vernis.domain.errors import NotFound, UsageError
from vernis.verbs.see.cluster_store import RUN, Clustering, read_clustering, write_clustering
from vernis.verbs.see.proposals import AcceptedProposal, accept_groups, record_names

if TYPE_CHECKING:
    from vernis.session.session import Session


def name_clusters(session: Session, names: Mapping[int, str]) -> Clustering:
    """Give stored clusters names of a person's choice, which they keep.

    Raises
    ------
    NotFound
        No clusters were found yet, or there is none of that number.
    UsageError
        Two clusters would have one name.
    """
    stored = stored_clusters(session)
    _require_numbers(stored, names)
    renamed = tuple(
        replace(c, name=names[c.number], named_by="person") if c.number in names else c
        for c in stored.clusters
    )
    taken = [cluster.name for cluster in renamed]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two clusters would be named '{twice}'; choose another name")
    clustering = replace(stored, clusters=renamed)
    with session.lock("clusters"), session.catalog.transaction():
        write_clustering(session, clustering)
        record_names(session, "clusters", RUN, "clusters", stored.clusters, renamed)
    return clustering


def accept_clusters(
    session: Session, classes: Mapping[str, Sequence[int]], *, into: str = "clusters"
) -> AcceptedProposal:
    """Make classes of stored clusters, as one batch of the source ``proposal:clusters``.

    Parameters
    ----------
    session : Session
    classes : mapping of str to sequence of int
        Class → the numbers of its clusters.
    into : str
        The taxonomy.

    Raises
    ------
    NotFound
        No clusters were found yet, or there is none of that number.
    """
    stored = stored_clusters(session)
    _require_numbers(stored, [n for numbers in classes.values() for n in numbers])
    members = {cluster.number: cluster.images for cluster in stored.clusters}
    here = {image.id for image in session.images()}
    groups = {
        name: [image for number in numbers for image in members[number] if image in here]
        for name, numbers in classes.items()
    }
    return accept_groups(session, groups, into=into, kind="single", origin="clusters")


def stored_clusters(session: Session) -> Clustering:
    """Return the clusters that were found last; raises NotFound when none were found yet."""
    stored = read_clustering(session)
    if stored is None:
        raise NotFound("no clusters yet; find them: vernis clusters")
    return stored


def _require_numbers(stored: Clustering, numbers: Sequence[int] | Mapping[int, str]) -> None:
    known = [cluster.number for cluster in stored.clusters]
    for number in numbers:
        if number not in known:
            raise NotFound(
                f"there is no cluster {number}; there are {', '.join(map(str, sorted(known)))}"
            )
