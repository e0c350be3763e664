"""A small collection that code draws, run once for all integration tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

CLASSES = ("disc", "square", "stripes")
PER_CLASS = 24


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw one picture of a class, 200 x 160 px, on a noisy coloured ground."""
    ground = rng.integers(90, 200, 3)
    noise = rng.normal(0, 12, (160, 200, 3))
    picture = Image.fromarray(np.clip(ground + noise, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    # Clutter, so that two pictures of a class do not look like copies of one another.
    for _ in range(40):
        left, top, width, height = (int(v) for v in rng.integers((0, 0, 4, 4), (200, 160, 40, 40)))
        shade = tuple(int(v) for v in rng.integers(60, 230, 3))
        pen.line((left, top, left + width, top + height - 20), fill=shade, width=3)
    colour = tuple(int(v) for v in rng.integers(0, 255, 3))
    x, y, r = (int(v) for v in rng.integers((60, 50, 28), (140, 110, 46)))
    if name == "disc":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif name == "square":
        pen.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    else:
        for offset in range(int(rng.integers(0, 8)), 200, 18):
            pen.line((offset, 0, offset, 160), fill=colour, width=7)
    return picture


def draw_collection(folder: Path, seed: int = 0) -> None:
    """Draw class folders: a wrong label, an exact copy, a PNG twin, a broken file, a text file."""
    rng = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            draw(name, rng).save(folder / name / f"{name}_{number:02}.jpg", quality=92)
    draw("disc", rng).save(folder / "stripes" / "wrong.jpg", quality=92)
    first = folder / "disc" / "disc_00.jpg"
    (folder / "disc" / "copy.jpg").write_bytes(first.read_bytes())
    Image.open(first).save(folder / "disc" / "twin.png")
    (folder / "square" / "broken.jpg").write_bytes(first.read_bytes()[:300])
    (folder / "notes.txt").write_text("not a picture")


@dataclass(frozen=True)
class Shell:
    """Runs ``vernis`` in a working folder."""

    cwd: Path

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "vernis", *arguments],
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json", "--quiet").stdout)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which ``vernis run pictures`` was done. Tests must not change it."""
    cwd = tmp_path_factory.mktemp("finished")
    draw_collection(cwd / "pictures")
    shell = Shell(cwd)
    shell("run", "pictures")
    return shell


@pytest.fixture
def workplace(finished: Shell, tmp_path: Path) -> Shell:
    """A copy of ``finished`` that a test may change."""
    import shutil

    cwd = tmp_path / "work"
    shutil.copytree(finished.cwd, cwd)
    shell = Shell(cwd)
    # The root is stored as an absolute path: make it the copy's.
    shell("index", "pictures", "--collection", "pictures.vernis")
    return shell


@pytest.fixture
def kill_at() -> Callable[..., None]:
    """Return what kills a process where its work has come to, not when the clock says.

    A moment by the clock comes before the work on a slow machine and after it on a fast one.
    """

    def kill(process: subprocess.Popen[bytes], *moments: Callable[[], bool]) -> None:
        """Kill with -9 when the process has come through all moments in order, or has ended."""
        for came in moments:
            while not came() and process.poll() is None:
                time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    return kill
