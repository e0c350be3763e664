"""``Session``: one open collection, and what a verb needs of it and of the world."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.row_blocks import JoinedRows, by_blocks, hold_if_small
from vernis.domain.closing import Closing
from vernis.domain.errors import NotFound, StorageError, UsageError
from vernis.domain.ports import (
    Catalog,
    Engine,
    PictureReader,
    Progress,
    Rows,
    Stage,
    silent,
)
from vernis.domain.readings import LEAST_SEARCHED
from vernis.domain.stores import ObjectStore
from vernis.domain.types import (
    IMAGE_STATES,
    DuplicateGroup,
    ImageRecord,
    ImageState,
    ImageTable,
    LabelMatrix,
    Space,
    Taxonomy,
    hash_texts,
)
from vernis.session.files import Files
from vernis.session.interchange import Interchange
from vernis.session.measures import Measures
from vernis.session.models import Models
from vernis.session.networks import CHANNELS, CLOSER, HEAT_MAPS, MAPS, SCORES, Networks
from vernis.session.places import Places
from vernis.session.results import Results
from vernis.session.services import Services
from vernis.session.vectors import (
    ImageVectors,
    TrainingData,
    align,
    parts_of,
    search_columns,
    space_document,
)

if TYPE_CHECKING:
    import pandas as pd

    from vernis.adapters.ann import ApproximateIndex
    from vernis.adapters.backbones.devices import Device
    from vernis.adapters.backbones.onnx_backbone import OpenSession
    from vernis.adapters.catalog.words import WordIndex, WordSource
    from vernis.adapters.demo.truth import DemoTruth
    from vernis.adapters.engines.choice import EngineName
    from vernis.adapters.engines.processes import Helpers
    from vernis.adapters.interchange.sample_folder import SampleFolder
    from vernis.core.explore.picture_words import PictureWords

SUFFIX = ".vernis"
MEASURES = (
    "fingerprint",
    "keypoints",
    "quality",
    "damage",
    "appearance",
    "objects",
    "objects placed",
)
"""Spaces of vectors that are no embeddings."""
_FEW = 10_000  # images that are looked up one by one
_MANY = 5_000  # changed images from which everything is read anew

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a collection from every other."""

    VERSION: ClassVar[int] = 1

    name: str


