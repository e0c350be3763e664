"""Queues of suspected problems, and the answers to them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.desk import Desk
from vernis.app.pictures import as_numbers
from vernis.app.routes.images import numbers_of
from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import Issue, Verdict
from vernis.verbs.decide.answers import Answer, AnswerKind, Outcome, take_answers
from vernis.verbs.decide.review_queue import (
    ClassProbabilities,
    LabelWitnesses,
    Queue,
    QueueItem,
    common_classes,
    count_open,
    describe_briefly,
    describe_issues,
    find_witnesses,
    list_queues,
    read_probabilities,
    read_queue,
)
from vernis.verbs.decide.undoing import Undone, original, undo_batch

_REMEMBERED = 4096  # answers whose outcome is told again
_MOST = 1000  # answers of one request
_MOST_WITNESSED = 16  # issues of one request


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Issues of a queue, worst first."""

    items: tuple[QueueItem, ...]
    open: Annotated[int, "issues of the queue that nobody has decided"]
    next: Annotated[int | None, "`after` of the next page; null: this is the last one"]


@dataclass(frozen=True)
class GivenAnswer:
    """An answer to one issue.

    ``key`` is made by the sender, once for each answer: sent again it is not recorded again.
    """

    issue: int
    answer: AnswerKind
    labels: list[str] = field(default_factory=list)
    seen: Verdict = "open"
    key: str = ""


@dataclass(frozen=True)
class GivenAnswers:
    """Answers; ``together`` makes them one batch, which one undo takes back."""

    answers: list[GivenAnswer]
    together: bool = False


@dataclass(frozen=True, slots=True)
class TakenAnswer:
    """What became of an answer."""

    key: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TakenAnswers:
    """What became of each answer, in their order."""

    answers: tuple[TakenAnswer, ...]


@dataclass(frozen=True)
class Undoing:
    """What is taken back: a batch, or (null) the latest decision; ``yes`` though it is much."""

    batch: int | None = None
    yes: bool = False


def read_queues(request: Request) -> Response:
    """List what there is to decide: kinds of problems, how many are open, about how many wrong."""
    desk = desk_of(request)
    stores = ("issues", "labels", "runs")
    found = desk.remember("queues", stores, lambda: list_queues(desk.session))
    return answered(found, request)


def read_page(
    request: Request,
    kind: Annotated[str, Query(description="label, outlier or a kind of quality")] = "label",
    taxonomy: Annotated[str, Query(description="of labels")] = "",
    verdict: Annotated[Literal["open", "accepted", "dismissed", "any"], Query()] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[int | None, Query(description="the issue that comes before the page")] = None,
    unsure: Annotated[
        bool, Query(description="those that somebody was unsure of, not the others")
    ] = False,
    detail: Annotated[
        Literal["full", "brief"], Query(description="brief: no neighbours, classes and places")
    ] = "full",
) -> Response:
    """Return issues of a queue, worst first, each with the evidence that decides it."""
    desk = desk_of(request)
    verdicts: tuple[Verdict, ...] = ("open", "accepted", "dismissed")
    wanted = verdicts if verdict == "any" else tuple(v for v in verdicts if v == verdict)
    with desk.reading:
        issues = read_queue(
            desk.session,
            kind,
            taxonomy or None,
            verdicts=wanted,
            limit=limit + 1,
            after=after,
            unsure=unsure if verdict == "open" else None,
        )
        page = issues[:limit]
        if detail == "brief":
            items = describe_briefly(desk.session, page)
        else:
            items = _described(desk, page, taxonomy if kind == "label" else "")
        counts = desk.remember("counts", ("issues",), lambda: count_open(desk.session))
    following = page[-1].id if len(issues) > limit else None
    return answered(QueuePage(items, counts.get((kind, taxonomy), 0), following), request)


