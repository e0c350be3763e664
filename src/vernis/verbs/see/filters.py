"""Select images by a filter: what the catalog knows, as the arrays that filters are asked of."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.filter_evaluation import FilterTable, LabelColumns, Mask, evaluate_filter
from vernis.core.explore.filter_language import parse_filter
from vernis.domain.types import LABEL_KINDS, QUALITY_KINDS, ImageRecord
from vernis.verbs.see.objects import FIELD, object_counts, object_masks

if TYPE_CHECKING:
    from vernis.session.session import Session

V = TypeVar("V")

_KINDS = (*QUALITY_KINDS, "duplicate", *LABEL_KINDS)
"""Kinds of issue that can be asked for before one was found."""

_FORMATS = (
    *("JPEG", "MPO", "JPEG2000", "JXL", "PNG", "APNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF"),
    *("BMP", "DIB", "ICO", "ICNS", "PPM", "TGA", "PCX", "PSD", "DDS", "SGI", "XBM"),
)
"""Formats that can be asked for where no image has one."""

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
    images = session.images()
    holds = evaluate_filter(tree, filter_table(session, images), text)
    return np.array([image.id for image in images], dtype=np.int64)[holds]


def filter_table(session: Session, images: Sequence[ImageRecord]) -> FilterTable:
    """Return what filters can ask about images that are present, in ascending order of id."""
    numbers, texts = _metadata(images)
    numbers |= {
        "id": _numbers([image.id for image in images]),
        "width": _numbers([image.width or math.nan for image in images]),
        "height": _numbers([image.height or math.nan for image in images]),
        "size": _numbers([image.size for image in images]),
    }
    numbers["aspect"] = numbers["width"] / numbers["height"]
    numbers["megapixels"] = numbers["width"] * numbers["height"] / 1e6
    texts |= {
        "name": [image.uri.rpartition("/")[2] for image in images],
        "path": [image.uri for image in images],
        "format": [image.format for image in images],
    }
    taxonomies = _Taxonomies(session, images)
    issues = _Values(lambda: _issues(session, images))
    counted = _Values(lambda: {"objects": lambda: object_counts(session, images)})
    return FilterTable(
        len(images),
        numbers=ChainMap(numbers, counted),  # type: ignore[arg-type]
        positive=("id", "width", "height", "size", "aspect", "megapixels", "objects"),
        dates={
            "taken": [str(image.metadata.get("taken", "")) for image in images],
            "modified": [_date(image.mtime_ns) for image in images],
        },
        texts=texts,
        choices={"format": _FORMATS},
        readings=_Values(lambda: {"text": lambda: _lines(session, images)}),
        folders={"folder": [image.uri.rpartition("/")[0] for image in images]},
        marks={
            "split": _splits(images),
            "is": _Values(lambda: _states(taxonomies, issues)),
            "has": _Values(lambda: _haves(session, images, taxonomies)),
            "issue": issues,
            "source": _Values(lambda: _sources(session, images)),
            FIELD: _Values(lambda: object_masks(session, images)),
        },
        remedies={FIELD: "no object is known yet; the command for it is vernis detect"},
        taxonomies=taxonomies,
    )


class _Taxonomies(Mapping[str, LabelColumns]):
    """The taxonomies of a collection, each read when it is asked for."""

    def __init__(self, session: Session, images: Sequence[ImageRecord]) -> None:
        self._session = session
        self._ids = np.array([image.id for image in images], dtype=np.int64)
        self._names = [taxonomy.name for taxonomy in session.taxonomies()]
        self._read: dict[str, LabelColumns] = {}
        self._confirmed: dict[str, Mask] = {}

    def __getitem__(self, name: str) -> LabelColumns:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            matrix = self._session.matrix(name)
            rows = np.searchsorted(matrix.image_ids, self._ids)
            yes = (matrix.values == 1)[rows]
            self._read[name] = LabelColumns(matrix.taxonomy.classes, yes)
            self._confirmed[name] = (matrix.confirmed[rows] & yes).any(axis=1)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def labelled(self) -> Mask:
        """Return which images carry a label of any taxonomy."""
        return self._any(partial(_has, self))

    def confirmed(self) -> Mask:
        """Return which images carry a label that a person gave or accepted."""

        def of(name: str) -> Mask:
            self[name]
            return self._confirmed[name]

        return self._any(of)

    def _any(self, of: Callable[[str], Mask]) -> Mask:
        holds = np.zeros(len(self._ids), dtype=np.bool_)
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
    session: Session, images: Sequence[ImageRecord], taxonomies: _Taxonomies
) -> dict[str, Callable[[], Mask]]:
    def text() -> Mask:
        known = session.text_lines()
        return np.array([bool(known.get(image.content_hash)) for image in images], dtype=np.bool_)

    return {"text": text, **{name: partial(_has, taxonomies, name) for name in taxonomies}}


def _lines(session: Session, images: Sequence[ImageRecord]) -> list[Sequence[str] | None]:
    known = session.text_lines()
    return [known.get(image.content_hash) for image in images]


def _numbers(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _metadata(
    images: Sequence[ImageRecord],
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Sequence[str]]]:
    """Return the numbers and the texts of the images' metadata, by key in lower case."""
    keys = {key for image in images for key in image.metadata} - {"taken"}
    numbers: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, Sequence[str]] = {}
    for key in keys:
        values: list[Any] = [image.metadata.get(key) for image in images]
        if all(isinstance(v, int | float) for v in values if v is not None):
            numbers[key.lower()] = _numbers([math.nan if v is None else v for v in values])
        else:
            texts[key.lower()] = ["" if v is None else str(v) for v in values]
    return numbers, texts


def _date(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC).isoformat(timespec="seconds")[:19]


def _splits(images: Sequence[ImageRecord]) -> dict[str, Mask]:
    names = sorted({image.split for image in images} - {""})
    splits = np.array([image.split for image in images])
    return {name: splits == name for name in names}


def _issues(session: Session, images: Sequence[ImageRecord]) -> dict[str, Callable[[], Mask]]:
    """Return kind → which images have an issue of it that was not dismissed."""
    places = {image.id: row for row, image in enumerate(images)}
    found = {kind: np.zeros(len(images), dtype=np.bool_) for kind in _KINDS}
    for issue in session.catalog.issues.select(verdicts=("open", "accepted")):
        for image_id in (issue.image_id, issue.other_id):
            if image_id in places:
                empty = np.zeros(len(images), dtype=np.bool_)
                found.setdefault(issue.kind, empty)[places[image_id]] = True
    return {kind: partial(np.asarray, mask) for kind, mask in found.items()}


def _sources(session: Session, images: Sequence[ImageRecord]) -> dict[str, Callable[[], Mask]]:
    """Return source, and its word before the colon, → which images carry a label by it."""
    labels = session.catalog.labels
    named = labels.counts_by_source()
    words = {name.partition(":")[0] for name in named} | _SOURCES
    ids = np.array([image.id for image in images], dtype=np.int64)

    def said(source: str) -> Mask:
        told = set[int]()
        for taxonomy in session.taxonomies():
            told |= labels.images_said_by(taxonomy.name, source)
        return np.isin(ids, np.fromiter(told, np.int64, len(told)))

    return {name: partial(said, name) for name in sorted({*words, *named})}
