"""What every engine promises, whatever runs the work."""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.engines.choice import EngineName, open_engine
from vernis.adapters.files import PictureFiles
from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.probe import Limits
from vernis.domain.errors import InvalidValue, ModelError, StorageError, UnreadableImage
from vernis.domain.ports import Engine
from vernis.domain.types import ImageRecord

MakeEngine = Callable[[int | None], Engine]
ENGINES = [
    "threads",
    "processes",
    pytest.param("daft", marks=pytest.mark.cluster),
    pytest.param("ray", marks=pytest.mark.ray),
]


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MakeEngine:
    """Return what makes an engine of so many workers."""
    if request.param == "processes":  # they import the stages of this file
        monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    if request.param == "ray":
        address = request.getfixturevalue("ray_cluster")
        _need_free_choice()
        _send_stages_by_value()
        return lambda workers: open_engine("daft", workers, address)
    name: EngineName = request.param
    if name == "daft":
        pytest.importorskip("daft", reason='needs the extra "cluster"')
    return lambda workers: open_engine(name, workers)


def _need_free_choice() -> None:
    """Daft lets a process choose once where it runs."""
    import daft
    from daft import runners

    if runners._get_runner() is not None and daft.get_or_infer_runner_type() == "native":
        pytest.skip("Daft runs without a cluster in this process already; alone: pytest -m ray")


def _send_stages_by_value() -> None:
    """The workers of a cluster do not know this file."""
    from daft.pickle import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


@dataclass(frozen=True)
class Doubling:
    """Doubles numbers, refuses those given."""

    refuse: frozenset[int] = frozenset()

    def open(self) -> Callable[[int], int]:
        def work(item: int) -> int:
            if item in self.refuse:
                raise UnreadableImage(f"{item}.jpg", f"cannot double {item}")
            return 2 * item

        return work


@dataclass(frozen=True)
class Unopenable:
    def open(self) -> Callable[[int], int]:
        raise ModelError("weights.onnx: damaged")


@dataclass(frozen=True)
class Unsendable:
    """Its results cannot travel between processes."""

    def open(self) -> Callable[[int], Callable[[], int]]:
        return lambda item: lambda: item


@dataclass(frozen=True)
class Noting:
    """Leaves a file for each time that it is opened."""

    folder: Path

    def open(self) -> Callable[[int], int]:
        (self.folder / uuid.uuid4().hex).touch()
        return lambda item: item


@dataclass(frozen=True)
class Counting:
    """Counts the items that were begun, and waits from the 65th on until it may go on.

    By files: workers may be processes. A cluster returns the results of 64 items together.
    """

    folder: Path

    def open(self) -> Callable[[int], int]:
        def work(item: int) -> int:
            (self.folder / f"{item}.begun").touch()
            deadline = time.monotonic() + 60
            while item >= 64 and not (self.folder / "go on").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return item

        return work

    def count(self) -> int:
        return len(list(self.folder.glob("*.begun")))


@dataclass(frozen=True)
class Decoding:
    """Decodes pictures in processes that may not take more memory than a small one needs."""

    root: Path

    def open(self) -> Callable[[str], tuple[int, ...]]:
        limits = Limits(isolate_above_pixels=0, max_memory_bytes=200 * 2**20)
        files = PictureFiles(self.root, PictureDecoder(min_side=None, limits=limits))
        return lambda name: files.read(ImageRecord(1, name, name, 1, 1)).shape


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("n_items", [0, 1, 300])
def test_every_item_comes_back_once(make: MakeEngine, workers: int, n_items: int) -> None:
    outcomes = list(make(workers).run(Doubling(), iter(range(n_items))))
    assert sorted(one.item for one in outcomes) == list(range(n_items))
    assert all(one.value == 2 * one.item and one.error is None for one in outcomes)


def test_items_beyond_what_is_handed_over_at_a_time_come_back_too(make: MakeEngine) -> None:
    n_items = 9001
    assert sum(one.value or 0 for one in make(2).run(Doubling(), range(n_items))) == (
        n_items * (n_items - 1)
    )


def test_what_an_item_raises_is_its_outcome(make: MakeEngine) -> None:
    outcomes = list(make(2).run(Doubling(frozenset({3, 9})), range(20)))
    errors = {one.item: one.error for one in outcomes if one.error is not None}
    assert sorted(errors) == [3, 9]
    assert isinstance(errors[3], UnreadableImage)
    assert (errors[3].reason, str(errors[3])) == ("cannot double 3", "3.jpg: cannot double 3")
    assert len(outcomes) == 20


def test_a_stage_that_cannot_be_opened_ends_the_run(make: MakeEngine) -> None:
    with pytest.raises(ModelError, match=r"weights\.onnx: damaged"):
        list(make(2).run(Unopenable(), range(20)))


def test_a_stage_is_opened_once_a_worker(make: MakeEngine, tmp_path: Path) -> None:
    assert len(list(make(2).run(Noting(tmp_path), range(300)))) == 300
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


def test_an_error_of_the_items_reaches_the_caller(make: MakeEngine) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("listing failed")

    with pytest.raises(RuntimeError, match="listing failed"):
        list(make(2).run(Doubling(), items()))


def test_closing_early_stops_the_workers(make: MakeEngine, tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    outcomes = make(2).run(counting, range(2000))
    next(outcomes)
    closer = threading.Thread(target=outcomes.close)  # type: ignore[attr-defined]
    # The workers wait in the item that they hold, until the caller has said that it stops.
    closer.start()
    closer.join(timeout=1)
    (tmp_path / "go on").touch()
    closer.join(timeout=60)
    assert not closer.is_alive()
    time.sleep(0.5)  # those of a cluster finish what they hold behind the caller's back
    assert counting.count() <= 100


def test_a_picture_that_kills_its_decoder_costs_itself_alone(
    make: MakeEngine, tmp_path: Path
) -> None:
    for place in range(12):
        Image.new("RGB", (40 + place, 30), (9 * place, 0, 0)).save(tmp_path / f"{place}.png")
    bomb = np.zeros((9000, 9000, 3), np.uint8)
    Image.fromarray(bomb).save(tmp_path / "5.png", compress_level=1)
    names = [f"{place}.png" for place in range(12)]
    outcomes = {one.item: one for one in make(2).run(Decoding(tmp_path), names)}
    assert sorted(outcomes) == sorted(names)
    assert {name for name, one in outcomes.items() if one.error is not None} == {"5.png"}
    assert isinstance(outcomes["5.png"].error, UnreadableImage)
    assert outcomes["11.png"].value == (30, 51, 3)


def test_what_ends_an_engine_is_one_line(make: MakeEngine, request: pytest.FixtureRequest) -> None:
    if "threads" in request.node.name:
        pytest.skip("threads send nothing")
    with pytest.raises(StorageError, match="what was finished is kept"):
        list(make(2).run(Unsendable(), range(20)))


def test_refuses_no_workers(make: MakeEngine) -> None:
    with pytest.raises(InvalidValue, match="got 0"):
        make(0)
