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
from vernis.domain.types import ImageRecord, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, BaseSettings, Option, Screen, Verb
from vernis.verbs.lab.truth_sample import NOTHING, SampledImage, TruthSample

if TYPE_CHECKING:
    from vernis.session.files import ReadPicture
    from vernis.session.session import Session

_KEYS, _OFFERED = 9, 6
"""Classes that the page can offer by key, and those that it offers first of more."""

_EDGE = 480
"""Longer side of the page's pictures, pixels."""

_SOURCES = ("given", "reader", "api", "proposal")


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How many images are drawn, and where they are judged."""

    taxonomy: Annotated[str, Option("the taxonomy that is judged")]
    _: KW_ONLY
    size: Annotated[int, Option("images", "N", at_least=1, alias=("--n",))] = 300
    out: Annotated[Path | str | None, Option("a new folder (default: sample-TAXONOMY)", "DIR")] = (
        None
    )
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
    sample = draw_truth_sample(session, settings.taxonomy, size=settings.size, seed=settings.seed)
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
    session: Session, taxonomy: str, *, size: int = 300, seed: int = 0
) -> TruthSample:
    """Draw a random sample of ``size`` images, stratified by the label.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        The collection holds no image.
    """
    catalog, matrix = session.catalog, session.matrix(taxonomy)
    if not len(matrix.image_ids):
        raise UsageError("the collection holds no readable image to judge")
    yes = matrix.values == 1
    # The rarest class of an image is its stratum, so that rare classes are drawn evenly.
    rarity = np.where(yes, yes.sum(axis=0)[None, :], np.iinfo(np.int64).max)
    strata = np.where(yes.any(axis=1), rarity.argmin(axis=1), -1) if yes.shape[1] else yes[:, 0]
    rows = draw_sample(strata, size, seed=seed)
    chosen = catalog.images.get(matrix.image_ids[rows].tolist())
    given = {image.id: _given(catalog, taxonomy, image) for image in chosen}
    cleaned = _cleaned(catalog, taxonomy, given)
    predicted, likely = _predicted(catalog, matrix.taxonomy, given)
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
            )
            for image in chosen
        ),
    )


def _given(catalog: Catalog, taxonomy: str, image: ImageRecord) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                said.label
                for source, said in catalog.labels.statements(taxonomy, image.id)
                if said.state == "yes" and source.startswith(_SOURCES)
            }
        )
    )


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
