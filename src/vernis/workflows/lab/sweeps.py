"""One setting varied at a time: principal components, and embedding spaces and layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.preprocessing import VectorPreprocessor, keep_components
from vernis.core.numeric.folds import stratified_folds
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun
from vernis.workflows.lab.data import LabData, read_lab_data
from vernis.workflows.lab.trial import Split, choose_models, members_of, over_folds

COMPONENTS = (5, 10, 20, 50, 100, 200, 400, 0)
"""Numbers of principal components tried; 0 stands for all columns."""

SWEEP_MODELS = ("bagged_mlp", "logistic", "kernel", "svm")
"""Compared unless told otherwise: the head, and the strongest peers that are quick."""

MakeSplit = Callable[[NDArray[np.bool_], Any], Split]


def sweep_components(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure each model on a growing number of components; see ``Lab.components``."""
    from vernis.report.lab.figures import draw_components

    values = [int(n) for n in arguments["components"]]
    if any(n < 0 for n in values):
        raise UsageError(f"expected components of 0 (all) or more, got {values}")
    names, notes = choose_models(arguments["models"])
    data = read_lab_data(
        catalog, taxonomy, space, sample=arguments["sample"], seed=arguments["seed"]
    )
    run = StudyRun(
        "components", {"taxonomy": taxonomy, **arguments}, data.document, ("components", "model")
    )
    values, beyond = _split_values(values, _most_components(data, arguments))
    folder = RunFolder.start(run, out, expected_data)
    seed, largest = int(arguments["seed"]), max(values)
    projected: dict[tuple[bytes, bool], Any] = {}

    def split(train: NDArray[np.bool_], n_components: int) -> Split:
        mark = (train.tobytes(), n_components == 0)
        if mark not in projected:
            projected.clear()
            front = VectorPreprocessor(data.slices, largest if n_components else None, seed).fit(
                data.X[train]
            )
            projected[mark] = (front.apply(data.X[train]), front.apply(data.X[~train]))
        seen, unseen = projected[mark]
        if n_components:
            seen, unseen = keep_components(seen, unseen, n_components)
        return _split(data, train, seen, unseen, members_of(names), seed)

    rows = [
        {**row, "components": row["components"] or "all"}
        for row in _measure(folder, data, "components", values, names, arguments, split, progress)
    ]
    notes = (*data.notes, *notes, *beyond)
    draw = partial(draw_components, about=_about(data, arguments))
    table = folder.finish(rows, notes, draw=draw)
    return {"folder": str(folder.folder), "rows": table, "notes": list(notes)}


def _most_components(data: LabData, arguments: Mapping[str, Any]) -> int:
    """Return how many components the smallest training part carries."""
    largest_fold = int(np.bincount(_folds(data, arguments)).max())
    return min(int(data.X.shape[1]), len(data.X) - largest_fold - 1)


def _split_values(values: Sequence[int], most: int) -> tuple[list[int], tuple[str, ...]]:
    """Return the values to try, all columns (0) last, and a note on those that there are not."""
    kept = sorted({n for n in values if 0 < n <= most})
    beyond = sorted({n for n in values if n > most})
    if not beyond:
        return [*kept, *{0} & set(values)], ()
    note = (
        f"left out: {', '.join(map(str, beyond))} components; the images and columns of a "
        f"training part carry {most:,}"
    )
    return [*kept, 0], (note,)


