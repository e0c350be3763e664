"""Find the brands of an owner's list in what was read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from vernis.core.text.brands import (
    Brand,
    BrandMatch,
    BrandMatcher,
    BrandRule,
    RuleName,
    compared_name,
    parse_brands,
    unknown_letters,
)
from vernis.core.text.conclusions import Part, certainty
from vernis.domain.errors import UsageError
from vernis.domain.readings import PictureText, Reading
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted

if TYPE_CHECKING:
    from vernis.core.words.sheets import Sheet
    from vernis.session.session import Session

_BRAND_COLUMNS = ("brand", "brands", "name", "label", "class")
_NAMED = 3
_PIECE = 1024  # pictures whose readings are held at a time


@dataclass(frozen=True, slots=True)
class BrandList:
    """The owner's brands and how they are compared, kept for ``vernis show``."""

    VERSION: ClassVar[int] = 1

    taxonomy: str
    rule: RuleName
    tolerance: float
    brands: tuple[Brand, ...]

    def matcher(self) -> BrandMatcher:
        """Return what finds these brands."""
        return BrandMatcher(self.brands, BrandRule(self.rule, self.tolerance))


@dataclass(frozen=True, slots=True)
class BrandEvidence:
    """A brand that is read in a picture, and why."""

    brand: str
    reading: Annotated[str, "the words that are taken for it"]
    distance: Annotated[int, "letters between the two (Levenshtein)"]
    confidence: Annotated[float, "of the least sure line, 0 to 1"]
    certainty: Annotated[str, "exact, sure or unsure"]
    evidence: Annotated[float | None, "nats beside the likeliest reading; null: only text is known"]
    box: Annotated[tuple[int, ...], "X, Y, W, H of its lines in pixels of the upright picture"]
    found_in: Annotated[Part, "text, logo (by a service that was asked for logos) or both"]


@dataclass(frozen=True, slots=True, eq=False)
class ReadImage:
    """An image, who read it (``reader:…`` or ``api:…``), and the brands that are read."""

    image: ImageRecord
    source: str
    matches: tuple[BrandMatch, ...]
    evidence: tuple[BrandEvidence, ...]


