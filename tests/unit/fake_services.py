"""A server on this machine that speaks the protocols of the outside services, with faults on order.

It answers about a picture by its mean colour: what is mostly red is a fire engine with the text
ABSOLUT, and so on, so that a test knows which answer belongs to which picture.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

MOST = 16
"""Pictures that one request may hold."""
KEY = "AIzaSecretOfTheOwner"

TYPES = {3: "LOGO_DETECTION", 4: "LABEL_DETECTION", 5: "TEXT_DETECTION"}
"""Numbers of the features, which Google's own client sends."""

SAYS = {
    "red": {"labels": ("Fire engine", "Vehicle"), "text": "ABSOLUT", "logos": "Absolut"},
    "green": {"labels": ("Plant", "Leaf"), "text": "PERRIER", "logos": ""},
    "blue": {"labels": ("Sky",), "text": "", "logos": ""},
}
"""Colour → what is answered."""


@dataclass(frozen=True)
class Call:
    """A request that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def pictures(self) -> list[bytes]:
        """The files that came with it."""
        if "requests" in self.body:
            return [base64.b64decode(one["image"]["content"]) for one in self.body["requests"]]
        parts = self.body["messages"][0]["content"]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        return [base64.b64decode(url.partition(",")[2]) for url in urls]


@dataclass
class Service:
    """What came in, and what is to go wrong with the next requests."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    faults: deque[Callable[[Handler], bool]] = field(default_factory=deque)
    per_picture: Callable[[str], dict[str, Any] | None] = lambda colour: None
    answer: Callable[[dict[str, Any]], Any] | None = None

    @property
    def pictures(self) -> int:
        """Pictures that came in, those of failed requests too."""
        return sum(len(call.pictures) for call in self.calls)


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    service: Service

    def log_message(self, *given: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        """Answer as the service would, unless a fault is ordered."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = Call(self.path, dict(self.headers), body)
        self.service.calls.append(call)
        if self.service.faults and self.service.faults.popleft()(self):
            return
        if self.path.endswith("/chat/completions"):
            self.send_json(200, self._choice(body))
        elif not self.path.startswith("/v1/images:annotate"):
            self.send_json(404, error("Not found", 404))
        elif len(body["requests"]) > MOST:
            self.send_json(400, error("Too many images per request.", 400))
        else:
            self.send_json(200, {"responses": [self._response(one) for one in body["requests"]]})

    def _response(self, request: dict[str, Any]) -> dict[str, Any]:
        colour = colour_of(base64.b64decode(request["image"]["content"]))
        failed = self.service.per_picture(colour)
        if failed is not None:
            return failed
        asked = {TYPES.get(one["type"], one["type"]) for one in request["features"]}
        return google_response(colour, asked)

    def _choice(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.service.answer is not None:
            said = self.service.answer(body)
        else:
            said = {"labels": ["Sky"]}
        content = said if isinstance(said, str) else json.dumps(said)
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        return {"choices": [choice], "usage": {"total_tokens": 321}}

    def send_json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with a document."""
        self.send_raw(status, json.dumps(document).encode(), headers)

    def send_raw(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with bytes."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def google_response(colour: str, asked: set[str]) -> dict[str, Any]:
    """Return what Vision says of a picture of this colour; coordinates of 0 are left out."""
    says, found = SAYS[colour], {}
    if "LABEL_DETECTION" in asked:
        found["labelAnnotations"] = [
            {"mid": f"/m/{n}", "description": name, "score": 0.9 - 0.3 * n, "topicality": 0.9}
            for n, name in enumerate(says["labels"])
        ]
    if "LOGO_DETECTION" in asked and says["logos"]:
        vertices = [{"x": 8}, {"x": 40}, {"x": 40, "y": 16}, {"x": 8, "y": 16}]
        found["logoAnnotations"] = [
            {"description": says["logos"], "score": 0.8, "boundingPoly": {"vertices": vertices}}
        ]
    if "TEXT_DETECTION" in asked and says["text"]:
        box = {"vertices": [{"x": 4}, {"x": 60}, {"x": 60, "y": 20}, {"x": 4, "y": 20}]}
        last = len(says["text"]) - 1
        symbols = [
            {"text": sign, "property": {"detectedBreak": {"type": "LINE_BREAK"}}}
            if place == last
            else {"text": sign}
            for place, sign in enumerate(says["text"])
        ]
        word = {"boundingBox": box, "symbols": symbols, "confidence": 0.97}
        paragraph = {"boundingBox": box, "words": [word]}
        block = {"boundingBox": box, "paragraphs": [paragraph], "blockType": "TEXT"}
        found["textAnnotations"] = [
            {"locale": "en", "description": says["text"] + "\n", "boundingPoly": box},
            {"description": says["text"], "boundingPoly": box},
        ]
        found["fullTextAnnotation"] = {"pages": [{"blocks": [block]}], "text": says["text"]}
    return found


def error(message: str, code: int, **more: Any) -> dict[str, Any]:
    """Return an error as Google writes it."""
    return {"error": {"code": code, "message": message, **more}}


def colour_of(jpeg: bytes) -> str:
    """Return the colour that a picture mostly has."""
    mean = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).mean(axis=(0, 1))
    return ("red", "green", "blue")[int(mean.argmax())]


def status(code: int, message: str = "", **headers: str) -> Callable[[Handler], bool]:
    """Return a fault: an HTTP status."""

    def answer(handler: Handler) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send_json(code, error(message or f"status {code}", code), named)
        return True

    return answer


def raw(data: bytes) -> Callable[[Handler], bool]:
    """Return a fault: status 200 with these bytes."""

    def answer(handler: Handler) -> bool:
        handler.send_raw(200, data)
        return True

    return answer


def slow(seconds: float) -> Callable[[Handler], bool]:
    """Return a fault: the answer comes late."""

    def answer(handler: Handler) -> bool:
        time.sleep(seconds)
        return False

    return answer


def none(handler: Handler) -> bool:
    """No fault."""
    return False


@contextmanager
def serving() -> Iterator[Service]:
    """Serve on a free port of this machine."""
    service = Service()
    own = type("Own", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    server.daemon_threads = True
    server.handle_error = lambda *given: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
