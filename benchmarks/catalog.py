"""Time of the catalog's work at the size of a large library.

    python benchmarks/catalog.py [--images 57000] [--statements 1000000]

Builds a collection of images × taxonomies with invented labels in a temporary folder and prints a
table of times: the median, the slowest, the processor's share (the honest one on a busy machine)
and the number of repetitions. It needs no pictures.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.types import FoundFile, Issue, Space, Statement, Taxonomy

CLASSES = tuple(f"class {i:03}" for i in range(100))
SPACE = Space("bench", 1280)


Times = list[tuple[float, float]]


def timed(work: Callable[[], object], repeat: int = 1) -> Times:
    """Return the seconds of each repetition: by the clock and of the processor."""
    seconds = []
    for _ in range(repeat):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        seconds.append((time.perf_counter() - clock, time.process_time() - processor))
    return seconds


def report(name: str, seconds: Times) -> None:
    """Print one line of the table."""
    clock, processor = zip(*seconds, strict=True)
    values = [statistics.median(clock), max(clock), statistics.median(processor)]
    columns = " ".join(f"{1000 * value:>10.2f}" for value in values)
    print(f"{name:<58} {columns} {len(seconds):>5}", flush=True)


def fill(catalog: SqliteCatalog, n_images: int, n_statements: int, seed: int) -> None:
    """Index images and record statements until there are ``n_statements``."""
    rng = np.random.default_rng(seed)
    found = [
        FoundFile(f"folder {i % 97}/image {i:07}.jpg", f"{i:064x}", 100_000, i, 640, 480, "JPEG")
        for i in range(n_images)
    ]
    report(
        f"index {n_images:,} new images",
        timed(lambda: catalog.images.apply_index(found, complete=True)),
    )
    report(
        "index them again, nothing changed",
        timed(lambda: catalog.images.apply_index(found, complete=True)),
    )
    ids = [image.id for image in catalog.images.all()]
    done, number = 0, 0
    while done < n_statements:
        name = f"taxonomy {number}"
        kind = "single" if number % 2 == 0 else "multi"
        catalog.labels.define(Taxonomy(name, kind, CLASSES, closed=number % 3 == 0))
        each = 1 if kind == "single" else 6
        said = [
            Statement(i, CLASSES[c], "yes")
            for i, row in zip(ids, rng.integers(0, 100, (len(ids), each)), strict=True)
            for c in set(row.tolist())
        ]
        seconds = timed(
            lambda name=name, said=said: catalog.labels.record(  # type: ignore[misc]
                name, said, source="given", verb="import"
            )
        )
        report(f"record {len(said):,} statements ({kind}), with their events", seconds)
        done, number = done + len(said), number + 1
    print(f"{'':<4}statements now: {done:,}, taxonomies: {number}")


def edits(catalog: SqliteCatalog, n_images: int, seed: int) -> None:
    """Time single edits, each with its event, and their undo."""
    rng = np.random.default_rng(seed)
    picks: Iterator[int] = iter(rng.integers(1, n_images + 1, 10_000).tolist())
    classes: Iterator[int] = iter(rng.integers(0, 100, 10_000).tolist())

    def edit() -> None:
        said = [Statement(next(picks), CLASSES[next(classes)], "yes")]
        catalog.labels.record("taxonomy 0", said, source="human:ann", verb="edit")

    report("one edit of a label with its event (synced to disk)", timed(edit, 300))
    report("undo of one edit (synced to disk)", timed(catalog.labels.undo, 100))
    with catalog.transaction():
        report("one edit inside a transaction", timed(edit, 300))
    image = next(picks)
    report("history of one image", timed(lambda: catalog.labels.history(image), 100))
    report(
        "statements of one image",
        timed(lambda: catalog.labels.statements("taxonomy 0", image), 100),
    )
    report("latest 20 batches", timed(catalog.labels.batches, 10))


def fsync(folder: Path) -> None:
    """Time SQLite's bare commit here, for comparison: most of an edit's time is the disk's."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (x)")
    report(
        "(a bare SQLite commit on this disk)",
        timed(lambda: connection.execute("INSERT INTO t VALUES (1)"), 300),
    )
    connection.close()


