"""Plan the vectors that are missing as units, do a unit, and record what was made."""

from __future__ import annotations

import io
import itertools
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.domain.ports import DecodingReader, PictureReader
from vernis.domain.stores import ObjectStore
from vernis.domain.types import ImageRecord, Space
from vernis.domain.units import (
    PLAN,
    Made,
    Plan,
    UnitPicture,
    pictures_from_bytes,
    pictures_to_bytes,
    unit_name,
)
from vernis.verbs.networks.embedding import PictureStage, PictureTask, close_early, say_failure

if TYPE_CHECKING:
    from vernis.session.session import Session

Reader = PictureReader | DecodingReader


def make_plan(
    session: Session, store: ObjectStore, readers: Sequence[Reader], size: int
) -> tuple[Plan, int]:
    """Write the units of all present pictures that miss a vector of a reader.

    Returns
    -------
    Plan
    pictures : int
        Of all units.
    """
    spaces = tuple(reader.space for reader in readers)
    table, vectors = session.table(), session.catalog.vectors
    lacking = np.zeros(len(table), bool)
    for space in spaces:
        lacking |= ~vectors.holds(space, table.hashes)
    # Neighbours in the folder are neighbours on the disk; of twins the first speaks for all.
    _, first = np.unique(table.hashes, return_index=True)
    once = np.zeros(len(table), bool)
    once[first] = True
    ids = table.ids[lacking & once]
    names = []
    for start in range(0, len(ids), size):
        images = session.catalog.images.get(ids[start : start + size].tolist())
        pictures = [UnitPicture(i.content_hash, i.uri, i.width, i.height) for i in images]
        names.append(unit_name(spaces, pictures))
        store.write(_pictures_of(names[-1]), pictures_to_bytes(pictures))
        session.progress("plan", min(start + size, len(ids)), len(ids))
    plan = Plan(uuid.uuid4().hex, str(session.root()), spaces, tuple(names))
    store.write(PLAN, plan.to_bytes())
    planned = {"store": store.url, "units": len(names), "pictures": len(ids)}
    session.catalog.runs.finish(f"plan {plan.name}", plan.name, planned)
    return plan, len(ids)


def read_plan(store: ObjectStore) -> Plan:
    """Read the plan of a store; raises NotFound where there is none."""
    try:
        data = store.read(PLAN)
    except NotFound as error:
        raise NotFound(f"{store.url}: holds no plan; make one: vernis plan {store.url}") from error
    return Plan.from_bytes(data, f"{store.url}/{PLAN}")


def open_readers(session: Session, spaces: Sequence[Space]) -> list[Reader]:
    """Return the reader of each space of a plan.

    Raises
    ------
    ModelError
        This machine lacks the weights, or measures otherwise.
    """
    own: list[Reader] = [
        *session.measures.measuring_readers(thorough=True),
        session.models.object_model(),
    ]
    readers: list[Reader] = []
    for space in spaces:
        same = [reader for reader in own if reader.space.name == space.name]
        if same and same[0].space != space:
            raise ModelError(
                f"the plan measures '{space.name}' otherwise than this version of Vernis; install "
                "the same version on every machine"
            )
        if same:
            readers += same
            continue
        reader = session.networks.open_space(space)
        if reader.space != space:
            raise ModelError(
                f"the plan reads '{space.name}' from other weights than this machine has"
            )
        readers.append(reader)
    return readers


def is_made(store: ObjectStore, unit: str) -> bool:
    """Return whether a unit's work is finished."""
    try:
        Made.from_bytes(store.read(_made_of(unit)), "")
    except (NotFound, ModelError):
        return False
    return True


def do_unit(
    session: Session,
    store: ObjectStore,
    plan: Plan,
    unit: str,
    *,
    examine: Callable[[ImageRecord], Any],
    larger: Callable[[int], Callable[[ImageRecord], Any]],
    workers: int | None = None,
) -> Made:
    """Make the vectors of a unit and keep them in the store; done twice, it is done once.

    Parameters
    ----------
    session : Session
        Needs no collection.
    store : ObjectStore
    plan : Plan
    unit : str
        Its name.
    examine, larger : callable
        How pictures are decoded, and from a least side how they are decoded larger.
    workers : int, optional
        Default: one a core.

    Raises
    ------
    ModelError
        This machine lacks the weights that the plan names.
    NotFound, StorageError
        The unit is not in the store, or that refuses.
    """
    started = time.monotonic()
    where = _pictures_of(unit)
    pictures = pictures_from_bytes(store.read(where), f"{store.url}/{where}")
    readers = open_readers(session, plan.spaces)
    longest = max((getattr(reader, "long_side", 0) for reader in readers), default=0)
    stage = PictureStage(examine, tuple(readers), larger(longest) if longest else None)
    everything = tuple(range(len(readers)))
    tasks = [PictureTask(_record(place, one), everything) for place, one in enumerate(pictures)]
    found: dict[int, list[NDArray[Any]]] = {}
    failed: dict[str, str] = {}
    outcomes = session.engine(workers, short_steps=True).run(stage, tasks)
    try:
        for done, outcome in enumerate(outcomes, 1):
            image = outcome.item.image
            if outcome.error is not None:
                failed[image.content_hash] = say_failure(outcome.error)
            else:
                found[image.id] = outcome.value or []
            session.progress(f"unit {unit[:8]}", done, len(tasks))
    finally:
        close_early(outcomes)
    hashes = tuple(pictures[place].content_hash for place in sorted(found))
    shards = []
    for column, space in enumerate(plan.spaces):
        rows = [found[place][column] for place in sorted(found)]
        data = _packed(np.stack(rows) if rows else np.zeros((0, space.dim), space.dtype))
        crc = zlib.crc32(data)
        # Machines may differ in the last bits: what each made has a name of its own.
        file = f"made/{unit}.{column}.{crc:08x}.npy"
        store.write(file, data)
        shards.append((file, crc, hashes))
    made = Made(tuple(shards), failed, round(time.monotonic() - started, 2))
    if not store.create(_made_of(unit), made.to_bytes()) and not is_made(store, unit):
        store.write(_made_of(unit), made.to_bytes())
    return made


