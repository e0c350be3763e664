"""``vernis locate``: find where in the pictures their labels are, learned from the labels alone.

No box is needed: what pictures with a label have in common, and those without it lack, is scored
at every place. Of each image and label a heat map is kept, and its boxes become suggestions: a
person accepts or rejects them. The maps are made anew when the labels that they are learned from
change; another threshold costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.boxes import ScoredBoxes, components, outer_box
from vernis.core.locate.stored_maps import StoredMap
from vernis.core.locate.thresholds import (
    FEWEST_BOXES,
    MANY_OBJECTS,
    ONE_OBJECT,
    learn_threshold,
    named_threshold,
)
from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import UsageError
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted
from vernis.verbs.declare import Option, Screen, Verb, count
from vernis.verbs.networks.embedding import undecoded
from vernis.verbs.steps.drawn_boxes import Boxes, drawn_boxes
from vernis.verbs.steps.locating import (
    LocateOptions,
    LocatePlan,
    LocateSummary,
    locate_labels,
    plan_locating,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_LEAST_CELLS = 0.001
"""Smaller parts, as a share of the map, are no boxes."""


@dataclass(frozen=True)
class Settings(LocateOptions):
    """Whose labels are located, and what becomes a box."""

    taxonomy: Annotated[str, Option("the taxonomy whose labels are located")]
    _: KW_ONLY
    threshold: Annotated[
        str,
        Option(
            "from this share of the map's highest value on a place belongs to a box: a number "
            f"between 0 and 1; thesis: 80 of 255, and one box around all; auto: learned where "
            f"{FEWEST_BOXES} boxes or more were drawn"
        ),
    ] = "auto"
    most: Annotated[int, count("boxes of a label on an image, at most")] = 5
    sheet: Annotated[
        Path | str | None, Option("draw maps and boxes over pictures into this PNG file")
    ] = None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Where a class was found."""

    class_: Annotated[str, "the class"]
    images: Annotated[int, "images that carry it and were located"]
    boxes: Annotated[int, "boxes that are suggested"]
    confidence: Annotated[
        float,
        "median over the images: the share of images without the class that score lower at their "
        "highest place",
    ]


@dataclass(frozen=True, slots=True)
class Result:
    """What was located."""

    taxonomy: str
    source: Annotated[str, "of the suggested regions"]
    images: Annotated[int, "images with a label that was located"]
    maps: Annotated[int, "heat maps: one an image and label"]
    suggested: Annotated[int, "maps of labels that are only suggested (by issues or fill)"]
    computed: Annotated[int, "maps that were made in this run"]
    boxes: Annotated[int, "boxes that are suggested"]
    drawn: Annotated[int, "images and labels that hold boxes already, to which none is added"]
    threshold: Annotated[float, "share of a map's highest value"]
    threshold_from: Annotated[str, "given, thesis, learned or assumed"]
    classes: tuple[ClassRow, ...]
    unreadable: Annotated[int, "images that could not be decoded"]
    sheet: Annotated[str | None, "path"]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrittenBoxes:
    """What the suggested boxes of a taxonomy were made of."""

    VERSION: ClassVar[int] = 1

    source: str
    boxes: int


def work(session: Session, settings: Settings) -> Result:
    """Locate the labels of a taxonomy in the pictures; boxes become suggestions.

    Raises
    ------
    NotFound, FilterError, UsageError
        There is no such taxonomy, or a setting is wrong.
    NothingToLearn
        No class has images with it and images without it.
    ModelError
        The network cannot be used.
    """
    try:
        given = named_threshold(settings.threshold)
    except ValueError:
        raise UsageError(
            f"expected a threshold between 0 and 1, thesis or auto, got {settings.threshold!r}"
        ) from None
    plan = plan_locating(session, settings.taxonomy, settings)
    with session.lock("locate"):
        found = locate_labels(session, plan, settings)
        drawn = drawn_boxes(session, settings.taxonomy)
        threshold, origin = _threshold(session, plan, found, drawn, given, settings.threshold)
        boxes = dict(_boxes(plan, found, threshold, settings))
        kept = {pair: one for pair, one in boxes.items() if _name(plan, pair) not in drawn}
        source = f"model:locate-{settings.method}@{plan.mark[:8]}"
        _write(session, plan, kept, found, source)
    sheet = None
    if settings.sheet is not None:
        from vernis.verbs.steps.locate_sheet import write_locate_sheet

        sheet = str(write_locate_sheet(session, plan, found, boxes, drawn, Path(settings.sheet)))
    return Result(
        taxonomy=settings.taxonomy,
        source=source,
        images=len({row for row, _ in found.maps}),
        maps=len(found.maps),
        suggested=found.suggested,
        computed=found.computed,
        boxes=sum(len(one.boxes) for one in kept.values()),
        drawn=len(boxes) - len(kept),
        threshold=round(threshold, 4),
        threshold_from=origin,
        classes=_class_rows(plan, found, kept),
        unreadable=len(found.failed),
        sheet=sheet,
        notes=(*plan.notes, *found.notes, *undecoded(found.failed)),
    )


def _name(plan: LocatePlan, pair: tuple[int, int]) -> tuple[int, str]:
    return plan.images[pair[0]].id, plan.classes[pair[1]]


