"""People who may use a server from elsewhere: names, roles, passwords as scrypt, sessions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vernis.app.keys import ROLES, Person, Role, write_secret
from vernis.domain.errors import StorageError, UsageError

FILE_NAME = "users.json"
LEAST_LETTERS = 10
"""Of a password."""

_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and about 50 ms a try
_SESSION = 12 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class User:
    """One who may use the server."""

    role: Role
    salt: bytes
    digest: bytes


class People:
    """The users of a collection, as its folder lists them; read anew when the file changes.

    Parameters
    ----------
    folder : Path
        Holds ``users.json``, which its owner alone can read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._mark: object = None
        self._users: dict[str, User] = {}
        self._sessions: dict[str, tuple[str, float]] = {}
        self._known: dict[str, tuple[str, bytes]] = {}  # digest of right credentials → name, digest
        self._pepper = secrets.token_bytes(16)

    # ------------------------------------------------------------------ the list

    def users(self) -> Mapping[str, User]:
        """Return the users by name; raises StorageError when the list is damaged."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}
        with self._lock:
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if mark != self._mark:
                self._users = _read(self._path)
                self._mark = mark
            return self._users

    def set(self, name: str, role: Role, password: str | None) -> None:
        """Add a user, or change role or password; raises UsageError."""
        if not name.strip() or not name.isprintable() or ":" in name or len(name) > 60:
            raise UsageError(f"expected a name of up to 60 letters without a colon, got {name!r}")
        users = dict(self.users())
        if password is None:
            if name not in users:
                raise UsageError(f"{name} is new and needs a password")
            users[name] = User(role, users[name].salt, users[name].digest)
        else:
            if len(password) < LEAST_LETTERS:
                raise UsageError(f"expected a password of {LEAST_LETTERS} letters or more")
            salt = secrets.token_bytes(16)
            users[name] = User(role, salt, _digest(password, salt))
        self._write(users)

    def remove(self, name: str) -> None:
        """Take a user away, with all sessions; raises UsageError."""
        users = dict(self.users())
        if users.pop(name, None) is None:
            raise UsageError(f"there is no user {name!r}")
        self._write(users)

    def _write(self, users: Mapping[str, User]) -> None:
        document = {
            name: {"role": user.role, "salt": user.salt.hex(), "scrypt": user.digest.hex()}
            for name, user in sorted(users.items())
        }
        write_secret(self._path, f"{json.dumps(document, indent=1)}\n".encode())

    # ------------------------------------------------------------------ who asks

    def log_in(self, name: str, password: str) -> str | None:
        """Return a new session for a name with its password, None for anything else."""
        if not self._is_right(name, password):
            return None
        session = secrets.token_urlsafe(32)
        with self._lock:
            now = time.monotonic()
            self._sessions = {key: s for key, s in self._sessions.items() if s[1] > now}
            self._sessions[session] = (name, now + _SESSION)
        return session

    def log_out(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session, None)

    def person_of_session(self, given: str) -> Person | None:
        """Return whom a session stands for, with the role that is listed now."""
        with self._lock:
            name, until = self._sessions.get(given, ("", 0.0))
        user = self.users().get(name)
        if user is None or until < time.monotonic():
            return None
        return Person(name, user.role)

    def person_of_basic(self, given: str) -> Person | None:
        """Return whom ``NAME:PASSWORD`` in base64 stands for (the scheme ``Basic``)."""
        try:
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        user = self.users().get(name)
        if user is None or not self._is_right(name, password):
            return None
        return Person(name, user.role)

    def _is_right(self, name: str, password: str) -> bool:
        """Compare a password; one that was right a moment ago costs no scrypt again."""
        user = self.users().get(name)
        mark = hmac.new(self._pepper, f"{name}\0{password}".encode(), hashlib.sha256).hexdigest()
        if user is not None and self._known.get(mark) == (name, user.digest):
            return True
        # An unknown name takes as long as a wrong password.
        salt, wanted = (user.salt, user.digest) if user is not None else (bytes(16), bytes(64))
        right = hmac.compare_digest(_digest(password, salt), wanted) and user is not None
        if right and user is not None:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[mark] = (name, user.digest)
        return right


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=64, maxmem=2**26, **_COST)


def _read(path: Path) -> dict[str, User]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = {
            name: User(one["role"], bytes.fromhex(one["salt"]), bytes.fromhex(one["scrypt"]))
            for name, one in document.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{path}: the list of users cannot be read ({error}); put a copy in its place"
        ) from error
    if any(user.role not in ROLES for user in found.values()):
        raise StorageError(f"{path}: expected roles of {', '.join(ROLES)}")
    return found
