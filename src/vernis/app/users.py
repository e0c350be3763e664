"""``vernis users``: list who may use the server from other machines, add and remove people.

A new user's password is asked for on the terminal. ``viewer`` looks, ``reviewer`` decides,
``admin`` also runs jobs, moves files to the trash and writes reports. ``vernis serve --host`` asks
for a name and a password; every change stands in the history under the name.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated

from vernis.app.keys import Role
from vernis.app.people import People
from vernis.domain.errors import UsageError
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Who is added, changed or removed; without a name all are listed."""

    name: Annotated[str | None, Option("of a user")] = None
    _: KW_ONLY
    role: Annotated[Role | None, Option("add the user, or change what the user may do")] = None
    remove: Annotated[bool, Option("take the user away")] = False
    password: Annotated[
        str | None,
        Option("of a new user, or a new one (the command line asks)", "text", python=True),
    ] = None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user."""

    name: str
    role: Annotated[str, "viewer, reviewer or admin"]


@dataclass(frozen=True, slots=True)
class Result:
    """The users there are."""

    rows: tuple[UserRow, ...]


def ask(session: Session, settings: Settings, screen: Screen) -> Settings:
    """Ask for the password of a new user."""
    if settings.name is None or settings.role is None:
        return settings
    if settings.name in _people(session).users():
        return settings
    return replace(settings, password=_read_password(settings.name))


def _read_password(name: str) -> str:
    import getpass
    import sys

    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    return sys.stdin.readline().rstrip("\n")


def work(session: Session, settings: Settings) -> Result:
    """Change the users, and list them; raises UsageError."""
    people = _people(session)
    if settings.name is None:
        if settings.remove or settings.role is not None:
            raise UsageError("name the user: vernis users NAME --role ROLE")
    elif settings.remove:
        if settings.role is not None:
            raise UsageError("--remove and --role contradict each other")
        people.remove(settings.name)
    elif settings.role is not None:
        people.set(settings.name, settings.role, settings.password)
    else:
        raise UsageError("say what becomes of the user: --role ROLE or --remove")
    rows = (UserRow(name, user.role) for name, user in people.users().items())
    return Result(tuple(rows))


def _people(session: Session) -> People:
    return People(session.catalog.folder / "app")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a user."""
    screen.table(result.rows, ["name", "role"], title="" if result.rows else "No users yet.")


VERB = Verb(Settings, work, show, document=OneOf("rows"), ask=ask)
