"""Duplicates: recall and precision on copies and on judged pairs, time at scale, and the peers.

    python benchmarks/duplicates.py copies     # copies_a with clothing_a as hard negatives
    python benchmarks/duplicates.py cifar      # neardup_cifar_a against its judged pairs
    python benchmarks/duplicates.py grocery    # time and what is reported on photos with bursts
    python benchmarks/duplicates.py scale      # 57,000 images from fingerprints; synthetic vectors
    python benchmarks/duplicates.py peers      # imagededup, cleanvision, fastdup where installed

Times are processor seconds and wall-clock seconds of the duplicates step after embedding.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import resource
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def paths_of(data: Path, name: str, folder: Path) -> dict[str, Path]:
    """Return name → path of a set's pictures; zips are unpacked below ``folder``."""
    table = "truth.csv" if name == "copies_a" else "images.csv"
    root = data / name
    if (root / "images.zip").exists():
        root = folder / name
        with zipfile.ZipFile(data / name / "images.zip") as archive:
            archive.extractall(root)
    return {row["image"]: root / row["image"] for row in read_rows(data / name / table)}


def describe(paths: Sequence[Path], cache: Path) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Return fingerprints and embeddings (shipped backbone), computed once."""
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.adapters.fingerprints import FingerprintReader
    from vernis.adapters.pixels import decode

    names = "\n".join(f"{path} {path.stat().st_size}" for path in paths)
    stored = cache / f"duplicates-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npz"
    if not stored.exists():
        backbone = open_backbone()
        readers = [FingerprintReader().open(), backbone.reader().open()]
        both = [[read(pixels) for read in readers] for pixels in map(decode, paths)]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(stored, prints=[b[0] for b in both], vectors=[b[1] for b in both])
    loaded = np.load(stored)
    return loaded["prints"], loaded["vectors"]


def search(
    prints: NDArray[np.uint8], vectors: NDArray[np.float16] | None, threshold: float | None = None
):
    """Run the near search and print its time; returns NearPairs."""
    from vernis.core.clean.near_fingerprints import unpack_fingerprints
    from vernis.core.clean.near_pairs import NearSettings, find_near_pairs

    settings = NearSettings()
    if threshold is not None:
        settings = NearSettings(threshold, min(threshold, settings.bridged_threshold))
    wall, cpu = time.perf_counter(), time.process_time()
    found = find_near_pairs(unpack_fingerprints(prints), vectors, settings)
    print(
        f"{len(prints):,} images, {len(found.pairs):,} pairs >= {settings.threshold}: "
        f"{time.process_time() - cpu:.1f} s processor, {time.perf_counter() - wall:.1f} s wall"
    )
    return found


def grouped_pairs(names: Sequence[str], found) -> set[Pair]:
    """Return the pairs within complete-link groups."""
    from vernis.core.clean.duplicate_groups import group_complete_link

    groups = group_complete_link(len(names), found.pairs, found.similarity)
    where = {item: number for number, group in enumerate(groups) for item in group}
    return {
        ordered(names[a], names[b])
        for a, b in found.pairs.tolist()
        if where.get(a, -1) == where.get(b, -2)
    }


def ordered(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def copies_truth(data: Path) -> dict[Pair, tuple[str, str]]:
    """Return the true pairs of copies_a with the transforms of their two images."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in read_rows(data / "copies_a" / "truth.csv"):
        groups[row["group"]].append((row["image"], row["transform"] or "original"))
    return {
        ordered(a, b): (s, t)
        for members in groups.values()
        for i, (a, s) in enumerate(members)
        for b, t in members[i + 1 :]
    }


def score_copies(truth: dict[Pair, tuple[str, str]], found: Iterable[Pair], title: str) -> None:
    """Print recall, precision, and recall over the pairs that involve each transform."""
    reported = set(found)
    right = reported & truth.keys()
    recall, precision = len(right) / len(truth), len(right) / max(1, len(reported))
    print(f"{title}: pair recall {recall:.4f}, precision {precision:.4f} ({len(reported)} pairs)")
    for name in sorted({t for pair in truth.values() for t in pair}):
        having = [pair for pair, transforms in truth.items() if name in transforms]
        print(f"    {name:12} {sum(pair in right for pair in having) / len(having):.4f}")


