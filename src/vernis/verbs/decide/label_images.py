"""Give labels to many images, or take them away, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was recorded."""

    batch: Annotated[int, "what an undo takes back; 0: nothing was changed"]
    images: Annotated[int, "images that were asked for"]
    changes: Annotated[int, "labels that changed"]
    new_classes: Annotated[tuple[str, ...], "classes that the taxonomy lacked"]


def label_images(
    session: Session,
    taxonomy: str,
    image_ids: Sequence[int],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    who: str,
    create: bool = False,
) -> Labelled:
    """Say which classes images carry, and which they do not; the writer's lock is not needed.

    Parameters
    ----------
    session : Session
    taxonomy : str
    image_ids : sequence of int
        Of present images.
    add, remove : sequence of str
        Classes that all of them carry, and that none of them does. In a taxonomy of one class an
        image the added one takes the place of the one before.
    who : str
        The person.
    create : bool
        Whether classes that the taxonomy lacks are made.

    Raises
    ------
    NotFound
        There is no such taxonomy, class or present image.
    InvalidValue
        Nothing is to be said, a class is both added and removed, or several classes are added where
        an image has one.
    """
    known = session.catalog.labels.taxonomy(taxonomy)
    _check(known, add, remove)
    new = tuple(label for label in add if label not in known.classes)
    missing = [label for label in (*add, *remove) if label not in known.classes]
    if missing and not (create and set(missing) <= set(new)):
        raise NotFound(f"{taxonomy} has no class {missing[0]!r}")
    session.table().row_of(image_ids)  # all are there
    said = [Statement(int(image), label, "yes") for image in image_ids for label in add]
    said += [Statement(int(image), label, "no") for image in image_ids for label in remove]
    note = f"{counted(len(image_ids), 'image')}: {_told(add, remove)}"[:200]
    catalog = session.catalog
    with catalog.transaction():
        if new:
            catalog.labels.define(replace(known, classes=new))
        batch = catalog.labels.record(taxonomy, said, source=by(who), verb="label", note=note)
    changes = catalog.history.batch(batch)["changes"].get("label", 0) if batch else 0
    return Labelled(batch, len(image_ids), changes, new)


def _check(taxonomy: Taxonomy, add: Sequence[str], remove: Sequence[str]) -> None:
    if not add and not remove:
        raise InvalidValue("expected classes to add or to remove")
    if set(add) & set(remove):
        raise InvalidValue(f"{sorted(set(add) & set(remove))[0]!r} is both added and removed")
    if taxonomy.kind == "single" and len(add) > 1:
        raise InvalidValue(f"an image has one class of {taxonomy.name}, got {len(add)}")


def _told(add: Sequence[str], remove: Sequence[str]) -> str:
    return ", ".join([*(f"+ {label}" for label in add), *(f"- {label}" for label in remove)])
