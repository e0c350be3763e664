"""What networks run on: the choice, one line where there is none, batches of several threads."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vernis import Collection
from vernis.adapters.backbones import devices
from vernis.adapters.backbones.devices import (
    CUDA,
    GatheringSession,
    OpenOnCuda,
    available_providers,
    batch_limit,
    choose_device,
)
from vernis.adapters.backbones.onnx_backbone import open_session
from vernis.adapters.backbones.zoo import open_backbone
from vernis.cli.main import main
from vernis.domain.errors import ModelError, UsageError

HAS = ["CUDAExecutionProvider", "CPUExecutionProvider"]
LACKS = ["CPUExecutionProvider"]
TOLERANCE = 0.999
"""Least cosine between the vectors of a picture on two devices; docs/guide/machines.md says it."""


def test_choice_of_a_device() -> None:
    assert choose_device("auto", HAS) == choose_device("cuda", HAS) == "cuda"
    assert choose_device("auto", LACKS) == choose_device("cpu", HAS) == "cpu"
    with pytest.raises(UsageError, match=r"--device cuda: .* \(it has CPU\).*vernis\[cuda\]"):
        choose_device("cuda", LACKS)


def test_without_a_graphics_processor_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "available_providers", lambda: LACKS)
    with Collection.create(tmp_path / "c.vernis") as collection:
        collection.index([tmp_path])
    assert main(["embed", "--device", "cuda", "--quiet"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert "--device cpu" in said


@pytest.mark.parametrize(
    ("bytes_a_picture", "free", "limit"),
    [(600_000, 24 << 30, 256), (600_000, 1 << 30, 16), (600_000, 0, 1), (1 << 40, 1 << 30, 1)],
)
def test_batches_by_memory(bytes_a_picture: int, free: int, limit: int) -> None:
    assert batch_limit(bytes_a_picture, free) == limit


class Fake:
    """A session whose runs are recorded; with ``most`` it has no memory for more pictures."""

    def __init__(self, most: int = 1000, axis: object = "n") -> None:
        self.sizes: list[int] = []
        self.most = most
        self.axis = axis
        self.gate = threading.Event()
        self.gate.set()

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", shape=[self.axis, 3])]

    def run(self, outputs: object, feeds: dict[str, Any]) -> list[Any]:
        self.gate.wait()
        if len(feeds["x"]) > self.most:
            raise RuntimeError("Failed to allocate memory for requested buffer")
        if (feeds["x"] < 0).any():
            raise RuntimeError("no such number")
        self.sizes.append(len(feeds["x"]))
        return [feeds["x"] * 2, feeds["x"].sum(axis=1)]


def ask(session: GatheringSession, values: list[float], errors: list[Exception]) -> list[Any]:
    """Let a thread a value ask the session; returns what each got."""
    found: list[Any] = [None] * len(values)

    def work(place: int) -> None:
        try:
            found[place] = session.run(["a", "b"], {"x": np.full((1, 3), values[place])})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(values))]
    for thread in threads:
        thread.start()
    while len(session._waiting) < len(values) - 1:  # the first one runs, behind the gate
        pass
    session._session.gate.set()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize(("most", "axis"), [(1000, "n"), (3, "n"), (1000, 1)])
def test_every_thread_gets_its_own_part(most: int, axis: object) -> None:
    fake, errors = Fake(most, axis), list[Exception]()
    fake.gate.clear()
    found = ask(GatheringSession(fake, 1 << 30), list(range(12)), errors)
    assert not errors
    for value, (double, total) in enumerate(found):
        assert double.tolist() == [[2 * value] * 3]
        assert total.tolist() == [3 * value]
    assert sum(fake.sizes) == 12
    assert max(fake.sizes) <= (1 if axis == 1 else most)
    if axis == "n" and most > 12:
        assert fake.sizes == [1, 11]  # who came while the first ran is one batch


def test_a_failure_is_told_to_all_of_its_batch_and_the_next_goes_on() -> None:
    fake, errors = Fake(), list[Exception]()
    session = GatheringSession(fake, 1 << 30)
    fake.gate.clear()
    ask(session, [1, -1, 2], errors)
    assert errors
    assert all(str(error) == "no such number" for error in errors)
    assert session.run(None, {"x": np.ones((2, 3))})[1].tolist() == [3, 3]


def test_an_output_that_is_no_list_of_pictures_is_not_cut() -> None:
    fake = Fake()
    fake.run = lambda outputs, feeds: [np.array([7.0, 8.0, 9.0])]  # type: ignore[method-assign]
    session = GatheringSession(fake, 1 << 30)
    assert session.run(None, {"x": np.ones((1, 3))})[0].tolist() == [7, 8, 9]


def test_a_provider_that_does_not_start() -> None:
    model = open_backbone().reader().model
    opened = OpenOnCuda(must=True, open_shared=lambda model, source: (None, False))
    with pytest.raises(ModelError, match="does not start on this machine"):
        opened(model, "net")
    falls_back = OpenOnCuda(must=False, open_shared=lambda model, source: (None, False))
    assert not isinstance(falls_back(model, "net"), GatheringSession)
    copy = pickle.loads(pickle.dumps(OpenOnCuda(must=False)))
    assert copy.must is False


def shared(model: bytes, source: object) -> tuple[Any, bool]:
    """Stand for the graphics processor by a session of the processor."""
    return open_session(model, source), True


def embedded(folder: Path, **options: Any) -> np.ndarray[Any, Any]:
    """Return the vectors of the pictures of a folder, normed."""
    with Collection.create(folder.with_suffix(".vernis")) as collection:
        collection.index([folder])
        collection.embed(**options)
        X = collection.embeddings().to_numpy(np.float64)
    (folder.with_suffix(".vernis")).rename(folder.parent / f"{len(options)}.done")
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of twelve pictures."""
    folder = tmp_path / "p"
    folder.mkdir()
    for seed in range(12):
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).resize((256, 256)).save(folder / f"{seed}.png")
    return folder


def test_batches_of_many_workers_give_the_same_vectors(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = embedded(pictures)
    opened = OpenOnCuda(open_shared=shared, measure_free=lambda: 1 << 30)
    monkeypatch.setattr(devices, "available_providers", lambda: HAS)
    monkeypatch.setattr(devices, "starter", lambda device: opened)
    together = embedded(pictures, device="cuda", workers=6)
    assert len(opened._shared) == 1
    assert (alone * together).sum(axis=1).min() > TOLERANCE


@pytest.mark.skipif(CUDA not in available_providers(), reason="needs an NVIDIA processor and CUDA")
def test_the_graphics_processor_gives_the_same_vectors(pictures: Path) -> None:
    alone, there = embedded(pictures, device="cpu"), embedded(pictures, device="cuda", workers=6)
    assert (alone * there).sum(axis=1).min() > TOLERANCE
