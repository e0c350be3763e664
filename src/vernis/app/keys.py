"""Who may ask: the keys of the server, and the people they stand for."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["viewer", "reviewer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "admin")
"""Each may do what those before it may: look; decide; run jobs, move files, export."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks."""

    name: str
    role: Role = "admin"

    def may(self, role: Role) -> bool:
        """Tell whether the person's role holds another one."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Keys:
    """The keys of a collection's server; all are made of one secret that nobody is told.

    The key for programs and the session of the browser outlive the server, so that a page which is
    open goes on when it is started again.

    Parameters
    ----------
    secret : bytes
    person : Person
        Whom the keys stand for.
    """

    def __init__(self, secret: bytes, person: Person) -> None:
        self.key = _derived(secret, "key")
        self._session = _derived(secret, "session")
        self._person = person
        self._codes: set[str] = set()

    def code(self) -> str:
        """Return a code that opens one session: what a browser is started with.

        Other users of the machine can read the command line of a browser, when it is too late.
        """
        code = secrets.token_urlsafe(24)
        self._codes.add(code)
        return code

    def open_session(self, given: str) -> str | None:
        """Return the session for the key or a code, None for anything else."""
        for code in self._codes:
            if _same(code, given):
                self._codes.discard(code)
                return self._session
        return self._session if _same(self.key, given) else None

    def person_of_key(self, given: str) -> Person | None:
        """Return whom a key stands for."""
        return self._person if _same(self.key, given) else None

    def person_of_session(self, given: str) -> Person | None:
        """Return whom a browser's session stands for."""
        return self._person if _same(self._session, given) else None


def read_keys(folder: Path, person: Person) -> Keys:
    """Return the keys of a collection, made when it has none.

    Parameters
    ----------
    folder : Path
        Where the secret and the key lie, each readable by its owner alone. Where nothing can be
        written the keys hold for this run.
    person : Person
    """
    try:
        secret = _kept(folder / "secret")
        keys = Keys(secret, person)
        write_secret(folder / "key", f"{keys.key}\n".encode())
    except OSError:
        return Keys(secrets.token_bytes(32), person)
    return keys


def _kept(path: Path) -> bytes:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) == 32:
        path.chmod(0o600)
        return found
    made = secrets.token_bytes(32)
    write_secret(path, made)
    return made


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, in place of an earlier one; raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(beside, flags, 0o600), "wb") as stream:
        stream.write(content)
    beside.replace(path)


def _derived(secret: bytes, purpose: str) -> str:
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))
