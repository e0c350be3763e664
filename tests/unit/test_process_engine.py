"""What is special about the engine of processes; what it shares, tests/contract/test_engine.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vernis.adapters import helper_process
from vernis.adapters.engines import choice, processes
from vernis.adapters.engines.choice import open_engine
from vernis.adapters.engines.processes import ProcessEngine
from vernis.domain.errors import ModelError, WorkerLost

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@dataclass(frozen=True)
class Dying:
    """Kills its own process on some items: the first time, or each time."""

    folder: Path
    always: frozenset[int] = frozenset()
    once: frozenset[int] = frozenset()

    def open(self) -> Callable[[int], int]:
        def work(item: int) -> int:
            seen = self.folder / f"{item}"
            if item in self.always or (item in self.once and not seen.exists()):
                seen.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return os.getpid()

        return work


@dataclass(frozen=True)
class Where:
    """Says in which process it works."""

    def open(self) -> Callable[[int], int]:
        return lambda item: os.getpid()


@dataclass(frozen=True)
class Waiting:
    """Notes its process and works for two seconds."""

    folder: Path

    def open(self) -> Callable[[int], int]:
        (self.folder / str(os.getpid())).touch()

        def work(item: int) -> int:
            time.sleep(2)
            return item

        return work


def test_an_item_whose_process_is_killed_is_tried_once_more(tmp_path: Path) -> None:
    outcomes = list(ProcessEngine(2).run(Dying(tmp_path, once=frozenset({3, 8})), range(20)))
    assert sorted(one.item for one in outcomes) == list(range(20))
    assert all(one.error is None for one in outcomes)
    assert (tmp_path / "3").exists()
    assert (tmp_path / "8").exists()


def test_an_item_that_kills_its_process_costs_itself_alone(tmp_path: Path) -> None:
    outcomes = list(ProcessEngine(2).run(Dying(tmp_path, always=frozenset({5})), range(20)))
    errors = {one.item: one.error for one in outcomes if one.error is not None}
    assert list(errors) == [5]
    assert isinstance(errors[5], WorkerLost)
    assert str(errors[5]) == "the process that worked on it ended twice (out of memory?)"
    assert len(outcomes) == 20


def test_the_work_is_done_in_other_processes_at_most_as_many_as_workers() -> None:
    places = {one.value for one in ProcessEngine(2).run(Where(), range(50))}
    assert os.getpid() not in places
    assert 1 <= len(places) <= 2


def test_where_no_process_can_be_started_threads_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(helper_process.sys, "executable", "/nowhere/python")
    places = {one.value for one in ProcessEngine(2).run(Where(), range(5))}
    assert places == {os.getpid()}


def test_that_no_process_can_be_started_is_found_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    def fail(module: str) -> subprocess.Popen[bytes]:
        tries.append(module)
        raise OSError

    monkeypatch.setattr(processes, "start_helper", fail)
    assert len(list(ProcessEngine(1).run(Where(), range(50)))) == 50
    assert len(tries) == 1


def test_what_opening_raises_ends_the_run_without_processes_too() -> None:
    class Unopenable:
        def open(self) -> Callable[[int], int]:
            raise ModelError("weights.onnx: damaged")

    with pytest.raises(ModelError, match="damaged"):
        list(ProcessEngine(2).run(Unopenable(), range(20)))


def test_few_items_and_stages_that_cannot_be_sent_stay_on_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "_memory", lambda: 1e12)
    auto = open_engine("auto", 2, short_steps=True)
    assert {one.value for one in auto.run(Where(), range(20))} == {os.getpid()}
    assert os.getpid() not in {one.value for one in auto.run(Where(), range(400))}

    class Local:
        def open(self) -> Callable[[int], int]:
            return lambda item: os.getpid()

    assert {one.value for one in ProcessEngine(2).run(Local(), range(9))} == {os.getpid()}


def test_where_memory_is_short_threads_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = open_engine("auto", 2, short_steps=True)
    monkeypatch.setattr(choice, "_memory", lambda: 1e9)
    assert {one.value for one in auto.run(Where(), range(400))} == {os.getpid()}
    monkeypatch.setattr(choice, "_memory", lambda: 2e9)
    assert os.getpid() not in {one.value for one in auto.run(Where(), range(400))}


def test_the_memory_of_this_machine_is_found() -> None:
    assert choice._memory() > 1e8


def test_the_stage_of_a_script_is_worked_on_by_threads() -> None:
    script = (
        "import os\n"
        "from vernis.adapters.engines.processes import ProcessEngine\n"
        "class Here:\n"
        "    def open(self):\n"
        "        return lambda item: os.getpid()\n"
        "places = {one.value for one in ProcessEngine(2).run(Here(), range(9))}\n"
        "print(places == {os.getpid()})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def test_long_steps_and_one_worker_stay_on_threads() -> None:
    for auto in (open_engine("auto", 2), open_engine("auto", 1, short_steps=True)):
        assert {one.value for one in auto.run(Where(), range(400))} == {os.getpid()}


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes by their number")
def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = (
        "from tests.unit.test_process_engine import *\n"
        f"list(ProcessEngine(2).run(Waiting(Path({str(tmp_path)!r})), range(4)))\n"
    )
    search = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": search}
    )
    deadline = time.monotonic() + 60
    while len(started := list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    numbers = [int(path.name) for path in started]
    assert len(numbers) == 2
    for number in numbers:
        while _is_alive(number):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _is_alive(number: int) -> bool:
    try:
        status = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return status != "Z"
