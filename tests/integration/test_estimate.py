"""What a job would cost, from a sample of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.core.numeric.threads import count_cores
from vernis.domain.errors import UsageError
from vernis.session.session import Session
from vernis.verbs.machines import estimate


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw 40 pictures in two folders, one of them cut off."""
    folder = tmp_path_factory.mktemp("estimate") / "pictures"
    rng = np.random.default_rng(0)
    for number in range(40):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        ground = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(ground).resize((200, 160)).save(place / f"{number:02}.jpg")
    cut = folder / "a" / "00.jpg"
    cut.write_bytes(cut.read_bytes()[:900])
    return folder


def test_the_steps_of_a_larger_job(pictures: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in pictures.rglob("*")}
    settings = estimate.Settings(pictures, sample=40, images=4_000_000, cores=8, price=0.5)
    with Session(None) as session:
        result = estimate.VERB.do(session, settings)
        here = count_cores()
    assert {path: path.stat().st_mtime_ns for path in pictures.rglob("*")} == before
    assert (result.images, result.sample, result.unreadable, result.cores) == (4_000_000, 40, 1, 8)
    size = sum(path.stat().st_size for path in pictures.rglob("*.jpg"))
    assert result.gigabytes == pytest.approx(size / 40 * 4e6 / 1e9, rel=0.01)
    steps = {step.step: step for step in result.steps}
    embed = steps["embed"]
    assert embed.measured
    assert embed.core_hours == pytest.approx(embed.milliseconds * 4e6 / 3.6e6, rel=0.02)
    assert embed.hours == pytest.approx(embed.core_hours / 8, rel=0.02)
    assert embed.hours_here == pytest.approx(embed.core_hours / here, rel=0.02)
    assert embed.price == pytest.approx(embed.core_hours * 0.5, rel=0.02)
    # A vector has 1,904 numbers of two bytes; measures and rows of the catalog come on top.
    assert 4e6 * 3808 / 1e9 < embed.disk_gb < 4e6 * 30_000 / 1e9
    assert not steps["duplicates"].measured
    assert steps["duplicates"].hours == pytest.approx(steps["duplicates"].hours_here, rel=0.02) or (
        here > 8
    )
    assert result.total.core_hours == pytest.approx(
        sum(step.core_hours for step in result.steps), rel=0.02
    )
    assert any("3,999,960 images are like the 40" in note for note in result.notes)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with Session(None) as session, pytest.raises(UsageError, match="holds no images"):
        estimate.VERB.do(session, estimate.Settings(tmp_path))
    with pytest.raises(UsageError, match="no such folder"):
        estimate.home(estimate.Settings(tmp_path / "gone"))
