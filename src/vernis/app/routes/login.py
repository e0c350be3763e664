"""Say who one is, where people have names and passwords, and leave again."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from vernis.app.guard import Guard
from vernis.app.people import People
from vernis.app.routing import Routes, answered, person_of


@dataclass(frozen=True)
class Credentials:
    """A name and its password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who one is now."""

    name: str
    role: str


async def log_in(request: Request, given: Credentials) -> Response:
    """Open a session for a name with its password; its cookie comes with the answer."""
    people: People | None = request.app.state.people
    guard: Guard = request.scope["guard"]
    if people is None:
        raise HTTPException(404, "nobody has a name here; the opened address holds the key")
    session = await to_thread.run_sync(people.log_in, given.name, given.password)
    if session is None:
        await guard.slow_down()
        raise HTTPException(401, "name or password is wrong")
    person = people.person_of_session(session)
    assert person is not None
    welcome = Welcome(person.name, person.role)
    return answered(welcome, set_cookie=guard.cookie(session))


def log_out(request: Request) -> Response:
    """End the session."""
    people: People | None = request.app.state.people
    guard: Guard = request.scope["guard"]
    if people is not None:
        people.log_out(guard.session(request.headers.get("cookie", "")))
    person = person_of(request)
    gone = guard.cookie("") + "; Max-Age=0"
    return answered(Welcome(person.name, person.role), set_cookie=gone)


def add_to(routes: Routes) -> None:
    """Add the routes of this module; logging in needs no role, the guard lets it through."""
    path, tag = "/api/session", "session"
    routes.add("POST", path, log_in, role=None, tag=tag, gives=Welcome)
    routes.add("DELETE", path, log_out, role="viewer", tag=tag, gives=Welcome)
