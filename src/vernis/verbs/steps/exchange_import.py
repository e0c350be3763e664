"""Bring the labels and regions of another tool's files into the catalog; count what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.core.exchange.losses import reduce_to
from vernis.core.exchange.orientation import turn_upright
from vernis.core.exchange.sources import attribute_labels
from vernis.core.words.image_names import Found
from vernis.core.words.sheets import LeftOut
from vernis.domain.exchange import (
    Carries,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    Loss,
)
from vernis.domain.foreign import ForeignFact, ForeignFacts
from vernis.domain.types import Statement, TaxonomyKind
from vernis.verbs.steps.label_import import (
    ImageLabels,
    finder_of,
    record_labels,
    set_apart_trashed,
)
from vernis.verbs.steps.region_import import GIVEN, import_regions, said_by

if TYPE_CHECKING:
    from vernis.session.session import Session

CATALOG = Carries(
    image_labels="many",
    regions=True,
    region_labels="many",
    states=frozenset({"yes", "no"}),
    unused_classes=True,
    probabilities=True,
    sources=True,
    splits=True,
    outlines="any",
    sizes=True,
    ids=frozenset({"image", "region", "class"}),
    attributes=frozenset({"image", "region", "class", "set"}),
    taxonomies="many",
)
"""What the catalog takes of a set."""


@dataclass(frozen=True, slots=True)
class ReadExchange:
    """What another tool's files say of the collection's images.

    Attributes
    ----------
    source : str
        The file, for the history.
    format : str
    images : int
        Images that the files list and the collection has.
    labels : dict of str to ImageLabels
        By taxonomy; those of regions are labels of their images too.
    classes : dict of str to tuple of str
        By taxonomy, unused ones included.
    splits : dict of str to str
    regions : dict of str to tuple of ExchangeRegion
        uri → regions, of every image that the files list.
    of_models : dict of (str, str) to list of ExchangeLabel
        uri and model → what it says of the whole image.
    facts : dict of str to ForeignFact
        uri → id and attributes.
    class_facts : dict of (str, str) to ForeignFact
        By taxonomy and class, in the order of the files.
    attributes : str
        JSON object in text: of the whole set.
    left_out : tuple of LeftOut
        Images that are not in the collection.
    losses : tuple of Loss
    notes : tuple of str
    """

    source: str
    format: str
    images: int
    labels: dict[str, ImageLabels]
    classes: dict[str, tuple[str, ...]]
    splits: dict[str, str]
    regions: dict[str, tuple[ExchangeRegion, ...]]
    of_models: dict[tuple[str, str], list[ExchangeLabel]]
    facts: dict[str, ForeignFact]
    class_facts: dict[tuple[str, str], ForeignFact]
    attributes: str
    left_out: tuple[LeftOut, ...]
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]

    @property
    def counted_regions(self) -> int:
        """How many regions there are."""
        return sum(map(len, self.regions.values()))

    @property
    def is_usable(self) -> bool:
        """It says anything of an image of the collection."""
        labelled = any(any(of.yes.values()) or any(of.no.values()) for of in self.labels.values())
        says = labelled or self.splits or self.of_models or self.counted_regions
        return bool(self.images and says)


def read_files(
    session: Session,
    path: Path,
    format: str,
    *,
    taxonomy: str = "",
    source: str = "",
    zero_based: bool = False,
) -> ReadExchange:
    """Read another tool's files against the images of the collection; changes nothing.

    Parameters
    ----------
    session : Session
    path : Path
    format : str
        ``auto`` looks into the file.
    taxonomy : str
        Of the classes of a format that has none.
    source : str
        ``model:NAME`` where all of it is a model's.
    zero_based : bool
        Pascal VOC: the first pixel is 0.
    """
    name, exchange = session.interchange.read_exchange(
        path, format, taxonomy=taxonomy, one_based=not zero_based
    )
    folder = exchange.folder or str((path if path.is_dir() else path.parent).absolute())
    finder = finder_of(session, folder)
    found = finder.find_all([image.uri for image in exchange.images])
    exchange = _upright(session, exchange, found)
    exchange, named = attribute_labels(exchange, source)
    reduced = reduce_to(exchange, CATALOG)
    gathered = _Gathered({}, {}, {}, {}, {})
    left_out = []
    for number, (image, this) in enumerate(zip(reduced.exchange.images, found, strict=True), 1):
        if this.uri:
            gathered.add(this.uri, image)
        else:
            left_out.append(LeftOut(number, this.reason, image.uri))
    taxonomies = reduced.exchange.taxonomies
    faults, trashed = set_apart_trashed(path.name, left_out)
    return ReadExchange(
        source=path.name,
        format=name,
        images=len(gathered.labels),
        labels=_by_taxonomy(session, reduced.exchange, gathered.labels),
        classes={t.name: tuple(c.name for c in t.classes) for t in taxonomies},
        splits=gathered.splits,
        regions={uri: tuple(found) for uri, found in gathered.regions.items()},
        of_models=gathered.of_models,
        facts=gathered.facts,
        class_facts={
            (t.name, c.name): ForeignFact(c.foreign_id, c.attributes)
            for t in taxonomies
            for c in t.classes
        },
        attributes=reduced.exchange.attributes,
        left_out=faults,
        losses=(*reduced.losses, *named),
        notes=(*exchange.notes, *_notes(gathered), *trashed),
    )


def _upright(session: Session, exchange: ExchangeSet, found: Sequence[Found]) -> ExchangeSet:
    """Return a set whose regions are all of the upright pictures."""
    known = {image.uri: image for image in session.images("present", "unreadable")}
    sizes: dict[str, tuple[int, int]] = {}
    orientations: dict[str, int] = {}
    for image, this in zip(exchange.images, found, strict=True):
        if this.uri:
            record = known[this.uri]
            sizes[image.uri] = (record.width, record.height)
            orientations[image.uri] = int(record.metadata.get("orientation", 1))
    return turn_upright(exchange, sizes, orientations)


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What is said of each image, by its uri in the collection; two names may mean one."""

    labels: dict[str, dict[tuple[str, str], ExchangeLabel]]
    splits: dict[str, str]
    regions: dict[str, list[ExchangeRegion]]
    of_models: dict[tuple[str, str], list[ExchangeLabel]]
    facts: dict[str, ForeignFact]

    def add(self, uri: str, image: ExchangeImage) -> None:
        """Take what is said of an image: what is said of a region of it is said of it, too."""
        said = self.labels.setdefault(uri, {})
        for label in image.labels:
            if label.source:
                self.of_models.setdefault((uri, label.source), []).append(label)
            else:
                said.setdefault((label.taxonomy, label.label), label)
        for region in image.regions:
            for label in region.labels:
                if label.state == "yes" and not label.source:
                    plain = ExchangeLabel(label.taxonomy, label.label)
                    said.setdefault((label.taxonomy, label.label), plain)
        self.regions.setdefault(uri, []).extend(image.regions)
        self.facts.setdefault(uri, ForeignFact(image.foreign_id, image.attributes))
        if image.split:
            self.splits[uri] = image.split


