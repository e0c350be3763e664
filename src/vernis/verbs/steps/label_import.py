"""Bring the labels of a table into the catalog."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vernis.core.words.blank_words import Blanks
from vernis.core.words.column_classes import read_classes, read_names
from vernis.core.words.image_columns import find_images
from vernis.core.words.image_names import IN_TRASH, ImageFinder
from vernis.core.words.label_columns import LabelTable
from vernis.core.words.sheets import LeftOut, Sheet
from vernis.core.words.table_reading import Choices, TableReading, TaxonomyLabels, read_labels
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import Statement, Taxonomy, TaxonomyKind
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.steps.folder_classes import retire_folder_classes, staying_taxonomies
from vernis.verbs.steps.name_notes import describe_names
from vernis.verbs.steps.table_settings import TableSettings

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table as it is going to be imported.

    Attributes
    ----------
    table : LabelTable
    reading : TableReading
    labels : mapping of str to ImageLabels
        By the taxonomy's name.
    left_out : tuple of LeftOut
        Rows and cells that are not taken.
    notes : tuple of str
        What the user should know: columns left out and why, rows without an image…
    """

    table: LabelTable
    reading: TableReading
    labels: Mapping[str, ImageLabels]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        """Anything is taken."""
        return bool(self.labels or self.reading.attributes) and self.reading.images > 0


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """The labels of one taxonomy.

    Attributes
    ----------
    kind : str
    yes, no : mapping of str to tuple of str
        uri → classes; ``yes`` has every image that the table decides about.
    says_no : bool
    probabilities : mapping of (str, str) to float
        uri and class → how surely it is said.
    """

    kind: TaxonomyKind
    yes: Mapping[str, tuple[str, ...]]
    no: Mapping[str, tuple[str, ...]]
    says_no: bool = False
    probabilities: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """All of them, sorted."""
        cells = (*self.yes.values(), *self.no.values())
        return tuple(sorted({label for labels in cells for label in labels}))

    @property
    def labelled(self) -> int:
        """Images with a class."""
        return sum(bool(labels) for labels in self.yes.values())


def read_table(session: Session, sheets: Sequence[Sheet], settings: TableSettings) -> ReadTable:
    """Find out what a table says of the collection's images; changes nothing.

    Parameters
    ----------
    session : Session
        Its collection was indexed before.
    sheets : sequence of Sheet
        Of one file.
    settings : TableSettings

    Raises
    ------
    UsageError
        A column that is named is not in the table.
    """
    kinds = {taxonomy.name: taxonomy.kind for taxonomy in staying_taxonomies(session)}
    finder = finder_of(session, sheets[0].folder)
    table = find_images(sheets, finder, settings.image_column)
    reading = read_labels(
        table,
        Choices(
            settings.taxonomy,
            settings.separator,
            settings.one_hot,
            settings.row,
            frozenset(kinds),
            Blanks.of(settings.blank),
        ),
    )
    names = [taxonomy.name for taxonomy in reading.taxonomies]
    missing = [name for name in settings.closed if name not in names]
    if missing:
        raise UsageError(
            f"{table.source}: no taxonomy '{missing[0]}' to be closed; the table has "
            f"{', '.join(names) or 'none'}"
        )
    notes = [f"{table.source}: {note}" for note in table.notes] + list(reading.notes)
    labels: dict[str, ImageLabels] = {}
    left_out = list(reading.left_out)
    for found in reading.taxonomies:
        labels[found.name], said = _read_classes(session, found, settings)
        notes += said
        if kinds.get(found.name) == "single" and found.kind == "multi":
            labels[found.name], too_many = _one_class_an_image(
                table, found.name, labels[found.name]
            )
            left_out += too_many
    left_out.sort(key=lambda entry: entry.row)
    notes += _note_nothing(table, reading, finder)
    faults, trashed = set_apart_trashed(table.source, left_out)
    return ReadTable(table, reading, labels, faults, (*notes, *trashed))


def import_labels(session: Session, read: ReadTable, settings: TableSettings) -> tuple[str, ...]:
    """Record the labels of a table; see ``record_labels``. Blank cells mean unknown."""
    return record_labels(
        session,
        read.table.source,
        read.labels,
        closed=settings.closed,
        attributes=read.reading.attributes,
    )


