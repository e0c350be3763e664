"""List the images of a collection: new, changed, moved, vanished and unreadable ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from vernis.core.words.class_folders import FolderClasses, read_class_folders
from vernis.domain.ports import Catalog, Engine, Progress, silent
from vernis.domain.types import FoundFile, ImageRecord, IndexChanges, Statement, Taxonomy

FOLDERS = "folders"
"""Origin of the taxonomies that folder names give."""


class FileSource(Protocol):
    """Where the files of a collection come from."""

    @property
    def root(self) -> Path:
        """The folder that uris are relative to."""
        ...

    @property
    def complete(self) -> bool:
        """Whether an image that is not listed has vanished."""
        ...

    def list_files(self) -> tuple[list[FoundFile], dict[str, int]]:
        """Return the image files, without hash, and the count of other files by suffix."""
        ...

    def inspect(self, file: FoundFile) -> FoundFile:
        """Return the file with its content hash and header, or with a reason."""
        ...

    def try_decoding(self, file: FoundFile) -> str:
        """Return the reason why the picture cannot be decoded, empty when it can."""
        ...


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What one indexing found.

    Attributes
    ----------
    changes : IndexChanges
    images : int
        Images listed, the unreadable ones included.
    other_files : dict of str to int
        Files that are no images, by suffix.
    splits : dict of str to int
        Images in each split folder.
    """

    changes: IndexChanges
    images: int
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
    catalog: Catalog, source: FileSource, *, engine: Engine, progress: Progress = silent
) -> IndexSummary:
    """Bring the catalog's list of images up to date.

    Files whose size and time of change are as known are not read again. Those that could not be
    read are tried again each time, since an extra may have been installed. Images in a folder
    that cannot be read at the moment are reported as unreadable, not as vanished.

    Parameters
    ----------
    catalog : Catalog
    source : FileSource
        A folder tree or a list of files.
    engine : Engine
    progress : Progress

    Returns
    -------
    IndexSummary

    Raises
    ------
    UsageError
        The folder is not there.
    """
    progress("index", 0, None, "listing files")
    listed, other_files = source.list_files()
    known = {image.uri: image for image in catalog.images.all(("present", "unreadable"))}
    found: list[FoundFile] = []
    unknown: list[tuple[FoundFile, bool]] = []
    for file in listed:
        image = known.get(file.uri)
        if image is not None and _is_unchanged(file, image):
            found.append(_as_known(image))
        else:
            unknown.append((file, image is not None and image.state == "unreadable"))
    progress("index", len(found), len(listed))
    for outcome in engine.run(InspectStage(source), unknown):
        if outcome.value is not None:
            found.append(outcome.value)
        else:
            found.append(replace(outcome.item[0], reason=f"it cannot be read ({outcome.error})"))
        progress("index", len(found), len(listed))
    found += _below_unreadable_folders(listed, known)
    found.sort(key=lambda file: file.uri)
    found, splits = _with_splits(found, known, complete=source.complete)
    with catalog.transaction():
        catalog.images.set_root(source.root)
        changes = catalog.images.apply_index(found, complete=source.complete)
        if source.complete:
            catalog.images.set_other_files(other_files)
    return IndexSummary(changes, len(found), other_files, splits)


def label_by_folders(catalog: Catalog) -> dict[str, int]:
    """Take the classes of images from the folders that they lie in, if they lie in class folders.

    Labels that folders gave before and do not give now are withdrawn. When the images do not lie
    in class folders (any more), nothing is changed.

    Parameters
    ----------
    catalog : Catalog

    Returns
    -------
    dict of str to int
        Name of each taxonomy → number of labelled images; empty without class folders.
    """
    images = catalog.images.all(("present", "unreadable"))
    folders: FolderClasses = read_class_folders([image.uri for image in images])
    labelled: dict[str, int] = {}
    with catalog.transaction():
        for name, classes in folders.taxonomies.items():
            catalog.labels.define(
                Taxonomy(name, "single", tuple(sorted(set(classes.values()))), origin=FOLDERS)
            )
            statements = [
                Statement(image.id, classes[image.uri], "yes")
                for image in images
                if image.uri in classes
            ]
            catalog.labels.replace_source(name, statements, source="given", verb="index")
            labelled[name] = len(statements)
    return labelled


def _is_unchanged(file: FoundFile, image: ImageRecord) -> bool:
    return (
        not file.reason
        and image.state == "present"
        and bool(image.content_hash)
        and (file.size, file.mtime_ns) == (image.size, image.mtime_ns)
    )


def _as_known(image: ImageRecord, reason: str = "") -> FoundFile:
    return FoundFile(
        uri=image.uri,
        content_hash=image.content_hash,
        size=image.size,
        mtime_ns=image.mtime_ns,
        width=image.width,
        height=image.height,
        format=image.format,
        reason=reason,
        split=image.split,
        metadata=image.metadata,
    )


def _below_unreadable_folders(
    listed: list[FoundFile], known: dict[str, ImageRecord]
) -> list[FoundFile]:
    here = {file.uri for file in listed}
    prefixes = tuple(f"{file.uri}/" for file in listed if file.reason and not file.size)
    if not prefixes:
        return []
    return [
        _as_known(image, "its folder cannot be read")
        for uri, image in known.items()
        if uri not in here and uri.startswith(prefixes)
    ]


def _with_splits(
    found: list[FoundFile], known: dict[str, ImageRecord], *, complete: bool
) -> tuple[list[FoundFile], dict[str, int]]:
    """Set the split of each file: what its folder says, or else what was known of it."""
    uris = {file.uri for file in found}
    splits = read_class_folders(sorted(uris if complete else uris | set(known))).splits
    by_content = {image.content_hash: image.split for image in known.values() if image.split}
    counts: dict[str, int] = {}
    named: list[FoundFile] = []
    for file in found:
        image = known.get(file.uri)
        before = image.split if image else by_content.get(file.content_hash, "")
        split = splits.get(file.uri, before)
        if split:
            counts[split] = counts.get(split, 0) + 1
        named.append(replace(file, split=split))
    return named, counts
