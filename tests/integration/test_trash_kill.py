"""Moving files is killed at any moment, and undo brings every file back."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import NotFound
from vernis.verbs.decide.deduplication import find_duplicates

COPIES = 150
KILLS = 6


@pytest.mark.timeout(300)
def test_kill_while_files_move_leaves_nothing_in_doubt(
    tmp_path: Path, kill_at: Callable[..., None]
) -> None:
    root, home = tmp_path / "pictures", tmp_path / "pictures.vernis"
    root.mkdir()
    Image.new("RGB", (8, 8)).save(root / "a.png")
    for number in range(COPIES):
        shutil.copy2(root / "a.png", root / f"a ({number}).png")
    with Collection.create(home) as collection:
        collection.index([root])
        find_duplicates(collection.session)
    every = {path.name for path in root.iterdir()}

    def n_there() -> int:
        return sum(1 for _ in root.iterdir())

    draw = random.Random(3)
    cut_off = 0
    for kill in range(KILLS):
        work = "c.trash(duplicates=True)" + ("; c.undo()" if kill % 2 else "")
        script = (
            "import sys; from vernis.collection import Collection\n"
            f"with Collection.open({str(home)!r}) as c:\n"
            "    print('go', flush=True)\n"
            f"    {work}"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        at = draw.randrange(1, len(every))
        if kill % 2:
            kill_at(process, lambda: n_there() == 1, lambda at=at: n_there() >= at)
        else:
            kill_at(process, lambda at=at: n_there() <= at)
        with Collection.open(home) as collection:
            lying = {path.name for path in root.iterdir()}
            cut_off += 1 < len(lying) < len(every)
            try:
                taken = collection.undo()
            except NotFound:  # it was killed before the first move, or after the undo
                assert lying == every
            else:
                assert taken.verb == "trash"
                assert taken.not_moved == {}
            assert {path.name for path in root.iterdir()} == every
            assert set(collection.images()["state"]) == {"present"}
            assert collection.catalog.integrity() == []  # type: ignore[attr-defined]
    assert cut_off > KILLS // 2, "too few kills came while files moved"
