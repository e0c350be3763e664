"""Send pictures to an outside service, in requests that are paid for once each.

A request is noted before it is sent and finished in the transaction that keeps its answers, so that
a killed run loses at most the requests that were on their way, and they count as paid.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vernis.domain.annotations import (
    Annotator,
    Answer,
    Feature,
    Price,
    Question,
    Replies,
    Reply,
    RequestStatus,
    SentPicture,
)
from vernis.domain.errors import RequestRefused, ServiceError
from vernis.domain.readings import Reading
from vernis.domain.types import ImageRecord
from vernis.verbs.networks.embedding import say_failure
from vernis.verbs.steps.reading import full_size

if TYPE_CHECKING:
    from vernis.session.session import Session

_FIRST_REFUSALS = 3
"""Refused pictures, before any answer, after which the fault is taken to be no picture's."""
_CENTS = 1e-9  # dollars that sums of prices may be off by


@dataclass(frozen=True, slots=True)
class Task:
    """A picture, and what is not known of it yet. ``copies`` are the images that show it."""

    copies: tuple[ImageRecord, ...]
    features: tuple[Feature, ...]

    @property
    def image(self) -> ImageRecord:
        """The image whose file is read."""
        return self.copies[0]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What units cost.

    Attributes
    ----------
    prices : mapping of Feature to Price
        Those that are known.
    by_feature : bool
        Whether each feature of a picture is a unit, or the picture whatever is asked.
    """

    prices: Mapping[Feature, Price]
    by_feature: bool

    def knows(self, features: Sequence[Feature]) -> bool:
        """Tell whether the price of these features is known."""
        return all(one in self.prices for one in features)

    def units(self, features: Sequence[Feature]) -> int:
        """Return the units of one picture."""
        return len(features) if self.by_feature else 1

    def price(self, features: Sequence[Feature]) -> float:
        """Return what one picture costs in US dollars; features without a price cost nothing."""
        rates = [self.prices[one].usd_per_1000 / 1000 for one in features if one in self.prices]
        return sum(rates) if self.by_feature else max(rates, default=0.0)


def open_tasks(
    session: Session,
    annotator: Annotator,
    question: Question,
    images: Sequence[ImageRecord],
    *,
    again: bool = False,
) -> list[Task]:
    """Return the pictures of which something is not answered yet, each once."""
    copies: dict[str, list[ImageRecord]] = {}
    for image in images:
        copies.setdefault(image.content_hash, []).append(image)
    hashes = list(copies)
    missing: dict[str, list[Feature]] = {content: [] for content in hashes}
    for feature in question.features:
        known = session.catalog.answers.holds(
            annotator.version, feature, question.mark(feature), hashes
        )
        for row in range(len(hashes)) if again else np.flatnonzero(~known).tolist():
            missing[hashes[row]].append(feature)
    return [
        Task(tuple(copies[content]), tuple(features))
        for content, features in missing.items()
        if features
    ]


def batches_of(tasks: Sequence[Task], most: int) -> list[tuple[Task, ...]]:
    """Return tasks of the same features in groups of at most ``most``."""
    groups: dict[tuple[Feature, ...], list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.features, []).append(task)
    return [
        tuple(group[start : start + most])
        for group in groups.values()
        for start in range(0, len(group), most)
    ]


@dataclass(slots=True)
class Sending:
    """What a run of ``Sender`` did.

    Attributes
    ----------
    requests, pictures, units, tokens, bytes : int
        Of requests that were answered.
    price : float
        US dollars at list price, those in doubt included.
    refused, unanswered, unreadable : dict of str to str
        Path and reason of the images whose picture the service refuses for good, did not answer
        this time, or that could not be decoded (they are marked unreadable).
    left : int
        Pictures that were not sent, as the budget would have been passed or the run ended.
    over_budget : bool
    error : ServiceError or None
        What ended the run.
    seconds : float
    """

    requests: int = 0
    pictures: int = 0
    units: int = 0
    tokens: int = 0
    bytes: int = 0
    price: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    left: int = 0
    over_budget: bool = False
    error: ServiceError | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _Batch:
    """Pictures of one request on their way: first encoded, then sent."""

    tasks: tuple[Task, ...]
    pictures: tuple[SentPicture, ...] = ()
    request: int = 0
    price: float = 0.0

    @property
    def features(self) -> tuple[Feature, ...]:
        return self.tasks[0].features

    @property
    def size(self) -> int:
        return sum(len(one.jpeg) for one in self.pictures)


class Sender:
    """Sends pictures, several requests at a time, and keeps what is answered.

    The catalog is written by the caller's thread alone.

    Parameters
    ----------
    session : Session
    annotator : Annotator
    question : Question
    tariff : Tariff
    edge : int
        Longer side of the pictures that are sent, in pixels.
    budget : float or None
        US dollars that all requests of the collection to the service may cost together.
    at_a_time : int
        Requests.
    """

    def __init__(
        self,
        session: Session,
        annotator: Annotator,
        question: Question,
        tariff: Tariff,
        *,
        edge: int,
        budget: float | None = None,
        at_a_time: int = 4,
    ) -> None:
        self._session = session
        self._annotator = annotator
        self._question = question
        self._tariff = tariff
        self._encode = session.files.pictures_to_send(edge)
        self._budget = budget
        self._at_a_time = at_a_time
        self._spent = session.catalog.answers.spent(annotator.version).price
        self._waiting: deque[tuple[Task, ...]] = deque()
        self._running: dict[Future[Any], _Batch] = {}
        self._refusals: list[tuple[_Batch, Task, str]] = []
        self._asked_again: set[str] = set()
        self._settled = 0
        self._total = 0
        self._done = Sending()

    def run(self, tasks: Sequence[Task]) -> Sending:
        """Send the pictures of the tasks; what ends the run early stands in the result.

        An interruption (Ctrl-C) goes on after the answers that are on their way are kept.
        """
        started = time.monotonic()
        self._waiting.extend(batches_of(tasks, self._annotator.most_pictures))
        self._total = len(tasks)
        self._tell()
        with ThreadPoolExecutor(self._at_a_time) as pool:
            try:
                while self._running or (self._waiting and not self._is_over):
                    while self._waiting and not self._is_over and self._has_room:
                        batch = _Batch(self._waiting.popleft())
                        self._running[pool.submit(self._prepare, batch.tasks)] = batch
                    done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._take(pool, future)
                        self._tell()
            except BaseException:
                self._annotator.stop()
                for future in list(self._running):
                    self._take(None, future)
                raise
        self._done.left = self._total - self._settled
        self._done.seconds = time.monotonic() - started
        return self._done

    @property
    def _is_over(self) -> bool:
        return self._done.error is not None or self._done.over_budget

    @property
    def _has_room(self) -> bool:
        return len(self._running) < self._at_a_time

    def _tell(self) -> None:
        self._session.progress("annotate", self._settled, self._total, f"${self._spent:,.2f}")

    def _prepare(self, tasks: Sequence[Task]) -> list[SentPicture | Exception]:
        """Encode pictures, on a worker's thread."""
        found: list[SentPicture | Exception] = []
        for task in tasks:
            try:
                found.append(self._encode(task.image))
            except Exception as error:
                found.append(error)
        return found

    def _take(self, pool: ThreadPoolExecutor | None, future: Future[Any]) -> None:
        """Go on with a batch: send what is encoded, keep what is answered.

        Without a pool nothing more is sent.
        """
        batch = self._running.pop(future)
        if not batch.request:
            encoded = self._sort_out(batch, future.result())
            if encoded is not None and pool is not None:
                self._send(pool, encoded)
            return
        try:
            replies: Replies = future.result()
        except RequestRefused as error:
            self._finish(batch, "refused", lost=error.lost)
            self._split(batch, str(error))
        except ServiceError as error:
            self._finish(batch, "failed", lost=error.lost)
            self._done.error = self._done.error or error
            self._annotator.stop()
        else:
            self._keep(batch, replies)

    def _sort_out(self, batch: _Batch, encoded: Sequence[SentPicture | Exception]) -> _Batch | None:
        """Return the pictures that can be sent; those that cannot be decoded are marked so."""
        ready: list[tuple[Task, SentPicture]] = []
        for task, one in zip(batch.tasks, encoded, strict=True):
            if isinstance(one, SentPicture):
                ready.append((task, one))
                continue
            reason = say_failure(one)
            self._settled += 1
            self._done.unreadable |= {image.uri: reason for image in task.copies}
            ids = [image.id for image in task.copies]
            self._session.catalog.images.set_state(ids, "unreadable", reason)
        if not ready:
            return None
        tasks, pictures = zip(*ready, strict=True)
        return _Batch(tasks, pictures)

    def _send(self, pool: ThreadPoolExecutor, batch: _Batch) -> None:
        """Note a request and send it, unless it is too large or would pass the budget."""
        if len(batch.tasks) > 1 and batch.size > self._annotator.most_bytes:
            self._halve(batch)
            return
        count = len(batch.tasks)
        batch.price = count * self._tariff.price(batch.features)
        if self._budget is not None and self._spent + batch.price > self._budget + _CENTS:
            self._done.over_budget = True
        if self._is_over:
            return
        batch.request = self._session.catalog.answers.begin(
            self._annotator.version,
            pictures=count,
            units=count * self._tariff.units(batch.features),
            price=batch.price,
            bytes=batch.size,
        )
        self._spent += batch.price
        question = replace(self._question, features=batch.features)
        self._running[pool.submit(self._annotator.ask, batch.pictures, question)] = batch

    def _halve(self, batch: _Batch) -> None:
        middle = len(batch.tasks) // 2
        self._waiting.extendleft((batch.tasks[middle:], batch.tasks[:middle]))

    def _finish(
        self, batch: _Batch, status: RequestStatus, *, paid: int = 0, lost: int = 0, tokens: int = 0
    ) -> None:
        """Note what a request cost: the pictures that are answered, and tries that were lost."""
        charged = paid + lost * len(batch.tasks)
        units, price = self._tariff.units(batch.features), self._tariff.price(batch.features)
        self._session.catalog.answers.finish(
            batch.request, status, units=charged * units, price=charged * price, tokens=tokens
        )
        self._spent += charged * price - batch.price
        self._done.units += charged * units
        self._done.price += charged * price
        self._done.tokens += tokens

    def _split(self, batch: _Batch, reason: str) -> None:
        """Ask about each half of a refused request alone; a single picture is refused for good."""
        if len(batch.tasks) > 1:
            self._halve(batch)
            return
        self._refusals.append((batch, batch.tasks[0], reason))
        if not self._done.pictures and len(self._refusals) >= min(_FIRST_REFUSALS, self._total):
            self._done.error = ServiceError(f"{reason}; no picture is answered")
        elif self._done.pictures:
            self._keep_refusals()

    def _keep_refusals(self) -> None:
        """Keep that pictures are refused, once an answer shows that the fault is theirs."""
        for batch, task, reason in self._refusals:
            self._store(batch, [(task, batch.pictures[0], Reply(error=reason))])
        self._refusals.clear()

    def _keep(self, batch: _Batch, replies: Replies) -> None:
        """Keep answers, and what they cost, in one transaction."""
        rows = list(zip(batch.tasks, batch.pictures, replies.replies, strict=True))
        answered = [row for row in rows if row[2].content]
        paid = len(answered) if self._tariff.by_feature else len(rows)
        with self._session.catalog.transaction():
            self._finish(batch, "answered", paid=paid, lost=replies.lost, tokens=replies.tokens)
            self._store(batch, [row for row in rows if row[2].content or row[2].lasting])
            self._done.requests += 1
            self._done.pictures += len(answered)
            self._done.bytes += batch.size
            if answered:
                self._keep_refusals()
        for task, picture, reply in rows:
            if reply.content or reply.lasting:
                continue
            if picture.content_hash not in self._asked_again:
                self._asked_again.add(picture.content_hash)
                self._waiting.append((task,))
                continue
            self._settled += 1
            self._done.unanswered |= {image.uri: reply.error for image in task.copies}

    def _store(self, batch: _Batch, rows: Sequence[tuple[Task, SentPicture, Reply]]) -> None:
        """Keep answers and refusals, and the text of the answers as readings."""
        catalog, service = self._session.catalog, self._annotator.version
        texts: dict[str, tuple[Reading, ...]] = {}
        answers: list[Answer] = []
        for task, picture, reply in rows:
            self._settled += 1
            size = picture.width, picture.height
            for feature in batch.features:
                content = reply.content.get(feature)
                answers.append(
                    Answer(picture.content_hash, feature, content, *size, refused=reply.error)
                )
            if reply.error:
                self._done.refused |= {image.uri: reply.error for image in task.copies}
            elif "text" in batch.features:
                lines = self._annotator.text(reply.content.get("text"), *size)
                texts[picture.content_hash] = tuple(
                    full_size(line, task.image, *size) for line in lines
                )
        with catalog.transaction():
            for feature in batch.features:
                own = [one for one in answers if one.feature == feature]
                mark = self._question.mark(feature)
                catalog.answers.add(service, batch.request, mark, own)
            if texts:
                catalog.readings.add(service.reader, texts)
