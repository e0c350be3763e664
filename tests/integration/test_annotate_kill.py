"""``annotate --send`` is killed at any moment: answers are kept once, and paid for once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.domain.annotations import ServiceVersion

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import fake_services as fake

PICTURES = 96
KILLS = 4
AT_A_TIME = 2
BATCH = 4


@pytest.mark.timeout(300)
def test_a_killed_run_pays_nothing_twice_but_what_was_on_its_way(tmp_path: Path) -> None:
    root, home = tmp_path / "pictures", tmp_path / "x.vernis"
    root.mkdir()
    rng = np.random.default_rng(1)
    for number in range(PICTURES):
        pixels = rng.integers(0, 90, (24, 24, 3), np.uint8)
        pixels[..., number % 3] += 120
        Image.fromarray(pixels).save(root / f"{number:02}.png")
    with vernis.Collection.create(home) as collection:
        collection.index(root)
    script = (
        "from vernis.collection import Collection\n"
        "from vernis.adapters.services.google_vision import GoogleVision\n"
        f"GoogleVision.most_pictures = {BATCH}\n"
        f"with Collection.open({str(home)!r}) as c:\n"
        "    print('go', flush=True)\n"
        "    c.annotate(endpoint=SERVICE, price=1.5, send=True, budget=10, "
        f"at_a_time={AT_A_TIME}, features=['labels', 'text'])\n"
    )
    environment = {**os.environ, "GOOGLE_VISION_API_KEY": fake.KEY}
    draw = random.Random(3)
    with fake.serving() as service:
        service.faults.extend([fake.slow(0.08)] * 10_000)
        code = script.replace("SERVICE", repr(service.url))
        partly = 0
        for kill in range(KILLS + 1):
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
            )
            assert process.stdout is not None
            process.stdout.readline()
            if kill < KILLS:
                calls = len(service.calls)
                while len(service.calls) == calls and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(draw.uniform(0.0, 0.4))
                process.send_signal(signal.SIGKILL)
                process.communicate()
                with sqlite3.connect(home / "catalog.sqlite") as ledger:
                    (kept,) = ledger.execute("SELECT count(*) FROM answer").fetchone()
                partly += 0 < kept < 2 * PICTURES
            else:
                process.communicate()
                assert process.returncode == 0
    assert partly, "no kill came while answers were kept"
    with vernis.Collection.open(home) as collection:
        assert collection.annotate(features=["labels", "text"]).plan.pictures == 0
        spent = collection.catalog.answers.spent(ServiceVersion("google-vision"))
        assert spent.in_doubt <= KILLS * AT_A_TIME
        # What the service has seen, and may have charged, is in the books, and no more than that
        # and the requests that were noted and not yet sent.
        assert service.pictures <= PICTURES + spent.in_doubt * BATCH
        assert spent.units == 2 * (PICTURES + spent.in_doubt * BATCH)
        lines = collection.catalog.readings.lines(0)
        assert len(lines) == PICTURES
        assert sum(map(len, lines.values())) == 2 * PICTURES // 3
        assert collection.catalog.integrity() == []  # type: ignore[attr-defined]
