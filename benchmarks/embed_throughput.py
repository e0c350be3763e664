"""How much of what the cores allow the embedding loop reaches.

Measures, in turn and several times: one thread that decodes and embeds (the time an image), and
the whole workflow (engine, backbone, vector shards, catalog) over the same files. The bar is
0.93 of cores / (decode + inference time an image). Files are read once before, so that the disk's
cache is warm for both. Other programs on the machine make wall-clock time unfair: the ratio of
processor time (time an image on one thread, against the workflow's whole processor time per image)
is printed beside it.

Run: ``python benchmarks/embed_throughput.py [--data ../shared/data] [--arithmetic int8]``
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from vernis.adapters.backbones.zoo import ARITHMETICS, open_backbone
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.pixels import decode
from vernis.core.numeric.threads import count_cores
from vernis.domain.ports import PictureReader
from vernis.domain.types import FoundFile
from vernis.session.session import Session
from vernis.verbs.networks.embedding import embed_images


def list_files(data: Path, sample: int) -> list[Path]:
    """Photos of two sets, mixed, so that sizes vary."""
    files = [
        path
        for name in ("grocery/images/test", "aquarium/images", "clothing_a/images")
        for path in sorted((data / name).rglob("*.jpg"))
    ]
    order = np.random.default_rng(0).permutation(len(files))
    return [files[i] for i in order[:sample]]


def time_steps(files: list[Path], reader: PictureReader) -> tuple[float, float, float]:
    """Return wall seconds an image of decoding and of inference, and processor seconds of both."""
    embed = reader.open()
    embed(decode(files[0]))
    decoding = inference = 0.0
    processor = time.thread_time()
    for path in files:
        started = time.perf_counter()
        pixels = decode(path)
        middle = time.perf_counter()
        embed(pixels)
        decoding += middle - started
        inference += time.perf_counter() - middle
    processor = time.thread_time() - processor
    return decoding / len(files), inference / len(files), processor / len(files)


def run_workflow(files: list[Path], reader: PictureReader, workers: int) -> tuple[float, float]:
    """Return wall and processor seconds an image of the workflow."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteCatalog.create(Path(folder) / "bench.vernis") as catalog,
    ):
        root = Path(os.path.commonpath(files))
        found = [
            FoundFile(
                path.relative_to(root).as_posix(),
                hashlib.sha256(str(path).encode()).hexdigest(),
                path.stat().st_size,
                0,
            )
            for path in files
        ]
        catalog.images.set_root(root)
        catalog.images.apply_index(found, complete=True)
        processor, started = time.process_time(), time.perf_counter()
        summary = embed_images(Session(catalog), [reader], workers=workers)
        wall = time.perf_counter() - started
        processor = time.process_time() - processor
    assert summary.computed == len(files), summary.failed
    return wall / len(files), processor / len(files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--arithmetic", choices=ARITHMETICS, nargs="+", default=ARITHMETICS)
    parser.add_argument("--sample", type=int, default=1000, help="pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=count_cores())
    options = parser.parse_args()
    files = list_files(options.data, options.sample)
    for path in files:
        path.read_bytes()
    print(f"{len(files)} photos, {options.workers} workers, {options.rounds} rounds")
    print("            decode  inference  cores allow  reached     wall  processor")
    print("                ms         ms     images/s  images/s   ratio  ratio")
    for arithmetic in options.arithmetic:
        reader = open_backbone(arithmetic=arithmetic).reader()
        rows = []
        for _ in range(options.rounds):
            decoding, inference, single = time_steps(files[: len(files) // 2], reader)
            wall, processor = run_workflow(files, reader, options.workers)
            allowed = options.workers / (decoding + inference)
            rows.append(
                (
                    decoding * 1e3,
                    inference * 1e3,
                    allowed,
                    1 / wall,
                    1 / wall / allowed,
                    single / processor,
                )
            )
        d, i, a, r, _, _ = np.median(rows, axis=0)
        ratios = np.array(rows)[:, 4:]
        shown = "  ".join(f"{np.median(c):.3f} ({c.min():.3f}-{c.max():.3f})" for c in ratios.T)
        print(f"{arithmetic:8}{d:10.2f}{i:11.2f}{a:13.1f}{r:10.1f}   {shown}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
