"""``vernis predict``: label pictures by a saved model, or find boxes in them.

``--boxes`` asks the detector of a taxonomy (``vernis learn TAXONOMY --model detector``). Without
picture files it looks at the collection's own images and proposes what it finds as regions of the
source ``model:NAME@VERSION``, which label nothing until somebody accepts them; a later run replaces
what nobody has answered. Of files that are named it prints the boxes and keeps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import ModelKind, ModelRecord, TaxonomyKind
from vernis.report.wording import counted
from vernis.verbs.decide.box_prediction import box_images, box_pictures
from vernis.verbs.decide.prediction import FoundBox, SavedHead, predict_pictures
from vernis.verbs.declare import WHERE, Home, NetworkOptions, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(NetworkOptions):
    """Which model labels which pictures."""

    model: Annotated[str, Option("a taxonomy, NAME@VERSION, or the folder of a saved model")]
    images: Annotated[
        Sequence[Path | str],
        Option("picture files; with --boxes none stands for the images of the collection"),
    ] = ()
    _: KW_ONLY
    boxes: Annotated[bool, Option("find boxes, by the detector of the taxonomy")] = False
    where: Annotated[str, WHERE] = ""
    again: Annotated[bool, Option("with --boxes: propose anew also where that was done")] = False


@dataclass(frozen=True, slots=True)
class LabelHit:
    """A label that is given."""

    label: str
    probability: Annotated[float, "0 to 1"]


@dataclass(frozen=True, slots=True)
class BoxHit:
    """A box that is found."""

    label: str
    probability: Annotated[float, "0 to 1"]
    box: Annotated[tuple[float, ...], "x, y, width, height in pixels of the upright picture"]


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """The labels of one picture, most probable first."""

    image: Annotated[str, "the file"]
    labels: tuple[LabelHit, ...]
    reason: Annotated[str, "why there are none, where the file cannot be read"]
    boxes: Annotated[tuple[BoxHit, ...], "of a detector: the surest first"] = ()


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """What a detector has proposed in the collection."""

    source: Annotated[str, "who says it: model:NAME@VERSION"]
    images: Annotated[int, "images that were asked for"]
    boxes: Annotated[int, "regions that it has found on them, answered ones included"]
    added: Annotated[int, "regions that this run has added"]


@dataclass(frozen=True, slots=True)
class Result:
    """The labels, in the order of the files; of the collection the images with a box alone."""

    rows: tuple[PredictionRow, ...]
    kind: Annotated[TaxonomyKind, "whether a picture gets one label at most (single) or several"]
    counts: Annotated[BoxCounts | None, "of the collection's images"] = None

    @property
    def exit_code(self) -> int:
        """1 where no picture could be read."""
        return int(bool(self.rows) and all(row.reason for row in self.rows))


def home(settings: Settings) -> Home:
    """Say that the folder of a saved model needs no collection."""
    return Home(needed=not Path(settings.model).is_dir())


def work(session: Session, settings: Settings) -> Result:
    """Label pictures by a model of the collection, or by the folder of a model alone.

    Raises
    ------
    NotFound
        There is no such model.
    UsageError
        No picture is named, or a filter beside files.
    """
    _check(settings)
    if settings.boxes:
        return _find_boxes(session, settings)
    if Path(settings.model).is_dir():
        arrays, saved = session.models.read_model_folder(Path(settings.model))
    else:
        record = find_model(session, settings.model)
        arrays, saved = session.catalog.models.load(record)
    head = SavedHead.restore(arrays, saved)
    reader = head.open_reader(session)
    images = [str(image) for image in settings.images]
    found = predict_pictures(session, head, images, reader, settings.workers)
    return Result(
        tuple(
            PredictionRow(
                image=one.image,
                labels=tuple(LabelHit(label, probability) for label, probability in one.labels),
                reason=one.reason,
            )
            for one in found
        ),
        head.kind,
    )


def _check(settings: Settings) -> None:
    if settings.boxes and settings.images and (settings.where.strip() or settings.again):
        raise UsageError("--where and --again choose images of the collection; name no files")
    if not settings.boxes and not settings.images:
        raise UsageError("name picture files; only --boxes looks at the collection's own images")
    if not settings.boxes and (settings.where.strip() or settings.again):
        raise UsageError("--where and --again go with --boxes")


def _find_boxes(session: Session, settings: Settings) -> Result:
    folder = Path(settings.model)
    model: ModelRecord | Path = folder
    if not folder.is_dir():
        model = find_model(session, settings.model, kind="detector")
    elif not settings.images:
        raise UsageError("name picture files; a model's folder knows no collection")
    detector = session.models.learned_detector(model)
    if settings.images:
        found = box_pictures(
            session, detector, [str(image) for image in settings.images], settings.workers
        )
        rows = tuple(row_of_boxes(one.image, one.boxes, one.reason) for one in found)
        return Result(rows, "multi")
    assert isinstance(model, ModelRecord)
    done = box_images(
        session,
        detector,
        model.taxonomy,
        where=settings.where,
        again=settings.again,
        workers=settings.workers,
    )
    rows = tuple(row_of_boxes(one.image, one.boxes, one.reason) for one in done.rows)
    return Result(rows, "multi", BoxCounts(detector.source, done.images, done.boxes, done.added))


def row_of_boxes(image: str, boxes: Sequence[FoundBox], reason: str) -> PredictionRow:
    """Return a picture's boxes, and each class that they show with its surest one."""
    best: dict[str, float] = {}
    for one in boxes:
        best[one.label] = max(best.get(one.label, 0.0), one.probability)
    labels = sorted(best.items(), key=lambda pair: -pair[1])
    return PredictionRow(
        image=image,
        labels=tuple(LabelHit(label, chance) for label, chance in labels),
        reason=reason,
        boxes=tuple(BoxHit(one.label, one.probability, one.box) for one in boxes),
    )


