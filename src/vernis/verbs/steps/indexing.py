"""List the images of a collection: new, changed, moved, vanished and unreadable ones."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_folders import folder_of, judge_folders
from vernis.domain.addresses import is_own_file
from vernis.domain.errors import StorageError, UsageError
from vernis.domain.ports import Catalog, FileSource
from vernis.domain.types import (
    FileTable,
    FoundFile,
    ImageTable,
    IndexChanges,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_SECOND = 1_000_000_000  # nanoseconds
_PIECE = 32_768  # files that are read before their outcome is written


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What one indexing found.

    Attributes
    ----------
    changes : IndexChanges
    images : int
        Images listed, the unreadable ones included.
    listed : FileTable
        What the source listed.
    other_files : dict of str to int
        Files that are no images, by suffix.
    splits : dict of str to int
        Images in each split folder.
    """

    changes: IndexChanges
    images: int
    listed: FileTable
    other_files: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InspectStage:
    """Hashes and probes files; those that could not be read before are decoded as a trial."""

    source: FileSource

    def open(self) -> Callable[[tuple[FoundFile, bool]], FoundFile]:
        """Return the function that inspects one ``(file, was_unreadable)``."""

        def inspect(item: tuple[FoundFile, bool]) -> FoundFile:
            file, was_unreadable = item
            inspected = self.source.inspect(file)
            if was_unreadable and not inspected.reason:
                return replace(inspected, reason=self.source.try_decoding(inspected))
            return inspected

        return inspect


def index_files(
    session: Session,
    source: FileSource,
    *,
    workers: int | None = None,
    batch: int | None = None,
    hear: Callable[[FoundFile], None] | None = None,
) -> IndexSummary:
    """Bring the catalog's list of images up to date.

    Files whose size and time of change are as known are not read again. Those that could not be
    read are tried again each time, since an extra may have been installed. Images in a folder
    that cannot be read at the moment are reported as unreadable, not as vanished. Of very many
    new files those that were read are kept when the work is cut off.

    Parameters
    ----------
    session : Session
    source : FileSource
        A folder tree, a bucket or a list of files.
    workers : int, optional
        Default: one a core.
    batch : int, optional
        Of the history; where what came, went, moved and changed is recorded.
    hear : callable, optional
        Called with each file that was read, with what it says.

    Returns
    -------
    IndexSummary

    Raises
    ------
    UsageError
        The folder is not there, or neither it nor the catalog holds images.
    """
    catalog, progress = session.catalog, session.progress
    progress("index", 0, None, "listing files")
    listed, other_files = source.list_files()
    known = catalog.images.table(("present", "unreadable"))
    if not len(listed) and not len(known):
        raise UsageError(f"{source.name}: holds no images")
    rows = np.full(len(listed), -1)
    listed_as = listed.rows_of(known.uris)
    rows[listed_as[listed_as >= 0]] = np.flatnonzero(listed_as >= 0)
    same = _are_unchanged(listed, known, rows)
    progress("index", int(same.sum()), len(listed))
    lost = _below_unreadable_folders(catalog, listed, known, rows)
    unlisted = _not_listed(known, rows)
    covered = np.fromiter(
        (source.covers(known.uris[row]) for row in unlisted.tolist()), np.bool_, len(unlisted)
    )
    aside = known.ids[unlisted[~covered]]
    places = [*catalog.images.places(), source.name]
    splits = _Splits(listed, known, rows, [file.uri for file in lost], unlisted[~covered], places)
    were_unreadable = _were_unreadable(known, rows)
    reading = _inspected(session, source, workers, listed, were_unreadable, same, hear)
    found: Iterable[FoundFile] = map(splits.name, chain(reading, lost))
    few = len(listed) - int(same.sum()) < _PIECE
    if few:
        found = list(found)  # read before the transaction begins
    elif catalog.images.root() is None and source.root is not None:
        catalog.images.set_root(source.root)
    with catalog.transaction() if few else nullcontext():
        changes = catalog.images.apply_index(
            found, complete=True, unchanged=known.ids[rows[same]], batch=batch, aside=aside
        )
        with catalog.transaction():
            if source.root is not None:
                catalog.images.set_root(source.root)
            catalog.images.set_splits(*splits.renamed(np.flatnonzero(same)))
            if source.root is not None and source.covers(""):
                catalog.images.set_other_files(other_files)
    counts = dict(sorted(splits.counts.items()))
    return IndexSummary(changes, len(listed) + len(lost), listed, other_files, counts)


