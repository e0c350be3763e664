"""What was proposed: merges of labels, clusters to make a class of, brands that are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.domain.errors import InvalidValue
from vernis.verbs.decide.brand_review import BrandsToJudge, brands_to_judge
from vernis.verbs.see.cluster_decisions import accept_clusters
from vernis.verbs.see.label_merges import accept_merges, dismiss_merges
from vernis.verbs.see.proposal_review import (
    ClustersToName,
    MergesToJudge,
    clusters_to_name,
    merges_to_judge,
)
from vernis.verbs.see.proposals import AcceptedProposal


@dataclass(frozen=True)
class MergeAnswers:
    """Labels that mean the same (the first goes into the second), and labels that do not."""

    accept: list[tuple[str, str]] = field(default_factory=list)
    dismiss: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MergesAnswered:
    """What was recorded."""

    batch: Annotated[int, "what an undo takes back; 0: nothing was changed"]
    images: Annotated[int, "images whose labels changed"]


@dataclass(frozen=True)
class NamedCluster:
    """Clusters that become one class."""

    name: str
    numbers: list[int]
    into: str = "clusters"


def read_merges(
    request: Request,
    taxonomy: str,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.5,
) -> Response:
    """Return labels of a taxonomy that probably mean the same, surest first."""
    desk = desk_of(request)
    stores = ("images", "labels", "vectors", "runs")
    found = desk.remember(
        ("merges", taxonomy, min_score),
        stores,
        lambda: merges_to_judge(desk.session, taxonomy, min_score=min_score),
    )
    return answered(found, request)


def answer_merges(request: Request, taxonomy: str, given: MergeAnswers) -> Response:
    """Merge labels, or note that they are different things; one undo takes all of it back."""
    desk, who = desk_of(request), person_of(request).name
    if not given.accept and not given.dismiss:
        raise InvalidValue("expected pairs of labels to accept or to dismiss")
    batch, images = 0, 0
    with desk.session.catalog.transaction():
        if given.accept:
            merged = accept_merges(desk.session, taxonomy, given.accept)
            batch, images = merged.batch, merged.images
        if given.dismiss:
            noted = dismiss_merges(desk.session, taxonomy, given.dismiss, who=who)
            batch = max(batch, noted.batch)
    if batch:
        told = {"by": who, "batch": batch, "taxonomy": taxonomy, "count": images, "images": []}
        desk.events.publish("labelled", told)
    return answered(MergesAnswered(batch, images))


def read_clusters(request: Request) -> Response:
    """Return the clusters that were found last, with their central images."""
    desk = desk_of(request)
    stores = ("images", "labels", "runs")
    found = desk.remember("clusters", stores, lambda: clusters_to_name(desk.session))
    return answered(found, request)


def name_cluster(request: Request, given: NamedCluster) -> Response:
    """Make a class of clusters, in a taxonomy that is made where there is none of that name."""
    desk, who = desk_of(request), person_of(request).name
    name = given.name.strip()
    if not name or not given.into.strip() or not given.numbers:
        raise InvalidValue("expected the name of a class, a taxonomy and clusters")
    made = accept_clusters(desk.session, {name: given.numbers}, into=given.into.strip())
    if made.batch:
        count = sum(made.classes.values())
        told = {"by": who, "batch": made.batch, "taxonomy": made.taxonomy, "count": count}
        desk.events.publish("labelled", {**told, "images": []})
    return answered(made)


def read_brands(request: Request, taxonomy: str) -> Response:
    """Return labels that a brand in the picture contradicts, and labels for images without one."""
    desk = desk_of(request)
    stores = ("images", "labels", "issues", "runs")
    found = desk.remember(
        ("brands", taxonomy), stores, lambda: brands_to_judge(desk.session, taxonomy)
    )
    return answered(found, request)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag, add = "proposals", routes.add
    path = "/api/merges/{taxonomy}"
    add("GET", path, read_merges, role="viewer", tag=tag, gives=MergesToJudge)
    add("POST", path, answer_merges, role="reviewer", tag=tag, gives=MergesAnswered)
    add("GET", "/api/clusters", read_clusters, role="viewer", tag=tag, gives=ClustersToName)
    add("POST", "/api/clusters", name_cluster, role="reviewer", tag=tag, gives=AcceptedProposal)
    path = "/api/brands/{taxonomy}"
    add("GET", path, read_brands, role="viewer", tag=tag, gives=BrandsToJudge)