def read_order(
    request: Request,
    kind: Annotated[str, Query()] = "label",
    taxonomy: Annotated[str, Query()] = "",
) -> Response:
    """Return the ids of all open issues of a queue, worst first: unsigned 32-bit, little-endian."""
    desk = desk_of(request)

    def ids() -> bytes:
        found = desk.session.catalog.issues.select((kind,), taxonomy, verdicts=("open",))
        return as_numbers([issue.id for issue in found])

    body = desk.remember(("queue ids", kind, taxonomy), ("issues",), ids)
    return Response(body, media_type="application/octet-stream")


def read_issue(request: Request, issue: int) -> Response:
    """Return one issue, decided or not, as a queue shows it."""
    desk = desk_of(request)
    with desk.reading:
        found = desk.session.catalog.issues.get([issue])
        if issue not in found:
            raise NotFound(f"there is no issue {issue}; its labels were judged anew")
        (item,) = _described(desk, [found[issue]], found[issue].taxonomy)
    return answered(item, request)


def read_witnesses(
    request: Request, issue: int, k: Annotated[int, Query(ge=1, le=24)] = 6
) -> Response:
    """Return, for each label that is given or suggested, the most similar images that carry it."""
    (found,) = _witnesses(desk_of(request), [issue], k)
    if found is None:
        raise NotFound(f"there is no issue {issue}; its labels were judged anew")
    return answered(found, request)


def read_witnesses_of_several(
    request: Request,
    issues: Annotated[str, Query(description=f"between commas, at most {_MOST_WITNESSED}")],
    k: Annotated[int, Query(ge=1, le=24)] = 6,
) -> Response:
    """Return the witnesses of several issues, in their order; null for one that is gone."""
    return answered(_witnesses(desk_of(request), numbers_of(issues, _MOST_WITNESSED), k), request)


def _witnesses(
    desk: Desk, wanted: Sequence[int], k: int
) -> tuple[tuple[LabelWitnesses, ...] | None, ...]:
    with desk.reading:
        found = desk.session.catalog.issues.get(wanted)
        return tuple(
            find_witnesses(desk.session, desk.searcher(), found[one], k) if one in found else None
            for one in wanted
        )


def _described(desk: Desk, issues: Sequence[Issue], taxonomy: str) -> tuple[QueueItem, ...]:
    """Return issues of one taxonomy (or about no labels) as a queue shows them."""
    chances: dict[str, ClassProbabilities | None] = {}
    common: dict[str, Sequence[str]] = {}
    if taxonomy:
        session = desk.session
        known = desk.remember(
            ("probabilities", taxonomy), ("models",), lambda: read_probabilities(session, taxonomy)
        )
        chances[taxonomy] = known
        if known is None:
            # Which classes are common does not change by a few decisions.
            common[taxonomy] = desk.remember(
                ("common", taxonomy), ("images",), lambda: common_classes(session, taxonomy)
            )
    return describe_issues(desk.session, issues, chances, common)


