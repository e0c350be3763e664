"""``vernis lab truth``: record a judged sample, and compare given, cleaned and predicted labels.

The judgements become labels of the source ``human:WHO``, in one batch. A row that does not fit is
left out with a note; images that changed since the sample was drawn are too.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.documents import to_document
from vernis.domain.errors import InvalidLabels, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import LabelState, Statement
from vernis.report.wording import counted, sentence
from vernis.session.results import from_document
from vernis.verbs.decide.fill_basis import JudgedSample, describe_sampled_basis, judged_images
from vernis.verbs.decide.judged_count import (
    CountSample,
    JudgedCount,
    JudgedLabel,
    judged_count,
    keep_judged,
)
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb
from vernis.verbs.lab.truth_sample import (
    NOTHING,
    CountedLabels,
    SampledImage,
    TruthSample,
    sample_from,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which sample was judged, and by whom."""

    folder: Annotated[Path | str, Option("the folder of the sample", "DIR")]
    _: KW_ONLY
    file: Annotated[
        Path | str | None,
        Option("the judgements (default: truth.csv in the folder, else its sample.csv)", "CSV"),
    ] = None
    who: Annotated[str, Option("your name (default: the login name)")] = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval."""

    value: Annotated[float | None, "0 to 1; null where there is nothing to measure"]
    low: Annotated[float | None, "of the interval of 95 %"]
    high: float | None


@dataclass(frozen=True, slots=True)
class Averages:
    """Measures averaged over labels (micro) or classes (macro)."""

    precision: Share
    recall: Share
    f1: Share


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    """Labels held against the truth."""

    coverage: Annotated[Share, "of the images that carry a label"]
    accuracy: Annotated[Share, "of the labelled images whose labels are exactly the truth"]
    micro: Averages
    macro: Averages


@dataclass(frozen=True, slots=True)
class Measures:
    """What each kind of labels is worth."""

    given: Annotated[LabelMeasures, "the labels before anybody cleaned"]
    cleaned: Annotated[LabelMeasures, "suspected labels replaced, missing ones filled"]
    predicted: Annotated[LabelMeasures, "what the head says without having seen the image"]


@dataclass(frozen=True, slots=True)
class Change:
    """How many images cleaning changes in one way."""

    sample: Annotated[int, "images in the sample"]
    value: Annotated[float, "images in the collection"]
    low: Annotated[float, "of the interval of 95 %"]
    high: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What cleaning does to the images."""

    mended: Annotated[Change, "wrong labels that are right after cleaning"]
    broken: Annotated[Change, "right labels that are wrong after cleaning"]
    missed: Annotated[Change, "wrong labels that stay wrong"]
    filled_right: Annotated[Change, "images without a label that get the right ones"]
    filled_wrong: Annotated[Change, "images without a label that get wrong ones"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a judged sample says of the labels."""

    taxonomy: str
    judged: Annotated[int, "images that were judged"]
    sample: Annotated[int, "images that were drawn"]
    population: Annotated[int, "images of the collection when they were drawn"]
    batch: Annotated[int, "of the recorded labels; 0: nothing new"]
    measures: Annotated[Measures | None, "null: the sample was drawn by doubt"]
    changes: Annotated[Changes | None, "null: the sample was drawn by doubt"]
    wrong: Annotated[
        JudgedCount | None,
        "how many labels are wrong; null: too few judged, or their labels were not judged before",
    ]
    notes: Annotated[tuple[str, ...], "rows that were left out, and what a fill now rests on"]


def work(session: Session, settings: Settings) -> Result:
    """Record what a person found in a sample, and compare the labels with it.

    The comparison is also written into the folder.

    Raises
    ------
    InvalidLabels
        The file of judgements cannot be read, or no row of it fits.
    UsageError
        The folder holds no sample, nothing was judged, or all that was has changed since.
    """
    folder = session.sample_folder(settings.folder)
    document = folder.read()
    sample = sample_from(document)
    file = Path(settings.file) if settings.file is not None else None
    judged = folder.read_judgement(file, document, NOTHING)
    result = record_truth(session, sample, judged.labels, who=settings.who or getpass.getuser())
    result = replace(result, notes=(*judged.notes, *result.notes))
    folder.write_comparison(to_document(result))
    return result


def record_truth(
    session: Session, sample: TruthSample, judged: Mapping[str, tuple[str, ...]], *, who: str
) -> Result:
    """Record what a person found as ``human`` labels, and compare the labels with it.

    The writer's lock is not needed.

    Parameters
    ----------
    session : Session
    sample : TruthSample
    judged : mapping of str to tuple of str
        Image → its true classes, none of them when it carries none; images that are not in it
        were not judged.
    who : str

    Raises
    ------
    InvalidLabels
        A judged image is not of the sample, or a class is not of the taxonomy.
    UsageError
        Nothing was judged, or all that was has changed since the sample was drawn.
    """
    catalog, taxonomy = session.catalog, sample.taxonomy
    rows, ids, notes = _find_as_sampled(catalog, _check_judgement(sample, judged))
    statements: list[Statement] = []
    for image, row in zip(ids, rows, strict=True):
        statements += _statements(sample, image, judged[row.image])
    with catalog.transaction():
        batch = catalog.labels.record(
            taxonomy,
            statements,
            source=f"human:{who}",
            verb="truth",
            note=f"{len(rows)} of a {'sample by doubt' if sample.by_doubt else 'random sample'} "
            f"of {len(sample.images)}",
        )
        if not sample.by_doubt:
            known = JudgedSample(tuple(sorted({*judged_images(session, taxonomy), *ids})))
            session.results.keep(f"truth:{taxonomy}", known, fingerprint(sample, judged))
        if sample.counted is not None:
            keep_judged(session, taxonomy, _count_sample(sample, sample.counted, rows, ids))
    measures = changes = None
    if sample.by_doubt:
        notes = [*notes, _BY_DOUBT]
    else:
        measures, changes = compare_with_truth(sample, rows, judged)
        notes = [*notes, describe_sampled_basis(session, taxonomy)]
    return Result(
        taxonomy=taxonomy,
        judged=len(rows),
        sample=len(sample.images),
        population=sample.population,
        batch=batch,
        measures=measures,
        changes=changes,
        wrong=judged_count(session, taxonomy) if sample.counted is not None else None,
        notes=tuple(notes),
    )


_BY_DOUBT = (
    "doubtful labels were drawn more often, so this sample tells how many are wrong and nothing "
    "else; vernis fill does not rest on it"
)


def _count_sample(
    sample: TruthSample, about: CountedLabels, rows: Sequence[SampledImage], ids: Sequence[int]
) -> CountSample:
    """Return what is kept of the judged images; the order was random, so any part is a sample."""
    share = len(rows) / len(sample.images)
    judged = tuple(
        JudgedLabel(image, row.given, row.expected, row.chance * share)
        for row, image in zip(rows, ids, strict=True)
        if row.chance is not None and row.expected is not None
    )
    return CountSample(about.images, about.expected, about.model, judged)


def compare_with_truth(
    sample: TruthSample, rows: Sequence[SampledImage], judged: Mapping[str, tuple[str, ...]]
) -> tuple[Measures, Changes]:
    """Return what the labels of the judged images are worth, and what cleaning does to them."""
    from vernis.core.learn.truth import count_changes, measure_labels

    truth = _table(sample, [judged[row.image] for row in rows])
    tables = {
        "given": _table(sample, [row.given for row in rows]),
        "cleaned": _table(sample, [row.cleaned for row in rows]),
        "predicted": _table(sample, [row.predicted for row in rows]),
    }
    measures = {
        name: measure_labels(truth, table, population=sample.population, seed=sample.seed)
        for name, table in tables.items()
    }
    changes = count_changes(truth, tables["given"], tables["cleaned"], sample.population)
    return from_document(Measures, measures), from_document(Changes, changes)


def _check_judgement(
    sample: TruthSample, judged: Mapping[str, tuple[str, ...]]
) -> list[SampledImage]:
    if not judged:
        raise UsageError(
            f"no image is judged yet; write the true {sample.taxonomy} of each image into the "
            f"column 'truth', or {NOTHING} where it has none; or judge them on the page"
        )
    of_sample = {row.image: row for row in sample.images}
    for image, labels in judged.items():
        if image not in of_sample:
            raise InvalidLabels(f"'{image}' is not an image of this sample; leave its row out")
        for label in labels:
            if label not in sample.classes:
                raise InvalidLabels(
                    f"'{image}': '{label}' is no class of {sample.taxonomy}; the classes are "
                    f"{', '.join(sample.classes[:20])}{', …' if len(sample.classes) > 20 else ''}"
                )
        if sample.kind == "single" and len(labels) > 1:
            raise InvalidLabels(
                f"'{image}': {sample.taxonomy} takes one class an image, got {' | '.join(labels)}"
            )
    return [row for row in sample.images if row.image in judged]


def _find_as_sampled(
    catalog: Catalog, rows: Sequence[SampledImage]
) -> tuple[list[SampledImage], list[int], list[str]]:
    """Return the images that are as they were drawn, their ids, and a note on each other one."""
    kept, ids, notes = [], [], []
    for row in rows:
        try:
            image = catalog.images.find(row.image)
        except NotFound:
            notes.append(f"left out {row.image}: it is no more in the collection")
            continue
        if image.content_hash == row.content_hash:
            kept.append(row)
            ids.append(image.id)
        else:
            notes.append(f"left out {row.image}: it has changed since the sample was drawn")
    if not kept:
        raise UsageError(f"{notes[0]}; draw a new sample: vernis lab sample")
    return kept, ids, notes


def _statements(sample: TruthSample, image: int, truth: tuple[str, ...]) -> list[Statement]:
    """Every class is judged: those that the image does not carry are ``no``.

    Where an image carries one label at most, that label says so of the others.
    """
    if sample.kind == "single" and truth:
        return [Statement(image, truth[0], "yes")]
    states: dict[str, LabelState] = dict.fromkeys(sample.classes, "no")
    states.update(dict.fromkeys(truth, "yes"))
    return [Statement(image, name, state) for name, state in sorted(states.items())]


def _table(sample: TruthSample, labels: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
    column = {name: number for number, name in enumerate(sample.classes)}
    table = np.zeros((len(labels), len(column)), bool)
    for row, names in enumerate(labels):
        table[row, [column[name] for name in names if name in column]] = True
    return table


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the measures, what cleaning does, and which batch takes the labels back."""
    screen.facts(
        {
            "taxonomy": result.taxonomy,
            "judged": f"{result.judged:,} of {result.sample:,}",
            "collection": counted(result.population, "image"),
        }
    )
    if result.measures is not None and result.changes is not None:
        _show_measures(result.measures, result.changes, screen)
    if result.wrong is not None:
        screen.line(sentence(result.wrong.sentence()))
    if result.batch:
        screen.line(f"Recorded as your labels (vernis undo {result.batch} takes it back).")
    else:
        screen.line("Nothing new to record: these judgements are your labels already.")


def _show_measures(measures: Measures, changed: Changes, screen: Screen) -> None:
    rows = measure_rows(measures)
    screen.table(rows, list(rows[0]), title="Against the truth (micro averages, interval of 95 %)")
    changes = [
        {
            "cleaning has": field.name.replace("_", " "),
            "images in the sample": getattr(changed, field.name).sample,
            "in the collection": _interval(getattr(changed, field.name), ",.0f"),
        }
        for field in fields(Changes)
    ]
    screen.table(changes, list(changes[0]), title="What cleaning does (interval of 95 %)")


def measure_rows(measures: Measures) -> list[dict[str, str]]:
    """Return a row a measure and a column for each kind of labels, which fits 80 characters."""
    shown = {field.name: _by_measure(getattr(measures, field.name)) for field in fields(Measures)}
    return [
        {"measure": measure, **{name: _interval(found[measure]) for name, found in shown.items()}}
        for measure in next(iter(shown.values()))
    ]


def _by_measure(found: LabelMeasures) -> dict[str, Share]:
    return {
        "coverage": found.coverage,
        "accuracy": found.accuracy,
        "precision": found.micro.precision,
        "recall": found.micro.recall,
        "f1": found.micro.f1,
        "macro f1": found.macro.f1,
    }


def _interval(share: Share | Change, form: str = ".3f") -> str:
    """Return a figure with its interval, alone where it is known exactly."""
    value, low, high = share.value, share.low, share.high
    if value is None or value != value or low is None or high is None:
        return "–"
    if low == high:
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}}–{high:{form}})"


VERB = Verb(Settings, work, show)
