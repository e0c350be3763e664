"""``vernis embed``: compute the vectors that are missing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.verbs.declare import NetworkOptions, Option, Screen, Verb
from vernis.verbs.networks.backbone_options import BACKBONE, DEFAULT, BackboneOptions, choose
from vernis.verbs.networks.embedding import THOROUGH, embed_images
from vernis.verbs.networks.space_names import refuse_taken_name

if TYPE_CHECKING:
    from vernis.domain.ports import PictureReader
    from vernis.session.session import Session

Pooling = Literal["avg", "max", "gem", "first", "flatten", "none"]


@dataclass(frozen=True)
class Settings(BackboneOptions, NetworkOptions):
    """Which space is computed."""

    _: KW_ONLY
    backbone: Annotated[str, BACKBONE] = DEFAULT
    layer: Annotated[str | None, Option("a layer, or several joined by +")] = None
    pool: Annotated[Pooling | None, Option("how maps and tokens become vectors")] = None
    space: Annotated[str, Option("name of the space (default: by the above)")] = ""
    keep_current: Annotated[
        bool, Option("later verbs go on reading the space that was current")
    ] = False
    thorough: Annotated[bool, THOROUGH] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was computed."""

    space: Annotated[str, "the space that was completed"]
    dimensions: Annotated[int, "numbers of a vector"]
    pictures: Annotated[int, "distinct pictures of the collection"]
    computed: Annotated[int, "pictures that were read"]
    unreadable: Annotated[int, "images that could not be read, now marked so"]
    seconds: float
    current_space: Annotated[str, "the space that later verbs read"]


def work(session: Session, settings: Settings, *, beside: Sequence[PictureReader] = ()) -> Result:
    """Compute the vectors that are missing: embeddings, fingerprints, quality measures.

    A picture is decoded once for all of them, and for the readers `beside` them. The space becomes
    the current one unless ``keep_current``, and there was one.
    """
    started = time.monotonic()
    choice = choose(
        session,
        settings,
        settings.backbone,
        layer=settings.layer,
        pooling=settings.pool,
        name=settings.space,
    )
    readers = [
        session.networks.on_device(choice.open_reader()),
        *session.measures.measuring_readers(thorough=settings.thorough),
        *session.closer_looks(thorough=settings.thorough),
        *beside,
    ]
    space = readers[0].space
    refuse_taken_name(session, space)
    with session.lock("embed"):
        session.require_room(space)
        done = embed_images(session, readers, workers=settings.workers)
        if not settings.keep_current or session.current_space() is None:
            session.use_space(space)
    return Result(
        space=space.name,
        dimensions=space.dim,
        pictures=done.images,
        computed=done.computed,
        unreadable=len(done.failed),
        seconds=round(time.monotonic() - started, 1),
        current_space=session.space().name,
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    screen.facts(
        {
            "space": result.space,
            "dimensions": result.dimensions,
            "pictures": result.pictures,
            "computed": result.computed,
            "unreadable": result.unreadable,
            "seconds": result.seconds,
            "current space": result.current_space,
        }
    )


VERB = Verb(Settings, work, show)
