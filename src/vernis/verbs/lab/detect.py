"""``vernis lab detect``: mAP, recall and precision of found boxes, by class and size.

The boxes that people or files gave in a taxonomy are the truth; measured is what the shipped
detector sees, the unsure included, or what another source has found. The protocol is COCO's: mAP50
counts a box that overlaps a true one by half (IoU .50), mAP is the mean over ten such limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.evaluation import (
    RECALLS,
    Evaluation,
    PlacedBoxes,
    evaluate_boxes,
)
from vernis.core.detect.vectors import ObjectTable
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.class_names import match_key
from vernis.domain.errors import NothingToLearn
from vernis.domain.region_store import RegionTable
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted
from vernis.verbs.declare import Option, Verb
from vernis.verbs.lab.box_rows import OVERALL, box_rows
from vernis.verbs.lab.study import Cells, Findings, Plan, Study, StudyResult, TaxonomyStudySettings
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.see.objects import shown

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings):
    """Whose boxes are measured, and against which."""

    taxonomy: Annotated[str, Option("the taxonomy whose boxes are the truth")]
    _: KW_ONLY
    found: Annotated[
        str,
        Option(
            "measure the boxes of this source in the taxonomy, such as model:NAME (default: all "
            "that the shipped detector has seen)",
            "SOURCE",
        ),
    ] = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Boxes:
    """True and found boxes on the same images.

    Attributes
    ----------
    truth, found : PlacedBoxes
    classes : tuple of str
        Those that are measured.
    images : int
    notes : tuple of str
    """

    truth: PlacedBoxes
    found: PlacedBoxes
    classes: tuple[str, ...]
    images: int
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure found boxes against the true ones.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        It has no boxes, or nobody has looked for any on these images.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    boxes = _read_boxes(session, settings)
    made_of = [(one.pictures, one.classes, one.boxes) for one in (boxes.truth, boxes.found)]
    data = {
        "fingerprint": fingerprint(made_of, boxes.found.scores, boxes.classes),
        "taxonomy": settings.taxonomy,
        "images": boxes.images,
        "true_boxes": len(boxes.truth),
        "found_boxes": len(boxes.found),
    }
    return Plan(data, boxes.notes, 1, partial(_measure, boxes, settings))


def _measure(boxes: _Boxes, settings: Settings, cells: Cells) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_precision_recall

    result = evaluate_boxes(boxes.truth, boxes.found, len(boxes.classes))
    rows = cells({"of": settings.found or "detector"}, partial(box_rows, result, boxes.classes))
    curves = _curves(result, boxes.classes)
    about = f"{settings.taxonomy}, {counted(boxes.images, 'image')}"
    lines = ["class,recall,precision,score"]
    lines += [
        f'"{name}",{recall:.2f},{precision:.4f},{score:.4f}'
        for name, curve in curves.items()
        for recall, precision, score in curve
    ]
    return Findings(
        rows,
        draw=partial(draw_precision_recall, curves=curves, about=about),
        result=StudyResult,
        files={"precision_recall.csv": "\n".join(lines) + "\n"},
    )


def _curves(result: Evaluation, classes: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return recall, precision and score of each class at an overlap of .50, shape (101, 3)."""
    order = np.argsort(-result.n_true[:, 0], kind="stable")
    precision = result.precision[0, :, :, 0]
    curves = {
        OVERALL: np.stack([RECALLS, precision.mean(axis=1), np.full(len(RECALLS), np.nan)], axis=1)
    }
    for label in order:
        curves[classes[label]] = np.stack(
            [RECALLS, precision[:, label], result.scores[:, label]], axis=1
        )
    return curves


