"""Search a collection by pictures, parts of pictures, words and filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.assembly import job
from vernis.core.explore.regions import Region
from vernis.core.explore.search import Rule
from vernis.domain.encoders import TextEncoder
from vernis.domain.errors import NotFound, UnreadableImage, UsageError
from vernis.domain.ports import Catalog, Pixels, Progress
from vernis.domain.types import ImageRecord, Space
from vernis.report.wording import counted
from vernis.workflows.explore.filters import select_images
from vernis.workflows.explore.search import (
    APPROXIMATE_FROM,
    Searcher,
    VectorIndex,
    check_count,
    choose_space,
    labels_of,
    result_rows,
)

Exactness = Literal["auto", "exact", "approximate"]
DEFAULT_COUNT = 8
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


def search(
    catalog: Catalog,
    question: Question,
    *,
    count: int | None = None,
    space: str | None = None,
    text_encoder: TextEncoder | None = None,
    exactness: Exactness = "auto",
    progress: Progress,
) -> dict[str, Any]:
    """Search, and return the document that docs/json.md describes.

    Parameters
    ----------
    catalog : Catalog
    question : Question
    count : int, optional
        Images wanted; default 8, of a filter alone all.
    space : str, optional
        The embedding space; default the current one.
    text_encoder : TextEncoder, optional
        Makes vectors of words; without one, words are looked for in labels and names.
    exactness : {"auto", "exact", "approximate"}
        ``auto`` is approximate from 200,000 vectors on where faiss is installed, and says so.
    progress : Progress

    Raises
    ------
    UsageError, NotFound, FilterError
        A wrong question.
    UnreadableImage
        An example cannot be read as a picture.
    """
    if count is not None:
        check_count(count)
    among = select_images(catalog, question.where) if question.where.strip() else None
    by_words = bool(question.words.strip())
    if by_words and text_encoder is None:
        if question.images or question.not_images:
            raise UsageError(
                "words and pictures can be mixed only with a text model: --text-model FILE"
            )
        return _search_words(catalog, question, among, count or DEFAULT_COUNT)
    if not by_words and not question.images:
        return _list(catalog, question, among if among is not None else np.zeros(0), count)
    searched = _Vectors(catalog, question, space, text_encoder if by_words else None, among)
    return searched.document(count or DEFAULT_COUNT, exactness, progress)


class _Vectors:
    """One search among vectors."""

    def __init__(
        self,
        catalog: Catalog,
        question: Question,
        space: str | None,
        text_encoder: TextEncoder | None,
        among: NDArray[np.int64] | None,
    ) -> None:
        self._catalog = catalog
        self._question = question
        self._among = among
        told: list[Example] = []
        if text_encoder is None:
            chosen = job.embedding_space(catalog, space)
        else:
            chosen, vector = _encode(catalog, question.words, text_encoder, space)
            told = [Example(question.words, vector)]
        self._searcher = Searcher(catalog, chosen)
        examples = _Examples(catalog, self._searcher)
        asked = [examples.find(*pair) for pair in _with_regions(question)] + told
        self._groups = [[example] for example in asked] if question.each else [asked]
        self._against = [examples.find(name, None) for name in question.not_images]
        self._told = told

    def document(self, count: int, exactness: Exactness, progress: Progress) -> dict[str, Any]:
        searcher, among = self._searcher, self._among
        index, facts = _choose_index(
            self._catalog, searcher, exactness, among, len(self._groups), progress
        )
        searches = [self._one(group, count, index) for group in self._groups]
        if searcher.missing:
            facts["notes"].append(
                f"{counted(searcher.missing, 'image has', 'images have')} no vector yet and "
                "cannot be found; run vernis embed"
            )
        return {
            "method": "vectors",
            "space": searcher.space.name,
            "rule": self._question.rule,
            "where": self._question.where,
            "searched": len(searcher) if among is None else len(among),
            **facts,
            "searches": searches,
        }

    def _one(
        self, group: Sequence[Example], count: int, index: VectorIndex | None
    ) -> dict[str, Any]:
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
        return {
            "query": {
                "words": self._question.words if len(pictures) < len(group) else "",
                "images": _named(self._catalog, pictures),
                "not_images": _named(self._catalog, self._against),
            },
            "results": result_rows(self._catalog, found.image_ids, values),
        }


class _Examples:
    """Finds the vectors of examples: stored ones of images, computed ones of files and regions."""

    def __init__(self, catalog: Catalog, searcher: Searcher) -> None:
        self._catalog = catalog
        self._searcher = searcher
        self._read: Callable[[Pixels], NDArray[Any]] | None = None

    def find(self, text: str, region: Region | None) -> Example:
        """Return the example that a uri, an id or a file's path names."""
        image: ImageRecord | None = None
        path = Path(text)
        try:
            image = self._catalog.images.find(text)
        except NotFound:
            if not path.is_file():
                raise
        if image is not None:
            if image.state == "unreadable":
                raise UnreadableImage(image.uri, image.reason)
            stored = self._searcher.vector_of(image)
            if stored is not None and region is None:
                return Example(image.uri, stored, image)
            path = job.image_path(self._catalog, image)
        return Example(image.uri if image else text, self._embed(path, region), image, region)

    def _embed(self, path: Path, region: Region | None) -> NDArray[Any]:
        from vernis.adapters.isolation import PictureDecoder
        from vernis.assembly.prediction import open_space

        decode = PictureDecoder() if region is None else PictureDecoder(min_side=None)
        pixels = decode(path)
        if region is not None:
            height, width = pixels.shape[:2]
            left, top, right, bottom = region.box(width, height, path.name)
            pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        if self._read is None:
            self._read = open_space(self._searcher.space).open()
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
    catalog: Catalog, words: str, encoder: TextEncoder | None, space: str | None
) -> tuple[Space, NDArray[np.float32]]:
    assert encoder is not None
    vector = encoder.encode([words])[0]
    if space is not None:
        spaces = [job.embedding_space(catalog, space)]
        return choose_space(spaces, spaces[0].name, len(vector), lambda: spaces[0]), vector
    spaces = job.embedding_spaces(catalog)
    return (
        choose_space(spaces, encoder.space, len(vector), lambda: job.embedding_space(catalog)),
        vector,
    )


