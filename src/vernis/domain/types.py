"""Value objects of the domain. All are frozen and refuse bad data."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.metadata import FileMetadata

ImageState = Literal["present", "unreadable", "vanished", "trashed"]
TaxonomyKind = Literal["single", "multi"]
LearnabilityVerdict = Literal["yes", "no", "unclear"]
LabelState = Literal["yes", "no", "unknown"]
Verdict = Literal["open", "accepted", "dismissed"]
ChangeKind = Literal["extra", "missing", "replaced", ""]
LabelScorer = Literal[
    "mse",
    "self_confidence",
    "normalized_margin",
    "weighted_entropy",
    "softmin",
    "ema",
    "balanced",
    "posterior",
    "mean",
]
DuplicateKind = Literal["bytes", "pixels", "near"]

Hashes = Sequence[str] | NDArray[np.bytes_]
"""Content hashes, as texts or as the column of a table."""

UNREAD_FOLDER = "the folder cannot be read"
"""How the reason of a folder begins that is listed because nothing in it could be."""
IMAGE_STATES: tuple[ImageState, ...] = ("present", "unreadable", "vanished", "trashed")
VERDICTS: tuple[Verdict, ...] = ("open", "accepted", "dismissed")
LABEL_KINDS = ("label", "text_differs")
"""Issues about the given labels of an image: by its vector, and by the text in it."""
BOX_KINDS = ("swapped_box", "spurious_box", "misplaced_box", "missing_box")
"""Issues about the given boxes of an image: another class, nothing, beside it, none drawn."""
REFUSED = "refused"
"""Issue of a picture that an outside service will not look at."""
QUALITY_KINDS: tuple[str, ...] = (
    "blurry",
    "dark",
    "overexposed",
    "low_information",
    "odd_aspect_ratio",
    "odd_size",
    "greyscale",
    "uniform_border",
    "damaged",
)


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


def _require_unit(name: str, value: float) -> None:
    _require(math.isfinite(value) and 0.0 <= value <= 1.0, f"{name} between 0 and 1", value)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; bounds are NaN where none is known."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Learnability:
    """Whether the pictures tell a class, or the classes of a taxonomy, apart.

    Attributes
    ----------
    verdict : {'yes', 'no', 'unclear'}
        ``yes``: the leave-out prediction is better than that of 98 % of permuted labels. ``no``: it
        is not, and the images are enough to see that it is next to nothing. ``unclear``: it is
        not, and they are too few.
    separation : float
        How often an image of the class is predicted to have it more surely than an image without
        it is (the area under the ROC curve), in 0..1: 0.5 is chance. Of a taxonomy: the mean over
        its classes, weighted by their images. NaN where it cannot be measured.
    low, high : float
        Its 95 % interval (DeLong, DeLong & Clarke-Pearson, *Comparing the areas under two or more
        correlated receiver operating characteristic curves*, Biometrics 1988), NaN as above.
    p_value : float
        Share of permutations that predict as well or better, the given labels among them
        (Phipson & Smyth, *Permutation p-values should never be zero*, 2010), in (0, 1]; 1 where
        nothing can be measured.
    n_images : int
        Distinct images with the class; of a taxonomy: those whose labels are known.
    """

    verdict: LearnabilityVerdict
    separation: float
    low: float
    high: float
    p_value: float
    n_images: int

    def __post_init__(self) -> None:
        if not 0 < self.p_value <= 1:
            raise InvalidValue(f"expected a p-value in (0, 1], got {self.p_value}")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One asset of the collection.

    ``uri`` is the path relative to the indexed root, with ``/`` between the parts. Bytes of a file
    name that are not UTF-8 are written as ``%XX`` (see ``adapters.files``). ``id`` is stable
    across renames. ``content_hash`` is the sha256 of the bytes in hexadecimal, empty when the file
    could not be read at all. ``width`` and ``height`` are pixels after the EXIF orientation, 0
    when unknown. ``reason`` says why an ``unreadable`` image is so.
    """

    id: int
    uri: str
    content_hash: str
    size: int
    mtime_ns: int
    width: int = 0
    height: int = 0
    format: str = ""
    state: ImageState = "present"
    reason: str = ""
    split: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sidecar: int = 0
    said: FileMetadata | None = None

    def __post_init__(self) -> None:
        _require(bool(self.uri), "a uri", self.uri)
        _require(self.size >= 0, "a size of 0 or more bytes", self.size)
        _require(self.state in IMAGE_STATES, f"a state of {IMAGE_STATES}", self.state)


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A column of few distinct texts.

    Attributes
    ----------
    codes : ndarray of unsigned integers, shape (n,)
    names : tuple of str
        The text of each code.
    """

    codes: NDArray[np.unsignedinteger[Any]]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        """Return the text of a row."""
        return self.names[int(self.codes[row])]

    def equal(self, name: str) -> NDArray[np.bool_]:
        """Return which rows have that text, shape (n,)."""
        if name not in self.names:
            return np.zeros(len(self.codes), dtype=np.bool_)
        return np.asarray(self.codes == self.names.index(name))

    def take(self, rows: NDArray[Any]) -> Self:
        """Return the column of some rows (positions or a mask)."""
        return type(self)(self.codes[rows], self.names)


@dataclass(frozen=True, slots=True, eq=False)
class ImageTable:
    """Many images as columns, in ascending order of id: about 0.25 kB an image, uri included.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
        Ascending.
    uris : tuple of str
    hashes : ndarray of bytes, shape (n,)
        Content hashes in ASCII, as the ledger holds them: 64 bytes a sha256. (32 raw bytes would
        hold nothing but a sha256 and be converted at each meeting with the ledger; text of NumPy
        takes 256.)
    sizes, mtimes : ndarray of int64, shape (n,)
        Bytes, and the time of the last change in nanoseconds.
    widths, heights : ndarray of int32, shape (n,)
        Pixels, 0 when unknown.
    formats, splits, states : Categories
    """

    ids: NDArray[np.int64]
    uris: tuple[str, ...]
    hashes: NDArray[np.bytes_]
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    formats: Categories
    splits: Categories
    states: Categories

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        _require(len(set(lengths.values())) == 1, "columns of one length", lengths)
        _require(bool((np.diff(self.ids) > 0).all()), "ascending ids", self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def holds(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Return which of these ids are in the table, shape (len(ids),)."""
        return self._places(np.asarray(ids, dtype=np.int64))[1]

    def row_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the row of each id, shape (len(ids),); raises NotFound."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows, known = self._places(wanted)
        if not known.all():
            raise NotFound(f"no image of the table has the id {wanted[~known][0]}")
        return rows

    def uri_of(self, ids: ArrayLike) -> list[str]:
        """Return the uri of each id; raises NotFound."""
        return [self.uris[row] for row in self.row_of(ids).tolist()]

    def take(self, rows: NDArray[Any]) -> Self:
        """Return a table of some rows: ascending positions or a mask."""
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return type(self)(
            self.ids[positions],
            tuple(self.uris[row] for row in positions.tolist()),
            self.hashes[positions],
            self.sizes[positions],
            self.mtimes[positions],
            self.widths[positions],
            self.heights[positions],
            self.formats.take(positions),
            self.splits.take(positions),
            self.states.take(positions),
        )

    def _places(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        rows = np.searchsorted(self.ids, ids)
        known = rows < len(self.ids)
        known[known] = self.ids[rows[known]] == ids[known]
        return rows, known


def hash_texts(hashes: NDArray[np.bytes_]) -> list[str]:
    """Return the content hashes of a table's column as texts."""
    return [content.decode("ascii") for content in hashes.tolist()]


def hash_column(hashes: Hashes) -> NDArray[np.bytes_]:
    """Return content hashes as a column of a table; a column is returned as it is."""
    if isinstance(hashes, np.ndarray):
        return hashes
    return np.array(hashes, dtype=np.bytes_) if len(hashes) else np.empty(0, dtype="S1")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that the index met, before the catalog decides which image it is.

    ``reason`` is empty for a readable picture. ``sidecar`` is the mark of ``FileTable.sidecars``,
    ``said`` what file and sidecar say of the picture, None where they were not read.
    """

    uri: str
    content_hash: str
    size: int
    mtime_ns: int
    width: int = 0
    height: int = 0
    format: str = ""
    reason: str = ""
    split: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sidecar: int = 0
    said: FileMetadata | None = None

    def __post_init__(self) -> None:
        _require(bool(self.uri), "a uri", self.uri)
        _require(self.size >= 0, "a size of 0 or more bytes", self.size)


@dataclass(frozen=True, slots=True, eq=False)
class FileTable:
    """Listed files as columns, not yet hashed nor probed; as a sequence, one ``FoundFile`` each.

    Attributes
    ----------
    uris : tuple of str
        Ascending.
    sizes, mtimes : ndarray of int64, shape (n,)
        Bytes, and the time of the last change in nanoseconds.
    reasons : mapping of int to str
        Row → why the file (or the folder of that name) cannot be read.
    sidecars : mapping of int to int
        Row → a mark of the sidecars that lie beside the file; another one when they change.
    """

    uris: tuple[str, ...]
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    reasons: Mapping[int, str] = field(default_factory=dict)
    sidecars: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = (len(self.uris), len(self.sizes), len(self.mtimes))
        _require(len(set(lengths)) == 1, "columns of one length", lengths)
        ascending = all(one < other for one, other in itertools.pairwise(self.uris))
        _require(ascending, "ascending uris, each once", self.uris[:3])

    @classmethod
    def of(cls, files: Iterable[FoundFile]) -> Self:
        """Return the table of some files; of two with one uri the last one counts."""
        by_uri = {file.uri: file for file in files}
        listed = [by_uri[uri] for uri in sorted(by_uri)]
        return cls(
            tuple(file.uri for file in listed),
            np.array([file.size for file in listed], dtype=np.int64),
            np.array([file.mtime_ns for file in listed], dtype=np.int64),
            {row: file.reason for row, file in enumerate(listed) if file.reason},
            {row: file.sidecar for row, file in enumerate(listed) if file.sidecar},
        )

    def __len__(self) -> int:
        return len(self.uris)

    def rows_of(self, uris: Iterable[str]) -> NDArray[np.int64]:
        """Return the row of each uri, -1 where there is none; a dictionary would take 130 bytes
        a row."""
        return np.fromiter(self._find_rows(uris), np.int64)

    def _find_rows(self, uris: Iterable[str]) -> Iterator[int]:
        row, last = -1, len(self.uris)
        for uri in uris:
            row += 1  # most come in the order of the table
            if row >= last or self.uris[row] != uri:
                row = bisect_left(self.uris, uri)
            yield row if row < last and self.uris[row] == uri else -1

    def __getitem__(self, row: int) -> FoundFile:
        """Return the file of a row; raises IndexError."""
        size, mtime = int(self.sizes[row]), int(self.mtimes[row])
        return FoundFile(
            *(self.uris[row], "", size, mtime),
            reason=self.reasons.get(row, ""),
            sidecar=self.sidecars.get(row, 0),
        )


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """What one indexing found; counts of images."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    vanished: int = 0
    unchanged: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A named set of classes. ``classes`` is sorted and without repetition.

    An ``ignored`` one is kept, but no step works on it unless it is named.
    """

    name: str
    kind: TaxonomyKind
    classes: tuple[str, ...] = ()
    closed: bool = False
    origin: str = ""
    description: str = ""
    ignored: bool = False

    def __post_init__(self) -> None:
        _require(bool(self.name.strip()), "a taxonomy name", self.name)
        _require(self.kind in ("single", "multi"), "kind 'single' or 'multi'", self.kind)
        _require(len(set(self.classes)) == len(self.classes), "distinct classes", self.classes)
        _require(all(c.strip() for c in self.classes), "non-empty class names", self.classes)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one source says of one image × class. ``probability`` is NaN when not given."""

    image_id: int
    label: str
    state: LabelState
    probability: float = math.nan

    def __post_init__(self) -> None:
        _require(self.state in ("yes", "no", "unknown"), "yes, no or unknown", self.state)
        if not math.isnan(self.probability):
            _require_unit("probability", self.probability)


@dataclass(frozen=True, slots=True)
class HeldLabel:
    """A label that an image carries, and the source that is believed: who, when (UTC), how surely.

    ``probability`` is NaN where there is none.
    """

    image_id: int
    label: str
    source: str
    time: str
    probability: float = math.nan


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the append-only history; ``region`` is 0 where it is about the whole image."""

    id: int
    batch_id: int
    time: str
    source: str
    verb: str
    image_id: int
    taxonomy: str
    label: str
    before: str
    after: str
    note: str = ""
    region: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatrix:
    """The effective labels of a taxonomy.

    Attributes
    ----------
    taxonomy : Taxonomy
    image_ids : ndarray of int64, shape (n_images,)
        Every image that is present, in ascending order of id.
    values : ndarray of float32, shape (n_images, n_classes)
        1 for yes, 0 for no, NaN for unknown. In a ``single`` taxonomy an image with a yes has 0
        in the rest; in a ``closed`` one likewise.
    confirmed : ndarray of bool, shape (n_images, n_classes)
        True where a person said it (source ``human:…``).
    """

    taxonomy: Taxonomy
    image_ids: NDArray[np.int64]
    values: NDArray[np.float32]
    confirmed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.image_ids), len(self.taxonomy.classes))
        _require(self.values.shape == shape, f"values of shape {shape}", self.values.shape)
        _require(self.confirmed.shape == shape, f"confirmed of {shape}", self.confirmed.shape)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Images with at least one yes, shape (n_images,)."""
        return np.asarray((self.values == 1).any(axis=1))

    def among(self, image_ids: NDArray[np.int64]) -> LabelMatrix:
        """Return the rows of some images alone."""
        rows = np.isin(self.image_ids, image_ids)
        return LabelMatrix(
            self.taxonomy, self.image_ids[rows], self.values[rows], self.confirmed[rows]
        )


@dataclass(frozen=True, slots=True)
class FillCount:
    """How far a taxonomy is filled.

    ``n_labelled`` of the ``n_present`` images carry a class (an effective yes).
    """

    n_labelled: int
    n_classes: int
    n_present: int

    @property
    def rate(self) -> float:
        """Share of the present images that carry a class, 0..1."""
        return self.n_labelled / self.n_present if self.n_present else 0.0


@dataclass(frozen=True, slots=True)
class LabelAccount:
    """What became of the labels of a taxonomy since they came in; a label is image × class, yes.

    ``now`` = ``at_import`` − ``taken_away`` + ``added`` + ``filled_in``. Only images that are
    present count.
    """

    at_import: Annotated[int, "labels that class folders or a label file gave"]
    taken_away: Annotated[int, "of those, the ones that do not hold any more"]
    added: Annotated[int, "labels beside or instead of those, on images that came with one"]
    filled_in: Annotated[int, "labels of images that came without one"]
    now: Annotated[int, "labels that hold"]
    corrected_images: Annotated[int, "images that came with a label and have others now"]
    images_at_import: Annotated[int, "images that came with a label"]
    images_now: Annotated[int, "images with a label"]
    by_source: Annotated[
        Mapping[str, int],
        "who says the labels that hold (given, human, accepted, proposal, reader, api) → labels",
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        total = self.at_import - self.taken_away + self.added + self.filled_in
        _require(total == self.now, f"{total} labels now", self.now)


@dataclass(frozen=True, slots=True)
class Issue:
    """A suspected problem.

    ``score`` lies in 0..1, low = bad. ``flagged`` tells the suspected ones from those that are
    only scored. ``label`` and ``other_id`` narrow the issue to a class or a second image.
    ``evidence`` is JSON-able. For ``kind='label'`` it holds ``change`` (extra, missing or
    replaced), ``given``, ``suggested`` (lists of classes), ``probability`` and ``neighbors``
    (a list of ``{"image_id", "label", "similarity"}``).
    """

    kind: str
    image_id: int
    score: float
    flagged: bool = True
    taxonomy: str = ""
    label: str = ""
    other_id: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict = "open"
    id: int = 0

    def __post_init__(self) -> None:
        _require(bool(self.kind), "a kind of issue", self.kind)
        _require_unit("score", self.score)
        _require(self.verdict in VERDICTS, f"a verdict of {VERDICTS}", self.verdict)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A proposed label for an image whose label is unknown, with the head's probability."""

    image_id: int
    taxonomy: str
    label: str
    probability: float
    promised: bool = True
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_unit("probability", self.probability)


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two images that show the same picture. ``a < b``; similarity in 0..1, 1 = identical."""

    a: int
    b: int
    kind: DuplicateKind
    similarity: float
    transform: str = "identity"

    def __post_init__(self) -> None:
        _require(self.a < self.b, "a < b", (self.a, self.b))
        _require_unit("similarity", self.similarity)


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images that are all duplicates of one another (complete link).

    ``kind`` is the weakest of the pairs' kinds (near < pixels < bytes). ``merged_labels`` maps a
    taxonomy to the union of the members' labels; ``conflicts`` lists the taxonomies in which the
    members disagree; ``chosen`` the members that a person chose to keep.
    """

    kind: DuplicateKind
    images: tuple[int, ...]
    keeper: int
    reason: str
    pairs: tuple[DuplicatePair, ...]
    merged_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    chosen: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _require(len(self.images) >= 2, "two images or more", self.images)
        _require(self.keeper in self.images, "a keeper among the images", self.keeper)


@dataclass(frozen=True, slots=True)
class TrashedFile:
    """A file that lies in the trash, or is to go there.

    ``keeper`` is the uri of its duplicate. ``batch`` moved it into the trash, ``restored_by``
    moved it back (0: unknown, or it was not moved).
    """

    image_id: int
    uri: str
    content_hash: str
    size: int
    keeper: str = ""
    kind: str = ""
    batch: int = 0
    restored_by: int = 0

    def __post_init__(self) -> None:
        _require(bool(self.uri), "a uri", self.uri)
        _require(bool(self.content_hash), "a content hash", self.content_hash)


@dataclass(frozen=True, slots=True)
class Space:
    """What a stored vector is: an embedding space, a fingerprint or a set of measures.

    ``settings`` (JSON-able) are part of its identity: the same name with other settings is
    another space. ``dtype`` is one of float16, float32, uint8.
    """

    name: str
    dim: int
    dtype: Literal["float16", "float32", "uint8"] = "float16"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(bool(self.name), "a name", self.name)
        _require(self.dim > 0, "a positive dimension", self.dim)
        _require(self.dtype in ("float16", "float32", "uint8"), "a known dtype", self.dtype)


ModelKind = Literal["head", "detector"]

DETECTED = "objects"
"""What stands for the space of vectors in the record of a model that finds boxes."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A saved head or detector, as the catalog lists it.

    ``folder`` is relative to the collection.
    """

    name: str
    version: int
    taxonomy: str
    space: str
    folder: str
    fingerprint: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    id: int = 0

    @property
    def is_detector(self) -> bool:
        """Whether it finds boxes in pictures, instead of labelling them by their vectors."""
        return self.space == DETECTED
