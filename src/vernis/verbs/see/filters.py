"""Select images by a filter: what the catalog knows, as the arrays that filters are asked of."""

from __future__ import annotations

import math
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance import colors, picture_type
from vernis.core.explore.filter_evaluation import FilterTable, LabelColumns, Mask, evaluate_filter
from vernis.core.explore.filter_language import parse_filter
from vernis.domain.types import (
    BOX_KINDS,
    LABEL_KINDS,
    QUALITY_KINDS,
    REFUSED,
    ImageRecord,
    ImageTable,
    LabelMatrix,
)
from vernis.verbs.see.appearances import COLOR, TYPE, Appearances
from vernis.verbs.see.objects import FIELD, object_counts, object_masks

if TYPE_CHECKING:
    from vernis.session.session import Session

V = TypeVar("V")

_KINDS = (*QUALITY_KINDS, "duplicate", *LABEL_KINDS, *BOX_KINDS, REFUSED)
"""Kinds of issue that can be asked for before one was found."""

_FORMATS = (
    *("JPEG", "MPO", "JPEG2000", "JXL", "PNG", "APNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF"),
    *("BMP", "DIB", "ICO", "ICNS", "PPM", "TGA", "PCX", "PSD", "DDS", "SGI", "XBM"),
)
"""Formats that can be asked for where no image has one."""

SUGGESTED = "suggested"
"""The field that asks for labels that are suggested, by whomever."""

_SOURCES = {"human", "accepted", "given", "reader", "api", "proposal", "model"}
"""Who can say something of an image, whether anybody did or not."""


def select_images(session: Session, text: str) -> NDArray[np.int64]:
    """Return the ids of the present images that a filter holds for, in ascending order.

    Parameters
    ----------
    session : Session
    text : str
        In the filter language, see ``core.explore.filter_language``.

    Raises
    ------
    FilterError
        The text cannot be read, or names what the collection does not have.
    """
    tree = parse_filter(text)
    holds = evaluate_filter(tree, filter_table(session), text)
    return session.table().ids[holds]


def chosen_ids(session: Session, where: str) -> set[int] | None:
    """Return the ids that a filter holds for, None where none is named; raises FilterError."""
    return set(select_images(session, where).tolist()) if where.strip() else None


def chosen_images(session: Session, where: str) -> list[ImageRecord]:
    """Return the present images that a filter holds for, all where none is named.

    Raises
    ------
    FilterError
        As of `select_images`.
    """
    chosen = chosen_ids(session, where)
    return [image for image in session.images() if chosen is None or image.id in chosen]


@dataclass(frozen=True, slots=True, eq=False)
class _ImageColumns:
    """What filters ask about images that no decision changes, read once."""

    numbers: Mapping[str, NDArray[np.float64]]
    dates: Mapping[str, Sequence[str]]
    texts: Mapping[str, Sequence[str]]
    folders: Sequence[str]
    splits: Mapping[str, Mask]


def filter_table(session: Session) -> FilterTable:
    """Return what filters can ask about the present images, in ascending order of id."""
    table = session.table()
    columns = session.kept("filter columns", ("images",), lambda: _image_columns(session, table))
    taxonomies = _Taxonomies(session, len(table))
    issues = _Values(lambda: _issues(session, table))
    counted = _Values(lambda: {"objects": lambda: object_counts(session, table)})
    return FilterTable(
        len(table),
        numbers=ChainMap(columns.numbers, counted),  # type: ignore[arg-type]
        positive=("id", "width", "height", "size", "aspect", "megapixels", "objects"),
        dates=columns.dates,
        texts=columns.texts,
        choices={"format": _FORMATS},
        readings=_Values(lambda: {"text": lambda: _lines(session, table)}),
        folders={"folder": columns.folders},
        marks={
            "split": columns.splits,
            "is": _Values(lambda: _states(taxonomies, issues)),
            "has": _Values(lambda: _haves(session, table, taxonomies)),
            "issue": issues,
            "source": _Values(lambda: _sources(session, table)),
            FIELD: _Values(lambda: object_masks(session, table)),
            SUGGESTED: _Values(lambda: _suggested(session, table)),
            COLOR: _Values(lambda: _looks(session, table, COLOR)),
            TYPE: _Values(lambda: _looks(session, table, TYPE)),
        },
        remedies={
            FIELD: "no object is known yet; the command for it is vernis detect",
            SUGGESTED: "nothing is suggested yet; vernis tag, fill, brands and annotate suggest",
            **dict.fromkeys((COLOR, TYPE), "no picture was measured yet; run vernis embed"),
        },
        other_words={COLOR: colors.ALIASES, TYPE: picture_type.ALIASES},
        yielding=(COLOR, TYPE),
        taxonomies=taxonomies,
    )


