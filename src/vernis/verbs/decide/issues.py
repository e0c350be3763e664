"""``vernis issues``: label issues of a taxonomy, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.domain.types import Issue
from vernis.report.wording import counted, sentence, wrong_labels
from vernis.verbs.decide.block_choice import BlockChoice
from vernis.verbs.decide.brand_reading import BrandEvidence
from vernis.verbs.decide.judged_count import JudgedCount, judged_count
from vernis.verbs.decide.label_judgement import (
    JudgementSettings,
    LabelEvidence,
    LabelJudgement,
    evidence_of,
    judge_labels,
)
from vernis.verbs.decide.label_places import LabelPlace, places_of_issues, say_place
from vernis.verbs.decide.text_voice import voice_mark
from vernis.verbs.declare import OneOf, Option, Screen, Verb, rows_shown

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session

Order = Literal["score", "multiple", "image"]
_KEYS: Mapping[Order, Sequence[str]] = {
    "score": ("score", "uri"),
    "multiple": ("-evidence.probability_of_multiple", "score", "uri"),
    "image": ("uri",),
}


@dataclass(frozen=True)
class Settings(JudgementSettings):
    """Which issues are listed, in which order."""

    taxonomy: Annotated[str, Option("the taxonomy whose labels are judged")]
    _: KW_ONLY
    all: Annotated[bool, Option("every labelled image, flagged or not")] = False
    limit: Annotated[int | None, rows_shown()] = None
    sort: Annotated[
        Order,
        Option("lowest scores first, most likely two or more wrong labels first, or by path"),
    ] = "score"
    probabilities: Annotated[
        Any | None,
        Option(
            "out-of-sample probabilities of a model of your own, which the labels are held "
            "against instead: a frame (image × class), or an array with the rows and classes of "
            "`labels`",
            "frame or array",
            python=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class NeighborRow:
    """A similar image that speaks for a suggestion."""

    image: Annotated[str, "its path"]
    label: str
    similarity: Annotated[float, "cosine, 0 to 1"]


@dataclass(frozen=True, slots=True)
class LabelIssueRow:
    """The judgement of one labelled image."""

    image: Annotated[str, "path relative to the indexed folder"]
    score: Annotated[float, "0 to 1, low = bad"]
    change: Annotated[str, "extra, missing or replaced; empty: none is suggested"]
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    probability: Annotated[float | None, "that the given labels are wrong"]
    probability_of_multiple: Annotated[float | None, "that two labels or more are wrong"]
    verdict: Annotated[str, "open, accepted or dismissed"]
    flagged: Annotated[bool, "whether it is suspected"]
    neighbors: Annotated[tuple[NeighborRow, ...], "similar images that speak for the change"]
    against: Annotated[
        tuple[str, ...],
        "what speaks against the given labels, where text is read: pictures, text",
    ] = ()
    read: Annotated[tuple[BrandEvidence, ...], "the brands that are read, the tallest first"] = ()
    places: Annotated[
        tuple[LabelPlace, ...],
        "where in the picture the labels are that differ, suggested ones first, as far as it is "
        "known (a region, the text, vernis locate)",
    ] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The issues, and what is wrong in all."""

    rows: tuple[LabelIssueRow, ...]
    total: Annotated[int, "issues in all, listed or not"]
    judgement: LabelJudgement
    judged: Annotated[
        JudgedCount | None, "wrong labels by a sample that a person judged; null: there is none"
    ] = None
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Return the issues of a taxonomy; judge its labels first where that was not done so yet.

    Labels are judged anew when a setting of the judgement is given, or was never.
    """
    if settings.probabilities is not None and settings.predictions is not None:
        raise UsageError("probabilities and predictions contradict each other; give one of them")
    session.catalog.labels.taxonomy(settings.taxonomy)
    judgement = None
    if not _asks_for_another(settings):
        judgement = session.results.find(f"label_issues:{settings.taxonomy}", LabelJudgement)
    asked = (settings.where.strip(), bool(voice_mark(session, settings.taxonomy)))
    if judgement is None or (judgement.where, judgement.with_text) != asked:
        judgement = judge_labels(session, settings.taxonomy, settings, settings.probabilities)
    issues, flagged_only = session.catalog.issues, not settings.all
    found = issues.select(
        ("label",),
        settings.taxonomy,
        flagged_only=flagged_only,
        order=_KEYS[settings.sort],
        limit=settings.limit,
    )
    counts = issues.counts(flagged_only=flagged_only, verdicts=None)
    return Result(
        rows=tuple(_rows(found, session, settings.taxonomy)),
        total=counts.get(("label", settings.taxonomy), 0),
        judgement=judgement,
        judged=judged_count(session, settings.taxonomy),
        notes=(*_other_space(session, judgement), *judgement.notes),
    )


def _asks_for_another(settings: Settings) -> bool:
    if settings.probabilities is not None:
        return True
    defaults = JudgementSettings()
    names = [field.name for field in fields(JudgementSettings)]
    return any(getattr(settings, name) != getattr(defaults, name) for name in names)


def _rows(issues: Sequence[Issue], session: Session, taxonomy: str) -> list[LabelIssueRow]:
    said = [evidence_of(issue) for issue in issues]
    ids = {n.image_id for one in said for n in one.neighbors}
    uris = session.uris_of((ids | {issue.image_id for issue in issues}) - {0})
    places = places_of_issues(session, taxonomy, issues)
    rows = zip(issues, said, strict=True)
    return [_row(issue, one, uris, places[issue.id]) for issue, one in rows]


def _row(
    issue: Issue, said: LabelEvidence, uris: Mapping[int, str], places: tuple[LabelPlace, ...]
) -> LabelIssueRow:
    return LabelIssueRow(
        image=uris[issue.image_id],
        score=issue.score,
        change=said.change,
        given=said.given,
        suggested=said.suggested,
        probability=said.probability,
        probability_of_multiple=said.probability_of_multiple,
        verdict=issue.verdict,
        flagged=issue.flagged,
        neighbors=tuple(
            NeighborRow(uris.get(n.image_id, ""), n.label, n.similarity) for n in said.neighbors
        ),
        against=said.against,
        read=said.read,
        places=places,
    )


def _other_space(session: Session, judgement: LabelJudgement) -> tuple[str, ...]:
    current = session.current_space()
    if current is None or judgement.space in ("", current.name):
        return ()
    chosen = session.results.find(f"blocks:{judgement.taxonomy}", BlockChoice)
    if chosen is not None and chosen.space == judgement.space:
        return ()  # the choice is said already
    return (
        f"judged by the vectors of {judgement.space!r}; by those of the current space: "
        f"vernis issues {judgement.taxonomy} --predictions kernel",
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the issues as a table, and the estimate below it."""
    columns = ["image", "score", "change", "given", "suggested", "probability", "verdict"]
    if settings.sort == "multiple":
        columns.insert(2, "probability_of_multiple")
    for finding in result.judgement.findings:
        screen.line(sentence(finding))
    if any(row.places for row in result.rows):
        columns.append("place")
    title = f"Label issues of {settings.taxonomy}"
    if result.judgement.with_text:
        _show_apart(result, [*columns, "read"], title, screen)
    else:
        rows = [_shown(row) for row in result.rows]
        screen.table(rows, columns, title=title, total=result.total)
    _show_count(result.judgement, screen)
    if result.judged is not None:
        screen.line(sentence(result.judged.sentence()))
    elif result.judgement.to_judge is not None:
        screen.line(result.judgement.to_judge.sentence(settings.taxonomy))


