"""What every engine promises, whatever runs the work."""

from __future__ import annotations

import threading
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
from vernis.domain.errors import InvalidValue, ModelError, UnreadableImage
from vernis.domain.ports import Engine
from vernis.domain.types import ImageRecord

MakeEngine = Callable[[int | None], Engine]
ENGINES = ["threads", pytest.param("daft", marks=pytest.mark.cluster)]


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest) -> MakeEngine:
    """Return what makes an engine of so many workers."""
    name: EngineName = request.param
    if name == "daft":
        pytest.importorskip("daft", reason='needs the extra "cluster"')
    return lambda workers: open_engine(name, workers)


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


_BEGUN = threading.Semaphore(0)
_GO_ON = threading.Event()


@dataclass(frozen=True)
class Counting:
    """Counts the items that were begun, and waits from the tenth on until it may go on."""

    def open(self) -> Callable[[int], int]:
        def work(item: int) -> int:
            _BEGUN.release()
            if item >= 10:
                assert _GO_ON.wait(60)
            return item

        return work


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


def test_an_error_of_the_items_reaches_the_caller(make: MakeEngine) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("listing failed")

    with pytest.raises(RuntimeError, match="listing failed"):
        list(make(2).run(Doubling(), items()))


def test_closing_early_stops_the_workers(make: MakeEngine) -> None:
    _GO_ON.clear()
    while _BEGUN.acquire(blocking=False):
        pass
    outcomes = make(2).run(Counting(), range(2000))
    next(outcomes)
    closer = threading.Thread(target=outcomes.close)  # type: ignore[attr-defined]
    # The workers wait in the item that they hold, until the caller has said that it stops.
    closer.start()
    closer.join(timeout=1)
    _GO_ON.set()
    closer.join(timeout=60)
    assert not closer.is_alive()
    begun = 0
    while _BEGUN.acquire(blocking=False):
        begun += 1
    assert begun <= 100


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


def test_refuses_no_workers(make: MakeEngine) -> None:
    with pytest.raises(InvalidValue, match="got 0"):
        make(0)