@dataclass(frozen=True, slots=True)
class Collected:
    """What was recorded of a plan.

    Attributes
    ----------
    recorded : int
        Units recorded now.
    waiting : tuple of int
        Places of the units that are not made yet.
    damaged : tuple of int
        Places of those whose shards are not what was written; they are to be made again.
    vectors : int
        Added to the embedding space.
    unreadable : int
        Images that are marked so now.
    """

    recorded: int
    waiting: tuple[int, ...]
    damaged: tuple[int, ...]
    vectors: int
    unreadable: int


def collect_units(session: Session, store: ObjectStore, plan: Plan) -> Collected:
    """Record the units that are made, each in one transaction, and once.

    Raises
    ------
    UsageError
        The plan was made of another collection.
    """
    runs = session.catalog.runs
    if not runs.is_done(f"plan {plan.name}", plan.name):
        raise UsageError(f"{store.url}: the plan is of another collection")
    made_names = store.names("made")
    recorded, vectors, unreadable = 0, 0, 0
    waiting: list[int] = []
    damaged: list[int] = []
    for place, unit in enumerate(plan.units):
        session.progress("collect", place + 1, len(plan.units))
        if runs.is_done(f"unit {plan.name} {unit}", unit):
            continue
        if f"{unit}.json" not in made_names:
            waiting.append(place)
            continue
        loaded = _load(store, plan, unit)
        if loaded is None:
            store.remove(_made_of(unit))
            damaged.append(place)
            continue
        added, failed = _record_unit(session, plan, unit, *loaded)
        recorded, vectors, unreadable = recorded + 1, vectors + added, unreadable + failed
    return Collected(recorded, tuple(waiting), tuple(damaged), vectors, unreadable)


def _load(store: ObjectStore, plan: Plan, unit: str) -> tuple[Made, list[NDArray[Any]]] | None:
    """Return what was made of a unit; None where it is not what was written."""
    try:
        made = Made.from_bytes(store.read(_made_of(unit)), unit)
        arrays = []
        for space, (file, crc, hashes) in zip(plan.spaces, made.shards, strict=True):
            data = store.read(file)
            if zlib.crc32(data) != crc:
                return None
            array = np.load(io.BytesIO(data), allow_pickle=False)
            if array.shape != (len(hashes), space.dim) or array.dtype != np.dtype(space.dtype):
                return None
            arrays.append(array)
    except (NotFound, ModelError, ValueError, EOFError):
        return None
    return made, arrays


def _record_unit(
    session: Session, plan: Plan, unit: str, made: Made, arrays: Sequence[NDArray[Any]]
) -> tuple[int, int]:
    """Record a unit; returns the vectors of its first space and the images marked unreadable."""
    catalog = session.catalog
    with catalog.transaction():
        for space, (_, _, hashes), array in zip(plan.spaces, made.shards, arrays, strict=True):
            if len(hashes):
                catalog.vectors.append(space, hashes, array)
        marked = 0
        table = session.table()
        for reason, group in itertools.groupby(
            sorted(made.failed.items(), key=lambda item: item[1]), key=lambda item: item[1]
        ):
            wanted = np.array([content.encode() for content, _ in group])
            ids = table.ids[np.isin(table.hashes, wanted)].tolist()
            catalog.images.set_state(ids, "unreadable", reason)
            marked += len(ids)
        summary = {"vectors": len(made.shards[0][2]), "unreadable": marked, "seconds": made.seconds}
        catalog.runs.finish(f"unit {plan.name} {unit}", unit, summary)
    return len(made.shards[0][2]), marked


def _record(place: int, picture: UnitPicture) -> ImageRecord:
    return ImageRecord(
        place, picture.uri, picture.content_hash, 0, 0, picture.width, picture.height
    )


def _packed(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _pictures_of(unit: str) -> str:
    return f"units/{unit}.jsonl"


def _made_of(unit: str) -> str:
    return f"made/{unit}.json"