def record_labels(
    session: Session,
    source: str,
    labels_of: Mapping[str, ImageLabels],
    *,
    closed: Collection[str] = (),
    attributes: Mapping[str, Mapping[str, str]] | None = None,
    unused: Mapping[str, Collection[str]] | None = None,
    also: Callable[[], None] | None = None,
) -> tuple[str, ...]:
    """Record labels as given ones, as one batch.

    What is said decides about its image: labels that were given before and are not said any more
    are withdrawn. Images that are not spoken of keep their labels. Classes that folders gave are no
    taxonomy any more; returns what is said of that.

    Parameters
    ----------
    session : Session
    source : str
        The file, for the history.
    labels_of : mapping of str to ImageLabels
        By taxonomy.
    closed : collection of str
        Taxonomies whose blank classes mean no.
    attributes : mapping, optional
        ``split``, ``title``, … → uri → text.
    unused : mapping, optional
        Taxonomy → classes that no image may carry.
    also : callable, optional
        Records what else belongs to the batch.
    """
    catalog = session.catalog
    known = session.table("present", "unreadable")
    ids = dict(zip(known.uris, known.ids.tolist(), strict=True))
    notes: tuple[str, ...] = ()
    with catalog.transaction():
        # The labels are said by the file, the batch is the person's.
        batch = catalog.history.begin("import", source=by(), note=source)
        with catalog.history.joined(batch):
            if labels_of:
                notes = retire_folder_classes(session, verb="import", note=source)
            _store_attributes(catalog, attributes or {}, ids)
            for name, labels in labels_of.items():
                more = (unused or {}).get(name, ())
                _record(session, source, name, labels, ids, closed=name in closed, unused=more)
            if also is not None:
                also()
        catalog.history.close(batch)
    return notes


def finder_of(session: Session, folder: str) -> ImageFinder:
    """Return what finds the collection's images by the names of a table in a folder."""
    uris = session.table("present", "unreadable").uris
    trashed = set(session.table("trashed").uris).difference(uris)
    root = session.catalog.images.root()
    if root is None:
        return ImageFinder(uris, trashed=trashed)
    root, place = root.absolute(), Path(folder)
    prefix = ""
    if place != root and place.is_relative_to(root):
        prefix = place.relative_to(root).as_posix() + "/"
    elif place != root and root.is_relative_to(place):
        prefix = "-" + root.relative_to(place).as_posix() + "/"
    return ImageFinder(uris, root.as_posix(), prefix, trashed)


def set_apart_trashed(
    source: str, left_out: Sequence[LeftOut]
) -> tuple[tuple[LeftOut, ...], list[str]]:
    """Return what was left out but for images in the trash, and the note about those.

    That Vernis moved a picture away is no fault of the file that names it.
    """
    others = tuple(entry for entry in left_out if entry.reason != IN_TRASH)
    count = len(left_out) - len(others)
    if not count:
        return others, []
    about = "1 row is about an image" if count == 1 else f"{count:,} rows are about images"
    keeps = "keeps its labels" if count == 1 else "keep their labels"
    return others, [f"{source}: {about} in the trash, which {keeps} (vernis restore)"]


def note_left_out(source: str, left_out: Sequence[LeftOut], listed: str = "") -> list[str]:
    """Return the note about what was left out, where the list of it lies in ``listed``."""
    if not left_out:
        return []
    rows = len({entry.row for entry in left_out})
    first: dict[str, LeftOut] = {}
    counts: Counter[str] = Counter()
    for entry in left_out:
        kind = re.split("[:;]", re.sub(r"'.*'|[0-9]+", "…", entry.reason))[0].strip()
        counts[kind] += 1
        first.setdefault(kind, entry)
    shown = "; ".join(
        f"{first[kind].reason.partition('; ')[0]} (row {first[kind].row}{_about(first[kind])}"
        f"{f', and {count - 1:,} more like it' if count > 1 else ''})"
        for kind, count in counts.most_common()
    )
    more = f"; all of them: {listed}" if listed else ""
    return [f"{source}: left out, in {counted(rows, 'row')}: {shown}{more}"]


def _about(entry: LeftOut) -> str:
    named = f" '{entry.image}'" if entry.image else ""
    return f"{named}, {entry.column}" if entry.column else named


def _note_nothing(table: LabelTable, reading: TableReading, finder: ImageFinder) -> list[str]:
    """Return why nothing is taken, where nothing is."""
    if table.found and all(found.in_trash for found in table.found):
        return []
    if not reading.images:
        example = next(iter(finder.uris), "")
        there = f"an image there is '{example}'" if example else "it is empty: index it first"
        first = f"row {table.rows[0]}: '{table.images[0]}'; " if table.rows else ""
        count = len(table.images)
        none = f"none of its {count:,} images is" if count != 1 else "its image is not"
        return [
            f"{table.source}: {none} in the collection ({first}{there}); --image-column COLUMN "
            "names another column"
        ]
    if not reading.taxonomies:
        reasons = "; ".join(f"{use.name}: {use.reason}" for use in reading.uses if use.reason)
        return [
            f"{table.source}: no column looks like a taxonomy ({reasons or 'no other columns'});"
            " choose one with --taxonomy COLUMN"
        ]
    return []


def _read_classes(
    session: Session, found: TaxonomyLabels, settings: TableSettings
) -> tuple[ImageLabels, list[str]]:
    """Return the class names of the parts of cells, and notes on them."""
    if found.is_exact:
        no = {uri: _without(cell, found.yes[uri]) for uri, cell in found.no.items()}
        return ImageLabels(found.kind, found.yes, no, found.says_no), []
    blanks = Blanks.of(settings.blank)
    elsewhere = _known_classes(session, found.name, found.yes.keys())
    read = read_classes(
        list(found.yes.values()), blanks, keep_case=settings.keep_case, known=elsewhere
    )
    yes = dict(zip(found.yes, read.cells, strict=True))
    denied = {uri: map(read.spellings.of, read_names(p, blanks)) for uri, p in found.no.items()}
    no = {uri: _without(labels, yes[uri]) for uri, labels in denied.items()}
    labels = ImageLabels(found.kind, yes, no, found.says_no)
    return labels, describe_names(found.name, read)


