"""What happens while the server runs, told to every open page as server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from vernis.domain.documents import to_document

KEPT = 1000
"""Events that a page which was away can catch up on."""

PING = 15.0
"""Seconds after which a silent stream says that it lives."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    ``kind`` is ``decided``, ``undone``, ``job``, ``progress``, ``catalog`` (another process has
    written) or ``reset`` (more was missed than is kept: read everything anew).
    """

    number: int
    kind: str
    data: Any


class EventHub:
    """Hands each event to every stream that is open. Threads may publish.

    Parameters
    ----------
    mark : str, optional
        Tells the events of this server from those of an earlier one; default a random one.
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark or uuid.uuid4().hex[:8]
        self._lock = threading.Lock()
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._number = 0
        self._streams: dict[asyncio.Queue[Event | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    def publish(self, kind: str, data: Any) -> None:
        """Tell every open stream."""
        with self._lock:
            self._number += 1
            event = Event(self._number, kind, to_document(data, 6))
            self._kept.append(event)
            self._put(event)

    def close(self) -> None:
        """End every stream."""
        with self._lock:
            self._closed = True
            self._put(None)

    def _put(self, event: Event | None) -> None:
        for queue, loop in list(self._streams.items()):
            if loop.is_closed():
                del self._streams[queue]
            else:
                loop.call_soon_threadsafe(queue.put_nowait, event)

    async def stream(self, last: str = "", ping: float = PING) -> AsyncIterator[bytes]:
        """Yield the events as a page reads them, first those after ``last`` (an event's id)."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        with self._lock:
            missed = self._missed(last)
            if not self._closed:
                self._streams[queue] = asyncio.get_running_loop()
        try:
            yield b"retry: 1000\n\n"
            for event in missed:
                yield self._written(event)
            while not self._closed:
                try:
                    found = await asyncio.wait_for(queue.get(), ping)
                except TimeoutError:
                    yield b": ping\n\n"
                    continue
                if found is None:
                    return
                yield self._written(found)
        finally:
            with self._lock:
                self._streams.pop(queue, None)

    def _missed(self, last: str) -> list[Event]:
        if not last:
            return []
        mark, _, text = last.rpartition("-")
        number = int(text) if text.isdecimal() else -1
        oldest = self._kept[0].number if self._kept else self._number + 1
        if mark != self._mark or number > self._number or number < oldest - 1:
            return [Event(self._number, "reset", {})]
        return [event for event in self._kept if event.number > number]

    def _written(self, event: Event) -> bytes:
        data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
        return f"id: {self._mark}-{event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()
