"""Bring what stands in image files and sidecars into the catalog: keywords, captions, ratings, …

Keywords become labels of the source ``given:xmp``, regions with a name (faces that were tagged) are
regions of that source; a person's word on them ranks higher. What Vernis itself wrote into a file
is no news and is passed over.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.core.words.class_names import LEVELS, clean_name
from vernis.core.words.sheets import LeftOut
from vernis.domain.addresses import is_own_file
from vernis.domain.errors import NotFound
from vernis.domain.exchange import ExchangeLabel, ExchangeRegion
from vernis.domain.metadata import FileMetadata, WrittenRegion
from vernis.domain.regions import Region, attributes_text
from vernis.domain.types import ImageRecord, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.wanted_regions import OF_TYPES
from vernis.verbs.decide.wanted_words import FROM_FILES
from vernis.verbs.steps.region_import import import_regions

if TYPE_CHECKING:
    from vernis.domain.ports import Catalog
    from vernis.session.session import Session

DEFAULT_TAXONOMY = "keywords"
FILES = "image files"
"""Where the labels of a taxonomy came from that the words of files made."""
_NO_OBJECTS = ("Focus",)
_MOST_NOTES = 5


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """What the files of images say.

    Attributes
    ----------
    source : str
        The folder, for the history.
    images : tuple of ImageRecord
        Those that were read.
    told : mapping of str to Told
        By path.
    left_out : tuple of LeftOut
        Files that cannot be read.
    notes : tuple of str
    """

    source: str
    images: tuple[ImageRecord, ...]
    told: Mapping[str, Told]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def labelled(self) -> int:
        """How many images have words."""
        return sum(1 for one in self.told.values() if one.words)

    @property
    def counted_regions(self) -> int:
        """How many regions there are."""
        return sum(len(one.regions) for one in self.told.values())


@dataclass(frozen=True, slots=True)
class MetadataStage:
    """Reads what files say; the work of one file."""

    read: Callable[[ImageRecord], FileMetadata]

    def open(self) -> Callable[[ImageRecord], FileMetadata]:
        """Return the function that reads one file."""
        return self.read


@dataclass(frozen=True, slots=True)
class Told:
    """What a file and its sidecar say, as a catalog holds it.

    Attributes
    ----------
    words : tuple of str
        Classes; words that Vernis itself wrote are no news and not among them.
    kept : mapping of str to object
        What is kept beside the image, by its name in filters.
    regions : tuple of ExchangeRegion
        The taxonomy of a name is that of the words where its type says none.
    notes : tuple of str
        What could not be read, or is left out.
    """

    words: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    regions: tuple[ExchangeRegion, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_loud(self) -> bool:
        """The file says something of its picture."""
        return bool(self.words or self.kept or self.regions)

    def document(self) -> dict[str, Any]:
        """Return what is remembered of it, to tell later what is new; empty for nothing."""
        found: dict[str, Any] = {"words": list(self.words), "kept": dict(self.kept)}
        if self.regions:
            digest = hashlib.blake2b(repr(self.regions).encode(), digest_size=8)
            found["regions"] = digest.hexdigest()
        return {name: value for name, value in found.items() if value}


def tell(found: FileMetadata, taxonomy: str) -> Told:
    """Return what a file says as classes of a taxonomy, attributes and regions."""
    names = (clean_name(LEVELS.join(word.path)) for word in found.words if not word.own)
    others = [region for region in found.regions if not region.id]
    regions = tuple(_region(one, taxonomy) for one in others if one.type not in _NO_OBJECTS)
    drawn = (s.label for r in regions for s in r.labels if s.taxonomy == taxonomy)
    notes = found.notes
    if any(region.type in _NO_OBJECTS for region in others):
        notes += ("where the camera focused is no region",)
    words = tuple(dict.fromkeys(name for name in (*names, *drawn) if name))
    return Told(words, _kept(found), regions, notes)


def read_metadata(session: Session, path: Path, taxonomy: str = DEFAULT_TAXONOMY) -> ReadFiles:
    """Read the files of the images that lie in a folder, or one file; changes nothing.

    Parameters
    ----------
    session : Session
    path : Path
    taxonomy : str
        Of keywords, and of names of regions that are neither faces nor pets.

    Raises
    ------
    NotFound
        No image of the collection lies there.
    """
    place = path.resolve()
    images = [
        image
        for image in session.images()
        if is_own_file(image.uri)
        and place in ((lies := session.files.path_of(image).absolute().resolve()), *lies.parents)
    ]
    if not images:
        raise NotFound(f"{path}: no image of the collection lies there; index it first")
    told: dict[str, Told] = {}
    left_out = []
    stage = MetadataStage(session.interchange.file_metadata())
    for done, outcome in enumerate(session.engine().run(stage, iter(images)), 1):
        image = outcome.item
        if outcome.value is None:
            left_out.append(LeftOut(done, str(outcome.error), image.uri))
        else:
            told[image.uri] = tell(outcome.value, taxonomy)
        session.progress("import", done, len(images), image.uri)
    attributes: dict[str, dict[str, Any]] = {}
    for uri, one in told.items():
        for name, value in one.kept.items():
            attributes.setdefault(name, {})[uri] = value
    kept = [f"{name} of {len(found):,}" for name, found in sorted(attributes.items())]
    notes = [f"kept beside the images: {', '.join(kept)}"] if kept else []
    return ReadFiles(
        str(path),
        tuple(image for image in images if image.uri in told),
        told,
        tuple(sorted(left_out, key=lambda entry: entry.image)),
        (*notes, *say_notes(Counter(note for one in told.values() for note in one.notes))),
    )


def say_notes(notes: Counter[str]) -> list[str]:
    """Return the commonest notes on files, each with how many it is about."""
    return [f"{text} ({counted(count, 'file')})" for text, count in notes.most_common(_MOST_NOTES)]


def _region(found: WrittenRegion, taxonomy: str) -> ExchangeRegion:
    name = clean_name(found.name)
    space = OF_TYPES.get(found.type, taxonomy)
    others = attributes_text({"type": found.type} if found.type else {})
    region = Region(found.box, found.picture, attributes=others)
    return ExchangeRegion(region, (ExchangeLabel(space, name),) if name else ())


def _kept(found: FileMetadata) -> dict[str, Any]:
    """Return what is kept beside an image, by its name in filters."""
    place = found.place
    values: dict[str, Any] = {
        "title": found.title,
        "description": found.caption,
        "creator": found.creator,
        "rights": found.rights,
        "rating": found.rating,
        "mark": found.label,
        "location": place.location,
        "city": place.city,
        "state": place.state,
        "country": place.country,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "taken": found.taken[:19],  # to the second, as the index writes it
    }
    return {name: value for name, value in values.items() if not _is_blank(value)}


def _is_blank(value: Any) -> bool:
    return value in ("", None) or (isinstance(value, float) and math.isnan(value))


def import_metadata(session: Session, read: ReadFiles, taxonomy: str) -> None:
    """Record what files say, as one batch; keywords that left a file are withdrawn."""
    catalog = session.catalog
    told = {image.id: read.told[image.uri] for image in read.images}
    marks = session.interchange.sidecar_marks([image.uri for image in read.images])
    with catalog.transaction():
        batch = catalog.history.begin("import", source=by(), note=read.source)
        with catalog.history.joined(batch):
            kept = {image: one.kept for image, one in told.items() if one.kept}
            catalog.images.set_attributes(kept, source=FROM_FILES, verb="import", note=read.source)
            said = [
                Statement(image, label, "yes") for image, one in told.items() for label in one.words
            ]
            gone = _withdrawn(session, taxonomy, told)
            record_words(catalog, taxonomy, [*gone, *said], note=read.source)
            record_regions(catalog, taxonomy, told, note=read.source)
        catalog.images.set_described(
            list(told),
            [marks[image.uri] for image in read.images],
            [one.document() for one in told.values()],
        )
        catalog.history.close(batch)


def record_words(
    catalog: Catalog, taxonomy: str, statements: Sequence[Statement], *, note: str
) -> None:
    """Record words of files as labels; inside a transaction.

    Raises
    ------
    UsageError
        The taxonomy holds one label an image.
    """
    new = tuple(sorted({said.label for said in statements if said.state == "yes"}))
    known = {one.name for one in catalog.labels.taxonomies()}
    if not new and taxonomy not in known:
        return
    defined = catalog.labels.define(Taxonomy(taxonomy, "multi", new, origin=FILES))
    classes = frozenset(defined.classes)
    # A word that went may be of a taxonomy that was removed in between.
    there = [said for said in statements if said.label in classes]
    catalog.labels.record(taxonomy, there, source=FROM_FILES, verb="import", note=note)


def record_regions(catalog: Catalog, taxonomy: str, told: Mapping[int, Told], *, note: str) -> None:
    """Record the regions of files; what a name says of its image is a label of the image."""
    names: dict[str, set[str]] = {}
    for one in told.values():
        for found in one.regions:
            for label in found.labels:
                names.setdefault(label.taxonomy, set()).add(label.label)
    for space, classes in names.items():
        catalog.labels.define(Taxonomy(space, "multi", tuple(sorted(classes)), origin=FILES))
    import_regions(
        catalog,
        {image: one.regions for image, one in told.items()},
        frozenset({taxonomy, *OF_TYPES.values()}),
        note=note,
        given=FROM_FILES,
        whole=True,
    )


def _withdrawn(session: Session, taxonomy: str, told: Mapping[int, Told]) -> Sequence[Statement]:
    try:
        classes = session.catalog.labels.taxonomy(taxonomy).classes
    except NotFound:
        return []
    before = session.catalog.labels.statements_about(taxonomy, classes).get(FROM_FILES, [])
    return [
        Statement(said.image_id, said.label, "unknown")
        for said in before
        if said.image_id in told and said.label not in told[said.image_id].words
    ]