def _notes(gathered: _Gathered) -> list[str]:
    beside = sum(
        bool(label.source)
        for regions in gathered.regions.values()
        for found in regions
        if said_by(found) == GIVEN
        for label in found.labels
    )
    if not beside:
        return []
    return [f"{beside:,} labels of models on regions that the file itself labels were left out"]


def _by_taxonomy(
    session: Session,
    exchange: ExchangeSet,
    here: Mapping[str, Mapping[tuple[str, str], ExchangeLabel]],
) -> dict[str, ImageLabels]:
    """Return the labels of each taxonomy; an image that is listed without any has none given."""
    labels: dict[str, ImageLabels] = {}
    single = {known.name for known in session.taxonomies() if known.kind == "single"}
    for taxonomy in exchange.taxonomies:
        yes: dict[str, tuple[str, ...]] = {}
        no: dict[str, tuple[str, ...]] = {}
        probabilities: dict[tuple[str, str], float] = {}
        for uri, said in here.items():
            own = [label for (name, _), label in said.items() if name == taxonomy.name]
            yes[uri] = tuple(label.label for label in own if label.state == "yes")
            no[uri] = tuple(label.label for label in own if label.state == "no")
            for label in own:
                if label.has_probability and label.state == "yes":
                    probabilities[uri, label.label] = label.probability
        several = any(len(cell) > 1 for cell in yes.values())
        # Most formats do not say how many classes an image may have.
        known: TaxonomyKind = "single" if taxonomy.name in single else taxonomy.kind
        kind: TaxonomyKind = "multi" if several else known
        labels[taxonomy.name] = ImageLabels(kind, yes, no, any(no.values()), probabilities)
    return labels


def import_files(session: Session, read: ReadExchange, closed: Sequence[str]) -> tuple[str, ...]:
    """Record labels, regions and ids as one batch; returns what is said of class folders."""
    ids = {uri: number for number, uri in session.uris().items() if uri in read.regions}

    def also() -> None:
        catalog = session.catalog
        listed = {ids[uri]: regions for uri, regions in read.regions.items()}
        import_regions(catalog, listed, frozenset(read.classes), note=read.source)
        _record_of_models(session, read, ids)
        facts = ForeignFacts(
            {ids[uri]: fact for uri, fact in read.facts.items()}, read.class_facts, read.attributes
        )
        catalog.foreign.record(read.format, facts, source="given", verb="import", note=read.source)

    return record_labels(
        session,
        read.source,
        read.labels,
        closed=closed,
        attributes={"split": read.splits},
        unused=read.classes,
        also=also,
    )


def _record_of_models(session: Session, read: ReadExchange, ids: Mapping[str, int]) -> None:
    """Record what models say of whole images: kept, but no label until somebody accepts it."""
    said: dict[tuple[str, str], list[Statement]] = {}
    for (uri, model), labels in read.of_models.items():
        for label in labels:
            statement = Statement(ids[uri], label.label, label.state, label.probability)
            said.setdefault((model, label.taxonomy), []).append(statement)
    for (model, taxonomy), statements in said.items():
        session.catalog.labels.record(
            taxonomy, statements, source=model, verb="import", note=read.source
        )
