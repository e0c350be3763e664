"""From a table to labels of images: which columns are taken, and what each row says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vernis.core.words.blank_words import USUAL_BLANKS, Blanks
from vernis.core.words.cell_parts import SEPARATOR_WORDS, ColumnParts, take_apart
from vernis.core.words.column_classes import read_cells, read_names
from vernis.core.words.image_columns import no_column
from vernis.core.words.label_columns import (
    TEXT_NAMES,
    ColumnUse,
    LabelTable,
    judge_column,
    may_be_classes,
)
from vernis.core.words.one_hot import OneHot, find_one_hot, read_one_hot
from vernis.core.words.repeated_rows import Repeats, RowIs, find_repeats
from vernis.core.words.sheets import LeftOut, Sheet
from vernis.domain.errors import UsageError
from vernis.domain.types import TaxonomyKind

NO_SUFFIX = " (no)"
"""Ends the name of a column that says which classes of the other one an image does not carry."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user says of a table; None finds out.

    Attributes
    ----------
    taxonomies : sequence of str or None
        Columns to take as taxonomies, whatever they look like; no others are.
    separator : str or None
        Stands between the classes of a cell; empty: nothing does.
    one_hot : sequence of str or None
        Columns of yes and no that are the classes of one taxonomy; empty: none are.
    row_is : str or None
    known : collection of str
        Taxonomies that exist: a column called so is one.
    blanks : Blanks
    """

    taxonomies: Sequence[str] | None = None
    separator: str | None = None
    one_hot: Sequence[str] | None = None
    row_is: RowIs | None = None
    known: Collection[str] = ()
    blanks: Blanks = USUAL_BLANKS


@dataclass(frozen=True, slots=True)
class TaxonomyLabels:
    """What a table says of one taxonomy.

    Attributes
    ----------
    name : str
    kind : str
    yes, no : mapping of str to tuple of str
        uri → parts of the cells, as they were written. ``yes`` has every image of a row that could
        be understood.
    is_exact : bool
        The parts are names to the letter.
    says_no : bool
        The table says what images do not carry, too.
    how : str
        How the cells were read, where that is worth saying.
    """

    name: str
    kind: TaxonomyKind
    yes: Mapping[str, tuple[str, ...]]
    no: Mapping[str, tuple[str, ...]]
    is_exact: bool = False
    says_no: bool = False
    how: str = ""


@dataclass(frozen=True, slots=True)
class TableReading:
    """What is taken from a table.

    Attributes
    ----------
    uses : tuple of ColumnUse
        Of every column, in the order of the table; columns of yes and no that were put together
        have the role ``class``.
    taxonomies : tuple of TaxonomyLabels
    attributes : mapping of str to mapping
        ``split``, ``title``, ``description``… → uri → text.
    notes : tuple of str
    left_out : tuple of LeftOut
        Rows and cells, in the order of the table.
    images : int
        Images that a row is about.
    """

    uses: tuple[ColumnUse, ...]
    taxonomies: tuple[TaxonomyLabels, ...]
    attributes: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    images: int


def read_labels(table: LabelTable, choices: Choices) -> TableReading:
    """Return what a table says of images.

    Parameters
    ----------
    table : LabelTable
        Its rows have found their images.
    choices : Choices

    Raises
    ------
    UsageError
        A column that is named is not there.
    """
    hot = _one_hot(table, choices)
    cells = {n: c for n, c in table.columns.items() if hot is None or n not in hot.classes}
    _require_columns(table, [*cells, *([hot.name] if hot else [])], choices.taxonomies or ())
    parts = {name: take_apart(found, choices.separator) for name, found in cells.items()}
    negative = {
        name: name + NO_SUFFIX
        for name, found in parts.items()
        if name + NO_SUFFIX in cells and found.form != "exact"
    }
    uses = _choose(cells, parts, set(negative.values()), choices)
    chosen = [use for use in uses if use.role == "taxonomy"]
    uris = [found.uri for found in table.found]
    compared = {use.name: _names(parts[use.name], choices.blanks) for use in chosen}
    if hot is not None:
        compared |= {name: [(s,) if s else () for s in said] for name, said in hot.states.items()}
    repeats = find_repeats(uris, compared, table.columns, choices.row_is)
    left_out = [*table.left_out, *_unmatched(table), *_contradictions(table, repeats, compared)]
    left_out += _broken(table, {use.name: parts[use.name].broken for use in chosen})
    left_out += _broken(table, hot.broken if hot is not None else {})
    taxonomies = [
        _labels(use, parts[use.name], parts.get(negative.get(use.name, "")), repeats)
        for use in chosen
    ]
    hot_taken = hot if hot and choices.taxonomies is None else None
    if hot and choices.taxonomies is not None and hot.name in choices.taxonomies:
        hot_taken = hot
    if hot_taken is not None:
        taxonomies.append(_hot_labels(hot_taken, repeats))
        uses += [
            ColumnUse(column, "class", "multi", f"of {hot_taken.name}")
            for column in hot_taken.classes
        ]
    order = {name: at for at, name in enumerate(table.columns)}
    uses.sort(key=lambda use: order[use.name])
    return TableReading(
        tuple(uses),
        tuple(taxonomies),
        _attributes(table, uses, repeats, choices.blanks),
        (
            *_notes(table, uses, taxonomies, hot_taken, repeats, choices),
            *(note for use in chosen for note in _note_mixed(table, use.name, parts[use.name])),
        ),
        tuple(sorted(left_out, key=lambda entry: entry.row)),
        len(repeats.rows),
    )


# --------------------------------------------------------------------------- columns


def _require_columns(table: LabelTable, names: Collection[str], wanted: Collection[str]) -> None:
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        sheet = Sheet(table.source, table.folder, tuple(names), (), ())
        raise UsageError(no_column([sheet], missing))


def _one_hot(table: LabelTable, choices: Choices) -> OneHot | None:
    if choices.one_hot is not None:
        named = [name for name in choices.one_hot if name]
        _require_columns(table, table.columns, named)
        columns = {name: table.columns[name] for name in named}
        return read_one_hot(columns, set(table.columns) - set(named)) if named else None
    asked = set(choices.taxonomies or ())
    possible = {
        name: _without_blanks(cells, choices.blanks)
        for name, cells in table.columns.items()
        if may_be_classes(name) and name not in asked and name not in choices.known
    }
    return find_one_hot(possible, table.columns)


def _without_blanks(cells: Sequence[str], blanks: Blanks) -> list[str]:
    blank = {cell for cell in set(cells) if not read_names([cell], blanks)}
    return ["" if cell in blank else cell for cell in cells]


def _choose(
    cells: Mapping[str, Sequence[str]],
    parts: Mapping[str, ColumnParts],
    negative: Collection[str],
    choices: Choices,
) -> list[ColumnUse]:
    uses = []
    for name, found in cells.items():
        if name in negative:
            continue
        use = judge_column(name, found, choices.blanks, parts[name])
        if choices.taxonomies is not None:
            if name in choices.taxonomies:
                use = replace(use, role="taxonomy", reason="")
            elif use.role != "split":
                use = replace(use, role="metadata", reason=use.reason or "not chosen")
        elif name in choices.known and use.role == "metadata":
            use = replace(use, role="taxonomy", reason="")
        uses.append(use)
    return uses


# --------------------------------------------------------------------------- rows


def _names(parts: ColumnParts, blanks: Blanks) -> list[tuple[str, ...]]:
    """Return the classes of each cell, to be compared with those of other rows."""
    if parts.form == "exact":
        return list(parts.yes)
    return read_cells(parts.yes, blanks)


def _unmatched(table: LabelTable) -> list[LeftOut]:
    return [
        LeftOut(row, found.reason, image)
        for row, image, found in zip(table.rows, table.images, table.found, strict=True)
        if not found.uri
    ]


def _contradictions(
    table: LabelTable, repeats: Repeats, said: Mapping[str, Sequence[tuple[str, ...]]]
) -> list[LeftOut]:
    """Return the rows that say something else than the first one of their image that says any."""
    if repeats.row_is == "label":
        return []
    found = []
    for column, uris in repeats.differing.items():
        classes = said[column]
        for uri in uris:
            first, *later = (place for place in repeats.rows[uri] if classes[place])
            others = [p for p in later if frozenset(classes[p]) != frozenset(classes[first])]
            found += [
                LeftOut(
                    table.rows[place],
                    f"contradicts row {table.rows[first]}; the image has no label of this column",
                    table.images[place],
                    column,
                    table.columns[column][place],
                )
                for place in others
            ]
    return found


def _broken(table: LabelTable, columns: Mapping[str, Sequence[int]]) -> list[LeftOut]:
    return [
        LeftOut(
            table.rows[place],
            "could not be understood",
            table.images[place],
            column,
            table.columns[column][place],
        )
        for column, places in columns.items()
        for place in places
    ]


def _labels(
    use: ColumnUse, parts: ColumnParts, negative: ColumnParts | None, repeats: Repeats
) -> TaxonomyLabels:
    differing = repeats.differing.get(use.name, frozenset())
    broken = frozenset(parts.broken)
    yes: dict[str, tuple[str, ...]] = {}
    no: dict[str, tuple[str, ...]] = {}
    for uri, places in repeats.rows.items():
        if uri in differing and repeats.row_is == "image":
            continue
        sound = [place for place in places if place not in broken]
        if not sound:
            continue
        yes[uri] = _united(parts.yes, sound)
        denied = [source for source in (parts.no, negative.yes if negative else ()) if source]
        no[uri] = tuple(part for source in denied for part in _united(source, sound))
    together = repeats.row_is == "label" and bool(differing)
    kind: TaxonomyKind = "multi" if together else use.kind
    return TaxonomyLabels(
        use.name,
        kind,
        yes,
        no,
        parts.form == "exact",
        negative is not None or parts.form == "exact",
        _how(parts),
    )


def _united(cells: Sequence[tuple[str, ...]], places: Sequence[int]) -> tuple[str, ...]:
    if len(places) == 1:
        return cells[places[0]]
    return tuple(dict.fromkeys(part for place in places for part in cells[place]))


def _how(parts: ColumnParts) -> str:
    if parts.form == "list":
        return "cells are lists"
    if parts.form == "exact" or not parts.split:
        return ""
    shown = SEPARATOR_WORDS.get(parts.separator, f"'{parts.separator.strip()}'")
    return f"classes separated by {shown}"


def _hot_labels(hot: OneHot, repeats: Repeats) -> TaxonomyLabels:
    yes: dict[str, tuple[str, ...]] = {}
    no: dict[str, tuple[str, ...]] = {}
    for uri, places in repeats.rows.items():
        said: dict[str, list[str]] = {"yes": [], "no": []}
        for column, name in hot.classes.items():
            states = Counter(hot.states[column][place] for place in places)
            del states[""]
            if len(states) == 1:
                said[next(iter(states))].append(name)
            elif states and repeats.row_is == "label":
                said["yes"].append(name)
        yes[uri], no[uri] = tuple(said["yes"]), tuple(said["no"])
    return TaxonomyLabels(hot.name, "multi", yes, no, True, True, "columns of yes and no")


def _attributes(
    table: LabelTable, uses: Sequence[ColumnUse], repeats: Repeats, blanks: Blanks
) -> dict[str, dict[str, str]]:
    """Return the split, and the texts that are kept with images."""
    wanted = {use.name: "split" for use in uses if use.role == "split"}
    wanted = dict(list(wanted.items())[:1])
    wanted |= {
        use.name: use.name.lower()
        for use in uses
        if use.role == "metadata" and use.name.lower() in TEXT_NAMES
    }
    found: dict[str, dict[str, str]] = {}
    for column, name in wanted.items():
        cells = table.columns[column]
        for uri, places in repeats.rows.items():
            text = next(
                (cells[place] for place in places if read_names([cells[place]], blanks)), ""
            )
            if text:
                found.setdefault(name, {})[uri] = text
    return found


# --------------------------------------------------------------------------- notes


def _notes(
    table: LabelTable,
    uses: Sequence[ColumnUse],
    taxonomies: Sequence[TaxonomyLabels],
    hot: OneHot | None,
    repeats: Repeats,
    choices: Choices,
) -> list[str]:
    notes = [f"taxonomies: {', '.join(t.name for t in taxonomies)}"] if taxonomies else []
    said = {t.name for t in taxonomies if t.how and (hot is None or t.name != hot.name)}
    if hot is not None:
        shown = ", ".join(hot.classes)
        notes.append(
            f"{hot.name}: the columns of yes and no {shown} are its classes; --one-hot '' leaves"
            " them apart"
        )
    if choices.separator is None and (split := [t for t in taxonomies if t.name in said]):
        shown = "; ".join(f"{t.name}: {t.how}" for t in split)
        notes.append(f"{shown}; --separator '' keeps cells whole")
    if choices.taxonomies is None and taxonomies:
        notes += _note_left(uses)
    together = [t.name for t in taxonomies if repeats.differing.get(t.name)]
    if repeats.row_is == "label" and together:
        notes.append(
            f"{', '.join(together)}: the classes of all rows of an image go together; "
            "--row image leaves rows that differ out"
        )
    elif repeats.same and repeats.row_is == "image":
        notes.append(
            f"{repeats.same:,} row{' repeats' if repeats.same == 1 else 's repeat'} an earlier one"
        )
    ways = Counter(found.way for found in table.found if found.uri)
    for way, text in _WAYS.items():
        if ways[way]:
            notes.append(f"{ways[way]:,} of {len(table.found):,} images were found {text}")
    return notes


def _note_mixed(table: LabelTable, column: str, parts: ColumnParts) -> Iterator[str]:
    """Yield what became of cells that hold another separator than the rest of their column."""

    def example(places: Sequence[int]) -> str:
        cell = " ".join(table.columns[column][places[0]].split())
        count = f"{len(places):,} cell{'s' if len(places) > 1 else ''}"
        return f"{count} (row {table.rows[places[0]]}: '{cell[:60]}')"

    if parts.mixed:
        yield (
            f"{column}: another separator stands in {example(parts.mixed)}, and splits there, too, "
            "as all parts are classes of other cells; --separator TEXT splits by that alone"
        )
    if parts.doubtful:
        yield (
            f"{column}: what may be another separator stands in {example(parts.doubtful)}, and is "
            "kept in the name of the class; if it is one, use the same in the whole column and "
            "import it again"
        )


_WAYS = {
    "case": "by a name in other case",
    "suffix": "by their name without the file's suffix",
    "number": "by a number with other leading zeros",
}


def _note_left(uses: Sequence[ColumnUse]) -> list[str]:
    left: dict[str, list[str]] = {}
    for use in uses:
        if use.role == "metadata":
            left.setdefault(use.reason, []).append(use.name)
    if not left:
        return []
    shown = "; ".join(f"{', '.join(names)} ({why})" for why, names in left.items())
    return [f"not taken as taxonomies: {shown}; --taxonomy COLUMN overrules"]
