"""``vernis annotate``: ask an outside service about the pictures, with its price before.

Nothing leaves the machine without ``--send``: until then the command says how many pictures, what
they cost and what would be sent. What is answered is kept by content, so nothing is paid twice and
a run that was stopped goes on. Labels become suggestions (``--apply`` writes them), text is read as
that of ``read`` is, and ``brands`` finds the brands of a list in text and logos. Keys come from the
environment alone: GOOGLE_VISION_API_KEY (or GOOGLE_API_KEY), OPENAI_API_KEY.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.domain.annotations import FEATURES, Annotator, Feature, Price, Question
from vernis.domain.errors import ServiceError, UsageError, VernisError
from vernis.domain.types import REFUSED, ImageRecord, Issue
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb, count, rows_shown
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.steps.annotating import Sender, Sending, Tariff, Task, batches_of, open_tasks
from vernis.verbs.steps.service_labels import (
    ServiceLabels,
    read_labels,
    suggest_labels,
    write_labels,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_EDGE = {"labels": 640, "logos": 640, "text": 1024}
"""Longer side in pixels that a feature needs: what Google recommends for each."""
_SAMPLE = 24  # pictures that are encoded to estimate the bytes of all
_OVERHEAD = 4 / 3  # of base64
_REFUSED = "refused by the service"


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which service is asked about which pictures, and what it may cost."""

    _: KW_ONLY
    service: Annotated[
        Literal["google-vision", "openai-compatible"],
        Option("Google Cloud Vision, or a vision-language model behind chat/completions"),
    ] = "google-vision"
    features: Annotated[
        Sequence[Feature], Option("what is asked (default: all)", "FEATURE,…", joined=True)
    ] = FEATURES
    where: Annotated[str, Option("only images that this filter holds for")] = ""
    send: Annotated[bool, Option("send the pictures; without it nothing leaves the machine")] = (
        False
    )
    budget: Annotated[
        float | None,
        Option(
            "US dollars that all requests of this collection to the service may cost together",
            "USD",
            at_least=0,
        ),
    ] = None
    taxonomy: Annotated[
        str,
        Option(
            "of the labels (default: keywords); openai-compatible chooses among its classes, and "
            "what google-vision names is kept to them where the taxonomy is yours"
        ),
    ] = ""
    apply: Annotated[bool, Option("write the suggested labels, as one batch")] = False
    min_score: Annotated[
        float, Option("least score of a label, where the service tells one", at_least=0, at_most=1)
    ] = 0.5
    endpoint: Annotated[
        str,
        Option("address of the service, such as http://localhost:11434/v1", "URL", requests=None),
    ] = ""
    model: Annotated[str, Option("the model, as the service calls it")] = ""
    price: Annotated[
        float | None,
        Option("US dollars for 1,000 units, instead of the table's", "USD", at_least=0),
    ] = None
    prices: Annotated[
        Path | str | None,
        Option("a table of prices (service,feature,usd_per_1000,free_a_month,as_of)"),
    ] = None
    edge: Annotated[
        int | None,
        Option(
            "longer side of the pictures sent, pixels (default: 1024 with text, else 640)",
            at_least=64,
            at_most=4096,
        ),
    ] = None
    per_minute: Annotated[
        int | None, count("pictures a minute at most (default: 1,500 to google-vision)")
    ] = None
    at_a_time: Annotated[
        int | None,
        Option("requests at a time (default: 4 to google-vision, else 1)", at_least=1, at_most=64),
    ] = None
    timeout: Annotated[
        float | None,
        Option("seconds to wait for an answer (default: 60; 300 on this machine)", above=0),
    ] = None
    again: Annotated[bool, Option("also what is answered already; it is paid again")] = False
    limit: Annotated[int | None, rows_shown(what="labels")] = None


