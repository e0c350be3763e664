"""Work that is cut into units, so that any machine can do any of it, in any order, more than once.

A plan and its units lie in an object store. What a unit writes is named by what it is made from;
the list of what was made comes last, so a unit that is half done is not done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vernis.domain.errors import ModelError
from vernis.domain.types import Space

PLAN = "plan.json"
"""The name of the plan in its store."""
UNIT_SIZE = 4096
"""Pictures of a unit, at most."""


@dataclass(frozen=True, slots=True)
class UnitPicture:
    """A picture of a unit, once for all images of its content."""

    content_hash: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made of which pictures.

    Attributes
    ----------
    name : str
        Of no meaning; no other plan has it.
    root : str
        The folder that uris are relative to, as the planning machine sees it.
    spaces : tuple of Space
        The vectors that are made of each picture; the first is the embedding.
    units : tuple of str
        The name of each unit.
    """

    VERSION: ClassVar[int] = 1

    name: str
    root: str
    spaces: tuple[Space, ...]
    units: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the plan as JSON."""
        spaces = [[one.name, one.dim, one.dtype, dict(one.settings)] for one in self.spaces]
        document = {"version": self.VERSION, "name": self.name, "root": self.root}
        return _json({**document, "spaces": spaces, "units": list(self.units)})

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Plan:
        """Read a plan; raises ModelError where it is none, or of another version."""
        document = _parsed(data, where)
        if document.get("version") != cls.VERSION:
            raise ModelError(
                f"{where}: a plan of another version of Vernis; install the same everywhere"
            )
        spaces = tuple(Space(*one) for one in document["spaces"])
        name, root = str(document["name"]), str(document["root"])
        return cls(name, root, spaces, tuple(document["units"]))


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a unit.

    Attributes
    ----------
    shards : tuple of (str, int, tuple of str)
        For each space of the plan the name of its file, its checksum (CRC-32) and the content
        hashes of its rows.
    failed : mapping of str to str
        Content hash and reason of the pictures that could not be read.
    seconds : float
        Time that the worker took.
    """

    shards: tuple[tuple[str, int, tuple[str, ...]], ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        shards = [[file, crc, list(hashes)] for file, crc, hashes in self.shards]
        return _json({"shards": shards, "failed": dict(self.failed), "seconds": self.seconds})

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Made:
        """Read it; raises ModelError where it is damaged."""
        document = _parsed(data, where)
        shards = tuple((str(f), int(crc), tuple(hashes)) for f, crc, hashes in document["shards"])
        return cls(shards, dict(document["failed"]), float(document["seconds"]))


def unit_name(spaces: Sequence[Space], pictures: Sequence[UnitPicture]) -> str:
    """Return a name that hangs on what is made of which pictures alone."""
    digest = hashlib.sha256()
    for space in spaces:
        digest.update(_json([space.name, space.dim, space.dtype, dict(space.settings)]))
    for picture in pictures:
        digest.update(picture.content_hash.encode())
    return digest.hexdigest()[:32]


def pictures_to_bytes(pictures: Sequence[UnitPicture]) -> bytes:
    """Return the pictures of a unit as JSON Lines."""
    rows = ([one.content_hash, one.uri, one.width, one.height] for one in pictures)
    return b"".join(_json(row) + b"\n" for row in rows)


def pictures_from_bytes(data: bytes, where: str) -> list[UnitPicture]:
    """Read the pictures of a unit; raises ModelError where they are damaged."""
    try:
        return [UnitPicture(*json.loads(line)) for line in data.splitlines()]
    except (ValueError, TypeError) as error:
        raise ModelError(f"{where}: damaged; plan again") from error


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{where}: damaged; plan again") from error
    if not isinstance(document, dict):
        raise ModelError(f"{where}: damaged; plan again")
    return document
