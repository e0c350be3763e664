"""Bring what stands in image files and sidecars into the catalog: keywords, captions, ratings, …

Keywords become labels of the source ``given:xmp``, regions with a name (faces that were tagged) are
regions of that source; a person's word on them ranks higher. What Vernis itself wrote into a file
is no news and is passed over.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.core.words.class_names import clean_name
from vernis.core.words.sheets import LeftOut
from vernis.domain.errors import NotFound
from vernis.domain.exchange import ExchangeLabel, ExchangeRegion
from vernis.domain.metadata import FileMetadata, WrittenRegion
from vernis.domain.regions import Region, attributes_text
from vernis.domain.types import ImageRecord, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.wanted_regions import OF_TYPES
from vernis.verbs.decide.wanted_words import FROM_FILES, LEVELS
from vernis.verbs.steps.label_import import ImageLabels, store_attributes
from vernis.verbs.steps.region_import import import_regions

if TYPE_CHECKING:
    from vernis.domain.ports import Catalog
    from vernis.session.session import Session

DEFAULT_TAXONOMY = "keywords"
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
    labels : ImageLabels
        Of keywords; images without any are in it with none.
    attributes : mapping of str to (mapping of str to object)
        Name of what is kept beside the image → its path → value.
    regions : mapping of str to tuple of ExchangeRegion
        Path → regions, of every image that was read; the taxonomy of a name is empty where its
        type says none.
    left_out : tuple of LeftOut
        Files that cannot be read.
    losses : tuple of Loss
    notes : tuple of str
    """

    source: str
    images: tuple[ImageRecord, ...]
    labels: ImageLabels
    attributes: Mapping[str, Mapping[str, Any]]
    regions: Mapping[str, tuple[ExchangeRegion, ...]]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def counted_regions(self) -> int:
        """How many regions there are."""
        return sum(map(len, self.regions.values()))


@dataclass(frozen=True, slots=True)
class MetadataStage:
    """Reads what files say; the work of one file."""

    read: Callable[[ImageRecord], FileMetadata]

    def open(self) -> Callable[[ImageRecord], FileMetadata]:
        """Return the function that reads one file."""
        return self.read


@dataclass(slots=True)
class _Gathered:
    yes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    taxonomy: str = DEFAULT_TAXONOMY
    regions: dict[str, tuple[ExchangeRegion, ...]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, image: ImageRecord, found: FileMetadata) -> None:
        names = (clean_name(LEVELS.join(word.path)) for word in found.words if not word.own)
        others = [region for region in found.regions if not region.id]
        regions = tuple(
            _region(one, self.taxonomy) for one in others if one.type not in _NO_OBJECTS
        )
        self.regions[image.uri] = regions
        drawn = (s.label for r in regions for s in r.labels if s.taxonomy == self.taxonomy)
        self.yes[image.uri] = tuple(dict.fromkeys(name for name in (*names, *drawn) if name))
        if any(region.type in _NO_OBJECTS for region in others):
            self.notes["where the camera focused is no region"] += 1
        self.notes.update(found.notes)
        for name, value in _kept(image, found).items():
            self.attributes.setdefault(name, {})[image.uri] = value


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
        if (lies := session.path_of(image).absolute().resolve()) == place or place in lies.parents
    ]
    if not images:
        raise NotFound(f"{path}: no image of the collection lies there; index it first")
    gathered = _Gathered(taxonomy=taxonomy)
    left_out = []
    stage = MetadataStage(session.file_metadata())
    for done, outcome in enumerate(session.engine().run(stage, iter(images)), 1):
        image = outcome.item
        if outcome.value is None:
            left_out.append(LeftOut(done, str(outcome.error), image.uri))
        else:
            gathered.add(image, outcome.value)
        session.progress("import", done, len(images), image.uri)
    kept = [f"{name} of {len(found):,}" for name, found in sorted(gathered.attributes.items())]
    notes = [f"kept beside the images: {', '.join(kept)}"] if kept else []
    notes += [
        f"{text} ({counted(count, 'file')})"
        for text, count in gathered.notes.most_common(_MOST_NOTES)
    ]
    return ReadFiles(
        str(path),
        tuple(image for image in images if image.uri in gathered.yes),
        ImageLabels("multi", gathered.yes, {}),
        gathered.attributes,
        gathered.regions,
        tuple(sorted(left_out, key=lambda entry: entry.image)),
        tuple(notes),
    )


def _region(found: WrittenRegion, taxonomy: str) -> ExchangeRegion:
    name = clean_name(found.name)
    space = OF_TYPES.get(found.type, taxonomy)
    others = attributes_text({"type": found.type} if found.type else {})
    region = Region(found.box, found.picture, attributes=others)
    return ExchangeRegion(region, (ExchangeLabel(space, name),) if name else ())


def _kept(image: ImageRecord, found: FileMetadata) -> dict[str, Any]:
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
    }
    if not image.metadata.get("taken"):  # what the camera says was read by the index
        values["taken"] = found.taken
    return {name: value for name, value in values.items() if not _is_blank(value)}


def _is_blank(value: Any) -> bool:
    return value in ("", None) or (isinstance(value, float) and math.isnan(value))


def import_metadata(session: Session, read: ReadFiles, taxonomy: str) -> None:
    """Record what files say, as one batch; keywords that left a file are withdrawn."""
    catalog = session.catalog
    ids = {image.uri: image.id for image in read.images}
    with catalog.transaction():
        batch = catalog.history.begin("import", source=by(), note=read.source)
        with catalog.history.joined(batch):
            store_attributes(catalog, read.attributes, ids)
            said = [
                Statement(ids[uri], label, "yes")
                for uri, labels in read.labels.yes.items()
                for label in labels
            ]
            gone = _withdrawn(session, taxonomy, read, ids)
            if said or gone:
                catalog.labels.define(Taxonomy(taxonomy, "multi", read.labels.classes))
                catalog.labels.record(
                    taxonomy, [*gone, *said], source=FROM_FILES, verb="import", note=read.source
                )
            _import_regions(catalog, read, ids, taxonomy)
        catalog.history.close(batch)


def _import_regions(
    catalog: Catalog, read: ReadFiles, ids: Mapping[str, int], taxonomy: str
) -> None:
    """Record the regions of files; what a name says of its image is a label of the image."""
    names: dict[str, set[str]] = {}
    for regions in read.regions.values():
        for found in regions:
            for label in found.labels:
                names.setdefault(label.taxonomy, set()).add(label.label)
    for space, classes in names.items():
        catalog.labels.define(Taxonomy(space, "multi", tuple(sorted(classes))))
    known = frozenset({taxonomy, *OF_TYPES.values()})
    import_regions(
        catalog,
        {ids[uri]: regions for uri, regions in read.regions.items() if uri in ids},
        known,
        note=read.source,
        given=FROM_FILES,
        whole=True,
    )


def _withdrawn(
    session: Session, taxonomy: str, read: ReadFiles, ids: Mapping[str, int]
) -> Sequence[Statement]:
    try:
        classes = session.catalog.labels.taxonomy(taxonomy).classes
    except NotFound:
        return []
    now = {ids[uri]: set(labels) for uri, labels in read.labels.yes.items()}
    before = session.catalog.labels.statements_about(taxonomy, classes).get(FROM_FILES, [])
    return [
        Statement(said.image_id, said.label, "unknown")
        for said in before
        if said.image_id in now and said.label not in now[said.image_id]
    ]
