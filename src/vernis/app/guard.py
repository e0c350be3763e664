"""What stands before every route: who may ask, from where, and what a page may load.

A page of another site can send requests to this machine. It cannot name the right host (a name
that is bound anew to 127.0.0.1 is refused), nor the right origin, nor does it have the key.
"""

from __future__ import annotations

import time
from asyncio import sleep, to_thread
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode

from vernis.app.keys import Keys, Person
from vernis.app.people import People

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 64 * 1024 * 1024
"""Length of the largest request."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
LOGIN = "/web/app/login.html"
PUBLIC = frozenset(
    {
        LOGIN,
        "/api/session",
        *(f"/web/app/{name}" for name in ("login.mjs", "login.css", "app.css", "icon.svg")),
        *(f"/web/shared/{name}" for name in ("base.css", "first_theme.js")),
    }
)
"""What is answered before a person has said who it is, where people have names."""

_SAY_KEY = "open the address that vernis serve printed, or send its key"
_SAY_NAME = "say who you are: open the first page, or send name and password"
_READING = ("GET", "HEAD")
_FREE_TRIES = 5  # wrong keys that are answered at once
_LONGEST_WAIT = 8.0  # seconds before a further wrong key is answered


class Refusal(Exception):
    """Why a request gets no answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Guard:
    """ASGI middleware: host, origin, key, length; sets ``scope["person"]``.

    Parameters
    ----------
    app : ASGI application
    keys : Keys or None
        None where people have names and passwords.
    hosts : callable
        Tells whether the Host header (port included, in small letters) names this server.
    port : int
    people : People, optional
        Those who may ask by name and password.
    """

    def __init__(
        self,
        app: Asgi,
        keys: Keys | None,
        hosts: Callable[[str], bool],
        port: int,
        people: People | None = None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts
        self._people = people
        self._cookie = f"vernis-{port}"
        self._wrong = 0
        self._last_wrong = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on to the application."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]
        }
        try:
            self._check_place(scope, headers)
            if await self._greet(scope, send):
                return
            person = await self._find_person(headers)
            if person is None:
                if self._people is not None and scope["path"] == "/" and not scope["query_string"]:
                    await _lead(send, LOGIN)
                    return
                if self._people is None or scope["path"] not in PUBLIC:
                    raise Refusal(401, _SAY_KEY if self._people is None else _SAY_NAME)
            scope["person"], scope["guard"] = person, self
        except Refusal as refusal:
            await _refuse(send, refusal)
            return
        await self._app(scope, receive, _protected(send))

    def _check_place(self, scope: Scope, headers: dict[str, str]) -> None:
        hosts = [text for name, text in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._hosts(headers["host"].lower()):
            raise Refusal(421, "this server has another name")
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.lower()):
            raise Refusal(403, "pages of other sites may not ask")
        site = headers.get("sec-fetch-site", "none")
        visits = (
            scope["method"] in _READING
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
            and scope["path"] == "/"
        )
        if site not in ("none", "same-origin") and not visits:
            raise Refusal(403, "pages of other sites may not ask")
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            raise Refusal(400, "the length of the request is no number")
        if int(length) > MOST_BYTES:
            raise Refusal(413, "the request is too long")

    def _is_own(self, origin: str) -> bool:
        """Tell whether a page is this server's; a proxy before it may speak https."""
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and self._hosts(host)

    async def _greet(self, scope: Scope, send: Send) -> bool:
        """Take the key out of the opened address: from then on a cookie holds it."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = query.pop("key", None)
        if given is None or self._keys is None:
            return False
        session = self._keys.open_session(given[0])
        if session is None:
            await self.slow_down()
            raise Refusal(401, "the key is wrong, or was used already: run vernis serve again")
        rest = urlencode(query, doseq=True)
        cookie = self.cookie(session)
        location = f"/?{rest}" if rest else "/"
        answer = [(b"location", location.encode()), (b"set-cookie", cookie.encode())]
        answer.append((b"cache-control", b"no-store"))
        start = {"type": "http.response.start", "status": 303, "headers": [*answer, *_HEADERS]}
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        return True

    async def _find_person(self, headers: dict[str, str]) -> Person | None:
        given = headers.get("authorization", "")
        scheme, _, secret = given.partition(" ")
        person = None
        if not given:
            holders = (self._keys, self._people)
            session = self.session(headers.get("cookie", ""))
            found = (one.person_of_session(session) for one in holders if one is not None)
            person = next((one for one in found if one is not None), None)
        elif scheme.lower() == "bearer" and self._keys is not None:
            person = self._keys.person_of_key(secret.strip())
        elif scheme.lower() == "basic" and self._people is not None:
            # scrypt takes its time: others are answered meanwhile.
            people = self._people
            person = await to_thread(people.person_of_basic, secret.strip())
        if person is None and given:
            await self.slow_down()
        return person

    def cookie(self, session: str) -> str:
        """Return the cookie that holds a session."""
        return f"{self._cookie}={session}; HttpOnly; SameSite=Strict; Path=/"

    def session(self, text: str) -> str:
        """Return the session that the cookies of a request hold, empty without one."""
        try:
            found = SimpleCookie(text).get(self._cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    async def slow_down(self) -> None:
        """Wait longer with each wrong key; a minute of peace is forgiven."""
        now = time.monotonic()
        self._wrong = 1 if now - self._last_wrong > 60 else self._wrong + 1
        self._last_wrong = now
        if self._wrong > _FREE_TRIES:
            await sleep(min(_LONGEST_WAIT, 0.25 * 2 ** (self._wrong - _FREE_TRIES)))


def _protected(send: Send) -> Send:
    """Return a ``send`` that adds the protecting headers."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*headers, *_HEADERS]}
        await send(message)

    return sending


async def _lead(send: Send, place: str) -> None:
    headers = [(b"location", place.encode()), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, refusal: Refusal) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start = {"type": "http.response.start", "status": refusal.status}
    await send({**start, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": f"{refusal.reason}\n".encode()})
