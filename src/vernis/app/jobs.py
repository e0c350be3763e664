"""Jobs: verbs that take long, one at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from vernis.domain.errors import NotFound, UsageError

JobState = Literal["waiting", "running", "done", "failed", "stopped"]
ENDED: tuple[JobState, ...] = ("done", "failed", "stopped")

_LOG = 400  # lines of a job that are kept
_PATIENCE = 10.0  # seconds that a job has to stop by itself
_KEPT = 200  # ended jobs that are listed


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far one task of a job is."""

    task: str
    done: int
    total: Annotated[int | None, "null: not known"]
    note: str
    seconds: Annotated[float, "since it began"]
    left: Annotated[float | None, "seconds that it will still take; null: not known"]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is listed."""

    id: int
    verb: str
    settings: Mapping[str, Any]
    by: Annotated[str, "who wanted it"]
    state: JobState
    created: Annotated[str, "UTC"]
    started: Annotated[str | None, "UTC"]
    ended: Annotated[str | None, "UTC"]
    tasks: tuple[TaskProgress, ...]
    error: Annotated[str, "why it failed"]


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A job with what it said and what came of it."""

    job: JobRow
    log: tuple[str, ...]
    result: Annotated[Any, "what the verb prints with --json; null before it is done"]


@dataclass
class _Task:
    done: int = 0
    total: int | None = None
    note: str = ""
    began: float = 0.0
    seen: float = 0.0


@dataclass
class _Job:
    id: int
    verb: str
    settings: Mapping[str, Any]
    by: str
    state: JobState = "waiting"
    created: str = ""
    started: str | None = None
    ended: str | None = None
    error: str = ""
    result: Any = None
    tasks: dict[str, _Task] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG))
    process: subprocess.Popen[str] | None = None
    over: threading.Event = field(default_factory=threading.Event)


