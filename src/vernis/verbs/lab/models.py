"""``vernis lab models``: compare the models on a taxonomy.

All get the same vectors, the same folds and the same rule of decision; the winner is the cheapest
of those as good as the best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from vernis.domain.errors import UsageError
from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.comparison import (
    choose_models,
    make_split,
    measure_cell,
    members_of,
    over_folds,
)
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.study import (
    COMPONENTS,
    FOLDS,
    SAMPLE,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
    model_names,
)
from vernis.verbs.steps.learn import NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session

Features = Literal["embedding", "tfidf", "both"]


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Which models are compared, on what."""

    taxonomy: Annotated[str, Option("the taxonomy that the models learn")]
    _: KW_ONLY
    models: Annotated[Sequence[str] | None, model_names()] = None
    folds: Annotated[int, FOLDS] = 5
    sample: Annotated[int, SAMPLE] = 2000
    components: Annotated[int, COMPONENTS] = 100
    features: Annotated[
        Features,
        Option("what the models see: vectors, words (file names, titles, keywords), or both"),
    ] = "embedding"
    one_label: Annotated[
        bool, Option("train a multi-label taxonomy on one label an image; test on all")
    ] = False


@dataclass(frozen=True, slots=True)
class Result(StudyResult):
    """The models, best first, and which is proposed."""

    winner: Annotated[str, "the cheapest model among those as good as the best"]


def work(session: Session, settings: Settings) -> Result:
    """Hold the models against one another on the same vectors, folds and threshold rule."""
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[Result]:
    names, notes = choose_models(settings.models, settings.network_parameters())
    data = read_lab_data(
        session,
        settings.taxonomy,
        where=settings.where,
        sample=settings.sample,
        seed=settings.seed,
        texts=settings.features != "embedding",
    )
    if settings.one_label and data.kind == "single":
        raise UsageError(
            f"'{settings.taxonomy}' holds one label an image already; drop --one-label"
        )
    measure = partial(_measure, data, names, settings)
    n_cells = settings.folds * len(names)
    return Plan(data.document, (*data.notes, *notes), n_cells, measure)


def _measure(
    data: LabData, names: Sequence[str], settings: Settings, cells: Cells
) -> Findings[Result]:
    from vernis.report.lab.figures import draw_models

    by_model = _measure_folds(data, names, settings, cells)
    n_images, n_folds = len(data.Y), settings.folds
    share = {"n_train": n_images * (n_folds - 1) / n_folds, "n_test": n_images / n_folds}
    rows = [{"model": name, **over_folds(found, **share)} for name, found in by_model.items()]
    rows.sort(key=lambda row: -(row["micro_f1"] or 0))
    winner, why = _winner(rows)
    notes = (why,) if settings.features == "embedding" else (why, _about_words(data.texts))
    about = f"{data.taxonomy}, {n_images:,} images, {len(data.classes)} classes, {n_folds} folds"
    return Findings(
        rows,
        draw=partial(draw_models, about=about),
        result=partial(Result, winner=winner),
        notes=notes,
    )


def _measure_folds(
    data: LabData, names: Sequence[str], settings: Settings, cells: Cells
) -> dict[str, list[Row]]:
    """Return the measures of each model on each fold."""
    from vernis.core.numeric.folds import stratified_folds

    fold = stratified_folds(data.Y, settings.folds, groups=data.groups, seed=settings.seed)
    found: dict[str, list[Row]] = {name: [] for name in names}
    for number in range(settings.folds):
        train = fold != number
        make = partial(
            make_split,
            data,
            train,
            settings.components or None,
            members=members_of(names),
            seed=settings.seed,
            parameters=settings.network_parameters(),
            features=settings.features,
            one_label=settings.one_label,
        )
        split = cache(make)
        for name in names:
            compute = partial(measure_cell, split, name, data.Y[~train])
            found[name] += cells({"model": name, "fold": number}, compute)
    return found


def _about_words(texts: Sequence[str]) -> str:
    """Say what the scores with words are worth."""
    from vernis.core.learn.preprocessing import TextPreprocessor

    if not TextPreprocessor().fit(texts).columns:
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


STUDY = Study(
    name="models",
    settings=Settings,
    keys=("model",),
    plan=_plan,
    columns=(
        "model",
        "micro_f1",
        "micro_f1_sd",
        "macro_f1",
        "macro_f1_sd",
        "micro_f2",
        "macro_average_precision",
        "train_s",
        "predict_s",
    ),
)
VERB = Verb(Settings, work, STUDY.show)
