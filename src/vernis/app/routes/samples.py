"""Random samples that a person judges in the app instead of on a page of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Request
from fastapi.responses import Response

from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.domain.errors import InvalidValue, NotFound
from vernis.verbs.lab.judging import (
    SampleToJudge,
    draw_to_judge,
    judge_images,
    record_judged,
    sample_to_judge,
)
from vernis.verbs.lab.truth import Result

_MOST = 5000


@dataclass(frozen=True)
class DrawnSample:
    """How many images are drawn; ``fresh``: also where some were judged and not recorded.

    ``by_doubt``: of the labelled images, doubtful ones more often, to count the wrong labels.
    """

    size: int = 300
    seed: int = 0
    fresh: bool = False
    by_doubt: bool = False


@dataclass(frozen=True)
class JudgedImage:
    """The true classes of an image, none where it carries none; null: not judged after all."""

    image: int
    labels: list[str] | None


@dataclass(frozen=True)
class Judgements:
    """What a person found."""

    judged: list[JudgedImage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImagesJudged:
    """How far the sample is judged."""

    judged: Annotated[int, "images"]


@dataclass(frozen=True, slots=True)
class SampleFound:
    """The sample of a taxonomy that is judged."""

    sample: Annotated[SampleToJudge | None, "null: none was drawn yet"]


def read_sample(request: Request, taxonomy: str) -> Response:
    """Return the sample of a taxonomy that is judged, with what was found so far."""
    desk = desk_of(request)
    desk.session.catalog.labels.taxonomy(taxonomy)
    try:
        with desk.reading:
            found = sample_to_judge(desk.session, taxonomy)
    except NotFound:
        return answered(SampleFound(None), request)
    return answered(SampleFound(found), request)


def draw_sample(request: Request, taxonomy: str, given: DrawnSample) -> Response:
    """Draw a random sample of a taxonomy to be judged."""
    if not 1 <= given.size <= _MOST:
        raise InvalidValue(f"expected 1 to {_MOST:,} images, got {given.size}")
    desk = desk_of(request)
    with desk.reading:
        made = draw_to_judge(
            desk.session,
            taxonomy,
            size=given.size,
            seed=given.seed,
            fresh=given.fresh,
            by_doubt=given.by_doubt,
        )
    return answered(made)


def judge(request: Request, taxonomy: str, given: Judgements) -> Response:
    """Keep what a person found in images of the sample; nothing is recorded as a label yet."""
    judged = {one.image: one.labels for one in given.judged}
    return answered(ImagesJudged(judge_images(desk_of(request).session, taxonomy, judged)))


def record_sample(request: Request, taxonomy: str) -> Response:
    """Record what was judged as labels, as one batch, and say what the labels are worth."""
    desk, who = desk_of(request), person_of(request).name
    with desk.reading:
        result = record_judged(desk.session, taxonomy, who=who)
    if result.batch:
        told = {"by": who, "batch": result.batch, "taxonomy": taxonomy, "count": result.judged}
        desk.events.publish("labelled", {**told, "images": []})
    return answered(result)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    path, add = "/api/samples/{taxonomy}", routes.add
    add("GET", path, read_sample, role="viewer", tag="samples", gives=SampleFound)
    add("POST", path, draw_sample, role="reviewer", tag="samples", gives=SampleToJudge)
    add("POST", f"{path}/judgements", judge, role="reviewer", tag="samples", gives=ImagesJudged)
    add("POST", f"{path}/record", record_sample, role="reviewer", tag="samples", gives=Result)