def bulk(catalog: SqliteCatalog) -> None:
    """Time what workflows do with the whole collection."""
    ids = [image.id for image in catalog.images.all()]
    report("all images", timed(catalog.images.all, 3))
    for name in ("taxonomy 0", "taxonomy 1"):
        report(f"matrix of {name}", timed(lambda name=name: catalog.labels.matrix(name), 3))  # type: ignore[misc]
    report("images as columns", timed(catalog.images.table, 3))
    report("labels by source", timed(catalog.labels.counts_by_source, 3))
    report("how far each taxonomy is filled", timed(catalog.labels.fill_counts, 3))
    issues = [
        Issue("label", i, (i % 1000) / 1000, i % 10 == 0, "taxonomy 0", evidence={"given": ["x"]})
        for i in ids
    ]
    report(
        f"replace {len(issues):,} issues",
        timed(lambda: catalog.issues.replace(["label"], issues, "taxonomy 0"), 2),
    )
    report("count the open issues", timed(catalog.issues.counts, 3))
    report(
        "select the worst 50",
        timed(lambda: catalog.issues.select(["label"], "taxonomy 0", limit=50), 3),
    )
    report("select the flagged tenth", timed(lambda: catalog.issues.select(["label"]), 3))
    report(
        "select all issues", timed(lambda: catalog.issues.select(["label"], flagged_only=False), 3)
    )
    report("undo of an import", timed(lambda: catalog.labels.undo(1), 1))


def vectors(catalog: SqliteCatalog, seed: int) -> None:
    """Time appending and reading 1280-dimensional vectors in shards of 512."""
    rng = np.random.default_rng(seed)
    hashes = [image.content_hash for image in catalog.images.all()]
    block = rng.random((512, SPACE.dim), dtype=np.float32)

    def append() -> None:
        for start in range(0, len(hashes), 512):
            part = hashes[start : start + 512]
            catalog.vectors.append(SPACE, part, block[: len(part)])

    report(f"append {len(hashes):,} vectors of 1280 in shards of 512", timed(append))
    order = rng.permutation(len(hashes))
    shuffled = [hashes[i] for i in order]
    with SqliteCatalog.open(catalog.folder, read_only=True) as reader:
        report(
            "first reading of all (checksums verified)",
            timed(lambda: reader.vectors.read(SPACE, hashes)),
        )
        report("reading of all", timed(lambda: reader.vectors.read(SPACE, hashes), 3))
        report("reading of all, shuffled", timed(lambda: reader.vectors.read(SPACE, shuffled), 3))
        report("reading of one", timed(lambda: reader.vectors.read(SPACE, hashes[:1]), 20))
        report("which are missing", timed(lambda: reader.vectors.missing(SPACE, hashes), 3))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=57_000)
    parser.add_argument("--statements", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", help="not used: the collection is invented")
    options = parser.parse_args()
    print(f"{'work':<58} {'median ms':>10} {'worst ms':>10} {'CPU ms':>10} {'times':>5}")
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = Path(place)
        with SqliteCatalog.create(folder / "bench.vernis") as catalog:
            fill(catalog, options.images, options.statements, options.seed)
            edits(catalog, options.images, options.seed)
            fsync(folder)
            bulk(catalog)
            vectors(catalog, options.seed)
        size = sum(f.stat().st_size for f in folder.rglob("catalog.sqlite")) / 1e6
        print(f"ledger: {size:.0f} MB; opening:")
        report(
            "open and close",
            timed(lambda: SqliteCatalog.open(folder / "bench.vernis").close(), 10),
        )


if __name__ == "__main__":
    main()