def _choose_index(
    catalog: Catalog,
    searcher: Searcher,
    exactness: Exactness,
    among: NDArray[np.int64] | None,
    queries: int,
    progress: Progress,
) -> tuple[VectorIndex | None, dict[str, Any]]:
    """Return the index to search with (None: compare all) and what the answer says about it."""
    from vernis.adapters import ann

    many = len(searcher if among is None else among) >= APPROXIMATE_FROM
    # An inverted file finds few of what a narrow filter leaves; comparing all that is quick.
    narrow = among is not None and not many
    notes: list[str] = []
    wanted = exactness == "approximate" and not narrow
    if wanted or (exactness == "auto" and many and ann.is_installed()):
        index = ann.ApproximateIndex.open(
            catalog.folder / "ann",
            searcher.space.name.replace("/", "_").replace(":", "_"),
            searcher.fingerprint(),
            searcher.vectors,
            progress=progress,
        )
        notes.append(
            f"approximate among {len(searcher):,} vectors: of the 10 nearest {index.recall:.1%} "
            "are found (measured); --exact compares all"
        )
        return index, {"exact": False, "recall": index.recall, "notes": notes}
    if exactness == "auto" and many:
        notes.append(
            f'all {len(searcher):,} vectors compared; pip install "vernis[ann]" searches them '
            "approximately in a fraction of the time"
        )
    if exactness == "approximate":
        notes.append("all images that the filter holds for were compared, so the answer is exact")
    worth = queries > 1 and len(searcher) >= _WORTH_AN_INDEX
    return searcher.exact if worth else None, {"exact": True, "recall": 1.0, "notes": notes}


def _named(catalog: Catalog, examples: Sequence[Example]) -> list[dict[str, Any]]:
    known = labels_of(catalog, [e.image.id if e.image else 0 for e in examples])
    return [
        {
            "image": example.name,
            "id": example.image.id if example.image else None,
            "region": str(example.region) if example.region else None,
            "labels": labels,
        }
        for example, labels in zip(examples, known, strict=True)
    ]


def _search_words(
    catalog: Catalog, question: Question, among: NDArray[np.int64] | None, count: int
) -> dict[str, Any]:
    from vernis.adapters.catalog.words import WordIndex
    from vernis.workflows.explore.words import find_words, word_documents, words_fingerprint

    images = catalog.images.all()
    index = WordIndex(
        catalog.folder,
        words_fingerprint(catalog, images),
        lambda: word_documents(catalog, images),
    )
    allowed = None if among is None else {int(i) for i in among}
    try:
        found = find_words(index, question.words, allowed, count)
    finally:
        index.close()
    ids = np.array([match.image_id for match in found.matches], dtype=np.int64)
    values = [{"relevance": m.relevance, "matched": list(m.fields)} for m in found.matches]
    return {
        "method": "words",
        "space": None,
        "rule": None,
        "where": question.where,
        "searched": len(images) if among is None else len(among),
        "exact": True,
        "recall": None,
        "notes": [
            "no text model (--text-model), so the words are looked for in labels, keywords, read "
            "text and file names",
            *found.notes,
        ],
        "searches": [
            {
                "query": {"words": question.words, "images": [], "not_images": []},
                "results": result_rows(catalog, ids, values),
            }
        ],
    }


def _list(
    catalog: Catalog, question: Question, among: NDArray[Any], count: int | None
) -> dict[str, Any]:
    chosen = among if count is None else among[:count]
    return {
        "method": "filter",
        "space": None,
        "rule": None,
        "where": question.where,
        "searched": len(among),
        "exact": True,
        "recall": None,
        "notes": [],
        "searches": [
            {
                "query": {"words": "", "images": [], "not_images": []},
                "results": result_rows(catalog, chosen, [{} for _ in chosen]),
            }
        ],
    }
