"""``vernis lab toy``: decision areas on three shapes with permuted labels; needs no collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Verb, count, share, without
from vernis.verbs.lab.comparison import Split, choose_models, members_of
from vernis.verbs.lab.study import (
    SEEDS,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    StudySettings,
    model_names,
)
from vernis.verbs.steps.learn import NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session

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


@dataclass(frozen=True)
class Settings(StudySettings, NetworkSettings):
    """Which models decide, on how many points."""

    _: KW_ONLY
    models: Annotated[Sequence[str] | None, model_names()] = None
    seeds: Annotated[int, SEEDS] = 5
    points: Annotated[int, count("points of each training set", at_least=4)] = 300
    permuted: Annotated[float, share("share of the training labels that are permuted")] = 0.3


def work(session: Session, settings: Settings) -> StudyResult:
    """Train every model on three shapes in the plane and draw what it decided.

    The figure shows the first seed.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    names, notes = choose_models(settings.models, settings.network_parameters())
    n_cells = len(SHAPES) * settings.seeds * len(names)
    return Plan({"fingerprint": ""}, notes, n_cells, partial(_measure, names, settings))


def _measure(names: tuple[str, ...], settings: Settings, cells: Cells) -> Findings[StudyResult]:
    from vernis.report.lab.toy_figure import draw_toys

    rows: list[Row] = []
    areas: dict[tuple[str, str], Any] = {}
    for shape in SHAPES:
        found: dict[str, list[float]] = {name: [] for name in names}
        for seed in range(settings.seed, settings.seed + settings.seeds):
            first = seed == settings.seed
            split = cache(partial(_make_split, shape, names, settings, seed))
            for name in names:
                key = {"shape": shape, "model": name, "seed": seed}
                (row,) = cells(key, partial(_cell, split, shape, name, seed, first))
                found[name].append(row["accuracy"])
                if first:
                    areas[shape, name] = row["area"]
        for name, values in found.items():
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
            mean = float(np.mean(values))
            rows.append({"shape": shape, "model": name, "accuracy": mean, "accuracy_sd": sd})
    points = {
        shape: draw_points(shape, settings.points, settings.permuted, settings.seed)
        for shape in SHAPES
    }
    draw = partial(draw_toys, points=points, areas=areas, permuted=settings.permuted)
    return Findings(rows, draw=draw, result=StudyResult)


def plane(X: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Return the points of a grid over the plane (GRID², 2) and its extent."""
    low, high = X.min(axis=0) - 0.4, X.max(axis=0) + 0.4
    across, up = (np.linspace(low[i], high[i], GRID) for i in (0, 1))
    grid = np.stack([g.ravel() for g in np.meshgrid(across, up)], axis=1)
    return grid.astype(np.float32), (low[0], high[0], low[1], high[1])


def _test_points(shape: str, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return 1,000 new points and their true classes."""
    X, truth, _ = draw_points(shape, 1000, 0.0, seed + 10_000)
    return X, truth


def _make_split(shape: str, names: Sequence[str], settings: Settings, seed: int) -> Split:
    """Return a split whose test images are the new points and those of the grid."""
    X, _, given = draw_points(shape, settings.points, settings.permuted, seed)
    grid, _ = plane(X)
    return Split(
        kind="single",
        X=X,
        Y=np.eye(2, dtype=np.float32)[given],
        groups=np.arange(len(X)),
        X_test=np.concatenate([_test_points(shape, seed)[0], grid]),
        members=members_of(names),
        seed=seed,
        parameters=settings.network_parameters(),
    )


def _cell(
    split: Callable[[], Split], shape: str, name: str, seed: int, with_area: bool
) -> list[Row]:
    """Return the accuracy on new points with true labels, and the decision on the grid."""
    _, truth = _test_points(shape, seed)
    probabilities = split().outcome(name).probabilities
    accuracy = float((probabilities[: len(truth)].argmax(axis=1) == truth).mean())
    area = np.round(probabilities[len(truth) :, 1], 2).tolist() if with_area else None
    return [{"accuracy": accuracy, "area": area}]


STUDY = Study(name="toy", settings=Settings, keys=("shape", "model"), plan=_plan)
VERB = Verb(Settings, work, STUDY.show, home=without)
