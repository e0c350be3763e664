"""``vernis detect``: find objects in the pictures.

People, animals, vehicles, furniture, bottles, fruit, devices: the 80 classes of COCO, by the
shipped NanoDet-g, offline. Each object becomes a region with a box, proposed by the model: it
labels nothing until somebody accepts it. Filters ask for them (``object:bottle``, ``objects>=3``),
and ``vernis show`` lists them. A second run looks only at pictures that are new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.report.wording import counted
from vernis.verbs.declare import WHERE, NetworkOptions, Option, Screen, Verb, share
from vernis.verbs.networks.embedding import embed_images, undecoded
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.see.objects import shown
from vernis.verbs.steps.detecting import SURE, TAXONOMY, Finding, place_objects

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(NetworkOptions):
    """Which pictures are looked at, and which objects are kept."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    sure: Annotated[float, share("only objects with this score")] = SURE
    again: Annotated[
        bool,
        Option("propose anew also on images where that was done, and what was removed since"),
    ] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was found, in this run and before."""

    detector: Annotated[str, "name of the detector"]
    version: Annotated[str, "first digits of the checksum of its weights"]
    images: Annotated[int, "images that were asked for"]
    with_objects: Annotated[int, "of these, images with an object"]
    objects: Annotated[int, "regions that it has found on them, answered ones included"]
    classes: Annotated[Mapping[str, int], "class → regions that show it, the most frequent first"]
    computed: Annotated[int, "distinct pictures that were looked at in this run"]
    added: Annotated[int, "regions that this run has added"]
    unreadable: Annotated[int, "images that could not be decoded, now marked so"]
    seconds: float
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Find the objects in pictures that were not looked at yet, and propose them as regions.

    Raises
    ------
    FilterError
        A wrong filter.
    ModelError
        The detector cannot be used.
    """
    model = session.models.object_model()
    with session.lock("detect"):
        images = chosen_images(session, settings.where)
        done = embed_images(
            session, [model], images=images, workers=settings.workers, task="detect"
        )
        finding = Finding(model, np.full(len(model.classes), settings.sure))
        placed = place_objects(session, finding, images, again=settings.again)
    ids = np.array([image.id for image in images], np.int64)
    table = session.catalog.regions.table(images=ids, source=f"model:{model.name}@")
    classes: dict[str, int] = {}
    if len(table):
        said = session.catalog.regions.labels(TAXONOMY, images=ids)
        rows = shown(said)
        rows = rows[np.isin(said.region_ids[rows], table.ids)]
        names, counts = np.unique(said.labels.codes[rows], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        classes = {said.labels.names[int(names[i])]: int(counts[i]) for i in order}
    return Result(
        detector=model.name,
        version=model.version,
        images=len(images),
        with_objects=len(np.unique(table.image_ids)),
        objects=len(table),
        classes=classes,
        computed=done.computed,
        added=placed.regions,
        unreadable=len(done.failed),
        seconds=round(done.seconds, 1),
        notes=undecoded(done.failed),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the most frequent classes, and how to go on."""
    rows = [{"object": name, "regions": count} for name, count in result.classes.items()]
    if rows:
        screen.table(rows[:20], ["object", "regions"], title="Objects in pictures")
    rate = f", {result.computed / result.seconds:,.1f} a second" if result.seconds else ""
    screen.line(
        f"{counted(result.objects, 'object')} of {len(result.classes)} classes in "
        f"{result.with_objects:,} of {counted(result.images, 'image')}; "
        f"{counted(result.computed, 'picture')} looked at in this run{rate}."
    )
    if rows:
        first = rows[0]["object"]
        name = f'"{first}"' if " " in str(first) else first
        screen.line(f"Next: vernis search --where 'object:{name}'")


VERB = Verb(Settings, work, show)