def _image_columns(session: Session, table: ImageTable) -> _ImageColumns:
    metadata = session.catalog.images.metadata()
    rows = table.row_of(np.fromiter(metadata, np.int64, len(metadata))).tolist()
    told = list(zip(rows, metadata.values(), strict=True))
    numbers, texts = _metadata(told, len(table))
    sides = [table.widths.astype(np.float64), table.heights.astype(np.float64)]
    width, height = (np.where(side == 0, math.nan, side) for side in sides)
    numbers |= {
        "id": table.ids.astype(np.float64),
        "width": width,
        "height": height,
        "size": table.sizes.astype(np.float64),
        "aspect": width / height,
        "megapixels": width * height / 1e6,
    }
    texts |= {
        "name": [uri.rpartition("/")[2] for uri in table.uris],
        "path": table.uris,
        "format": [table.formats.names[code] for code in table.formats.codes.tolist()],
    }
    taken = [""] * len(table)
    for row, said in told:
        taken[row] = str(said.get("taken", ""))
    folders = (uri.rpartition("/")[0] for uri in table.uris)
    splits = {
        name: table.splits.codes == code for code, name in enumerate(table.splits.names) if name
    }
    return _ImageColumns(
        numbers,
        _Values(
            lambda: {
                "taken": lambda: taken,
                "modified": lambda: session.kept(
                    "times of change", ("images",), lambda: list(map(_date, table.mtimes.tolist()))
                ),
            }
        ),
        texts,
        list(map(sys.intern, folders)),
        {name: mask for name, mask in sorted(splits.items()) if mask.any()},
    )


@dataclass(slots=True, eq=False)
class Carried:
    """Which present images carry which classes of a taxonomy; brought up to date in place.

    Attributes
    ----------
    classes : tuple of str
    image_ids : ndarray of int64, shape (n_images,)
    yes : ndarray of bool, shape (n_classes, n_images)
        A row a class: whole classes are counted and combined, never whole images.
    confirmed : ndarray of bool, shape (n_images,)
        A person gave or accepted one of the labels.
    """

    classes: tuple[str, ...]
    image_ids: NDArray[np.int64]
    yes: Mask
    confirmed: Mask

    @classmethod
    def of(cls, matrix: LabelMatrix) -> Carried:
        """Return what a matrix says."""
        yes = np.ascontiguousarray((matrix.values == 1).T)
        confirmed = np.asarray((matrix.confirmed.T & yes).any(axis=0))
        return cls(matrix.taxonomy.classes, matrix.image_ids, yes, confirmed)

    def take(self, part: LabelMatrix) -> Carried:
        """Take the rows of some images, in place."""
        new = Carried.of(part)
        rows = np.searchsorted(self.image_ids, new.image_ids)
        self.yes[:, rows], self.confirmed[rows] = new.yes, new.confirmed
        return self


def carried(session: Session, taxonomy: str) -> Carried:
    """Return which present images carry which classes; changed in place by the next call."""
    labels = session.catalog.labels

    def renew(known: Carried, images: Sequence[int]) -> Carried:
        return known.take(labels.matrix(taxonomy, images))

    def read() -> Carried:
        return Carried.of(labels.matrix(taxonomy))

    return session.followed(f"carried {taxonomy}", ("images", "taxonomies"), read, renew)


class _Taxonomies(Mapping[str, LabelColumns]):
    """The taxonomies of a collection, each read when it is asked for."""

    def __init__(self, session: Session, size: int) -> None:
        self._session = session
        self._size = size
        self._names = [taxonomy.name for taxonomy in session.taxonomies()]

    def __getitem__(self, name: str) -> LabelColumns:
        if name not in self._names:
            raise KeyError(name)
        found = carried(self._session, name)
        return LabelColumns(found.classes, found.yes.T)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def labelled(self) -> Mask:
        """Return which images carry a label of any taxonomy."""
        return self._any(partial(_has, self))

    def confirmed(self) -> Mask:
        """Return which images carry a label that a person gave or accepted."""
        return self._any(lambda name: carried(self._session, name).confirmed)

    def _any(self, of: Callable[[str], Mask]) -> Mask:
        holds = np.zeros(self._size, dtype=np.bool_)
        for name in self._names:
            holds |= of(name)
        return holds


class _Values(Mapping[str, V]):
    """What fields hold, such as the masks of a field's values, made when a filter asks for it.

    ``find`` gives name → a function that makes the value; it is called once.
    """

    def __init__(self, find: Callable[[], Mapping[str, Callable[[], V]]]) -> None:
        self._find = find

    @cached_property
    def _makers(self) -> Mapping[str, Callable[[], V]]:
        return self._find()

    def __getitem__(self, name: str) -> V:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _states(taxonomies: _Taxonomies, issues: Mapping[str, Mask]) -> dict[str, Callable[[], Mask]]:
    return {
        "labelled": taxonomies.labelled,
        "unlabelled": lambda: ~taxonomies.labelled(),
        "confirmed": taxonomies.confirmed,
        "suspect": lambda: np.asarray(np.logical_or.reduce(list(issues.values()))),
    }


def _has(taxonomies: _Taxonomies, name: str) -> Mask:
    return np.asarray(taxonomies[name].yes.any(axis=1))


