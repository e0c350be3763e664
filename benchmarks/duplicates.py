"""Duplicates: recall and precision on copies and on judged pairs, and time at scale.

    python benchmarks/duplicates.py copies     # copies_a with clothing_a as hard negatives
    python benchmarks/duplicates.py cifar      # neardup_cifar_a against its judged pairs
    python benchmarks/duplicates.py grocery    # what is reported on photos with bursts, and time
    python benchmarks/duplicates.py mixture    # all development sets in one search: time
    python benchmarks/duplicates.py edits      # edits drawn from families, and variants
    python benchmarks/duplicates.py scale      # 57,000 pictures; --counts 1000000: synthetic ones

Times are processor seconds and wall-clock seconds of the search after embedding; fingerprints and
embeddings are made before, once, and kept in ``--cache``. benchmarks/duplicate_peers.py runs the
peers.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duplicate_truth import (
    DATA,
    Pair,
    copies_and_clothing,
    copies_truth,
    ordered,
    paths_of,
    read_rows,
    score_copies,
)

SETS = (
    "grocery",
    "cifar10n_a",
    "neardup_cifar_a",
    "copies_a",
    "aquarium",
    "coco128_a",
    "clothing_a",
)
TILES = 3


def describe(
    paths: Sequence[Path], cache: Path, tiles: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Return fingerprints and embeddings as the product makes and searches them.

    Made on threads, once, and kept. Of each picture ``tiles`` × ``tiles`` disjoint parts.
    """
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.adapters.fingerprints import compute_fingerprint
    from vernis.adapters.pixels import decode
    from vernis.session.vectors import search_columns

    reader = open_backbone().reader()
    names = "\n".join(f"{'/'.join(path.parts[-3:])} {path.stat().st_size}" for path in paths)
    digest = hashlib.sha256(f"{names} {tiles} {reader.space}".encode()).hexdigest()[:16]
    stored = cache / f"duplicates-{digest}.npz"
    if not stored.exists():

        def describe_block(block: Sequence[Path]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
            embed = reader.open()
            return [
                (compute_fingerprint(part), embed(part)[search_columns(reader.space)])
                for pixels in map(decode, block)
                for part in cut_tiles(pixels, tiles)
            ]

        blocks = [paths[start : start + 256] for start in range(0, len(paths), 256)]
        with (
            spent(f"preparation of {len(paths) * tiles**2:,} pictures"),
            ThreadPoolExecutor() as pool,
        ):
            rows = [row for block in pool.map(describe_block, blocks) for row in block]
        cache.mkdir(parents=True, exist_ok=True)
        part = stored.with_suffix(".part.npz")
        np.savez(part, prints=[print_ for print_, _ in rows], vectors=[v for _, v in rows])
        part.replace(stored)
    loaded = np.load(stored)
    return loaded["prints"], loaded["vectors"]


def cut_tiles(pixels: NDArray[np.uint8], tiles: int) -> list[NDArray[np.uint8]]:
    height, width = pixels.shape[0] // tiles, pixels.shape[1] // tiles
    return [
        np.ascontiguousarray(pixels[y * height : (y + 1) * height, x * width : (x + 1) * width])
        for y in range(tiles)
        for x in range(tiles)
    ]


@contextmanager
def spent(title: str) -> Iterator[None]:
    """Print the processor and wall-clock seconds of a block."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(
        f"{title}: {time.process_time() - cpu:.1f} s processor, "
        f"{time.perf_counter() - wall:.1f} s wall",
        flush=True,
    )


def look_closer(paths: Sequence[Path], prints: NDArray[np.uint8], cache: Path):
    """Return the CloseLook of pictures; their keypoints are made once and kept."""
    from vernis.adapters.keypoints import KEYPOINT_SPACE, compute_keypoints, shrink_to_view
    from vernis.adapters.pixels import decode
    from vernis.core.copies.close_look import CloseLook
    from vernis.core.copies.fingerprints import unpack_fingerprints

    names = "\n".join(f"{'/'.join(path.parts[-3:])} {path.stat().st_size}" for path in paths)
    digest = hashlib.sha256(f"{names} {KEYPOINT_SPACE}".encode()).hexdigest()[:16]
    stored = cache / f"keypoints-{digest}.npy"
    if not stored.exists():
        with spent(f"keypoints of {len(paths):,} pictures"), ThreadPoolExecutor() as pool:
            records = np.stack(list(pool.map(lambda path: compute_keypoints(decode(path)), paths)))
        cache.mkdir(parents=True, exist_ok=True)
        np.save(stored, records)
    fingerprints = unpack_fingerprints(prints)
    return CloseLook(np.load(stored), fingerprints, lambda row: shrink_to_view(decode(paths[row])))


def search(
    prints: NDArray[np.uint8],
    vectors: NDArray[np.float16] | None,
    threshold: float | None = None,
    closer=None,
):
    """Run the near search and print its time; returns the copies among the NearPairs."""
    from vernis.core.copies.fingerprints import unpack_fingerprints
    from vernis.core.copies.pairs import NearSettings, find_near_pairs

    settings = NearSettings()
    if threshold is not None:
        settings = NearSettings(threshold, min(threshold, settings.bridged_threshold))
    with spent(f"search among {len(prints):,} images"):
        found = find_near_pairs(unpack_fingerprints(prints), vectors, settings, closer=closer)
    variants = f", and {found.variants.sum():,} of variants" if closer is not None else ""
    found = found.copies()
    print(f"    {len(found.pairs):,} pairs >= {settings.threshold}{variants}")
    return found


def grouped_pairs(names: Sequence[str], found) -> set[Pair]:
    """Return the pairs within complete-link groups."""
    from vernis.core.copies.groups import group_complete_link

    groups = group_complete_link(len(names), found.pairs, found.similarity)
    where = {item: number for number, group in enumerate(groups) for item in group}
    return {
        ordered(names[a], names[b])
        for a, b in found.pairs.tolist()
        if where.get(a, -1) == where.get(b, -2)
    }


def run_copies(args: argparse.Namespace, folder: Path) -> None:
    paths = copies_and_clothing(args.data, folder)
    names = list(paths)
    prints, vectors = describe(list(paths.values()), args.cache)
    truth = copies_truth(args.data)
    closer = look_closer(list(paths.values()), prints, args.cache)
    found = search(prints, vectors, args.threshold, closer)
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
    # Pairs of two training pictures were never judged: the lists name, for each test picture, the
    # nearest training picture. They say nothing for or against.
    kept = [i for i, (a, b) in enumerate(rows) if a.startswith("test") or b.startswith("test")]
    marks = np.array([judged.get(rows[i], "") for i in kept])
    values = found.similarity[order][kept]
    totals = [sum(mark == j for mark in judged.values()) for j in "12"]
    print(f"{len(rows)} pairs, {len(kept)} with a test picture, {np.sum(marks != '')} listed")

    def tell(title: str, count: int) -> None:
        first, second = (np.sum(marks[:count] == j) / n for j, n in zip("12", totals, strict=True))
        limit = values[count - 1] if count else 1.0
        print(
            f"    {title:15} similarity >= {limit:.3f}: recall of judgement 1 {first:.3f}, of "
            f"judgement 2 {second:.3f}, unlisted pairs {np.sum(marks[:count] == '')}"
        )

    precision = np.cumsum(marks != "") / np.arange(1, len(marks) + 1)
    for least in (0.95, 0.9, 0.8):
        good = np.flatnonzero(precision >= least)
        tell(f"precision {least}", int(good[-1]) + 1 if len(good) else 0)
    for threshold in (0.95, 0.9, 0.85, 0.8, 0.7, 0.6):
        tell(f"threshold {threshold}", int(np.sum(values >= threshold)))


def run_grocery(args: argparse.Namespace, folder: Path) -> None:
    paths = paths_of(args.data, "grocery", folder)
    prints, vectors = describe(list(paths.values()), args.cache)
    search(prints, vectors, args.threshold)
    closer = look_closer(list(paths.values()), prints, args.cache)
    found = search(prints, vectors, args.threshold, closer)
    for threshold in (0.85, 0.9, 0.95):
        print(f"    pairs >= {threshold}: {int((found.similarity >= threshold).sum())}")


def plant_copies(
    prints: NDArray[np.uint8], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return mirrored, noisy, brighter or darker copies, and of which row each is one."""
    from vernis.core.copies.fingerprints import LUMA_SIDE, LUMA_SIZE

    source = np.sort(rng.choice(len(prints), count, replace=False))
    copies = prints[source].copy()
    luma = copies[:, :LUMA_SIZE].reshape(-1, LUMA_SIDE, LUMA_SIDE).astype(np.float32)
    luma[::2] = luma[::2, :, ::-1]
    luma = luma * rng.uniform(0.8, 1.1, (count, 1, 1)) + rng.normal(0, 2, luma.shape)
    copies[:, :LUMA_SIZE] = luma.clip(0, 255).round().reshape(count, -1).astype(np.uint8)
    chroma = copies[:, LUMA_SIZE:-2].reshape(count, 2, 16, 16)
    chroma[::2] = chroma[::2, :, :, ::-1].copy()
    return copies, source


def run_mixture(args: argparse.Namespace, folder: Path) -> None:
    prints, vectors = [], []
    for name in SETS:
        both = describe(list(paths_of(args.data, name, folder).values()), args.cache)
        prints.append(both[0])
        vectors.append(both[1])
    search(np.concatenate(prints), np.concatenate(vectors), args.threshold)


def run_scale(args: argparse.Namespace, folder: Path) -> None:
    for count in args.counts:
        if count > 100_000:
            time_synthetic(args, folder, count)
        else:
            time_tiles(args, folder, count)


def time_tiles(args: argparse.Namespace, folder: Path, count: int) -> None:
    """Search disjoint tiles of photos, 5 % of them planted as copies, with real embeddings.

    A planted copy has its original's embedding, disturbed.
    """
    photos = [path for name in SETS[:1] for path in paths_of(args.data, name, folder).values()]
    photos += list(paths_of(args.data, "aquarium", folder).values())
    planted = count // 20
    needed = -(-(count - planted) // TILES**2)
    prints, vectors = describe(photos[:needed], args.cache, TILES)
    prints, vectors = prints[: count - planted], vectors[: count - planted]
    rng = np.random.default_rng(0)
    copies, source = plant_copies(prints, planted, rng)
    near = vectors[source].astype(np.float32)
    near += rng.normal(0, 0.3, near.shape) * near.std(axis=1, keepdims=True)
    everything = np.concatenate([prints, copies])
    found = search(everything, np.concatenate([vectors, near.astype(np.float16)]), args.threshold)
    report_planted(found.pairs, source, len(prints))


def report_planted(
    pairs: NDArray[np.int64], source: NDArray[np.int64], first: int, every: int = 1
) -> None:
    """Print how many of the planted copies are found, of each ``every``-th original."""
    planted = zip(source.tolist(), range(first, first + len(source)), strict=True)
    wanted = {(a, b) for a, b in planted if a % every == 0}
    hit = len(wanted & {(a, b) for a, b in pairs.tolist()})
    print(
        f"    {len(wanted):,} planted copies, {hit / len(wanted):.4f} found; "
        f"peak memory {peak_gigabytes():.1f} GB"
    )


def time_synthetic(args: argparse.Namespace, folder: Path, count: int) -> None:
    """Search drawn fingerprints with drawn vectors; verify a share of the candidates.

    A drawn fingerprint is the mean of two turned photos' fingerprints, so that each picture shares
    half of its content with hundreds of others; a drawn vector has 128 dimensions around one of
    2,000 centres. One in a hundred is a planted copy. Both searches for candidates run in full;
    the candidates of a share of the images are verified, chains are not followed.
    """
    from vernis.core.copies import pairs as near_pairs
    from vernis.core.copies.candidates import (
        describe_turns,
        propose_by_embedding,
        propose_by_turns,
    )
    from vernis.core.copies.cascade import Pyramid
    from vernis.core.copies.fingerprints import unpack_fingerprints

    base, _ = describe(list(paths_of(args.data, "grocery", folder).values()), args.cache)
    rng = np.random.default_rng(0)
    first = count - count // 100
    with spent(f"drawing {count:,} fingerprints and vectors"):
        prints, vectors = mix_fingerprints(base, count, rng), draw_vectors(count, rng)
        # In place: a second array of all fingerprints would double the peak.
        prints[first:], source = plant_copies(prints[:first], count - first, rng)
        noise = rng.normal(0, 0.02, (count - first, vectors.shape[1]))
        vectors[first:] = vectors[source] + noise
    fingerprints = unpack_fingerprints(prints)
    settings = near_pairs.NearSettings()
    with spent("candidates by turns, in full"):
        turned, _ = propose_by_turns(
            describe_turns(fingerprints.luma, seed=settings.seed), settings.turn_neighbors
        )
    with spent("candidates by embedding, in full"):
        near, _ = propose_by_embedding(vectors, settings.embedding_neighbors)
    with spent("pyramid of small pictures, in full"):
        pyramid = Pyramid.build(fingerprints)
    every = len(turned) + len(near)
    turned, near = (pairs[pairs[:, 0] % args.every == 0] for pairs in (turned, near))
    some = len(turned) + len(near)
    with spent(f"verification of {some:,} of {every:,} candidates"):
        found = near_pairs.verify_candidates(pyramid, turned, near, settings)
    report_planted(found.pairs, source, first, args.every)


def mix_fingerprints(
    base: NDArray[np.uint8], count: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return means of two fingerprints, the second one mirrored for every other picture."""
    from vernis.core.copies.fingerprints import LUMA_SIDE, LUMA_SIZE

    mirrored = base.copy()
    luma = mirrored[:, :LUMA_SIZE].reshape(-1, LUMA_SIDE, LUMA_SIDE)
    mirrored[:, :LUMA_SIZE] = luma[:, :, ::-1].reshape(-1, LUMA_SIZE)
    both = np.concatenate([base, mirrored])
    first, second = rng.integers(0, len(base), count), rng.integers(0, len(both), count)
    mixed = np.empty((count, base.shape[1]), dtype=np.uint8)
    for start in range(0, count, 8192):
        part = slice(start, start + 8192)
        mixed[part] = (base[first[part]] >> 1) + (both[second[part]] >> 1)
        mixed[part, -2:] = base[first[part], -2:]
    return mixed


def draw_vectors(count: int, rng: np.random.Generator) -> NDArray[np.float16]:
    centers = rng.normal(size=(2_000, 128)).astype(np.float32)
    vectors = np.empty((count, 128), dtype=np.float16)
    for start in range(0, count, 65_536):
        part = vectors[start : start + 65_536]
        drawn = centers[rng.integers(0, len(centers), len(part))]
        part[:] = drawn + rng.standard_normal(drawn.shape, dtype=np.float32)
    return vectors


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run_edits(args: argparse.Namespace, folder: Path) -> None:
    """Search copies edited at random beside variants, by the fingerprints and at a closer look.

    Each seed draws pictures of three sets, an edit of every family of each, and six variants of
    each template. Half of all pictures, told apart by a hash of their path, is for development;
    ``--held-out`` draws from the other half.
    """
    from copy_truth import draw_edits, report_edits, search_edits

    found = []
    for seed in args.seeds:
        drawn = draw_edits(args.data, seed, args.pictures, held_out=args.held_out)
        with spent(f"search of seed {seed}, {len(drawn):,} pictures"):
            found += search_edits(drawn)
    report_edits(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what: dict[str, Callable[[argparse.Namespace, Path], None]] = {
        "copies": run_copies,
        "cifar": run_cifar,
        "grocery": run_grocery,
        "mixture": run_mixture,
        "scale": run_scale,
        "edits": run_edits,
    }
    parser.add_argument("what", choices=what)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vernis-bench")
    parser.add_argument("--threshold", type=float, default=None, help="default: Vernis's own")
    parser.add_argument("--counts", type=int, nargs="+", default=[57_000])
    parser.add_argument("--every", type=int, default=50, help="past 100,000: verify one in so many")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102], help="of edits")
    parser.add_argument("--pictures", type=int, default=18, help="originals of edits, a seed")
    parser.add_argument("--held-out", action="store_true", help="edits of the half set aside")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        what[args.what](args, Path(folder))


if __name__ == "__main__":
    main()
