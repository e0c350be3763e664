"""``vernis plan``: cut the missing vectors into units that any machine can make.

The plan lies in a folder or a bucket that all machines reach. Workers need no collection; they
write what they make beside the plan, and `vernis collect` records it.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.units import UNIT_SIZE
from vernis.verbs.declare import Option, Screen, Verb, count
from vernis.verbs.machines.units import make_plan
from vernis.verbs.networks.backbone_options import BACKBONE, DEFAULT, BackboneOptions, choose
from vernis.verbs.networks.embedding import THOROUGH
from vernis.verbs.networks.space_names import refuse_taken_name

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BackboneOptions):
    """Where the plan goes, and what it makes."""

    store: Annotated[
        Path | str, Option("a folder or an address such as s3://BUCKET/FOLDER (extra remote)")
    ]
    _: KW_ONLY
    backbone: Annotated[str, BACKBONE] = DEFAULT
    objects: Annotated[bool, Option("also look for objects, as vernis detect does")] = False
    thorough: Annotated[bool, THOROUGH] = False
    unit_size: Annotated[int, count("pictures of a unit, at most")] = UNIT_SIZE


@dataclass(frozen=True, slots=True)
class Result:
    """What is to be made."""

    store: Annotated[str, "where the plan lies"]
    units: int
    pictures: Annotated[int, "distinct pictures that miss a vector"]
    spaces: Annotated[tuple[str, ...], "what is made of each; the embedding first"]


def work(session: Session, settings: Settings) -> Result:
    """Write the plan."""
    choice = choose(session, settings, settings.backbone)
    readers = [
        choice.open_reader(),
        *session.measures.measuring_readers(thorough=settings.thorough),
        *session.closer_looks(thorough=settings.thorough),
    ]
    if settings.objects:
        readers.append(session.models.object_model())
    refuse_taken_name(session, readers[0].space)
    store = session.object_store(settings.store)
    with session.lock("plan"):
        plan, pictures = make_plan(session, store, readers, settings.unit_size)
    return Result(store.url, len(plan.units), pictures, tuple(one.name for one in plan.spaces))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what is to be made, and by which commands."""
    screen.facts({"plan": result.store, "pictures": result.pictures, "units": result.units})
    if result.units:
        last = result.units - 1
        screen.line(
            f"on each machine: vernis worker {result.store} --unit N, for N from 0 to {last} in "
            "any order; then here: vernis collect " + result.store
        )
    else:
        screen.line("nothing is missing")


VERB = Verb(Settings, work, show)