class _Known:
    """Outcomes of the latest answers, by key: an answer that is sent twice is recorded once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Outcome] = OrderedDict()

    def get(self, key: str) -> Outcome | None:
        with self._lock:
            return self._found.get(key) if key else None

    def put(self, key: str, outcome: Outcome) -> None:
        if key:
            with self._lock:
                self._found[key] = outcome
                while len(self._found) > _REMEMBERED:
                    self._found.popitem(last=False)


class Answering:
    """Takes answers and undoes them; one for a server."""

    def __init__(self) -> None:
        self._known = _Known()

    def take(self, request: Request, given: GivenAnswers) -> Response:
        """Record answers to issues, each as a batch of its own, or all together as one.

        An answer whose issue was decided by somebody else meanwhile is a conflict: nothing is
        overwritten, and who and when is told. Where all are conflicts the status is 409.
        """
        if len(given.answers) > _MOST:
            raise InvalidValue(f"expected at most {_MOST} answers, got {len(given.answers)}")
        desk, who = desk_of(request), person_of(request).name
        known = [self._known.get(answer.key) for answer in given.answers]
        fresh = [
            Answer(answer.issue, answer.answer, tuple(answer.labels), answer.seen)
            for answer, before in zip(given.answers, known, strict=True)
            if before is None
        ]
        took = iter(take_answers(desk.session, fresh, who=who, together=given.together))
        outcomes = [
            next(took) if before is None else replace(before, state=_again(before))
            for before in known
        ]
        for answer, outcome in zip(given.answers, outcomes, strict=True):
            self._known.put(answer.key, outcome)
        _tell(desk, who, [one for one, old in zip(outcomes, known, strict=True) if old is None])
        taken = [
            TakenAnswer(answer.key, outcome)
            for answer, outcome in zip(given.answers, outcomes, strict=True)
        ]
        refused = bool(outcomes) and all(one.state == "conflict" for one in outcomes)
        return answered(TakenAnswers(tuple(taken)), status=409 if refused else 200)


def _again(before: Outcome) -> Any:
    return "known" if before.state == "done" else before.state


def _tell(desk: Desk, who: str, outcomes: list[Outcome]) -> None:
    done = [
        {
            "issue": one.issue,
            "image": one.image,
            "taxonomy": one.taxonomy,
            "verdict": one.verdict,
            "batch": one.batch,
        }
        for one in outcomes
        if one.state == "done"
    ]
    if done:
        desk.events.publish("decided", {"by": who, "answers": done})
        decided = [one for one in done if one["verdict"] != "open"]
        named = [str(one["taxonomy"]) for one in decided if one["taxonomy"]]
        desk.note_decided(named, who)


def undo(request: Request, wanted: Undoing) -> Response:
    """Take a batch back, by default the latest decision; undoing an undo does it again."""
    desk, who = desk_of(request), person_of(request).name
    history = desk.session.catalog.history
    batch = history.latest() if wanted.batch is None else wanted.batch
    done = undo_batch(desk.session, batch, yes=wanted.yes, command=f"vernis undo {batch}", who=who)
    images = images_of(desk, done.batch)
    desk.events.publish("undone", {"by": who, "batch": done.undoes, "images": images})
    return answered(UndoneThere(done, images))


@dataclass(frozen=True, slots=True)
class UndoneThere:
    """What was taken back, and where that is seen."""

    undone: Undone
    images: Annotated[tuple[int, ...], "ids of the images whose labels or verdicts it is about"]


def images_of(desk: Desk, batch: int) -> tuple[int, ...]:
    """Return the images that a batch is about, the first few."""
    return tuple(desk.session.catalog.history.images_of(batch, limit=100))


def redo(request: Request) -> Response:
    """Do again what the latest undo took back."""
    desk, who = desk_of(request), person_of(request).name
    batch = desk.session.catalog.history.latest_undone()
    done = undo_batch(desk.session, batch, yes=True, command="vernis redo", who=who)
    images = images_of(desk, original(desk.session, batch)["id"])
    desk.events.publish("undone", {"by": who, "batch": done.undoes, "images": images})
    return answered(UndoneThere(done, images))


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag, answering = "review", Answering()
    add = routes.add
    add("GET", "/api/queues", read_queues, role="viewer", tag=tag, gives=tuple[Queue, ...])
    add("GET", "/api/queue", read_page, role="viewer", tag=tag, gives=QueuePage)
    add("GET", "/api/queue/ids", read_order, role="viewer", tag=tag)
    add("GET", "/api/issues/{issue}", read_issue, role="viewer", tag=tag, gives=QueueItem)
    path = "/api/issues/{issue}/witnesses"
    add("GET", path, read_witnesses, role="viewer", tag=tag, gives=tuple[LabelWitnesses, ...])
    several = tuple[tuple[LabelWitnesses, ...] | None, ...]
    add("GET", "/api/witnesses", read_witnesses_of_several, role="viewer", tag=tag, gives=several)
    take = answering.take
    add("POST", "/api/decisions", take, role="reviewer", tag=tag, gives=TakenAnswers)
    add("POST", "/api/undo", undo, role="reviewer", tag=tag, gives=UndoneThere)
    add("POST", "/api/redo", redo, role="reviewer", tag=tag, gives=UndoneThere)
