"""What outside services answer, in the ledger."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, Row, now
from vernis.adapters.catalog.storage import to_json
from vernis.domain.annotations import (
    Answer,
    Feature,
    Refusal,
    RequestStatus,
    ServiceVersion,
    Spent,
)
from vernis.domain.types import Hashes, hash_column

_COLUMNS = "a.hash, a.feature, a.content, a.width, a.height, a.refused"
_PIECE = 1024  # answers that are Python objects at a time


class SqliteAnswerStore:
    """``AnswerStore`` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def services(self) -> list[ServiceVersion]:
        """Return who has answered, the latest first."""
        rows = self._ledger.rows(
            "SELECT s.name, s.settings FROM service AS s JOIN service_request AS r "
            "ON r.service_id = s.id GROUP BY s.id ORDER BY max(r.id) DESC"
        )
        return [ServiceVersion(name, json.loads(settings)) for name, settings in rows]

    def holds(
        self, service: ServiceVersion, feature: Feature, mark: str, hashes: Hashes
    ) -> NDArray[np.bool_]:
        """Return which pictures are answered or refused, shape (len(hashes),)."""
        (known,) = self._ledger.columns(
            "SELECT hash FROM answer WHERE service_id = ? AND feature = ? AND mark = ?",
            (self._find(service), feature, mark),
            kinds=[bytes],
        )
        return np.isin(hash_column(hashes), known)

    def begin(
        self, service: ServiceVersion, *, pictures: int, units: int, price: float, bytes: int
    ) -> int:
        """Note a request before it is sent; returns its number."""
        with self._ledger.transaction():
            return self._ledger.insert(
                "INSERT INTO service_request "
                "(service_id, time, pictures, units, price, bytes, status) "
                "VALUES (?, ?, ?, ?, ?, ?, 'sent')",
                (self._id(service), now(), pictures, units, float(price), bytes),
            )

    def finish(
        self, request: int, status: RequestStatus, *, units: int, price: float, tokens: int = 0
    ) -> None:
        """Note what became of a request, and what it cost after all."""
        self._ledger.run(
            "UPDATE service_request SET status = ?, units = ?, price = ?, tokens = ? WHERE id = ?",
            (status, units, float(price), tokens, request),
        )

    def add(
        self, service: ServiceVersion, request: int, mark: str, answers: Sequence[Answer]
    ) -> None:
        """Keep answers of one request; earlier ones of the same question are replaced."""
        with self._ledger.transaction():
            number = self._id(service)
            self._ledger.run_many(
                "INSERT OR REPLACE INTO answer (service_id, feature, mark, hash, request_id, "
                "width, height, refused, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(number, one.feature, mark, one.content_hash, request),
                        *(one.width, one.height, one.refused, _deflated(one)),
                    )
                    for one in answers
                ),
            )

    def answers(
        self,
        service: ServiceVersion,
        feature: Feature,
        mark: str = "",
        hashes: Sequence[str] | None = None,
    ) -> Iterator[Answer]:
        """Yield what is kept of one question (for these pictures), with refusals."""
        asked = "a.service_id = ? AND a.feature = ? AND a.mark = ?"
        values = (self._find(service), feature, mark)
        if hashes is None:
            rows = self._ledger.rows(f"SELECT a.hash FROM answer AS a WHERE {asked}", values)
            hashes = sorted(row[0] for row in rows)
        wanted = list(dict.fromkeys(hashes))
        for start in range(0, len(wanted), _PIECE):
            with self._ledger.snapshot(), self._ledger.listed(wanted[start : start + _PIECE]):
                rows = self._ledger.rows(
                    f"SELECT {_COLUMNS} FROM temp.listed AS l CROSS JOIN answer AS a "
                    f"ON a.hash = l.value AND {asked} ORDER BY l.position",
                    values,
                )
            yield from map(_answer, rows)

    def refusals(self) -> list[Refusal]:
        """Return what each service has refused for good: each picture once a service."""
        rows = self._ledger.rows(
            "SELECT s.name, a.hash, min(a.refused) FROM answer AS a "
            "JOIN service AS s ON s.id = a.service_id WHERE a.refused <> '' "
            "GROUP BY s.name, a.hash ORDER BY s.name, a.hash"
        )
        return [Refusal(*row) for row in rows]

    def spent(self, service: ServiceVersion) -> Spent:
        """Return what all requests to a service came to."""
        row = self._ledger.row(
            "SELECT count(*), sum(pictures), sum(units), sum(tokens), sum(bytes), sum(price), "
            "sum(status = 'sent'), sum(CASE WHEN status = 'sent' THEN price ELSE 0 END) "
            "FROM service_request WHERE service_id = ?",
            (self._find(service),),
        )
        assert row is not None
        if not row[0]:
            return Spent()
        requests, pictures, units, tokens, size, price, doubt, doubtful = row
        return Spent(requests, pictures, units, tokens, size, price, doubt, float(doubtful))

    def _find(self, service: ServiceVersion) -> int | None:
        row = self._ledger.row(
            "SELECT id FROM service WHERE name = ? AND settings = ?",
            (service.name, to_json(dict(service.settings))),
        )
        return None if row is None else int(row[0])

    def _id(self, service: ServiceVersion) -> int:
        found = self._find(service)
        if found is not None:
            return found
        return self._ledger.insert(
            "INSERT INTO service (name, settings) VALUES (?, ?)",
            (service.name, to_json(dict(service.settings))),
        )


def _deflated(answer: Answer) -> bytes | None:
    if answer.refused:
        return None
    return zlib.compress(to_json(answer.content).encode(), 6)


def _answer(row: Row) -> Answer:
    content_hash, feature, content, width, height, refused = row
    document = None if content is None else json.loads(zlib.decompress(content))
    return Answer(content_hash, feature, document, width, height, refused)
