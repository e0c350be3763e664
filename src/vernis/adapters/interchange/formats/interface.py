"""What every format module offers, and the settings that readers and writers share."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from vernis.domain.errors import StorageError, UsageError
from vernis.domain.exchange import (
    Carries,
    ExchangeClass,
    ExchangeImage,
    ExchangeSet,
    ExchangeTaxonomy,
    Loss,
)
from vernis.domain.types import TaxonomyKind

_SPLIT = re.compile(r"(?:^|[_-])(train|val|valid|test|unlabeled)(?:\d{4})?$", re.IGNORECASE)

Placing = Literal["none", "link", "copy"]


@dataclass(frozen=True, slots=True)
class Pictures:
    """How a writer brings the pictures along.

    Attributes
    ----------
    locate : callable
        From a uri to the path of its file.
    placing : str
        ``none`` writes labels alone; ``link`` makes symbolic links; ``copy`` copies.
    """

    locate: Callable[[str], Path] = Path
    placing: Placing = "none"

    def place(self, uri: str, target: Path) -> None:
        """Bring the file of a uri to a path; does nothing for ``none``."""
        if self.placing == "none":
            return
        source = self.locate(uri).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.placing == "link":
            try:
                target.symlink_to(source)
            except (OSError, NotImplementedError) as error:
                raise StorageError(
                    f"{target}: this disk holds no links ({error}); copy the pictures instead"
                ) from error
        else:
            shutil.copy2(source, target)


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What a reader cannot know from the file.

    Attributes
    ----------
    taxonomy : str
        Name for the classes of a format that has no taxonomies.
    sizes : mapping of str to (int, int)
        uri → size of the upright picture, for formats that write fractions; where it is missing,
        the header of the picture beside the labels is read.
    one_based : bool
        Pascal VOC: the first pixel is 1 and the last one belongs to the box, as the standard says.
    """

    taxonomy: str = "object"
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    one_based: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """What a writer wrote: its files, the images, and all that is left out."""

    path: Path
    images: int
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


class Format(Protocol):
    """One label format."""

    @property
    def name(self) -> str:
        """What the user types."""

    @property
    def suffix(self) -> str:
        """Of the file that it writes; empty where it writes a folder."""

    @property
    def carries(self) -> Carries:
        """What it can hold."""

    def recognises(self, path: Path) -> bool:
        """Tell whether a file or folder is of this format, by a short look inside."""

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a file or folder; raises InvalidLabels naming the file, the place and the remedy."""

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write to a new file or folder; raises UsageError where something is there already."""


def united(path: Path, parts: list[tuple[Path, ExchangeSet]]) -> ExchangeSet:
    """Return one set of several files of a folder; each is a split named like the file.

    ``instances_train2017`` and ``train`` are the split ``train``. A file alone says no split.
    """
    if len(parts) == 1:
        return parts[0][1]
    images: dict[str, ExchangeImage] = {}
    classes: dict[str, dict[str, ExchangeClass]] = {}
    kinds: dict[str, TaxonomyKind] = {}
    notes: list[str] = []
    for file, part in parts:
        named = _SPLIT.search(file.stem)
        split = named[1].lower() if named else file.stem
        for image in part.images:
            if image.uri in images:
                notes.append(f"{image.uri} stands in several files; the first counts")
                continue
            images[image.uri] = replace(image, split=image.split or split)
        for taxonomy in part.taxonomies:
            kinds.setdefault(taxonomy.name, taxonomy.kind)
            known = classes.setdefault(taxonomy.name, {})
            for found in taxonomy.classes:
                known.setdefault(found.name, found)
        notes += [f"{file.name}: {note}" for note in part.notes]
    return ExchangeSet(
        tuple(images.values()),
        tuple(ExchangeTaxonomy(n, kinds[n], tuple(c.values())) for n, c in classes.items()),
        parts[0][1].attributes,
        str(path.absolute()),
        tuple(notes),
    )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to write into that becomes ``out`` at the end, and vanishes on an error."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is there already; name a new folder")
    part = out.with_name(f".{out.name}.vernis-part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if out.is_dir():
            out.rmdir()
        part.replace(out)
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """Yield a path to write to that becomes ``out`` at the end, and vanishes on an error."""
    if out.exists():
        raise UsageError(f"{out}: is there already; name a new file")
    part = out.with_name(f".{out.name}.vernis-part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(out)
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)
