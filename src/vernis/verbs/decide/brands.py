"""``vernis brands``: find the brands of your list in the text of the pictures.

Images without a label, in which one brand is read, get a suggestion; labels that a *different*
brand contradicts, surely read, become issues. That a brand is not read says nothing. The list is a
table with a column ``brand``, and where wanted ``aliases`` and ``forbidden`` (several parted by
``|``) and ``exact`` (yes: only its exact spelling counts).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.core.text.brands import BrandMatch, RuleName
from vernis.core.text.conclusions import Gain, certainty, contradiction, gains, probabilities
from vernis.domain.documents import to_document
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import Issue, LabelMatrix, Statement, Suggestion, Taxonomy, Verdict
from vernis.report.wording import counted
from vernis.verbs.decide.brand_reading import (
    BrandEvidence,
    BrandList,
    ReadImage,
    brands_of_class,
    class_of_brand,
    find_brands,
    read_brand_list,
    unreadable_brands,
)
from vernis.verbs.decide.text_voice import hear_both
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb, rows_shown, share

if TYPE_CHECKING:
    from vernis.session.session import Session

KIND = "text_differs"
"""The kind of an issue: the text in the picture names another class."""
SOURCE = "reader"
_REMARKS = 5


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which brands are looked for, and how."""

    list: Annotated[Path | str, Option("a table with a column 'brand'")]
    _: KW_ONLY
    taxonomy: Annotated[str, Option("the taxonomy of the brands; made where there is none")] = (
        "brand"
    )
    rule: Annotated[
        RuleName,
        Option("by likelihood of the spelling (default), or by edit distance alone (thesis)"),
    ] = "default"
    tolerance: Annotated[
        float,
        Option(
            "where only text is compared: edits, as a share of a name's length",
            at_least=0,
            below=1,
        ),
    ] = 0.25
    precision: Annotated[float, share("least estimated share of right ones of a suggestion")] = 0.9
    apply: Annotated[bool, Option("write the suggested labels, as one batch")] = False
    plot: Annotated[
        Path | str | None, Option("draw the gain of each brand by distance (PNG or SVG)")
    ] = None
    limit: Annotated[int | None, rows_shown()] = None


@dataclass(frozen=True, slots=True)
class BrandRow:
    """A conclusion from a brand that is read."""

    image: Annotated[str, "path"]
    given: tuple[str, ...]
    suggested: str
    probability: Annotated[float, "that it is right, estimated from text and pictures together"]
    by_text: Annotated[float, "from the text alone"]
    by_pictures: Annotated[
        float | None, "from the pictures alone; null: they do not tell the classes apart"
    ]
    pictures: Annotated[str, "agree or differ: the likeliest class by the pictures; empty: unknown"]
    read: Annotated[tuple[BrandEvidence, ...], "every brand that is read, the tallest first"]
    verdict: Annotated[Verdict, "of an issue: open, accepted or dismissed"] = "open"


