"""Bring what stands in image files and sidecars into the catalog: keywords, captions, ratings, …

Keywords become labels of the source ``given:xmp``; a person's word on them ranks higher. Words
that Vernis itself wrote into a file are no news and are passed over.
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
from vernis.domain.exchange import Loss
from vernis.domain.metadata import FileMetadata
from vernis.domain.types import ImageRecord, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.wanted_words import FROM_FILES, LEVELS
from vernis.verbs.steps.label_import import ImageLabels, store_attributes

if TYPE_CHECKING:
    from vernis.session.session import Session

DEFAULT_TAXONOMY = "keywords"
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
    left_out : tuple of LeftOut
        Files that cannot be read.
    losses : tuple of Loss
    notes : tuple of str
    """

    source: str
    images: tuple[ImageRecord, ...]
    labels: ImageLabels
    attributes: Mapping[str, Mapping[str, Any]]
    left_out: tuple[LeftOut, ...]
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]


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
    regions: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, image: ImageRecord, found: FileMetadata) -> None:
        names = (clean_name(LEVELS.join(word.path)) for word in found.words if not word.own)
        self.yes[image.uri] = tuple(dict.fromkeys(name for name in names if name))
        self.regions += sum(1 for region in found.regions if not region.id)
        self.notes.update(found.notes)
        for name, value in _kept(image, found).items():
            self.attributes.setdefault(name, {})[image.uri] = value


def read_metadata(session: Session, path: Path) -> ReadFiles:
    """Read the files of the images that lie in a folder, or one file; changes nothing.

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
    gathered = _Gathered()
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
    text = "regions in the files: this collection keeps labels of whole images only"
    losses = (Loss("regions", gathered.regions, text),) if gathered.regions else ()
    return ReadFiles(
        str(path),
        tuple(image for image in images if image.uri in gathered.yes),
        ImageLabels("multi", gathered.yes, {}),
        gathered.attributes,
        tuple(sorted(left_out, key=lambda entry: entry.image)),
        losses,
        tuple(notes),
    )


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
        catalog.history.close(batch)


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
