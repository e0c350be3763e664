"""``collection.set_labels``: take labels over from a frame as ``labels`` gives it.

Only the cells that differ from the labels as they are are written, all as one batch, which one
``undo`` takes back. Images and classes that the frame lacks keep their labels; a blank is unknown:
the label is withdrawn. A class that the taxonomy lacks is added to it.

By default a person says so: the labels go before all others, and ``issues`` does not judge them.
Labels of another program are better recorded with ``source="given"``, as an import does; where a
person or a fill said something else, that still holds.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_names import kept_names
from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import InvalidCall, InvalidLabels, NotFound
from vernis.domain.types import LabelState, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Option, Verb, in_python

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session

_STATES: Mapping[str, float] = {
    **dict.fromkeys(("yes", "true", "1", "1.0"), 1.0),
    **dict.fromkeys(("no", "false", "0", "0.0"), 0.0),
    **dict.fromkeys(("unknown", "", "nan", "none", "<na>", "nat"), np.nan),
}
"""What a cell of a multi taxonomy may hold, as text in small letters."""
_ORIGIN = "set_labels"


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which labels, and who says so."""

    frame: Annotated[
        Any,
        Option(
            "what `labels` gives: images as index; of single taxonomies a column of texts each, of "
            "a multi taxonomy a column a class (True, False, missing; also 1, 0; yes, no, unknown)",
            "DataFrame or Series",
            python=True,
        ),
    ]
    _: KW_ONLY
    taxonomy: Annotated[
        str | None,
        Option("the taxonomy (default: the name of the frame's columns, or of the only column)"),
    ] = None
    source: Annotated[
        Literal["human", "given"], Option("a person's decision, or labels as an import brings them")
    ] = "human"
    who: Annotated[str, Option("your name, of a person's decision (default: the login name)")] = ""
    create: Annotated[bool, Option("make the taxonomy if there is none of the name")] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was changed."""

    images: Annotated[int, "images whose labels differed"]
    changes: Annotated[int, "labels (image × class; in a single taxonomy images) that differed"]
    overruled: Annotated[int, "of those, labels that a more believed source still holds"]
    left_out: Annotated[int, "rows of images that are in the trash, vanished or unreadable"]
    new_classes: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → classes that it lacked"]
    batch: Annotated[int, "its number, 0 when nothing changed"]


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """Labels of one taxonomy as the frame has them.

    Attributes
    ----------
    taxonomy : Taxonomy
        Its classes are those that the frame names.
    values : ndarray of float32, shape (n_rows, n_classes)
        1, 0 or NaN; in a single taxonomy 1 at the class and all NaN where the cell is blank.
    """

    taxonomy: Taxonomy
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What recording the labels of one taxonomy did; ``images`` are ids."""

    images: frozenset[int]
    changes: int
    overruled: int
    new_classes: tuple[str, ...]
    batch: int


def work(session: Session, settings: Settings) -> Result:
    """Record what a frame changes of the labels, as one batch.

    Raises
    ------
    InvalidCall
        It is no frame, or does not say which taxonomy it is about.
    NotFound
        There is no such taxonomy; ``create=True`` makes it.
    InvalidLabels
        A row is about no image of the collection or comes twice, or a cell is no label.
    """
    table = _as_frame(settings.frame)
    source = "given"
    if settings.source == "human":
        source = f"human:{settings.who or getpass.getuser()}"
    with session.lock("set_labels"):
        ids, rows = _match_images(session, [str(image) for image in table.index])
        part_of = _split(table.iloc[rows], session.taxonomies(), settings)
        wanted = [_read(part, taxonomy) for taxonomy, part in part_of]
        with session.catalog.transaction():
            done = [_record(session, one, ids, source) for one in wanted]
    names = [one.taxonomy.name for one in wanted]
    return Result(
        images=len(frozenset[int]().union(*(one.images for one in done))),
        changes=sum(one.changes for one in done),
        overruled=sum(one.overruled for one in done),
        left_out=len(table) - len(ids),
        new_classes={
            n: one.new_classes for n, one in zip(names, done, strict=True) if one.new_classes
        },
        batch=max((one.batch for one in done), default=0),
    )


# --------------------------------------------------------------------------- reading the frame


