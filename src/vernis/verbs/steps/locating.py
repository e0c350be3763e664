"""Learn from labels of images where in them the labels are, and keep a heat map of each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.heat_maps import geometric_mean
from vernis.core.locate.localizers import FIT, Localizer, Method
from vernis.core.locate.stored_maps import LENGTH, SIDE, StoredMap, pack, unpack
from vernis.core.locate.training import choose_pictures, share_below
from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import NothingToLearn, UsageError
from vernis.domain.types import ImageRecord, LabelMatrix, Space, hash_texts
from vernis.report.wording import counted
from vernis.session.networks import HEAT_MAPS
from vernis.session.vectors import assume_no
from vernis.verbs.decide.training_set import images_where
from vernis.verbs.declare import SEED, WHERE, EngineOptions, Option, count
from vernis.verbs.networks.backbone_options import NO_FILE
from vernis.verbs.networks.embedding import close_early, say_failure

if TYPE_CHECKING:
    from vernis.adapters.backbones.patch_maps import PatchMapReader
    from vernis.session.session import Session

_METHOD = 3
"""Part of what marks a map: raise it when the method changes, and all maps are made anew."""
_FEWEST = 2
"""Images with a class below which it is not located."""
_FLUSH = 512
"""Maps that are written at once."""

Maps = list[NDArray[Any]]


@dataclass(frozen=True)
class LocateOptions(EngineOptions):
    """How labels are located in pictures."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    method: Annotated[
        Method,
        Option(
            "patches: a linear discriminant of patches; cam: the class activation maps of a linear "
            "classifier; fcnn: a fully convolutional network, as in the thesis (extra torch)"
        ),
    ] = "patches"
    sizes: Annotated[
        Sequence[int],
        Option(
            "sizes at which pictures are shown, pixels, in steps of 32; the maps of several are "
            "joined by their geometric mean",
            "N,…",
            joined=True,
        ),
    ] = (512,)
    backbone: Annotated[
        str,
        Option(
            "a network with its maps, as BACKBONE:LAYER+LAYER (see: vernis layers)",
            requests=NO_FILE,
        ),
    ] = "efficientnet_lite0"
    learn_from: Annotated[int, count("images to learn from, at most", at_least=2)] = 400
    seed: Annotated[int, SEED] = 0

    def learnt_settings(self) -> dict[str, Any]:
        """Return what the maps depend on."""
        return {
            "method": self.method,
            "sizes": list(self.sizes),
            "backbone": self.backbone,
            "learn_from": self.learn_from,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True, eq=False)
class LocatePlan:
    """What is learned from, and what is to be located.

    Attributes
    ----------
    taxonomy : str
    classes : tuple of str
        Those that can be located.
    images : sequence of ImageRecord
        All that the filter holds for, ascending by id.
    Y : ndarray of float32, shape (n_images, n_classes)
        1, 0 or NaN.
    train : ndarray of int64
        Rows that are learned from, where the plan is not held to others.
    mark : str
        Hexadecimal digits; equal for equal maps.
    suggested : ndarray of int64, shape (n, 2)
        (image row, class column) of labels that an issue or ``fill`` suggests: they are located, so
        that it can point at them, and nothing else is made of their maps.
    notes : tuple of str
    """

    taxonomy: str
    classes: tuple[str, ...]
    images: Sequence[ImageRecord]
    Y: NDArray[np.float32]
    train: NDArray[np.int64]
    mark: str
    suggested: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    notes: tuple[str, ...] = ()

    def rows(self) -> NDArray[np.int64]:
        """Return (image row, class column) of every label, shape (n_labels, 2)."""
        return np.argwhere(self.Y == 1)

    def key(self, row: int, column: int) -> str:
        """Return what the map of an image and a class is kept under."""
        return _key(self.images[row].content_hash, self.classes[column])


@dataclass(frozen=True, slots=True, eq=False)
class LocateSummary:
    """The maps of a plan.

    Attributes
    ----------
    maps : dict of (image row, class column) to StoredMap
    computed : int
        Maps that were made in this run.
    suggested : int
        Maps of labels that are only suggested; they are kept, and not among ``maps``.
    failed : dict of str to str
        Path and reason of the images that could not be read.
    notes : tuple of str
        What the learning has to tell.
    """

    maps: Mapping[tuple[int, int], StoredMap]
    computed: int
    failed: Mapping[str, str] = field(default_factory=dict)
    suggested: int = 0
    notes: tuple[str, ...] = ()


