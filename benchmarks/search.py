"""Search: time, memory and recall against faiss and scikit-learn; precision@k; how to combine.

    python benchmarks/search.py speed NAME.vernis…      # 57,000 vectors grown from theirs
    python benchmarks/search.py million NAME.vernis…    # 1,000,000 vectors (14 GB of memory)
    python benchmarks/search.py million NAME.vernis… --n 100000
    python benchmarks/search.py precision NAME.vernis…  # precision@k of every taxonomy
    python benchmarks/search.py combine NAME.vernis     # rules for several examples

Vectors are grown from embeddings of real pictures: each is a mixture of two neighbours and noise,
which keeps the spectrum and the closeness of neighbours. Searches of one query at a time, as a
person asks; those of the peers and of Vernis are interleaved, and processor seconds are given
beside the clock's, so that other work on the machine does not decide.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vernis import Collection
from vernis.core.explore.search import ExactIndex, scan
from vernis.core.numeric.neighbors import nearest_neighbors
from vernis.core.numeric.rows import normalize_rows

Query = Callable[[NDArray[np.float32]], NDArray[np.int64]]
K = 10


def read_vectors(folders: list[str]) -> NDArray[np.float16]:
    """Return the distinct vectors of collections that share a space."""
    parts = []
    for folder in folders:
        with Collection.open(folder, read_only=True) as collection:
            hashes = dict.fromkeys(i.content_hash for i in collection.catalog.images.all())
            space = collection.session.space()
            parts.append(collection.catalog.vectors.read(space, list(hashes)))
    return np.concatenate(parts)


def grow(vectors: NDArray[np.float16], n: int, seed: int) -> NDArray[np.float16]:
    """Return n vectors: mixtures of a real one and one of its neighbours, with noise."""
    rng = np.random.default_rng(seed)
    unit = normalize_rows(vectors)
    near = nearest_neighbors(unit, unit, 8, exclude_self=True).indices
    # In blocks: a million float32 vectors are no guest of 16 GB.
    grown = np.empty((n, unit.shape[1]), dtype=np.float16)
    for start in range(0, n, 20_000):
        one = rng.integers(0, len(unit), min(20_000, n - start))
        other = near[one, rng.integers(0, 8, len(one))]
        share = rng.uniform(0, 0.5, (len(one), 1)).astype(np.float32)
        mixed = (1 - share) * unit[one] + share * unit[other]
        spread = np.abs(mixed).mean(axis=0) * 0.3
        mixed += spread * rng.standard_normal(mixed.shape, dtype=np.float32)
        grown[start : start + 20_000] = mixed
    return grown


def clock(function: Callable[[], object]) -> tuple[object, float, float]:
    """Return the result, seconds of the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def race(ways: dict[str, Query], queries: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
    """Ask every way each query in turn and print times, ratios and recall."""
    wall = {name: [] for name in ways}
    cpu = {name: [] for name in ways}
    hits = dict.fromkeys(ways, 0)
    for number, query in enumerate(queries):
        for name, ask in ways.items():
            found, seconds, processor = clock(lambda: ask(query[None]))  # noqa: B023
            if number:  # the first one warms up
                wall[name].append(seconds)
                cpu[name].append(processor)
            hits[name] += len(np.intersect1d(np.asarray(found), truth[number]))
    base = np.median(cpu[next(iter(ways))])
    print(f"{'':34}{'wall ms':>9}{'best ms':>9}{'cpu ms':>9}{'cpu ratio':>11}{'recall@10':>11}")
    for name in ways:
        print(
            f"{name:34}{1e3 * np.median(wall[name]):9.1f}{1e3 * np.min(wall[name]):9.1f}"
            f"{1e3 * np.median(cpu[name]):9.1f}{np.median(cpu[name]) / base:11.2f}"
            f"{hits[name] / truth.size:11.4f}"
        )


def speed(folders: list[str], n: int, queries: int, seed: int, *, peers: bool) -> None:
    import faiss

    from vernis.adapters.ann import ApproximateIndex

    vectors = grow(read_vectors(folders), n, seed)
    rng = np.random.default_rng(seed + 1)
    asked = normalize_rows(vectors[np.sort(rng.choice(n, queries, replace=False))])
    asked += 0.01 * rng.standard_normal(asked.shape, dtype=np.float32)
    asked = normalize_rows(asked)
    truth = np.stack([scan(query[None], vectors, K).rows for query in asked])
    print(f"{n:,} x {vectors.shape[1]} float16 ({vectors.nbytes / 1e6:,.0f} MB), seed {seed}")
    exact, wall, cpu = clock(lambda: ExactIndex(vectors))
    print(f"exact index: {wall:.1f} s wall, {cpu:.1f} s cpu, {exact.nbytes / 1e6:,.0f} MB beside")
    ways: dict[str, Query] = {
        "Vernis exact (index)": lambda q: exact.search(q, K).rows,
        "Vernis exact (no index)": lambda q: scan(q, vectors, K).rows,
    }
    if not peers:
        race(ways, asked, truth)
    with tempfile.TemporaryDirectory() as folder:

        def make() -> ApproximateIndex:
            return ApproximateIndex.open(Path(folder), "x", "f", vectors)

        _, wall, cpu = clock(make)
        size = (Path(folder) / "x.faiss").stat().st_size
        print(
            f"approximate index: made in {wall:.1f} s wall, {cpu:.1f} s cpu, {size / 1e6:,.0f} MB"
        )
        approximate, wall, _ = clock(make)
        print(
            f"  opened in {wall:.2f} s; {approximate.probes} cells a query, "
            f"recall it states {approximate.recall:.4f}"
        )
        ways["Vernis approximate"] = lambda q: approximate.search(q, K).rows
        if peers:
            from sklearn.neighbors import NearestNeighbors

            unit = normalize_rows(vectors)
            flat = faiss.IndexFlatIP(vectors.shape[1])
            flat.add(unit)
            brute = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(unit)
            hnsw = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
            _, wall, cpu = clock(lambda: hnsw.add(unit))
            print(f"faiss HNSW16 (peer): made in {wall:.1f} s wall, {cpu:.1f} s cpu")
            hnsw.hnsw.efSearch = 64
            ways |= {
                "faiss IndexFlatIP float32": lambda q: flat.search(q, K)[1][0],
                "faiss HNSW16, efSearch 64": lambda q: hnsw.search(q, K)[1][0],
                "scikit-learn brute cosine": lambda q: brute.kneighbors(q)[1][0],
                "NumPy product": lambda q: np.argsort(-(unit @ q[0]))[:K],
            }
        race(ways, asked, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak:.1f} GB (of all of them together)")


def precision(folders: list[str]) -> None:
    """Print precision@k: of the k images most similar to an image, how many share its label."""
    print(
        f"{'collection':14}{'taxonomy':10}{'images':>8}"
        + "".join(f"{f'@{k}':>8}" for k in (1, 4, 8, 16))
    )
    for folder in folders:
        with Collection.open(folder, read_only=True) as collection:
            catalog = collection.catalog
            space = collection.session.space()
            for taxonomy in catalog.labels.taxonomies():
                matrix = catalog.labels.matrix(taxonomy.name)
                labelled = matrix.image_ids[matrix.labelled]
                hashes = [image.content_hash for image in catalog.images.get(labelled)]
                vectors = catalog.vectors.read(space, hashes)
                found = nearest_neighbors(vectors, vectors, 16, exclude_self=True).indices
                yes = matrix.values[matrix.labelled] == 1
                shared = np.stack([(yes & yes[found[:, j]]).any(axis=1) for j in range(16)], axis=1)
                values = "".join(f"{shared[:, :k].mean():8.3f}" for k in (1, 4, 8, 16))
                print(f"{Path(folder).stem:14}{taxonomy.name:10}{len(labelled):8,}{values}")


def combine(folders: list[str], seed: int, k: int = 8) -> None:
    """Compare rules: three examples of a class, and the wrong ones of the first answer as counter.

    Examples and counter-examples themselves do not count as found.
    """
    rules: dict[str, Callable[..., NDArray[np.float32]]] = {
        "first example only": lambda p, _: p[:, 0],
        "all (mean)": lambda p, _: p.mean(axis=1),
        "any (largest)": lambda p, _: p.max(axis=1),
        "mean of both": lambda p, _: (p.mean(axis=1) + p.max(axis=1)) / 2,
    }
    for weight in (0.1, 0.25, 0.5, 0.75):
        rules[f"all - {weight} mean"] = lambda p, n, w=weight: p.mean(axis=1) - w * n.mean(axis=1)
        rules[f"any - {weight} mean"] = lambda p, n, w=weight: p.max(axis=1) - w * n.mean(axis=1)
        rules[f"all - {weight} largest"] = lambda p, n, w=weight: p.mean(axis=1) - w * n.max(axis=1)
    for folder in folders:
        with Collection.open(folder, read_only=True) as collection:
            catalog = collection.catalog
            space = collection.session.space()
            for taxonomy in catalog.labels.taxonomies():
                if taxonomy.kind != "single":
                    continue
                matrix = catalog.labels.matrix(taxonomy.name)
                labelled = matrix.image_ids[matrix.labelled]
                hashes = [image.content_hash for image in catalog.images.get(labelled)]
                unit = normalize_rows(catalog.vectors.read(space, hashes))
                labels = np.argmax(matrix.values[matrix.labelled] == 1, axis=1)
                _compare_rules(f"{Path(folder).stem} {taxonomy.name}", unit, labels, rules, seed, k)


def _compare_rules(
    name: str,
    unit: NDArray[np.float32],
    labels: NDArray[np.int64],
    rules: dict[str, Callable[..., NDArray[np.float32]]],
    seed: int,
    k: int,
) -> None:
    rng = np.random.default_rng(seed)
    plain: dict[str, list[float]] = {}
    corrected: dict[str, list[float]] = {}
    for row in rng.choice(len(unit), min(300, len(unit)), replace=False):
        same = np.flatnonzero((labels == labels[row]) & (np.arange(len(unit)) != row))
        if len(same) < 12:
            continue
        examples = [row, *rng.choice(same, 2, replace=False)]
        close = unit @ unit[examples].T

        def share(scores: NDArray[np.float32], left_out: list[int], label: int) -> float:
            scores = scores.copy()
            scores[left_out] = -np.inf
            return float((labels[np.argpartition(-scores, k)[:k]] == label).mean())

        first = close.mean(axis=1)
        first[examples] = -np.inf
        best = np.argsort(-first)[:k]
        wrong = [int(i) for i in best if labels[i] != labels[row]][:3]
        for rule, score in rules.items():
            if "-" not in rule:
                plain.setdefault(rule, []).append(share(score(close, None), examples, labels[row]))
            if wrong:
                value = share(score(close, unit @ unit[wrong].T), [*examples, *wrong], labels[row])
                corrected.setdefault(rule, []).append(value)
    print(f"{name}: precision@{k}, seed {seed}")
    for rule in rules:
        without = f"{np.mean(plain[rule]):.3f}" if rule in plain else "     "
        told = f"{np.mean(corrected[rule]):.3f} ({len(corrected[rule])})" if corrected else ""
        print(f"  {rule:22}{without}   after counter-examples {told}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "million", "precision", "combine"])
    parser.add_argument("collections", nargs="+", metavar="NAME.vernis")
    parser.add_argument("--n", type=int, help="default 57,000, of million 1,000,000")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if options.what == "speed":
        speed(options.collections, options.n or 57_000, options.queries, options.seed, peers=True)
    elif options.what == "million":
        speed(
            options.collections, options.n or 1_000_000, options.queries, options.seed, peers=False
        )
    elif options.what == "precision":
        precision(options.collections)
    else:
        combine(options.collections, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