@dataclass(frozen=True, slots=True)
class GainRow:
    """In how many images a brand is found, by distance 0, 1, 2, 3, 4 and more."""

    brand: str
    found: tuple[int, ...]
    labelled: Annotated[tuple[int, ...], "of these, images with a label"]
    agreeing: Annotated[tuple[int, ...], "of these, images with this label"]
    precision: Annotated[float | None, "agreeing of labelled; null: none is labelled"]
    parts: Annotated[tuple[int, ...], "found in the text alone, in text and logos, in logos alone"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was concluded from the brands that are read."""

    taxonomy: str
    brands: Annotated[int, "brands of the list"]
    images: Annotated[int, "present images"]
    read: Annotated[int, "of these, images whose text was read"]
    with_brand: Annotated[int, "of these, images with a brand"]
    several: Annotated[int, "of these, images with more than one"]
    agreeing: Annotated[int, "images whose label is read"]
    labelled: Annotated[int, "read images whose label is on the list"]
    suggestions: Annotated[tuple[BrandRow, ...], "labels for images without one"]
    suggested: Annotated[int, "suggestions in all, listed or not"]
    issues: Annotated[
        tuple[BrandRow, ...], "labels that a different brand contradicts, the undecided first"
    ]
    contradicted: Annotated[int, "issues in all, listed or not"]
    decided: Annotated[int, "of these, issues that somebody has accepted or dismissed"]
    gain: Annotated[tuple[GainRow, ...], "the most frequent brand first"]
    batch: Annotated[int | None, "with --apply: the batch, 0 when there was nothing to write"]
    plot: Annotated[str | None, "path of the figure"]
    remarks: Annotated[tuple[str, ...], "every slip of the list, one each"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Find brands, suggest labels, and find labels that are contradicted.

    Earlier suggestions of readings, and earlier such issues of the taxonomy, are replaced.

    Raises
    ------
    UsageError
        No picture was read yet, or the list cannot be used.
    """
    brands, remarks = read_brand_list(session, Path(settings.list))
    before = [taxonomy.name for taxonomy in session.taxonomies()]
    listed = BrandList(settings.taxonomy, settings.rule, settings.tolerance, tuple(brands))
    with session.lock(f"brands {settings.taxonomy}"):
        found = find_brands(session, listed)
        if not found:
            raise UsageError("no picture was read yet; read them first: vernis read")
        judged = _Judged(session, listed, found)
        suggestions, issues = judged.suggestions(settings.precision), judged.issues()
        batch = _record(session, settings, judged, suggestions, issues)
        issues = _with_verdicts(session, settings.taxonomy, issues)
        session.results.keep(f"brands:{settings.taxonomy}", listed)
    gain = gains(
        [one.matches for one in found],
        judged.given,
        [[evidence.found_in for evidence in one.evidence] for one in found],
    )
    plot = _draw(gain, settings) if settings.plot is not None else None
    with_brand = [one for one in found if one.matches]
    return Result(
        taxonomy=settings.taxonomy,
        brands=len(brands),
        images=len(session.images()),
        read=len(found),
        with_brand=len(with_brand),
        several=sum(len(one.matches) > 1 for one in with_brand),
        agreeing=sum(
            any(match.brand in given for match in one.matches)
            for one, given in zip(found, judged.given, strict=True)
        ),
        labelled=sum(map(bool, judged.given)),
        suggestions=tuple(suggestions[: settings.limit]),
        suggested=len(suggestions),
        issues=tuple(issues[: settings.limit]),
        contradicted=len(issues),
        decided=sum(row.verdict != "open" for row in issues),
        gain=tuple(
            GainRow(
                one.brand,
                one.found,
                one.labelled,
                one.agreeing,
                None if math.isnan(one.precision) else one.precision,
                one.parts,
            )
            for one in gain
        ),
        batch=batch,
        plot=plot,
        remarks=tuple(remarks),
        notes=(*_new_taxonomy(judged, before), *_notes(session, listed, judged, remarks)),
    )


class _Judged:
    """The images that were read, beside their labels."""

    def __init__(self, session: Session, listed: BrandList, found: Sequence[ReadImage]) -> None:
        self.found, self.taxonomy = found, listed.taxonomy
        self.matrix = _matrix(session, listed.taxonomy)
        classes = self.matrix.taxonomy.classes if self.matrix is not None else ()
        self.class_of = class_of_brand(listed.brands, classes)
        self._brand_of: Mapping[str, str] = brands_of_class(listed.brands, classes)
        self.labels = [self._labels(one) for one in found]
        self.given = [
            frozenset(self._brand_of[name] for name in labels if name in self._brand_of)
            for labels in self.labels
        ]
        self.off_list = sum(
            bool(labels) and not given
            for labels, given in zip(self.labels, self.given, strict=True)
        )
        self._probability = probabilities([one.matches for one in found], self.given)
        self._both = hear_both(session, listed, found)

    def _row(self, one: ReadImage) -> int:
        assert self.matrix is not None
        return int(np.searchsorted(self.matrix.image_ids, one.image.id))

    def _labels(self, one: ReadImage) -> tuple[str, ...]:
        if self.matrix is None:
            return ()
        held = np.flatnonzero(self.matrix.values[self._row(one)] == 1)
        return tuple(self.matrix.taxonomy.classes[column] for column in held)

    def _is_denied(self, one: ReadImage, name: str) -> bool:
        if self.matrix is None or name not in self.matrix.taxonomy.classes:
            return False
        column = self.matrix.taxonomy.classes.index(name)
        return bool(self.matrix.values[self._row(one), column] == 0)

    def suggestions(self, least: float) -> list[BrandRow]:
        """Return the labels of images without one in which one brand is read, surest first."""
        rows = []
        for one, labels in zip(self.found, self.labels, strict=True):
            if labels or len(one.matches) != 1:
                continue
            name = self.name(one.matches[0].brand)
            row = self._conclude(one, (), one.matches[0])
            if row.probability >= least and not self._is_denied(one, name):
                rows.append(row)
        return sorted(rows, key=lambda row: (-row.probability, row.image))

    def issues(self) -> list[BrandRow]:
        """Return the labels that are contradicted, surest first."""
        rows = []
        for one, labels, given in zip(self.found, self.labels, self.given, strict=True):
            match = contradiction(one.matches, given)
            if match is not None:
                rows.append(self._conclude(one, labels, match))
        return sorted(rows, key=lambda row: (-row.probability, row.image))

    def _conclude(self, one: ReadImage, labels: tuple[str, ...], match: BrandMatch) -> BrandRow:
        """Return what follows from a brand, with what the pictures say of it."""
        name, by_text = self.name(match.brand), self._probability[certainty(match)]
        together, by_pictures, pictures = by_text, None, ""
        row = self._both.row_of(one.image.id) if self._both is not None else None
        if self._both is not None and row is not None:
            classes = self._both.data.taxonomy.classes
            if name in classes:
                column, alone = classes.index(name), self._both.pictures[row]
                by_pictures = float(alone[column])
                together = float(self._both.together[row, column])
                pictures = "agree" if alone.argmax() == column else "differ"
        return BrandRow(
            image=one.image.uri,
            given=labels,
            suggested=name,
            probability=together,
            by_text=by_text,
            by_pictures=by_pictures,
            pictures=pictures,
            read=one.evidence,
        )

    def name(self, brand: str) -> str:
        """Return the class that stands for a brand."""
        return self.class_of.get(brand, brand)


def _matrix(session: Session, taxonomy: str) -> LabelMatrix | None:
    try:
        return session.matrix(taxonomy)
    except NotFound:
        return None


def _record(
    session: Session,
    settings: Settings,
    judged: _Judged,
    suggestions: Sequence[BrandRow],
    issues: Sequence[BrandRow],
) -> int | None:
    """Write suggestions and issues; with ``apply`` the labels, and return their batch."""
    catalog, name = session.catalog, settings.taxonomy
    kind = judged.matrix.taxonomy.kind if judged.matrix is not None else "single"
    sources = {one.image.uri: one.source for one in judged.found}
    ids = {one.image.uri: one.image.id for one in judged.found}
    with catalog.transaction():
        wanted = sorted({row.suggested for row in (*suggestions, *issues)})
        if wanted:
            catalog.labels.define(Taxonomy(name, kind, tuple(wanted)))
        elif judged.matrix is None:
            return 0 if settings.apply else None
        batch = None
        if settings.apply:
            batch = 0
            for source in sorted({sources[row.image] for row in suggestions}):
                said = [
                    Statement(ids[row.image], row.suggested, "yes", row.probability)
                    for row in suggestions
                    if sources[row.image] == source
                ]
                note = counted(len(suggestions), "label")
                batch = (
                    catalog.labels.record(name, said, source=source, verb="brands", note=note)
                    or batch
                )
        rest = () if settings.apply else suggestions
        catalog.issues.replace_suggestions(
            name,
            [
                Suggestion(
                    ids[row.image],
                    name,
                    row.suggested,
                    row.probability,
                    promised=False,
                    evidence={"source": sources[row.image], "read": to_document(row.read)},
                )
                for row in rest
            ],
            source=SOURCE,
        )
        found = [_issue(row, ids[row.image], name, kind, sources[row.image]) for row in issues]
        catalog.issues.replace((KIND,), found, name)
    return batch


def _with_verdicts(session: Session, taxonomy: str, rows: Sequence[BrandRow]) -> list[BrandRow]:
    """Return issues with what people have said of them, the undecided first."""
    if not rows:
        return []
    kept = session.catalog.issues.select((KIND,), taxonomy, verdicts=("accepted", "dismissed"))
    uris = session.uris_of({issue.image_id for issue in kept})
    said = {uris[issue.image_id]: issue.verdict for issue in kept}
    found = [replace(row, verdict=said.get(row.image, "open")) for row in rows]
    return sorted(found, key=lambda row: row.verdict != "open")


def _issue(row: BrandRow, image_id: int, taxonomy: str, kind: str, source: str) -> Issue:
    read = ", ".join(f"“{one.reading}”" for one in row.read)
    return Issue(
        KIND,
        image_id,
        score=round(1 - row.probability, 4),
        taxonomy=taxonomy,
        evidence={
            "change": "replaced" if kind == "single" else "missing",
            "given": row.given,
            "suggested": [row.suggested] if kind == "single" else [*row.given, row.suggested],
            "probability": round(row.probability, 4),
            "pictures": row.pictures,
            "source": source,
            "read": to_document(row.read),
            "note": f"the picture reads {read}, and nothing like {' or '.join(row.given)}",
        },
    )


def _new_taxonomy(judged: _Judged, before: Sequence[str]) -> Sequence[str]:
    name = judged.taxonomy
    if name in before or not before:
        return ()
    return (f"{name!r} is a new taxonomy; there are: {', '.join(before)} (--taxonomy NAME)",)


def _notes(
    session: Session, listed: BrandList, judged: _Judged, remarks: Sequence[str]
) -> list[str]:
    notes = list(remarks[:_REMARKS])
    if len(remarks) > _REMARKS:
        notes.append(f"{counted(len(remarks) - _REMARKS, 'more remark')} on the list: --json")
    notes += filter(None, [unreadable_brands(session, listed, judged.found)])
    unread = len(session.images()) - len(judged.found)
    if unread:
        one, many = "image was not read yet", "images were not read yet"
        notes.append(f"{counted(unread, one, many)}: vernis read")
    if judged.off_list:
        one, many = "image has a label that is", "images have a label that is"
        notes.append(
            f"{counted(judged.off_list, one, many)} not on the list of brands; "
            "nothing is concluded for them"
        )
    return notes


def _draw(gain: Sequence[Gain], settings: Settings) -> str:
    from vernis.report.charts import brand_gain, save_figure

    assert settings.plot is not None
    rows = [(one.brand, one.found, one.precision, sum(one.labelled), one.parts) for one in gain]
    return str(save_figure(brand_gain(rows), settings.plot))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show suggestions, issues and counts."""
    undecided = [row for row in result.issues if row.verdict == "open"]
    agree = [row for row in undecided if row.pictures == "agree"]
    alone = [row for row in undecided if row.pictures != "agree"]
    hidden = result.contradicted - result.decided - len(undecided)
    text_title = "Labels that the text contradicts"
    if agree or any(row.pictures for row in alone):
        text_title += ", and the pictures do not"
    for rows, total, title in (
        (result.suggestions, result.suggested, "Labels for images without one"),
        (agree, len(agree), "Labels that text and pictures contradict"),
        (alone, len(alone) + hidden, text_title),
    ):
        if rows:
            table = [
                {
                    "image": row.image,
                    "given": row.given,
                    "suggested": row.suggested,
                    "probability": row.probability,
                    "by_text": row.by_text,
                    "by_pictures": row.by_pictures,
                    "read": [one.reading for one in row.read],
                    "distance": [one.distance for one in row.read],
                    "box": " ".join(",".join(map(str, one.box)) for one in row.read[:1]),
                }
                for row in rows
            ]
            columns = list(table[0])
            if rows is result.suggestions:
                columns.remove("given")
            if not any(row.pictures for row in rows):
                columns.remove("by_text")
                columns.remove("by_pictures")
            screen.table(table, columns, title=title, total=total)
    part = f"{result.with_brand / result.read:.1%}" if result.read else ""
    counts = {
        "method": f"brands ({settings.rule} rule)",
        "images read": result.read,
        "with brand": result.with_brand,
        "share": part,
        "several": result.several,
        "label_is_read": f"{result.agreeing:,} of {result.labelled:,}",
    }
    screen.table([counts], list(counts), title="Brands in pictures")
    if result.plot:
        screen.line(f"Figure: {result.plot}")
    if result.batch:
        screen.line(f"Written as batch {result.batch}; vernis undo takes it back.")
    elif result.suggested:
        screen.line("To write the suggested labels: the same command with --apply")
    if result.decided:
        one, many = "more was decided", "more were decided"
        screen.line(f"{counted(result.decided, one, many)} before and not listed; --json has all.")
    if result.contradicted > result.decided:
        screen.line(f"To agree or not: vernis accept {KIND} IMAGE…, vernis dismiss {KIND} IMAGE…")


VERB = Verb(Settings, work, show)
