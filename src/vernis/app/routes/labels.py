"""Labels of many images at once: those of a selection, or all that a filter holds for."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from vernis.app.routes.images import order_of
from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.domain.errors import InvalidValue
from vernis.verbs.decide.label_images import Labelled, label_images

_TOLD = 500  # ids of an event


@dataclass(frozen=True)
class Labelling:
    """Which images (``ids``, or all that ``where`` holds for) carry or lack which classes.

    ``expected`` is how many images whoever asks has seen: where the filter holds for another
    number by now, nothing is changed.
    """

    taxonomy: str
    ids: list[int] | None = None
    where: str | None = None
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    create: bool = False
    expected: int | None = None


def give_labels(request: Request, wanted: Labelling) -> Response:
    """Give labels to many images or take them away, as one batch, which one undo takes back."""
    desk, who = desk_of(request), person_of(request).name
    if (wanted.ids is None) == (wanted.where is None):
        raise InvalidValue("name the images by ids, or by a filter in where; not by both")
    ids = list(dict.fromkeys(wanted.ids or ()))
    if wanted.where is not None:
        with desk.reading:
            ids = order_of(desk, wanted.where, "id").tolist()
    if wanted.expected is not None and wanted.expected != len(ids):
        raise HTTPException(409, f"{len(ids)} images are meant by now, not {wanted.expected}")
    done = label_images(
        desk.session,
        wanted.taxonomy,
        ids,
        add=wanted.add,
        remove=wanted.remove,
        who=who,
        create=wanted.create,
    )
    if done.batch:
        told = {"by": who, "batch": done.batch, "taxonomy": wanted.taxonomy, "count": len(ids)}
        desk.events.publish("labelled", {**told, "images": ids[:_TOLD]})
    return answered(done)


def add_to(routes: Routes) -> None:
    """Add the route of this module."""
    routes.add("POST", "/api/labels", give_labels, role="reviewer", tag="labels", gives=Labelled)
