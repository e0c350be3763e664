"""Time and peak memory of what must not depend on a Python object for each image.

    python benchmarks/columns.py [--images 1000000] [--keep FOLDER]

Makes a collection of invented rows (images, a taxonomy of 100 classes, label issues, duplicate
groups, small vectors) and measures in fresh processes what a person waits for every day. The bars
at a million images: ``status`` below 5 seconds, and each peak below 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.types import Estimate, FileTable, FoundFile, Space, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide.label_judgement import LabelJudgement
from vernis.verbs.steps.indexing import index_files

CLASSES = tuple(f"class {i:03}" for i in range(100))
TAXONOMY = "kind"
MEASURED = ("status", "issues", "index", "matrix", "missing")


def uri_of(number: int) -> str:
    """Return the path of an invented image."""
    return f"library/{number // 1000:04}/picture of something {number:08}.jpg"


def hash_of(number: int) -> str:
    """Return the content hash of an invented image: 64 hexadecimal digits, in no order."""
    return f"{(number * 0x9E3779B97F4A7C15 + 1) % (1 << 256):064x}"[::-1]


# ---------------------------------------------------------------------------- making


def make(folder: Path, n: int, dim: int) -> None:
    """Make the collection, by SQL where the stores would take long."""
    with SqliteCatalog.create(folder) as catalog:
        catalog.images.set_root(folder.parent / "pictures")
        catalog.labels.define(Taxonomy(TAXONOMY, "single", CLASSES))
    connection = sqlite3.connect(folder / "catalog.sqlite")
    with connection:
        connection.executemany(
            "INSERT INTO image (uri, content_hash, size, mtime_ns, width, height, format, "
            "metadata) VALUES (?, ?, ?, ?, 640, 480, 'JPEG', '{\"mode\": \"RGB\"}')",
            ((uri_of(i), hash_of(i), 100_000 + i, 10**18 + i) for i in range(n)),
        )
        make_labels(connection, n)
        connection.executemany(
            "INSERT INTO issue (key, kind, taxonomy, label, image_id, score, flagged, evidence) "
            "VALUES (?, 'label', ?, ?, ?, ?, ?, ?)",
            issue_rows(n),
        )
        make_groups(connection, n // 100)
    connection.close()
    space = Space("invented", dim)
    rng = np.random.default_rng(0)
    with SqliteCatalog.open(folder) as catalog, catalog.transaction():
        session = Session(catalog)
        session.use_space(space)
        wrong = Estimate(n / 10, n / 11, n / 9)
        judged = LabelJudgement(TAXONOMY, "ema", space.name, n, n, n // 10, wrong, 50, 40.0, 0)
        session.results.keep(f"label_issues:{TAXONOMY}", judged)
        for start in range(0, n, 8192):
            hashes = [hash_of(i) for i in range(start, min(n, start + 8192))]
            catalog.vectors.append(space, hashes, rng.standard_normal((len(hashes), dim)))


def make_labels(connection: sqlite3.Connection, n: int) -> None:
    """Give nine images of ten a label, and one of fifty a second opinion."""
    connection.execute("INSERT INTO source (id, name, rank) VALUES (1, 'given', 3)")
    connection.execute("INSERT INTO source (id, name, rank) VALUES (2, 'human:ann', 5)")
    for source, where in ((1, "id % 10 <> 0"), (2, "id % 50 = 1")):
        connection.execute(
            "INSERT INTO batch (id, verb, source_id, time) VALUES (?1, 'made', ?1, '2026')",
            (source,),
        )
        connection.execute(
            "INSERT INTO statement SELECT 1, ?1, id, 1 + (id * ?1) % 100, "
            f"CASE WHEN ?1 = 2 AND id % 3 = 0 THEN 'no' ELSE 'yes' END, NULL, ?1 FROM image "
            f"WHERE {where}",
            (source,),
        )
    connection.execute(
        "INSERT INTO event (batch_id, source_id, image_id, class_id, before, after, after_batch) "
        "SELECT batch_id, source_id, image_id, class_id, 'unknown', state, batch_id FROM statement"
    )


def issue_rows(n: int) -> Iterator[tuple[object, ...]]:
    """Yield a scored label for every image; one of ten is flagged."""
    for i in range(1, n + 1):
        if i % 10 == 0:
            continue
        neighbors = [
            {"image_id": 1 + (i * step) % n, "label": CLASSES[step], "similarity": 1 / (1 + step)}
            for step in range(5)
        ]
        given, suggested = CLASSES[i % 100], CLASSES[i * 7 % 100]
        evidence = {
            "change": "replaced",
            "given": [given],
            "suggested": [suggested],
            "probability": (i % 997) / 997,
            "probability_of_multiple": (i % 101) / 1010,
            "neighbors": neighbors,
        }
        key = json.dumps(["label", TAXONOMY, given, i, hash_of(i - 1), 0, "", [given]])
        score = (i * 7919 % 100_003) / 100_003
        yield key, TAXONOMY, given, i, score, int(score < 0.1), json.dumps(evidence)


def make_groups(connection: sqlite3.Connection, n: int) -> None:
    """Make pairs of duplicates."""
    connection.executemany(
        "INSERT INTO duplicate_group VALUES (?, 'near', ?, 'larger', '{}', '[]')",
        ((g, g * 50) for g in range(1, n + 1)),
    )
    connection.executemany(
        "INSERT INTO duplicate_member VALUES (?, ?, ?)",
        ((g, place, g * 50 + place) for g in range(1, n + 1) for place in (0, 1)),
    )
    connection.executemany(
        "INSERT INTO duplicate_pair VALUES (?, ?, ?, 'near', 0.95, 'identity')",
        ((g, g * 50, g * 50 + 1) for g in range(1, n + 1)),
    )


# ---------------------------------------------------------------------------- measuring


def measure(what: str, folder: Path) -> None:
    """Do one thing in this process."""
    if what in ("status", "issues"):
        from vernis.cli.main import main as vernis

        verb = ["issues", TAXONOMY, "--limit", "50"] if what == "issues" else ["status"]
        sys.exit(vernis([*verb, "--collection", str(folder)]))
    with SqliteCatalog.open(folder, read_only=what != "index") as catalog:
        if what == "matrix":
            print(int(catalog.labels.matrix(TAXONOMY).labelled.sum()))
        elif what == "missing":
            measure_missing(catalog)
        else:
            measure_index(catalog)


def measure_missing(catalog: SqliteCatalog) -> None:
    """Ask which images have no vector."""
    hashes = catalog.images.table().hashes
    print(len(catalog.vectors.missing(catalog.vectors.spaces()[0][0], hashes)))


def measure_index(catalog: SqliteCatalog) -> None:
    """Index files of which none has changed."""
    n = sum(catalog.images.count_by_state().values())
    print(index_files(Session(catalog), Unchanged(catalog.folder, n), workers=1).changes)


class Unchanged:
    """A ``FileSource`` of the files that the collection knows; none has to be read."""

    complete = True

    def __init__(self, root: Path, n: int) -> None:
        self.root = root
        self.n = n

    def list_files(self) -> tuple[FileTable, dict[str, int]]:
        """Return all files."""
        numbers = np.arange(self.n)
        uris = tuple(uri_of(i) for i in range(self.n))
        return FileTable(uris, 100_000 + numbers, 10**18 + numbers), {}

    def inspect(self, file: FoundFile) -> FoundFile:
        """Refuse to read a file: none has changed."""
        raise AssertionError(f"{file.uri} is unchanged and must not be read")

    def try_decoding(self, file: FoundFile) -> str:
        """Refuse likewise."""
        return str(self.inspect(file))


def run(arguments: list[str]) -> tuple[float, float, float, str]:
    """Run this script in a fresh process; return wall and CPU seconds, peak in MB, last line."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{arguments} ended with {child.returncode}")
    seconds = time.perf_counter() - started
    last = said.strip().splitlines()[-1] if said.strip() else ""
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, last


def main() -> None:
    """Make the collection and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="make the collection here, or use the one here")
    parser.add_argument("--only", nargs="*", default=MEASURED, choices=MEASURED)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options.make, options.images, options.dim)
    elif options.measure:
        measure(options.measure[0], Path(options.measure[1]))
    else:
        with tempfile.TemporaryDirectory(dir=".") as place:
            folder = options.keep or Path(place) / "bench.vernis"
            sizes = ["--images", str(options.images), "--dim", str(options.dim)]
            print(f"{'work':<10} {'seconds':>9} {'CPU s':>9} {'peak MB':>9}")
            if not (folder / "catalog.sqlite").is_file():
                seconds, processor, peak, _ = run(["--make", str(folder), *sizes])
                print(f"{'(make)':<10} {seconds:>9.2f} {processor:>9.2f} {peak:>9.0f}")
            for what in options.only:
                seconds, processor, peak, last = run(["--measure", what, str(folder)])
                print(f"{what:<10} {seconds:>9.2f} {processor:>9.2f} {peak:>9.0f}   {last[:70]}")
            size = (folder / "catalog.sqlite").stat().st_size
            print(f"{options.images:,} images, ledger {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
