"""``vernis lab components``: F1 and time over the principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.comparison import Split, choose_models, members_of
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.study import (
    FOLDS,
    QUICK_MODELS,
    SAMPLE,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
    model_names,
)
from vernis.verbs.lab.sweep import COLUMNS, describe_sweep, folds_of, measure_sweep
from vernis.verbs.steps.learn import NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Which numbers of components are tried, with which models."""

    taxonomy: Annotated[str, Option("the taxonomy that the models learn")]
    _: KW_ONLY
    components: Annotated[
        Sequence[int],
        Option(
            "numbers of principal components; 0 = all columns", "N,N,…", at_least=0, joined=True
        ),
    ] = (5, 10, 20, 50, 100, 200, 400, 0)
    models: Annotated[Sequence[str], model_names("the heads and two quick peers")] = QUICK_MODELS
    folds: Annotated[int, FOLDS] = 3
    sample: Annotated[int, SAMPLE] = 1500


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure models on a growing number of principal components."""
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    names, notes = choose_models(settings.models, settings.network_parameters())
    data = read_lab_data(
        session, settings.taxonomy, where=settings.where, sample=settings.sample, seed=settings.seed
    )
    fold = folds_of(data, settings.folds, settings.seed)
    values, left_out = _values(settings.components, _most_components(data, fold))
    measure = partial(_measure, data, fold, names, values, settings)
    n_cells = settings.folds * len(values) * len(names)
    return Plan(data.document, (*data.notes, *notes, *left_out), n_cells, measure)


def _most_components(data: LabData, fold: NDArray[np.int64]) -> int:
    """Return how many components the smallest training part carries."""
    return min(int(data.X.shape[1]), len(data.X) - int(np.bincount(fold).max()) - 1)


def _values(wanted: Sequence[int], most: int) -> tuple[list[int], tuple[str, ...]]:
    """Return the values to try, all columns (0) last, and a note on those that there are not."""
    kept = sorted({n for n in wanted if 0 < n <= most})
    beyond = sorted({n for n in wanted if n > most})
    if not beyond:
        return [*kept, *{0} & set(wanted)], ()
    note = (
        f"left out: {', '.join(map(str, beyond))} components; the images and columns of a "
        f"training part carry {most:,}"
    )
    return [*kept, 0], (note,)


def _measure(
    data: LabData,
    fold: NDArray[np.int64],
    names: Sequence[str],
    values: Sequence[int],
    settings: Settings,
    cells: Cells,
) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_components

    make = _NestedSplits(data, max(values), members_of(names), settings)
    found = measure_sweep(cells, data, fold, names, "components", values, make)
    rows = [{**row, "components": row["components"] or "all"} for row in found]
    about = describe_sweep(data, settings.folds)
    return Findings(rows, draw=partial(draw_components, about=about), result=StudyResult)


class _NestedSplits:
    """Splits of one training part after another: one projection serves all its numbers."""

    def __init__(
        self, data: LabData, largest: int, members: tuple[str, ...], settings: Settings
    ) -> None:
        self.data, self.largest, self.members, self.settings = data, largest, members, settings
        self._projected: dict[tuple[bytes, bool], Any] = {}

    def __call__(self, train: NDArray[np.bool_], n_components: int) -> Split:
        from vernis.core.learn.preprocessing import VectorPreprocessor, keep_components

        data, seed = self.data, self.settings.seed
        mark = (train.tobytes(), n_components == 0)
        if mark not in self._projected:
            self._projected.clear()
            most = self.largest if n_components else None
            prepared = VectorPreprocessor(data.slices, most, seed).fit(data.X[train])
            pair = (prepared.apply(data.X[train]), prepared.apply(data.X[~train]))
            self._projected[mark] = pair
        seen, unseen = self._projected[mark]
        if n_components:
            seen, unseen = keep_components(seen, unseen, n_components)
        return Split(
            data.kind,
            seen,
            data.Y[train],
            data.groups[train],
            unseen,
            self.members,
            seed,
            self.settings.network_parameters(),
        )


STUDY = Study(
    name="components",
    settings=Settings,
    keys=("components", "model"),
    plan=_plan,
    columns=("components", *COLUMNS),
)
VERB = Verb(Settings, work, STUDY.show)
