"""Bring the labels of a table into the catalog."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vernis.core.words.blank_words import Blanks
from vernis.core.words.column_classes import read_classes
from vernis.core.words.label_columns import (
    TEXT_NAMES,
    ColumnUse,
    LabelTable,
    find_conflicts,
    judge_column,
    match_images,
    split_parts,
)
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import FoundFile, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.steps.name_notes import describe_names

if TYPE_CHECKING:
    from vernis.session.session import Session

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did.

    Attributes
    ----------
    rows : int
        Rows of the table.
    matched : int
        Images that a row is about.
    taxonomies : dict of str to int
        Name of each taxonomy → images with a label.
    notes : tuple of str
        What the user should know: columns left out and why, rows without an image…
    """

    rows: int
    matched: int
    taxonomies: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def import_labels(
    session: Session,
    table: LabelTable,
    *,
    taxonomies: Sequence[str] | None = None,
    closed: Collection[str] = (),
    blank: Sequence[str] | None = None,
    keep_case: bool = False,
) -> ImportSummary:
    """Record the labels of a table as given ones, one batch a taxonomy.

    A row decides about its image: labels that were given before and are not in the row any more
    are withdrawn. Images without a row keep their labels. Blank cells mean unknown.

    Parameters
    ----------
    session : Session
        Its collection was indexed before.
    table : LabelTable
    taxonomies : sequence of str or None
        Columns to take as taxonomies, whatever they look like; None decides by their values.
    closed : collection of str
        Taxonomies in which an image with a label has none of the others.
    blank : sequence of str or None
        The words that are blank; None: the usual ones. An empty cell always is.
    keep_case : bool
        Spellings that differ in case alone stay apart, however rare one is.

    Returns
    -------
    ImportSummary

    Raises
    ------
    InvalidLabels
        No row names an image of the collection, or two rows contradict each other.
    UsageError
        A column of ``taxonomies`` or ``closed`` is not in the table.
    """
    catalog = session.catalog
    blanks = Blanks.of(blank)
    uses = _choose_columns(table, taxonomies, closed, blanks)
    known = session.table("present", "unreadable")
    ids = dict(zip(known.uris, known.ids.tolist(), strict=True))
    matched = _match(catalog, table, known.uris)
    notes = list(table.notes) + _describe(uses, taxonomies) + _note_unmatched(table, matched)
    chosen = [use for use in uses if use.role == "taxonomy"]
    used = {use.name: table.columns[use.name] for use in uses if use.role != "metadata"}
    notes += _check_repetitions(table, matched, used, blanks)
    labelled: dict[str, int] = {}
    with catalog.transaction():
        _store_attributes(catalog, table, uses, matched, ids)
        for use in chosen:
            parts = {
                ids[uri]: split_parts(cell)
                for uri, cell in zip(matched, table.columns[use.name], strict=True)
                if uri
            }
            elsewhere = _known_classes(session, use.name, parts)
            read = read_classes(list(parts.values()), blanks, keep_case=keep_case, known=elsewhere)
            cells = dict(zip(parts, read.cells, strict=True))
            notes += describe_names(use.name, read)
            _record(session, table, use, cells, closed=use.name in closed)
            labelled[use.name] = sum(1 for labels in cells.values() if labels)
    return ImportSummary(len(table.images), len(set(matched) - {""}), labelled, tuple(notes))


def _choose_columns(
    table: LabelTable,
    taxonomies: Sequence[str] | None,
    closed: Collection[str],
    blanks: Blanks,
) -> list[ColumnUse]:
    missing = [name for name in [*(taxonomies or ()), *closed] if name not in table.columns]
    if missing:
        raise UsageError(
            f"{table.source}: no column '{missing[0]}'; the columns are {', '.join(table.columns)}"
        )
    uses = []
    for name, cells in table.columns.items():
        use = judge_column(name, cells, blanks)
        if taxonomies is not None and use.role != "split":
            use = replace(use, role="taxonomy" if name in taxonomies else "metadata")
        uses.append(use)
    if not any(use.role == "taxonomy" for use in uses):
        reasons = "; ".join(f"{use.name}: {use.reason}" for use in uses if use.reason)
        raise InvalidLabels(
            f"{table.source}: no column looks like a taxonomy ({reasons or 'no other columns'});"
            " choose one with --taxonomy COLUMN"
        )
    return uses


def _match(catalog: Catalog, table: LabelTable, uris: Sequence[str]) -> list[str]:
    root = catalog.images.root()
    names = list(table.images)
    prefix = ""
    if root is not None:
        root, folder = root.absolute(), Path(table.folder)
        names = [_below(root, name) for name in names]
        if folder != root and folder.is_relative_to(root):
            prefix = folder.relative_to(root).as_posix() + "/"
        elif folder != root and root.is_relative_to(folder):
            prefix = "-" + root.relative_to(folder).as_posix() + "/"
    matched = match_images(names, uris, prefix)
    if not any(matched):
        example = next(iter(uris), "")
        there = f"an image there is '{example}'" if example else "it is empty: index it first"
        raise InvalidLabels(
            f"{table.source}: none of its {len(names)} images is in the collection"
            f" (row {table.rows[0]}: '{table.images[0]}'; {there});"
            " give paths relative to the indexed folder"
        )
    return matched


def _below(root: Path, name: str) -> str:
    path = Path(name)
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return name


