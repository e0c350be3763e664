"""Units of a plan: any machine, any order, twice, killed in the middle; the result is the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.session.session import Session
from vernis.verbs.machines import worker

N = 23
KILLS = int(os.environ.get("VERNIS_KILLS", "3"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw 23 pictures, two of one content, and a file that is cut off."""
    folder = tmp_path_factory.mktemp("units") / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in range(N):
        ground = rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)
        picture = Image.fromarray(ground).resize((150 + number, 110), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:02}.jpg")
    (folder / "twin.jpg").write_bytes((folder / "00.jpg").read_bytes())
    data = (folder / "01.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 3])
    return folder


def index(pictures: Path, home: Path) -> vernis.Collection:
    collection = vernis.Collection.create(home)
    collection.index(pictures, classes_from="none")
    return collection


def held(collection: vernis.Collection) -> dict[str, Any]:
    """Return the vectors of every space by content, and the images that cannot be read."""
    catalog, table = collection.session.catalog, collection.session.table()
    found: dict[str, Any] = {"unreadable": catalog.images.count_by_state()["unreadable"]}
    for space, count in catalog.vectors.spaces():
        hashes = np.unique(table.hashes)
        found[space.name] = (count, catalog.vectors.read(space, hashes).tobytes())
    return found


@pytest.fixture(scope="module")
def expected(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what `embed` makes of the pictures."""
    with index(pictures, tmp_path_factory.mktemp("plain") / "c.vernis") as collection:
        collection.embed()
        return held(collection)


def work_on(plan: Path | str, **settings: Any) -> worker.Result:
    with Session(None) as session:
        return worker.VERB.do(session, worker.Settings(plan, **settings))


def test_units_in_any_order_come_to_what_embed_makes(
    pictures: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    with index(pictures, tmp_path / "c.vernis") as collection:
        planned = collection.plan(tmp_path / "plan", unit_size=5)
        # The file that is cut off is a picture until it is decoded.
        assert (planned.units, planned.pictures) == (5, N + 1)
        assert work_on(tmp_path / "plan", unit=(3, 1)).made == (3, 1)
        first = collection.collect(tmp_path / "plan")
        assert (first.recorded, first.waiting) == (2, (0, 2, 4))
        rest = work_on(tmp_path / "plan")
        assert (rest.made, rest.made_before) == ((0, 2, 4), 2)
        assert collection.collect(tmp_path / "plan").recorded == 3
        assert held(collection) == expected
        again = collection.collect(tmp_path / "plan")
        assert (again.recorded, again.waiting, again.vectors) == (0, (), 0)
        assert collection.plan(tmp_path / "next").units == 0


def test_two_workers_on_one_unit_are_one(
    pictures: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(tmp_path / "plan", unit_size=100)
        with ThreadPoolExecutor(3) as pool:
            for done in pool.map(lambda _: work_on(tmp_path / "plan", again=True), range(3)):
                assert done.made == (0,)
        assert collection.collect(tmp_path / "plan").recorded == 1
        assert held(collection) == expected


def test_a_damaged_shard_is_named_and_made_again(
    pictures: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(tmp_path / "plan", unit_size=8)
        work_on(tmp_path / "plan")
        shards = sorted((tmp_path / "plan" / "made").glob("*.npy"))
        half = shards[4].read_bytes()
        shards[4].write_bytes(half[: len(half) // 2])
        result = collection.collect(tmp_path / "plan")
        assert (result.recorded, len(result.damaged), result.exit_code) == (2, 1, 1)
        assert work_on(tmp_path / "plan").made == result.damaged
        assert collection.collect(tmp_path / "plan").recorded == 1
        assert held(collection) == expected


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not of Windows")
def test_a_worker_that_is_killed_costs_its_unit_alone(
    pictures: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    rng = random.Random(os.environ.get("VERNIS_SEED", "5"))
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(tmp_path / "plan", unit_size=2)
        command = [sys.executable, "-m", "vernis", "worker", str(tmp_path / "plan"), "--json"]
        for _ in range(KILLS):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.3, 2.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            made = {path.stem for path in (tmp_path / "plan" / "made").glob("*.json")}
            result = collection.collect(tmp_path / "plan")
            assert result.damaged == ()
            assert len(made) + len(result.waiting) == 12
        work_on(tmp_path / "plan")
        assert collection.collect(tmp_path / "plan").waiting == ()
        assert held(collection) == expected


def test_a_machine_with_other_weights_is_refused(pictures: Path, tmp_path: Path) -> None:
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(tmp_path / "plan")
    path = tmp_path / "plan" / "plan.json"
    plan = json.loads(path.read_text())
    plan["spaces"][0][3]["sha256"] = "0" * 64
    path.write_text(json.dumps(plan))
    with pytest.raises(ModelError, match="not known here"):
        work_on(tmp_path / "plan")
    plan["spaces"][0] = ["quality", 3, "float32", {"version": 1}]
    path.write_text(json.dumps(plan))
    with pytest.raises(ModelError, match="the same version on every machine"):
        work_on(tmp_path / "plan")
    assert not list((tmp_path / "plan").glob("made/*"))


def test_what_cannot_be_worked_on_is_said(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no plan; make one: vernis plan"):
        work_on(tmp_path / "nothing")
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(tmp_path / "plan")
        with pytest.raises(UsageError, match="the units 0 to 0"):
            work_on(tmp_path / "plan", unit=(7,))
        with pytest.raises(UsageError, match="--root FOLDER"):
            work_on(tmp_path / "plan", root=tmp_path / "elsewhere")
    with (
        index(pictures, tmp_path / "other.vernis") as other,
        pytest.raises(UsageError, match="of another collection"),
    ):
        other.collect(tmp_path / "plan")
    (tmp_path / "plan" / "plan.json").write_text("{")
    with pytest.raises(ModelError, match="damaged; plan again"):
        work_on(tmp_path / "plan")


@pytest.mark.remote
def test_a_plan_in_a_bucket(
    pictures: Path, expected: dict[str, Any], tmp_path: Path, bucket: str
) -> None:
    with index(pictures, tmp_path / "c.vernis") as collection:
        collection.plan(bucket, unit_size=9)
        assert work_on(bucket, unit=(2,)).made == (2,)
        assert work_on(bucket).made == (0, 1)
        assert collection.collect(bucket).recorded == 3
        assert held(collection) == expected
        assert b"nobody" not in (tmp_path / "c.vernis" / "catalog.sqlite").read_bytes()
