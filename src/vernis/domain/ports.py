"""The protocols through which workflows reach the world.

Adapters implement them; tests pass small fakes. A workflow is a function
``verb(catalog: Catalog, settings, *, progress: Progress = silent) -> Summary`` that reads the
catalog, calls pure functions of ``vernis.core`` and writes the result in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.annotations import AnswerStore
from vernis.domain.damage import SOUND, Damage
from vernis.domain.encoders import TextEncoder as TextEncoder
from vernis.domain.foreign import ForeignStore
from vernis.domain.history import HistoryStore
from vernis.domain.maps import MapStore
from vernis.domain.metadata import Carrier, Receipt, SidecarStyle, UndoneKind, Wanted
from vernis.domain.readings import ReadingStore
from vernis.domain.region_store import RegionStore
from vernis.domain.types import (
    DuplicateGroup,
    FileTable,
    FillCount,
    FoundFile,
    Hashes,
    HeldLabel,
    ImageRecord,
    ImageState,
    ImageTable,
    IndexChanges,
    Issue,
    LabelAccount,
    LabelMatrix,
    ModelKind,
    ModelRecord,
    Space,
    Statement,
    Suggestion,
    Taxonomy,
    TrashedFile,
    Verdict,
)

Pixels = NDArray[np.uint8]
"""A decoded picture, shape (height, width, 3), RGB, orientation applied."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded picture, and what is wrong with its file."""

    pixels: Pixels
    damage: Damage = SOUND


Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Progress(Protocol):
    """Receives the progress of long work.

    Called with the task's name, the count done, the total (None when unknown) and a short note.
    """

    def __call__(self, task: str, done: int, total: int | None, note: str = "") -> None: ...


def silent(task: str, done: int, total: int | None, note: str = "") -> None:
    """Ignore progress."""


# --------------------------------------------------------------------------- running work


class Stage(Protocol[Item_contra, Result_co]):
    """Work on independent items that an engine spreads over workers.

    ``open`` is called once in each worker (a thread, a process, a Daft actor) and returns the
    function that works on one item; it holds whatever is costly to build (an inference session).
    A Stage never touches the catalog.
    """

    def open(self) -> Callable[[Item_contra], Result_co]: ...


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """The result of one item, or the error that it raised (exactly one is set)."""

    item: Item
    value: Result | None = None
    error: Exception | None = None


