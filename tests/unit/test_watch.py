"""Label what comes in by a saved model, round by round."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis import Collection
from vernis.domain.errors import NotFound, StorageError
from vernis.verbs.steps import watch as module


def draw(path: Path, color: tuple[int, int, int], seed: int) -> str:
    """Draw a noisy picture of a colour; returns its name."""
    noise = np.random.default_rng(seed).integers(0, 60, (48, 48, 3))
    pixels = np.clip(np.array(color) + noise - 30, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path.name


RED, BLUE = (200, 40, 40), (40, 40, 200)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a head that tells red from blue."""
    folder = tmp_path_factory.mktemp("learned")
    for seed in range(12):
        for name, color in (("red", RED), ("blue", BLUE)):
            (folder / "p" / name).mkdir(parents=True, exist_ok=True)
            draw(folder / "p" / name / f"{seed}.png", color, seed)
    with Collection.create(folder / "c.vernis") as collection:
        collection.index([folder / "p"], classes_from="folders")
        collection.embed()
        collection.learn("class")
    (saved,) = (path.parent for path in (folder / "c.vernis" / "models").rglob("model.json"))
    return saved


def test_what_comes_in_is_labelled(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = tmp_path / "feed.jsonl"
    waits: list[float] = []

    def post(name: str, color: tuple[int, int, int], seed: int) -> None:
        line = {"address": draw(tmp_path / name, color, seed), "author": "anna"}
        with open(feed, "a") as stream:
            stream.write(json.dumps(line) + "\n")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            post("later.png", BLUE, 101)

    monkeypatch.setattr(module.time, "sleep", sleep)
    post("first.png", RED, 100)
    with Collection.create(tmp_path / "w.vernis") as collection:
        found = collection.watch([feed], model=[str(model)], every=5, rounds=3)
        assert (found.rounds, found.new, found.posts) == (3, 2, 2)
        assert dict(found.labelled) == {"class": 2}
        assert waits == [5, 5]
        labels = collection.labels("class")
        assert labels["class"].to_dict() == {"first.png": "red", "later.png": "blue"}
        image = collection.session.catalog.images.find("first.png")
        said = collection.session.catalog.labels.statements("class", image.id)
        assert said[0][0].startswith("accepted:fill@class@")
        # What a person said of one stays, and one round's labels are one undo.
        collection.undo()
        assert collection.labels("class").isna().sum().sum() == 1
        with pytest.raises(NotFound, match="no model"):
            collection.watch(model=["nobody"], rounds=1)


def test_a_store_that_fails_later_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "a.png", RED, 1)
    said: list[str] = []
    answers = iter([None, StorageError("s3://x: the store does not answer"), None])
    work = module.index.work

    def index(*arguments: object) -> object:
        error = next(answers)
        if error is not None:
            raise error
        return work(*arguments)

    monkeypatch.setattr(module.index, "work", index)
    with Collection.create(tmp_path / "w.vernis") as collection:
        collection.session.progress = lambda task, done, total, note="": said.append(note)
        assert collection.watch([tmp_path], every=0, rounds=3).rounds == 3
    assert any("does not answer" in note for note in said)
