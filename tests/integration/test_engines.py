"""Whatever runs the work, the collection holds the same afterwards."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.domain.errors import MissingExtra, UsageError
from vernis.domain.types import hash_texts


def draw_pictures(folder: Path) -> Path:
    """Draw 24 pictures of discs and bars on noise, some with a word, and one broken file."""
    rng = np.random.default_rng(4)
    for number in range(24):
        kind = ("disc", "bar")[number % 2]
        ground = rng.integers(90, 160, (12, 16, 3), dtype=np.uint8)
        picture = Image.fromarray(ground).resize((320, 240), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(picture)
        x, y = rng.integers(40, 180, 2).tolist()
        if kind == "disc":
            pen.ellipse((x, y, x + 50, y + 50), fill=(200, 30, 40))
        else:
            pen.rectangle((x, y, x + 90, y + 16), fill=(20, 60, 200))
        if number % 5 == 0:
            pen.text((20, 12), f"KELVARA {number}", fill=(0, 0, 0), font_size=26)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        picture.save(folder / kind / f"{number:02}.png")
    (folder / "disc" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


@dataclass(frozen=True)
class Held:
    """What a collection holds of its pictures."""

    images: list[tuple[Any, ...]]
    vectors: dict[str, str]
    readings: dict[str, tuple[str, ...]]
    regions: int
    predicted: Mapping[str, list[Any]]


def work_through(pictures: Path, home: Path, engine: Any) -> Held:
    """Do every step that works on pictures with one engine."""
    with vernis.Collection.create(home) as collection:
        collection.index(pictures, classes_from="folders", engine=engine)
        collection.embed(engine=engine)
        collection.quality()
        collection.read(engine=engine)
        collection.detect(engine=engine)
        (taxonomy,) = collection.session.worked_on()
        collection.learn(taxonomy.name)
        collection.locate(taxonomy.name, sizes=(256,), engine=engine)
        named = [pictures / "disc" / "00.png", pictures / "bar" / "01.png"]
        predicted = collection.predict(taxonomy.name, named, engine=engine)
        return _held(collection, predicted.to_dict("list"))


def _held(collection: vernis.Collection, predicted: Any) -> Held:
    catalog = collection.session.catalog
    images = catalog.images.all(("present", "unreadable"))
    vectors = {}
    for space, count in catalog.vectors.spaces():
        hashes = np.unique(collection.session.table().hashes)
        hashes = hashes[catalog.vectors.holds(space, hashes)]
        data = catalog.vectors.read(space, hash_texts(hashes))
        vectors[f"{space.name} {count}"] = hashlib.sha256(data.tobytes()).hexdigest()
    return Held(
        images=[(one.uri, one.content_hash, one.width, one.state, one.reason) for one in images],
        vectors=vectors,
        readings=dict(collection.session.text_lines()),
        regions=len(catalog.regions.table()),
        predicted=predicted,
    )


@pytest.mark.parametrize("engine", ["processes", pytest.param("daft", marks=pytest.mark.cluster)])
def test_every_step_on_pictures_ends_the_same_on_every_engine(tmp_path: Path, engine: str) -> None:
    if engine == "daft":
        pytest.importorskip("daft", reason='needs the extra "cluster"')
    pictures = draw_pictures(tmp_path / "pictures")
    threads = work_through(pictures, tmp_path / "threads.vernis", "threads")
    other = work_through(pictures, tmp_path / "other.vernis", engine)
    assert threads == other
    assert len(threads.images) == 25
    assert sum(state == "unreadable" for _, _, _, state, _ in threads.images) == 1
    assert any("KELVARA" in line for lines in threads.readings.values() for line in lines)
    assert threads.regions > 0
    assert threads.predicted["label"] == ["disc", "bar"]


COUNTED = """
import os, sys
from vernis.cli.main import main
from vernis.verbs.networks import embedding

LOG = sys.argv.pop(1)


class Counted(embedding.PictureStage):
    def open(self):
        work = super().open()

        def counted(task):
            with open(LOG, "a") as log:
                log.write(f"{os.getpid()} {task.image.uri}\\n")
            return work(task)

        return counted


embedding.PictureStage = Counted
embedding._SHARD_ROWS = 8
sys.exit(main(sys.argv[1:]))
"""
"""The command line, writing down each picture that a worker begins; a shard has 8 rows."""
N_SMALL = 160
HELD = 8 + 2 * 8
"""Pictures of which a kill may take the work: a shard that is not full, and what two workers of
this machine were handed."""
HELD_ON_CLUSTER = 8 + 2 * 64


class Embedding:
    """One ``vernis embed`` in a process of its own, and the pictures that it began."""

    def __init__(self, home: Path, log: Path, engine: list[str]) -> None:
        self._log, self._before = log, len(log.read_text().splitlines()) if log.exists() else 0
        command = [sys.executable, "-c", COUNTED, str(log), "embed", "--collection", str(home)]
        self.process = subprocess.Popen([*command, "--workers", "2", "--quiet", "--json", *engine])

    def begun(self) -> list[tuple[int, str]]:
        """Return the process and the picture, of each time that one was begun."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        whole = [line.split(" ", 1) for line in lines[self._before :]]
        return [(int(words[0]), words[1]) for words in whole]

    def wait_for(self, pictures: int) -> None:
        """Wait until so many pictures were begun, or the process ends."""
        while self.process.poll() is None and len(self.begun()) < pictures:
            time.sleep(0.01)