def copies_and_clothing(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    paths = paths_of(args.data, "copies_a", folder)
    return paths | {
        f"clothing/{name}": path for name, path in paths_of(args.data, "clothing_a", folder).items()
    }


def run_copies(args: argparse.Namespace, folder: Path) -> None:
    paths = copies_and_clothing(args, folder)
    names = list(paths)
    prints, vectors = describe(list(paths.values()), args.cache)
    truth = copies_truth(args.data)
    found = search(prints, vectors, args.threshold)
    score_copies(truth, grouped_pairs(names, found), "Vernis (complete-link groups)")
    print("thresholds on single pairs:")
    every = search(prints, vectors, 0.6)
    for threshold in (0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        kept = every.pairs[every.similarity >= threshold].tolist()
        right = sum(ordered(names[a], names[b]) in truth for a, b in kept)
        print(
            f"    {threshold:.2f} recall {right / len(truth):.4f} precision "
            f"{right / max(1, len(kept)):.4f} wrong {len(kept) - right}"
        )


def run_cifar(args: argparse.Namespace, folder: Path) -> None:
    paths = paths_of(args.data, "neardup_cifar_a", folder)
    names = list(paths)
    prints, vectors = describe(list(paths.values()), args.cache)
    judged = {
        ordered(row["image_a"], row["image_b"]): row["judgment"]
        for row in read_rows(args.data / "neardup_cifar_a" / "pairs.csv")
    }
    found = search(prints, vectors, 0.5)
    order = np.argsort(-found.similarity, kind="stable")
    rows = [ordered(names[a], names[b]) for a, b in found.pairs[order].tolist()]
    values = found.similarity[order]
    # Pairs of two training pictures were never judged: the lists name, for each test picture, the
    # nearest training picture. They say nothing for or against.
    judgeable = [i for i, (a, b) in enumerate(rows) if a.startswith("test") or b.startswith("test")]
    for title, kept in (("all pairs", range(len(rows))), ("pairs with a test picture", judgeable)):
        marks = np.array([judged.get(rows[i], "") for i in kept])
        print(f"{title}: {len(marks)} at 0.5, of them judged {np.sum(marks != '')}")
        precision = np.cumsum(marks != "") / np.arange(1, len(marks) + 1)
        for least in (0.95, 0.9, 0.8):
            good = np.flatnonzero(precision >= least)
            count = int(good[-1]) + 1 if len(good) else 0
            recalls = [
                np.sum(marks[:count] == j) / sum(v == j for v in judged.values()) for j in "12"
            ]
            limit = values[list(kept)[count - 1]] if count else 1.0
            print(
                f"    precision {least}: threshold {limit:.3f}, recall of judgement 1 "
                f"{recalls[0]:.3f}, of judgement 2 {recalls[1]:.3f}"
            )


def run_grocery(args: argparse.Namespace, folder: Path) -> None:
    paths = paths_of(args.data, "grocery", folder)
    prints, vectors = describe(list(paths.values()), args.cache)
    found = search(prints, vectors, args.threshold)
    for threshold in (0.85, 0.9, 0.95):
        print(f"    pairs >= {threshold}: {int((found.similarity >= threshold).sum())}")


def tile_photos(paths: Sequence[Path], count: int) -> NDArray[np.uint8]:
    """Return fingerprints of the nine disjoint tiles of photos: real, different pictures."""
    from vernis.adapters.fingerprints import compute_fingerprint
    from vernis.adapters.pixels import decode

    rows: list[NDArray[np.uint8]] = []
    for path in paths:
        pixels = decode(path)
        height, width = pixels.shape[0] // 3, pixels.shape[1] // 3
        for y in range(0, 3 * height, height):
            for x in range(0, 3 * width, width):
                rows.append(compute_fingerprint(pixels[y : y + height, x : x + width]))
        if len(rows) >= count:
            break
    return np.stack(rows[:count])


def plant_copies(
    prints: NDArray[np.uint8], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return mirrored, noisy, brighter or darker copies, and of which row each is one."""
    from vernis.core.clean.near_fingerprints import LUMA_SIDE, LUMA_SIZE

    source = np.sort(rng.choice(len(prints), count, replace=False))
    copies = prints[source].copy()
    luma = copies[:, :LUMA_SIZE].reshape(-1, LUMA_SIDE, LUMA_SIDE).astype(np.float32)
    luma[::2] = luma[::2, :, ::-1]
    luma = luma * rng.uniform(0.8, 1.1, (count, 1, 1)) + rng.normal(0, 2, luma.shape)
    copies[:, :LUMA_SIZE] = luma.clip(0, 255).round().reshape(count, -1).astype(np.uint8)
    chroma = copies[:, LUMA_SIZE:-2].reshape(count, 2, 16, 16)
    chroma[::2] = chroma[::2, :, :, ::-1].copy()
    return copies, source


def stand_in_vectors(prints: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Return small colour pictures as vectors: of the cost of embeddings, without a network."""
    from vernis.core.clean.near_fingerprints import shrink, unpack_fingerprints

    known = unpack_fingerprints(prints)
    grey = shrink(known.luma, 8).reshape(len(prints), -1)
    color = known.chroma.reshape(-1, 2, 4, 4, 4, 4).mean(axis=(3, 5)).reshape(len(prints), -1)
    both = np.concatenate([grey, 2 * color, np.zeros((len(prints), 1184))], axis=1)
    return both.astype(np.float16)


def run_scale(args: argparse.Namespace, folder: Path) -> None:
    from vernis.core.explore.neighbors import build_cells, normalize_rows, search_cells

    rng = np.random.default_rng(0)
    for count in args.counts:
        if count > 100_000:
            centers = rng.normal(size=(2_000, 64)).astype(np.float32)
            some = centers[rng.integers(0, len(centers), count)]
            some += rng.normal(size=some.shape).astype(np.float32)
            unit = normalize_rows(some)
            wall, cpu = time.perf_counter(), time.process_time()
            search_cells(build_cells(unit), unit, 8)
            print(
                f"{count:,} synthetic vectors × 64, 8 neighbours by cells: "
                f"{time.process_time() - cpu:.0f} s processor, "
                f"{time.perf_counter() - wall:.0f} s wall, peak memory {peak_gigabytes():.1f} GB"
            )
            continue
        planted = count // 20
        photos = list(paths_of(args.data, "grocery", folder).values())
        photos += list(paths_of(args.data, "aquarium", folder).values())
        tiles = tile_photos(photos, count - planted)
        copies, source = plant_copies(tiles, planted, rng)
        prints = np.concatenate([tiles, copies])
        found = search(prints, stand_in_vectors(prints), args.threshold)
        wanted = set(zip(source.tolist(), range(len(tiles), len(prints)), strict=True))
        hit = len(wanted & {(a, b) for a, b in found.pairs.tolist()})
        print(
            f"    {planted:,} planted copies, {hit / planted:.4f} found; "
            f"peak memory {peak_gigabytes():.1f} GB"
        )


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def peer_imagededup(folder: Path) -> dict[str, Sequence[Pair]]:
    from imagededup.methods import PHash

    result = {}
    for distance in (4, 8, 12):
        found = PHash().find_duplicates(
            image_dir=str(folder), max_distance_threshold=distance, recursive=True
        )
        result[f"imagededup PHash <= {distance}"] = [
            ordered(a, b) for a, others in found.items() for b in others
        ]
    return result


def peer_cleanvision(folder: Path) -> dict[str, Sequence[Pair]]:
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}})
    pairs = []
    for kind in ("exact_duplicates", "near_duplicates"):
        for group in lab.info[kind].get("sets", []):
            names = [str(Path(path).relative_to(folder)) for path in group]
            pairs += [ordered(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {"cleanvision": pairs}


def peer_fastdup(folder: Path) -> dict[str, Sequence[Pair]]:
    import fastdup

    result = {}
    with tempfile.TemporaryDirectory() as work:
        lab = fastdup.create(work_dir=work, input_dir=str(folder))
        lab.run(threshold=0.7, overwrite=True, verbose=False)
        table = lab.similarity()
        for threshold in (0.8, 0.85, 0.9, 0.95):
            rows = table[table["distance"] >= threshold]
            pairs = zip(rows["filename_from"], rows["filename_to"], strict=True)
            result[f"fastdup >= {threshold}"] = [
                ordered(*(str(Path(p).relative_to(folder)) for p in pair)) for pair in pairs
            ]
    return result


def run_peers(args: argparse.Namespace, folder: Path) -> None:
    paths = copies_and_clothing(args, folder)
    flat = folder / "flat"
    for name, path in paths.items():
        link = flat / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_bytes(path.read_bytes())
    truth = copies_truth(args.data)
    peers: list[Callable[[Path], dict[str, Sequence[Pair]]]] = [
        peer_imagededup,
        peer_cleanvision,
        peer_fastdup,
    ]
    for peer in peers:
        wall = time.perf_counter()
        try:
            found = peer(flat)
        except Exception as error:  # a peer that does not install or run must not stop the rest
            print(f"{peer.__name__}: {type(error).__name__}: {error}")
            continue
        print(f"{peer.__name__}: {time.perf_counter() - wall:.1f} s wall")
        for title, pairs in found.items():
            score_copies(truth, pairs, title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {
        "copies": run_copies,
        "cifar": run_cifar,
        "grocery": run_grocery,
        "scale": run_scale,
        "peers": run_peers,
    }
    parser.add_argument("what", choices=what)
    data = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vernis-bench")
    parser.add_argument("--threshold", type=float, default=None, help="default: Vernis's own")
    parser.add_argument("--counts", type=int, nargs="+", default=[57_000, 1_000_000])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        what[args.what](args, Path(folder))


if __name__ == "__main__":
    main()
