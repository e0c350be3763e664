"""The server: the application with its routes and pages, and the port it listens on."""

from __future__ import annotations

import asyncio
import errno
import gzip
import ipaddress
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from vernis.app.desk import Desk
from vernis.app.guard import Guard
from vernis.app.keys import Keys, Person, read_keys
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
from vernis.app.serve import FIRST_PORT
from vernis.app.serving import Models
from vernis.domain.errors import StorageError, UsageError, VernisError
from vernis.session.session import Session
from vernis.verbs.decide.decisions import login_name
from vernis.version import VERSION

HOST = "127.0.0.1"
"""Written as a number: a name may lead elsewhere, or nowhere."""

_NEXT_PORTS = 50
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
    app.add_api_route("/api/openapi.json", _read_description, include_in_schema=False)
    pages = read_pages()
    for path, page in pages.items():
        app.add_api_route(path, _page(*page), methods=["GET"], include_in_schema=False)
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

    packed = gzip.compress(content, 9, mtime=0)

    async def page(request: Request) -> Response:
        if matches(request, tag):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", "") and len(packed) < len(content):
            more = {**headers, "content-encoding": "gzip"}
            return Response(packed, headers=more, media_type=media_type)
        return Response(content, headers=headers, media_type=media_type)

    return page


# --------------------------------------------------------------------------- listening


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


def listen(port: int | None, host: str = HOST) -> socket.socket:
    """Return a socket that listens, by default on this machine alone.

    Parameters
    ----------
    port : int, optional
        None: the usual one, or else the next that is free.
    host : str
        An address of this machine.

    Raises
    ------
    UsageError
        The port is taken, nobody may listen on it, or the machine has no such address.
    """
    wanted = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _NEXT_PORTS), 0]
    for number in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
            if port is not None:
                raise UsageError(
                    f"{host}:{port}: {reason}; name another port, or none: --port"
                ) from error
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"{host}: {reason}; name an address of this machine") from error
            continue
        return listener
    raise StorageError(f"no port of {host} is free")


def serve(
    session: Session, *, port: int | None, open_browser: bool, tell: Callable[[str], None]
) -> tuple[str, float]:
    """Serve a collection until Ctrl-C; returns the address and the seconds that it took.

    Parameters
    ----------
    session : Session
    port : int, optional
    open_browser : bool
    tell : callable
        Called with the lines that a person should read.
    """
    listener = listen(port)
    number = listener.getsockname()[1]
    folder = session.catalog.folder
    keys = read_keys(folder / "app", Person(login_name()))
    address = f"http://{HOST}:{number}/"
    tell(f"{folder.name} at {address}?key={keys.key}")
    tell("only this machine can reach it; Ctrl-C ends it")
    if open_browser:
        _open_later(f"{address}?key={keys.code()}")
    return address, _run(guarded(make_app(Desk.of(session)), keys, number), listener)


def serve_people(
    session: Session,
    *,
    host: str,
    names: Sequence[str],
    port: int | None,
    tell: Callable[[str], None],
) -> tuple[str, float]:
    """Serve a collection to people on other machines, who have names, passwords and roles.

    Raises
    ------
    UsageError
        There are no users yet, or the machine has no such address.
    """
    people = People(session.catalog.folder / "app")
    if not people.users():
        raise UsageError(
            f"{host} can be reached from elsewhere, and nobody has a password yet: "
            "vernis users NAME --role admin"
        )
    listener = listen(port, host)
    number = listener.getsockname()[1]
    address = f"http://{host}:{number}/"
    tell(f"{session.catalog.folder.name} at {address} for {len(people.users()):,} of vernis users")
    tell("passwords travel as they are: put a proxy with HTTPS before it; Ctrl-C ends it")
    guard = guarded_for_people(make_app(Desk.of(session)), people, host, number, names)
    return address, _run(guard, listener)


def serve_model(
    session: Session, folder: Path, *, port: int | None, tell: Callable[[str], None]
) -> tuple[str, float]:
    """Serve a saved model alone until Ctrl-C; returns the address and the seconds that it took.

    Raises
    ------
    ModelError
        The folder holds no model, or its network is not on this machine.
    """
    found = Models(session, folder)
    (record,) = found.records()
    found.open(record.name)
    listener = listen(port)
    number = listener.getsockname()[1]
    keys = Keys(secrets.token_bytes(32), Person(login_name(), "viewer"))
    address = f"http://{HOST}:{number}/"
    tell(f"{record.name}@{record.version} at {address}api/models/{record.name}/predict")
    tell(f"send a picture with the header: Authorization: Bearer {keys.key}")
    return address, _run(guarded(make_model_app(found), keys, number), listener)


def _run(app: Guard, listener: socket.socket) -> float:
    """Run an application until Ctrl-C; returns the seconds that it took."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        lifespan="on",
    )
    started = time.monotonic()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        listener.close()
    return time.monotonic() - started


def _open_later(address: str) -> None:
    def show() -> None:
        try:
            webbrowser.open(address)
        except webbrowser.Error:
            return  # the address was printed

    threading.Timer(0.5, show).start()