class Session(Closing):
    """One open collection for the length of a job.

    What verbs read often (images, labels, vectors) is a snapshot: read once, and again only after
    the catalog has changed it.

    Parameters
    ----------
    catalog : Catalog or None
        None for verbs that need no collection.
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: Catalog | None, *, progress: Progress = silent) -> None:
        self._catalog = catalog
        self.progress = progress
        self._snapshot: dict[str, tuple[Any, Any]] = {}
        self._engine: EngineName = "auto"
        self._ray = ""
        self._start: OpenSession | None = None

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        read_only: bool = False,
        progress: Progress = silent,
    ) -> Self:
        """Open a collection (default: the only one beside or above the working folder).

        Raises
        ------
        CatalogError
            The folder holds no collection, or a damaged one, or one of a newer version.
        """
        from vernis.adapters.catalog.catalog import SqliteCatalog

        place = Path(folder) if folder is not None else find_collection()
        return cls(SqliteCatalog.open(place, read_only), progress=progress)

    @classmethod
    def create(cls, folder: Path | str, *, progress: Progress = silent) -> Self:
        """Make an empty collection; raises CatalogError when the folder holds something."""
        from vernis.adapters.catalog.catalog import SqliteCatalog

        return cls(SqliteCatalog.create(Path(folder)), progress=progress)

    def close(self) -> None:
        """Close the catalog; what was recorded is safe already."""
        if self._catalog is not None:
            self._catalog.close()

    def discard_if_empty(self) -> None:
        """Remove a collection in which nothing was ever indexed."""
        import shutil

        if self.catalog.images.root() is None and not self.catalog.images.places():
            folder = self.catalog.folder
            self.close()
            shutil.rmtree(folder)

    def option(self) -> str:
        """Return `` --collection DIR`` where a command in the working folder needs it, else ""."""
        import shlex

        folder = self.catalog.folder
        try:
            if find_collection() == folder.resolve():
                return ""
        except UsageError:
            pass
        return f" --collection {shlex.quote(str(folder))}"

    def beside(self, folder: Path) -> Session:
        """Open another collection, made where there is none, with the same progress."""
        if folder.exists():
            return Session.open(folder, progress=self.progress)
        return Session.create(folder, progress=self.progress)

    @property
    def catalog(self) -> Catalog:
        """The stores; raises UsageError where the session has no collection."""
        if self._catalog is None:
            raise UsageError("this needs a collection; make one: vernis run PATH")
        return self._catalog

    @cached_property
    def results(self) -> Results:
        """What verbs found before, by type and version."""
        return Results(self.catalog.runs)

    @cached_property
    def interchange(self) -> Interchange:
        """What is read from and written for other programs."""
        return Interchange(self)

    @cached_property
    def places(self) -> Places:
        """What lists the images of folders, buckets, pages and feeds."""
        return Places(self)

    @cached_property
    def files(self) -> Files:
        """Where the files of images lie, and what decodes them."""
        return Files(self)

    @cached_property
    def measures(self) -> Measures:
        """What is measured of every picture beside its embedding."""
        return Measures(self)

    @cached_property
    def models(self) -> Models:
        """Detectors, readers of text, trainers, and saved models."""
        return Models(self)

    @cached_property
    def services(self) -> Services:
        """Outside services that look at pictures."""
        return Services(self)

    @cached_property
    def networks(self) -> Networks:
        """The networks that make embedding spaces."""
        return Networks(self._start)

    def identity(self) -> str:
        """Return what tells the collection from every other, wherever it lies; made when asked."""
        kept = self.results.find("identity", Identity)
        if kept is None:
            kept = Identity(uuid.uuid4().hex)
            with self.lock("identity"):
                self.results.keep("identity", kept)
        return kept.name

    @contextmanager
    def lock(self, verb: str) -> Iterator[None]:
        """Hold the writer's lock for a whole verb; a second writer gets CatalogBusy."""
        with self.catalog.lock(verb):
            yield

    def engine(self, workers: int | None = None, *, short_steps: bool = False) -> Engine:
        """Return what runs work on many pictures (default: one worker a core).

        ``short_steps``: the work takes many short steps, by which threads hold one another up.
        Where nobody chose an engine, processes then run it on the processor.
        """
        from vernis.adapters.engines.choice import open_engine

        apart = short_steps and self._start is None  # one process keeps a graphics processor busy
        return open_engine(self._engine, workers, self._ray, short_steps=apart)

    def helpers(self, stage: Stage[Any, Any]) -> Helpers:
        """Return processes that threads may let work on items of a stage; close them in the end.

        None is started before the first item.
        """
        from vernis.adapters.engines.processes import Helpers

        return Helpers(stage)

    def run_on(self, engine: EngineName, ray: str = "") -> None:
        """Choose what runs work on many pictures from now on.

        Parameters
        ----------
        engine : {'auto', 'threads', 'processes', 'daft'}
        ray : str
            Address of the Ray cluster that Daft shall use; empty for this machine.

        Raises
        ------
        UsageError
            An address is given for another engine than Daft.
        """
        if ray and engine != "daft":
            raise UsageError("--ray is the address for --engine daft; name that engine too")
        self._engine, self._ray = engine, ray

    def run_networks_on(self, device: Device) -> None:
        """Choose what networks run on, before the first is opened.

        Parameters
        ----------
        device : {'auto', 'cpu', 'cuda'}

        Raises
        ------
        UsageError
            CUDA is asked for, and ONNX Runtime has it not.
        """
        if device == "cpu":
            return
        from vernis.adapters.backbones.devices import choose_device, starter

        if choose_device(device) == "cuda":
            self._start = starter(device)
            self.networks = Networks(self._start)

    # ------------------------------------------------------------------ the snapshot

    def _read(
        self, name: str, stores: Sequence[str], read: Callable[[], T], about: object = None
    ) -> T:
        """Return what was read before of these stores, anew when one of them has changed."""
        revision = self._revision(stores, about)
        if self._is_fresh(name, revision):
            found: T = self._snapshot[name][1]
            return found
        self._snapshot.pop(name, None)  # what is old would lie in memory beside what is new
        value = read()
        self._snapshot[name] = (revision, value)
        return value

    def _revision(self, stores: Sequence[str], about: object = None) -> tuple[object, ...]:
        return (about, *(self.catalog.revision(store) for store in stores))

    def _is_fresh(self, name: str, revision: tuple[object, ...]) -> bool:
        """Tell whether something was read of this revision."""
        return name in self._snapshot and self._snapshot[name][0] == revision

    def kept(self, name: str, stores: Sequence[str], read: Callable[[], T]) -> T:
        """Return what was read before of these stores, read anew when one of them has changed."""
        return self._read(f"kept {name}", stores, read)

    def followed(
        self,
        name: str,
        stores: Sequence[str],
        read: Callable[[], T],
        renew: Callable[[T, Sequence[int]], T],
    ) -> T:
        """Return what is known of labels and verdicts of images, carried forward by the events.

        Reading all of it takes long where images are many, and a decision changes one of them.

        Parameters
        ----------
        name : str
        stores : sequence of str
            What it depends on besides events: when one of these has changed, it is read anew.
        read : callable
            Reads all of it.
        renew : callable
            Given the value and the images that events were about, returns it with what it says of
            these as it is now.
        """
        revision = tuple(self.catalog.revision(store) for store in stores)
        # Asked before reading: an event that is seen twice does no harm.
        mark = self.catalog.history.mark()
        known = self._snapshot.get(f"followed {name}")
        if known is not None and known[0] == revision:
            before: int = known[1][0]
            value: T = known[1][1]
            if before == mark:
                return value
            images = self.catalog.history.images_since(before)
            value = renew(value, images) if len(images) <= _MANY else read()
        else:
            value = read()
        self._snapshot[f"followed {name}"] = (revision, (mark, value))
        return value

    def images(self, *states: ImageState) -> Sequence[ImageRecord]:
        """Return the images in those states (default: present), ascending by id."""
        wanted = states or ("present",)
        return self._read(
            f"images {' '.join(wanted)}", ("images",), lambda: self.catalog.images.all(wanted)
        )

    def table(self, *states: ImageState) -> ImageTable:
        """Return the images in those states (default: present) as columns, ascending by id."""
        wanted = states or ("present",)
        return self._read(
            f"table {' '.join(wanted)}", ("images",), lambda: self._read_table(wanted)
        )

    def _read_table(self, states: Sequence[ImageState]) -> ImageTable:
        """Read a table; the present images are taken from one that was read with others."""
        name = "table present unreadable"
        if tuple(states) == ("present",) and self._is_fresh(name, self._revision(("images",))):
            with_others: ImageTable = self._snapshot[name][1]
            present = with_others.states.equal("present")
            return with_others if present.all() else with_others.take(present)
        return self.catalog.images.table(states)

    def uris(self) -> Mapping[int, str]:
        """Return the path of every image that the catalog lists, whatever its state."""

        def read() -> dict[int, str]:
            table = self.catalog.images.table(IMAGE_STATES)
            return dict(zip(table.ids.tolist(), table.uris, strict=True))

        return self._read("uris", ("images",), read)

    def folders_of(self, uris: Iterable[str]) -> list[str]:
        """Return the folder of each image below the place that it lies in, ``""`` for the top."""
        from vernis.core.words.class_folders import folder_of

        places = self.catalog.images.places()
        return [folder_of(uri, places) for uri in uris]

    def uris_of(self, ids: Iterable[int]) -> Mapping[int, str]:
        """Return the paths of some images; of few, no others are read. Raises NotFound."""
        wanted = sorted(set(ids))
        if len(wanted) > _FEW:
            return self.uris()
        return {image.id: image.uri for image in self.catalog.images.get(wanted)}

    def image_frame(self) -> pd.DataFrame:
        """Return one row an image, whatever its state."""
        import pandas as pd

        names = ("id", "state", "reason", "format", "width", "height", "size", "split")
        rows = self.images(*IMAGE_STATES)
        columns = {name: [getattr(image, name) for image in rows] for name in names}
        index = pd.Index([image.uri for image in rows], name="image")
        return pd.DataFrame(columns, index=index)

    def taxonomies(self) -> Sequence[Taxonomy]:
        """Return the taxonomies."""
        return self._read("taxonomies", ("taxonomies",), self.catalog.labels.taxonomies)

    def worked_on(self, named: Sequence[str] = ()) -> Sequence[Taxonomy]:
        """Return the taxonomies that a step works on: the named ones, else all not ignored.

        Raises
        ------
        NotFound
            There is no taxonomy of a name.
        """
        if named:
            return [self.catalog.labels.taxonomy(name) for name in dict.fromkeys(named)]
        return [taxonomy for taxonomy in self.taxonomies() if not taxonomy.ignored]

    def matrix(self, taxonomy: str) -> LabelMatrix:
        """Return the effective labels of the present images; raises NotFound."""
        labels = self.catalog.labels
        self.catalog.revision(f"labels:{taxonomy}")  # there is one of that name

        def renew(known: LabelMatrix, images: Sequence[int]) -> LabelMatrix:
            part = labels.matrix(taxonomy, images)
            # Whoever holds the matrix as it was must not see it change.
            values, confirmed = known.values.copy(), known.confirmed.copy()
            rows = np.searchsorted(known.image_ids, part.image_ids)
            values[rows], confirmed[rows] = part.values, part.confirmed
            return LabelMatrix(part.taxonomy, known.image_ids, values, confirmed)

        return self.followed(
            f"matrix {taxonomy}",
            ("images", "taxonomies"),
            lambda: labels.matrix(taxonomy),
            renew,
        )

    def groups(self) -> Sequence[DuplicateGroup]:
        """Return the duplicate groups of present images."""
        apart = frozenset(self.catalog.issues.dismissed_pairs())
        return self._read("groups", ("found", "images"), self.catalog.issues.groups, about=apart)

    def vectors(self, space: Space) -> ImageVectors:
        """Return the sound vectors of the present images; those of the latest space are kept."""
        return self._read(
            "vectors", ("images", "vectors"), lambda: self._read_vectors(space), about=space
        )

    def rows_with_vectors(self, space: Space) -> NDArray[np.intp]:
        """Return the rows of `table` whose images have a vector, sound or not; none is read."""
        hashes = self.table().hashes
        held = [self.catalog.vectors.holds(part, hashes) for part in parts_of(space)]
        return np.flatnonzero(np.all(held, axis=0))

    def _read_vectors(self, space: Space) -> ImageVectors:
        table, parts, rows = self.table(), parts_of(space), self.rows_with_vectors(space)
        vectors = self._join_rows(parts, table.hashes[rows])
        sound = np.concatenate(
            [np.zeros(0, np.bool_), *(found for _, found in by_blocks(vectors, _are_finite))]
        )
        if not sound.all():
            rows = rows[sound]
            vectors = self._join_rows(parts, table.hashes[rows])
        return ImageVectors(
            ids=table.ids[rows],
            hashes=tuple(hash_texts(table.hashes[rows])),
            vectors=vectors,
            n_without_vector=len(table) - len(rows),
            space=space,
        )

    def _join_rows(self, parts: Sequence[Space], hashes: NDArray[np.bytes_]) -> Rows:
        """Return vectors of spaces side by side, held where they are few."""
        stored = [self.catalog.vectors.rows(part, hashes) for part in parts]
        return hold_if_small(JoinedRows(stored))

    def training_data(self, taxonomy: str, space: Space) -> TrainingData:
        """Return labels, vectors and duplicates of a taxonomy as aligned arrays.

        Raises
        ------
        NotFound
            There is no such taxonomy.
        """
        matrix, vectors = self.matrix(taxonomy), self.vectors(space)
        return align(matrix, vectors, self.duplicate_codes(vectors.ids))

    def duplicate_codes(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for each image, equal for duplicates (also through a third image)."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        pairs: list[tuple[int, int]] = []
        for group in self.groups():
            members = np.asarray(group.images, np.int64)
            rows = np.minimum(np.searchsorted(image_ids, members), max(0, len(image_ids) - 1))
            if len(image_ids):
                pairs += itertools.pairwise(rows[image_ids[rows] == members].tolist())
        table = self.table()
        hashes = table.hashes[table.row_of(image_ids)]
        _, first, content = np.unique(hashes, return_index=True, return_inverse=True)
        links = np.asarray(pairs, np.int64).reshape(-1, 2).T
        rows = np.concatenate((links[0], np.arange(len(image_ids))))
        columns = np.concatenate((links[1], first[content]))
        shape = (len(image_ids), len(image_ids))
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=shape)
        return np.asarray(connected_components(graph, directed=False)[1], np.int64)

    def text_lines(self) -> Mapping[str, tuple[str, ...]]:
        """Return the surely read lines of text of every picture that was read, by its hash."""
        return self._read(
            "text lines", ("readings",), lambda: self.catalog.readings.lines(LEAST_SEARCHED)
        )

    def picture_words(self) -> PictureWords | None:
        """Return what the pictures show by the shipped network; None where it made no vectors."""
        from vernis.core.explore.picture_words import PictureWords

        current = self.current_space()
        spaces = [*([] if current is None else [current]), *reversed(self.spaces())]
        known = ((space, self.networks.classifier(space)) for space in spaces)
        space, classifier = next((pair for pair in known if pair[1] is not None), (None, None))
        if space is None or classifier is None:
            return None

        def read() -> PictureWords:
            vectors = self.vectors(space)
            return PictureWords(classifier, vectors.ids, vectors.X[:, search_columns(space)])

        return self._read("picture words", ("images", "vectors"), read, about=space)

    # ------------------------------------------------------------------ embedding spaces

    def space(self, name: str | None = None) -> Space:
        """Return an embedding space of the collection.

        Parameters
        ----------
        name : str, optional
            Of a space that was embedded. None: the current one, which heads and searches read
            unless told otherwise: the one that was embedded or chosen last.

        Raises
        ------
        UsageError
            Nothing was embedded yet.
        NotFound
            There is no space of that name.
        """
        current = self.current_space()
        if current is None:
            raise UsageError("no embeddings yet; make them: vernis embed")
        if name is None or name == current.name:
            return current
        known = self.spaces()
        for space in reversed(known):
            if space.name == name:
                return space
        raise NotFound(f"no space {name!r}; there are: {', '.join(space.name for space in known)}")

    def current_space(self) -> Space | None:
        """Return the space that is read unless another is named, None before any embedding."""
        summary = self.catalog.runs.summary("embed")
        return None if summary is None else Space(**summary["space"])

    def spaces(self) -> list[Space]:
        """Return the embedding spaces of the collection, the oldest first."""
        return [space for space, _ in self.catalog.vectors.spaces() if is_embedding(space)]

    def closer_looks(self, *, thorough: bool = False) -> list[PictureReader]:
        """Return what looks at pictures closer: at tiles of them, and as a detector does.

        Where it shall be ``thorough``, or pictures were looked at so before: then new ones are too.
        """
        stored = [space for space in self.spaces() if space.settings.get("pooling") in CLOSER]
        if not (thorough or stored):
            return []
        readers = self.networks.closer_looks()
        return readers if thorough else [one for one in readers if one.space in stored]

    def use_space(self, space: Space) -> None:
        """Make a space the one that later steps read."""
        self.catalog.runs.finish("embed", space.name, {"space": space_document(space)})

    def require_room(self, space: Space) -> None:
        """Raise StorageError when the vectors that a space misses are more than the disk holds."""
        import shutil

        hashes = np.unique(self.table().hashes)
        lacking = int((~self.catalog.vectors.holds(space, hashes)).sum())
        needed = lacking * space.dim * np.dtype(space.dtype).itemsize
        folder = self.catalog.folder
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise StorageError(
                f"{lacking:,} vectors of {space.dim:,} numbers take {needed / 1e9:,.1f} GB, and "
                f"{folder} has {free / 1e9:,.1f} GB left; pool the layer (--pool avg), or read "
                "a smaller one"
            )

    # ------------------------------------------------------------------ pictures and files

    def root(self) -> Path:
        """Return the indexed folder; raises UsageError before the first indexing.

        Where all images lie at addresses, it is the folder beside the collection.
        """
        root = self.catalog.images.root()
        if root is None and self.catalog.images.places():
            return self.catalog.folder.absolute().parent
        if root is None:
            raise UsageError("nothing indexed yet; name a folder: vernis index PATH")
        return root

    def has_approximate_index(self) -> bool:
        """Tell whether the extra ``ann`` is installed."""
        from vernis.adapters import ann

        return ann.is_installed()

    def approximate_index(self, space: Space, mark: str, vectors: Rows) -> ApproximateIndex:
        """Open the approximate index of a space, made anew where ``mark`` has changed."""
        from vernis.adapters.ann import ApproximateIndex

        name = space.name.replace("/", "_").replace(":", "_")
        folder = self.catalog.folder / "ann"
        return ApproximateIndex.open(folder, name, mark, vectors, progress=self.progress)

    @contextmanager
    def word_index(self, source: WordSource) -> Iterator[WordIndex]:
        """Open the full-text index, made anew or carried forward where its source has changed."""
        from vernis.adapters.catalog.words import WordIndex

        index = WordIndex(self.catalog.folder, source)
        try:
            yield index
        finally:
            index.close()

    def object_store(self, url: Path | str) -> ObjectStore:
        """Return a folder, or a bucket at an address, that several machines reach.

        Raises
        ------
        MissingExtra, StorageError
            The address needs an extra, or is of no kind that is known.
        """
        from vernis.adapters.stores import open_store

        return open_store(url)

    def draw_demo(self, folder: Path, *, seed: int) -> DemoTruth:
        """Draw a small collection with planted faults; returns what was planted."""
        from vernis.adapters.demo import generate_demo

        return generate_demo(folder, seed=seed, progress=self.progress)

    def sample_folder(self, folder: Path | str) -> SampleFolder:
        """Return the folder of a random sample that a person judges."""
        from vernis.adapters.interchange.sample_folder import SampleFolder

        return SampleFolder(Path(folder))


def _are_finite(rows: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(rows).all(axis=1))


def is_embedding(space: Space) -> bool:
    """Tell an embedding space from measures of the pictures, channels' maxima, maps and scores."""
    others = (CHANNELS, MAPS, HEAT_MAPS, SCORES)
    return space.name not in MEASURES and not space.name.startswith(others)


def find_collection(start: Path | str = ".") -> Path:
    """Return the only ``*.vernis`` folder in ``start`` or the nearest folder above that has one.

    Raises
    ------
    UsageError
        There is none, or more than one beside each other.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if folder.suffix == SUFFIX:
            return folder
        try:
            found = sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_dir())
        except OSError:
            continue
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise UsageError(
                f"{folder} holds several collections ({names}); name one: --collection"
            )
    raise UsageError(f"no collection in {here} or above; make one: vernis run PATH")