def find_model(session: Session, text: str, kind: ModelKind = "head") -> ModelRecord:
    """Return the newest model of a kind that ``TAXONOMY``, ``NAME`` or ``NAME@VERSION`` means."""
    records = session.catalog.models.records()
    name, _, version = text.partition("@")
    meant = [
        record
        for record in records
        if name in (record.name, record.taxonomy) and version in ("", str(record.version))
    ]
    for record in meant:
        if record.is_detector == (kind == "detector"):
            return record
    if meant and kind == "head":
        raise NotFound(f"{text!r} has a detector alone; ask it: vernis predict {text} --boxes")
    if kind == "detector":
        taxonomy = meant[0].taxonomy if meant else name
        raise NotFound(f"no detector {text!r}; learn one: vernis learn {taxonomy} --model detector")
    known = ", ".join(f"{r.name}@{r.version}" for r in records) or "none yet"
    raise NotFound(f"no model {text!r}; the collection has: {known}")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a picture; of the collection's images the first twenty."""
    if settings.boxes:
        _show_boxes(result, settings, screen)
        return
    rows = [
        {
            "image": row.image,
            "labels": [f"{hit.label} {hit.probability:.2f}" for hit in row.labels],
            "problem": row.reason,
        }
        for row in result.rows
    ]
    screen.table(rows, ["image", "labels", "problem"])


_SHOWN = 20


def _show_boxes(result: Result, settings: Settings, screen: Screen) -> None:
    chosen = result.rows if result.counts is None else result.rows[:_SHOWN]
    rows = [
        {
            "image": row.image,
            "boxes": [
                f"{hit.label} {hit.probability:.2f} at " + ",".join(f"{v:.0f}" for v in hit.box)
                for hit in row.boxes
            ],
            "problem": row.reason,
        }
        for row in chosen
    ]
    screen.table(rows, ["image", "boxes", "problem"])
    if result.counts is not None:
        done = result.counts
        screen.line(
            f"{counted(done.boxes, 'box', 'boxes')} of {done.source} in "
            f"{counted(done.images, 'image')}, {done.added:,} added by this run. "
            f"Next: vernis serve shows them"
        )


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row a picture, in the order given: its labels, and the reason where it has none.

    A model of a single taxonomy gives ``label`` (text) and ``probability``, one of a multi
    taxonomy lists: ``labels`` and ``probabilities``. With ``boxes`` there is one row a box, with
    ``label``, ``probability``, and ``x``, ``y``, ``width`` and ``height`` in pixels; a picture that
    cannot be read has a row with its reason alone.
    """
    import pandas as pd

    result = work(session, settings)
    if settings.boxes:
        return _frame_of_boxes(result)
    index = pd.Index([row.image for row in result.rows], name="image")
    labels = [[hit.label for hit in row.labels] for row in result.rows]
    chances = [[hit.probability for hit in row.labels] for row in result.rows]
    columns: dict[str, list[Any]] = {"labels": labels, "probabilities": chances}
    if result.kind == "single":
        columns = {
            "label": [found[0] if found else None for found in labels],
            "probability": [found[0] if found else math.nan for found in chances],
        }
    columns["reason"] = [row.reason for row in result.rows]
    return pd.DataFrame(columns, index=index)


def _frame_of_boxes(result: Result) -> pd.DataFrame:
    import pandas as pd

    sides = ("x", "y", "width", "height")
    table: list[dict[str, Any]] = []
    for row in result.rows:
        table += [
            {
                "image": row.image,
                "label": hit.label,
                "probability": hit.probability,
                **dict(zip(sides, hit.box, strict=True)),
                "reason": "",
            }
            for hit in row.boxes
        ]
        if row.reason:
            table.append({"image": row.image, "reason": row.reason})
    columns = ["image", "label", "probability", *sides, "reason"]
    found = pd.DataFrame(table, columns=columns).set_index("image")
    if result.counts is not None:
        found.attrs["counts"] = to_document(result.counts)
    return found


VERB = Verb(Settings, work, show, document=OneOf("rows"), home=home, frame=frame)