class JobQueue:
    """Runs jobs one after another. Threads may share it.

    Parameters
    ----------
    collection : Path
    publish : callable
        Called with the kind of event (``job``, ``progress``) and the row of the job.
    """

    def __init__(self, collection: Path, publish: Callable[[str, Any], None]) -> None:
        self._collection = collection
        self._publish = publish
        self._lock = threading.Condition()
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ asking

    def add(self, verb: str, settings: Mapping[str, Any], *, by: str) -> JobRow:
        """Put a job at the end of the queue; the same one that waits already is not put twice."""
        with self._lock:
            if self._closed:
                raise UsageError("the server is stopping; no job is taken any more")
            for known in self._waiting:
                if (known.verb, known.settings) == (verb, settings):
                    return _row(known)
            job = _Job(max(self._jobs, default=0) + 1, verb, dict(settings), by, created=_now())
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
            self._lock.notify_all()
            row = _row(job)
        self._publish("job", row)
        return row

    def rows(self) -> tuple[JobRow, ...]:
        """Return the jobs, newest first."""
        with self._lock:
            return tuple(_row(job) for _, job in sorted(self._jobs.items(), reverse=True))

    def detail(self, number: int) -> JobDetail:
        """Return one job with its log and result; raises NotFound."""
        with self._lock:
            job = self._find(number)
            return JobDetail(_row(job), tuple(job.log), job.result)

    def wait(self, number: int, seconds: float) -> JobDetail:
        """Return a job as soon as it has ended, or after some seconds as it is then."""
        with self._lock:
            over = self._find(number).over
        over.wait(seconds)
        return self.detail(number)

    def stop(self, number: int) -> JobRow:
        """Stop a job; one that has ended stays as it is. Raises NotFound."""
        with self._lock:
            job = self._find(number)
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, "stopped")
            elif job.state == "running":
                job.state = "stopped"
                if job.process is not None:
                    threading.Thread(target=_end, args=(job.process,), daemon=True).start()
            row = _row(job)
        self._publish("job", row)
        return row

    def close(self) -> None:
        """Stop what runs and take nothing more; finished work is kept."""
        with self._lock:
            self._closed = True
            waiting, thread = list(self._waiting), self._thread
            running = [job.id for job in self._jobs.values() if job.state == "running"]
            self._lock.notify_all()
        for number in [job.id for job in waiting] + running:
            self.stop(number)
        if thread is not None:
            thread.join(_PATIENCE + 2)

    def _find(self, number: int) -> _Job:
        if number not in self._jobs:
            raise NotFound(f"there is no job {number}")
        return self._jobs[number]

    def _forget(self) -> None:
        ended = [number for number, job in self._jobs.items() if job.state in ENDED]
        for number in ended[:-_KEPT]:
            del self._jobs[number]

    # ------------------------------------------------------------------ working

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._waiting and not self._closed:
                    self._lock.wait()
                if self._closed:
                    return
                job = self._waiting.popleft()
                job.state, job.started = "running", _now()
                try:
                    job.process = self._start(job)
                except OSError as error:
                    job.error = f"the job could not be started ({error})"
                    self._end(job, "failed")
            self._publish("job", _row(job))
            if job.process is not None:
                self._follow(job, job.process)
                self._publish("job", _row(job))

    def _start(self, job: _Job) -> subprocess.Popen[str]:
        # The child's decisions bear the name of whoever asked for the job.
        environment = {**os.environ, "LOGNAME": job.by, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vernis.app.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
        order = {
            "verb": job.verb,
            "settings": dict(job.settings),
            "collection": str(self._collection.absolute()),
        }
        assert process.stdin is not None
        process.stdin.write(f"{json.dumps(order)}\n")
        process.stdin.flush()
        return process

    def _follow(self, job: _Job, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        complaints = threading.Thread(target=self._listen, args=(job, process.stderr), daemon=True)
        complaints.start()
        for line in process.stdout:
            try:
                told = json.loads(line)
            except json.JSONDecodeError:
                continue
            self._take(job, told)
        code = process.wait()
        complaints.join(2)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        with self._lock:
            if job.state == "running":
                if code and not job.error:
                    job.error = (job.log[-1] if job.log else "") or f"the job ended with {code}"
                self._end(job, "failed" if job.error else "done")
            else:
                self._end(job, job.state)

    def _listen(self, job: _Job, stream: Any) -> None:
        for line in stream:
            with self._lock:
                job.log.append(line.rstrip("\n"))

    def _take(self, job: _Job, told: Mapping[str, Any]) -> None:
        with self._lock:
            kind = told["kind"]
            if kind == "progress":
                now = time.monotonic()
                task = job.tasks.setdefault(told["task"], _Task(began=now))
                task.done, task.total, task.note = told["done"], told["total"], told["note"]
                task.seen = now
            elif kind == "note":
                job.log.append(told["text"])
            elif kind == "failed":
                job.error = told["error"]
            elif kind == "done":
                job.result = told["result"]
            row = _row(job)
        if kind == "progress":
            self._publish("progress", row)

    def _end(self, job: _Job, state: JobState) -> None:
        job.state, job.ended, job.process = state, _now(), None
        job.over.set()


def _end(process: subprocess.Popen[str]) -> None:
    """End a process: asked first, as Ctrl-C does, then made."""
    import signal

    process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _row(job: _Job) -> JobRow:
    return JobRow(
        id=job.id,
        verb=job.verb,
        settings=job.settings,
        by=job.by,
        state=job.state,
        created=job.created,
        started=job.started,
        ended=job.ended,
        tasks=tuple(_told(name, task) for name, task in job.tasks.items()),
        error=job.error,
    )


def _told(name: str, task: _Task) -> TaskProgress:
    seconds = task.seen - task.began
    left = None
    if task.total and task.done and seconds > 0.5:
        left = round(seconds / task.done * max(0, task.total - task.done), 1)
    return TaskProgress(name, task.done, task.total, task.note, round(seconds, 1), left)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
