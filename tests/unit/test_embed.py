"""The embed workflow on fakes: each picture read once, resumable, bad pictures set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from vernis.domain.errors import ModelError, UnreadableImage
from vernis.domain.ports import Catalog, Decoded, Pixels, Progress, silent
from vernis.domain.types import ImageRecord, Space
from vernis.session.files import ExaminePicture, Files
from vernis.session.session import Session
from vernis.verbs.networks import embedding as embed
from vernis.verbs.networks.embedding import EmbedSummary, embed_images


@dataclass
class FakeImages:
    records: dict[int, ImageRecord]
    states: dict[int, tuple[str, str]] = field(default_factory=dict)

    def all(self, states: Sequence[str] = ("present",)) -> list[ImageRecord]:
        return [r for r in self.records.values() if r.id not in self.states]

    def set_state(self, ids: Sequence[int], state: str, reason: str = "") -> None:
        self.states.update(dict.fromkeys(ids, (state, reason)))


@dataclass
class FakeVectors:
    stored: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    shards: list[int] = field(default_factory=list)

    def missing(self, space: Space, hashes: Sequence[str]) -> list[str]:
        return [h for h in hashes if h not in self.stored.get(space.name, {})]

    def append(self, space: Space, hashes: Sequence[str], vectors: NDArray[Any]) -> None:
        assert vectors.shape == (len(hashes), space.dim)
        self.shards.append(len(hashes))
        self.stored.setdefault(space.name, {}).update(zip(hashes, vectors, strict=True))


@dataclass(frozen=True)
class MeanReader:
    """The mean colour, times a factor."""

    name: str
    factor: int = 1

    @property
    def space(self) -> Space:
        return Space(self.name, 3, "float32")

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        return lambda pixels: pixels.mean(axis=(0, 1)).astype(np.float32) * self.factor


class Reading:
    """Gives each image a flat colour of its id, and counts how often it was read."""

    def __init__(self, broken: Mapping[int, Exception] | None = None) -> None:
        self.broken = broken or {}
        self.read: list[int] = []

    def __call__(self, image: ImageRecord) -> Pixels:
        self.read.append(image.id)
        if image.id in self.broken:
            raise self.broken[image.id]
        return np.full((4, 4, 3), image.id, np.uint8)


def make_catalog(n_images: int, twins: Mapping[int, int] | None = None) -> Any:
    """Images 1..n; `twins` maps an image to the one whose bytes it shares."""
    same = twins or {}
    records = {
        i: ImageRecord(i, f"{i}.jpg", f"hash{same.get(i, i)}", 10, 0)
        for i in range(1, n_images + 1)
    }
    return SimpleNamespace(
        images=FakeImages(records), vectors=FakeVectors(), transaction=contextlib.nullcontext
    )


class FakeFiles(Files):
    """Files whose pictures are those of ``reading``."""

    def __init__(self, session: Session, reading: Reading) -> None:
        super().__init__(session)
        self._reading = reading

    def examined_pictures(self, root: Path | None = None) -> ExaminePicture:
        return lambda image: Decoded(self._reading(image))


class FakeSession(Session):
    """A session over fakes, whose pictures are those of ``reading``."""

    def __init__(self, catalog: Any, reading: Reading, progress: Progress = silent) -> None:
        super().__init__(cast(Catalog, catalog), progress=progress)
        self.files = FakeFiles(self, reading)

    def images(self, *states: str) -> Sequence[ImageRecord]:
        return self.catalog.images.all()


def run(
    catalog: Any, reading: Reading, *readers: MeanReader, progress: Progress = silent
) -> EmbedSummary:
    session = FakeSession(catalog, reading, progress)
    return embed_images(session, readers or (MeanReader("a"), MeanReader("b", 2)), workers=2)


def test_each_picture_is_read_once_for_all_readers() -> None:
    catalog, reading = make_catalog(20), Reading()
    summary = run(catalog, reading)
    assert sorted(reading.read) == list(range(1, 21))
    assert summary.computed == summary.images == 20
    assert summary.spaces == {"a": 20, "b": 20}
    for i in range(1, 21):
        np.testing.assert_array_equal(catalog.vectors.stored["b"][f"hash{i}"], [2 * i] * 3)


def test_a_second_run_computes_only_what_is_missing() -> None:
    catalog = make_catalog(6)
    run(catalog, Reading(), MeanReader("a"))
    again = Reading()
    assert run(catalog, again, MeanReader("a")).computed == 0
    assert again.read == []
    summary = run(catalog, again, MeanReader("a"), MeanReader("b"))
    assert len(again.read) == 6
    assert summary.spaces == {"a": 0, "b": 6}


def test_images_with_the_same_bytes_are_read_once() -> None:
    catalog, reading = make_catalog(5, twins={4: 2, 5: 2}), Reading()
    summary = run(catalog, reading)
    assert sorted(reading.read) == [1, 2, 3]
    assert summary.images == 3


def test_bad_pictures_are_set_aside_with_the_reason() -> None:
    catalog = make_catalog(6, twins={6: 2})
    reading = Reading({2: UnreadableImage("2.jpg", "truncated"), 4: OSError(5, "Input error")})
    summary = run(catalog, reading)
    assert catalog.images.states == {
        2: ("unreadable", "truncated"),
        6: ("unreadable", "truncated"),
        4: ("unreadable", "Input error"),
    }
    assert summary.failed == {"2.jpg": "truncated", "6.jpg": "truncated", "4.jpg": "Input error"}
    assert summary.computed == 3
    assert sorted(catalog.vectors.stored["a"]) == ["hash1", "hash3", "hash5"]


def test_a_broken_model_ends_the_run_and_blames_no_picture() -> None:
    catalog = make_catalog(6)
    with pytest.raises(ModelError, match="damaged"):
        run(catalog, Reading({3: ModelError("x.onnx: damaged")}))
    assert catalog.images.states == {}


def test_an_interrupted_run_keeps_what_it_computed() -> None:
    catalog = make_catalog(100)

    def interrupt(task: str, done: int, total: int | None, note: str = "") -> None:
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(catalog, Reading(), progress=interrupt)
    kept = len(catalog.vectors.stored["a"])
    assert kept == 30
    rest = Reading()
    run(catalog, rest)
    assert len(rest.read) == 100 - kept


def test_shards_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_SHARD_ROWS", 8)
    catalog = make_catalog(50)
    run(catalog, Reading(), MeanReader("a"))
    assert max(catalog.vectors.shards) == 8
    assert sum(catalog.vectors.shards) == 50


def test_shards_of_long_vectors_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_SHARD_BYTES", 5 * 12)  # a vector of three float32 takes 12
    catalog = make_catalog(50)
    run(catalog, Reading(), MeanReader("a"))
    assert max(catalog.vectors.shards) == 5
    assert sum(catalog.vectors.shards) == 50


def test_progress_counts_to_the_total() -> None:
    seen: list[tuple[int, int | None]] = []

    def note(task: str, done: int, total: int | None, note: str = "") -> None:
        seen.append((done, total))

    run(make_catalog(5), Reading(), progress=note)
    assert seen == [(i, 5) for i in range(6)]


def test_the_thread_count_changes_nothing() -> None:
    def vectors(workers: int) -> Iterator[NDArray[Any]]:
        catalog = make_catalog(40)
        session = FakeSession(catalog, Reading())
        embed_images(session, [MeanReader("a")], workers=workers)
        return iter([catalog.vectors.stored["a"][f"hash{i}"] for i in range(1, 41)])

    for one, many in zip(vectors(1), vectors(5), strict=True):
        np.testing.assert_array_equal(one, many)
