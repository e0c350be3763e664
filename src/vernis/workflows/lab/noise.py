"""The noise study: models trained on labels made wrong, scored on labels left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.preprocessing import VectorPreprocessor
from vernis.core.numeric.folds import stratified_parts
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun
from vernis.workflows.lab.data import LabData, read_lab_data
from vernis.workflows.lab.spoil import MULTI_KINDS, SINGLE_KINDS, Spoiler
from vernis.workflows.lab.trial import SCORES, Split, choose_models, members_of
from vernis.workflows.learn import DEFAULT_MODEL

Floats = NDArray[np.float32]

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TEST_SHARE = 0.3


def study_noise(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    arguments: Mapping[str, Any],
    *,
    out: Path | str | None,
    expected_data: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train every model under growing noise of every kind; see ``Lab.noise``.

    The labels are taken as clean. A seed draws the split, the noise and the models' own
    randomness; the test images keep their labels.

    Returns
    -------
    dict
        ``folder``, ``rows`` (a kind, rate and model each), ``notes``, ``slowest`` (by kind, the
        model that loses least).
    """
    from vernis.report.lab.figures import draw_noise

    names, notes = choose_models(arguments["models"])
    rates = sorted({0.0, *(float(rate) for rate in arguments["rates"])})
    if not 0 <= rates[0] <= rates[-1] < 1:
        raise UsageError(f"expected rates of 0 or more below 1, got {rates}")
    data = read_lab_data(
        catalog, taxonomy, space, sample=arguments["sample"], seed=arguments["seed"]
    )
    known = SINGLE_KINDS if data.kind == "single" else MULTI_KINDS
    kinds = tuple(arguments["kinds"] or known)
    if set(kinds) - set(known):
        raise UsageError(f"'{taxonomy}' is {data.kind}-label: expected kinds of {known}")
    run = StudyRun(
        "noise", {"taxonomy": taxonomy, **arguments}, data.document, ("noise", "rate", "model")
    )
    folder = RunFolder.start(run, out, expected_data)
    found: dict[tuple[str, float, str], list[Row]] = {}
    cells = len(kinds) * len(rates) * len(names) * int(arguments["seeds"])
    for seed in range(int(arguments["seed"]), int(arguments["seed"]) + int(arguments["seeds"])):
        trial = _SeedTrial(data, int(arguments["components"]) or None, seed, members_of(names))
        for kind, rate in [(kind, rate) for kind in kinds for rate in rates]:
            for name in names:
                # without noise all kinds are the same
                key = {"noise": kind if rate else "", "rate": rate, "model": name, "seed": seed}
                rows = folder.cell(key, partial(trial.measure, kind, rate, name))
                found.setdefault((kind, rate, name), []).extend(rows)
                progress(f"lab noise {taxonomy}", sum(map(len, found.values())), cells)
    rows = [
        {"noise": kind, "rate": rate, "model": name, **_over_seeds(values)}
        for (kind, rate, name), values in found.items()
    ]
    slowest, verdicts = _verdicts(rows, kinds, rates)
    notes = (*data.notes, *notes, *verdicts)
    about = f"{taxonomy}, {len(data.Y):,} images, seeds: {arguments['seeds']}"
    table = folder.finish(rows, notes, draw=partial(draw_noise, about=about))
    shown = [row for row in table if row["rate"] in (rates[0], rates[-1])]
    return {
        "folder": str(folder.folder),
        "rows": shown,
        "notes": list(notes),
        "slowest": slowest,
    }


class _SeedTrial:
    """One split; its noisy versions are made when a cell of them is missing."""

    def __init__(
        self, data: LabData, n_components: int | None, seed: int, members: tuple[str, ...]
    ) -> None:
        self.seed, self.members = seed, members
        shares = [1 - TEST_SHARE, TEST_SHARE]
        train = stratified_parts(data.Y, shares, groups=data.groups, seed=seed) == 0
        self.data, self.Y_test = data, data.Y[~train]
        self.Y, self.groups = data.Y[train], data.groups[train]
        self._train, self._n_components = train, n_components
        self._vectors: tuple[Floats, Floats] | None = None
        self._spoiler = Spoiler(data.kind, self.Y, self.groups, lambda: self.vectors()[0], seed)
        self._current: tuple[tuple[str, float], Split] | None = None

    def measure(self, kind: str, rate: float, name: str) -> list[Row]:
        """Return the measures of a model that was trained under the noise."""
        mark = (kind if rate else "", rate)
        if self._current is None or self._current[0] != mark:
            seen, unseen = self.vectors()
            Y = self._spoiler.spoil(kind, rate) if rate else self.Y
            data = self.data
            split = Split(data.kind, seen, Y, self.groups, unseen, self.members, self.seed)
            self._current = (mark, split)
        return [dict(self._current[1].measure(name, self.Y_test))]

    def vectors(self) -> tuple[Floats, Floats]:
        """Return the projected training and test images."""
        if self._vectors is None:
            X, train = self.data.X, self._train
            front = VectorPreprocessor(self.data.slices, self._n_components, self.seed).fit(
                X[train]
            )
            self._vectors = (front.apply(X[train]), front.apply(X[~train]))
        return self._vectors


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name in SCORES:
        values = np.asarray([row[name] for row in rows if row[name] is not None], float)
        summary[name] = float(values.mean()) if len(values) else None
        summary[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else None
    summary["train_s"] = float(np.mean([row["train_s"] for row in rows]))
    return summary


def _verdicts(
    rows: Sequence[Mapping[str, Any]], kinds: Sequence[str], rates: Sequence[float]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return by kind the model that loses least to the noise, and a sentence on each.

    The loss is the micro-F1 without noise minus the mean over the noisy rates.
    """
    score = {(r["noise"], r["rate"], r["model"]): r["micro_f1"] or 0.0 for r in rows}
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    slowest, notes = {}, []
    for kind in kinds:
        noisy = [rate for rate in rates if rate]
        if not noisy:
            continue
        loss = {
            m: score[kind, 0.0, m] - float(np.mean([score[kind, r, m] for r in noisy]))
            for m in models
        }
        order = sorted(loss, key=lambda name: loss[name])
        slowest[kind] = order[0]
        text = f"{kind}: {_describe_loss(order, loss)}"
        last = noisy[-1]
        best = max(models, key=lambda name: score[kind, last, name])
        if len(models) > 1:
            text += f"; best at {last:.0%} noise: {best} ({score[kind, last, best]:.3f})"
        notes.append(text)
    return slowest, tuple(notes)


def _describe_loss(order: Sequence[str], loss: Mapping[str, float]) -> str:
    """Say which model loses least, and where Vernis's own are."""
    first = order[0]
    points = f"{abs(100 * loss[first]):.1f} points on average"
    if len(order) == 1:
        return f"{first} {'loses' if loss[first] >= 0 else 'gains'} {points}"
    if loss[first] < 0:
        points = f"it gains {points}"
    text = f"{first} loses least ({points})"
    for own in (DEFAULT_MODEL, "bagged_mlp"):
        if own in order[1:]:
            text += f"; {own} is number {order.index(own) + 1} ({100 * loss[own]:.1f})"
    return text