@dataclass(frozen=True, slots=True)
class UnitRow:
    """The units of a feature, and their price."""

    feature: str
    units: int
    price: Annotated[float | None, "US dollars at list price; null: not known"]
    free_a_month: Annotated[int, "units that the service may not charge; not subtracted"]
    as_of: Annotated[str, "day on which the price was looked up; empty: named by you"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is not answered yet, and what it would cost."""

    pictures: Annotated[int, "distinct pictures to be sent"]
    answered: Annotated[int, "distinct pictures of which all is answered already"]
    requests: int
    units: tuple[UnitRow, ...]
    price: Annotated[float | None, "US dollars at list price; null: not known"]
    bytes: Annotated[int, "on the wire, estimated from a sample of pictures"]
    edge: Annotated[int, "longer side of the pictures sent, pixels"]
    leaves: Annotated[tuple[str, ...], "what would leave the machine"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run sent, and what it brought."""

    requests: int
    pictures: Annotated[int, "pictures that are answered"]
    units: Annotated[int, "units that are counted as paid"]
    price: Annotated[float, "US dollars at list price"]
    tokens: Annotated[int, "of a language model, as it counts them"]
    bytes: Annotated[int, "of the pictures"]
    refused: Annotated[int, "images whose picture the service refuses; not asked again"]
    unanswered: Annotated[int, "images that it failed to answer; asked again the next time"]
    unreadable: Annotated[int, "images that could not be decoded, now marked so"]
    left: Annotated[int, "pictures that were not sent"]
    seconds: float


@dataclass(frozen=True, slots=True)
class SpentSoFar:
    """What all requests of the collection to the service came to."""

    requests: int
    units: int
    price: Annotated[float, "US dollars at list price, those in doubt included"]
    in_doubt: Annotated[int, "requests that were cut off before their answer was kept"]


@dataclass(frozen=True, slots=True)
class MethodRow:
    """How many images a method fills."""

    method: str
    answered: Annotated[int, "images that the service was asked about"]
    filled: Annotated[int, "of these, images of which it says something"]
    share: Annotated[float | None, "filled of answered"]
    found: Annotated[int, "labels, logos or lines of text in all"]


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label, and how many images it is said of."""

    label: str
    images: int


@dataclass(frozen=True, slots=True)
class Result:
    """What would be sent or was, and what is answered so far."""

    service: str
    source: Annotated[str, "who says the labels"]
    address: Annotated[str, "where the pictures go"]
    images: Annotated[int, "images that are asked about"]
    plan: Plan
    sent: Annotated[Sent | None, "with --send"]
    spent: SpentSoFar
    methods: Annotated[tuple[MethodRow, ...], "by feature, of all present images"]
    labels: Annotated[tuple[LabelRow, ...], "the most frequent first"]
    taxonomy: str
    suggested: Annotated[int, "labels suggested now"]
    batch: Annotated[int | None, "with --apply: the batch, 0 when nothing changed"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Say what a service would be sent, or send it; keep and conclude what it answers.

    Raises
    ------
    UsageError
        No key, no model, no classes, a price that is not known, or no budget.
    ServiceError
        The service cannot be used; what it answered before is kept.
    FilterError
        A wrong filter.
    """
    annotator = session.services.annotator(
        settings.service,
        endpoint=settings.endpoint,
        model=settings.model,
        per_minute=settings.per_minute,
        timeout=settings.timeout,
    )
    question = _question(session, settings)
    images = chosen_images(session, settings.where)
    tasks = open_tasks(session, annotator, question, images, again=settings.again)
    plan = _plan(session, settings, annotator, question, tasks, images)
    sent = None
    labels, suggested, batch = None, 0, None
    with session.lock("annotate"):
        if settings.send:
            sent = _send(session, settings, annotator, question, tasks, plan)
            _keep_refusals(session)
        if "labels" in question.features:
            labels = read_labels(session, annotator, question, settings.min_score)
            if settings.send or settings.apply:
                suggested, batch = _conclude(session, settings, annotator, question, labels)
    if sent is not None and sent.error is not None:
        raise _told(sent)
    return Result(
        service=settings.service,
        source=annotator.version.source,
        address=annotator.address,
        images=len(images),
        plan=plan,
        sent=_sent(sent),
        spent=_spent(session, annotator),
        methods=tuple(_methods(session, annotator, question, labels)),
        labels=_frequent(labels)[: settings.limit],
        taxonomy=question.taxonomy,
        suggested=suggested,
        batch=batch,
        notes=tuple(_notes(session, annotator, question, labels, sent)),
    )


def _question(session: Session, settings: Settings) -> Question:
    """Return what is asked; for a language model with the classes of the taxonomy."""
    features = tuple(one for one in FEATURES if one in settings.features)
    if not features:
        raise UsageError(f"nothing is asked; name some of {', '.join(FEATURES)}: --features")
    name = settings.taxonomy or "keywords"
    if "labels" not in features:
        return Question(features)
    known = next((one for one in session.taxonomies() if one.name == name), None)
    kind = "multi" if known is None else known.kind
    if settings.service == "google-vision":
        return Question(features, name, kind=kind)
    if known is None or not known.classes:
        there = ", ".join(one.name for one in session.taxonomies() if one.classes)
        raise UsageError(
            f"a language model chooses among the classes of a taxonomy; there is none "
            f"'{name}' with classes; name one with --taxonomy: {there or 'import labels first'}"
        )
    return Question(features, name, known.classes, kind)


def _tariff(session: Session, settings: Settings, annotator: Annotator) -> Tariff:
    """Return what units cost: as the owner says, nothing on this machine, else as listed."""
    name, rate = settings.service, settings.price
    if rate is None and settings.prices is None and annotator.is_local:
        rate = 0.0
    if rate is not None:
        prices: Sequence[Price] = [Price(name, feature, rate) for feature in FEATURES]
    else:
        prices = session.services.prices(None if settings.prices is None else Path(settings.prices))
    own = {one.feature: one for one in prices if one.service == name}
    return Tariff(own, annotator.is_paid_by_feature)


def _plan(
    session: Session,
    settings: Settings,
    annotator: Annotator,
    question: Question,
    tasks: Sequence[Task],
    images: Sequence[ImageRecord],
) -> Plan:
    tariff = _tariff(session, settings, annotator)
    pictures = len({image.content_hash for image in images})
    edge = settings.edge or max(_EDGE[feature] for feature in question.features)
    is_known = tariff.knows(question.features)
    return Plan(
        pictures=len(tasks),
        answered=pictures - len(tasks),
        requests=len(batches_of(tasks, annotator.most_pictures)),
        units=tuple(_units(tariff, question, tasks)),
        price=sum((tariff.price(task.features) for task in tasks), 0.0) if is_known else None,
        bytes=_estimate_bytes(session, tasks, edge),
        edge=edge,
        leaves=_leaves(annotator, question, edge),
    )


def _units(tariff: Tariff, question: Question, tasks: Sequence[Task]) -> list[UnitRow]:
    """Return the units of each feature, or of all together where the picture is the unit."""
    counts = Counter(feature for task in tasks for feature in task.features)
    groups: list[tuple[Feature, ...]] = [(feature,) for feature in question.features]
    if not tariff.by_feature:
        groups = [question.features]
    found = []
    for features in groups:
        name = ", ".join(features)
        units = counts[features[0]] if tariff.by_feature else len(tasks)
        price = tariff.prices.get(features[0])
        cost = units * tariff.price(features) if tariff.knows(features) else None
        free, day = (price.free_a_month, price.as_of) if price else (0, "")
        found.append(UnitRow(name, units, cost, free, day))
    return found


def _estimate_bytes(session: Session, tasks: Sequence[Task], edge: int) -> int:
    """Return the bytes of all pictures as they are sent, from some of them."""
    step = max(1, len(tasks) // _SAMPLE)
    sizes = []
    encode = session.files.pictures_to_send(edge)
    for task in tasks[::step][:_SAMPLE]:
        try:
            sizes.append(len(encode(task.image).jpeg))
        except (OSError, VernisError):  # told when it is sent
            continue
    return round(_OVERHEAD * len(tasks) * sum(sizes) / len(sizes)) if sizes else 0


def _leaves(annotator: Annotator, question: Question, edge: int) -> tuple[str, ...]:
    where = f"{annotator.address}{' (this machine)' if annotator.is_local else ''}"
    said = [
        f"to {where}",
        f"the pictures, drawn anew as JPEG of at most {edge:,} pixels on the longer side: upright, "
        "without file name, EXIF, place or any other metadata",
    ]
    if question.classes:
        said.append(
            f"the name of the taxonomy {question.taxonomy} and of its "
            f"{counted(len(question.classes), 'class', 'classes')}"
        )
    return tuple(said)


def _send(
    session: Session,
    settings: Settings,
    annotator: Annotator,
    question: Question,
    tasks: Sequence[Task],
    plan: Plan,
) -> Sending:
    """Send what is not answered yet, within the budget."""
    if tasks:
        annotator.require_key()
        if plan.price is None:
            raise UsageError(
                f"the price of {annotator.version.name} is not known; name it for 1,000 pictures: "
                "--price USD (0 where it costs nothing)"
            )
        if plan.price > 0 and settings.budget is None:
            raise UsageError(
                f"this would cost up to ${plan.price:,.2f}; say how much it may cost: "
                f"--budget {_spent(session, annotator).price + plan.price:.2f}"
            )
    if "text" in question.features:
        session.catalog.readings.use(annotator.version.reader)
    sender = Sender(
        session,
        annotator,
        question,
        _tariff(session, settings, annotator),
        edge=plan.edge,
        budget=settings.budget,
        at_a_time=settings.at_a_time or (4 if annotator.is_paid_by_feature else 1),
    )
    return sender.run(tasks)


def _keep_refusals(session: Session) -> None:
    """Make each refusal an issue of every image that holds the picture."""
    images: dict[str, list[int]] = {}
    for image in session.images():
        images.setdefault(image.content_hash, []).append(image.id)
    refused: dict[int, list[str]] = {}
    for one in session.catalog.answers.refusals():
        for image_id in images.get(one.content_hash, ()):
            refused.setdefault(image_id, []).append(f"{one.service}: {one.reason}")
    session.catalog.issues.replace(
        (REFUSED,),
        [
            Issue(REFUSED, image_id, 0.0, evidence={"note": "; ".join(reasons)})
            for image_id, reasons in refused.items()
        ],
    )


def _told(sent: Sending) -> ServiceError:
    """Return what ended the run, with what is kept of it."""
    kept = f"{counted(sent.pictures, 'picture')} answered in this run and kept"
    left = f"{counted(sent.left, 'picture')} left; the same command goes on"
    return ServiceError(f"{sent.error} ({kept}, {left})")


def _conclude(
    session: Session,
    settings: Settings,
    annotator: Annotator,
    question: Question,
    labels: ServiceLabels,
) -> tuple[int, int | None]:
    """Suggest or write the labels; returns how many are suggested, and the batch."""
    if settings.apply:
        return 0, write_labels(session, annotator, question, labels)
    return len(suggest_labels(session, annotator, question, labels)), None


def _sent(sent: Sending | None) -> Sent | None:
    if sent is None:
        return None
    return Sent(
        requests=sent.requests,
        pictures=sent.pictures,
        units=sent.units,
        price=sent.price,
        tokens=sent.tokens,
        bytes=sent.bytes,
        refused=len(sent.refused),
        unanswered=len(sent.unanswered),
        unreadable=len(sent.unreadable),
        left=sent.left,
        seconds=round(sent.seconds, 1),
    )


def _spent(session: Session, annotator: Annotator) -> SpentSoFar:
    spent = session.catalog.answers.spent(annotator.version)
    return SpentSoFar(spent.requests, spent.units, spent.price, spent.in_doubt)


def _methods(
    session: Session, annotator: Annotator, question: Question, labels: ServiceLabels | None
) -> list[MethodRow]:
    """Return the table of the thesis: how many images each method fills."""
    rows = []
    copies = Counter(image.content_hash for image in session.images())
    for feature in question.features:
        answered = filled = found = 0
        if feature == "labels" and labels is not None:
            answered = labels.answered
            filled = sum(map(bool, labels.labels.values()))
            found = sum(map(len, labels.labels.values()))
        else:
            read = annotator.text if feature == "text" else annotator.logos
            for answer in session.catalog.answers.answers(
                annotator.version, feature, "", list(copies)
            ):
                if answer.refused:
                    continue
                number = copies[answer.content_hash]
                lines = len(read(answer.content, answer.width, answer.height))
                answered += number
                filled += number * bool(lines)
                found += number * lines
        share = filled / answered if answered else None
        rows.append(
            MethodRow(f"{feature} ({annotator.version.name})", answered, filled, share, found)
        )
    return rows


def _frequent(labels: ServiceLabels | None) -> tuple[LabelRow, ...]:
    if labels is None:
        return ()
    counts = Counter(one.name for found in labels.labels.values() for one in found)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(LabelRow(name, images) for name, images in ranked)


def _notes(
    session: Session,
    annotator: Annotator,
    question: Question,
    labels: ServiceLabels | None,
    sent: Sending | None,
) -> list[str]:
    notes = []
    spent = session.catalog.answers.spent(annotator.version)
    if spent.in_doubt:
        one, many = "request was cut off", "requests were cut off"
        notes.append(
            f"{counted(spent.in_doubt, one, many)} before the answer was kept; up to "
            f"${spent.doubtful_price:,.2f} may have been paid for nothing, and counts as spent"
        )
    if labels is not None and labels.strange:
        names = ", ".join(name for name, _ in labels.strange.most_common(3))
        one, many = "name is no class", "names are no classes"
        notes.append(
            f"{counted(len(labels.strange), one, many)} of {question.taxonomy} and left out, such "
            f"as {names}; for a taxonomy of all of them: --taxonomy NEW"
        )
    if sent is None:
        return notes
    if sent.over_budget:
        notes.append(
            f"the budget is used up; {counted(sent.left, 'picture is', 'pictures are')} left, and "
            "the same command with a larger --budget goes on"
        )
    for failed, what in (
        (sent.refused, _REFUSED),
        (sent.unanswered, "not answered this time"),
        (sent.unreadable, "not decoded"),
    ):
        if failed:
            uri, reason = next(iter(sorted(failed.items())))
            verb = "image was" if len(failed) == 1 else "images were"
            hint = f" (issues: vernis search --where issue:{REFUSED})" if what == _REFUSED else ""
            notes.append(f"{len(failed):,} {verb} {what}, such as {uri}: {reason}{hint}")
    return notes


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what would be sent or was, and how many images each method fills."""
    if result.sent is None and result.plan.pictures:
        _show_plan(result, screen)
    if result.sent is not None and result.sent.requests:
        sent = result.sent
        screen.line(
            f"Sent {counted(sent.pictures, 'picture')} in {counted(sent.requests, 'request')}: "
            f"{counted(sent.units, 'unit')}, ${sent.price:,.2f} at list price; "
            f"${result.spent.price:,.2f} in all."
        )
    rows = [
        {
            "method": row.method,
            "images asked": row.answered,
            "images filled": row.filled,
            "share": "" if row.share is None else f"{row.share:.1%}",
            "found": row.found,
        }
        for row in result.methods
        if row.answered
    ]
    if rows:
        screen.table(rows, list(rows[0]), title="What the service says")
    if result.labels:
        screen.table(result.labels, ["label", "images"], title="Labels", limit=settings.limit)
    if result.batch:
        screen.line(f"Written as batch {result.batch}; vernis undo takes it back.")
    elif result.suggested:
        screen.line(
            f"{counted(result.suggested, 'label')} suggested for {result.taxonomy}. To write them: "
            "the same command with --apply instead of --send"
        )
    if any(row.filled for row in result.methods if not row.method.startswith("labels")):
        screen.line("Next: vernis brands LIST.csv finds its brands in text and logos")


def _show_plan(result: Result, screen: Screen) -> None:
    plan = result.plan
    price = "not known (--price USD for 1,000)" if plan.price is None else f"${plan.price:,.2f}"
    screen.facts(
        {
            "pictures": f"{plan.pictures:,} ({plan.answered:,} answered already)",
            "requests": plan.requests,
            "price": f"{price} at list price",
            "spent so far": f"${result.spent.price:,.2f}",
            "bytes": f"about {plan.bytes / 1e6:,.1f} MB",
        },
        title=f"What {result.service} would be sent",
    )
    columns = ["feature", "units", "price", "free_a_month", "as_of"]
    screen.table(plan.units, columns, title="Units")
    screen.line("What would leave the machine:")
    for line in plan.leaves:
        screen.line(f"  {line}")
    screen.line("Nothing was sent. To send it: the same command with --send")


VERB = Verb(Settings, work, show)
