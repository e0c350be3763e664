"""``Session``: one open collection, and what a verb needs of it and of the world."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.row_blocks import JoinedRows, by_blocks, hold_if_small
from vernis.domain.annotations import Annotator, Price, SentPicture
from vernis.domain.closing import Closing
from vernis.domain.errors import NotFound, StorageError, UsageError
from vernis.domain.ports import (
    Catalog,
    Decoded,
    DecodingReader,
    Engine,
    PictureReader,
    Pixels,
    Progress,
    Rows,
    TrashFolder,
    silent,
)
from vernis.domain.readings import LEAST_SEARCHED, PictureText, TextModel
from vernis.domain.stores import ObjectStore
from vernis.domain.types import (
    IMAGE_STATES,
    DuplicateGroup,
    ImageRecord,
    ImageState,
    ImageTable,
    LabelMatrix,
    ModelRecord,
    Space,
    Taxonomy,
    hash_texts,
)
from vernis.session.interchange import Interchange
from vernis.session.networks import CHANNELS, CLOSER, HEAT_MAPS, MAPS, SCORES, Networks
from vernis.session.places import Places
from vernis.session.results import Results
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
    from vernis.adapters.detectors.learned import LearnedDetector
    from vernis.adapters.detectors.nanodet import ObjectModel
    from vernis.adapters.engines.choice import EngineName
    from vernis.adapters.interchange.sample_folder import SampleFolder
    from vernis.adapters.services.registry import ServiceName
    from vernis.adapters.thumbnails import ThumbnailCache
    from vernis.core.appearance.picture_type import TypeModel
    from vernis.core.detect.cell_head import PictureCells
    from vernis.core.explore.picture_words import PictureWords
    from vernis.domain.training import ClassifierTrainer, DetectorTrainer

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
KEYPOINT_LIMIT = 20_000
"""Images up to which keypoints are measured unasked; see docs/decisions/duplicates.md."""
_FEW = 10_000  # images that are looked up one by one
_MANY = 5_000  # changed images from which everything is read anew

ReadPicture = Callable[[ImageRecord], Pixels]
"""Decodes the picture of an image; raises UnreadableImage or OSError."""
ExaminePicture = Callable[[ImageRecord], Decoded]
"""Decodes the picture of an image and says what is damaged; raises as ``ReadPicture``."""

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
        self._engine: EngineName = "threads"
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

    def engine(self, workers: int | None = None) -> Engine:
        """Return what runs work on many pictures (default: one worker a core)."""
        from vernis.adapters.engines.choice import open_engine

        return open_engine(self._engine, workers, self._ray)

    def count_cores(self) -> int:
        """Return the number of cores that work may use."""
        from vernis.adapters.engines.threads import count_cores

        return count_cores()

    def run_on(self, engine: EngineName, ray: str = "") -> None:
        """Choose what runs work on many pictures from now on.

        Parameters
        ----------
        engine : {'threads', 'daft'}
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
        revision = (about, *(self.catalog.revision(store) for store in stores))
        known = self._snapshot.get(name)
        if known is not None and known[0] == revision:
            found: T = known[1]
            return found
        value = read()
        self._snapshot[name] = (revision, value)
        return value

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
            f"table {' '.join(wanted)}", ("images",), lambda: self.catalog.images.table(wanted)
        )

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

    def path_of(self, image: ImageRecord) -> Path:
        """Return where the file of an image lies."""
        from vernis.adapters.files import path_of

        return path_of(self.root(), image.uri)

    def place_of(self, image: ImageRecord) -> str:
        """Return the address of an image's file, with the time or page of a part (``#t=12.480``).

        Browsers and players open videos and PDFs there.
        """
        from vernis.adapters.files import path_of
        from vernis.domain.addresses import is_address
        from vernis.domain.parts import page_of, split_part

        file, place = split_part(image.uri) or (image.uri, "")
        if place and "time" not in image.metadata and page_of(place) is None:
            place = ""  # a picture of slides: no program opens it by name
        address = file if is_address(file) else path_of(self.root().absolute(), file).as_uri()
        return f"{address}#{place}" if place else address

    def own_file(self, image: ImageRecord) -> Path:
        """Return the file of an image that may be moved or written.

        Raises
        ------
        UsageError
            The image is none of its own, such as an object in a bucket.
        """
        from vernis.adapters.files import own_file

        return own_file(self.root(), image.uri)

    def path_of_uri(self, uri: str, root: Path | None = None) -> Path:
        """Return where the file of a path relative to a folder (default: the indexed one) lies."""
        from vernis.adapters.files import path_of

        return path_of(root or self.root(), uri)

    def uri_of(self, path: Path, root: Path | None) -> str:
        """Return the uri of a file below a folder; raises UsageError where it lies elsewhere."""
        from vernis.adapters.files import uri_of

        if root is None:
            raise UsageError(f"{path} does not lie in an indexed folder")
        return uri_of(root, path)

    def thumbnails(self, edge: int) -> ThumbnailCache:
        """Return the collection's small pictures whose longer side is ``edge`` pixels."""
        from vernis.adapters.thumbnails import ThumbnailCache

        return ThumbnailCache(self.catalog.folder, edge)

    def has_approximate_index(self) -> bool:
        """Tell whether the extra ``ann`` is installed."""
        from vernis.adapters import ann

        return ann.is_installed()

    def approximate_index(self, space: Space, mark: str, vectors: NDArray[Any]) -> ApproximateIndex:
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

    def pictures(
        self,
        *,
        full_size: bool = False,
        least_side: int | None = None,
        root: Path | None = None,
    ) -> ReadPicture:
        """Return what decodes the picture of an image.

        Unless ``full_size``, the shorter side may be reduced while decoding, to ``least_side``
        pixels (default: 256). ``root``: where the images lie, without a collection.
        """
        from vernis.adapters.files import PictureFiles
        from vernis.adapters.isolation import PictureDecoder

        place = root or self.root()
        if full_size or least_side is not None:
            return PictureFiles(place, PictureDecoder(min_side=least_side)).read
        return PictureFiles(place).read

    def pictures_for_reading(self) -> ReadPicture:
        """Return what decodes the picture of an image as large as the reading of text needs."""
        from vernis.adapters.readers.models import LEAST_SIDE

        return self.pictures(least_side=LEAST_SIDE)

    def object_model(self) -> ObjectModel:
        """Return the detector of objects that is shipped; raises ModelError."""
        from vernis.adapters.detectors.nanodet import shipped_model

        return replace(shipped_model(), start=self._start)

    def cell_reader(self, side: int) -> Callable[[], Callable[[Pixels], PictureCells]]:
        """Return what opens a reader of the cells of pictures of that longer side, for a worker."""
        from vernis.adapters.detectors.known_cells import open_known_cells
        from vernis.adapters.detectors.nanodet import shipped_model

        model = shipped_model()
        return lambda: open_known_cells(model, side=side)

    def pictures_to_train(self, side: int) -> ReadPicture:
        """Return what decodes the picture of an image, its longer side at most ``side`` pixels."""
        from vernis.adapters.training.views import SmallPictures

        return SmallPictures(self.pictures(least_side=side), side).read

    def detector_trainer(self, network: str) -> DetectorTrainer:
        """Return what trains ``nanodet`` or ``ssd``; raises MissingExtra without torch."""
        from vernis.adapters.training.choice import detector_trainer

        return detector_trainer(network)

    def classifier_trainer(self, epochs: int | None = None) -> ClassifierTrainer:
        """Return what trains the last stages of the backbone; raises MissingExtra without torch."""
        from vernis.adapters.training.choice import classifier_trainer

        return classifier_trainer(epochs)

    def learned_detector(self, model: ModelRecord | Path) -> LearnedDetector:
        """Return a saved detector, of the collection or of a folder; raises ModelError."""
        from vernis.adapters.detectors.learned import restore_detector

        if isinstance(model, Path):
            document = self.read_model_document(model)
            arrays, settings = self.read_model_folder(model)
            told = document["name"], document["version"], document["fingerprint"]
        else:
            arrays, settings = self.catalog.models.load(model)
            told = model.name, model.version, model.fingerprint
        return restore_detector(*told, arrays, settings)

    def text_model(self, name: Path | str | None = None, *, gate: bool = True) -> TextModel:
        """Return the reader that is shipped, or that of a folder.

        Parameters
        ----------
        name : Path or str, optional
            A folder, or the name of the shipped reader.
        gate : bool
            Whether a quick look decides first which pictures hold any text.

        Raises
        ------
        ModelError
            The folder holds no reader.
        UsageError
            There is no such folder.
        """
        from vernis.adapters.readers.models import SHIPPED, folder_model, shipped_model
        from vernis.adapters.readers.onnx_reader import ReaderSettings

        settings = ReaderSettings() if gate else ReaderSettings(gate_side=0)
        if name is None or str(name) == SHIPPED:
            return replace(shipped_model(settings), start=self._start)
        if not Path(name).is_dir():
            raise UsageError(
                f"{name}: no such reader; there are: {SHIPPED} (shipped), and any folder with a "
                "detector, a recognizer and an alphabet"
            )
        return replace(folder_model(Path(name), settings), start=self._start)

    def pictures_to_send(self, edge: int) -> Callable[[ImageRecord], SentPicture]:
        """Return what encodes the picture of an image for a service, without metadata.

        Its longer side has at most ``edge`` pixels.
        """
        from vernis.adapters.services.sending import picture_sender

        return picture_sender(self.root(), edge)

    def annotator(
        self,
        name: ServiceName,
        *,
        endpoint: str = "",
        model: str = "",
        per_minute: int | None = None,
        timeout: float | None = None,
    ) -> Annotator:
        """Return an outside service, with the key that the environment holds; nothing is sent.

        Raises
        ------
        UsageError
            An endpoint or a model is missing or cannot be used.
        """
        from vernis.adapters.services.registry import ServiceSettings, open_service
        from vernis.adapters.services.requests import Patience

        patience = None if timeout is None else Patience(timeout=timeout)
        return open_service(name, ServiceSettings(endpoint, model, per_minute, patience))

    def logos(self, images: Sequence[ImageRecord]) -> dict[str, PictureText]:
        """Return the logos that a service has found, by content hash, as readings of their names.

        Of several services the one that was asked last counts. Pictures that none was asked about
        are left out.
        """
        from vernis.adapters.services.registry import read_logos

        sizes = {image.content_hash: (image.width, image.height) for image in images}
        found: dict[str, PictureText] = {}
        for service in self.catalog.answers.services():
            for one in self.catalog.answers.answers(service, "logos", "", list(sizes)):
                if one.refused or one.content_hash in found:
                    continue
                width, height = sizes[one.content_hash]
                across = width / one.width if width else 1.0
                down = height / one.height if width else 1.0
                logos = read_logos(service, one.content, one.width, one.height)
                found[one.content_hash] = PictureText(
                    one.content_hash,
                    service.reader,
                    tuple(logo.scaled(across, down) for logo in logos),
                )
        return found

    def prices(self, path: Path | None = None) -> Sequence[Price]:
        """Return what services cost: as shipped, or as an owner's table says; UsageError."""
        from vernis.adapters.services.prices import read_prices, shipped_prices

        return shipped_prices() if path is None else read_prices(path)

    def alphabet_of(self, source: str) -> tuple[str, ...] | None:
        """Return the symbols that a reader (``reader:NAME``) knows; None unless it is shipped."""
        from vernis.adapters.readers.models import SHIPPED, shipped_model

        return shipped_model().alphabet if source == f"reader:{SHIPPED}" else None

    def digested_pictures(self) -> Callable[[ImageRecord], str]:
        """Return what digests all that a picture holds: alpha, every frame, every bit."""
        from vernis.adapters.files import PictureFiles

        return PictureFiles(self.root()).digest

    def examined_pictures(self, root: Path | None = None) -> ExaminePicture:
        """Return what decodes the picture of an image and says what is damaged of its file.

        ``root``: where the images lie, without a collection.
        """
        from vernis.adapters.files import PictureFiles

        return PictureFiles(root or self.root()).examine

    def object_store(self, url: Path | str) -> ObjectStore:
        """Return a folder, or a bucket at an address, that several machines reach.

        Raises
        ------
        MissingExtra, StorageError
            The address needs an extra, or is of no kind that is known.
        """
        from vernis.adapters.stores import open_store

        return open_store(url)

    def decode(self, path: Path, *, full_size: bool = False) -> Pixels:
        """Decode any picture file; raises UnreadableImage."""
        return self.decoder(full_size=full_size)(path)

    def decoder(self, *, full_size: bool = False) -> Callable[[Path], Pixels]:
        """Return what decodes picture files one after another."""
        from vernis.adapters.isolation import PictureDecoder

        return PictureDecoder(min_side=None) if full_size else PictureDecoder()

    def draw_demo(self, folder: Path, *, seed: int) -> DemoTruth:
        """Draw a small collection with planted faults; returns what was planted."""
        from vernis.adapters.demo import generate_demo

        return generate_demo(folder, seed=seed, progress=self.progress)

    def quality_space(self) -> Space:
        """Return where the quality measures of pictures are stored."""
        from vernis.adapters.quality_reader import QUALITY_SPACE

        return QUALITY_SPACE

    def fingerprint_space(self) -> Space:
        """Return where the fingerprints of pictures are stored."""
        from vernis.adapters.fingerprints import FINGERPRINT_SPACE

        return FINGERPRINT_SPACE

    def keypoint_space(self) -> Space:
        """Return where the keypoints of pictures are stored."""
        from vernis.adapters.keypoints import KEYPOINT_SPACE

        return KEYPOINT_SPACE

    def views(self) -> ReadPicture:
        """Return what decodes the picture of an image as it is compared at a closer look."""
        from vernis.adapters.keypoints import shrink_to_view

        read = self.pictures()
        return lambda image: shrink_to_view(read(image))

    def appearance_space(self) -> Space:
        """Return where the colours and the types of pictures are stored."""
        from vernis.adapters.appearance import APPEARANCE_SPACE

        return APPEARANCE_SPACE

    def type_model(self) -> TypeModel:
        """Return what tells the type of pictures; raises ModelError where its file is damaged."""
        from vernis.adapters.appearance import open_type_model

        return open_type_model()

    def draw_thumbnail(self, pixels: Pixels, edge: int, quality: int = 80) -> bytes:
        """Return a small JPEG of a picture whose longer side is ``edge`` pixels."""
        from vernis.adapters.pixels import thumbnail_jpeg

        return thumbnail_jpeg(pixels, edge, quality)

    def sample_folder(self, folder: Path | str) -> SampleFolder:
        """Return the folder of a random sample that a person judges."""
        from vernis.adapters.interchange.sample_folder import SampleFolder

        return SampleFolder(Path(folder))

    def measuring_readers(self, *, thorough: bool = False) -> list[PictureReader | DecodingReader]:
        """Return what is measured of every picture beside its embedding.

        Keypoints only among up to ``KEYPOINT_LIMIT`` images, or where it shall be ``thorough``.
        """
        from vernis.adapters.appearance import APPEARANCE_SPACE
        from vernis.adapters.fingerprints import FINGERPRINT_SPACE, compute_fingerprint
        from vernis.adapters.keypoints import KEYPOINT_SPACE, compute_keypoints
        from vernis.adapters.pixel_measure import PixelMeasure
        from vernis.adapters.quality_reader import QUALITY_SPACE, DamageReader
        from vernis.core.appearance.measure import measure_appearance
        from vernis.core.quality import measure

        readers: list[PictureReader | DecodingReader] = [
            PixelMeasure(FINGERPRINT_SPACE, compute_fingerprint),
            PixelMeasure(QUALITY_SPACE, measure),
            DamageReader(),
            PixelMeasure(APPEARANCE_SPACE, measure_appearance),
        ]
        if thorough or len(self.table()) <= KEYPOINT_LIMIT:
            readers.append(PixelMeasure(KEYPOINT_SPACE, compute_keypoints))
        return readers

    def read_model_document(self, folder: Path) -> Mapping[str, Any]:
        """Return what a saved model's folder says of the model; raises ModelError."""
        from vernis.adapters.catalog.models import read_model_folder

        return read_model_folder(folder)[1]

    def read_model_folder(self, folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return arrays and settings of a saved model's folder; raises ModelError."""
        from vernis.adapters.catalog.models import read_model_folder

        arrays, document = read_model_folder(folder)
        return arrays, document["settings"]

    def trash(self) -> TrashFolder:
        """Return the collection's trash."""
        from vernis.adapters.files import own_file
        from vernis.adapters.trash import FolderTrash

        root = self.root()
        return FolderTrash(self.catalog.folder / "trash", lambda uri: own_file(root, uri))


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