def _are_unchanged(
    listed: FileTable, known: ImageTable, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which listed files are as known; ``rows`` are theirs in the table, -1 for none."""
    same = rows >= 0
    same[list(listed.reasons)] = False
    there = rows[same]
    same[same] = (
        (listed.sizes[same] == known.sizes[there])
        & _of_one_time(listed, np.flatnonzero(same), known.mtimes[there])
        & known.states.equal("present")[there]
        & (known.hashes[there] != b"")
    )
    return same


def _of_one_time(
    listed: FileTable, rows: NDArray[np.intp], known: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which listed files have not changed since, by their times and etags.

    The fraction of the second of an object is its etag: one that was only put again is the same.
    """
    now = listed.mtimes[rows]
    same = now == known
    etags = (now % _SECOND == known % _SECOND) & (known % _SECOND > 0)
    for at in np.flatnonzero(etags & ~same).tolist():
        same[at] = not is_own_file(listed.uris[rows[at]])
    return np.asarray(same)


def _were_unreadable(known: ImageTable, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which listed files are images that could not be read before."""
    were = rows >= 0
    were[were] = known.states.equal("unreadable")[rows[were]]
    return were


def _inspected(
    session: Session,
    source: FileSource,
    workers: int | None,
    listed: FileTable,
    were_unreadable: NDArray[np.bool_],
    same: NDArray[np.bool_],
    hear: Callable[[FoundFile], None] | None,
) -> Iterator[FoundFile]:
    """Yield the files that are not as known, hashed and probed, in the order of their uris."""
    waiting = np.flatnonzero(~same).tolist()
    done = len(listed) - len(waiting)
    for start in range(0, len(waiting), _PIECE):
        piece = waiting[start : start + _PIECE]
        items = ((listed[row], bool(were_unreadable[row])) for row in piece)
        found: list[FoundFile] = []
        for outcome in session.engine(workers).run(InspectStage(source), items):
            if outcome.value is not None:
                if hear is not None:
                    hear(outcome.value)
                found.append(replace(outcome.value, said=None))
            elif isinstance(outcome.error, StorageError):
                raise outcome.error  # of a store that does not answer, all others would fail too
            else:
                reason = f"it cannot be read ({outcome.error})"
                found.append(replace(outcome.item[0], reason=reason))
            done += 1
            session.progress("index", done, len(listed))
        found.sort(key=lambda file: file.uri)
        yield from _with_contents(session.catalog, found)


def _with_contents(catalog: Catalog, found: Sequence[FoundFile]) -> list[FoundFile]:
    """Return files with the content of their picture, where Vernis wrote words into them."""
    contents = catalog.images.contents_of(file.content_hash for file in found)
    return [
        replace(file, content_hash=contents[file.content_hash])
        if file.content_hash in contents
        else file
        for file in found
    ]


def _below_unreadable_folders(
    catalog: Catalog, listed: FileTable, known: ImageTable, rows: NDArray[np.int64]
) -> list[FoundFile]:
    """Return the known images that lie in folders that cannot be read at the moment."""
    prefixes = tuple(f"{listed.uris[row]}/" for row in listed.reasons if not listed.sizes[row])
    if not prefixes:
        return []
    below = [
        row for row in _not_listed(known, rows).tolist() if known.uris[row].startswith(prefixes)
    ]
    images = catalog.images.get(known.ids[below].tolist())
    return [
        FoundFile(
            uri=image.uri,
            content_hash=image.content_hash,
            size=image.size,
            mtime_ns=image.mtime_ns,
            width=image.width,
            height=image.height,
            format=image.format,
            reason="its folder cannot be read",
            split=image.split,
            metadata=image.metadata,
        )
        for image in sorted(images, key=lambda image: image.uri)
    ]


def _not_listed(known: ImageTable, rows: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows of known images that no listed file is."""
    missing = np.ones(len(known), dtype=np.bool_)
    missing[rows[rows >= 0]] = False
    return np.flatnonzero(missing)


class _Splits:
    """The split of each file: what its folder says, or else what was known of it.

    Parameters
    ----------
    listed : FileTable
    known : ImageTable
    rows : ndarray of int64, shape (len(listed),)
        Row of each listed file in ``known``, -1 for none.
    lost : sequence of str
        Uris of images that are there although they are not listed.
    elsewhere : ndarray of int
        Rows of ``known`` that lie where was not looked; they tell the layout too.
    places : sequence of str
        Addresses below which images lie.

    Attributes
    ----------
    counts : Counter
        Images in each split, of those that ``name`` and ``renamed`` were asked for.
    """

    def __init__(
        self,
        listed: FileTable,
        known: ImageTable,
        rows: NDArray[np.int64],
        lost: Sequence[str],
        elsewhere: NDArray[np.intp],
        places: Sequence[str],
    ) -> None:
        self._places = places
        self._listed = listed
        self._known = known
        self._rows = rows
        self.counts: Counter[str] = Counter()
        others = chain(lost, (known.uris[row] for row in elsewhere.tolist()))
        counts = Counter(folder_of(uri, places) for uri in chain(listed.uris, others))
        self._folders = judge_folders(counts).splits
        self._contents: tuple[NDArray[np.bytes_], NDArray[np.intp]] | None = None

    def name(self, file: FoundFile) -> FoundFile:
        """Return a file that was read, with its split."""
        row = bisect_left(self._listed.uris, file.uri)
        if row == len(self._listed) or self._listed.uris[row] != file.uri:  # a lost one
            before = file.split
        elif self._rows[row] >= 0:
            before = self._known.splits[int(self._rows[row])]
        else:
            before = self._of_content(file.content_hash)
        split = self._folders.get(folder_of(file.uri, self._places), before)
        if split:
            self.counts[split] += 1
        return replace(file, split=split) if split != file.split else file

    def renamed(self, rows: NDArray[np.intp]) -> tuple[list[int], list[str]]:
        """Return the ids and new splits of unchanged images whose folder now says another one."""
        known, images = self._known, self._rows[rows]
        if not self._folders:
            for name, count in zip(
                known.splits.names,
                np.bincount(known.splits.codes[images], minlength=len(known.splits.names)).tolist(),
                strict=True,
            ):
                if name and count:
                    self.counts[name] += count
            return [], []
        ids: list[int] = []
        names: list[str] = []
        for row, image in zip(rows.tolist(), images.tolist(), strict=True):
            before = known.splits[image]
            split = self._folders.get(folder_of(self._listed.uris[row], self._places), before)
            if split:
                self.counts[split] += 1
            if split != before:
                ids.append(int(known.ids[image]))
                names.append(split)
        return ids, names

    def _of_content(self, content_hash: str) -> str:
        """Return the split of the latest known image of a content, empty when there is none."""
        if not content_hash:
            return ""
        if self._contents is None:
            images = np.flatnonzero(~self._known.splits.equal(""))
            order = np.argsort(self._known.hashes[images], kind="stable")
            self._contents = self._known.hashes[images[order]], images[order]
        hashes, images = self._contents
        place = int(np.searchsorted(hashes, np.bytes_(content_hash), side="right")) - 1
        if place < 0 or hashes[place] != np.bytes_(content_hash):
            return ""
        return self._known.splits[int(images[place])]
