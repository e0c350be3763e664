"""Move duplicates to the trash folder and back. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vernis.domain.errors import NotFound, UsageError, VernisError
from vernis.domain.ports import Catalog, TrashFolder
from vernis.domain.types import DuplicateGroup, DuplicateKind, TrashedFile
from vernis.report.wording import counted

if TYPE_CHECKING:
    from vernis.session.session import Session

_STRENGTH: dict[DuplicateKind, int] = {"near": 0, "pixels": 1, "bytes": 2}


@dataclass(frozen=True, slots=True)
class TrashSummary:
    """What was moved, and the reason of each file that was not."""

    moved: tuple[TrashedFile, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


def plan_trash(session: Session, weakest: DuplicateKind = "pixels") -> tuple[TrashedFile, ...]:
    """Say which duplicates would go to the trash; changes nothing.

    Of each group the keeper stays, and so does every image that is no duplicate, of at least the
    kind ``weakest``, of an image that stays.

    Parameters
    ----------
    session : Session
    weakest : {"bytes", "pixels", "near"}
        ``pixels`` takes copies with the same bytes or the same pixels.

    Raises
    ------
    UsageError
        When the kind is unknown.
    """
    if weakest not in _STRENGTH:
        raise UsageError(f"expected a kind of {', '.join(_STRENGTH)}, got {weakest!r}")
    images = {image.id: image for image in session.images()}
    plan: list[TrashedFile] = []
    for group in session.groups():
        for image_id, keeper, kind in _spare(group, _STRENGTH[weakest]):
            image = images[image_id]
            plan.append(
                TrashedFile(
                    image.id, image.uri, image.content_hash, image.size, images[keeper].uri, kind
                )
            )
    return tuple(plan)


def trash_images(session: Session, trash: TrashFolder, plan: Sequence[TrashedFile]) -> TrashSummary:
    """Move files to the trash; a file that cannot be moved is skipped with the reason.

    Parameters
    ----------
    session : Session
    trash : TrashFolder
    plan : sequence of TrashedFile
        From ``plan_trash``.
    """
    reconcile_trash(session.catalog, trash)
    moved: list[TrashedFile] = []
    skipped: dict[str, str] = {}
    for done, file in enumerate(plan, 1):
        try:
            trash.put(file)
        except VernisError as error:
            skipped[file.uri] = str(error)
        else:
            # At once, so that a killed run leaves at most one file to reconcile.
            session.catalog.images.set_state([file.image_id], "trashed", _reason(file))
            moved.append(file)
        session.progress("trash", done, len(plan))
    return TrashSummary(tuple(moved), skipped)


def restore_images(session: Session, trash: TrashFolder, names: Sequence[str] = ()) -> TrashSummary:
    """Move files back from the trash.

    Parameters
    ----------
    session : Session
    trash : TrashFolder
    names : sequence of str
        Uris or ids of images; none means all.

    Raises
    ------
    NotFound
        When a name is not in the trash.
    """
    reconcile_trash(session.catalog, trash)
    contents = trash.contents()
    by_name = {name: file for file in contents for name in (file.uri, str(file.image_id))}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise NotFound(
            f"{missing[0]}: not in the trash, which holds {counted(len(contents), 'file')}"
        )
    chosen = [by_name[name] for name in dict.fromkeys(names)] if names else contents
    moved: list[TrashedFile] = []
    skipped: dict[str, str] = {}
    for done, file in enumerate(chosen, 1):
        try:
            trash.restore(file)
        except VernisError as error:
            skipped[file.uri] = str(error)
        else:
            session.catalog.images.set_state([file.image_id], "present")
            moved.append(file)
        session.progress("restore", done, len(chosen))
    return TrashSummary(tuple(moved), skipped)


def reconcile_trash(catalog: Catalog, trash: TrashFolder) -> None:
    """Make the catalog agree with the disk after a run that was killed between two steps."""
    inside = {file.image_id: file for file in trash.contents()}
    for image in catalog.images.all(("present", "vanished", "trashed")):
        file = inside.get(image.id)
        if file is not None and image.state != "trashed" and file.uri == image.uri:
            catalog.images.set_state([image.id], "trashed", _reason(file))
        elif file is None and image.state == "trashed":
            catalog.images.set_state([image.id], "present")


def _reason(file: TrashedFile) -> str:
    return f"duplicate of {file.keeper}" if file.keeper else "moved to the trash"


def _spare(group: DuplicateGroup, least: int) -> list[tuple[int, int, DuplicateKind]]:
    """Return the images of a group that can go, each with the image that stays for it."""
    strength = {(pair.a, pair.b): pair.kind for pair in group.pairs}
    ordered = [group.keeper] + [i for i in group.images if i != group.keeper]
    staying: list[int] = []
    spare: list[tuple[int, int, DuplicateKind]] = []
    for image in ordered:
        for keeper in staying:
            kind = strength.get((min(image, keeper), max(image, keeper)))
            if kind is not None and _STRENGTH[kind] >= least:
                spare.append((image, keeper, kind))
                break
        else:
            staying.append(image)
    return spare
