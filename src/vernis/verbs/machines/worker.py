"""``vernis worker``: make the vectors of some units of a plan, on any machine.

For job arrays of Slurm or Kubernetes, or plain ssh: a unit that is lost is done again, one that is
done twice is done once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import UsageError
from vernis.verbs.declare import Home, NetworkOptions, Option, Screen, Verb, count
from vernis.verbs.machines.units import do_unit, is_made, read_plan

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(NetworkOptions):
    """Which units are made, and where the images lie."""

    plan: Annotated[Path | str, Option("the folder or the address of the plan")]
    _: KW_ONLY
    unit: Annotated[
        Sequence[int],
        Option("number of a unit, from 0; repeatable (default: all that are not made)", "N"),
    ] = ()
    root: Annotated[
        Path | str | None,
        Option("where this machine sees the images (default: where the planning one did)"),
    ] = None
    again: Annotated[bool, Option("also units that are made")] = False
    at_most: Annotated[int | None, count("stop after so many units")] = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was made in this run."""

    made: Annotated[tuple[int, ...], "units"]
    made_before: Annotated[int, "units that were asked for and are made already"]
    pictures: int
    unreadable: Annotated[int, "pictures that could not be read"]
    seconds: float


def home(settings: Settings) -> Home:
    """Say that a worker needs no collection."""
    return Home(needed=False)


def work(session: Session, settings: Settings) -> Result:
    """Make the units."""
    started = time.monotonic()
    store = session.object_store(settings.plan)
    plan = read_plan(store)
    root = Path(settings.root or plan.root)
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder of images here; name it: --root FOLDER")
    wanted = list(dict.fromkeys(settings.unit)) or list(range(len(plan.units)))
    for number in wanted:
        if not 0 <= number < len(plan.units):
            raise UsageError(f"--unit {number}: the plan has the units 0 to {len(plan.units) - 1}")
    made: list[int] = []
    before = pictures = unreadable = 0
    for number in wanted:
        if len(made) == settings.at_most:
            break
        unit = plan.units[number]
        if not settings.again and is_made(store, unit):
            before += 1
            continue
        done = do_unit(
            session,
            store,
            plan,
            unit,
            examine=session.files.examined_pictures(root),
            larger=lambda side: session.files.pictures(least_side=side, root=root),
            workers=settings.workers,
        )
        made.append(number)
        pictures += len(done.shards[0][2])
        unreadable += len(done.failed)
    seconds = round(time.monotonic() - started, 1)
    return Result(tuple(made), before, pictures, unreadable, seconds)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    screen.facts(
        {
            "units made": len(result.made),
            "made before": result.made_before,
            "pictures": result.pictures,
            "unreadable": result.unreadable,
            "seconds": result.seconds,
        }
    )


VERB = Verb(Settings, work, show, home=home)
