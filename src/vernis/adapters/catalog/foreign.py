"""What other tools call images and classes, in the ledger."""

from __future__ import annotations

import json
from typing import Any

from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.ledger import Ledger
from vernis.adapters.catalog.storage import to_json
from vernis.adapters.catalog.subjects import FOREIGN
from vernis.domain.errors import NotFound
from vernis.domain.foreign import ForeignFact, ForeignFacts
from vernis.domain.history import Change

_Key = tuple[str, int]
_Said = tuple[int, str | None, str]
"""Position, id in JSON, attributes."""


class SqliteForeignStore:
    """``ForeignStore`` over the ledger."""

    def __init__(self, ledger: Ledger, history: SqliteHistory) -> None:
        self._ledger = ledger
        self._history = history

    def record(
        self, format: str, facts: ForeignFacts, *, source: str, verb: str, note: str = ""
    ) -> int:
        """Keep what a tool's file says, as part of a batch; see the port."""
        with self._ledger.transaction():
            known = self._held(format, alone=True)
            said = self._keyed(facts)
            new = {
                key: value
                for key, value in said.items()
                if known.get(key) != value and (key in known or value != (0, None, ""))
            }
            if not new:
                return 0
            batch, _ = self._history.open_batch(verb, self._history.source_id(source), note)
            self._ledger.run_many(
                "INSERT OR REPLACE INTO foreign_fact "
                "(format, thing, thing_id, batch_id, position, foreign_id, attributes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((format, *key, batch, *value) for key, value in new.items()),
            )
            change = Change(FOREIGN, str(batch), False, True, size=len(new))
            return self._history.record([change], source=source, verb=verb, note=note)

    def _keyed(self, facts: ForeignFacts) -> dict[_Key, _Said]:
        classes = self._class_ids()
        missing = next((key for key in facts.classes if key not in classes), None)
        if missing is not None:
            raise NotFound(f"taxonomy '{missing[0]}' has no class '{missing[1]}'; define it")
        said: dict[_Key, _Said] = {
            ("image", number): _row(0, fact) for number, fact in facts.images.items()
        }
        said |= {
            ("class", classes[key]): _row(at, fact)
            for at, (key, fact) in enumerate(facts.classes.items(), 1)
        }
        if facts.attributes:
            said["collection", 0] = (0, None, facts.attributes)
        return said

    def _class_ids(self) -> dict[tuple[str, str], int]:
        rows = self._ledger.rows(
            "SELECT t.name, c.name, c.id FROM class AS c "
            "JOIN taxonomy AS t ON t.id = c.taxonomy_id WHERE t.removed = 0"
        )
        return {(taxonomy, name): number for taxonomy, name, number in rows}

    def _held(self, format: str, *, alone: bool) -> dict[_Key, _Said]:
        """Return what holds of each thing: the latest of that format, else of any other."""
        rows = self._ledger.rows(
            "SELECT thing, thing_id, position, foreign_id, attributes FROM foreign_fact "
            "WHERE held = 1 AND (format = ?1 OR NOT ?2) ORDER BY format = ?1, batch_id",
            (format, alone),
        )
        return {(thing, number): (at, foreign, more) for thing, number, at, foreign, more in rows}

    def facts(self, format: str) -> ForeignFacts:
        """Return what is kept of each thing; see the port."""
        with self._ledger.snapshot():
            held = self._held(format, alone=False)
            names = {number: key for key, number in self._class_ids().items()}
        images: dict[int, ForeignFact] = {}
        classes: list[tuple[int, tuple[str, str], ForeignFact]] = []
        attributes = ""
        for (thing, number), (position, foreign, more) in held.items():
            fact = ForeignFact(None if foreign is None else json.loads(foreign), more)
            if thing == "image":
                images[number] = fact
            elif thing == "collection":
                attributes = more
            elif number in names:
                classes.append((position, names[number], fact))
        classes.sort(key=lambda found: found[:2])
        return ForeignFacts(images, {key: fact for _, key, fact in classes}, attributes)


def _row(position: int, fact: ForeignFact) -> Any:
    foreign = None if fact.foreign_id is None else to_json(fact.foreign_id)
    return position, foreign, fact.attributes
