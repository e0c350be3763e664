"""Is the map as good as openTSNE's and scikit-learn's, and how long do 57,000 points take?

    python benchmarks/map.py NAME.vernis [MORE.vernis …] --points 5000
    python benchmarks/map.py NAME.vernis [MORE.vernis …] --points 57000 --only vernis opentsne
    python benchmarks/map.py NAME.vernis --cells

The vectors are those of the collections, joined and cut to ``--points``. Where there are fewer,
the rest is made of them: a point between a vector and one of its ten nearest, with noise of a
third of their distance. Every method gets the same 50 principal components and runs in a process
of its own, one after the other; times are of the processor and of the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from vernis import Collection
from vernis.core.explore import overlap, projection, tsne
from vernis.core.explore.map_quality import map_quality
from vernis.core.numeric.components import principal_components
from vernis.core.numeric.neighbors import nearest_within
from vernis.verbs.see.map_making import present_contents, read_map_data

METHODS = ("vernis", "opentsne", "opentsne-exact", "sklearn", "umap", "pca")
PERPLEXITY, ITERATIONS = 30, 500
JUDGED = 10_000  # points, each against all others, where there are more than 5,000


def read_vectors(folders: list[Path], points: int, seed: int) -> tuple[np.ndarray, int]:
    """Return the vectors, and how many of them are real."""
    rng = np.random.default_rng(seed)
    parts = []
    for folder in folders:
        with Collection.open(folder, read_only=True) as collection:
            session = collection.session
            contents = present_contents(session)
            parts.append(read_map_data(session, session.space(), contents).vectors)
    real = np.concatenate(parts)
    if len(real) >= points:
        return real[np.sort(rng.choice(len(real), points, replace=False))], points
    found = nearest_within(real, 10, seed=seed)
    first = rng.integers(0, len(real), points - len(real))
    second = found.indices[first, rng.integers(0, 10, len(first))]
    way = real[second] - real[first]
    noise = rng.standard_normal(way.shape, dtype=np.float32)
    noise *= np.linalg.norm(way, axis=1, keepdims=True) / (3 * way.shape[1] ** 0.5)
    made = real[first] + rng.uniform(0.2, 0.8, (len(first), 1)).astype(np.float32) * way + noise
    return np.concatenate([real, made.astype(np.float32)]), len(real)


def make_points(method: str, vectors: np.ndarray, seed: int) -> np.ndarray:
    """Return a map by one of the methods."""
    components = principal_components(vectors, 50, seed=seed).project(vectors)
    if method == "vernis":
        count = tsne.count_neighbors(PERPLEXITY, len(components))
        neighbors = projection.find_neighbors(components, count, seed=seed)
        states = tsne.tsne_states(
            components, neighbors, perplexity=PERPLEXITY, iterations=[ITERATIONS], seed=seed
        )
        return next(states)[1]
    if method == "pca":
        return projection.pca_points(components)
    if method == "umap":
        return projection.umap_points(components, seed=seed)
    if method == "sklearn":
        from sklearn import manifold

        peer = manifold.TSNE(
            perplexity=PERPLEXITY,
            metric="cosine",
            init="pca",
            max_iter=ITERATIONS + tsne.EXAGGERATED_ITERATIONS,
            n_jobs=-1,
            random_state=seed,
        )
        return peer.fit_transform(components)
    import openTSNE

    peer = openTSNE.TSNE(
        perplexity=PERPLEXITY,
        metric="cosine",
        n_iter=ITERATIONS,
        neighbors="exact" if method == "opentsne-exact" else "auto",
        n_jobs=tsne._threads(len(components)),  # as many as Vernis takes
        random_state=seed,
    )
    return np.asarray(peer.fit(components))


def run_one(method: str, vectors: Path, seed: int) -> None:
    """Make a map in this process and print what it cost and how good it is."""
    rows = np.load(vectors)
    began, used = time.perf_counter(), time.process_time()
    points = make_points(method, rows, seed)
    cost = {"clock": time.perf_counter() - began, "processor": time.process_time() - used}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    quality = map_quality(rows, points, seed=seed, sample=JUDGED)
    print(
        json.dumps(
            {
                **cost,
                "peak": peak,
                "T": quality.trustworthiness,
                "N": quality.preservation,
                "error": quality.preservation_error,
            }
        )
    )


def compare(folders: list[Path], points: int, methods: list[str], seeds: int) -> None:
    """Print the table of the methods."""
    for seed in range(seeds):
        vectors, real = read_vectors(folders, points, seed)
        print(f"\n{points:,} points of {vectors.shape[1]} dimensions ({real:,} real), seed {seed}")
        print(f"{'':16} processor   clock    ratio  peak GB      T      N (± error)")
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "vectors.npy"
            np.save(path, vectors)
            del vectors
            first = None
            for method in methods:
                done = subprocess.run(
                    [sys.executable, __file__, "--one", method, str(path), "--seed", str(seed)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                row = json.loads(done.stdout.splitlines()[-1])
                first = first or row["processor"]
                print(
                    f"{method:16} {row['processor']:8.1f}s {row['clock']:7.1f}s "
                    f"{row['processor'] / first:7.2f} {row['peak']:8.2f} {row['T']:7.4f} "
                    f"{row['N']:7.4f} ± {row['error']:.4f}",
                    flush=True,
                )


def measure_cells(folders: list[Path]) -> None:
    """Print how near the cells lie to the places, against the exact assignment."""
    vectors, _ = read_vectors(folders, 5421, 0)
    points = make_points("vernis", vectors, 0)
    for count in (1000, 2500, len(points)):
        rows = np.random.default_rng(0).choice(len(points), count, replace=False)
        began = time.process_time()
        tiling = overlap.tile_points(points[rows])
        spent = time.process_time() - began
        line = f"{count:6,} pictures: {spent:6.2f} s, {tiling.mean_way:.3f} cells away"
        if count <= 2500:
            places, columns, height = overlap._scaled(points[rows], 0.5)
            grid = np.stack(np.meshgrid(np.arange(columns), np.arange(height)), axis=-1)
            costs = ((places[:, None] - (grid.reshape(-1, 2) + 0.5)) ** 2).sum(axis=2)
            began = time.process_time()
            best = costs[linear_sum_assignment(costs)]
            line += f" (exact: {time.process_time() - began:.2f} s, {np.sqrt(best).mean():.3f})"
        kept = map_quality(vectors[rows], tiling.cells.astype(float) * [1, -1]).preservation
        before = map_quality(vectors[rows], points[rows]).preservation
        print(f"{line}; neighbours kept {before:.3f} on the map, {kept:.3f} on the cells")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collections", type=Path, nargs="*")
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS[:4]))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cells", action="store_true", help="measure the cells for the pictures")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one[0], Path(options.one[1]), options.seed)
    elif options.cells:
        measure_cells(options.collections)
    else:
        compare(options.collections, options.points, options.only, options.seeds)


if __name__ == "__main__":
    main()
