"""``vernis serve``: open the collection in the browser: review, browse, jobs, history, REST.

Only this machine can reach it, and only with the key that the opened address holds. Other programs
send the key that stands in ``NAME.vernis/app/key``: ``Authorization: Bearer KEY``. With ``--host``
other machines reach it too; people then give the name and password of ``vernis users``, and
programs send them as ``Authorization: Basic``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.app.listening import FIRST_PORT, serve, serve_model, serve_people
from vernis.domain.errors import MissingExtra, UsageError
from vernis.verbs.declare import BaseSettings, Home, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is served, and where."""

    folder: Annotated[
        Path | str | None,
        Option("the NAME.vernis folder (default: the only one beside or above the working folder)"),
    ] = None
    _: KW_ONLY
    port: Annotated[
        int | None,
        Option(
            f"the port (default: {FIRST_PORT}, or the next free one)",
            "N",
            at_least=1,
            at_most=65535,
        ),
    ] = None
    no_browser: Annotated[bool, Option("do not open the browser")] = False
    host: Annotated[
        str | None,
        Option("listen on this address of the machine for the people of vernis users", "ADDRESS"),
    ] = None
    known_as: Annotated[
        Sequence[str],
        Option("of --host: another host that browsers name, such as a proxy's (repeatable)"),
    ] = ()
    model: Annotated[
        Path | str | None, Option("the folder of a saved model: serve that alone, to programs")
    ] = None
    tell: Annotated[
        Callable[[str], None] | None,
        Option("called with each line that a person should read", "callable", python=True),
    ] = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was served."""

    address: Annotated[str, "where it listened"]
    seconds: Annotated[float, "how long"]


def home(settings: Settings) -> Home:
    """Say which collection is served."""
    if settings.model is not None:
        return Home(needed=False)
    return Home(collection=None if settings.folder is None else Path(settings.folder))


def ask(session: Session, settings: Settings, screen: Screen) -> Settings:
    """Have the address told on the screen."""
    return replace(settings, tell=screen.line)


def work(session: Session, settings: Settings) -> Result:
    """Serve the collection until Ctrl-C.

    Raises
    ------
    MissingExtra
        FastAPI or uvicorn is not installed.
    UsageError
        The port is taken.
    """
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise MissingExtra("app", "vernis serve")
    tell = settings.tell or (lambda line: None)
    if settings.model is not None:
        if settings.folder is not None:
            raise UsageError("a collection, or --model FOLDER alone; not both")
        place = Path(settings.model)
        address, seconds = serve_model(session, place, port=settings.port, tell=tell)
        return Result(address, round(seconds, 1))
    if settings.host is not None and not settings.host.startswith("127."):
        address, seconds = serve_people(
            session, host=settings.host, names=settings.known_as, port=settings.port, tell=tell
        )
        return Result(address, round(seconds, 1))
    address, seconds = serve(
        session,
        port=settings.port,
        open_browser=not settings.no_browser,
        tell=tell,
    )
    return Result(address, round(seconds, 1))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Say that the server has ended."""
    screen.line("stopped; every decision is recorded")


VERB = Verb(Settings, work, show, home=home, ask=ask)
