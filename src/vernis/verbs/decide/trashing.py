"""Move duplicates to the trash folder and back. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vernis.core.copies.groups import put_first
from vernis.domain.addresses import is_own_file
from vernis.domain.errors import NotFound, UsageError, VernisError
from vernis.domain.history import MOVED_FILES, Change
from vernis.domain.ports import Catalog, TrashFolder
from vernis.domain.types import IMAGE_STATES, DuplicateGroup, DuplicateKind, Statement, TrashedFile
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.deduplication import links_among

if TYPE_CHECKING:
    from vernis.session.session import Session

_STRENGTH: dict[DuplicateKind, int] = {"near": 0, "pixels": 1, "bytes": 2}


@dataclass(frozen=True, slots=True)
class TrashSummary:
    """What was moved, and the reason of each file that was not.

    ``carried`` counts the labels that images which stay were given of their duplicates; ``batch``
    is 0 where nothing moved.
    """

    moved: tuple[TrashedFile, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    batch: int = 0
    carried: int = 0


def plan_trash(
    session: Session,
    weakest: DuplicateKind = "pixels",
    *,
    prefer: Sequence[str] | None = None,
) -> tuple[TrashedFile, ...]:
    """Say which duplicates would go to the trash; changes nothing.

    Of each group the keeper stays, and so does every image that is no duplicate, of at least the
    kind ``weakest``, of an image that stays. Frames, pages and objects in buckets neither go nor
    does a file go for one.

    Parameters
    ----------
    session : Session
    weakest : {"bytes", "pixels", "near"}
        ``pixels`` takes copies with the same bytes or the same pixels.
    prefer : sequence of str, optional
        Preferred folders instead of those that are set.

    Raises
    ------
    UsageError
        When the kind is unknown.
    """
    if weakest not in _STRENGTH:
        raise UsageError(f"expected a kind of {', '.join(_STRENGTH)}, got {weakest!r}")
    images = {image.id: image for image in session.images()}
    plan: list[TrashedFile] = []
    groups = session.groups()
    if prefer is not None:
        uris, chosen = session.uris(), session.catalog.issues.kept()
        groups = [put_first(group, uris, chosen, prefer) for group in groups]
    linked = set(links_among(session).values())
    for group in groups:
        files = frozenset(image for image in group.images if is_own_file(images[image].uri))
        for image_id, keeper, kind in _spare(group, _STRENGTH[weakest], files):
            image = images[image_id]
            if image_id in linked:
                continue  # a link of the collection would lead nowhere
            plan.append(
                TrashedFile(
                    image.id, image.uri, image.content_hash, image.size, images[keeper].uri, kind
                )
            )
    return tuple(plan)


def trash_images(
    session: Session, trash: TrashFolder, plan: Sequence[TrashedFile], *, who: str = ""
) -> TrashSummary:
    """Move files to the trash, as one batch; a file that cannot be moved is skipped.

    An image that stays is given the labels of its duplicate in each taxonomy in which it has none,
    by the same sources: cleaning up loses no label.

    Parameters
    ----------
    session : Session
    trash : TrashFolder
    plan : sequence of TrashedFile
        From ``plan_trash``.
    who : str
        The person; default the login name.
    """
    reconcile_trash(session.catalog, trash)
    history = session.catalog.history
    batch = history.begin("trash", source=by(who))
    done = put_files(session, trash, plan, batch, carry=_carry_labels)
    kept = history.close(batch, _files(done.moved))
    carried = history.batch(batch)["changes"].get("label", 0) if kept else 0
    return replace(done, batch=batch if kept else 0, carried=carried)


def restore_images(
    session: Session, trash: TrashFolder, names: Sequence[str] = (), *, who: str = ""
) -> TrashSummary:
    """Move files back from the trash, as one batch.

    Parameters
    ----------
    session : Session
    trash : TrashFolder
    names : sequence of str
        Uris or ids of images; none means all.
    who : str
        The person; default the login name.

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
    history = session.catalog.history
    batch = history.begin("restore", source=by(who))
    done = return_files(session, trash, chosen, batch)
    return replace(done, batch=batch if history.close(batch, _files(done.moved)) else 0)


