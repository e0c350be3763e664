"""``vernis leakage``: find near duplicates across train, val and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.report.wording import counted
from vernis.verbs.decide.deduplication import DuplicateSearch, find_duplicates
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb, rows_shown, share
from vernis.verbs.see.leaked_pairs import Leakage, find_leakage, place_of_split

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What counts as repeated."""

    _: KW_ONLY
    similarity: Annotated[
        float | None,
        share("also pairs of at least this cosine (default: stored duplicates only)", "S"),
    ] = None
    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None
    limit: Annotated[int | None, rows_shown()] = None
    sheet: Annotated[Path | str | None, Option("draw the pairs side by side")] = None


@dataclass(frozen=True, slots=True)
class BetweenRow:
    """Pairs between two splits."""

    first: str
    second: str
    pairs: int


@dataclass(frozen=True, slots=True)
class AffectedRow:
    """Images of a split that are repeated in another."""

    split: str
    with_: str
    images: int
    share: Annotated[float, "of the images of the split"]


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two images of different splits that show the same or nearly the same."""

    first: Annotated[str, "path; of the earlier split"]
    first_split: str
    second: Annotated[str, "path"]
    second_split: str
    kind: Annotated[str, "bytes, pixels, near, or similar for what only --similarity found"]
    similarity: Annotated[float, "0 to 1"]


@dataclass(frozen=True, slots=True)
class Result:
    """What is repeated across splits."""

    splits: Annotated[Mapping[str, int], "split → images"]
    between: tuple[BetweenRow, ...]
    affected: tuple[AffectedRow, ...]
    groups: Annotated[tuple[tuple[str, ...], ...], "images that pairs join, largest group first"]
    pairs: Annotated[tuple[PairRow, ...], "the surest kind first, then the most similar"]
    total: Annotated[int, "pairs in all, listed or not"]
    sheet: Annotated[str | None, "path of the contact sheet"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """List what is repeated across splits; duplicates are searched first where they were not.

    Raises
    ------
    UsageError
        The images do not lie in two splits or more.
    """
    if session.results.find("duplicate-search", DuplicateSearch) is None:
        find_duplicates(session)
    space = session.space(settings.space) if settings.similarity is not None else None
    found = find_leakage(session, space=space, similarity=settings.similarity)
    pairs = [
        PairRow(
            first=pair.a.uri,
            first_split=pair.a.split,
            second=pair.b.uri,
            second_split=pair.b.split,
            kind=pair.kind,
            similarity=pair.similarity,
        )
        for pair in found.pairs
    ]
    sheet, notes = None, []
    if settings.sheet is not None and pairs:
        from vernis.verbs.see.sheets import write_pair_sheet

        sheet = str(write_pair_sheet(session, pairs, settings.sheet))
    elif settings.sheet is not None:
        notes.append("no sheet is drawn: there is no pair")
    return Result(
        splits=dict(found.splits),
        between=tuple(BetweenRow(a, b, n) for (a, b), n in found.by_splits.items()),
        affected=_affected(found),
        groups=tuple(tuple(image.uri for image in group) for group in found.groups),
        pairs=tuple(pairs[: settings.limit]),
        total=len(pairs),
        sheet=sheet,
        notes=tuple(notes),
    )


def _affected(found: Leakage) -> tuple[AffectedRow, ...]:
    def place(item: tuple[tuple[str, str], int]) -> Any:
        (split, other), _ = item
        return place_of_split(split), place_of_split(other)

    return tuple(
        AffectedRow(split, other, n, n / found.splits[split])
        for (split, other), n in sorted(found.affected.items(), key=place)
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the pairs, and which share of each split is affected."""
    splits = ", ".join(f"{name} {n:,}" for name, n in result.splits.items())
    title = f"{counted(result.total, 'pair')} across {splits}"
    columns = ["first", "second", "kind", "similarity"]
    screen.table(result.pairs, columns, title=title, total=result.total)
    if result.affected:
        screen.table(result.affected, ["split", "with", "images", "share"], title="Affected")
    else:
        screen.line("No image is repeated across the splits.")
    if result.sheet is not None:
        screen.line(result.sheet)


VERB = Verb(Settings, work, show)