def plan_locating(
    session: Session,
    taxonomy: str,
    options: LocateOptions,
    train: NDArray[np.int64] | None = None,
) -> LocatePlan:
    """Return what is learned from and located.

    Parameters
    ----------
    session : Session
    taxonomy : str
    options : LocateOptions
    train : ndarray of int64, optional
        Ids of the images to learn from; default: drawn from all.

    Raises
    ------
    NotFound, FilterError, UsageError
        There is no such taxonomy, or the filter is wrong or holds for no image.
    NothingToLearn
        No class has images with it and images without it.
    """
    if not options.sizes:
        raise UsageError("expected one size or more, such as --sizes 512")
    matrix = session.matrix(taxonomy)
    images = list(session.images())
    if options.where.strip():
        chosen = set(images_where(session, options.where).tolist())
        images = [image for image in images if image.id in chosen]
    Y = _labels_of(matrix, images)
    known = np.isfinite(Y).any(axis=1)
    if train is not None:
        known &= np.isin([image.id for image in images], train)
    pool = np.flatnonzero(known)
    enough = ((Y[pool] == 1).sum(axis=0) >= _FEWEST) & (Y[pool] == 0).any(axis=0)
    classes = tuple(c for c, good in zip(matrix.taxonomy.classes, enough, strict=True) if good)
    if not classes:
        raise NothingToLearn(
            f"'{taxonomy}' has no class that two images carry and another does not: nothing tells "
            "where it is; label more images, or ones without it"
        )
    Y = Y[:, enough]
    drawn = pool[choose_pictures(Y[pool], options.learn_from, options.seed)]
    usable = ((Y[drawn] == 1).any(axis=0)) & ((Y[drawn] == 0).any(axis=0))
    classes = tuple(c for c, good in zip(classes, usable, strict=True) if good)
    Y = Y[:, usable]
    left_out = [name for name in matrix.taxonomy.classes if name not in classes]
    notes: tuple[str, ...] = ()
    if left_out:
        few = ", ".join(left_out[:3])
        notes = (
            f"not located: {counted(len(left_out), 'class')} on fewer than {_FEWEST} images or on "
            f"all of them, such as {few}",
        )
    hashes = [images[row].content_hash for row in drawn]
    mark = fingerprint(
        "locate", _METHOD, options.learnt_settings(), list(classes), hashes, Y[drawn]
    )
    suggested = _suggested(session, taxonomy, images, classes)
    suggested = suggested[Y[suggested[:, 0], suggested[:, 1]] != 1]
    return LocatePlan(taxonomy, classes, images, Y, drawn, mark, suggested, notes)


