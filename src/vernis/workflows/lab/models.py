"""The bake-off: all models on the same vectors, folds and threshold rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vernis.core.learn.preprocessing import Floats, TextPreprocessor, VectorPreprocessor
from vernis.core.numeric.folds import stratified_folds
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun
from vernis.workflows.lab.data import FEATURES, LabData, one_label_each, read_lab_data
from vernis.workflows.lab.trial import Split, choose_models, members_of, over_folds


def compare_models(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Hold the models against one another; see ``Lab.models`` for the arguments.

    Returns
    -------
    dict
        ``folder``, ``rows`` (a model each, best first), ``notes``, ``winner``.
    """
    from vernis.report.lab.figures import draw_models

    if arguments["features"] not in FEATURES:
        raise UsageError(f"expected features of {FEATURES}, got {arguments['features']!r}")
    names, notes = choose_models(arguments["models"])
    data = read_lab_data(
        catalog,
        taxonomy,
        space,
        sample=arguments["sample"],
        seed=arguments["seed"],
        texts=arguments["features"] != "embedding",
    )
    if arguments["one_label"] and data.kind == "single":
        raise UsageError(f"'{taxonomy}' holds one label an image already; drop --one-label")
    run = StudyRun("models", {"taxonomy": taxonomy, **arguments}, data.document, ("model",))
    folder = RunFolder.start(run, out, expected_data)
    by_model = _run_folds(folder, data, names, arguments, progress)
    n_folds = int(arguments["folds"])
    share = {"n_train": len(data.Y) * (n_folds - 1) / n_folds, "n_test": len(data.Y) / n_folds}
    rows = [{"model": name, **over_folds(found, **share)} for name, found in by_model.items()]
    rows.sort(key=lambda row: -(row["micro_f1"] or 0))
    winner = _winner(rows)
    notes = (*data.notes, *notes, winner[1])
    if arguments["features"] != "embedding":
        notes += (_about_words(data),)
    about = f"{taxonomy}, {len(data.Y):,} images, {len(data.classes)} classes, {n_folds} folds"
    table = folder.finish(rows, notes, draw=partial(draw_models, about=about))
    return {
        "folder": str(folder.folder),
        "rows": table,
        "notes": list(notes),
        "winner": winner[0],
    }


def _run_folds(
    folder: RunFolder,
    data: LabData,
    names: Sequence[str],
    arguments: Mapping[str, Any],
    progress: Progress,
) -> dict[str, list[Row]]:
    """Return the measures of each model on each fold."""
    seed, n_folds = int(arguments["seed"]), int(arguments["folds"])
    fold = stratified_folds(data.Y, n_folds, groups=data.groups, seed=seed)
    found: dict[str, list[Row]] = {name: [] for name in names}
    total = n_folds * len(names)
    for number in range(n_folds):
        lazy = _LazySplit(data, fold != number, arguments, members_of(names))
        for name in names:
            found[name] += folder.cell({"model": name, "fold": number}, partial(lazy.measure, name))
            progress(f"lab models {data.taxonomy}", sum(map(len, found.values())), total)
    return found


@dataclass(slots=True, eq=False)
class _LazySplit:
    """A fold that is projected only when a cell of it is missing."""

    data: LabData
    train: np.ndarray[Any, Any]
    arguments: Mapping[str, Any]
    members: tuple[str, ...]
    split: Split | None = None

    def measure(self, name: str) -> list[Row]:
        """Return the measures of a model on the fold."""
        if self.split is None:
            self.split = make_split(self.data, self.train, self.arguments, self.members)
        return [self.split.measure(name, self.data.Y[~self.train])]


def make_split(
    data: LabData,
    train: np.ndarray[Any, Any],
    arguments: Mapping[str, Any],
    members: tuple[str, ...] = (),
) -> Split:
    """Return the split in the common space; everything is fitted on the training images alone."""
    seed, components = int(arguments.get("seed", 0)), arguments.get("components", 100) or None
    features = arguments.get("features", "embedding")
    seen, unseen = data.rows(train), data.rows(~train)
    blocks: list[tuple[Floats, Floats]] = []
    if features != "tfidf":
        front = VectorPreprocessor(data.slices, components, seed).fit(seen.X)
        blocks.append((front.apply(seen.X), front.apply(unseen.X)))
    if features != "embedding":
        text = TextPreprocessor(components or 300, seed).fit(seen.texts)
        pair = (text.apply(seen.texts), text.apply(unseen.texts))
        scale = 1 / max(float(np.sqrt(pair[0].var(axis=0).mean())), 1e-6)
        blocks.append((pair[0] * np.float32(scale), pair[1] * np.float32(scale)))
    Y = one_label_each(seen.Y, seed) if arguments.get("one_label") else seen.Y
    return Split(
        kind=data.kind,
        X=np.concatenate([block[0] for block in blocks], axis=1),
        Y=Y,
        groups=seen.groups,
        X_test=np.concatenate([block[1] for block in blocks], axis=1),
        members=members,
        seed=seed,
    )


def _about_words(data: LabData) -> str:
    """Say what the scores with words are worth."""
    if not TextPreprocessor().fit(data.texts).columns:
        return "no word is known of two images: the words tell the models nothing"
    return (
        "the words hold file names and the labels of the other taxonomies: where those name the "
        "class, the score says nothing of new images"
    )


def _winner(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the proposed model and why: the cheapest of those as good as the best.

    As good is a micro-F1 within the best one's deviation over the folds.
    """
    best = rows[0]
    floor = (best["micro_f1"] or 0) - (best["micro_f1_sd"] or 0)
    equals = [row for row in rows if (row["micro_f1"] or 0) >= floor]
    cheapest = min(equals, key=lambda row: row["train_s"] + row["predict_s"])
    if cheapest is best:
        return best["model"], f"proposed: {best['model']}, the best micro-F1"
    return cheapest["model"], (
        f"proposed: {cheapest['model']}, the cheapest of the {len(equals)} models within one "
        f"deviation of the best ({best['model']})"
    )
