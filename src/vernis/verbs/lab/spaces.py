"""``vernis lab spaces``: F1 by embedding space and layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.domain.types import Space
from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.comparison import Split, choose_models, members_of
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.study import (
    COMPONENTS,
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

Layers = Mapping[str, list[tuple[int, int]]]
"""The columns of each layer by its name; ``all`` are all together."""


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Which embedding spaces are held against one another, with which models."""

    taxonomy: Annotated[str, Option("the taxonomy that the models learn")]
    _: KW_ONLY
    spaces: Annotated[
        Sequence[str] | None,
        Option("embedding spaces of the collection (default: the current)", "NAME,…", joined=True),
    ] = None
    models: Annotated[Sequence[str], model_names("the heads and two quick peers")] = QUICK_MODELS
    components: Annotated[int, COMPONENTS] = 100
    folds: Annotated[int, FOLDS] = 3
    sample: Annotated[int, SAMPLE] = 1500


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure models on embedding spaces, and on each layer of them alone."""
    if not settings.spaces:  # a run names its spaces: the current one may be another tomorrow
        settings = replace(settings, spaces=(session.space().name,))
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    spaces = [session.space(name) for name in settings.spaces or (None,)]
    names, notes = choose_models(settings.models, settings.network_parameters())
    read = [
        read_lab_data(
            session,
            settings.taxonomy,
            where=settings.where,
            space=space,
            sample=settings.sample,
            seed=settings.seed,
        )
        for space in spaces
    ]
    document = {
        **read[0].document,
        "fingerprint": ":".join(data.fingerprint for data in read),
        "spaces": [space.name for space in spaces],
    }
    layers = [_layers(space, data) for space, data in zip(spaces, read, strict=True)]
    measure = partial(_measure, spaces, read, layers, names, settings)
    n_cells = settings.folds * sum(map(len, layers)) * len(names)
    return Plan(document, (*read[0].notes, *notes), n_cells, measure)


def _layers(space: Space, data: LabData) -> Layers:
    layers: dict[str, list[tuple[int, int]]] = {"all": data.slices}
    if len(data.slices) > 1:
        named = [str(name) for name, _ in space.settings["layers"]]
        layers |= {name: [pair] for name, pair in zip(named, data.slices, strict=True)}
    return layers


def _measure(
    spaces: Sequence[Space],
    read: Sequence[LabData],
    layers: Sequence[Layers],
    names: Sequence[str],
    settings: Settings,
    cells: Cells,
) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_spaces

    rows: list[Row] = []
    for space, data, own in zip(spaces, read, layers, strict=True):
        make = partial(_layer_split, data, own, members_of(names), settings)
        fold, fixed = folds_of(data, settings.folds, settings.seed), {"space": space.name}
        found = measure_sweep(cells, data, fold, names, "layer", list(own), make, fixed)
        rows += [{**fixed, **row} for row in found]
    about = describe_sweep(read[0], settings.folds)
    return Findings(rows, draw=partial(draw_spaces, about=about), result=StudyResult)


def _layer_split(
    data: LabData,
    layers: Layers,
    members: tuple[str, ...],
    settings: Settings,
    train: NDArray[np.bool_],
    layer: str,
) -> Split:
    """Return the split in the columns of some layers."""
    from vernis.core.learn.preprocessing import VectorPreprocessor

    columns = np.concatenate([np.arange(*pair) for pair in layers[layer]])
    ends = np.cumsum([stop - start for start, stop in layers[layer]]).tolist()
    slices = list(zip([0, *ends[:-1]], ends, strict=True))
    X, X_test = (data.X[part][:, columns] for part in (train, ~train))
    prepared = VectorPreprocessor(slices, settings.components or None, settings.seed).fit(X)
    return Split(
        data.kind,
        prepared.apply(X),
        data.Y[train],
        data.groups[train],
        prepared.apply(X_test),
        members,
        settings.seed,
        settings.network_parameters(),
    )


STUDY = Study(
    name="spaces",
    settings=Settings,
    keys=("space", "layer", "model"),
    plan=_plan,
    columns=("space", "layer", *COLUMNS),
)
VERB = Verb(Settings, work, STUDY.show)
