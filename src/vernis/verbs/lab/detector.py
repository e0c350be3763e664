"""``vernis lab detector``: how good a detector gets with more pictures, or on another group.

Detectors are learned from 10, 25, 50 and 100 of the pictures with boxes, several times, each draw
holding the smaller ones, and scored on the same pictures that none of them has seen: a third, or
those of ``--test FILTER``. With ``--group COLUMN`` they learn from the boxes of one group of images
(a taxonomy's class, the folder, the split) and are scored on all others: a detector may know the
camera or the place rather than the object. mAP50, mAP and AR by class and size, as ``lab detect``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.detect.evaluation import evaluate_boxes
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.folds import stratified_parts
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import NotFound, NothingToLearn
from vernis.report.lab.run_folder import Row
from vernis.report.wording import counted
from vernis.verbs.declare import WHERE, Option, Verb
from vernis.verbs.lab.box_rows import OVERALL, box_rows
from vernis.verbs.lab.study import (
    SEEDS,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
)
from vernis.verbs.see.filters import select_images
from vernis.verbs.steps.boxed_pictures import (
    BoxedPictures,
    CellLooks,
    placed,
    read_boxed_pictures,
    require_enough,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_TESTED = 1 / 3
"""Share of the pictures that is scored where nothing else is said."""
_FEWEST = 4


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings):
    """From how many pictures it is learned, how often, and where it is scored."""

    taxonomy: Annotated[str, Option("the taxonomy whose boxes are learned and found")]
    _: KW_ONLY
    pictures: Annotated[
        Sequence[int],
        Option("numbers of pictures to learn from", "N,…", at_least=_FEWEST, joined=True),
    ] = (10, 25, 50, 100)
    seeds: Annotated[int, SEEDS] = 3
    test: Annotated[str, Option(f"score on the images of this filter; {WHERE.help}", "FILTER")] = ""
    group: Annotated[
        str,
        Option(
            "learn from one group of images and score on the others: a taxonomy, folder or split",
            "COLUMN",
        ),
    ] = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Pictures that are learned from (by group) and that are scored; rows of ``boxed``."""

    boxed: BoxedPictures
    parts: tuple[tuple[str, NDArray[np.intp], NDArray[np.intp]], ...]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> StudyResult:
    """Learn detectors and score them.

    Raises
    ------
    NotFound
        There is no such taxonomy or column.
    NothingToLearn
        There are too few boxes to learn from or to score on.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    boxed = read_boxed_pictures(session, settings.taxonomy, settings.where)
    require_enough(boxed)
    trial = _divide(session, settings, boxed)
    hashes = [image.content_hash for image in boxed.images]
    about = [(name, train, test) for name, train, test in trial.parts]
    data = {
        "fingerprint": fingerprint(boxed.classes, hashes, about, *boxed.corners, *boxed.codes),
        "taxonomy": settings.taxonomy,
        "images": len(boxed),
        "boxes": int(boxed.n_boxes.sum()),
        "groups": [name for name, _, _ in trial.parts],
    }
    n_cells = settings.seeds * len(trial.parts)
    return Plan(data, trial.notes, n_cells, partial(_measure, session, trial, settings))


def _divide(session: Session, settings: Settings, boxed: BoxedPictures) -> _Trial:
    """Return which pictures are learned from and scored; duplicates are never on both sides."""
    every = np.arange(len(boxed))
    if settings.test.strip():
        chosen = select_images(session, settings.test)
        scored = np.isin([image.id for image in boxed.images], chosen)
    else:
        shares = [_TESTED, 1 - _TESTED]
        part = stratified_parts(boxed.presence(), shares, groups=boxed.groups, seed=settings.seed)
        scored = part == 0
    if settings.group:
        values = _groups(session, settings.group, boxed)
        names = sorted({value for value in values if value})
        parts = [(name, every[values == name], every[values != name]) for name in names]
        if len(names) < 2:
            raise NothingToLearn(
                f"the pictures with boxes are all of one {settings.group}; there is no other group"
            )
    else:
        parts = [("", every[~scored], every[scored])]
    found, notes = [], list(boxed.notes)
    for name, train, test in parts:
        train = train[~np.isin(boxed.groups[train], boxed.groups[test])]
        if len(train) < _FEWEST or not len(test):
            notes.append(
                f"{name or 'all'}: {counted(len(train), 'picture')} to learn from and "
                f"{len(test):,} to score on are too few"
            )
            continue
        found.append((name, train, test))
    if not found:
        raise NothingToLearn(f"{settings.taxonomy}: {notes[-1]}")
    most = max(len(train) for _, train, _ in found)
    if unreached := [n for n in settings.pictures if n > most]:
        notes.append(
            f"there are {most:,} pictures to learn from, so {unreached[0]:,} stands for all"
        )
    return _Trial(boxed, tuple(found), tuple(notes))


def _groups(session: Session, column: str, boxed: BoxedPictures) -> NDArray[Any]:
    """Return the group of each picture; empty where it has none."""
    if column == "split":
        return np.array([image.split or "" for image in boxed.images], object)
    if column == "folder":
        folders = [str(PurePosixPath(image.uri).parent) for image in boxed.images]
        return np.array(folders, object)
    names = [taxonomy.name for taxonomy in session.taxonomies()]
    if column not in names:
        known = ", ".join(sorted({*names, "folder", "split"}))
        raise NotFound(f"no column {column!r} to group by; there are: {known}")
    matrix = session.matrix(column)
    at = np.searchsorted(matrix.image_ids, [image.id for image in boxed.images])
    values = matrix.values[at] == 1
    classes = np.array([*matrix.taxonomy.classes, ""], object)
    return np.asarray(classes[np.where(values.any(axis=1), values.argmax(axis=1), -1)])


def _measure(
    session: Session, trial: _Trial, settings: Settings, cells: Cells
) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_detectors

    rows: list[Row] = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        for part in trial.parts:
            compute = partial(_try, session, trial.boxed, part, settings, seed)
            rows += cells({"seed": seed, "group": part[0]}, compute)
    about = f"{settings.taxonomy}, {counted(len(trial.boxed), 'picture')} with boxes"
    return Findings(
        rows,
        draw=partial(draw_detectors, about=about),
        result=StudyResult,
        shown=_means,
    )


def _try(
    session: Session,
    boxed: BoxedPictures,
    part: tuple[str, NDArray[np.intp], NDArray[np.intp]],
    settings: Settings,
    seed: int,
) -> list[Row]:
    """Learn from every number of pictures of one draw, and score them all in one look."""
    from vernis.core.detect.cell_head import HeadSettings, fit_cell_head, project_examples

    name, train, test = part
    order = np.random.default_rng([seed, 0xDE7]).permutation(train)
    numbers = sorted({min(n, len(order)) for n in settings.pictures})
    how, n_classes = HeadSettings(), len(boxed.classes)
    looks = CellLooks(session, boxed, "lab detector")
    examples = looks.examples(order[: numbers[-1]].tolist(), how, seed)
    heads = []
    with single_threaded_products():
        for n in numbers:
            rows = [row for row in order[:n].tolist() if row in examples]
            views = project_examples([one for row in rows for one in examples[row]], how)
            heads.append(fit_cell_head(*views, n_classes, how))
    found: list[dict[int, Detections]] = [{} for _ in numbers]
    for row, several in looks.find(test.tolist(), lambda _: heads):
        for kept, one in zip(found, several, strict=True):
            kept[row] = one
    scored = [row for row in test.tolist() if row in found[0]]
    if not scored:
        raise NothingToLearn(f"{boxed.taxonomy}: none of the pictures to score on can be read")
    table: list[Row] = []
    for n, kept in zip(numbers, found, strict=True):
        result = evaluate_boxes(boxed.truth(scored), placed(kept, scored), n_classes)
        about: Row = {"group": name, "pictures": n, "seed": seed}
        table += [{**about, **one} for one in box_rows(result, boxed.classes)]
    return table


def _means(rows: list[Row]) -> list[Row]:
    """Return the mean over the seeds of each number of pictures, all classes together."""
    found: list[Row] = []
    keys = dict.fromkeys((row["group"], row["pictures"]) for row in rows if row["class"] == OVERALL)
    for group, n in keys:
        own = [r for r in rows if (r["group"], r["pictures"], r["class"]) == (group, n, OVERALL)]
        mean: Row = {"group": group, "pictures": n, "seeds": len(own)}
        for name in ("ap50", "ap", "recall", "ap_small", "ap_medium", "ap_large"):
            known = [float(row[name]) for row in own if row[name] is not None]
            mean[name] = round(float(np.mean(known)), 4) if known else None
        values = [float(row["ap50"]) for row in own if row["ap50"] is not None]
        mean["ap50_sd"] = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
        found.append(mean)
    if all(not row["group"] for row in found):
        for row in found:
            del row["group"]
    return found


STUDY = Study(
    name="detector",
    settings=Settings,
    keys=("group", "pictures", "seed", "class"),
    plan=_plan,
)
VERB = Verb(Settings, work, STUDY.show)