def put_files(
    session: Session,
    trash: TrashFolder,
    files: Sequence[TrashedFile],
    batch: int,
    carry: Callable[[Catalog, TrashedFile], None] | None = None,
) -> TrashSummary:
    """Move files into the trash; each move and its record are safe before the next one."""

    def put(file: TrashedFile) -> None:
        trash.put(file)
        with session.catalog.history.joined(batch):
            _record_put(session.catalog, file)
            if carry is not None:
                carry(session.catalog, file)

    chosen = [replace(file, batch=batch, restored_by=0) for file in files]
    return _move_each(session, chosen, put, "trash")


def return_files(
    session: Session, trash: TrashFolder, files: Sequence[TrashedFile], batch: int
) -> TrashSummary:
    """Move files out of the trash; each move and its record are safe before the next one."""

    def bring_back(file: TrashedFile) -> None:
        trash.restore(file)
        with session.catalog.history.joined(batch):
            _record_return(session.catalog, file)

    chosen = [replace(file, restored_by=batch) for file in files]
    return _move_each(session, chosen, bring_back, "restore")


def _move_each(
    session: Session, files: Sequence[TrashedFile], move: Callable[[TrashedFile], None], task: str
) -> TrashSummary:
    moved: list[TrashedFile] = []
    skipped: dict[str, str] = {}
    for done, file in enumerate(files, 1):
        try:
            move(file)
        except VernisError as error:
            skipped[file.uri] = str(error)
        else:
            moved.append(file)
        session.progress(task, done, len(files))
    return TrashSummary(tuple(moved), skipped)


def undo_moves(session: Session, batch: int, undoing: int) -> TrashSummary:
    """Move the files of a batch to where they were before; those that are there stay.

    Parameters
    ----------
    session : Session
    batch : int
        Of ``trash``, of ``restore``, or an undo of one.
    undoing : int
        The batch that the moves belong to.
    """
    trash = session.files.trash()
    reconcile_trash(session.catalog, trash)
    inside = {file.image_id: file for file in trash.contents()}
    changes = session.catalog.history.changes(batch, MOVED_FILES)
    images = {image.id: image for image in session.catalog.images.get([*map(_image_of, changes)])}
    coming_back, going = [], []
    for change in changes:
        image = images[_image_of(change)]
        if change.before is None and image.id in inside:
            coming_back.append(inside[image.id])
        elif change.before is not None and image.id not in inside:
            was = change.before
            going.append(
                TrashedFile(
                    image.id,
                    image.uri,
                    image.content_hash,
                    image.size,
                    was["keeper"],
                    was["kind"],
                )
            )
    back = return_files(session, trash, coming_back, undoing)
    gone = put_files(session, trash, going, undoing)
    return TrashSummary(back.moved + gone.moved, {**back.skipped, **gone.skipped})


def reconcile_trash(catalog: Catalog, trash: TrashFolder) -> None:
    """Make the catalog agree with the disk after a run that was killed between two steps.

    A file that moved without its record gets it now, in the batch that moved it.
    """
    inside = {file.image_id: file for file in trash.contents()}
    trashed = {image.id for image in catalog.images.all(("trashed",))}
    stray = sorted(inside.keys() - trashed)
    if stray:  # nearly never; ids of another collection's manifest are left alone
        known = catalog.images.table(IMAGE_STATES).holds(stray)
        stray = [image for image, here in zip(stray, known.tolist(), strict=True) if here]
    for image in catalog.images.get(stray):
        file = inside[image.id]
        if image.state in ("present", "vanished") and file.uri == image.uri:
            verb = _verb_of(catalog, file.batch)
            with _joined(catalog, file.batch if verb else 0):
                _record_put(catalog, file, in_batch=bool(verb))
                if verb == "trash":
                    _carry_labels(catalog, file)
    left = trashed - inside.keys()
    outside = {file.image_id: file for file in trash.returned()} if left else {}
    for image in catalog.images.get(sorted(left)):
        returned = outside.get(image.id)
        if returned is None:
            catalog.images.set_state([image.id], "present")
        else:
            verb = _verb_of(catalog, returned.restored_by)
            with _joined(catalog, returned.restored_by if verb else 0):
                _record_return(catalog, returned, in_batch=bool(verb))