def _one_class_an_image(
    table: LabelTable, name: str, labels: ImageLabels
) -> tuple[ImageLabels, list[LeftOut]]:
    """Leave out the images of several classes, which a taxonomy of single labels cannot hold."""
    several = {uri for uri, cell in labels.yes.items() if len(cell) > 1}
    rows = zip(table.rows, table.images, table.found, strict=True)
    left_out = [
        LeftOut(
            row,
            f"has several classes, but {name} holds one an image",
            image,
            name,
            " | ".join(labels.yes[found.uri]),
        )
        for row, image, found in rows
        if found.uri in several
    ]
    yes = {uri: cell for uri, cell in labels.yes.items() if uri not in several}
    no = {uri: cell for uri, cell in labels.no.items() if uri not in several}
    return ImageLabels("single", yes, no, labels.says_no), left_out


def _without(denied: Iterable[str], said: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for label in denied if label not in said)


def _known_classes(session: Session, taxonomy: str, uris: Collection[str]) -> dict[str, int]:
    """Return how many images beside those of the table carry each class already."""
    if taxonomy not in {known.name for known in staying_taxonomies(session)}:
        return {}
    matrix, known = session.matrix(taxonomy), session.uris()
    beside = [known[image] not in uris for image in matrix.image_ids.tolist()]
    counts = (matrix.values[np.asarray(beside, dtype=bool)] == 1).sum(axis=0)
    return dict(zip(matrix.taxonomy.classes, counts.tolist(), strict=True))


def _store_attributes(
    catalog: Catalog, attributes: Mapping[str, Mapping[str, Any]], ids: Mapping[str, int]
) -> None:
    """Store the split, the title, the description, … of images beside what the index knows."""
    splits = {uri: split for uri, split in attributes.get("split", {}).items() if split}
    catalog.images.set_splits([ids[uri] for uri in splits], list(splits.values()))
    values: dict[int, dict[str, Any]] = {}
    for name, found in attributes.items():
        if name != "split":
            for uri, value in found.items():
                values.setdefault(ids[uri], {})[name] = value
    catalog.images.set_attributes(values, source="given", verb="import")


def _record(
    session: Session,
    source: str,
    name: str,
    labels: ImageLabels,
    ids: Mapping[str, int],
    *,
    closed: bool,
    unused: Collection[str],
) -> None:
    catalog = session.catalog
    existing = {taxonomy.name: taxonomy for taxonomy in session.taxonomies()}
    kind = labels.kind
    if name in existing and existing[name].kind == "multi":
        kind = "multi"  # a column of single labels fits into a multi-label taxonomy
    classes = tuple(sorted({*labels.classes, *unused}))
    stored = catalog.labels.define(Taxonomy(name, kind, classes, closed=closed, origin=source))
    statements = [
        Statement(ids[uri], label, "yes", labels.probabilities.get((uri, label), math.nan))
        for uri, cell in labels.yes.items()
        for label in cell
    ]
    statements += [
        Statement(ids[uri], label, "no") for uri, cell in labels.no.items() for label in cell
    ]
    if name in existing:
        statements = _withdrawals(session, stored, labels, ids) + statements
    catalog.labels.record(name, statements, source="given", verb="import", note=source)


def _withdrawals(
    session: Session, taxonomy: Taxonomy, labels: ImageLabels, ids: Mapping[str, int]
) -> list[Statement]:
    """Return what takes back given labels that the rows of their images do not hold any more."""
    matrix = session.matrix(taxonomy.name)
    said_yes = {ids[uri]: frozenset(cell) for uri, cell in labels.yes.items()}
    said_no = {ids[uri]: frozenset(labels.no.get(uri, ())) for uri in labels.yes}
    effective = {value: {image_id: set[str]() for image_id in said_yes} for value in (1, 0)}
    for value, found in effective.items():
        for row, column in np.argwhere(matrix.values == value).tolist():
            image_id = int(matrix.image_ids[row])
            if image_id in found:
                found[image_id].add(taxonomy.classes[column])
    implied = taxonomy.kind == "single" or taxonomy.closed
    # Where a yes implies the rest, a no beside it says nothing more.
    speaks = {i for i, cell in said_yes.items() if labels.says_no and not (implied and cell)}
    changed = [
        image_id
        for image_id in said_yes
        if effective[1][image_id] != said_yes[image_id]
        or (image_id in speaks and effective[0][image_id] != said_no[image_id])
    ]
    return [
        Statement(image_id, said.label, "unknown")
        for image_id in changed
        for source, said in session.catalog.labels.statements(taxonomy.name, image_id)
        if source == "given"
        if (said.state == "yes" and said.label not in said_yes[image_id])
        or (said.state == "no" and image_id in speaks and said.label not in said_no[image_id])
    ]
