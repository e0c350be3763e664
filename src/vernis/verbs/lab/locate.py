"""``vernis lab locate``: how well heat maps place objects, where boxes were drawn.

The images are parted into folds; each is located by what is learned from the labels of the others,
and its maps are held against its boxes. No box is learned from. ``--train SPLIT`` learns from the
images of one split and scores all others instead.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.measures import Placement, measure_placement
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.folds import stratified_parts
from vernis.domain.errors import NothingToLearn, UsageError
from vernis.report.lab.run_folder import Row
from vernis.report.wording import counted
from vernis.verbs.declare import Option, Verb, count
from vernis.verbs.lab.study import (
    FOLDS,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
)
from vernis.verbs.networks.backbone_options import NO_FILE
from vernis.verbs.steps.drawn_boxes import Boxes, drawn_boxes
from vernis.verbs.steps.locate import sized_map
from vernis.verbs.steps.locating import LocateOptions, LocatePlan, make_maps, plan_locating

if TYPE_CHECKING:
    from vernis.session.session import Session

_FEWEST = 10
"""Images with boxes below which nothing is measured."""
Compared = Literal["patches", "cam", "fcnn", "centre"]


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings):
    """Which methods are held against the boxes."""

    taxonomy: Annotated[str, Option("the taxonomy whose labels are located")]
    _: KW_ONLY
    methods: Annotated[
        Sequence[Compared],
        Option("what is compared; centre: a blob in the middle, which learns nothing", joined=True),
    ] = ("patches", "cam", "centre")
    sizes: Annotated[
        Sequence[int],
        Option("sizes of the pictures; each alone and, where there are several, joined", "N,…"),
    ] = (512,)
    backbone: Annotated[
        str,
        Option(
            "a network with its maps, as BACKBONE:LAYER+LAYER (see: vernis layers)",
            requests=NO_FILE,
        ),
    ] = "efficientnet_lite0"
    train: Annotated[
        str, Option("learn from the images of this split, score all others (default: folds)")
    ] = ""
    folds: Annotated[int, FOLDS] = 3
    learn_from: Annotated[int, count("images to learn from, at most", at_least=2)] = 400


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure how well each method places the objects that were framed.

    Raises
    ------
    NothingToLearn
        Too few images hold boxes, or no class can be learned.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    boxes = drawn_boxes(session, settings.taxonomy)
    options = LocateOptions(
        where=settings.where,
        sizes=settings.sizes,
        backbone=settings.backbone,
        learn_from=settings.learn_from,
        seed=settings.seed,
    )
    whole = plan_locating(session, settings.taxonomy, options)
    ids = np.array([image.id for image in whole.images], np.int64)
    here = {key: box for key, box in boxes.items() if key[0] in set(ids.tolist())}
    if len({image for image, _ in here}) < _FEWEST:
        raise NothingToLearn(
            f"'{settings.taxonomy}' has boxes on {counted(len({i for i, _ in here}), 'image')}; "
            f"{_FEWEST} are needed to measure anything: import or draw some"
        )
    folds = _folds(session, whole, ids, settings)
    document = {
        "fingerprint": fingerprint(
            whole.Y, [i.content_hash for i in whole.images], [[*k, here[k]] for k in sorted(here)]
        ),
        "images": len(ids),
        "boxes": sum(map(len, here.values())),
    }
    measure = partial(_measure, session, settings, options, folds, here)
    return Plan(document, whole.notes, len(_variants(settings)) * len(folds), measure)


def _folds(
    session: Session, plan: LocatePlan, ids: NDArray[np.int64], settings: Settings
) -> list[tuple[NDArray[np.int64], set[int]]]:
    """Return (ids to learn from, ids to score) of each fold."""
    if settings.train:
        learn = np.array([image.split == settings.train for image in plan.images])
        if not learn.any() or learn.all():
            known = sorted({image.split for image in plan.images} - {""})
            raise UsageError(
                f"no images to learn from and to score by split {settings.train!r}; there are: "
                f"{', '.join(known) or 'no splits'}"
            )
        return [(ids[learn], set(ids[~learn].tolist()))]
    carried = np.flatnonzero((plan.Y == 1).any(axis=1))
    share = [1 / settings.folds] * settings.folds
    groups = session.duplicate_codes(ids[carried])
    part = stratified_parts(plan.Y[carried], share, groups=groups, seed=settings.seed)
    return [
        (ids[carried[part != number]], set(ids[carried[part == number]].tolist()))
        for number in range(settings.folds)
    ]


def _variants(settings: Settings) -> list[tuple[Compared, tuple[int, ...]]]:
    sizes: list[tuple[int, ...]] = [(size,) for size in settings.sizes]
    if len(settings.sizes) > 1:
        sizes.append(tuple(settings.sizes))
    found: list[tuple[Compared, tuple[int, ...]]] = []
    for method in settings.methods:
        found += [(method, one) for one in (sizes if method != "centre" else [()])]
    return found


def _measure(
    session: Session,
    settings: Settings,
    options: LocateOptions,
    folds: list[tuple[NDArray[np.int64], set[int]]],
    boxes: Boxes,
    cells: Cells,
) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_locating

    rows: list[Row] = []
    for method, sizes in _variants(settings):
        found: list[Mapping[str, Any]] = []
        for number, (learn, score) in enumerate(folds):
            key = {"method": method, "sizes": "+".join(map(str, sizes)), "fold": number}
            chosen = options if method == "centre" else replace(options, sizes=sizes, method=method)
            make = partial(_cell, session, settings.taxonomy, method, chosen, learn, score, boxes)
            found += cells(key, make)
        total = sum(row["rows"] for row in found)
        mean = {
            name: float(sum(row[name] * row["rows"] for row in found) / total)
            for name in ("max_box_acc", "at_30", "at_50", "at_70", "corloc", "pointing", "rule_80")
        }
        seconds = float(sum(row["seconds"] for row in found))
        shown = "+".join(map(str, sizes))
        rows.append({"method": method, "sizes": shown, "rows": total, **mean, "cpu_s": seconds})
    about = (
        f"{settings.taxonomy}, {counted(rows[0]['rows'], 'image and class', 'images × classes')}"
    )
    notes = (
        "thresholds are the best of nine for all rows of a fold, as MaxBoxAccV2 takes them: each "
        "method gains alike by it, and a threshold that is fixed beforehand places less",
    )
    draw = partial(draw_locating, about=about)
    return Findings(rows, draw=draw, result=StudyResult, notes=notes)


def _cell(
    session: Session,
    taxonomy: str,
    method: str,
    options: LocateOptions,
    learn: NDArray[np.int64],
    score: set[int],
    boxes: Boxes,
) -> list[Row]:
    started = time.process_time()
    wanted = [key for key in sorted(boxes) if key[0] in score]
    if method == "centre":
        images = {image.id: image for image in session.images()}
        maps = {key: _blob(images[key[0]].width, images[key[0]].height) for key in wanted}
    else:
        plan = plan_locating(session, taxonomy, options, learn)
        row_of = {image.id: row for row, image in enumerate(plan.images)}
        column = {name: number for number, name in enumerate(plan.classes)}
        pairs = [
            (row_of[image], column[name])
            for image, name in wanted
            if image in row_of and name in column
        ]
        made = make_maps(session, plan, options, pairs).maps
        maps = {
            (plan.images[row].id, plan.classes[c]): sized_map(plan.images[row], one)
            for (row, c), one in made.items()
        }
    keys = [key for key in wanted if key in maps]
    if not keys:
        raise NothingToLearn(
            f"no image of a fold holds boxes of a class that '{taxonomy}' is learned from"
        )
    placed = measure_placement([maps[key] for key in keys], [boxes[key] for key in keys])
    return [{**_document(placed), "seconds": time.process_time() - started}]


def _document(placed: Placement) -> Row:
    at_30, at_50, at_70 = placed.at
    return {
        "rows": placed.rows,
        "max_box_acc": placed.max_box_acc,
        "at_30": at_30,
        "at_50": at_50,
        "at_70": at_70,
        "corloc": placed.corloc,
        "pointing": placed.pointing,
        "rule_80": placed.rule_of_80,
    }


def _blob(width: int, height: int) -> NDArray[np.float64]:
    """Return a map that falls off from the middle of the picture."""
    y, x = ((np.arange(64) + 0.5) / 64 - 0.5 for _ in range(2))
    return np.asarray(np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * 0.25**2)))


STUDY = Study(
    "locate",
    Settings,
    ("method", "sizes"),
    _plan,
    columns=(
        *("method", "sizes", "rows", "max_box_acc", "at_50", "corloc", "pointing", "rule_80"),
        "cpu_s",
    ),
)
VERB = Verb(Settings, work, STUDY.show)