class Engine(Protocol):
    """Runs a Stage over items and yields outcomes as they complete, in bounded memory."""

    def run(
        self, stage: Stage[Item, Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]: ...


class PictureReader(Protocol):
    """Turns a decoded picture into one vector of a space.

    A picture is decoded once and handed to every reader that still misses its vector. ``open`` is
    called once a worker; the function that it returns maps ``Pixels`` (shorter side ≥ 256 px where
    the original allows) to a vector of shape ``(space.dim,)`` and the space's dtype.
    """

    @property
    def space(self) -> Space: ...

    def open(self) -> Callable[[Pixels], NDArray[Any]]: ...


class DecodingReader(Protocol):
    """Turns a picture and what its decoding told into one vector of a space."""

    @property
    def space(self) -> Space: ...

    def open_decoded(self) -> Callable[[Decoded], NDArray[Any]]: ...


class Backbone(Protocol):
    """A pretrained network.

    ``layers`` maps the name of each readable tensor to its shape without the batch axis, () when
    dynamic. ``reader`` gives a reader for an embedding space: ``layer`` None means the default.
    """

    @property
    def name(self) -> str: ...

    @property
    def layers(self) -> Mapping[str, tuple[int, ...]]: ...

    def reader(self, layer: str | None = None, pooling: str = "avg") -> PictureReader: ...

    def feature_map(self, pixels: Pixels, layer: str) -> NDArray[np.float32]:
        """Return the tensor of a layer for one picture, shape (channels, height, width)."""


class FileSource(Protocol):
    """Where the files of a collection come from."""

    @property
    def root(self) -> Path | None:
        """The folder that uris are relative to; None where they are addresses."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def covers(self, uri: str) -> bool:
        """Tell whether an image of this uri has vanished when it is not listed."""
        ...

    def list_files(self) -> tuple[FileTable, dict[str, int]]:
        """Return the image files, without hash, and the count of other files by suffix."""
        ...

    def inspect(self, file: FoundFile) -> FoundFile:
        """Return the file with its hash, header and what it says, or with a reason."""
        ...

    def describe(self, file: FoundFile) -> FoundFile:
        """Return the file with what it and its sidecar say, unless it cannot be read."""
        ...

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why the picture cannot be decoded, empty when it can."""
        ...


class TrashFolder(Protocol):
    """Where files go instead of being deleted."""

    @property
    def folder(self) -> Path: ...

    def contents(self) -> list[TrashedFile]:
        """Return the files that lie in the trash, oldest first (from the manifest and the disk)."""

    def returned(self) -> list[TrashedFile]:
        """Return the files that lay in the trash once and do not now."""

    def put(self, file: TrashedFile) -> None:
        """Move a file into the trash; raises StorageError, and UsageError when it has changed."""

    def restore(self, file: TrashedFile) -> None:
        """Move a file back; raises StorageError when another file has taken its place."""


# --------------------------------------------------------------------------- the catalog


class ImageStore(Protocol):
    """The images of the collection."""

    def root(self) -> Path | None:
        """Return the indexed root folder, None before the first indexing."""

    def set_root(self, root: Path) -> None: ...

    def places(self) -> list[str]:
        """Return the addresses below which images lie besides the root, in the order they came."""
        ...

    def set_places(self, addresses: Sequence[str]) -> None:
        """Remember the addresses below which images lie besides the root."""
        ...

    def all(self, states: Sequence[ImageState] = ("present",)) -> list[ImageRecord]:
        """Return the images in those states, ordered by id."""

    def table(self, states: Sequence[ImageState] = ("present",)) -> ImageTable:
        """Return the images in those states as columns; for collections of any size."""
        ...

    def metadata(self) -> Mapping[int, Mapping[str, Any]]:
        """Return the metadata of the present images that have any, by id."""
        ...

    def count_by_state(self) -> dict[ImageState, int]:
        """Return the number of images in each state, all states named."""
        ...

    def get(self, ids: Sequence[int]) -> list[ImageRecord]:
        """Return the images with those ids, in that order; raises NotFound."""

    def find(self, text: str) -> ImageRecord:
        """Return the image whose uri or id is ``text``; raises NotFound with the nearest names."""

    def apply_index(
        self,
        found: Iterable[FoundFile],
        *,
        complete: bool,
        unchanged: ArrayLike = (),
        batch: int | None = None,
        aside: ArrayLike = (),
    ) -> IndexChanges:
        """Merge what an indexing found.

        Identity: same uri and hash = unchanged; the hash of a vanished uri under a new uri =
        moved (keeps its id, labels and verdicts); same uri with another hash = changed (keeps its
        id); otherwise new. Writes the ``broken`` issues of unreadable files, and drops those that
        are mended.

        Parameters
        ----------
        found : iterable of FoundFile
            Read piece by piece. A few ten thousand are merged in one transaction; of more, each
            piece is safe before the next one is read (unless a transaction is open already).
        complete : bool
            Whether an image that is neither found nor unchanged has vanished; False for a list of
            files.
        unchanged : array of int
            Ids of present images whose files are as they were; they need not be found.
        aside : array of int, optional
            Ids of images that the found files say nothing of: they lie elsewhere.
        batch : int, optional
            From ``HistoryStore.begin``: what came, went, moved and changed is recorded there.
        """
        ...

    def set_splits(self, ids: ArrayLike, splits: Sequence[str]) -> None:
        """Set the split of each image."""
        ...

    def set_state(self, ids: Sequence[int], state: ImageState, reason: str = "") -> None: ...

    def set_files(self, ids: ArrayLike, sizes: ArrayLike, mtimes: ArrayLike) -> None:
        """Set size and time of change (nanoseconds) of files that were written."""
        ...

    def set_attributes(
        self, values: Mapping[int, Mapping[str, Any]], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Keep values (titles, ratings, …) beside images, as one batch that undo takes back.

        None takes a value away. Returns the batch, 0 when nothing changed.
        """
        ...

    def described(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the images whose files were read for what they say, and the mark of each then.

        A mark is that of ``FileTable.sidecars``; -1 where the image was listed by a version that
        did not read files.
        """
        ...

    def said_by_files(self, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return what the files of images said when they were last read; no entry for nothing."""
        ...

    def set_described(
        self, ids: ArrayLike, marks: ArrayLike, said: Sequence[Mapping[str, Any]]
    ) -> None:
        """Remember what the files of images said, and their marks."""
        ...

    def note_written(self, hashes: Mapping[str, str]) -> None:
        """Remember hashes of files that Vernis wrote, each with the hash that it had before.

        Such a file keeps the content hash of its image: its picture is the one that was read, so
        vectors, labels and verdicts stay. Called before the file is set in place.
        """
        ...

    def contents_of(self, hashes: Iterable[str]) -> dict[str, str]:
        """Return hash → content hash of the files among these that Vernis wrote."""
        ...

    def hashes_of(self, contents: Iterable[str]) -> dict[str, set[str]]:
        """Return content hash → the hashes that a file of it may have, its own among them."""
        ...

    def other_files(self) -> dict[str, int]:
        """Return the count of non-image files by suffix."""
        ...

    def set_other_files(self, counts: Mapping[str, int]) -> None: ...


class LabelStore(Protocol):
    """Taxonomies and statements."""

    def taxonomies(self) -> list[Taxonomy]: ...

    def taxonomy(self, name: str) -> Taxonomy:
        """Return it; raises NotFound that lists the names there are."""
        ...

    def define(self, taxonomy: Taxonomy) -> Taxonomy:
        """Create the taxonomy or add its missing classes; returns the stored one."""
        ...

    def change_taxonomy(
        self, name: str, attributes: Mapping[str, Any], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Change attributes of a taxonomy, as one batch that undo takes back.

        Parameters
        ----------
        name : str
        attributes : mapping
            Of ``name``, ``kind``, ``closed``, ``ignored``, ``removed`` and ``description`` those
            that change. A new name is written into issues, verdicts and models too. A removed
            taxonomy is not listed any more and gives its name free; its labels stay for undo.
        source, verb, note : str
            As of ``record``.

        Returns
        -------
        int
            The batch, 0 when nothing changed.

        Raises
        ------
        NotFound
            There is no such taxonomy.
        InvalidValue
            There is no such attribute, or no such value.
        UsageError
            Another taxonomy has the new name.
        """
        ...

    def matrix(self, name: str, images: Sequence[int] | None = None) -> LabelMatrix:
        """Return the effective labels of all present images, or of those among some."""
        ...

    def fill_counts(self) -> dict[str, FillCount]:
        """Return how far each taxonomy is filled, by its name; counted, no matrix is read."""
        ...

    def account(self, name: str) -> LabelAccount:
        """Return what became of the labels that came in; raises NotFound."""
        ...

    def held(self, name: str) -> list[HeldLabel]:
        """Return the labels that present images carry, with who says them; raises NotFound."""
        ...

    def record(
        self,
        name: str,
        statements: Iterable[Statement],
        *,
        source: str,
        verb: str,
        note: str = "",
    ) -> int:
        """Record what a source says, with one event per change, as one batch.

        ``state='unknown'`` withdraws the source's statement. Statements that change nothing leave
        no event; returns the batch id, 0 when nothing changed. In a single taxonomy a ``yes`` of a
        source replaces that source's former ``yes`` on the image.
        """
        ...

    def replace_source(
        self, name: str, statements: Iterable[Statement], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Like ``record``, and withdraw what the source said before and does not say now."""
        ...

    def statements(self, name: str, image_id: int) -> list[tuple[str, Statement]]:
        """Return ``(source, statement)`` of every source for one image."""
        ...

    def statements_about(self, name: str, labels: Collection[str]) -> dict[str, list[Statement]]:
        """Return what each source says of these labels, the most believed first; or NotFound."""
        ...

    def images_said_by(self, name: str, source: str) -> set[int]:
        """Return the ids of images to which a source whose name begins so gives a class (yes)."""
        ...

    def carried_by(self, images: Sequence[int] | None = None) -> Mapping[str, NDArray[np.int64]]:
        """Return source → the ids of images to which it gives a class (yes), in any state.

        Every source that says anything is named; ``images`` are the only ones that are looked at.
        """
        ...

    def proposed(self, images: Sequence[int] | None = None) -> Mapping[str, NDArray[np.int64]]:
        """Return label → the ids of images of which models say it, and nobody else says anything.

        Of all taxonomies; ``images`` are the only ones that are looked at.
        """
        ...

    def counts_by_source(self) -> dict[str, int]: ...


class IssueStore(Protocol):
    """Issues with their verdicts, duplicate groups and suggestions."""

    def replace(self, kinds: Sequence[str], issues: Iterable[Issue], taxonomy: str = "") -> None:
        """Replace every issue of those kinds (and taxonomy) in one transaction; keep verdicts.

        A verdict is keyed by kind, taxonomy, label, image id + content hash, other image's id
        + content hash, and for label issues the given labels.
        """
        ...

    def select(
        self,
        kinds: Sequence[str] | None = None,
        taxonomy: str | None = None,
        *,
        flagged_only: bool = True,
        verdicts: Sequence[Verdict] | None = None,
        order: Sequence[str] = ("score",),
        limit: int | None = None,
        after: int | None = None,
        images: Sequence[int] | None = None,
    ) -> list[Issue]:
        """Return the issues of present (or, for ``broken``, unreadable) images, worst first.

        Parameters
        ----------
        kinds, taxonomy, flagged_only, verdicts
            Which issues; None for all.
        order : sequence of str
            What they are sorted by: ``score``, ``image`` (its id), ``uri``, ``other``, ``kind``,
            ``label``, ``flagged`` or ``evidence.NAME`` (a number, 0 where there is none); ``-``
            before a key turns it round. Ties go by image, other image and label.
        limit : int, optional
            How many of them.
        after : int, optional
            Only those that come after the issue of this id, whatever has become of that; the order
            must be that of the score alone. None when there is no such issue any more.
        images : sequence of int, optional
            Only the issues of these.
        """
        ...

    def get(self, issue_ids: Sequence[int]) -> dict[int, Issue]:
        """Return the issues with those ids that there are, whatever the state of their images."""
        ...

    def kinds_of_images(self, image_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Return the kinds of open, flagged issues of each of these images that has one."""
        ...

    def suggested(self) -> Mapping[str, NDArray[np.int64]]:
        """Return label → the ids of present images that it is suggested for, by any source."""
        ...

    def suspected(self, images: Sequence[int] | None = None) -> Mapping[str, NDArray[np.int64]]:
        """Return kind → the ids of images with a flagged issue of it that was not dismissed.

        Of pairs both images; ``images`` are the only ones whose issues are looked at.
        """
        ...

    def sum_of_open(self, kind: str, taxonomy: str, number: str) -> float | None:
        """Return the sum of a number of the evidence over the open, flagged issues of a kind.

        None where no issue holds the number.
        """
        ...

    def numbers(self, kind: str, taxonomy: str, number: str) -> NDArray[np.float64]:
        """Return a number of the evidence of every issue of a kind, flagged or not, worst first.

        NaN where an issue does not hold it.
        """
        ...

    def images_of(self, kind: str, taxonomy: str) -> NDArray[np.int64]:
        """Return the image of every issue of a kind, in the order of ``numbers``."""
        ...

    def counts(
        self, *, flagged_only: bool = True, verdicts: Sequence[Verdict] | None = ("open",)
    ) -> dict[tuple[str, str], int]:
        """Return the number of issues by kind and taxonomy, as ``select`` would list them."""
        ...

    def set_verdict(self, issue_ids: Sequence[int], verdict: Verdict, *, who: str) -> int:
        """Set a verdict on issues, as one batch with events; returns the batch id."""
        ...

    def replace_groups(self, groups: Iterable[DuplicateGroup]) -> None:
        """Replace the duplicate groups and write one ``duplicate`` issue per pair."""
        ...

    def groups(self) -> list[DuplicateGroup]:
        """Return the groups of present images."""
        ...

    def keep(self, image_ids: Sequence[int], *, source: str, note: str = "") -> int:
        """Choose images to be kept among their duplicates, as one batch; returns it or 0.

        The choice holds for every later search. The latest choice in a group is its keeper, and
        no chosen image goes to the trash with the duplicates.
        """
        ...

    def release(self, image_ids: Sequence[int], *, source: str, note: str = "") -> int:
        """Take back that images were chosen to be kept, as one batch; returns it or 0."""
        ...

    def kept(self) -> dict[int, str]:
        """Return the images that a person chose to keep, with who chose, the latest first."""
        ...

    def preferred_folders(self) -> tuple[str, ...]:
        """Return the folders whose images are kept rather than others, in order."""
        ...

    def prefer_folders(self, folders: Sequence[str], *, source: str) -> int:
        """Set the folders whose images are kept rather than others, as one batch; or 0."""
        ...

    def count_groups(self) -> int:
        """Return the number of groups that ``groups`` would list."""
        ...

    def dismissed_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs that a person judged "not a duplicate", a < b."""
        ...

    def replace_suggestions(
        self, taxonomy: str, suggestions: Iterable[Suggestion], *, source: str = "model"
    ) -> None:
        """Replace what a source (``model``, ``reader``) suggests for a taxonomy."""

    def suggesting(self, taxonomy: str) -> list[str]:
        """Return who suggests labels of a taxonomy: ``model``, ``reader``, ``api:…``."""
        ...

    def suggestions(
        self, taxonomy: str, *, source: str = "model", images: Sequence[int] | None = None
    ) -> list[Suggestion]:
        """Return what a source suggests for present images, the most probable first.

        ``images`` are the only ones that are looked at.
        """
        ...


class Rows(Protocol):
    """A matrix whose rows are read or made when they are asked for, from any thread.

    An ndarray of two dimensions is one too.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        """Return some rows: a slice, a mask, or an array of positions."""
        ...


class VectorStore(Protocol):
    """Vectors by content hash, in immutable shards.

    Arrays are in the order of ``hashes``; one hash has at most one vector a space.
    """

    def spaces(self) -> list[tuple[Space, int]]:
        """Return each space with its number of vectors."""
        ...

    def holds(self, space: Space, hashes: Hashes) -> NDArray[np.bool_]:
        """Return which hashes have a vector, shape (len(hashes),)."""
        ...

    def missing(self, space: Space, hashes: Hashes) -> list[str]:
        """Return the distinct hashes without a vector, in order."""
        ...

    def append(self, space: Space, hashes: Sequence[str], vectors: NDArray[Any]) -> None:
        """Write one shard (tmp → fsync → rename → ledger row)."""
        ...

    def read(self, space: Space, hashes: Hashes) -> NDArray[Any]:
        """Return the vectors, shape (len(hashes), dim); raises NotFound if one is missing."""
        ...

    def rows(self, space: Space, hashes: Hashes) -> Rows:
        """Return the vectors as rows that are read when they are asked for; see ``read``."""
        ...

    def collect_garbage(self) -> int:
        """Remove shard files without a ledger row (left by a kill); returns their number."""
        ...


class ModelStore(Protocol):
    """Saved heads and their predictions. Arrays are npz without pickle."""

    def save(
        self,
        taxonomy: str,
        space: str,
        *,
        arrays: Mapping[str, NDArray[Any]],
        settings: Mapping[str, Any],
        metrics: Mapping[str, Any],
        fingerprint: str,
        predictions: Mapping[str, NDArray[Any]],
        name: str = "",
    ) -> ModelRecord:
        """Write a model's folder and its ledger row; returns the record with its version."""
        ...

    def records(self, taxonomy: str | None = None) -> list[ModelRecord]:
        """Return the models, newest first."""
        ...

    def latest(self, taxonomy: str, *, kind: ModelKind = "head") -> ModelRecord | None:
        """Return the newest head, or the newest detector, of a taxonomy; None without any."""
        ...

    def load(self, record: ModelRecord) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and settings."""
        ...

    def predictions(self, record: ModelRecord) -> dict[str, NDArray[Any]]:
        """Return the stored predictions: ``image_ids``, ``ensemble``, ``oob``, …"""
        ...


class RunLog(Protocol):
    """Which work is done, keyed by workflow + fingerprint of its inputs and settings."""

    def is_done(self, workflow: str, fingerprint: str) -> bool:
        """True when the latest finished run of the workflow has this fingerprint."""
        ...

    def finish(self, workflow: str, fingerprint: str, summary: Mapping[str, Any]) -> None: ...

    def summary(self, workflow: str) -> dict[str, Any] | None:
        """Return the summary of the latest finished run."""
        ...


class Catalog(Protocol):
    """Everything known about a collection."""

    @property
    def folder(self) -> Path: ...

    @property
    def images(self) -> ImageStore: ...

    @property
    def labels(self) -> LabelStore: ...

    @property
    def regions(self) -> RegionStore: ...

    @property
    def foreign(self) -> ForeignStore: ...

    @property
    def history(self) -> HistoryStore: ...

    @property
    def issues(self) -> IssueStore: ...

    @property
    def vectors(self) -> VectorStore: ...

    @property
    def models(self) -> ModelStore: ...

    @property
    def maps(self) -> MapStore: ...

    @property
    def readings(self) -> ReadingStore: ...

    @property
    def answers(self) -> AnswerStore: ...

    @property
    def runs(self) -> RunLog: ...

    def close(self) -> None:
        """Close it; what was recorded is safe already."""
        ...

    def revision(self, store: str) -> tuple[int, int]:
        """Return a value that differs whenever what a store returns may have changed.

        ``store`` is ``images``, ``labels``, ``regions``, ``issues``, ``vectors``, ``models``,
        ``maps``, ``readings``, ``answers`` or ``runs``; ``labels:NAME`` stands for the matrix of
        one taxonomy, ``taxonomies`` and ``found`` for the labels and the issues without what events
        tell (statements about images, and verdicts). Ask before reading: what was read then is
        still true when the answer is the same later.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all or nothing, nested calls join the outer one."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Read from one state of the catalog, whatever others commit meanwhile.

        What is read first names what is read next (regions by their ids): without it a person in
        another window may take that away in between.
        """
        ...

    def lock(self, verb: str) -> AbstractContextManager[None]:
        """Hold the writer's lock for a whole workflow; a second writer gets CatalogBusy."""
        ...


class ProvedWrite(Protocol):
    """A write into a file that is proved and not yet done."""

    @property
    def receipt(self) -> Receipt:
        """To be kept before the write is committed."""

    @property
    def data(self) -> bytes | None:
        """The new content of the whole file; None takes it away."""


class ProvedUndo(Protocol):
    """What an undo of a write does to a file."""

    @property
    def kind(self) -> UndoneKind:
        """What it comes to."""

    @property
    def write(self) -> ProvedWrite | None:
        """To be committed; None where no file changes."""


class MetadataWriter(Protocol):
    """Writes words into image files and sidecars: proves each write first, then sets it in place.

    A context manager: an outside program may run meanwhile.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def prepare(
        self,
        image: Path,
        wanted: Wanted,
        *,
        expected: Collection[str],
        where: Carrier,
        style: SidecarStyle,
    ) -> ProvedWrite:
        """Make the new content of an image file or its sidecar; raises WriteRefused.

        ``expected`` holds the hashes that the file may have.
        """

    def prepare_undo(self, receipt: Receipt) -> ProvedUndo:
        """Make the content that takes a write back; raises WriteRefused."""

    def commit(self, write: Any) -> tuple[int, int]:
        """Set a write that this writer prepared in place; raises WriteRefused.

        Returns size and time of change (nanoseconds) of the file; 0 of one that is gone.
        """

    def sync(self, folders: Iterable[Path]) -> None:
        """Make the names in folders last, once after many writes."""

    def sweep(self, folders: Iterable[Path]) -> list[Path]:
        """Remove the temporary files that killed runs left in folders; returns them."""
