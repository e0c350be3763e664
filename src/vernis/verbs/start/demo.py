"""``vernis demo``: draw a small collection with planted mistakes, do the job on it, score it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import SEED, WORKERS, BaseSettings, Home, Option, Screen, Verb
from vernis.verbs.start import run
from vernis.verbs.start.demo_score import ScoreRow, score_demo

if TYPE_CHECKING:
    from vernis.session.session import Session

_FILL_PRECISION = 0.9
"""So few labels, some of them wrong, cannot carry a higher promise."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Where it is drawn."""

    folder: Annotated[Path | str, Option("where to draw; an earlier demo there is drawn anew")] = (
        "vernis-demo"
    )
    _: KW_ONLY
    seed: Annotated[int, SEED] = 0
    workers: Annotated[int | None, WORKERS] = None


@dataclass(frozen=True, slots=True)
class Result(run.Result):
    """What the job found, and how that compares with what was planted."""

    score: tuple[ScoreRow, ...]
    score_notes: Annotated[tuple[str, ...], "what the table cannot show"]


def home(settings: Settings) -> Home:
    """Say that the demo brings its own collection."""
    return Home(needed=False)


def work(session: Session, settings: Settings) -> Result:
    """Draw a collection, do the job on it, and compare what was found with what was planted."""
    folder = Path(settings.folder)
    truth = session.draw_demo(folder, seed=settings.seed)
    with session.beside(folder / "demo.vernis") as own:
        found = run.work(
            own,
            run.Settings(
                Path(truth.pictures),
                labels=truth.labels_csv,
                fill_precision=_FILL_PRECISION,
                workers=settings.workers,
                seed=settings.seed,
                report=folder / "report",
            ),
        )
        score = score_demo(own.catalog, truth)
    facts = {field.name: getattr(found, field.name) for field in fields(found)}
    return Result(**facts, score=score.table, score_notes=score.notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what was found, and the score."""
    run.show(result, settings, screen)
    screen.line()
    columns = ["planted", "count", "found", "missed", "false_alarms"]
    screen.table(result.score, columns, title="Planted against found")
    for line in result.score_notes:
        screen.line(line)


VERB = Verb(Settings, work, show, home=home)
