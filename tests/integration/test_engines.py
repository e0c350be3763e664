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


@pytest.mark.cluster
def test_every_step_on_pictures_ends_the_same_on_daft(tmp_path: Path) -> None:
    pytest.importorskip("daft", reason='needs the extra "cluster"')
    pictures = draw_pictures(tmp_path / "pictures")
    threads = work_through(pictures, tmp_path / "threads.vernis", "threads")
    daft = work_through(pictures, tmp_path / "daft.vernis", "daft")
    assert threads == daft
    assert len(threads.images) == 25
    assert sum(state == "unreadable" for _, _, _, state, _ in threads.images) == 1
    assert any("KELVARA" in line for lines in threads.readings.values() for line in lines)
    assert threads.regions > 0
    assert threads.predicted["label"] == ["disc", "bar"]


@pytest.mark.cluster
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not of Windows")
def test_a_run_on_daft_that_is_killed_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("daft", reason='needs the extra "cluster"')
    pictures = draw_pictures(tmp_path / "pictures")
    homes = [tmp_path / "killed.vernis", tmp_path / "plain.vernis"]
    for home in homes:
        with vernis.Collection.create(home) as collection:
            collection.index(pictures, classes_from="none")
    rng = random.Random(os.environ.get("VERNIS_SEED", "3"))
    command = [sys.executable, "-m", "vernis", "embed", "--engine", "daft", "--quiet"]
    command += ["--collection", str(homes[0])]
    for _ in range(int(os.environ.get("VERNIS_KILLS", "2"))):
        process = subprocess.Popen(
            [*command, "--engine", "daft", "--quiet"], stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.5, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    held = []
    for home in homes:
        with vernis.Collection.open(home) as collection:
            collection.embed(engine="daft" if home == homes[0] else "threads")
            held.append(_held(collection, {}))
    assert held[0].vectors == held[1].vectors
    assert held[0].images == held[1].images


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
