"""The port that the server listens on, and what runs there until Ctrl-C.

A server listens before it is put together: a browser starts meanwhile, and who connects is answered
when it is.
"""

from __future__ import annotations

import errno
import logging
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.app.keys import Keys, Person, read_keys
from vernis.app.people import People
from vernis.domain.errors import StorageError, UsageError

if TYPE_CHECKING:
    from vernis.app.guard import Guard
    from vernis.session.session import Session

FIRST_PORT = 8377
"""Where the server listens unless it is taken; then on one of the ports after it."""
HOST = "127.0.0.1"
"""Written as a number: a name may lead elsewhere, or nowhere."""

_NEXT_PORTS = 50


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
    from vernis.verbs.decide.decisions import login_name

    listener = listen(port)
    number = listener.getsockname()[1]
    folder = session.catalog.folder
    keys = read_keys(folder / "app", Person(login_name()))
    address = f"http://{HOST}:{number}/"
    tell(f"{folder.name} at {address}?key={keys.key}")
    tell("only this machine can reach it; Ctrl-C ends it")
    if open_browser:
        _open_later(f"{address}?key={keys.code()}")
    from vernis.app.desk import Desk
    from vernis.app.server import guarded, make_app

    desk = Desk.of(session)
    return address, _run(guarded(make_app(desk), keys, number), listener, desk.events.close)


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
    from vernis.app.desk import Desk
    from vernis.app.server import guarded_for_people, make_app

    desk = Desk.of(session)
    guard = guarded_for_people(make_app(desk), people, host, number, names)
    return address, _run(guard, listener, desk.events.close)


def serve_model(
    session: Session, folder: Path, *, port: int | None, tell: Callable[[str], None]
) -> tuple[str, float]:
    """Serve a saved model alone until Ctrl-C; returns the address and the seconds that it took.

    Raises
    ------
    ModelError
        The folder holds no model, or its network is not on this machine.
    """
    from vernis.app.server import guarded, make_model_app
    from vernis.app.serving import Models
    from vernis.verbs.decide.decisions import login_name

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


def _run(
    app: Guard, listener: socket.socket, end_streams: Callable[[], None] = lambda: None
) -> float:
    """Run an application until Ctrl-C; returns the seconds that it took.

    ``end_streams`` is called first: a stream that is open would hold the end up.
    """
    import uvicorn

    class Server(uvicorn.Server):  # type: ignore[misc, unused-ignore]  # uvicorn may be absent
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            end_streams()
            # What the end cuts off is nobody's error.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

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
        Server(config).run(sockets=[listener])
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
