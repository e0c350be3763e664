"""Clusters and outliers on real pictures, beside what scikit-learn offers.

``clusters``: k-means on the whole pooled vector and on 50 principal components, and the density
method, held against the coarse classes of grocery (43), which neither has seen: adjusted Rand,
V-measure, silhouette, processor time.

``outliers``: foreign pictures (clothing, aquarium) are put among those of grocery; average
precision of finding them, mean over seeds: distance to the nearest others (as ``vernis outliers``
does it), local outlier factor, isolation forest, and single linkage as SelfClean uses it (Gröger et
al. 2023: in which order pictures join the largest group), all on the same vectors.

``leakage``: pairs and affected test pictures of grocery over thresholds of similarity.

Run: ``python benchmarks/clusters.py clusters|outliers|leakage --collections FOLDER`` where FOLDER
holds ``grocery.vernis``, ``clothing_a.vernis``, ``aquarium.vernis`` (each made by ``vernis run``).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score, average_precision_score, v_measure_score

from vernis import Collection
from vernis.core.explore.clusters import cluster_by_density, fit_kmeans
from vernis.core.explore.outliers import choose_neighbors, score_outliers
from vernis.core.explore.silhouettes import measure_silhouettes
from vernis.core.numeric.components import project_rows
from vernis.verbs.see.leaked_pairs import find_leakage


def read(folder: Path, name: str, taxonomy: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors and class codes."""
    with Collection.open(folder / f"{name}.vernis", read_only=True) as collection:
        catalog = collection.catalog
        session = collection.session
        vectors = session.vectors(session.space()).search_vectors()
        if not taxonomy:
            return vectors, np.zeros(len(vectors), dtype=int)
        return vectors, catalog.labels.matrix(taxonomy).values.argmax(axis=1)


def compare_clusters(folder: Path, seeds: int) -> None:
    unit, truth = read(folder, "grocery", "coarse")
    print("| method | k | adjusted Rand | V-measure | silhouette (there) | s |")
    print("|---|---|---|---|---|---|")
    spaces = {"pooled, 1,280": unit, "50 components": project_rows(unit, 50)}
    for k in (8, 20, 43):
        for name, points in spaces.items():
            rows = []
            for seed in range(seeds):
                start = time.process_time()
                codes, _ = fit_kmeans(points, k, seed=seed)
                seconds = time.process_time() - start
                inside = measure_silhouettes(points, [codes], seed=seed).mean()[0]
                rows.append((*agreement(truth, codes), inside, seconds))
            show(f"k-means, {name}", k, rows)
    start = time.process_time()
    codes = cluster_by_density(project_rows(unit, 20), max(5, len(unit) // 250))
    seconds = time.process_time() - start
    inside = codes >= 0
    rows = [(*agreement(truth[inside], codes[inside]), float("nan"), seconds)]
    noise = f"density, the {inside.mean():.0%} that are no noise"
    show(noise, len(set(codes[inside].tolist())), rows)


def agreement(truth: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    return adjusted_rand_score(truth, codes), v_measure_score(truth, codes)


def show(name: str, k: int, rows: list[tuple[float, ...]]) -> None:
    mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean[:2], spread[:2], strict=True)]
    print(f"| {name} | {k} | {' | '.join(cells)} | {mean[2]:.3f} | {mean[3]:.2f} |")


def join_order(unit: np.ndarray) -> np.ndarray:
    """Score pictures by the distance at which single linkage joins them to the largest group."""
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(unit, "single")
    order = np.zeros(len(unit))
    # The height at which each point first lies in the component that is the largest in the end.
    heights = np.quantile(tree[:, 2], np.linspace(0.5, 1.0, 200))
    for height in heights[::-1]:
        codes = fcluster(tree, height, "distance")
        largest = np.bincount(codes).argmax()
        order[codes == largest] = height
    return order


def compare_outliers(folder: Path, seeds: int) -> None:
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor

    home, _ = read(folder, "grocery")
    strangers = {name: read(folder, name)[0] for name in ("clothing_a", "aquarium")}
    methods = {
        "vernis outliers": lambda x: -score_outliers(x).scores,
        "the same, 5 neighbours": lambda x: -score_outliers(x, n_neighbors=5).scores,
        "single linkage (SelfClean)": join_order,
        "local outlier factor, 20": lambda x: (
            -LocalOutlierFactor(20).fit(x).negative_outlier_factor_
        ),
        "isolation forest": lambda x: -IsolationForest(random_state=0).fit(x).score_samples(x),
    }
    print(f"{len(home):,} pictures, {choose_neighbors(len(home))} neighbours, {seeds} seeds")
    print("| foreign pictures | " + " | ".join(methods) + " |")
    print("|---|" + "---|" * len(methods))
    seconds = dict.fromkeys(methods, 0.0)
    flagged = []
    for name, others in strangers.items():
        for count in (30, 100):
            precision: dict[str, list[float]] = {method: [] for method in methods}
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                mixed = np.concatenate([home, others[rng.choice(len(others), count, False)]])
                foreign = np.arange(len(mixed)) >= len(home)
                for method, score in methods.items():
                    start = time.process_time()
                    found = score(mixed)
                    seconds[method] += time.process_time() - start
                    precision[method].append(average_precision_score(foreign, found))
                hit = score_outliers(mixed).flagged
                flagged.append((hit[foreign].mean(), hit[~foreign].mean()))
            cells = [f"{np.mean(p):.3f} ± {np.std(p):.3f}" for p in precision.values()]
            print(f"| {count} of {name} | {' | '.join(cells)} |")
    print("| s a run | " + " | ".join(f"{s / (4 * seeds):.1f}" for s in seconds.values()) + " |")
    caught, accused = np.mean(flagged, axis=0)
    print(f"flagged by vernis: {caught:.0%} of the foreign, {accused:.1%} of the own pictures")


def compare_leakage(folder: Path) -> None:
    with Collection.open(folder / "grocery.vernis", read_only=True) as collection:
        space = collection.session.space()
        print(
            "| pairs of cosine from | across splits | test pictures with one in train |\n"
            "|---|---|---|"
        )
        for least in (None, 0.98, 0.95, 0.92, 0.9):
            found = find_leakage(collection.session, space=space, similarity=least)
            hit = found.affected.get(("test", "train"), 0)
            share = hit / found.splits["test"]
            print(f"| {least or 'duplicates only'} | {len(found.pairs)} | {hit} ({share:.1%}) |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["clusters", "outliers", "leakage"])
    parser.add_argument("--collections", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if options.what == "clusters":
        compare_clusters(options.collections, options.seeds)
    elif options.what == "outliers":
        compare_outliers(options.collections, options.seeds)
    else:
        compare_leakage(options.collections)


if __name__ == "__main__":
    main()