def _suggested(
    session: Session, taxonomy: str, images: Sequence[ImageRecord], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return (image row, class column) of what issues and ``fill`` suggest, shape (n, 2)."""
    issues = session.catalog.issues
    pairs = [(one.image_id, one.label) for one in issues.suggestions(taxonomy)]
    for issue in issues.select(("label",), taxonomy):
        pairs += [(issue.image_id, str(label)) for label in issue.evidence.get("suggested", ())]
    rows = {image.id: row for row, image in enumerate(images)}
    columns = {name: column for column, name in enumerate(classes)}
    found = {(rows[i], columns[name]) for i, name in pairs if i in rows and name in columns}
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def _labels_of(matrix: LabelMatrix, images: Sequence[ImageRecord]) -> NDArray[np.float32]:
    Y, _ = assume_no(matrix)
    rows = np.searchsorted(matrix.image_ids, [image.id for image in images])
    Y = Y[rows]
    if matrix.taxonomy.kind == "single":  # one class says no to the others
        carries = (Y == 1).any(axis=1)
        Y[carries] = Y[carries] == 1
    return Y


def locate_labels(session: Session, plan: LocatePlan, options: LocateOptions) -> LocateSummary:
    """Return the heat map of each image and label of a plan, from the collection where it is kept.

    What is new is learned, made and kept. When the run is interrupted, what was made is kept.

    Raises
    ------
    ModelError, MissingExtra
        The network cannot work at all.
    """
    store = _MapStore(session, plan)
    wanted = [tuple(pair) for pair in (*plan.rows().tolist(), *plan.suggested.tolist())]
    kept = store.kept(wanted)
    todo = [pair for pair in wanted if pair not in kept]
    fresh = LocateSummary({}, 0)
    try:
        if todo:
            fresh = make_maps(session, plan, options, todo, store.add)
    finally:
        store.flush()
    maps = {**kept, **fresh.maps}
    labels = {pair: one for pair, one in maps.items() if plan.Y[pair] == 1}
    return replace(fresh, maps=labels, suggested=len(maps) - len(labels))


def make_maps(
    session: Session,
    plan: LocatePlan,
    options: LocateOptions,
    pairs: Sequence[tuple[int, int]],
    add: Callable[[int, int, NDArray[np.uint8]], None] = lambda row, column, packed: None,
) -> LocateSummary:
    """Learn from the images of a plan and make maps; nothing is kept but by ``add``.

    Parameters
    ----------
    session : Session
    plan : LocatePlan
    options : LocateOptions
    pairs : sequence of (image row, class column)
    add : callable
        Takes the row, the column and the packed map of each, as they are made.
    """
    readers = open_readers(session, options)
    picture = session.files.pictures(least_side=max(options.sizes))
    read = _Reading(session, plan.images, readers, picture, options.workers)
    learnt = _learn(read, plan, options)
    wanted: dict[int, list[int]] = {}
    for row, column in pairs:
        wanted.setdefault(row, []).append(column)
    made: dict[tuple[int, int], StoredMap] = {}
    for row, maps in read.run(sorted(wanted), "locate", learnt.score_only(wanted)):
        for column, (heat, confidence) in zip(wanted[row], maps, strict=True):
            packed = pack(heat, confidence, plan.mark)
            made[row, column] = unpack(packed)[0]
            add(row, column, packed)
    return LocateSummary(made, len(made), read.failed, notes=learnt.notes)


def open_readers(session: Session, options: LocateOptions) -> list[PatchMapReader]:
    """Return one reader of maps a size."""
    choice = session.networks.read_choice(options.backbone)
    last = options.method != "patches"
    readers = [session.networks.open_patch_maps(choice, side, last=last) for side in options.sizes]
    if options.method == "fcnn" and len(readers[0].layers) > 1:
        raise UsageError(
            f"fcnn reads one map, got {'+'.join(readers[0].layers)}; name one, as BACKBONE:LAYER"
        )
    return readers


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """A localizer a size, and the peaks of each class in images without it."""

    localizers: Sequence[Localizer]
    others: Sequence[NDArray[np.float64]]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the learning has to tell."""
        if all(one.has_learned for one in self.localizers):
            return ()
        return (
            "the network has not learned: its loss stayed near that of constant answers, so its "
            "maps tell little; more images, or --method patches, may help",
        )

    def locate(
        self, maps: Sequence[Maps], columns: Sequence[int]
    ) -> list[tuple[NDArray[np.float64], float]]:
        """Return heat map and confidence of classes in a picture that comes in every size."""
        peaks = np.mean(
            [s.max(axis=(1, 2)) for s in scores_of(self.localizers, maps, columns)], axis=0
        )
        heats = [one.heat(each, columns) for one, each in zip(self.localizers, maps, strict=True)]
        size = max((heat.shape[1:] for heat in heats), key=lambda shape: shape[0] * shape[1])
        joined = geometric_mean(heats, (int(size[0]), int(size[1])))
        sure = [
            float(share_below(np.array([peak]), self.others[column])[0])
            for peak, column in zip(peaks, columns, strict=True)
        ]
        return list(zip(joined, sure, strict=True))

    def score_only(
        self, wanted: Mapping[int, Sequence[int]]
    ) -> Callable[[int, list[Maps]], list[tuple[NDArray[np.float64], float]]]:
        """Return the function that a worker calls: what it makes is small, the maps are not."""
        return lambda row, maps: self.locate(maps, wanted[row])


def scores_of(
    localizers: Sequence[Localizer],
    maps: Sequence[Maps],
    columns: Sequence[int] | None = None,
) -> list[NDArray[np.float32]]:
    """Return what each localizer says of a picture's places, shape (n_classes, height, width)."""
    return [one.score(each, columns) for one, each in zip(localizers, maps, strict=True)]


def _learn(read: _Reading, plan: LocatePlan, options: LocateOptions) -> Learnt:
    fit = FIT[options.method]
    pictures: dict[int, list[Maps]] = dict(
        read.run(plan.train.tolist(), "learn to locate", lambda row, maps: maps)
    )
    rows = sorted(pictures)
    Y = plan.Y[rows]
    if not rows or not (Y == 1).any(axis=0).all() or not (Y == 0).any(axis=0).all():
        raise NothingToLearn(
            f"'{plan.taxonomy}': too few of the images that it is learned from can be read"
        )
    with single_threaded_products():
        localizers = [
            fit([pictures[row][size] for row in rows], Y, seed=options.seed)
            for size in range(len(options.sizes))
        ]
        peaks = np.mean(
            [[s.max(axis=(1, 2)) for s in scores_of(localizers, pictures[row])] for row in rows],
            axis=1,
        )
    read.keep(pictures)
    return Learnt(localizers, [peaks[Y[:, c] == 0, c] for c in range(Y.shape[1])])


@dataclass(frozen=True, slots=True)
class _MapStage:
    """Decodes a picture, reads its maps at every size and makes of them what is wanted."""

    images: Sequence[ImageRecord]
    picture: Callable[[ImageRecord], Any]
    readers: Sequence[PatchMapReader]
    make: Callable[[int, list[Maps]], Any]

    def open(self) -> Callable[[int], Any]:
        """Open every reader for one worker."""
        read = [reader.open() for reader in self.readers]

        def work(row: int) -> Any:
            pixels = self.picture(self.images[row])
            return self.make(row, [one(pixels) for one in read])

        return work


class _Reading:
    """Reads maps of images, each once: those that were learned from are kept in memory."""

    def __init__(
        self,
        session: Session,
        images: Sequence[ImageRecord],
        readers: Sequence[PatchMapReader],
        picture: Callable[[ImageRecord], Any],
        workers: int | None,
    ) -> None:
        self._session, self._images, self._readers = session, images, readers
        self._picture, self._workers = picture, workers
        self._kept: dict[int, list[Maps]] = {}
        self.failed: dict[str, str] = {}

    def keep(self, maps: Mapping[int, list[Maps]]) -> None:
        """Keep the maps of some rows, so that they are not read again."""
        self._kept = dict(maps)

    def run(
        self, rows: Sequence[int], task: str, make: Callable[[int, list[Maps]], Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield each row with what ``make`` makes of its maps; what cannot be read is noted."""
        progress, done = self._session.progress, 0
        for row in [row for row in rows if row in self._kept]:
            done += 1
            progress(task, done, len(rows))
            yield row, make(row, self._kept[row])
        rest = [r for r in rows if r not in self._kept and self._images[r].uri not in self.failed]
        stage = _MapStage(self._images, self._picture, self._readers, make)
        outcomes = self._session.engine(self._workers).run(stage, rest)
        try:
            for outcome in outcomes:
                done += 1
                progress(task, done, len(rows))
                if outcome.error is not None:
                    self.failed[self._images[outcome.item].uri] = say_failure(outcome.error)
                else:
                    yield outcome.item, outcome.value
        finally:
            close_early(outcomes)


def _map_space(taxonomy: str) -> Space:
    return Space(f"{HEAT_MAPS}{taxonomy}", LENGTH, "uint8", {"cells": [SIDE, SIDE]})


def _key(content_hash: str, label: str) -> str:
    """Return what the map of an image and a class is kept under."""
    return hashlib.sha256(f"{content_hash}\0{label}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class KeptMap:
    """Where a label is in an image, as it was located last."""

    taxonomy: str
    label: str
    map: StoredMap


def kept_maps(session: Session, image: ImageRecord) -> list[KeptMap]:
    """Return the heat maps that are kept of an image, by taxonomy and class.

    They may be older than the labels: `locate_labels` makes them anew.
    """
    vectors, found = session.catalog.vectors, []
    known = {space.name for space, _ in vectors.spaces()}
    for taxonomy in session.taxonomies():
        space = _map_space(taxonomy.name)
        if space.name not in known:
            continue
        keys = [_key(image.content_hash, label) for label in taxonomy.classes]
        there = np.flatnonzero(vectors.holds(space, keys)).tolist()
        rows = vectors.read(space, [keys[at] for at in there])
        for at, row in zip(there, rows, strict=True):
            found.append(KeptMap(taxonomy.name, taxonomy.classes[at], unpack(row)[0]))
    return found


def maps_of_labels(session: Session, matrix: LabelMatrix) -> dict[tuple[int, str], StoredMap]:
    """Return the maps of the labels that hold, as the latest locating of most of them left them.

    Parameters
    ----------
    session : Session
    matrix : LabelMatrix

    Returns
    -------
    dict of (image id, class) to StoredMap
        Empty where nothing was located.
    """
    name, classes, table = matrix.taxonomy.name, matrix.taxonomy.classes, session.table()
    if not _is_located(session, name):
        return {}
    rows, columns = np.nonzero((matrix.values == 1) & table.holds(matrix.image_ids)[:, None])
    ids = matrix.image_ids[rows]
    hashes = hash_texts(table.hashes[table.row_of(ids)])
    labels = [classes[column] for column in columns.tolist()]
    read = list(_read_maps(session, name, list(zip(hashes, labels, strict=True))))
    marks = Counter(mark for _, _, mark in read)
    mark = max(marks, key=lambda name: marks[name]) if marks else ""
    return {(int(ids[i]), labels[i]): stored for i, stored, own in read if own == mark}


def maps_of(
    session: Session, taxonomy: str, pairs: Sequence[tuple[ImageRecord, str]]
) -> Iterator[tuple[ImageRecord, str, StoredMap]]:
    """Yield the maps that are kept of images and classes, whenever they were made."""
    contents = [(image.content_hash, label) for image, label in pairs]
    for at, stored, _ in _read_maps(session, taxonomy, contents):
        yield (*pairs[at], stored)


def _is_located(session: Session, taxonomy: str) -> bool:
    name = _map_space(taxonomy).name
    return name in {known.name for known, _ in session.catalog.vectors.spaces()}


def _read_maps(
    session: Session, taxonomy: str, pairs: Sequence[tuple[str, str]]
) -> Iterator[tuple[int, StoredMap, str]]:
    """Yield the position of each pair of content and class that has a map, the map and its mark."""
    vectors, space = session.catalog.vectors, _map_space(taxonomy)
    if not pairs or not _is_located(session, taxonomy):
        return
    keys = [_key(content, label) for content, label in pairs]
    there = np.flatnonzero(vectors.holds(space, keys)).tolist()
    for at, data in zip(there, vectors.read(space, [keys[i] for i in there]), strict=True):
        yield at, *unpack(data)


class _MapStore:
    """The heat maps of a taxonomy in the collection, by image content and class."""

    def __init__(self, session: Session, plan: LocatePlan) -> None:
        self._vectors, self._plan = session.catalog.vectors, plan
        self._space = _map_space(plan.taxonomy)
        self._rows: dict[str, NDArray[np.uint8]] = {}

    def kept(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], StoredMap]:
        """Return the maps of (image row, class column) that are kept and still true."""
        keys = [self._plan.key(row, column) for row, column in pairs]
        there = np.flatnonzero(self._vectors.holds(self._space, keys))
        data = self._vectors.read(self._space, [keys[i] for i in there])
        found = {}
        for i, one in zip(there.tolist(), data, strict=True):
            stored, mark = unpack(one)
            if mark == self._plan.mark[: len(mark)]:
                found[pairs[i]] = stored
        return found

    def add(self, row: int, column: int, packed: NDArray[np.uint8]) -> None:
        self._rows[self._plan.key(row, column)] = packed
        if len(self._rows) >= _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        if self._rows:
            self._vectors.append(self._space, list(self._rows), np.stack(list(self._rows.values())))
            self._rows = {}
