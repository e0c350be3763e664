"""Bring the labels of another tool's files into the catalog, and count what it does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.core.exchange.losses import reduce_to
from vernis.core.words.sheets import LeftOut
from vernis.domain.exchange import Carries, ExchangeImage, ExchangeLabel, ExchangeSet, Loss
from vernis.domain.types import TaxonomyKind
from vernis.verbs.steps.label_import import ImageLabels, finder_of, record_labels

if TYPE_CHECKING:
    from vernis.session.session import Session

CATALOG = Carries(
    image_labels="many",
    states=frozenset({"yes", "no"}),
    unused_classes=True,
    splits=True,
    sizes=True,
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
        By taxonomy.
    classes : dict of str to tuple of str
        By taxonomy, unused ones included.
    splits : dict of str to str
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
    left_out: tuple[LeftOut, ...]
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]


def read_files(session: Session, path: Path, format: str, taxonomy: str = "") -> ReadExchange:
    """Read another tool's files against the images of the collection; changes nothing.

    Classes of boxes become labels of their images; the boxes themselves are counted as lost.
    """
    name, exchange = session.read_exchange(path, format, taxonomy=taxonomy)
    boxes = sum(len(image.regions) for image in exchange.images)
    flat, losses = _of_whole_images(exchange)
    folder = exchange.folder or str((path if path.is_dir() else path.parent).absolute())
    finder = finder_of(session, folder)
    found = finder.find_all([image.uri for image in flat.images])
    here: dict[str, list[ExchangeLabel]] = {}
    splits: dict[str, str] = {}
    left_out = []
    for number, (image, this) in enumerate(zip(flat.images, found, strict=True), 1):
        if not this.uri:
            left_out.append(LeftOut(number, this.reason, image.uri))
            continue
        here.setdefault(this.uri, []).extend(image.labels)
        if image.split:
            splits[this.uri] = image.split
    notes = list(exchange.notes)
    if boxes:
        notes.append(
            f"the classes of {boxes:,} boxes are labels of their images now; the boxes are not kept"
        )
    return ReadExchange(
        source=path.name,
        format=name,
        images=len(here),
        labels=_by_taxonomy(session, flat, here),
        classes={t.name: tuple(c.name for c in t.classes) for t in flat.taxonomies},
        splits=splits,
        left_out=tuple(left_out),
        losses=losses,
        notes=tuple(notes),
    )


def _of_whole_images(exchange: ExchangeSet) -> tuple[ExchangeSet, tuple[Loss, ...]]:
    """Return a set in which the labels of regions are labels of their images, and the losses."""
    reduced = reduce_to(exchange, CATALOG)
    images = []
    for whole, image in zip(reduced.exchange.images, exchange.images, strict=True):
        said = {(label.taxonomy, label.label): label for label in whole.labels}
        for region in image.regions:
            for label in region.labels:
                if label.state == "yes":
                    plain = ExchangeLabel(label.taxonomy, label.label)
                    said.setdefault((label.taxonomy, label.label), plain)
        images.append(
            ExchangeImage(image.uri, image.size, image.split, labels=tuple(said.values()))
        )
    flat = ExchangeSet(tuple(images), reduced.exchange.taxonomies, folder=exchange.folder)
    return flat, reduced.losses


def _by_taxonomy(
    session: Session, flat: ExchangeSet, here: dict[str, list[ExchangeLabel]]
) -> dict[str, ImageLabels]:
    """Return the labels of each taxonomy; an image that is listed without any has none given."""
    labels: dict[str, ImageLabels] = {}
    single = {known.name for known in session.taxonomies() if known.kind == "single"}
    for taxonomy in flat.taxonomies:
        yes: dict[str, tuple[str, ...]] = {}
        no: dict[str, tuple[str, ...]] = {}
        for uri, said in here.items():
            own = [label for label in said if label.taxonomy == taxonomy.name]
            positive = dict.fromkeys(label.label for label in own if label.state == "yes")
            yes[uri] = tuple(positive)
            no[uri] = tuple(
                dict.fromkeys(
                    label.label
                    for label in own
                    if label.state == "no" and label.label not in positive
                )
            )
        several = any(len(cell) > 1 for cell in yes.values())
        # Most formats do not say how many classes an image may have.
        known: TaxonomyKind = "single" if taxonomy.name in single else taxonomy.kind
        kind: TaxonomyKind = "multi" if several else known
        if any(yes.values()) or any(no.values()):
            labels[taxonomy.name] = ImageLabels(kind, yes, no, any(no.values()))
    return labels


def import_files(session: Session, read: ReadExchange, closed: Sequence[str]) -> tuple[str, ...]:
    """Record the labels as given ones, as one batch; returns what is said of class folders."""
    return record_labels(
        session,
        read.source,
        read.labels,
        closed=closed,
        attributes={"split": read.splits},
        unused=read.classes,
    )
