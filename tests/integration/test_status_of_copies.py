"""What ``status`` says of copies agrees with what ``duplicates`` lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import vernis
from vernis.verbs.start import status


class Facts:
    """A screen that keeps the facts."""

    def facts(self, facts: dict[str, object], *, title: str = "") -> None:
        self.shown = facts

    def table(self, *arguments: object, **more: object) -> None: ...

    def line(self, text: str = "") -> None: ...


def test_four_copies_are_one_group_and_six_pairs(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((240, 180), Image.Resampling.BICUBIC)
    for number in range(4):
        picture.save(tmp_path / f"{number}.png", compress_level=number)
    with vernis.Collection.create(tmp_path / "x.vernis") as collection:
        collection.index(tmp_path)
        collection.embed()
        assert len(collection.duplicates()["group"].dropna().unique()) == 1
        found = collection.status()
    assert (found.duplicate_groups, found.issues["duplicate"]) == (1, 6)
    screen = Facts()
    status.show(found, status.Settings(), screen)  # type: ignore[arg-type]
    assert screen.shown["duplicate groups"] == 1
    assert "pairs of duplicates 6" in screen.shown["open issues"]
