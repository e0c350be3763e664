"""One job, in a process of its own: reads what to do from standard input, tells of it in lines.

A process can be stopped at any moment (finished work is kept), gives its memory back, and does not
slow the decisions that people take meanwhile. Each line is a JSON document with a ``kind``:
``progress``, ``note``, ``done`` or ``failed``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from vernis.domain.documents import to_document
from vernis.domain.errors import VernisError

_OFTEN = 0.1  # seconds between two lines about one task


class Telling:
    """Writes lines; as ``Progress`` at most ten a second, and the last of each task.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None:
        """Report progress, as ``vernis.domain.ports.Progress``."""
        now = time.monotonic()
        ends = total is not None and done >= total
        if not ends and now - self._said.get(task, 0.0) < _OFTEN:
            return
        self._said[task] = now
        self.line("progress", task=task, done=done, total=total, note=note)

    def line(self, kind: str, **values: Any) -> None:
        """Write one line."""
        text = json.dumps({"kind": kind, **values}, ensure_ascii=True, separators=(",", ":"))
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()


def main() -> int:
    """Run the job that the first line of standard input describes."""
    order = json.loads(sys.stdin.readline())
    # What libraries print must not get among the lines.
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_server, daemon=True).start()
    telling = Telling(out)
    try:
        result = _work(order, telling)
    except VernisError as error:
        telling.line("failed", error=str(error), name=type(error).__name__)
        return 1
    except MemoryError:
        telling.line("failed", error="out of memory: take smaller numbers", name="MemoryError")
        return 1
    except OSError as error:
        telling.line("failed", error=str(error), name=type(error).__name__)
        return 1
    telling.line("done", result=result)
    return 0


def _work(order: Any, telling: Telling) -> Any:
    from vernis.app.asking import read_settings
    from vernis.session.session import Session
    from vernis.verbs.catalogue import find_entry

    entry = find_entry(order["verb"])
    assert entry is not None
    verb = entry.load()
    settings = read_settings(verb, order["settings"])
    with Session.open(Path(order["collection"]), progress=telling) as session:
        result = verb.do(session, settings)
    for note in getattr(result, "notes", ()):
        telling.line("note", text=str(note))
    return to_document(verb.document(result), 6)


def _end_with_server() -> None:
    """End when the server does: its end of standard input closes."""
    while sys.stdin.readline():
        pass
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
