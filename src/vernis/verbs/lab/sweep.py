"""One setting varied at a time: the same models on the same folds at each of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.report.lab.run_folder import Row
from vernis.verbs.lab.comparison import Split, measure_cell, over_folds
from vernis.verbs.lab.data import LabData
from vernis.verbs.lab.study import Cells

COLUMNS = ("model", "micro_f1", "micro_f1_sd", "macro_f1", "macro_f1_sd", "train_s")
"""What is shown of a row beside the value."""

MakeSplit = Callable[[NDArray[np.bool_], Any], Split]
"""Makes the split of a training part, shape (n_images,), at a value of the setting."""


def folds_of(data: LabData, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each image, duplicates in one."""
    from vernis.core.numeric.folds import stratified_folds

    return stratified_folds(data.Y, n_folds, groups=data.groups, seed=seed)


def measure_sweep(
    cells: Cells,
    data: LabData,
    fold: NDArray[np.int64],
    models: Sequence[str],
    setting: str,
    values: Sequence[Any],
    make: MakeSplit,
    fixed: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Return a row a value and model: the measures over the folds.

    Parameters
    ----------
    cells : Cells
    data : LabData
    fold : ndarray of int64, shape (n_images,)
        Of `folds_of`.
    models : sequence of str
    setting : str
        The column of the values.
    values : sequence
    make : callable
    fixed : mapping, optional
        What else distinguishes these cells in the run.
    """
    n_folds = int(fold.max()) + 1
    found: dict[tuple[Any, str], list[Row]] = {(v, m): [] for v in values for m in models}
    for number in range(n_folds):
        train = fold != number
        for value in values:
            split = cache(partial(make, train, value))
            for model in models:
                key = {**(fixed or {}), setting: value, "model": model, "fold": number}
                compute = partial(measure_cell, split, model, data.Y[~train])
                found[value, model] += cells(key, compute)
    size = len(data.Y) / n_folds
    return [
        {setting: value, "model": model, **over_folds(rows, size * (n_folds - 1), size)}
        for (value, model), rows in found.items()
    ]


def describe_sweep(data: LabData, n_folds: int) -> str:
    """Say what the figure of a sweep is of."""
    return f"{data.taxonomy}: {len(data.Y):,} images, {len(data.classes)} classes, {n_folds} folds"