def _read_boxes(session: Session, settings: Settings) -> _Boxes:
    """Return the true and the found boxes of the images that have a true one."""
    session.catalog.labels.taxonomy(settings.taxonomy)
    images = chosen_images(session, settings.where)
    ids = np.array([image.id for image in images], np.int64)
    table = session.catalog.regions.table(images=ids)
    said = session.catalog.regions.labels(settings.taxonomy, images=ids)
    true = _Labelled.of(table, said.region_ids, said.labels, np.flatnonzero(said.yes & said.holds))
    if not len(true.images):
        raise NothingToLearn(
            f"no image has a box in {settings.taxonomy} that a file or a person gave; import boxes "
            "or accept some that are proposed"
        )
    annotated = np.isin(ids, true.images)
    images = [image for image, one in zip(images, annotated, strict=True) if one]
    if settings.found:
        rows = shown(said)
        rows = rows[[said.sources[int(row)].startswith(settings.found) for row in rows]]
        scores = np.nan_to_num(said.probabilities[rows], nan=1.0)
        found = _Labelled.of(table, said.region_ids, said.labels, rows, scores)
        known = set(found.labels) | set(true.labels)
        notes: tuple[str, ...] = ()
    else:
        found, known, notes = _seen_by_detector(session, images, settings.taxonomy)
    if not len(found.images):
        raise NothingToLearn(
            "nobody has found boxes on these images; look for them: vernis detect"
            if not settings.found
            else f"{settings.found} has found no box in {settings.taxonomy} on these images"
        )
    keys = {match_key(name) for name in known}
    classes = tuple(sorted(name for name in set(true.labels) if match_key(name) in keys))
    unknown = sorted(set(true.labels) - set(classes))
    if unknown:
        what = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        notes += (f"not measured, as the detector does not know them: {what}",)
    if not classes:
        raise NothingToLearn(f"{settings.taxonomy} has no class that the detector knows")
    codes = {match_key(name): code for code, name in enumerate(classes)}
    return _Boxes(true.placed(codes), found.placed(codes), classes, len(images), notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Labelled:
    """Boxes with their classes by name."""

    images: NDArray[np.int64]
    labels: list[str]
    corners: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        table: RegionTable,
        region_ids: NDArray[np.int64],
        labels: Any,
        rows: NDArray[np.intp],
        scores: NDArray[np.float64] | None = None,
    ) -> _Labelled:
        at = np.searchsorted(table.ids, region_ids[rows])
        boxes = table.boxes[at]
        corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        sure = np.ones(len(rows)) if scores is None else scores
        return cls(table.image_ids[at], [labels[int(row)] for row in rows], corners, sure)

    def placed(self, codes: Mapping[str, int]) -> PlacedBoxes:
        """Return those whose class has a code."""
        found = np.array([codes.get(match_key(name), -1) for name in self.labels], np.intp)
        rows = found >= 0
        return PlacedBoxes.of(self.images[rows], found[rows], self.corners[rows], self.scores[rows])


def _seen_by_detector(
    session: Session, images: Sequence[ImageRecord], taxonomy: str
) -> tuple[_Labelled, set[str], tuple[str, ...]]:
    """Return all that the shipped detector has seen on images, and the classes that it knows."""
    model = session.models.object_model()
    held = session.catalog.vectors.holds(model.space, [image.content_hash for image in images])
    looked = [image for image, one in zip(images, held, strict=True) if one]
    notes: tuple[str, ...] = ()
    if 0 < len(looked) < len(images):
        missing = counted(len(images) - len(looked), "image")
        notes = (f"on {missing} with boxes nobody has looked for objects; run vernis detect",)
    vectors = session.catalog.vectors.read(model.space, [image.content_hash for image in looked])
    table = ObjectTable.of_vectors(np.asarray(vectors, np.float32), 1e-6)
    sizes = np.array([(image.width, image.height) * 2 for image in looked], float).reshape(-1, 4)
    ids = np.array([image.id for image in looked], np.int64)
    found = _Labelled(
        ids[table.pictures],
        [model.classes[label] for label in table.classes],
        table.boxes * sizes[table.pictures],
        table.scores.astype(np.float64),
    )
    return found, set(model.classes), notes


STUDY = Study(
    name="detect",
    settings=Settings,
    keys=("class",),
    plan=_plan,
    columns=("class", "boxes", "ap50", "ap", "recall", "ap_small", "ap_medium", "ap_large"),
)
VERB = Verb(Settings, work, STUDY.show)
