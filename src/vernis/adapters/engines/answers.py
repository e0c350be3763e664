"""What workers in other processes answer, as bytes.

Bytes of ``pickle``, between processes of one program alone: they are never stored.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the item of a place in what was handed over."""

    place: int
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A worker that could not open the stage."""

    error: BaseException


def pack_answer(answer: Answer | Broken) -> bytes:
    """Return an answer as bytes; an error of another library that does not survive it, as text."""
    try:
        data = pickle.dumps(answer)
    except Exception:
        if answer.error is None:
            raise
        return pickle.dumps(_in_words(answer))
    if answer.error is not None:
        try:
            pickle.loads(data)
        except Exception:
            data = pickle.dumps(_in_words(answer))
    return data


def _in_words(answer: Answer | Broken) -> Answer | Broken:
    error = RuntimeError(f"{type(answer.error).__name__}: {answer.error}")
    if isinstance(answer, Broken):
        return Broken(error)
    return Answer(answer.place, error=error)
