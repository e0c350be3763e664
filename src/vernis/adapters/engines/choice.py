"""Which engine runs work on many pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeVar

from vernis.adapters.engines.threads import ThreadEngine
from vernis.core.numeric.threads import count_cores
from vernis.domain.ports import Engine, Outcome, Stage

EngineName = Literal["auto", "threads", "processes", "daft"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_MANY = 400
"""Items from which processes have made up for their start, of pictures that are measured."""
_PROCESS_BYTES = 200 * 2**20
"""What a process takes: an interpreter, ONNX Runtime with a small network, a picture."""
_SHARE = 0.25  # of the memory that all of them may take


def open_engine(
    name: EngineName, workers: int | None = None, ray: str = "", *, short_steps: bool = False
) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : {'auto', 'threads', 'processes', 'daft'}
    workers : int, optional
        Default: one a core.
    ray : str
        The address of a cluster, for Daft alone.
    short_steps : bool
        The work takes many short steps in Python, by which threads hold one another up: what
        ``auto`` decides by.
    """
    if name == "daft":
        from vernis.adapters.engines.daft_engine import DaftEngine

        return DaftEngine(workers, ray)
    if name == "processes":
        from vernis.adapters.engines.processes import ProcessEngine

        return ProcessEngine(workers)
    return _Auto(workers) if name == "auto" and short_steps else ThreadEngine(workers)


@dataclass(frozen=True, slots=True)
class _Auto:
    """Processes for many items on several cores with the memory for them; else threads."""

    workers: int | None

    def run(
        self, stage: Stage[Item, Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield the outcome of each item, in order of completion."""
        from vernis.adapters.engines.processes import ProcessEngine

        source = iter(items)
        first = list(islice(source, _MANY))
        workers = self.workers or count_cores()
        room = workers * _PROCESS_BYTES <= _SHARE * _memory()
        if workers > 1 and room and len(first) == _MANY:
            return ProcessEngine(self.workers).run(stage, chain(first, source))
        return ThreadEngine(self.workers).run(stage, chain(first, source))


def _memory() -> float:
    """Return the bytes of memory of this machine, or of its container; unknown: plenty."""
    try:
        installed = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows
        return math.inf
    try:
        limit = float(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no container, or "max"
        return installed
    return min(installed, limit)
