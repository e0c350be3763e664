"""The server: the application with its routes and pages, and the guard before it."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from vernis.app.desk import Desk
from vernis.app.guard import Guard
from vernis.app.keys import Keys
from vernis.app.listening import HOST
from vernis.app.pages import read_pages
from vernis.app.people import People
from vernis.app.routes import (
    boxes,
    collection,
    duplicates,
    fill,
    history,
    images,
    labels,
    login,
    maps,
    models,
    proposals,
    review,
    samples,
    similar,
    verbs,
)
from vernis.app.routing import Routes, answered, matches, tell_error
from vernis.app.serving import Models
from vernis.domain.errors import VernisError
from vernis.version import VERSION

_LOOK = 1.0  # seconds between two looks whether another process has written
_MODULES = (
    collection,
    review,
    images,
    boxes,
    duplicates,
    fill,
    history,
    labels,
    login,
    maps,
    models,
    proposals,
    samples,
    similar,
    verbs,
)
_ABOUT = """What the screens of Vernis ask for, and every verb of the command line.

Requests need the key of the collection, `Authorization: Bearer KEY`; it stands in
`NAME.vernis/app/key`. Verbs that read are asked for by GET; decisions are POST and done at once;
long work is POST and becomes a job, whose result `Prefer: wait=SECONDS` waits for.
"""


def describe() -> dict[str, Any]:
    """Return the description of the routes (OpenAPI), as docs/openapi.json holds it."""
    described: dict[str, Any] = make_app(None, described=True).openapi()
    return described


def make_model_app(models_alone: Models) -> FastAPI:
    """Return the application that serves a saved model alone, without its guard."""
    app = _application((models,), described=False)
    app.state.desk, app.state.models = None, models_alone
    return app


def _application(modules: Sequence[Any], *, described: bool) -> FastAPI:
    """Return an application with the routes of some modules."""
    app = FastAPI(
        title="Vernis",
        version=VERSION,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_looking,
    )
    routes = Routes(described=described)
    for module in modules:
        module.add_to(routes)
    app.include_router(routes.router)
    app.add_exception_handler(VernisError, tell_error)
    app.add_exception_handler(HTTPException, _tell_status)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    return app


def make_app(desk: Desk | None, *, described: bool = False) -> FastAPI:
    """Return the application without its guard.

    Parameters
    ----------
    desk : Desk or None
        None: nothing is open yet.
    described : bool
        To describe the routes, not to serve them.
    """
    app = _application(_MODULES, described=described)
    app.state.desk = desk
    app.state.models = None if desk is None else Models(desk.session)
    if described:
        return app
    app.add_route("/api/openapi.json", _read_description, include_in_schema=False)
    for path, page in read_pages().items():
        app.add_route(path, _page(*page), include_in_schema=False)
    return app


@asynccontextmanager
async def _looking(app: FastAPI) -> AsyncIterator[None]:
    """Look, while the server runs, whether another process has written."""
    looking = asyncio.create_task(_look(app))
    try:
        yield
    finally:
        looking.cancel()
        if app.state.desk is not None:
            await asyncio.to_thread(app.state.desk.close)
        if app.state.models is not None:
            app.state.models.close()


async def _look(app: FastAPI) -> None:
    seen: tuple[Desk | None, int] = (None, 0)
    while True:
        desk: Desk | None = app.state.desk
        if desk is not None:
            now = desk, (await asyncio.to_thread(desk.session.catalog.revision, "runs"))[1]
            if seen[0] is desk and now != seen:
                desk.events.publish("catalog", {})
            seen = now
        await asyncio.sleep(_LOOK)


# --------------------------------------------------------------------------- errors


def _tell_status(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "kind": "HTTPError"}, error.status_code)


def _tell_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    return JSONResponse({"error": "; ".join(told), "kind": "InvalidRequest"}, 422)


# --------------------------------------------------------------------------- pages


def _read_description(request: Request) -> Response:
    """Return the description of the routes."""
    return answered(_description(), request)


_description = cache(describe)


def _page(content: bytes, kind: str) -> Callable[..., Any]:
    tag = f'"{sha256(content).hexdigest()[:20]}"'
    # A browser asks for the icon again at each new address, so at each decision.
    kept = "max-age=86400" if kind == "image/svg+xml" else "no-cache"
    headers = {"etag": tag, "cache-control": f"private, {kept}", "vary": "accept-encoding"}
    media_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    packed = cache(partial(gzip.compress, content, 9, mtime=0))  # when it is asked for

    async def page(request: Request) -> Response:
        if matches(request, tag):
            return Response(status_code=304, headers=headers)
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if accepts and len(packed()) < len(content):
            more = {**headers, "content-encoding": "gzip"}
            return Response(packed(), headers=more, media_type=media_type)
        return Response(content, headers=headers, media_type=media_type)

    return page


# --------------------------------------------------------------------------- guarding


def guarded(app: FastAPI, keys: Keys, port: int) -> Guard:
    """Return the application behind the guard of a server that this machine alone can reach."""
    app.state.people = None
    hosts = frozenset(f"{name}:{port}" for name in (HOST, "localhost"))
    return Guard(app, keys, hosts.__contains__, port)


def guarded_for_people(
    app: FastAPI, people: People, host: str, port: int, names: Sequence[str]
) -> Guard:
    """Return the application behind the guard of a server that others can reach.

    Parameters
    ----------
    app : FastAPI
    people : People
    host : str
        The address that it listens on.
    port : int
    names : sequence of str
        Further hosts that browsers may name, such as that of a proxy.
    """
    app.state.people = people
    known = {f"{host}:{port}".lower(), *(name.lower() for name in names)}

    def is_ours(given: str) -> bool:
        name, _, number = given.rpartition(":")
        # A name that is bound anew to this machine is a name; a number cannot be.
        is_number = host == "0.0.0.0" and number == str(port) and _is_number(name)
        return given in known or is_number

    return Guard(app, None, is_ours, port, people)


def _is_number(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
