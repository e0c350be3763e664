"""``write-back`` and its undo are killed at any moment: no damaged file, none left over."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import NotFound
from vernis.domain.types import Statement, Taxonomy

FILES = 200
KILLS = 8


@pytest.mark.timeout(300)
def test_kill_while_files_are_written_leaves_nothing_in_doubt(
    tmp_path: Path, kill_at: Callable[..., None]
) -> None:
    root, home = tmp_path / "pictures", tmp_path / "pictures.vernis"
    root.mkdir()
    for number in range(FILES):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(root / f"{number:03}.png")
    with Collection.create(home) as collection:
        collection.index([root])
        labels = collection.catalog.labels
        labels.define(Taxonomy("kind", "single", ("flat",)))
        said = [Statement(image.id, "flat", "yes") for image in collection.catalog.images.all()]
        labels.record("kind", said, source="human:anna", verb="test")
    before = {path.name: path.read_bytes() for path in root.iterdir()}

    def n_written() -> int:
        return sum((root / name).stat().st_size != len(data) for name, data in before.items())

    draw = random.Random(5)
    cut_off = strays = 0
    for kill in range(KILLS):
        work = "c.write_back(apply=True)" + ("; c.undo()" if kill % 2 else "")
        script = (
            "import sys; from vernis.collection import Collection\n"
            f"with Collection.open({str(home)!r}) as c:\n"
            "    c.write_back()\n"
            "    print('go', flush=True)\n"
            f"    {work}"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        at = draw.randrange(1, FILES)
        if kill % 2:
            kill_at(process, lambda: n_written() == FILES, lambda at=at: n_written() <= at)
        else:
            kill_at(process, lambda at=at: n_written() >= at)
        lying = {path.name: path.read_bytes() for path in root.iterdir()}
        strays += len(lying) - FILES
        written = sum(lying[name] != data for name, data in before.items())
        cut_off += 0 < written < FILES
        with Collection.open(home) as collection:
            # The index after a kill knows every file, whichever state it is in.
            found = collection.index()
            assert (found.unchanged, found.changed, found.new) == (FILES, 0, 0)
            assert {path.name for path in root.iterdir()} == set(before)
            while any(path.read_bytes() != before[path.name] for path in root.iterdir()):
                try:
                    taken = collection.undo()
                except NotFound:
                    pytest.fail("files are written that no batch takes back")
                assert taken.not_written == {}
            assert collection.catalog.integrity() == []  # type: ignore[attr-defined]
    assert cut_off > KILLS // 2, "too few kills came while files were written"
