"""The toy study: decision boundaries and accuracies where a third of the labels is permuted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Progress, silent
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun
from vernis.workflows.lab.trial import Split, choose_models, members_of

SHAPES = ("half circles", "circles", "separable")
GRID = 48
"""Points along each side of the plane at which the decision is drawn."""


def draw_points(
    shape: str, n: int, permuted: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Return points (n, 2), their true classes (n,) and those with a share of labels permuted.

    ``permuted`` of the points exchange their labels among one another at random, so that about
    half of those end up wrong.
    """
    from sklearn.datasets import make_blobs, make_circles, make_moons

    state = int(np.random.default_rng([seed, SHAPES.index(shape)]).integers(2**31))
    if shape == "half circles":
        X, y = make_moons(n, noise=0.2, random_state=state)
    elif shape == "circles":
        X, y = make_circles(n, noise=0.1, factor=0.5, random_state=state)
    else:
        X, y = make_blobs(
            n, centers=[[-1.2, -0.6], [1.2, 0.6]], cluster_std=0.6, random_state=state
        )
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    given = y.copy()
    generator = np.random.default_rng([seed, 0x707])
    chosen = generator.permutation(n)[: round(permuted * n)]
    given[chosen] = given[generator.permutation(chosen)]
    return X.astype(np.float32), y.astype(np.intp), given.astype(np.intp)


def study_toys(
    arguments: Mapping[str, Any], *, out: Path | str | None, progress: Progress = silent
) -> dict[str, Any]:
    """Train every model on three shapes and draw what it decided; see ``vernis.lab.toy``."""
    from vernis.report.lab.toy_figure import draw_toys

    names, notes = choose_models(arguments["models"])
    run = StudyRun("toy", arguments, {"fingerprint": ""}, ("shape", "model"))
    folder = RunFolder.start(run, out)
    n_seeds, first = int(arguments["seeds"]), int(arguments["seed"])
    rows: list[Row] = []
    areas: dict[tuple[str, str], Any] = {}
    found: dict[tuple[str, str], list[float]] = {}
    total = len(SHAPES) * n_seeds * len(names)
    for shape in SHAPES:
        for seed in range(first, first + n_seeds):
            splits: list[Split] = []
            for name in names:
                key = {"shape": shape, "model": name, "seed": seed}
                compute = partial(_cell, splits, shape, name, names, arguments, seed, seed == first)
                (row,) = folder.cell(key, compute)
                found.setdefault((shape, name), []).append(row["accuracy"])
                if seed == first:
                    areas[shape, name] = row["area"]
                progress("lab toy", sum(map(len, found.values())), total)
        for name in names:
            values = found[shape, name]
            sd = float(np.std(values, ddof=1)) if n_seeds > 1 else None
            mean = float(np.mean(values))
            rows.append({"shape": shape, "model": name, "accuracy": mean, "accuracy_sd": sd})
    points = {
        shape: draw_points(shape, int(arguments["points"]), float(arguments["permuted"]), first)
        for shape in SHAPES
    }
    permuted = float(arguments["permuted"])
    draw = partial(draw_toys, points=points, areas=areas, permuted=permuted)
    table = folder.finish(rows, notes, draw=draw)
    return {"folder": str(folder.folder), "rows": table, "notes": list(notes)}


def plane(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Return the points of a grid over the plane (GRID², 2) and its extent."""
    low, high = X.min(axis=0) - 0.4, X.max(axis=0) + 0.4
    across, up = (np.linspace(low[i], high[i], GRID) for i in (0, 1))
    grid = np.stack([g.ravel() for g in np.meshgrid(across, up)], axis=1)
    return grid.astype(np.float32), (low[0], high[0], low[1], high[1])


def _cell(
    splits: list[Split],
    shape: str,
    name: str,
    names: tuple[str, ...],
    arguments: Mapping[str, Any],
    seed: int,
    with_area: bool,
) -> list[Row]:
    """Return the accuracy on 1,000 new points with true labels, and the decision on the grid."""
    n = int(arguments["points"])
    X, _, given = draw_points(shape, n, float(arguments["permuted"]), seed)
    X_test, truth, _ = draw_points(shape, 1000, 0.0, seed + 10_000)
    if not splits:
        grid, _ = plane(X)
        Y = np.eye(2, dtype=np.float32)[given]
        both = np.concatenate([X_test, grid])
        splits.append(Split("single", X, Y, np.arange(n), both, members_of(names), seed))
    probabilities = splits[0].outcome(name).probabilities
    accuracy = float((probabilities[:1000].argmax(axis=1) == truth).mean())
    area = np.round(probabilities[1000:, 1], 2).tolist() if with_area else None
    return [{"accuracy": accuracy, "area": area}]
