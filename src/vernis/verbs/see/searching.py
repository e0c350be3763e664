"""Search a collection by pictures, parts of pictures, words and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.regions import Region
from vernis.core.explore.search import Rule
from vernis.domain.encoders import TextEncoder
from vernis.domain.errors import NotFound, UnreadableImage, UsageError
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord, Space
from vernis.report.wording import counted
from vernis.verbs.see.filters import select_images
from vernis.verbs.see.picture_evidence import Seen
from vernis.verbs.see.vector_search import (
    APPROXIMATE_FROM,
    Searcher,
    VectorIndex,
    choose_space,
    labels_of,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

Exactness = Literal["auto", "exact", "approximate"]
DEFAULT_COUNT = 8
_LEAST = 0.001  # relevance of what is found by words where no number is asked for
_WORTH_AN_INDEX = 20_000  # vectors from which several queries are worth making the exact index


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for.

    Attributes
    ----------
    words : str
    images, not_images : tuple of str
        Examples and counter-examples: uri, id or path of an image of the collection, or any file.
    regions : tuple of Region
        Of the first images, in their order; the rest count whole.
    rule : {"all", "any"}
        Like all examples together, or like any one of them.
    each : bool
        Every example is a search of its own.
    where : str
        A filter; only images that it holds for are found.
    """

    words: str = ""
    images: tuple[str, ...] = ()
    not_images: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    rule: Rule = "all"
    each: bool = False
    where: str = ""

    def __post_init__(self) -> None:
        if not (self.words.strip() or self.images or self.where.strip()):
            raise UsageError(
                "nothing to search for; give words, --image FILE, or --where FILTER"
                + (" (counter-examples need an example)" if self.not_images else "")
            )
        if self.not_images and not (self.images or self.words.strip()):
            raise UsageError("counter-examples need an example: --image FILE")
        if len(self.regions) > len(self.images):
            raise UsageError(
                f"{len(self.regions)} regions for {len(self.images)} images; give each --region "
                "after the --image that it is a part of"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture, or words, that stands for what is searched, with its vector."""

    name: str
    vector: NDArray[np.generic]
    image: ImageRecord | None = None
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """An example of a search."""

    image: Annotated[str, "path of the image, or the file"]
    id: Annotated[int | None, "of the image, null for a file"]
    region: Annotated[str | None, "X,Y,W,H of the part that counted"]
    labels: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → labels"]


@dataclass(frozen=True, slots=True)
class Query:
    """What one search asked for."""

    words: str
    images: tuple[ExampleRow, ...] = ()
    not_images: tuple[ExampleRow, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundRow:
    """An image that was found."""

    image: Annotated[str, "path"]
    id: int
    labels: Annotated[Mapping[str, tuple[str, ...]], "taxonomy → labels"]
    similarity: Annotated[float | None, "cosine; by pictures"] = None
    relevance: Annotated[float | None, "probability that the words are meant, 0 to 1; by words"] = (
        None
    )
    matched: Annotated[
        tuple[str, ...] | None,
        "what speaks for it: labels, read, name, picture, color, type; by words",
    ] = None
    seen: Annotated[tuple[Seen, ...] | None, "what the picture shows of them; by words"] = None


@dataclass(frozen=True, slots=True)
class OneSearch:
    """A question and its answer, best first."""

    query: Query
    results: tuple[FoundRow, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found."""

    method: Annotated[Literal["vectors", "words", "filter"], "how it was searched"]
    space: Annotated[str | None, "the embedding space; by pictures"]
    rule: Annotated[str | None, "all or any; by pictures"]
    where: Annotated[str, "the filter"]
    searched: Annotated[int, "images searched"]
    exact: Annotated[bool, "whether all were compared"]
    recall: Annotated[float | None, "share of the 10 nearest that are found, measured"]
    notes: tuple[str, ...]
    searches: tuple[OneSearch, ...]


def search(
    session: Session,
    question: Question,
    *,
    k: int | None = None,
    space: str | None = None,
    text_encoder: TextEncoder | None = None,
    exactness: Exactness = "auto",
) -> SearchResult:
    """Search, and return what was found.

    Parameters
    ----------
    session : Session
    question : Question
    k : int, optional
        Images wanted; default 8, of a filter alone all.
    space : str, optional
        The embedding space; default the current one.
    text_encoder : TextEncoder, optional
        Makes vectors of words; without one, words are looked for in labels, texts and names, and
        in what the pictures show by the classes of the shipped network.
    exactness : {"auto", "exact", "approximate"}
        ``auto`` is approximate from 200,000 vectors on where faiss is installed, and says so.
    """
    among = select_images(session, question.where) if question.where.strip() else None
    by_words = bool(question.words.strip())
    if by_words and text_encoder is None:
        if question.images or question.not_images:
            raise UsageError(
                "words and pictures can be mixed only with a text model: --text-model FILE"
            )
        return _search_words(session, question, among, k)
    if not by_words and not question.images:
        return _list(session, question, among if among is not None else np.zeros(0), k)
    searched = _Vectors(session, question, space, text_encoder if by_words else None, among)
    return searched.result(k or DEFAULT_COUNT, exactness)


def _found_rows(
    session: Session, image_ids: NDArray[np.int64], values: Sequence[Mapping[str, Any]]
) -> tuple[FoundRow, ...]:
    ids = [int(i) for i in image_ids]
    images, labels = session.catalog.images.get(ids), labels_of(session, ids)
    return tuple(
        FoundRow(image=image.uri, id=image.id, labels=own, **value)
        for image, value, own in zip(images, values, labels, strict=True)
    )


class _Vectors:
    """One search among vectors."""

    def __init__(
        self,
        session: Session,
        question: Question,
        space: str | None,
        text_encoder: TextEncoder | None,
        among: NDArray[np.int64] | None,
    ) -> None:
        self._session = session
        self._question = question
        self._among = among
        told: list[Example] = []
        if text_encoder is None:
            chosen = session.space(space)
        else:
            chosen, vector = _encode(session, question.words, text_encoder, space)
            told = [Example(question.words, vector)]
        self._searcher = Searcher(session, chosen)
        examples = _Examples(session, self._searcher)
        asked = [examples.find(*pair) for pair in _with_regions(question)] + told
        self._groups = [[example] for example in asked] if question.each else [asked]
        self._against = [examples.find(name, None) for name in question.not_images]
        self._told = told

    def result(self, count: int, exactness: Exactness) -> SearchResult:
        """Return what was found."""
        searcher, among = self._searcher, self._among
        chosen = _choose_index(self._session, searcher, exactness, among, len(self._groups))
        searches = [self._one(group, count, chosen.index) for group in self._groups]
        notes = list(chosen.notes)
        if searcher.missing:
            notes.append(
                f"{counted(searcher.missing, 'image has', 'images have')} no vector yet and "
                "cannot be found; run vernis embed"
            )
        return SearchResult(
            method="vectors",
            space=searcher.space.name,
            rule=self._question.rule,
            where=self._question.where,
            searched=len(searcher) if among is None else len(among),
            exact=chosen.exact,
            recall=chosen.recall,
            notes=tuple(notes),
            searches=tuple(searches),
        )

    def _one(self, group: Sequence[Example], count: int, index: VectorIndex | None) -> OneSearch:
        found = self._searcher.find(
            _stack(group, self._searcher),
            _stack(self._against, self._searcher),
            count=count,
            rule=self._question.rule,
            among=self._among,
            without=[e.image.id for e in (*group, *self._against) if e.image],
            index=index,
        )
        values = [{"similarity": float(value)} for value in found.similarities]
        pictures = [example for example in group if example not in self._told]
        query = Query(
            words=self._question.words if len(pictures) < len(group) else "",
            images=_named(self._session, pictures),
            not_images=_named(self._session, self._against),
        )
        return OneSearch(query, _found_rows(self._session, found.image_ids, values))


class _Examples:
    """Finds the vectors of examples: stored ones of images, computed ones of files and regions."""

    def __init__(self, session: Session, searcher: Searcher) -> None:
        self._session = session
        self._searcher = searcher
        self._read: Callable[[Pixels], NDArray[Any]] | None = None

    def find(self, text: str, region: Region | None) -> Example:
        """Return the example that a uri, an id or a file's path names."""
        image: ImageRecord | None = None
        path = Path(text)
        try:
            image = self._session.catalog.images.find(text)
        except NotFound:
            if not path.is_file():
                raise
        if image is not None:
            if image.state == "unreadable":
                raise UnreadableImage(image.uri, image.reason)
            stored = self._searcher.vector_of(image)
            if stored is not None and region is None:
                return Example(image.uri, stored, image)
            path = self._session.files.path_of(image)
        return Example(image.uri if image else text, self._embed(path, region), image, region)

    def _embed(self, path: Path, region: Region | None) -> NDArray[Any]:
        pixels = self._session.files.decode(path, full_size=region is not None)
        if region is not None:
            height, width = pixels.shape[:2]
            left, top, right, bottom = region.box(width, height, path.name)
            pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        if self._read is None:
            self._read = self._session.networks.open_space(self._searcher.space).open()
        return self._read(pixels)


def _with_regions(question: Question) -> list[tuple[str, Region | None]]:
    regions: list[Region | None] = [*question.regions]
    regions += [None] * (len(question.images) - len(regions))
    return list(zip(question.images, regions, strict=True))


def _stack(examples: Sequence[Example], searcher: Searcher) -> NDArray[np.float32]:
    if not examples:
        return np.zeros((0, searcher.space.dim), dtype=np.float32)
    return np.stack([np.asarray(example.vector, dtype=np.float32) for example in examples])


def _encode(
    session: Session, words: str, encoder: TextEncoder | None, space: str | None
) -> tuple[Space, NDArray[np.float32]]:
    assert encoder is not None
    vector = encoder.encode([words])[0]
    if space is not None:
        spaces = [session.space(space)]
        return choose_space(spaces, spaces[0].name, len(vector), lambda: spaces[0]), vector
    spaces = session.spaces()
    return (
        choose_space(spaces, encoder.space, len(vector), session.space),
        vector,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _ChosenIndex:
    """The index to search with (None: compare all) and what the answer says about it."""

    index: VectorIndex | None
    exact: bool
    recall: float
    notes: tuple[str, ...]


def _choose_index(
    session: Session,
    searcher: Searcher,
    exactness: Exactness,
    among: NDArray[np.int64] | None,
    queries: int,
) -> _ChosenIndex:
    many = len(searcher if among is None else among) >= APPROXIMATE_FROM
    # An inverted file finds few of what a narrow filter leaves; comparing all that is quick.
    narrow = among is not None and not many
    notes: list[str] = []
    wanted = exactness == "approximate" and not narrow
    if wanted or (exactness == "auto" and many and session.has_approximate_index()):
        index = session.approximate_index(searcher.space, searcher.fingerprint(), searcher.vectors)
        notes.append(
            f"approximate among {len(searcher):,} vectors: of the 10 nearest {index.recall:.1%} "
            "are found (measured); --exact compares all"
        )
        return _ChosenIndex(index, False, index.recall, tuple(notes))
    if exactness == "auto" and many:
        notes.append(
            f'all {len(searcher):,} vectors compared; pip install "vernis[ann]" searches them '
            "approximately in a fraction of the time"
        )
    if exactness == "approximate":
        notes.append("all images that the filter holds for were compared, so the answer is exact")
    worth = queries > 1 and len(searcher) >= _WORTH_AN_INDEX
    return _ChosenIndex(searcher.exact if worth else None, True, 1.0, tuple(notes))


def _named(session: Session, examples: Sequence[Example]) -> tuple[ExampleRow, ...]:
    known = labels_of(session, [e.image.id if e.image else 0 for e in examples])
    return tuple(
        ExampleRow(
            image=example.name,
            id=example.image.id if example.image else None,
            region=str(example.region) if example.region else None,
            labels=labels,
        )
        for example, labels in zip(examples, known, strict=True)
    )


def _search_words(
    session: Session, question: Question, among: NDArray[np.int64] | None, k: int | None
) -> SearchResult:
    from vernis.verbs.see.word_search import find_words
    from vernis.verbs.see.written_words import WrittenWords

    with session.word_index(WrittenWords(session)) as index:
        # Who asks for a number gets it; otherwise what is next to impossible is not worth a line.
        count, least = (DEFAULT_COUNT, _LEAST) if k is None else (k, 0.0)
        found = find_words(session, index, question.words, among, count, least)
    ids = np.array([image.image_id for image in found.images], dtype=np.int64)
    values = [
        {"relevance": image.relevance, "matched": image.fields, "seen": image.seen}
        for image in found.images
    ]
    return SearchResult(
        method="words",
        space=None,
        rule=None,
        where=question.where,
        searched=len(session.table().ids) if among is None else len(among),
        exact=True,
        recall=None,
        notes=found.notes,
        searches=(OneSearch(Query(question.words), _found_rows(session, ids, values)),),
    )


def _list(session: Session, question: Question, among: NDArray[Any], k: int | None) -> SearchResult:
    chosen = among if k is None else among[:k]
    return SearchResult(
        method="filter",
        space=None,
        rule=None,
        where=question.where,
        searched=len(among),
        exact=True,
        recall=None,
        notes=(),
        searches=(OneSearch(Query(""), _found_rows(session, chosen, [{} for _ in chosen])),),
    )
