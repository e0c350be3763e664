"""Which engine runs work on many pictures."""

from __future__ import annotations

from typing import Literal

from vernis.adapters.engines.threads import ThreadEngine
from vernis.domain.ports import Engine

EngineName = Literal["threads", "daft"]


def open_engine(name: EngineName, workers: int | None = None, ray: str = "") -> Engine:
    """Return an engine; ``ray`` is the address of a cluster, for Daft alone."""
    if name == "threads":
        return ThreadEngine(workers)
    from vernis.adapters.engines.daft_engine import DaftEngine

    return DaftEngine(workers, ray)
