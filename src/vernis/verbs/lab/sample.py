"""``vernis lab sample``: draw a random sample for a person to judge.

Its folder holds a page on which one judges with the keyboard, and a sheet for those who prefer a
spreadsheet; ``vernis lab truth`` reads either.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.sampling import draw_sample
from vernis.domain.documents import to_document
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import ImageRecord, LabelMatrix, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.judged_count import given_labels
from vernis.verbs.decide.label_judgement import LabelJudgement, judge_labels
from vernis.verbs.declare import SEED, BaseSettings, Option, Screen, Verb
from vernis.verbs.lab.truth_sample import (
    NOTHING,
    CountedLabels,
    SampledImage,
    TruthSample,
)

if TYPE_CHECKING:
    from vernis.session.files import ReadPicture
    from vernis.session.session import Session

_KEYS, _OFFERED = 9, 6
"""Classes that the page can offer by key, and those that it offers first of more."""

_EDGE = 480
"""Longer side of the page's pictures, pixels."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How many images are drawn, and where they are judged."""

    taxonomy: Annotated[str, Option("the taxonomy that is judged")]
    _: KW_ONLY
    size: Annotated[int, Option("images", "N", at_least=1, alias=("--n",))] = 300
    out: Annotated[Path | str | None, Option("a new folder (default: sample-TAXONOMY)", "DIR")] = (
        None
    )
    by_doubt: Annotated[
        bool,
        Option(
            "of the labelled images, doubtful ones more often: few judged ones tell how many "
            "labels are wrong (for that alone)"
        ),
    ] = False
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class Result:
    """Where the sample lies."""

    images: Annotated[int, "how many are to be judged"]
    folder: str
    page: Annotated[str, "the page on which one judges"]
    sheet: Annotated[str, "the same for a spreadsheet"]


def work(session: Session, settings: Settings) -> Result:
    """Draw a random sample and write the folder in which a person judges it.

    Raises
    ------
    UsageError
        The folder holds something, or the collection holds no image.
    """
    from vernis.report.judge.page import JudgedImage, render_judge_page

    out = Path(settings.out) if settings.out is not None else Path(f"sample-{settings.taxonomy}")
    folder = session.sample_folder(out)
    folder.require_new()  # before the work, and again when it is written
    sample = draw_truth_sample(
        session,
        settings.taxonomy,
        size=settings.size,
        seed=settings.seed,
        by_doubt=settings.by_doubt,
    )
    read, rows = session.files.pictures(), []
    for number, row in enumerate(sample.images, 1):
        picture = _picture_address(session, read, session.catalog.images.find(row.image))
        rows.append(JudgedImage(row.image, row.offered, picture))
        session.progress("Sample", number, len(sample.images))
    page = render_judge_page(
        taxonomy=sample.taxonomy,
        kind=sample.kind,
        classes=sample.classes,
        images=rows,
        key=fingerprint(sample)[:16],
        nothing=NOTHING,
    )
    written = folder.write(to_document(sample), [row.image for row in sample.images], page)
    return Result(len(sample.images), str(out), str(written), str(folder.sheet))


def _picture_address(session: Session, read: ReadPicture, image: ImageRecord) -> str:
    """Return a picture as a ``data:`` address; empty when its file cannot be read."""
    try:
        jpeg = session.files.draw_thumbnail(read(image), _EDGE)
    except (UnreadableImage, OSError):
        return ""
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def draw_truth_sample(
    session: Session, taxonomy: str, *, size: int = 300, seed: int = 0, by_doubt: bool = False
) -> TruthSample:
    """Draw a random sample of ``size`` images, stratified by the label.

    With ``by_doubt`` of the labelled images that were judged, with chances that go with the model's
    doubt; they are judged first where that was not done yet.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        The collection holds no image, or by doubt none that is labelled.
    NothingToLearn
        By doubt: fewer than 10 images have labels, or all the same one.
    """
    judgement = session.results.find(f"label_issues:{taxonomy}", LabelJudgement)
    if by_doubt and judgement is None:
        session.catalog.labels.taxonomy(taxonomy)
        judgement = judge_labels(session, taxonomy)
    catalog, matrix = session.catalog, session.matrix(taxonomy)
    if not len(matrix.image_ids):
        raise UsageError("the collection holds no readable image to judge")
    expected, variance = _expectations(session, matrix, judgement)
    frame = np.isfinite(expected)
    if by_doubt:
        if not frame.any():
            raise UsageError(f"no label of {taxonomy} is left to judge")
        rows, chances = _draw_by_doubt(expected, variance, size, seed)
    else:
        rows = draw_sample(_strata(matrix), size, seed=seed)
        chances = np.full(len(frame), len(rows) / len(frame))
    chosen = catalog.images.get(matrix.image_ids[rows].tolist())
    given = {image.id: given_labels(catalog, taxonomy, image.id) for image in chosen}
    cleaned = _cleaned(catalog, taxonomy, given)
    predicted, likely = _predicted(catalog, matrix.taxonomy, given)
    yes = matrix.values == 1
    usual = [matrix.taxonomy.classes[column] for column in np.argsort(-yes.sum(axis=0))]
    return TruthSample(
        taxonomy=taxonomy,
        kind=matrix.taxonomy.kind,
        classes=matrix.taxonomy.classes,
        seed=seed,
        population=len(matrix.image_ids),
        images=tuple(
            SampledImage(
                image.uri,
                image.content_hash,
                given[image.id],
                cleaned[image.id],
                predicted[image.id],
                _offer(
                    matrix.taxonomy.classes,
                    {*given[image.id], *cleaned[image.id], *predicted[image.id]},
                    (*likely.get(image.id, ()), *usual),
                ),
                float(chances[row]) if frame[row] else None,
                float(expected[row]) if frame[row] else None,
            )
            for image, row in zip(chosen, rows.tolist(), strict=True)
        ),
        counted=None if judgement is None else _counted(expected[frame], judgement),
        by_doubt=by_doubt,
    )


