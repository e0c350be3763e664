"""``vernis fill``: suggest missing labels at a precision that you name."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.domain.documents import to_document
from vernis.report.wording import counted
from vernis.verbs.decide.fill_summary import FillSummary
from vernis.verbs.decide.filling import FillHead, apply_fill, fill_taxonomy
from vernis.verbs.decide.filling_curve import FillPoint, find_curve
from vernis.verbs.decide.label_places import (
    LabelPlace,
    find_places,
    place_of_suggestion,
    say_place,
)
from vernis.verbs.declare import (
    SEED,
    WHERE,
    BaseSettings,
    Fields,
    Option,
    Screen,
    Verb,
    rows_shown,
    share,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is filled, and how surely."""

    taxonomy: Annotated[str, Option("the taxonomy, learned before")]
    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    precision: Annotated[float, share("promised share of right labels among the suggestions")] = (
        0.95
    )
    confidence: Annotated[float, share("how surely it is promised")] = 0.95
    head: Annotated[
        FillHead,
        Option(
            "what predicts: the kernel, bagged networks, or best: both are trained, and the one "
            "that fills more is taken"
        ),
    ] = "kernel"
    apply: Annotated[bool, Option("write the labels, as one batch")] = False
    curve: Annotated[
        bool, Option("say too what other precisions would fill, from 60 % to 99 %")
    ] = False
    limit: Annotated[int | None, rows_shown()] = None
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """A label that is suggested for an image without one."""

    image: Annotated[str, "path relative to the indexed folder"]
    label: str
    probability: Annotated[float, "of the head, 0 to 1"]
    place: Annotated[
        LabelPlace | None, "where in the picture, as far as it is known (a region, text, locate)"
    ] = None


@dataclass(frozen=True, slots=True)
class Result:
    """The suggestions, and what is promised of them."""

    summary: FillSummary
    batch: Annotated[int | None, "with --apply: the batch, 0 when there was nothing to write"]
    suggestions: Annotated[tuple[SuggestionRow, ...], "most certain first"]
    total: Annotated[int, "suggestions in all, listed or not"]
    curve: Annotated[
        tuple[FillPoint, ...] | None, "with --curve: what each precision would fill"
    ] = None
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Suggest labels for unlabelled images at a precision; write them only with ``apply``.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    UsageError
        If the taxonomy was not learned yet.
    """
    summary = fill_taxonomy(
        session,
        settings.taxonomy,
        precision=settings.precision,
        confidence=settings.confidence,
        head=settings.head,
        seed=settings.seed,
        where=settings.where,
    )
    uris = session.uris()
    found = [
        one for one in session.catalog.issues.suggestions(settings.taxonomy) if one.image_id in uris
    ]
    found.sort(key=lambda one: (-one.probability, uris[one.image_id], one.label))
    listed = found[: settings.limit]
    places = find_places(session, settings.taxonomy, [(o.image_id, o.label) for o in listed])
    curve = None
    if settings.curve:
        curve = find_curve(
            session,
            settings.taxonomy,
            confidence=settings.confidence,
            head=settings.head,
            seed=settings.seed,
            where=settings.where,
        ).points
    batch = apply_fill(session, settings.taxonomy) if settings.apply else None
    rows = tuple(
        SuggestionRow(
            uris[one.image_id], one.label, one.probability, place_of_suggestion(one, places)
        )
        for one in listed
    )
    return Result(summary, batch, rows, len(found), curve, summary.notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the suggestions as a table, and the promise below it."""
    title = f"{counted(result.total, 'suggestion')} for {settings.taxonomy}"
    columns = ["image", "label", "probability"]
    rows = [
        {**to_document(row), "place": say_place(row.place) if row.place else ""}
        for row in result.suggestions
    ]
    if any(row["place"] for row in rows):
        columns.append("place")
    screen.table(rows, columns, title=title, total=result.total)
    found = result.summary
    facts = {
        "model": found.model,
        "promised precision": found.precision,
        "confidence": found.confidence,
        "images": found.n_images,
        "labelled": found.n_labelled,
        "suggested": found.suggested,
        "of these by what is read": found.by_text.suggested if found.by_text else None,
        "lower bound of their precision": found.by_text.bound if found.by_text else None,
        "images filled": found.filled,
        "images left unknown": found.n_abstained,
        "of these unlike all labelled ones": found.n_out_of_distribution,
        "measured precision": found.measured,
        "its lower bound": found.bound,
        "filling rate before": found.filling_rate_before,
        "filling rate after": found.filling_rate_after,
        "basis": found.basis,
        "bias": found.bias,
        "batch": result.batch,
    }
    screen.facts({name: value for name, value in facts.items() if value not in (None, "")})
    if result.curve is not None:
        columns = ["precision", "suggested", "filled", "rate", "measured", "bound"]
        screen.table(result.curve, columns, title="What each precision would fill")


VERB = Verb(
    Settings,
    work,
    show,
    document=Fields("summary", "batch", "suggestions", "curve"),
)