def _show_count(found: LabelJudgement, screen: Screen) -> None:
    if found.wrong is None:
        return  # the findings say why
    line = f"{counted(found.n_judged, 'labelled image')} checked. {wrong_labels(found.wrong)}"
    if found.n_worth_reading:
        one, many = "is worth reading and holds", "are worth reading and hold"
        reading = counted(found.n_worth_reading, one, many)
        line += f"; the first {reading} about {found.n_expected:,.0f} of them"
    screen.line(f"{line}.")


_AGAINST: Mapping[tuple[str, ...], str] = {
    ("pictures", "text"): "pictures and text speak against the label",
    ("text",): "the text alone",
    ("pictures",): "the pictures alone",
    (): "neither says another one for sure",
}


def _show_apart(result: Result, columns: list[str], title: str, screen: Screen) -> None:
    """Show the issues apart by what speaks against the labels, those of both first."""
    for voices, said in _AGAINST.items():
        rows = [
            {**_shown(row), "read": [one.reading for one in row.read]}
            for row in result.rows
            if row.against == voices
        ]
        if rows:
            screen.table(rows, columns, title=f"{title}: {said}")
    if len(result.rows) < result.total:
        screen.line(f"{len(result.rows):,} of {counted(result.total, 'issue')} shown: --limit N")


def _shown(row: LabelIssueRow) -> dict[str, Any]:
    return {**to_document(row), "place": " ".join(map(say_place, row.places[:1]))}


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row a labelled image: is_label_issue, label_score, change, given, suggested, …

    ``given`` and ``suggested`` are texts in a single taxonomy, lists of texts in a multi one.
    ``attrs["judgement"]`` holds the estimate of how many labels are wrong, as a dictionary.
    """
    import pandas as pd

    result = work(session, replace(settings, all=True))
    is_single = session.catalog.labels.taxonomy(settings.taxonomy).kind == "single"
    columns = ["image", "is_label_issue", "label_score", "change", "given", "suggested"]
    columns += ["probability", "verdict"]
    table = [
        {
            "image": row.image,
            "is_label_issue": row.flagged,
            "label_score": row.score,
            "change": row.change,
            "given": _plain(row.given) if is_single else list(row.given),
            "suggested": _plain(row.suggested) if is_single else list(row.suggested),
            "probability": row.probability,
            "verdict": row.verdict,
        }
        for row in result.rows
    ]
    found = pd.DataFrame(table, columns=columns).set_index("image")
    # As a plain document: pandas writes ``attrs`` into Parquet files and pickles.
    found.attrs["judgement"] = to_document(result.judgement)
    return found


def _plain(labels: Sequence[str]) -> str | None:
    return labels[0] if labels else None


VERB = Verb(Settings, work, show, document=OneOf("rows"), frame=frame)
