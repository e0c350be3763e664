"""Progress on standard error: bars on a terminal, one line a finished task elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

_FEW_STEPS = 10
_AN_INSTANT = 0.1  # seconds


class ProgressLines:
    """One line for each finished task, for logs and pipes."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None:
        """Report progress, as ``vernis.domain.ports.Progress``."""
        start = self._started.setdefault(task, time.monotonic())
        if total is None or done < total:
            return
        seconds = time.monotonic() - start
        # A handful of steps, or an instant, is no rate worth telling.
        amount = f"  {done:,}" if total > _FEW_STEPS else ""
        if amount and seconds > _AN_INSTANT:
            amount += f" ({done / seconds:,.0f}/s)"
        tail = f"  {note}" if note else ""
        print(f"{task:<32} {seconds:6.1f} s{amount}{tail}", file=sys.stderr, flush=True)
        del self._started[task]


class ProgressBars:
    """Bars with rate and time left, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the finished bars on the screen."""
        self._bars.stop()

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None:
        """Report progress, as ``vernis.domain.ports.Progress``."""
        if task not in self._tasks or self._bars.tasks[self._tasks[task]].finished:
            self._tasks[task] = self._bars.add_task(task, total=total, note=note, rate="")
        bar = self._tasks[task]
        speed = self._bars.tasks[bar].speed
        rate = f"{speed:,.0f}/s" if speed else ""
        self._bars.update(bar, completed=done, total=total, note=note, rate=rate)


class NoProgress:
    """Says nothing (``--quiet``)."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None:
        """Ignore progress."""


ProgressDisplay = ProgressBars | ProgressLines | NoProgress


def choose_progress(quiet: bool) -> ProgressDisplay:
    """Return bars on a terminal, lines elsewhere, nothing with ``--quiet``."""
    if quiet:
        return NoProgress()
    return ProgressBars() if sys.stderr.isatty() else ProgressLines()
