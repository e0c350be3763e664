"""``vernis search``: find images by pictures, regions, words and filters.

Words are looked for in labels, keywords, read text and file names, and in the pictures: what the
shipped network takes them for, their colours, whether they are photos, drawings, documents or
screenshots. With a text model, words are compared with the pictures themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from vernis.core.explore.regions import Region
from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb, count
from vernis.verbs.see.searching import (
    ExampleRow,
    OneSearch,
    Query,
    Question,
    SearchResult,
    search,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_LISTED = 20  # rows of a table of all images that a filter holds for


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is searched for, among which images, and how."""

    words: Annotated[Sequence[str], Option("words to search for")] = ()
    _: KW_ONLY
    image: Annotated[
        Sequence[Path | str], Option("an example: a file, or path or id of an image (repeatable)")
    ] = ()
    not_image: Annotated[Sequence[Path | str], Option("a counter-example (repeatable)")] = ()
    region: Annotated[
        Sequence[str],
        Option(
            "only this part of the --image: X,Y,W,H in pixels or as shares 0..1 (repeatable, in "
            "order)"
        ),
    ] = ()
    match: Annotated[
        Literal["all", "any"], Option("be like all examples together, or like any one of them")
    ] = "all"
    each: Annotated[bool, Option("every --image is a search of its own, in one sheet")] = False
    where: Annotated[str, Option("a filter, such as 'brand:absolut and width>1000'")] = ""
    k: Annotated[int | None, count("images to find (default: 8; of a filter alone all)")] = None
    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None
    text_model: Annotated[
        Path | str | None, Option("text tower (.onnx) that searches pictures by words")
    ] = None
    approximate: Annotated[bool, Option("by a faiss index, made once (extra ann)")] = False
    exact: Annotated[bool, Option("compare all, however many there are")] = False
    sheet: Annotated[Path | str | None, Option("draw what was found as a contact sheet")] = None
    dark: Annotated[bool, Option("draw the sheet on a dark ground")] = False


@dataclass(frozen=True, slots=True)
class Result(SearchResult):
    """What was found, and the sheet that shows it."""

    sheet: Annotated[str | None, "path of the contact sheet"] = None


def work(session: Session, settings: Settings) -> Result:
    """Search by pictures, regions, words and a filter.

    Raises
    ------
    UsageError, NotFound, FilterError
        A wrong question.
    UnreadableImage
        An example cannot be read as a picture.
    """
    if settings.exact and settings.approximate:
        raise UsageError("--exact and --approximate contradict each other")
    question = Question(
        " ".join(settings.words),
        tuple(map(str, settings.image)),
        tuple(map(str, settings.not_image)),
        tuple(map(Region.parse, settings.region)),
        settings.match,
        settings.each,
        settings.where,
    )
    encoder = None
    if settings.text_model is not None:
        encoder = session.networks.open_text_encoder(settings.text_model)
    found = search(
        session,
        question,
        k=settings.k,
        space=settings.space,
        text_encoder=encoder,
        exactness="exact" if settings.exact else "approximate" if settings.approximate else "auto",
    )
    sheet = None
    if settings.sheet is not None:
        from vernis.verbs.see.search_sheet import write_sheet

        theme: Literal["light", "dark"] = "dark" if settings.dark else "light"
        sheet = str(write_sheet(session, found, settings.sheet, theme=theme))
    facts = {field.name: getattr(found, field.name) for field in fields(found)}
    return Result(**facts, sheet=sheet)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a table a search."""
    for one in result.searches:
        _show_search(result, one, settings, screen)
    if result.sheet is not None:
        screen.note(f"sheet: {result.sheet}")


def _show_search(result: Result, one: OneSearch, settings: Settings, screen: Screen) -> None:
    rows = [
        {
            "image": row.image,
            "similarity": row.similarity,
            "relevance": row.relevance,
            "matched": row.matched,
            "seen": [f"{one.what} {one.probability:.2f}" for one in row.seen or ()],
            "labels": list(dict.fromkeys(n for names in row.labels.values() for n in names)),
        }
        for row in one.results
    ]
    where = f" where {result.where}" if result.where else ""
    if result.method == "filter":
        limit = _LISTED if settings.k is None else None
        title = f"{counted(result.searched, 'image')}{where}"
        screen.table(rows, ["image", "labels"], title=title, limit=limit)
        return
    value = "similarity" if result.method == "vectors" else "relevance"
    columns = ["image", value, "labels"]
    if result.method == "words":
        columns[2:2] = ["matched", "seen"] if any(row["seen"] for row in rows) else ["matched"]
    screen.table(rows, columns, title=f"{_asked(one.query)}{where}")
    if not rows:
        screen.line("Nothing was found.")


def _asked(query: Query) -> str:
    def names(items: Sequence[ExampleRow]) -> str:
        return ", ".join(
            item.image + (f" [{item.region}]" if item.region else "") for item in items
        )

    parts = [f"“{query.words}”"] if query.words else []
    if query.images:
        parts.append(f"like {names(query.images)}")
    if query.not_images:
        parts.append(f"unlike {names(query.not_images)}")
    return ", ".join(parts)


def document(result: Result) -> Mapping[str, Any]:
    """Return what ``--json`` prints: rows without the values that their method does not give."""
    whole: dict[str, Any] = to_document(result)
    for one in whole["searches"]:
        one["results"] = [
            {name: value for name, value in row.items() if value is not None}
            for row in one["results"]
        ]
    return whole


VERB = Verb(Settings, work, show, document=document, access="read")