def _draw_by_doubt(
    expected: NDArray[np.float64], variance: NDArray[np.float64], size: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows that are drawn, and the chance of every row; NaN has none."""
    from vernis.core.labels.judged_count import draw_by_doubt, drawing_chances

    chances, rows = np.zeros(len(expected)), np.flatnonzero(np.isfinite(expected))
    chances[rows] = drawing_chances(variance[rows], size)
    return rows[draw_by_doubt(expected[rows], chances[rows], seed=seed)], chances


def _strata(matrix: LabelMatrix) -> NDArray[np.int64]:
    """Return the rarest class of each image, -1 without one, so that rare ones are drawn evenly."""
    yes = matrix.values == 1
    if not yes.shape[1]:
        return np.full(len(yes), -1, np.int64)
    rarity = np.where(yes, yes.sum(axis=0)[None, :], np.iinfo(np.int64).max)
    return np.where(yes.any(axis=1), rarity.argmin(axis=1), -1)


def _expectations(
    session: Session, matrix: LabelMatrix, judgement: LabelJudgement | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many labels of each image are expected to be wrong, and the variance of that.

    NaN where none is counted. Where the pictures tell nothing, all labels count, alike.
    """
    expected = np.full(len(matrix.image_ids), np.nan)
    variance = expected.copy()
    if judgement is None:
        return expected, variance
    if judgement.wrong is None:
        counts = (matrix.values == 1).any(axis=1) & ~matrix.confirmed.any(axis=1)
        expected[counts], variance[counts] = 0.0, 0.0
        return expected, variance
    issues, name = session.catalog.issues, matrix.taxonomy.name
    images = issues.images_of("label", name)
    rows = np.searchsorted(matrix.image_ids, images)
    expected[rows] = issues.numbers("label", name, "expected")
    variance[rows] = issues.numbers("label", name, "variance")
    expected[matrix.confirmed.any(axis=1)] = np.nan
    return expected, variance


def _counted(expected: NDArray[np.float64], judgement: LabelJudgement) -> CountedLabels:
    return CountedLabels(len(expected), float(expected.sum()), judgement.wrong)


def _cleaned(
    catalog: Catalog, taxonomy: str, given: Mapping[int, tuple[str, ...]]
) -> dict[int, tuple[str, ...]]:
    labels = dict(given)
    for issue in catalog.issues.select(("label",), taxonomy):
        if issue.image_id in labels and issue.verdict != "dismissed":
            labels[issue.image_id] = tuple(issue.evidence.get("suggested", ()))
    filled: dict[int, list[str]] = {}
    for suggestion in catalog.issues.suggestions(taxonomy):
        if suggestion.image_id in labels and suggestion.promised:
            filled.setdefault(suggestion.image_id, []).append(suggestion.label)
    for image, found in filled.items():
        labels[image] = tuple(sorted({*labels[image], *found}))
    return labels


def _predicted(
    catalog: Catalog, taxonomy: Taxonomy, given: Mapping[int, tuple[str, ...]]
) -> tuple[dict[int, tuple[str, ...]], dict[int, tuple[str, ...]]]:
    """Return what the newest head says, out of bag, and its classes by probability.

    Nothing where there is no head yet.
    """
    said: dict[int, tuple[str, ...]] = dict.fromkeys(given, ())
    record = catalog.models.latest(taxonomy.name)
    if record is None:
        return said, {}
    _, settings = catalog.models.load(record)
    stored = catalog.models.predictions(record)
    place = {int(image): row for row, image in enumerate(stored["image_ids"])}
    known = [image for image in given if image in place]
    rows = np.asarray([place[image] for image in known], np.int64)
    probabilities = np.where(
        np.isfinite(stored["oob"][rows]), stored["oob"][rows], stored["ensemble"][rows]
    )
    classes = [str(name) for name in settings["classes"]]
    decided = _decide(probabilities, taxonomy.kind, settings.get("thresholds") or {}, classes)
    best = np.argsort(-probabilities, axis=1)[:, :_OFFERED]
    likely = {}
    for image, yes, first in zip(known, decided, best, strict=True):
        said[image] = tuple(np.asarray(classes)[yes].tolist())
        likely[image] = tuple(np.asarray(classes)[first].tolist())
    return said, likely


def _offer(classes: Sequence[str], claimed: set[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to offer first, in alphabetical order: neither order nor number tells.

    All where the keys 1 to 9 reach them, else the claimed ones among others that are likely.
    """
    if len(classes) <= _KEYS:
        return tuple(sorted(classes))
    offered = {name for name in claimed if name in classes}
    for name in others:
        if len(offered) >= _OFFERED:
            break
        if name in classes:
            offered.add(name)
    return tuple(sorted(offered))


def _decide(
    probabilities: NDArray[np.floating[Any]],
    kind: str,
    thresholds: Mapping[str, float | None],
    classes: Sequence[str],
) -> NDArray[np.bool_]:
    if kind == "single":
        best = probabilities.argmax(axis=1) if len(classes) else np.zeros(len(probabilities), int)
        return np.asarray(np.arange(len(classes))[None, :] == best[:, None])
    cuts = np.asarray([thresholds.get(name) or 0.5 for name in classes])
    return np.asarray(probabilities >= cuts)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Say where to judge, and what comes next."""
    screen.line(f"{counted(result.images, 'image')} to judge, on the page {result.page}")
    screen.line(f"or in the column 'truth' of {result.sheet}.")
    screen.line(f"Next:   vernis lab truth {result.folder}")


VERB = Verb(Settings, work, show)