def _threshold(
    session: Session,
    plan: LocatePlan,
    found: LocateSummary,
    drawn: Boxes,
    given: float | None,
    name: str,
) -> tuple[float, str]:
    if given is not None:
        return given, "thesis" if name == "thesis" else "given"
    pairs = [pair for pair in sorted(found.maps) if _name(plan, pair) in drawn]
    maps = [sized_map(plan.images[row], found.maps[row, column]) for row, column in pairs]
    learnt = learn_threshold(maps, [drawn[_name(plan, pair)] for pair in pairs])
    if learnt is not None:
        return learnt, "learned"
    kind = session.matrix(plan.taxonomy).taxonomy.kind
    return (ONE_OBJECT if kind == "single" else MANY_OBJECTS), "assumed"


def sized_map(image: ImageRecord, stored: StoredMap) -> NDArray[np.float64]:
    """Return a map in the proportions of its picture."""
    return stored.in_size(max(image.width, 1), max(image.height, 1))


def _boxes(
    plan: LocatePlan, found: LocateSummary, threshold: float, settings: Settings
) -> Iterator[tuple[tuple[int, int], ScoredBoxes]]:
    for pair in sorted(found.maps):
        heat = sized_map(plan.images[pair[0]], found.maps[pair])
        if settings.threshold == "thesis":
            yield pair, outer_box(heat, threshold)
            continue
        boxes = components(heat, threshold)
        large = np.flatnonzero(boxes.cells >= _LEAST_CELLS * heat.size)
        order = large[np.argsort(-boxes.scores[large], kind="stable")][: settings.most]
        yield pair, ScoredBoxes(boxes.boxes[order], boxes.scores[order], boxes.cells[order])


def _write(
    session: Session,
    plan: LocatePlan,
    boxes: dict[tuple[int, int], ScoredBoxes],
    found: LocateSummary,
    source: str,
) -> None:
    """Replace what was suggested before and not answered; nothing where it is the same."""
    regions, name = session.catalog.regions, f"locate:{plan.taxonomy}"
    about = [(*_name(plan, pair), one.boxes, one.scores) for pair, one in boxes.items()]
    mark = fingerprint(source, [list(one) for one in about])
    kept = session.results.find(name, WrittenBoxes, mark)
    said = regions.labels(plan.taxonomy)
    mine = np.array([s.startswith("model:locate-") for s in said.sources.names], bool)
    open_ = said.proposed & mine[said.sources.codes] if len(said) else np.zeros(0, bool)
    ids = np.unique(said.region_ids[open_])
    if kept is not None and len(ids):
        return
    located = {plan.images[row].id for row, _ in found.maps}
    table = regions.table(taxonomy=plan.taxonomy)
    old = ids[np.isin(table.image_ids[np.searchsorted(table.ids, ids)], list(located))]
    with session.catalog.transaction():
        if len(old):
            regions.remove(old, source=source, verb="locate")
        regions.add(_new_regions(plan, boxes, found), source=source, verb="locate")
        session.results.keep(name, WrittenBoxes(source, len(about)), mark)


def _new_regions(
    plan: LocatePlan, boxes: dict[tuple[int, int], ScoredBoxes], found: LocateSummary
) -> Iterator[NewRegion]:
    for (row, column), some in boxes.items():
        image, sure = plan.images[row], found.maps[row, column].confidence
        size = (max(image.width, 1), max(image.height, 1))
        for corners, score in zip(some.boxes, some.scores, strict=True):
            box = Box.from_corners(*np.round(corners * np.tile(size, 2), 1).tolist())
            said = RegionLabel(plan.taxonomy, plan.classes[column], "yes", float(score * sure))
            yield NewRegion(image.id, Region(box, size), (said,))


def _class_rows(
    plan: LocatePlan, found: LocateSummary, boxes: dict[tuple[int, int], ScoredBoxes]
) -> tuple[ClassRow, ...]:
    rows = []
    for column, name in enumerate(plan.classes):
        sure = [one.confidence for (_, c), one in found.maps.items() if c == column]
        if sure:
            number = sum(len(one.boxes) for (_, c), one in boxes.items() if c == column)
            rows.append(ClassRow(name, len(sure), number, round(float(np.median(sure)), 3)))
    return tuple(sorted(rows, key=lambda row: -row.images))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a class, and how the threshold came about."""
    rows = [
        {
            "class": row.class_,
            "images": row.images,
            "boxes": row.boxes,
            "confidence": f"{row.confidence:.2f}",
        }
        for row in result.classes
    ]
    columns = ["class", "images", "boxes", "confidence"]
    screen.table(rows, columns, title=f"Where {result.taxonomy} is", limit=20)
    how = {
        "learned": "learned from drawn boxes",
        "assumed": f"assumed: draw {FEWEST_BOXES} boxes to learn it",
        "thesis": "80 of 255, one box around all",
        "given": "as given",
    }[result.threshold_from]
    screen.line(
        f"{counted(result.boxes, 'box', 'boxes')} suggested by {result.source}; threshold "
        f"{result.threshold:g} of the highest value ({how})."
    )
    if result.suggested:
        screen.line(
            f"{counted(result.suggested, 'suggested label')} located too: issues, fill and the app "
            "point at the place."
        )
    if result.drawn:
        screen.line(f"{result.drawn:,} images and labels hold boxes already; none is added there.")
    for note in result.notes:
        screen.note(note)
    if result.sheet:
        screen.line(f"Sheet: {result.sheet}")


VERB = Verb(Settings, work, show)