def read_brand_list(session: Session, path: Path) -> tuple[list[Brand], list[str]]:
    """Read an owner's list of brands from any table.

    Returns
    -------
    brands : list of Brand
    remarks : list of str
        One for each row that is left out or changed.

    Raises
    ------
    UsageError
        There is no such file, or no column of brands, or no brand.
    InvalidLabels
        The file is no table.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; brands come from a table with a column 'brand'")
    sheets = [sheet for sheet in session.interchange.read_sheets(path) if sheet.header]
    if not sheets:
        raise UsageError(f"{path}: is empty; expected a table with a column 'brand'")
    numbers, rows = _rows(sheets[0], path)
    brands, remarks = parse_brands(rows, numbers)
    blank = numbers[-1] - numbers[0] + 1 - len(numbers) - len(sheets[0].left_out) if numbers else 0
    if blank > 0:
        remarks.append(f"{counted(blank, 'blank line')}, left out")
    remarks += [f"line {one.row}: {one.reason}, left out" for one in sheets[0].left_out]
    if not brands:
        raise UsageError(f"{path}: holds no brand; expected a table with a column 'brand'")
    return brands, remarks


def _rows(sheet: Sheet, path: Path) -> tuple[list[int], list[dict[str, str]]]:
    header = [name.strip().casefold() for name in sheet.header]
    column = next((header.index(name) for name in _BRAND_COLUMNS if name in header), None)
    numbers, cells = list(sheet.numbers), list(sheet.rows)
    if column is None:
        if len(header) > 1:
            raise UsageError(
                f"{path}: no column 'brand'; there are: {', '.join(sheet.header)}. Beside it may "
                "stand aliases, forbidden (several parted by |) and exact (yes)"
            )
        # A bare list: its first row is a brand too.
        column, header = 0, ["brand"]
        numbers, cells = [sheet.first_number, *numbers], [sheet.first, *cells]
    header[column] = "brand"
    return numbers, [dict(zip(header, row, strict=True)) for row in cells]


def unreadable_brands(session: Session, listed: BrandList, found: Sequence[ReadImage]) -> str:
    """Say which brands hold letters that the reader does not know; "" where none does."""
    alphabets = [session.models.alphabet_of(source) for source in {one.source for one in found}]
    known = [alphabet for alphabet in alphabets if alphabet is not None]
    if not known or len(known) < len(alphabets):
        return ""  # another reader's letters are not known
    lacking = unknown_letters(listed.brands, {symbol for one in known for symbol in one})
    if not lacking:
        return ""
    names = ", ".join(f"{name!r} ({letters})" for name, letters in [*lacking.items()][:_NAMED])
    more = f" and {len(lacking) - _NAMED:,} more" if len(lacking) > _NAMED else ""
    return (
        f"{counted(len(lacking), 'brand has', 'brands have')} letters that the reader does not "
        f"know and cannot be found: {names}{more}; another reader: vernis read --reader FOLDER"
    )


def find_brands(session: Session, listed: BrandList) -> list[ReadImage]:
    """Return the present images that were read, in order of id, with the brands read in each."""
    matcher, images = listed.matcher(), session.images()
    found: list[ReadImage] = []
    session.progress("brands", 0, len(images))
    for start in range(0, len(images), _PIECE):
        piece = images[start : start + _PIECE]
        hashes = [image.content_hash for image in piece]
        texts = {text.content_hash: text for text in session.catalog.readings.texts(hashes)}
        logos = session.services.logos(piece)
        # Copies are matched once.
        known = {
            content: read_brands(texts.get(content), logos.get(content), matcher)
            for content in texts.keys() | logos.keys()
        }
        for image in piece:
            content = image.content_hash
            if content in known:
                matches, evidence = known[content]
                by_logo = evidence and all(one.found_in == "logo" for one in evidence)
                read = logos[content] if by_logo or content not in texts else texts[content]
                found.append(ReadImage(image, read.reader.source, matches, evidence))
        session.progress("brands", start + len(piece), len(images))
    return found


def read_brands(
    text: PictureText | None, logos: PictureText | None, matcher: BrandMatcher
) -> tuple[tuple[BrandMatch, ...], tuple[BrandEvidence, ...]]:
    """Return the brands in the text of a picture and in its logos, the tallest first, and why.

    The same rules hold for both. Of a brand that is found in both, the text is the evidence.
    """
    found: dict[str, tuple[BrandMatch, BrandEvidence]] = {}
    places: tuple[tuple[Part, PictureText | None], ...] = (("text", text), ("logo", logos))
    for part, source in places:
        readings = source.readings if source is not None else ()
        for match in matcher.match(readings):
            if match.brand in found:
                known, evidence = found[match.brand]
                found[match.brand] = known, replace(evidence, found_in="both")
            else:
                found[match.brand] = match, _evidence(match, readings, part)
    pairs = sorted(found.values(), key=lambda pair: (-pair[0].height, pair[0].brand))
    return tuple(match for match, _ in pairs), tuple(evidence for _, evidence in pairs)


def _evidence(match: BrandMatch, readings: Sequence[Reading], part: Part) -> BrandEvidence:
    corners = np.concatenate([readings[line].corners for line in match.lines])
    left, top = np.floor(np.maximum(corners.min(axis=0), 0)).astype(int).tolist()
    right, low = np.ceil(corners.max(axis=0)).astype(int).tolist()
    return BrandEvidence(
        brand=match.brand,
        reading=match.reading,
        distance=match.distance,
        confidence=round(match.confidence, 4),
        certainty=certainty(match),
        evidence=None if math.isnan(match.evidence) else round(match.evidence, 2),
        box=(left, top, right - left, low - top),
        found_in=part,
    )


def class_of_brand(brands: Sequence[Brand], classes: Sequence[str]) -> dict[str, str]:
    """Return brand → the class of a taxonomy that names it, for brands that have one."""
    named: dict[str, str] = {}
    for name in classes:
        named.setdefault(compared_name(name), name)
    found: dict[str, str] = {}
    for brand in brands:
        keys = map(compared_name, (brand.name, *brand.aliases))
        own = next((named[key] for key in keys if key in named), None)
        if own is not None:
            found[brand.name] = own
    return found


def brands_of_class(brands: Sequence[Brand], classes: Sequence[str]) -> Mapping[str, str]:
    """Return class → the brand that it names, for classes of which one does."""
    keys = {
        compared_name(name): brand.name
        for brand in reversed(brands)
        for name in (*brand.aliases, brand.name)
    }
    return {name: keys[key] for name in classes if (key := compared_name(name)) in keys}