def _haves(
    session: Session, table: ImageTable, taxonomies: _Taxonomies
) -> dict[str, Callable[[], Mask]]:
    def read() -> Mask:
        return np.array([bool(lines) for lines in _lines(session, table)], dtype=np.bool_)

    def text() -> Mask:
        return session.kept("has text", ("images", "readings"), read)

    return {"text": text, **{name: partial(_has, taxonomies, name) for name in taxonomies}}


def _lines(session: Session, table: ImageTable) -> list[Sequence[str] | None]:
    known = session.text_lines()
    if not known:
        return [None] * len(table)
    return [known.get(content.decode("ascii")) for content in table.hashes.tolist()]


def _metadata(
    told: Sequence[tuple[int, Mapping[str, Any]]], size: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Sequence[str]]]:
    """Return the numbers and the texts of the images' metadata, by key in lower case.

    ``told`` is row and metadata of the images that have any.
    """
    keys = {key for _, metadata in told for key in metadata} - {"taken"}
    numbers: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, Sequence[str]] = {}
    for key in keys:
        values = [(row, said[key]) for row, said in told if said.get(key) is not None]
        if all(isinstance(value, int | float) for _, value in values):
            column = np.full(size, math.nan)
            for row, value in values:
                column[row] = value
            numbers[key.lower()] = column
        else:
            words = [""] * size
            for row, value in values:
                words[row] = str(value)
            texts[key.lower()] = words
    return numbers, texts


def _date(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC).isoformat(timespec="seconds")[:19]


def _issues(session: Session, table: ImageTable) -> dict[str, Callable[[], Mask]]:
    """Return kind → which images have an issue of it that was not dismissed."""
    store = session.catalog.issues

    def read() -> dict[str, Mask]:
        return _taken({}, table, store.suspected())

    def renew(known: dict[str, Mask], images: Sequence[int]) -> dict[str, Mask]:
        return _taken(known, table, store.suspected(images), images)

    found = session.followed("suspected", ("images", "found"), read, renew)
    empty = np.zeros(len(table), dtype=np.bool_)
    every = dict.fromkeys(_KINDS, empty) | found
    return {kind: partial(np.asarray, mask) for kind, mask in every.items()}


def _sources(session: Session, table: ImageTable) -> dict[str, Callable[[], Mask]]:
    """Return source, and its word before the colon, → which images carry a label by it."""
    labels = session.catalog.labels

    def read() -> dict[str, Mask]:
        return _taken({}, table, labels.carried_by())

    def renew(known: dict[str, Mask], images: Sequence[int]) -> dict[str, Mask]:
        return _taken(known, table, labels.carried_by(images), images)

    known = session.followed("sources", ("images", "taxonomies"), read, renew)
    words = {name.partition(":")[0] for name in known} | _SOURCES

    def said(source: str) -> Mask:
        holds = np.zeros(len(table), dtype=np.bool_)
        for name, mask in known.items():
            if name.startswith(source):
                holds |= mask
        return holds

    return {name: partial(said, name) for name in sorted({*words, *known})}


def _taken(
    known: dict[str, Mask],
    table: ImageTable,
    found: Mapping[str, NDArray[np.int64]],
    images: Sequence[int] | None = None,
) -> dict[str, Mask]:
    """Return the masks of names → images, those known before with some images asked anew."""
    masks = {name: mask.copy() for name, mask in known.items()}
    asked = None if images is None else np.asarray(images, np.int64)
    if asked is not None:
        rows = table.row_of(asked[table.holds(asked)])
        for mask in masks.values():
            mask[rows] = False
    for name, ids in found.items():
        wanted = ids if asked is None else ids[np.isin(ids, asked)]
        mask = masks.setdefault(name, np.zeros(len(table), dtype=np.bool_))
        mask[table.row_of(wanted[table.holds(wanted)])] = True
    return masks


def _suggested(session: Session, table: ImageTable) -> dict[str, Callable[[], Mask]]:
    """Return label → the images that it is suggested for; see ``records.SuggestedRow``."""
    labels, issues = session.catalog.labels, session.catalog.issues

    def read() -> dict[str, Mask]:
        return _taken({}, table, labels.proposed())

    def renew(known: dict[str, Mask], images: Sequence[int]) -> dict[str, Mask]:
        return _taken(known, table, labels.proposed(images), images)

    proposed = session.followed("proposed", ("images", "taxonomies"), read, renew)
    kept = session.kept("suggested", ("images", "found"), issues.suggested)
    found = {name: mask for name, mask in proposed.items() if mask.any()}
    for name, ids in kept.items():
        mask = found.get(name, np.zeros(len(table), dtype=np.bool_)).copy()
        mask[table.row_of(ids)] = True
        found[name] = mask
    return {name: partial(np.asarray, found[name]) for name in sorted(found)}


def _looks(session: Session, table: ImageTable, named: str) -> dict[str, Callable[[], Mask]]:
    """Return name → which images have the colour, or are of the type."""
    facets = session.kept(
        "looks", ("images", "vectors"), lambda: Appearances(session).facets(table.ids)
    )
    return {name: partial(np.asarray, mask) for name, mask in facets[named].items()}
