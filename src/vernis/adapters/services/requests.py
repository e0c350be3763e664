"""Send JSON to a service and wait for its answer: pace, retries, one clear line for what fails.

Keys go into headers alone, and are struck out of whatever a service answers.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from vernis.domain.errors import RequestRefused, ServiceError, UsageError

_MOST_ANSWER = 64 * 2**20  # bytes
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_FORBIDDEN = frozenset({401, 403})
_MOST_LOST = 2  # tries that may have been charged; the next one ends it
_SHOWN = 200  # characters of what a service says


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long is waited.

    Attributes
    ----------
    tries : int
    timeout : float
        Seconds for an answer.
    first_wait, most_wait : float
        Seconds between tries: doubled each time, with jitter, or what the service asks for.
    """

    tries: int = 5
    timeout: float = 60.0
    first_wait: float = 1.0
    most_wait: float = 120.0


class Stopped(ServiceError):
    """The waiting was ended from outside."""


class Pace:
    """Keeps requests below a rate; threads share it.

    Parameters
    ----------
    per_minute : float or None
        Pictures; None: as fast as it goes.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 60.0 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._free = 0.0

    def reserve(self, pictures: int, now: float) -> float:
        """Take the next free time for a request; returns how many seconds to wait for it."""
        with self._lock:
            start = max(now, self._free)
            self._free = start + pictures * self._seconds
        return start - now


@dataclass(frozen=True, slots=True)
class Received:
    """A JSON answer, and how many earlier tries were lost after they were sent."""

    document: Any
    lost: int


@dataclass(eq=False)
class Caller:
    """Posts JSON to one address.

    Attributes
    ----------
    url : str
    headers : mapping of str to str
        With the key, if any; never shown.
    key : str
        Struck out of messages; empty for none.
    patience : Patience
    pace : Pace
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = field(default="", repr=False)
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=lambda: Pace(None))
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def host(self) -> str:
        """Where the requests go."""
        return urlsplit(self.url).netloc

    def stop(self) -> None:
        """End all waiting, in every thread."""
        self._stopped.set()

    def post(self, body: Mapping[str, Any], pictures: int) -> Received:
        """Send a document and return the service's; tries again what may be answered later.

        Raises
        ------
        RequestRefused
            The request itself is wrong for the service (400, 413, 422, …).
        ServiceError
            The key is refused, the service cannot be reached, or fails for as long as was waited.
        """
        data = json.dumps(body).encode()
        jitter = random.Random(len(data))
        lost, wait = 0, self.patience.first_wait
        self._sleep(self.pace.reserve(pictures, time.monotonic()), lost)
        for attempt in range(1, self.patience.tries + 1):
            try:
                return Received(self._try(data), lost)
            except _TryAgain as error:
                lost += error.is_lost
                if attempt == self.patience.tries or lost > _MOST_LOST:
                    times = "once" if attempt == 1 else f"{attempt} times"
                    raise ServiceError(f"{self.host}: {error}, {times}", lost) from error
                pause = wait * jitter.uniform(0.5, 1.0) if error.wait is None else error.wait
                if pause > self.patience.most_wait:
                    raise ServiceError(
                        f"{self.host}: {error} and asks to wait {pause:,.0f} s; go on later with "
                        "the same command",
                        lost,
                    ) from error
                wait = min(wait * 2, self.patience.most_wait)
                self._sleep(pause, lost)
            except ServiceError as error:
                error.lost += lost
                raise
        raise AssertionError

    def _sleep(self, seconds: float, lost: int) -> None:
        if self._stopped.wait(max(seconds, 0.0)):
            raise Stopped("stopped", lost)

    def _try(self, data: bytes) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "vernis", **self.headers}
        request = urllib.request.Request(self.url, data, headers, method="POST")
        try:
            opener = _DIRECT if is_local(self.url) else _OPENER
            with opener.open(request, timeout=self.patience.timeout) as answer:
                content = answer.read(_MOST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except (urllib.error.URLError, OSError, HTTPException) as error:
            raise self._failure(error) from error
        if len(content) > _MOST_ANSWER:
            raise ServiceError(f"{self.host}: answers with more than {_MOST_ANSWER >> 20} MB", 1)
        try:
            return json.loads(content)
        except ValueError as error:
            said = self.clean(content[: 4 * _SHOWN].decode("utf-8", "replace"))
            raise _TryAgain(f"expected JSON, got {said!r}", is_lost=True) from error

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        """Return what an HTTP status means."""
        try:
            content = error.read(1 << 16)
        except (OSError, HTTPException):
            content = b""
        said = self.clean(_message(content) or str(error.reason or "no reason given"))
        if error.code in _FORBIDDEN or "API_KEY_INVALID" in content.decode("utf-8", "replace"):
            return ServiceError(f"{self.host}: the key is refused ({error.code}: {said})")
        if error.code in _AGAIN:
            wait = _retry_after(error.headers.get("Retry-After"))
            return _TryAgain(f"answers {error.code} ({said})", wait)
        if error.code < 400:
            return ServiceError(
                f"{self.host}: has moved ({error.code}); name where it is now: --endpoint"
            )
        if error.code in (404, 405):
            return ServiceError(f"{self.url}: there is no such service ({error.code}: {said})")
        return RequestRefused(f"{self.host}: refuses the request ({error.code}: {said})")

    def _failure(self, error: Exception) -> Exception:
        """Return what it means that no answer came."""
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return ServiceError(f"{self.host}: its certificate is not accepted ({reason})")
        if isinstance(reason, socket.gaierror):
            return ServiceError(f"{self.host} is not found; is there a network?")
        if isinstance(reason, ConnectionRefusedError):
            return ServiceError(f"{self.host}: nothing answers there (connection refused)")
        if isinstance(reason, TimeoutError):
            return _TryAgain(f"no answer within {self.patience.timeout:g} s", is_lost=True)
        return _TryAgain(f"the connection broke off ({self.clean(str(reason))})", is_lost=True)

    def clean(self, text: str) -> str:
        """Return what a service says in one short line, without the key."""
        if self.key:
            text = text.replace(self.key, "[key]")
        line = " ".join(text.split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


class _TryAgain(Exception):
    def __init__(self, message: str, wait: float | None = None, *, is_lost: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.is_lost = is_lost


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Headers, and so the key, would go wherever the answer points."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)
_DIRECT = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def _message(content: bytes) -> str:
    """Return the message in the body of an error, as Google and OpenAI write it."""
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error", "") if isinstance(document, dict) else ""
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that the header asks to wait: a number or a date."""
    if not text:
        return None
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def is_local(url: str) -> bool:
    """Tell whether an address is this machine."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def require_address(url: str, key: str) -> str:
    """Return an address without a closing slash.

    Raises
    ------
    UsageError
        It is none, holds a password, or would carry a key over the network in the open.
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"--endpoint: expected https://HOST, got {url!r}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError("--endpoint: expected an address alone; keys come from the environment")
    if parts.scheme == "http" and key and not is_local(url):
        raise UsageError(f"{parts.netloc}: a key is not sent over http; name an https address")
    return url.rstrip("/")
