"""Google Cloud Vision by its REST interface, ``images:annotate``."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.services.requests import Caller, is_local
from vernis.domain.annotations import (
    Feature,
    NamedLabel,
    Question,
    Replies,
    Reply,
    SentPicture,
    ServiceVersion,
)
from vernis.domain.errors import ServiceError, UsageError
from vernis.domain.readings import Reading

ENDPOINT = "https://vision.googleapis.com"
KEYS = ("GOOGLE_VISION_API_KEY", "GOOGLE_API_KEY")
"""Variables of the environment that may hold the key, the first one counts."""
PATH = "/v1/images:annotate"
PER_MINUTE = 1500
"""Pictures; the service allows 1,800 of each feature unless its owner was given more."""

_TYPES: Mapping[Feature, tuple[str, int]] = {
    "labels": ("LABEL_DETECTION", 50),
    "logos": ("LOGO_DETECTION", 20),
    "text": ("TEXT_DETECTION", 0),
}
"""Feature → type of the service and how many results at most (0: all)."""
_PARTS: Mapping[Feature, tuple[str, ...]] = {
    "labels": ("labelAnnotations",),
    "logos": ("logoAnnotations",),
    "text": ("textAnnotations", "fullTextAnnotation"),
}
_LASTING = frozenset({3, 5, 7, 9, 11, 12})
"""Codes of errors that come again: invalid argument, not found, forbidden, precondition, range,
unimplemented."""
_UNTOLD = 0.9
"""Confidence of a word or a logo where the service tells none."""
_BREAKS = frozenset({"EOL_SURE_SPACE", "LINE_BREAK", "HYPHEN"})


@dataclass(eq=False)
class GoogleVision:
    """``Annotator`` over ``images:annotate``.

    Parameters
    ----------
    caller : Caller
    model : str
        ``builtin/stable`` or ``builtin/latest``; empty for the service's default.
    """

    caller: Caller
    model: str = ""

    most_pictures = 16
    most_bytes = 7 * 2**20  # 10 MB of JSON, and base64 adds a third
    is_paid_by_feature = True

    @property
    def version(self) -> ServiceVersion:
        """What answers are kept under."""
        return ServiceVersion("google-vision", {"model": self.model} if self.model else {})

    @property
    def address(self) -> str:
        """Where pictures go."""
        return self.caller.url

    @property
    def is_local(self) -> bool:
        """Whether that is this machine."""
        return is_local(self.caller.url)

    def require_key(self) -> None:
        """Raise UsageError where the environment holds no key."""
        if not self.caller.key and not self.is_local:
            raise UsageError(
                f"google-vision needs a key: export {KEYS[0]}=…; it is kept nowhere else"
            )

    def ask(self, pictures: Sequence[SentPicture], question: Question) -> Replies:
        """Send pictures, at most 16, and return what is answered."""
        features = []
        for feature in question.features:
            kind, most = _TYPES[feature]
            wanted = {"type": kind, **({"maxResults": most} if most else {})}
            features.append({**wanted, **({"model": self.model} if self.model else {})})
        requests = [
            {"image": {"content": base64.b64encode(one.jpeg).decode()}, "features": features}
            for one in pictures
        ]
        received = self.caller.post({"requests": requests}, len(pictures))
        document = received.document
        replies = document.get("responses") if isinstance(document, dict) else None
        if not isinstance(replies, list) or len(replies) != len(pictures):
            raise ServiceError(
                f"{self.caller.host}: expected {len(pictures)} responses, got "
                f"{self.caller.clean(str(document))}",
                received.lost + 1,
            )
        return Replies(tuple(self._reply(one, question) for one in replies), received.lost)

    def _reply(self, response: Any, question: Question) -> Reply:
        if not isinstance(response, dict):
            return Reply(error="the service answered no object", lasting=False)
        error = response.get("error")
        if isinstance(error, dict) and (error.get("code") or error.get("message")):
            message = self.caller.clean(str(error.get("message") or f"error {error['code']}"))
            return Reply(error=message, lasting=error.get("code") in _LASTING)
        return Reply(
            {
                feature: {part: response[part] for part in _PARTS[feature] if part in response}
                for feature in question.features
            }
        )

    def stop(self) -> None:
        """End the waiting for another try."""
        self.caller.stop()

    def labels(self, content: Any, question: Question) -> tuple[NamedLabel, ...]:
        """Return the labels of an answer, the surest first."""
        found = [
            NamedLabel(name, _unit(one.get("score"), 0.0))
            for one in _objects(content, "labelAnnotations")
            if (name := _name(one))
        ]
        return tuple(sorted(found, key=lambda label: -(label.score or 0.0)))

    def logos(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the logos of an answer as readings of the brands' names."""
        return read_logos(content, width, height)

    def text(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the lines of text of an answer, the tallest first."""
        shorter = max(min(width, height), 1)
        whole = content.get("fullTextAnnotation") if isinstance(content, dict) else None
        lines = list(_printed_lines(whole)) if isinstance(whole, dict) else []
        if not lines:  # words without a page: each is taken for a line
            words = _objects(content, "textAnnotations")[1:]
            lines = [[_Word(_name(one), _UNTOLD, _corners(one))] for one in words if _name(one)]
        found = [_line(words, shorter) for words in lines]
        return tuple(sorted(found, key=lambda reading: -reading.height))


def read_logos(content: Any, width: int, height: int) -> tuple[Reading, ...]:
    """Return the logos of an answer as readings of the brands' names."""
    shorter = max(min(width, height), 1)
    return tuple(
        _reading(name, _unit(one.get("score"), _UNTOLD), _corners(one), shorter)
        for one in _objects(content, "logoAnnotations")
        if (name := _name(one))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Word:
    text: str
    confidence: float
    corners: NDArray[np.float32]


def _printed_lines(page: Mapping[str, Any]) -> Iterator[list[_Word]]:
    """Yield the words of each line: a break after a symbol ends one."""
    words = [
        word
        for part in _objects(page, "pages")
        for block in _objects(part, "blocks")
        for paragraph in _objects(block, "paragraphs")
        for word in [*_objects(paragraph, "words"), {}]
    ]
    line: list[_Word] = []
    for word in words:  # an empty one stands after each paragraph
        symbols = _objects(word, "symbols")
        text = "".join(str(symbol.get("text", "")) for symbol in symbols).strip()
        if text:
            line.append(_Word(text, _unit(word.get("confidence"), _UNTOLD), _corners(word)))
        if line and (not word or (symbols and _break(symbols[-1]) in _BREAKS)):
            yield line
            line = []


def _break(symbol: Mapping[str, Any]) -> str:
    ended = symbol.get("property")
    found = ended.get("detectedBreak") if isinstance(ended, dict) else None
    return str(found.get("type", "")) if isinstance(found, dict) else ""


def _line(words: Sequence[_Word], shorter: int) -> Reading:
    first, last = words[0].corners, words[-1].corners
    corners = np.stack([first[0], last[1], last[2], first[3]])
    confidence = min(word.confidence for word in words)
    return _reading(" ".join(word.text for word in words), confidence, corners, shorter)


def _reading(text: str, confidence: float, corners: NDArray[np.float32], shorter: int) -> Reading:
    height = float(np.linalg.norm(corners[3] - corners[0])) / shorter
    return Reading(text, confidence, corners, max(height, 1.0 / shorter))


def _corners(item: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the four corners of an item; the service leaves coordinates of 0 out."""
    box = item.get("boundingPoly") or item.get("boundingBox")
    vertices = _objects(box, "vertices") if isinstance(box, dict) else []
    if len(vertices) != 4:
        return np.zeros((4, 2), np.float32)
    found = [[_number(v.get("x")), _number(v.get("y"))] for v in vertices]
    return np.array(found, np.float32)


def _objects(holder: Any, name: str) -> list[Mapping[str, Any]]:
    listed = holder.get(name) if isinstance(holder, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _name(item: Mapping[str, Any]) -> str:
    return " ".join(str(item.get("description") or "").split())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else 0.0


def _unit(value: Any, otherwise: float) -> float:
    """Return a number between 0 and 1; the service leaves a score that it does not tell out."""
    number = _number(value)
    return min(number, 1.0) if number > 0 else otherwise
