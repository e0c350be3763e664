"""Duplicates: imagededup, cleanvision and fastdup on copies_a with clothing_a as hard negatives.

    python -m venv peers
    peers/bin/pip install -r benchmarks/requirements-duplicates.txt
    peers/bin/python benchmarks/duplicate_peers.py

They need an environment of their own: they and Vernis want different versions of NumPy. Counted
as ``benchmarks/duplicates.py copies`` counts Vernis: over all pairs within groups and over the
pairs of an original with its copies. Each method's pairs count as it reports them, and once more
closed (all pairs within connected components), since fastdup and cleanvision report groups.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from duplicate_truth import (
    DATA,
    Pair,
    close_pairs,
    copies_and_clothing,
    copies_truth,
    ordered,
    score_copies,
)

Settings = Iterator[tuple[str, Sequence[Pair]]]

# The best settings of these peers on this set are among them.
PHASH_DISTANCES = (0, 4, 8, 10, 12)
FASTDUP_NEIGHBORS = (2, 8, 20)
FASTDUP_THRESHOLDS = (0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.96)
CLEANVISION_HASHES = (8, 6, 4)


def run_imagededup(folder: Path) -> Settings:
    """PHash at several Hamming distances of 64 bits (default 10)."""
    from imagededup.methods import PHash

    method = PHash(verbose=False)
    codes = method.encode_images(image_dir=str(folder), recursive=True)
    for distance in PHASH_DISTANCES:
        found = method.find_duplicates(encoding_map=codes, max_distance_threshold=distance)
        pairs = [ordered(a, b) for a, others in found.items() for b in others]
        yield f"imagededup PHash <= {distance}", pairs


def run_cleanvision(folder: Path) -> Settings:
    """Exact and near duplicates: groups of the same hash, of side 8 unless told otherwise."""
    from cleanvision import Imagelab

    for side in CLEANVISION_HASHES:
        lab = Imagelab(data_path=str(folder))
        lab.find_issues(
            {"exact_duplicates": {}, "near_duplicates": {"hash_size": side}}, verbose=False
        )
        pairs = []
        for kind in ("exact_duplicates", "near_duplicates"):
            for group in lab.info[kind].get("sets", []):
                names = [str(Path(path).relative_to(folder)) for path in group]
                pairs += [ordered(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        yield f"cleanvision, hash of side {side}", pairs


def run_fastdup(folder: Path) -> Settings:
    """Neighbours an image (default 2) and least similarity of a pair."""
    import fastdup

    for count in FASTDUP_NEIGHBORS:
        with tempfile.TemporaryDirectory() as work:
            lab = fastdup.create(work_dir=work, input_dir=str(folder))
            lab.run(
                threshold=0.7,
                nearest_neighbors_k=count,
                overwrite=True,
                verbose=False,
                print_summary=False,
            )
            table = lab.similarity()
            for threshold in FASTDUP_THRESHOLDS:
                rows = table[table["distance"] >= threshold]
                # It writes the paths without their first slash.
                names = [
                    [str(name).partition(f"{folder.name}/")[2] for name in rows[column]]
                    for column in ("filename_from", "filename_to")
                ]
                pairs = [ordered(a, b) for a, b in zip(*names, strict=True)]
                yield f"fastdup, {count} neighbours, >= {threshold}", pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    peers: dict[str, Callable[[Path], Settings]] = {
        "imagededup": run_imagededup,
        "cleanvision": run_cleanvision,
        "fastdup": run_fastdup,
    }
    parser.add_argument("--peers", nargs="+", choices=list(peers), default=list(peers))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--detail", action="store_true", help="recall by transform of each line")
    args = parser.parse_args()
    truth = copies_truth(args.data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        for image, path in copies_and_clothing(args.data, Path(name)).items():
            copy = folder / image
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        for peer in args.peers:
            wall, cpu = time.perf_counter(), _processor_seconds()
            try:
                for title, pairs in peers[peer](folder):
                    for how, counted in (("", set(pairs)), (", closed", close_pairs(pairs))):
                        score_copies(truth, counted, title + how, detail=args.detail)
            except Exception as error:  # a peer that does not install must not stop the rest
                print(f"{peer}: {type(error).__name__}: {error}")
            print(
                f"{peer}, all settings: {_processor_seconds() - cpu:.1f} s processor, "
                f"{time.perf_counter() - wall:.1f} s wall"
            )


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = os.times()
    return spent.user + spent.system + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
