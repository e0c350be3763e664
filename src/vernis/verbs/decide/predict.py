"""``vernis predict``: label pictures by a saved model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.errors import NotFound
from vernis.domain.types import ModelRecord, TaxonomyKind
from vernis.verbs.decide.prediction import SavedHead, predict_pictures
from vernis.verbs.declare import EngineOptions, Home, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(EngineOptions):
    """Which model labels which pictures."""

    model: Annotated[str, Option("a taxonomy, NAME@VERSION, or the folder of a saved model")]
    images: Annotated[Sequence[Path | str], Option("picture files")]


@dataclass(frozen=True, slots=True)
class LabelHit:
    """A label that is given."""

    label: str
    probability: Annotated[float, "0 to 1"]


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """The labels of one picture, most probable first."""

    image: Annotated[str, "the file"]
    labels: tuple[LabelHit, ...]
    reason: Annotated[str, "why there are none, where the file cannot be read"]


@dataclass(frozen=True, slots=True)
class Result:
    """The labels, in the order of the files."""

    rows: tuple[PredictionRow, ...]
    kind: Annotated[TaxonomyKind, "whether a picture gets one label at most (single) or several"]

    @property
    def exit_code(self) -> int:
        """1 where no picture could be read."""
        return int(bool(self.rows) and all(row.reason for row in self.rows))


def home(settings: Settings) -> Home:
    """Say that the folder of a saved model needs no collection."""
    return Home(needed=not Path(settings.model).is_dir())


def work(session: Session, settings: Settings) -> Result:
    """Label pictures by a model of the collection, or by the folder of a model alone."""
    if Path(settings.model).is_dir():
        arrays, saved = session.read_model_folder(Path(settings.model))
    else:
        record = find_model(session, settings.model)
        arrays, saved = session.catalog.models.load(record)
    head = SavedHead.restore(arrays, saved)
    reader = session.networks.open_space(head.space)
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


def find_model(session: Session, text: str) -> ModelRecord:
    """Return the newest model that ``TAXONOMY``, ``NAME`` or ``NAME@VERSION`` means."""
    name, _, version = text.partition("@")
    records = session.catalog.models.records()
    for record in records:
        if name in (record.name, record.taxonomy) and version in ("", str(record.version)):
            return record
    known = ", ".join(f"{r.name}@{r.version}" for r in records) or "none yet"
    raise NotFound(f"no model {text!r}; the collection has: {known}")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a picture."""
    rows = [
        {
            "image": row.image,
            "labels": [f"{hit.label} {hit.probability:.2f}" for hit in row.labels],
            "problem": row.reason,
        }
        for row in result.rows
    ]
    screen.table(rows, ["image", "labels", "problem"])


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row a picture, in the order given: its labels, and the reason where it has none.

    A model of a single taxonomy gives ``label`` (text) and ``probability``, one of a multi
    taxonomy lists: ``labels`` and ``probabilities``.
    """
    import pandas as pd

    result = work(session, settings)
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


VERB = Verb(Settings, work, show, document=OneOf("rows"), home=home, frame=frame)
