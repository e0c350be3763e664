"""Progress on standard error: bars on a terminal, one line a finished task elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

_FEW_STEPS = 10
_AN_INSTANT = 0.1  # seconds
_A_MINUTE = 60.0


class ProgressLines:
    """One line for each finished task, and one a minute of a long one, for logs and pipes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None:
        """Report progress, as ``vernis.domain.ports.Progress``."""
        now = self._clock()
        start = self._started.setdefault(task, now)
        seconds = now - start
        if total is None or done < total:
            if now - self._said.setdefault(task, now) >= _A_MINUTE:
                self._said[task] = now
                of_all = f" of {total:,}" if total else ""
                left = (
                    f", about {_minutes(seconds / done * (total - done))} left"
                    if total and done
                    else ""
                )
                say_line(f"{task:<32} {seconds:6.0f} s  {done:,}{of_all}{left}")
            return
        self._said.pop(task, None)
        # A handful of steps, or an instant, is no rate worth telling.
        amount = f"  {done:,}" if total > _FEW_STEPS else ""
        if amount and seconds > _AN_INSTANT:
            amount += f" ({done / seconds:,.0f}/s)"
        tail = f"  {note}" if note else ""
        say_line(f"{task:<32} {seconds:6.1f} s{amount}{tail}")
        del self._started[task]


def say_line(text: str) -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


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
