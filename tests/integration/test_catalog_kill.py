"""A writer is killed at any moment, and nothing that it acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import CatalogError
from vernis.domain.types import FoundFile

# One interpreter forks the writers: starting each anew would cost more than all the killing.
SCRIPT = '''
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.types import FoundFile, Issue, Space, Statement, Taxonomy

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
SPACE = Space("lite0", 64)


def write(pipe, turn):
    """Write for ever; name each piece of work in the pipe once it is acknowledged."""
    with SqliteCatalog.open(folder) as catalog, catalog.lock(f"round {turn}"):
        catalog.vectors.collect_garbage()
        for number in range(10**6):
            name = f"{turn}-{number}"
            with catalog.transaction():
                catalog.images.apply_index([FoundFile(name, name, 1, 1)], complete=False)
                image = catalog.images.find(name).id
                said = [Statement(image, "ab"[number % 2], "yes")]
                catalog.labels.record("t", said, source="given", verb="index")
            catalog.issues.replace(["dark"], [Issue("dark", image, 0.5)])
            (issue,) = catalog.issues.select(["dark"])
            catalog.issues.set_verdict([issue.id], "dismissed", who="ann")
            if number % 3 == 2:
                catalog.history.undo()
            catalog.vectors.append(SPACE, [name], np.full((1, 64), number % 1000))
            os.write(pipe, f"{name}\\n".encode())


def check(names, turn):
    with SqliteCatalog.open(folder, patience=0.5) as catalog, catalog.lock("check"):
        assert catalog.integrity() == [], catalog.integrity()
        assert catalog.vectors.missing(SPACE, names) == []
        read = catalog.vectors.read(SPACE, names)[:, 0]
        assert read.tolist() == [int(name.split("-")[1]) % 1000 for name in names]
        known = {image.uri: image.id for image in catalog.images.all()}
        labelled = set(catalog.labels.matrix("t").image_ids[catalog.labels.matrix("t").labelled])
        assert all(known[name] in labelled for name in names)
        assert labelled == set(known.values()), "an image came without its label"


with SqliteCatalog.create(folder) as catalog:
    catalog.labels.define(Taxonomy("t", "single", ("a", "b")))
chance, total = random.Random(0), 0
for turn in range(rounds):
    source, sink = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(source)
        write(sink, turn)
    os.close(sink)
    # Begun with the first acknowledgement, so that every round interrupts real work.
    acknowledged = os.read(source, 1 << 16)
    time.sleep(chance.uniform(0, 0.15))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    while more := os.read(source, 1 << 16):
        acknowledged += more
    os.close(source)
    names = acknowledged.decode().split()
    check(names, turn)
    total += len(names)
print(total)
'''


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_writer_killed_twenty_times_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "c.vernis"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), "20"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 20
    with SqliteCatalog.open(folder) as catalog:
        assert catalog.integrity() == []
        # The statements are what the history, replayed, says.
        replayed = catalog._ledger.rows(
            "SELECT e.source_id, e.image_id, e.class_id, e.after FROM event AS e WHERE e.id IN "
            "(SELECT max(id) FROM event WHERE class_id IS NOT NULL "
            "GROUP BY source_id, image_id, class_id) AND e.after <> 'unknown' ORDER BY 1, 2, 3"
        )
        assert replayed == catalog._ledger.rows(
            "SELECT source_id, image_id, class_id, state FROM statement ORDER BY 1, 2, 3"
        )


CREATE = """
import sys
from pathlib import Path
from vernis.adapters.catalog.catalog import SqliteCatalog
print("begin", flush=True)
for number in range(10**6):
    SqliteCatalog.create(Path(sys.argv[1]) / str(number)).close()
"""


def test_a_creation_killed_anywhere_can_be_done_again(tmp_path: Path) -> None:
    for delay in (0.01, 0.07, 0.13):
        place = tmp_path / str(delay)
        with subprocess.Popen(
            [sys.executable, "-c", CREATE, str(place)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay)
            process.kill()
        for folder in place.iterdir() if place.exists() else ():
            try:
                catalog = SqliteCatalog.create(folder)
            except CatalogError:  # it had been completed
                catalog = SqliteCatalog.open(folder)
            with catalog:
                assert catalog.integrity() == []
                assert catalog.images.all() == []


READER = """
import sys
from pathlib import Path
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import CatalogBusy
with SqliteCatalog.open(Path(sys.argv[1]), read_only=True) as catalog:
    print(len(catalog.images.all()))
try:
    with SqliteCatalog.open(Path(sys.argv[1]), patience=0.1) as catalog, catalog.lock("index"):
        pass
except CatalogBusy as error:
    print(error)
"""


def test_another_process_reads_while_one_writes(tmp_path: Path) -> None:
    folder = tmp_path / "c.vernis"
    with SqliteCatalog.create(folder) as catalog, catalog.lock("learn"):
        catalog.images.apply_index([FoundFile("a", "a", 1, 1)], complete=True)
        with catalog.transaction():
            catalog.images.apply_index([FoundFile("b", "b", 1, 1)], complete=False)
            done = subprocess.run(
                [sys.executable, "-c", READER, str(folder)],
                capture_output=True,
                text=True,
                check=True,
            )
    count, busy = done.stdout.splitlines()
    assert count == "1"
    assert "'learn'" in busy
    assert str(os.getpid()) in busy
