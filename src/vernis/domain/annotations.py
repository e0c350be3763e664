"""What an outside service says of a picture, and the ports of services and their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.readings import API, ReaderVersion, Reading
from vernis.domain.types import Hashes, TaxonomyKind

Feature = Literal["labels", "logos", "text"]
FEATURES: tuple[Feature, ...] = ("labels", "logos", "text")
RequestStatus = Literal["sent", "answered", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    """Who answers: a service or a model, and what its answers depend on besides."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidValue(f"expected the name of a service, got {self.name!r}")

    @property
    def source(self) -> str:
        """Who says the labels that come of it."""
        return f"{API}{self.name}"

    @property
    def reader(self) -> ReaderVersion:
        """What the text in its answers is read by."""
        return ReaderVersion(self.source, self.settings)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each picture.

    Attributes
    ----------
    features : tuple of Feature
    taxonomy : str
        Of the labels.
    classes : tuple of str
        The only labels that may be answered; empty where the service has its own.
    kind : {"single", "multi"}
        Whether a picture has one of the classes or any number.
    """

    features: tuple[Feature, ...]
    taxonomy: str = ""
    classes: tuple[str, ...] = ()
    kind: TaxonomyKind = "multi"

    def mark(self, feature: Feature) -> str:
        """Return what differs when another answer is to be expected; empty without classes."""
        if feature != "labels" or not self.classes:
            return ""
        text = json.dumps([self.kind, self.classes], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class SentPicture:
    """A picture as it leaves the machine: encoded anew, upright, without metadata.

    ``width`` and ``height`` are its own, in pixels.
    """

    content_hash: str
    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class NamedLabel:
    """A label that a service gives to a picture; ``score`` in 0..1, None where it tells none."""

    name: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered about one picture.

    Attributes
    ----------
    content : mapping of Feature to document
        As the service told it; empty where it answers with an error.
    error : str
        One line.
    lasting : bool
        The error would come again: the picture itself is refused.
    """

    content: Mapping[Feature, Any] = field(default_factory=dict)
    error: str = ""
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Replies:
    """What a request brought.

    Attributes
    ----------
    replies : tuple of Reply
        In the order of the pictures.
    lost : int
        Earlier tries of the request whose answer was lost; they may have been charged.
    tokens : int
        Of a language model, as it counts them.
    """

    replies: tuple[Reply, ...]
    lost: int = 0
    tokens: int = 0


class Annotator(Protocol):
    """A service that is asked about pictures. Threads may share it."""

    @property
    def version(self) -> ServiceVersion:
        """What answers are kept under."""
        ...

    @property
    def address(self) -> str:
        """Where pictures go, without a key."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether that is this machine."""
        ...

    @property
    def most_pictures(self) -> int:
        """Pictures that one request may hold."""
        ...

    @property
    def most_bytes(self) -> int:
        """Bytes of JPEG that one request may hold."""
        ...

    @property
    def is_paid_by_feature(self) -> bool:
        """Whether each feature of a picture is a unit of the price, or the picture is."""
        ...

    def require_key(self) -> None:
        """Raise UsageError where the service needs a key and the environment holds none."""

    def ask(self, pictures: Sequence[SentPicture], question: Question) -> Replies:
        """Send pictures and return what is answered.

        Raises
        ------
        RequestRefused
            The request as a whole is refused; smaller ones may not be.
        ServiceError
            The service cannot be used now.
        """
        ...

    def stop(self) -> None:
        """End the waiting for another try, in every thread."""

    def labels(self, content: Any, question: Question) -> tuple[NamedLabel, ...]:
        """Return the labels of an answer, the surest first."""
        ...

    def text(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the lines of text of an answer, with corners in pixels of the sent picture."""
        ...

    def logos(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the logos of an answer as readings of the brands' names."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs: a feature of a picture, or a picture whatever is asked of it.

    Attributes
    ----------
    service : str
    feature : Feature
    usd_per_1000 : float
        US dollars for 1,000 units, beyond those that are free.
    free_a_month : int
        Units.
    as_of : str
        The day on which it was looked up.
    """

    service: str
    feature: Feature
    usd_per_1000: float
    free_a_month: int = 0
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered about one feature of one picture, as it is kept.

    Attributes
    ----------
    content_hash : str
    feature : Feature
    content : document
        As the service told it; None where it refused the picture.
    width, height : int
        Of the picture that was sent.
    refused : str
        Why; empty where it answered.
    """

    content_hash: str
    feature: Feature
    content: Any
    width: int
    height: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the requests of a collection to a service came to.

    Attributes
    ----------
    requests, pictures, units, tokens, bytes : int
    price : float
        In US dollars, at list price, those in doubt included.
    in_doubt : int
        Requests whose answer never arrived: a run was killed, or the network failed.
    doubtful_price : float
        What those may have cost.
    """

    requests: int = 0
    pictures: int = 0
    units: int = 0
    tokens: int = 0
    bytes: int = 0
    price: float = 0.0
    in_doubt: int = 0
    doubtful_price: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that a service will not look at."""

    service: str
    content_hash: str
    reason: str


class AnswerStore(Protocol):
    """Answers of services by content, and what the requests cost."""

    def services(self) -> list[ServiceVersion]:
        """Return who has answered, the latest first."""
        ...

    def holds(
        self, service: ServiceVersion, feature: Feature, mark: str, hashes: Hashes
    ) -> NDArray[np.bool_]:
        """Return which pictures are answered or refused, shape (len(hashes),)."""
        ...

    def begin(
        self, service: ServiceVersion, *, pictures: int, units: int, price: float, bytes: int
    ) -> int:
        """Note a request before it is sent; returns its number.

        Until it is finished it counts as paid, so that a killed run never spends a budget twice.
        """
        ...

    def finish(
        self, request: int, status: RequestStatus, *, units: int, price: float, tokens: int = 0
    ) -> None:
        """Note what became of a request, and what it cost after all."""

    def add(
        self, service: ServiceVersion, request: int, mark: str, answers: Sequence[Answer]
    ) -> None:
        """Keep answers of one request; earlier ones of the same question are replaced."""

    def answers(
        self,
        service: ServiceVersion,
        feature: Feature,
        mark: str = "",
        hashes: Sequence[str] | None = None,
    ) -> Iterator[Answer]:
        """Yield what is kept of one question (for these pictures), with refusals."""
        ...

    def refusals(self) -> list[Refusal]:
        """Return what each service has refused for good: each picture once a service."""
        ...

    def spent(self, service: ServiceVersion) -> Spent:
        """Return what all requests to a service came to."""
        ...
