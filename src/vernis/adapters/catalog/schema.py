"""Bring a catalog's schema to the version that this program knows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from vernis.domain.errors import CatalogError, NewerCatalog

APPLICATION_ID = 0x5645524E  # "VERN"
FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_\w+\.sql")


def steps(folder: Path = FOLDER) -> list[tuple[int, Path]]:
    """Return ``(number, file)`` of every migration, in order; the numbers are 1, 2, 3, …"""
    found = sorted(
        (int(match.group(1)), path)
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name))
    )
    numbers = [number for number, _ in found]
    if numbers != list(range(1, len(found) + 1)):
        raise CatalogError(f"{folder}: expected migrations 1, 2, 3, …, found {numbers}")
    return found


def migrate(connection: sqlite3.Connection, path: Path, folder: Path = FOLDER) -> None:
    """Run the missing migrations, each in a transaction of its own.

    Raises
    ------
    NewerCatalog
        The file was written by a newer version of Vernis.
    CatalogError
        The file belongs to another program.
    """
    known = steps(folder)
    version = check(connection, path, len(known))
    if version == len(known):
        return
    connection.execute("PRAGMA foreign_keys = OFF")  # a table may have to be rebuilt
    for number, script in known:
        if number > version:
            _run_step(connection, number, script)
    connection.execute("PRAGMA foreign_keys = ON")


def check(connection: sqlite3.Connection, path: Path, known: int) -> int:
    """Return the schema's version; refuse a newer one and a file that is not a catalog."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (version or tables):
        raise CatalogError(f"{path}: not a Vernis catalog (another program's database)")
    if version > known:
        raise NewerCatalog(
            f"{path}: written by a newer version of Vernis (schema {version}, this one knows "
            f"{known}); upgrade with: pip install --upgrade vernis"
        )
    return version


def _run_step(connection: sqlite3.Connection, number: int, script: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        if connection.execute("PRAGMA user_version").fetchone()[0] < number:
            for statement in _statements(script.read_text(encoding="utf-8")):
                connection.execute(statement)
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise CatalogError(f"migration {script.name} breaks references: {broken[:3]}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script (``executescript`` would commit between them)."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip() and not all(
        line.startswith("--") for line in pending.strip().splitlines() if line.strip()
    ):
        yield pending