def recorded(home: Path) -> set[str]:
    """Return the pictures whose vectors the collection holds in every space."""
    with vernis.Collection.open(home) as collection:
        table, catalog = collection.session.table(), collection.session.catalog
        held = np.ones(len(table.hashes), bool)
        spaces = catalog.vectors.spaces()
        for space, count in spaces:
            rows = catalog.vectors.holds(space, table.hashes)
            assert rows.sum() == count  # each picture once
            held &= rows
        names = [image.uri for image in collection.session.images()]
    return {name for name, there in zip(names, held.tolist(), strict=True) if there and spaces}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Held]:
    """Draw 160 small pictures; returns their folder and what `embed` makes of them on threads."""
    folder = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(6)
    (folder / "pictures").mkdir()
    for number in range(N_SMALL):
        pixels = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC)
        picture.save(folder / "pictures" / f"{number:03}.png")
    with vernis.Collection.create(folder / "plain.vernis") as collection:
        collection.index(folder / "pictures", classes_from="none")
        collection.embed()
        return folder / "pictures", _held(collection, {})


@pytest.fixture(
    params=[
        pytest.param("daft", marks=pytest.mark.cluster),
        pytest.param("ray", marks=pytest.mark.ray),
    ]
)
def engine(request: pytest.FixtureRequest) -> list[str]:
    """Return the options of the command line that choose the engine."""
    if request.param == "ray":
        return ["--engine", "daft", "--ray", request.getfixturevalue("ray_cluster")]
    pytest.importorskip("daft", reason='needs the extra "cluster"')
    return ["--engine", "daft"]


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not of Windows")
def test_a_run_that_is_killed_goes_on_and_repeats_what_its_workers_held(
    small: tuple[Path, Held], engine: list[str], tmp_path: Path
) -> None:
    pictures, plain = small
    home, log = tmp_path / "killed.vernis", tmp_path / "begun"
    with vernis.Collection.create(home) as collection:
        collection.index(pictures, classes_from="none")
    rng = random.Random(os.environ.get("VERNIS_SEED", "3"))
    bound = HELD_ON_CLUSTER if "--ray" in engine else HELD
    before: set[str] = set()
    for _ in range(int(os.environ.get("VERNIS_KILLS", "2"))):
        run = Embedding(home, log, engine)
        run.wait_for(rng.randint(0, max(0, N_SMALL - len(before) - 10)))
        time.sleep(rng.uniform(0, 0.1))
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        after, begun = recorded(home), [name for _, name in run.begun()]
        assert before <= after
        assert before.isdisjoint(begun)  # what is recorded is not done again
        assert len(begun) - len(after - before) <= bound
        before = after
    last = Embedding(home, log, engine)
    assert last.process.wait() == 0
    assert sorted(name for _, name in last.begun()) == sorted(
        name.name for name in pictures.iterdir() if name.name not in before
    )
    with vernis.Collection.open(home) as collection:
        assert _held(collection, {}) == plain


@pytest.mark.ray
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not of Windows")
def test_a_worker_of_a_cluster_that_is_killed_costs_the_part_that_it_held(
    small: tuple[Path, Held], ray_cluster: str, tmp_path: Path
) -> None:
    pictures, plain = small
    rng = random.Random(os.environ.get("VERNIS_SEED", "3"))
    for number in range(int(os.environ.get("VERNIS_KILLS", "1"))):
        home, log = tmp_path / f"{number}.vernis", tmp_path / f"{number} begun"
        with vernis.Collection.create(home) as collection:
            collection.index(pictures, classes_from="none")
        run = Embedding(home, log, ["--engine", "daft", "--ray", ray_cluster])
        run.wait_for(rng.randint(1, N_SMALL - 10))
        time.sleep(rng.uniform(0, 0.1))
        workers = sorted({worker for worker, _ in run.begun()})
        assert run.process.pid not in workers
        os.kill(rng.choice(workers), signal.SIGKILL)
        assert run.process.wait() == 0
        begun = [name for _, name in run.begun()]
        assert set(begun) == {name.name for name in pictures.iterdir()}
        assert len(begun) - N_SMALL <= 64
        with vernis.Collection.open(home) as collection:
            assert _held(collection, {}) == plain


def test_an_address_of_a_cluster_needs_the_engine_that_uses_it(tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures")
    with (
        vernis.Collection.create(tmp_path / "c.vernis") as collection,
        pytest.raises(UsageError, match="name that engine too"),
    ):
        collection.index(pictures, ray="auto")


def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = draw_pictures(tmp_path / "pictures")
    monkeypatch.setitem(__import__("sys").modules, "daft", None)
    with (
        vernis.Collection.create(tmp_path / "c.vernis") as collection,
        pytest.raises(MissingExtra, match=r"vernis\[cluster\]"),
    ):
        collection.index(pictures, engine="daft")
