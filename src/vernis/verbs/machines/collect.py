"""``vernis collect``: record in the collection what workers have made of a plan.

Each unit is recorded in one transaction and once; what is damaged on the way is named and made
again by the next worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import BaseSettings, Option, Screen, Verb
from vernis.verbs.machines.units import collect_units, read_plan

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which plan."""

    plan: Annotated[Path | str, Option("the folder or the address of the plan")]


@dataclass(frozen=True, slots=True)
class Result:
    """What was recorded."""

    recorded: Annotated[int, "units recorded now"]
    waiting: Annotated[tuple[int, ...], "units that are not made yet"]
    damaged: Annotated[tuple[int, ...], "units whose files are damaged; to be made again"]
    vectors: Annotated[int, "added to the embedding space"]
    unreadable: Annotated[int, "images that could not be read, now marked so"]
    current_space: Annotated[str, "the space that later verbs read"]

    @property
    def exit_code(self) -> int:
        """1 where a unit is damaged."""
        return int(bool(self.damaged))


def work(session: Session, settings: Settings) -> Result:
    """Record the units."""
    store = session.object_store(settings.plan)
    plan = read_plan(store)
    with session.lock("collect"):
        done = collect_units(session, store, plan)
        if session.current_space() is None:
            session.use_space(plan.spaces[0])
    return Result(
        recorded=done.recorded,
        waiting=done.waiting,
        damaged=done.damaged,
        vectors=done.vectors,
        unreadable=done.unreadable,
        current_space=session.space().name,
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts, and what is still to be done."""
    screen.facts(
        {
            "units recorded": result.recorded,
            "vectors": result.vectors,
            "unreadable": result.unreadable,
            "current space": result.current_space,
        }
    )
    for what, units in (("not made yet", result.waiting), ("damaged", result.damaged)):
        if units:
            some = ", ".join(map(str, units[:10])) + (", …" if len(units) > 10 else "")
            screen.line(f"{len(units)} units {what} ({some}); go on: vernis worker {settings.plan}")


VERB = Verb(Settings, work, show)