def sweep_spaces(
    catalog: Catalog,
    taxonomy: str,
    spaces: Sequence[Space],
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure each model on each embedding space and each of its layers; see ``Lab.spaces``."""
    from vernis.report.lab.figures import draw_spaces

    names, notes = choose_models(arguments["models"])
    seed = int(arguments["seed"])
    read = [
        read_lab_data(catalog, taxonomy, space, sample=arguments["sample"], seed=seed)
        for space in spaces
    ]
    document = {
        **read[0].document,
        "fingerprint": ":".join(data.fingerprint for data in read),
        "spaces": [space.name for space in spaces],
    }
    keys = ("space", "layer", "model")
    run = StudyRun("spaces", {"taxonomy": taxonomy, **arguments}, document, keys)
    folder = RunFolder.start(run, out, expected_data)
    components = int(arguments["components"]) or None
    rows: list[Row] = []
    for space, data in zip(spaces, read, strict=True):
        layers = _layers(space, data)
        split = partial(_layer_split, data, layers, components, members_of(names), seed)
        found = _measure(
            folder,
            data,
            "layer",
            list(layers),
            names,
            arguments,
            split,
            progress,
            fixed={"space": space.name},
        )
        rows += [{"space": space.name, **row} for row in found]
    notes = (*read[0].notes, *notes)
    draw = partial(draw_spaces, about=_about(read[0], arguments))
    table = folder.finish(rows, notes, draw=draw)
    return {"folder": str(folder.folder), "rows": table, "notes": list(notes)}


def _layer_split(
    data: LabData,
    layers: Mapping[str, list[tuple[int, int]]],
    components: int | None,
    members: tuple[str, ...],
    seed: int,
    train: NDArray[np.bool_],
    layer: str,
) -> Split:
    """Return the split in the columns of some layers."""
    columns = np.concatenate([np.arange(*pair) for pair in layers[layer]])
    ends = np.cumsum([stop - start for start, stop in layers[layer]]).tolist()
    slices = list(zip([0, *ends[:-1]], ends, strict=True))
    front = VectorPreprocessor(slices, components, seed).fit(data.X[train][:, columns])
    seen, unseen = (front.apply(data.X[part][:, columns]) for part in (train, ~train))
    return _split(data, train, seen, unseen, members, seed)


def _layers(space: Space, data: LabData) -> dict[str, list[tuple[int, int]]]:
    """Return the columns of all layers together and of each alone."""
    layers: dict[str, list[tuple[int, int]]] = {"all": data.slices}
    if len(data.slices) > 1:
        named = [str(name) for name, _ in space.settings["layers"]]
        layers |= {name: [pair] for name, pair in zip(named, data.slices, strict=True)}
    return layers


def _split(
    data: LabData,
    train: NDArray[np.bool_],
    seen: NDArray[np.float32],
    unseen: NDArray[np.float32],
    members: tuple[str, ...],
    seed: int,
) -> Split:
    return Split(data.kind, seen, data.Y[train], data.groups[train], unseen, members, seed)


def _measure(
    folder: RunFolder,
    data: LabData,
    name: str,
    values: Sequence[Any],
    models: Sequence[str],
    arguments: Mapping[str, Any],
    make: MakeSplit,
    progress: Progress,
    fixed: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Return a row a value and model: the measures over the folds."""
    n_folds = int(arguments["folds"])
    fold = _folds(data, arguments)
    found: dict[tuple[Any, str], list[Row]] = {(v, m): [] for v in values for m in models}
    total, done = n_folds * len(found), 0
    for number in range(n_folds):
        train = fold != number
        for value in values:
            splits: list[Split] = []
            for model in models:
                key = {**(fixed or {}), name: value, "model": model, "fold": number}
                compute = partial(_cell, splits, make, train, value, model, data.Y[~train])
                found[value, model] += folder.cell(key, compute)
                done += 1
                progress(f"lab {folder.run.study} {data.taxonomy}", done, total)
    size = len(data.Y) / n_folds
    return [
        {name: value, "model": model, **over_folds(rows, size * (n_folds - 1), size)}
        for (value, model), rows in found.items()
    ]


def _folds(data: LabData, arguments: Mapping[str, Any]) -> NDArray[np.int64]:
    n_folds, seed = int(arguments["folds"]), int(arguments["seed"])
    return stratified_folds(data.Y, n_folds, groups=data.groups, seed=seed)


def _cell(
    splits: list[Split],
    make: MakeSplit,
    train: NDArray[np.bool_],
    value: Any,
    model: str,
    Y_test: NDArray[np.float32],
) -> list[Row]:
    if not splits:
        splits.append(make(train, value))
    return [splits[0].measure(model, Y_test)]


def _about(data: LabData, arguments: Mapping[str, Any]) -> str:
    return (
        f"{data.taxonomy}: {len(data.Y):,} images, {len(data.classes)} classes, "
        f"{arguments['folds']} folds"
    )
