"""``vernis models``: list the saved models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb
from vernis.verbs.steps.model_metrics import read_metrics

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which models are listed."""

    taxonomy: Annotated[str | None, Option("only those of a taxonomy")] = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A saved model."""

    name: str
    version: int
    taxonomy: str
    head: Annotated[str, "kind of model"]
    micro_f1: Annotated[float, "out of bag"]
    space: Annotated[str, "the embedding space that it reads"]
    created: Annotated[str, "time, UTC"]
    folder: str


@dataclass(frozen=True, slots=True)
class Result:
    """The saved models, newest first."""

    rows: tuple[ModelRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the saved models, newest first; raises NotFound."""
    catalog = session.catalog
    rows = []
    records = catalog.models.records(settings.taxonomy)
    if settings.taxonomy is not None and not records:
        catalog.labels.taxonomy(settings.taxonomy)
    for record in records:
        metrics = read_metrics(record)
        rows.append(
            ModelRow(
                name=record.name,
                version=record.version,
                taxonomy=record.taxonomy,
                head=metrics.head,
                micro_f1=metrics.micro.f1.value,
                space=record.space,
                created=record.created,
                folder=str(catalog.folder / record.folder),
            )
        )
    return Result(tuple(rows))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the models as a table."""
    columns = ["name", "version", "taxonomy", "head", "micro_f1", "space", "created"]
    screen.table(result.rows, columns, title="" if result.rows else "No model was learned yet.")


VERB = Verb(Settings, work, show, document=OneOf("rows"), access="read")