def _describe(uses: Sequence[ColumnUse], taxonomies: Sequence[str] | None) -> list[str]:
    if taxonomies is not None:
        return []
    taken = ", ".join(use.name for use in uses if use.role == "taxonomy")
    notes = [f"taxonomies: {taken}"]
    left: dict[str, list[str]] = {}
    for use in uses:
        if use.role == "metadata":
            left.setdefault(use.reason, []).append(use.name)
    if left:
        shown = "; ".join(f"{', '.join(names)} ({why})" for why, names in left.items())
        notes.append(f"not taken as taxonomies: {shown}; --taxonomy COLUMN overrules")
    return notes


def _note_unmatched(table: LabelTable, matched: Sequence[str]) -> list[str]:
    missing = [i for i, uri in enumerate(matched) if not uri]
    if not missing:
        return []
    shown = ", ".join(f"row {table.rows[i]} '{table.images[i]}'" for i in missing[:_SHOWN])
    rows = f"{len(missing):,} of {counted(len(matched), 'row')}"
    return [
        f"{table.source}: {rows} {'names' if len(missing) == 1 else 'name'} no image of the"
        f" collection, or several; left out: {shown}{', …' if len(missing) > _SHOWN else ''}"
    ]


def _check_repetitions(
    table: LabelTable, matched: Sequence[str], used: Mapping[str, Sequence[str]], blanks: Blanks
) -> list[str]:
    repeated, conflicts = find_conflicts(matched, table.rows, used, blanks)
    if conflicts:
        row, before, column = conflicts[0]
        more = f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else ""
        raise InvalidLabels(
            f"{table.source}: row {row} contradicts row {before} on the same image in column"
            f" '{column}'{more}; keep one row an image, several classes joined by |"
        )
    if not repeated:
        return []
    first = table.rows[repeated[0]]
    rows = counted(len(repeated), "row repeats", "rows repeat")
    return [f"{table.source}: {rows} an earlier one (first: row {first})"]


def _known_classes(session: Session, taxonomy: str, rows: Collection[int]) -> dict[str, int]:
    """Return how many images beside those of the table carry each class already."""
    if taxonomy not in {known.name for known in session.taxonomies()}:
        return {}
    matrix = session.matrix(taxonomy)
    beside = ~np.isin(matrix.image_ids, np.fromiter(rows, np.int64, len(rows)))
    counts = (matrix.values[beside] == 1).sum(axis=0)
    return dict(zip(matrix.taxonomy.classes, counts.tolist(), strict=True))


def _store_attributes(
    catalog: Catalog,
    table: LabelTable,
    uses: Sequence[ColumnUse],
    matched: Sequence[str],
    ids: Mapping[str, int],
) -> None:
    """Store the split, the title and the description of images beside what the index knows."""
    splits = [use.name for use in uses if use.role == "split"][:1]
    texts = [use.name for use in uses if use.role == "metadata" and use.name.lower() in TEXT_NAMES]
    if not splits and not texts:
        return
    chosen = [ids[uri] for uri in dict.fromkeys(matched) if uri]
    images = {image.uri: image for image in catalog.images.get(chosen)}
    changed = []
    for position, uri in enumerate(matched):
        if not uri:
            continue
        image = images[uri]
        split = table.columns[splits[0]][position] if splits else ""
        said = {name.lower(): table.columns[name][position] for name in texts}
        changed.append(
            FoundFile(
                uri=image.uri,
                content_hash=image.content_hash,
                size=image.size,
                mtime_ns=image.mtime_ns,
                width=image.width,
                height=image.height,
                format=image.format,
                reason=image.reason,
                split=split or image.split,
                metadata={**image.metadata, **{k: v for k, v in said.items() if v}},
            )
        )
    catalog.images.apply_index(changed, complete=False)


def _record(
    session: Session,
    table: LabelTable,
    use: ColumnUse,
    cells: Mapping[int, tuple[str, ...]],
    *,
    closed: bool,
) -> None:
    catalog = session.catalog
    existing = {taxonomy.name: taxonomy for taxonomy in session.taxonomies()}
    kind = use.kind
    if use.name in existing and existing[use.name].kind == "multi":
        kind = "multi"  # a column of single labels fits into a multi-label taxonomy
    classes = tuple(sorted({label for labels in cells.values() for label in labels}))
    stored = catalog.labels.define(
        Taxonomy(use.name, kind, classes, closed=closed, origin=table.source)
    )
    statements = [
        Statement(image_id, label, "yes") for image_id, labels in cells.items() for label in labels
    ]
    if use.name in existing:
        statements = _withdrawals(session, stored, cells) + statements
    catalog.labels.record(use.name, statements, source="given", verb="import", note=table.source)


def _withdrawals(
    session: Session, taxonomy: Taxonomy, cells: Mapping[int, tuple[str, ...]]
) -> list[Statement]:
    """Return what takes back given labels that the rows of their images do not hold any more."""
    matrix = session.matrix(taxonomy.name)
    effective: dict[int, set[str]] = {image_id: set() for image_id in cells}
    for row, column in np.argwhere(matrix.values == 1).tolist():
        image_id = int(matrix.image_ids[row])
        if image_id in effective:
            effective[image_id].add(taxonomy.classes[column])
    return [
        Statement(image_id, said.label, "unknown")
        for image_id, labels in cells.items()
        if effective[image_id] != set(labels)
        for source, said in session.catalog.labels.statements(taxonomy.name, image_id)
        if source == "given" and said.label not in labels
    ]
