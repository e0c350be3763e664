"""``vernis lab noise``: what label noise does to each model.

The labels are taken as clean. Those of 70 % of the images are made wrong, the models are trained on
them and scored on the other 30 %, which keep theirs. Kinds of noise of one label an image:
``uniform``, ``pairs``, ``confusion``, ``features``, ``missing``; of several: ``uniform``,
``missing``, ``added``, ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import UsageError
from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.comparison import SCORES, Split, choose_models, members_of
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.planted_noise import NoiseKind, PlantedNoise, kinds_of
from vernis.verbs.lab.study import (
    COMPONENTS,
    KINDS,
    SAMPLE,
    SEEDS,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
    model_names,
)
from vernis.verbs.lab.sweep import COLUMNS
from vernis.verbs.steps.learn import DEFAULT_MODEL, NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session

Floats = NDArray[np.float32]

TEST_SHARE = 0.3


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Which noise is planted, and which models are trained under it."""

    taxonomy: Annotated[str, Option("the taxonomy, taken as clean")]
    _: KW_ONLY
    kinds: Annotated[Sequence[NoiseKind] | None, KINDS] = None
    rates: Annotated[
        Sequence[float],
        Option("shares of the labels", "R,R,…", at_least=0, below=1, joined=True),
    ] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    models: Annotated[Sequence[str] | None, model_names()] = None
    seeds: Annotated[int, SEEDS] = 3
    components: Annotated[int, COMPONENTS] = 100
    sample: Annotated[int, SAMPLE] = 2000


@dataclass(frozen=True, slots=True)
class Result(StudyResult):
    """The models without noise and under the most of it, and which loses least."""

    slowest: Annotated[Mapping[str, str], "kind of noise → the model that loses least"]


def work(session: Session, settings: Settings) -> Result:
    """Train every model under growing noise of every kind; score it on labels left alone.

    A seed draws the split, the noise and the models' own randomness.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[Result]:
    names, notes = choose_models(settings.models, settings.network_parameters())
    data = read_lab_data(
        session, settings.taxonomy, where=settings.where, sample=settings.sample, seed=settings.seed
    )
    known = kinds_of(data.kind)
    kinds = tuple(settings.kinds or known)
    if set(kinds) - set(known):
        raise UsageError(
            f"'{settings.taxonomy}' is {data.kind}-label: expected kinds of {', '.join(known)}"
        )
    rates = sorted({0.0, *(float(rate) for rate in settings.rates)})
    measure = partial(_measure, data, names, kinds, rates, settings)
    n_cells = len(kinds) * len(rates) * len(names) * settings.seeds
    return Plan(data.document, (*data.notes, *notes), n_cells, measure)


def _measure(
    data: LabData,
    names: Sequence[str],
    kinds: Sequence[str],
    rates: Sequence[float],
    settings: Settings,
    cells: Cells,
) -> Findings[Result]:
    from vernis.report.lab.figures import draw_noise

    found: dict[tuple[str, float, str], list[Row]] = {}
    for seed in range(settings.seed, settings.seed + settings.seeds):
        run = _SeedRun(data, members_of(names), settings, seed)
        for kind, rate in [(kind, rate) for kind in kinds for rate in rates]:
            for name in names:
                # without noise all kinds are the same
                key = {"noise": kind if rate else "", "rate": rate, "model": name, "seed": seed}
                rows = cells(key, partial(run.measure, kind, rate, name))
                found.setdefault((kind, rate, name), []).extend(rows)
    table = [
        {"noise": kind, "rate": rate, "model": name, **_over_seeds(values)}
        for (kind, rate, name), values in found.items()
    ]
    slowest, verdicts = _verdicts(table, kinds, rates)
    about = f"{data.taxonomy}, {len(data.Y):,} images, seeds: {settings.seeds}"
    return Findings(
        table,
        draw=partial(draw_noise, about=about),
        result=partial(Result, slowest=slowest),
        notes=verdicts,
        shown=lambda rows: [row for row in rows if row["rate"] in (rates[0], rates[-1])],
    )


class _SeedRun:
    """One split; its noisy versions are made when a cell of them is missing."""

    def __init__(
        self, data: LabData, members: tuple[str, ...], settings: Settings, seed: int
    ) -> None:
        from vernis.core.numeric.folds import stratified_parts

        shares = [1 - TEST_SHARE, TEST_SHARE]
        train = stratified_parts(data.Y, shares, groups=data.groups, seed=seed) == 0
        self.data, self.members, self.settings, self.seed = data, members, settings, seed
        self.Y, self.groups, self.Y_test = data.Y[train], data.groups[train], data.Y[~train]
        self._train = train
        self._vectors: tuple[Floats, Floats] | None = None
        self._noise = PlantedNoise(data.kind, self.Y, self.groups, lambda: self.vectors()[0], seed)
        self._current: tuple[tuple[str, float], Split] | None = None

    def measure(self, kind: str, rate: float, name: str) -> list[Row]:
        """Return the measures of a model that was trained under the noise."""
        mark = (kind if rate else "", rate)
        if self._current is None or self._current[0] != mark:
            seen, unseen = self.vectors()
            Y = self._noise.apply(kind, rate) if rate else self.Y
            split = Split(
                self.data.kind,
                seen,
                Y,
                self.groups,
                unseen,
                self.members,
                self.seed,
                self.settings.network_parameters(),
            )
            self._current = (mark, split)
        return [dict(self._current[1].measure(name, self.Y_test))]

    def vectors(self) -> tuple[Floats, Floats]:
        """Return the projected training and test images."""
        from vernis.core.learn.preprocessing import VectorPreprocessor

        if self._vectors is None:
            X, train = self.data.X, self._train
            n_components = self.settings.components or None
            prepared = VectorPreprocessor(self.data.slices, n_components, self.seed).fit(X[train])
            self._vectors = (prepared.apply(X[train]), prepared.apply(X[~train]))
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


STUDY = Study(
    name="noise",
    settings=Settings,
    keys=("noise", "rate", "model"),
    plan=_plan,
    columns=("noise", "rate", *COLUMNS[:5]),
)
VERB = Verb(Settings, work, STUDY.show)