def _as_frame(given: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(given, pd.Series):
        given = given.to_frame()
    if not isinstance(given, pd.DataFrame):
        raise InvalidCall(
            "set_labels: expected frame of a DataFrame or Series as labels() gives it, got a "
            f"{type(given).__name__}"
        )
    # A CSV file that was read back without ``index_col``.
    return given.set_index("image") if "image" in given.columns else given


def _match_images(session: Session, uris: Sequence[str]) -> tuple[NDArray[np.int64], list[int]]:
    """Return the present images of a frame's rows, by id, and which rows those are."""
    table = session.table()
    present = dict(zip(table.uris, table.ids.tolist(), strict=True))
    strange = set(uris) - set(present) - set(session.uris().values())
    if strange:
        first = next(uri for uri in uris if uri in strange)
        raise InvalidLabels(
            f"set_labels: {counted(len(strange), 'row')} of {len(uris):,} about no image of the "
            f"collection: {first!r}{did_you_mean(first, present)}; the index is the path that "
            f"labels() has, such as {next(iter(present), '')!r}"
        )
    rows = [row for row, uri in enumerate(uris) if uri in present]
    ids = np.asarray([present[uris[row]] for row in rows], np.int64)
    _, times = np.unique(ids, return_counts=True)
    if (times > 1).any():
        twice = next(uri for uri in uris if uris.count(uri) > 1)
        raise InvalidLabels(f"set_labels: the image {twice!r} has several rows; keep one")
    return ids, rows


def _split(
    table: pd.DataFrame, known: Sequence[Taxonomy], settings: Settings
) -> list[tuple[Taxonomy, pd.DataFrame]]:
    """Return the taxonomies that a frame is about, each with its columns."""
    named = settings.taxonomy or table.columns.name
    if named is not None:
        return [(_find(str(named), table, known, create=settings.create), table)]
    singles = {taxonomy.name for taxonomy in known if taxonomy.kind == "single"}
    names = [str(name) for name in table.columns]
    if len(names) == 1 or set(names) <= singles:
        columns = [table.iloc[:, [at]] for at in range(len(names))]
        return [
            (_find(name, column, known, create=settings.create), column)
            for name, column in zip(names, columns, strict=True)
        ]
    raise InvalidCall(
        "set_labels: the frame does not say which taxonomy it is about; give taxonomy=NAME "
        f"(there are: {', '.join(t.name for t in known) or 'none'})"
    )


def _find(name: str, part: pd.DataFrame, known: Sequence[Taxonomy], *, create: bool) -> Taxonomy:
    for taxonomy in known:
        if taxonomy.name == name:
            return taxonomy
    if not create:
        names = [taxonomy.name for taxonomy in known]
        raise NotFound(
            f"set_labels: there is no taxonomy {name!r}{did_you_mean(name, names)}; there are: "
            f"{', '.join(names) or 'none yet'}; create=True makes it"
        )
    is_single = len(part.columns) == 1 and str(part.columns[0]) == name
    return Taxonomy(name, "single" if is_single else "multi", origin=_ORIGIN)


def _read(part: pd.DataFrame, taxonomy: Taxonomy) -> _Wanted:
    return (_read_single if taxonomy.kind == "single" else _read_multi)(part, taxonomy)


def _read_single(part: pd.DataFrame, taxonomy: Taxonomy) -> _Wanted:
    if len(part.columns) != 1:
        raise InvalidLabels(
            f"set_labels: {taxonomy.name!r} has one label an image: expected one column of texts, "
            f"got {len(part.columns)}: {', '.join(map(str, part.columns[:5]))}"
        )
    cells = part.iloc[:, 0]
    names: list[str] = []
    for image, cell, blank in zip(part.index, cells, cells.isna(), strict=True):
        if not blank and not isinstance(cell, str):
            raise InvalidLabels(
                f"set_labels: expected the class of {image!r} in {taxonomy.name!r} as text, got "
                f"{cell!r} ({type(cell).__name__})"
            )
        names.append("" if blank else cell)
    kept = kept_names(set(names), taxonomy.classes)
    names = [kept[name] for name in names]
    classes = tuple(sorted(set(names) - {""}))
    place = {label: at for at, label in enumerate(classes)}
    values = np.full((len(names), len(classes)), np.nan, np.float32)
    for row, label in enumerate(names):
        if label:
            values[row] = 0
            values[row, place[label]] = 1
    return _Wanted(replace(taxonomy, classes=classes), values)


def _read_multi(part: pd.DataFrame, taxonomy: Taxonomy) -> _Wanted:
    import pandas as pd

    written = [str(name) for name in part.columns]
    kept = kept_names(written, taxonomy.classes)
    classes = [kept[name] for name in written]
    wrong = [label for at, label in enumerate(classes) if not label or label in classes[:at]]
    if wrong:
        raise InvalidLabels(f"set_labels: the column {wrong[0]!r} comes twice or has no name")
    values = np.full(part.shape, np.nan, np.float32)
    for column, label in enumerate(classes):
        cells = part.iloc[:, column]
        # The distinct cells are few, whatever their type.
        codes, distinct = pd.factorize(cells.astype(object), use_na_sentinel=True)
        states = np.asarray([_state_of(cell) for cell in distinct] + [np.nan])
        bad = [at for at, state in enumerate(states[:-1]) if state < 0]
        if bad:
            image = part.index[int(np.flatnonzero(codes == bad[0])[0])]
            raise InvalidLabels(
                f"set_labels: expected True, False or a blank for {image!r} × {label!r}, got "
                f"{distinct[bad[0]]!r}"
            )
        values[:, column] = states[codes]
    return _Wanted(replace(taxonomy, classes=tuple(classes)), values)


def _state_of(cell: Any) -> float:
    """Return 1, 0 or NaN; -1 for what is none of them."""
    return _STATES.get(str(cell).strip().lower(), -1.0)


# --------------------------------------------------------------------------- recording


def _record(session: Session, wanted: _Wanted, ids: NDArray[np.int64], source: str) -> _Recorded:
    """Write what differs from the labels as they are."""
    labels, name = session.catalog.labels, wanted.taxonomy.name
    known = {taxonomy.name: taxonomy.classes for taxonomy in session.taxonomies()}.get(name, ())
    labels.define(wanted.taxonomy)
    matrix = session.matrix(name)
    rows = np.searchsorted(matrix.image_ids, ids)
    before = matrix.values[rows]
    target = _target(before, wanted, matrix.taxonomy)
    differs = ~_equal(before, target)
    said, withdrawn = _changes(ids, before, target, matrix.taxonomy)
    batch = 0
    if said:
        batch = labels.record(name, said, source=source, verb="set_labels", note=_note(said))
    for other, statements in _withdrawals(session, matrix.taxonomy, withdrawn, source).items():
        note = counted(len(statements), "label") + " withdrawn"
        batch = labels.record(name, statements, source=other, verb="set_labels", note=note) or batch
    after, is_single = session.matrix(name).values[rows], wanted.taxonomy.kind == "single"
    as_wanted = (after == 1) == (target == 1) if is_single else _equal(after, target)
    overruled, changed = differs & ~as_wanted, differs.any(axis=1)
    return _Recorded(
        images=frozenset(ids[changed].tolist()),
        changes=int(changed.sum() if is_single else differs.sum()),
        overruled=int(overruled.any(axis=1).sum() if is_single else overruled.sum()),
        new_classes=tuple(label for label in wanted.taxonomy.classes if label not in known),
        batch=batch,
    )


def _note(said: Sequence[Statement]) -> str:
    return counted(len(said), "label")


def _equal(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def _target(
    before: NDArray[np.float32], wanted: _Wanted, taxonomy: Taxonomy
) -> NDArray[np.float32]:
    """Return the labels as they shall be, with every class of the taxonomy."""
    place = {label: at for at, label in enumerate(taxonomy.classes)}
    columns = np.asarray([place[label] for label in wanted.taxonomy.classes], np.intp)
    target = before.copy()
    if taxonomy.kind == "single":
        chosen = (wanted.values == 1).any(axis=1)
        # A blank withdraws the class; what the image surely is not stays.
        target[~chosen & (before == 1).any(axis=1)] = np.nan
        target[chosen] = 0
        target[np.ix_(chosen, columns)] = wanted.values[chosen]
        return target
    target[:, columns] = wanted.values
    if taxonomy.closed:
        target[(target == 1).any(axis=1)[:, None] & np.isnan(target)] = 0
    return target


def _changes(
    ids: NDArray[np.int64],
    before: NDArray[np.float32],
    target: NDArray[np.float32],
    taxonomy: Taxonomy,
) -> tuple[list[Statement], list[tuple[int, str]]]:
    """Return what is to be said, and the image × class of which nothing is known any more."""
    differs = ~_equal(before, target)
    has_yes: NDArray[np.bool_] = (target == 1).any(axis=1, keepdims=True)
    if taxonomy.kind == "single":
        stated = differs & (target == 1)
    elif taxonomy.closed:
        # A yes implies the rest; where there is none (any more), each no must be said.
        implied = has_yes & np.isnan(before) & (target == 0)
        alone = differs.any(axis=1, keepdims=True) & ~has_yes & (target == 0)
        stated = (differs & np.isfinite(target) & ~implied) | alone
    else:
        stated = differs & np.isfinite(target)
    state: dict[float, LabelState] = {1.0: "yes", 0.0: "no"}
    said = [
        Statement(int(ids[row]), taxonomy.classes[column], state[float(target[row, column])])
        for row, column in np.argwhere(stated).tolist()
    ]
    blank = [
        (int(ids[row]), taxonomy.classes[column])
        for row, column in np.argwhere(differs & np.isnan(target)).tolist()
    ]
    return said, blank


def _withdrawals(
    session: Session, taxonomy: Taxonomy, cells: Sequence[tuple[int, str]], source: str
) -> dict[str, list[Statement]]:
    """Return what each source has to take back so that nothing is known of some cells.

    What a person blanks nobody may say any more; what is given takes back what was given.
    """
    if not cells:
        return {}
    wanted, found = set(cells), {}
    about = session.catalog.labels.statements_about(taxonomy.name, {label for _, label in cells})
    for other, statements in about.items():
        if other.startswith("model:") or (source == "given" and other != "given"):
            continue
        taken = [
            Statement(said.image_id, said.label, "unknown")
            for said in statements
            if (said.image_id, said.label) in wanted
            and (taxonomy.kind == "multi" or said.state == "yes")
        ]
        if taken:
            found[other] = taken
    return found


VERB = Verb(Settings, work, in_python)