def _verb_of(catalog: Catalog, batch: int) -> str:
    """Return the verb of a batch that a manifest names; empty where the catalog has none such.

    Earlier versions named none, and a catalog may have been restored from a backup.
    """
    try:
        return str(catalog.history.batch(batch)["verb"])
    except NotFound:
        return ""


def _joined(catalog: Catalog, batch: int) -> AbstractContextManager[None]:
    """Open a transaction in the batch of a move; files of earlier versions have none."""
    return catalog.history.joined(batch) if batch else catalog.transaction()


def _record_put(catalog: Catalog, file: TrashedFile, *, in_batch: bool = True) -> None:
    catalog.images.set_state([file.image_id], "trashed", _reason(file))
    if in_batch:
        change = Change(MOVED_FILES, str(file.image_id), None, _document(file))
        catalog.history.record([change], source=by(), verb="trash")


def _record_return(catalog: Catalog, file: TrashedFile, *, in_batch: bool = True) -> None:
    catalog.images.set_state([file.image_id], "present")
    if in_batch:
        change = Change(MOVED_FILES, str(file.image_id), _document(file), None)
        catalog.history.record([change], source=by(), verb="restore")


def _carry_labels(catalog: Catalog, file: TrashedFile) -> None:
    """Give the image that stays the labels of its duplicate where it has none."""
    try:
        keeper = catalog.images.find(file.keeper)
    except NotFound:
        return
    for taxonomy in catalog.labels.taxonomies():
        name = taxonomy.name
        if any(said.state == "yes" for said in _said(catalog, name, keeper.id).values()):
            continue
        for (source, _), said in _said(catalog, name, file.image_id).items():
            if said.state == "yes":
                label = replace(said, image_id=keeper.id)
                catalog.labels.record(name, [label], source=source, verb="trash")


def _said(catalog: Catalog, taxonomy: str, image: int) -> dict[tuple[str, str], Statement]:
    """Return what is said of an image, models left out, by source and label."""
    return {
        (source, said.label): said
        for source, said in catalog.labels.statements(taxonomy, image)
        if not source.startswith("model:")
    }


def _document(file: TrashedFile) -> dict[str, str]:
    return {"uri": file.uri, "keeper": file.keeper, "kind": file.kind}


def _image_of(change: Change) -> int:
    return int(change.key)


def _files(moved: Sequence[TrashedFile]) -> str:
    """Return a few words about files for the note of their batch."""
    names = ", ".join(file.uri for file in moved[:2])
    return f"{names}, …" if len(moved) > 2 else names


def _reason(file: TrashedFile) -> str:
    return f"duplicate of {file.keeper}" if file.keeper else "moved to the trash"


def _spare(
    group: DuplicateGroup, least: int, files: frozenset[int]
) -> list[tuple[int, int, DuplicateKind]]:
    """Return the images of a group that can go, each with the image that stays for it.

    Files alone go, and for files alone: neither does a video go because a frame of it is a copy,
    nor a picture because a video, or a bucket, shows it too.
    """
    strength = {(pair.a, pair.b): pair.kind for pair in group.pairs}
    ordered = [i for i in (group.keeper, *group.images) if i in files]
    ordered = list(dict.fromkeys(ordered))
    # What a person chose to keep stays, beside the keeper too.
    staying = [image for image in ordered if image in group.chosen]
    spare: list[tuple[int, int, DuplicateKind]] = []
    for image in (image for image in ordered if image not in group.chosen):
        for keeper in staying:
            kind = strength.get((min(image, keeper), max(image, keeper)))
            if kind is not None and _STRENGTH[kind] >= least:
                spare.append((image, keeper, kind))
                break
        else:
            staying.append(image)
    return spare
