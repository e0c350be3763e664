"""What people answer to suspected problems, many at a time, each at most once.

An answer names the issue by its id and says what its giver had seen. If another person has decided
the issue since, nothing is overwritten: the answer is a conflict that says who and when. The same
answer of the same person again changes nothing, so that it can be sent until it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.types import VERDICTS, Event, Issue, Statement, Verdict
from vernis.verbs.decide.decisions import accept_issues, by, dismiss_issues
from vernis.verbs.decide.unsure import mark_unsure

if TYPE_CHECKING:
    from vernis.session.session import Session

AnswerKind = Literal["accept", "dismiss", "label", "reopen", "unsure"]
OutcomeState = Literal["done", "known", "conflict", "gone", "refused"]
_VERDICT: dict[AnswerKind, Verdict] = {
    "accept": "accepted",
    "dismiss": "dismissed",
    "label": "accepted",
    "reopen": "open",
    "unsure": "open",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says to an issue.

    Attributes
    ----------
    issue : int
        Its id.
    answer : {'accept', 'dismiss', 'label', 'reopen', 'unsure'}
        ``accept``: the problem is there, and labels are changed as suggested. ``dismiss``: there is
        none. ``label``: the labels are these. ``reopen``: undecided again.
        ``unsure``: it stays undecided, and out of the queue until it is asked for.
    labels : tuple of str
        Of ``label``: all that the image carries of the issue's taxonomy; empty for none of them.
    seen : {'open', 'accepted', 'dismissed'}
        The verdict that the person saw.
    """

    issue: int
    answer: AnswerKind
    labels: tuple[str, ...] = ()
    seen: Verdict = "open"

    def __post_init__(self) -> None:
        if self.answer not in _VERDICT:
            raise InvalidValue(f"expected an answer of {', '.join(_VERDICT)}, got {self.answer!r}")
        if self.seen not in VERDICTS:
            raise InvalidValue(f"expected seen of {', '.join(VERDICTS)}, got {self.seen!r}")
        if self.labels and self.answer != "label":
            raise InvalidValue(f"labels are given with 'label', not with {self.answer!r}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer."""

    issue: int
    state: Annotated[
        OutcomeState,
        "recorded; recorded before; another decision came first; there is no such issue any more; "
        "it cannot be recorded",
    ]
    verdict: Annotated[Verdict | None, "of the issue now; null when it is gone"]
    image: Annotated[int, "its image, 0 when it is gone"]
    taxonomy: str
    batch: Annotated[int, "what an undo takes back; 0: nothing was changed"]
    changes: Annotated[int, "labels changed"]
    by: Annotated[str, "of a conflict: who decided"]
    time: Annotated[str, "of a conflict: when, UTC"]
    reason: Annotated[str, "why it is refused"] = ""


def take_answers(
    session: Session, answers: Sequence[Answer], *, who: str, together: bool = False
) -> tuple[Outcome, ...]:
    """Record answers; the writer's lock is not needed.

    Parameters
    ----------
    session : Session
    answers : sequence of Answer
    who : str
        The person; not empty.
    together : bool
        All are one batch, which one undo takes back; otherwise each is a batch of its own.

    Returns
    -------
    tuple of Outcome
        In the order of the answers. An answer that cannot be recorded (a label that is no class of
        the taxonomy, labels for an issue that is about none) is ``refused``; the others are not.
    """
    with session.catalog.transaction() if together else nullcontext():
        return tuple(_recorded(session, answer, who) for answer in answers)


def _recorded(session: Session, answer: Answer, who: str) -> Outcome:
    catalog = session.catalog
    issue = None
    try:
        with catalog.transaction():
            issue = catalog.issues.get([answer.issue]).get(answer.issue)
            if issue is None:
                return Outcome(answer.issue, "gone", None, 0, "", 0, 0, "", "")
            return _take(session, issue, answer, who)
    except UsageError as error:
        assert issue is not None
        verdict, image = issue.verdict, issue.image_id
        reason = str(error)
        return Outcome(issue.id, "refused", verdict, image, issue.taxonomy, 0, 0, "", "", reason)


def _take(session: Session, issue: Issue, answer: Answer, who: str) -> Outcome:
    def outcome(
        state: Literal["done", "known", "conflict"], verdict: Verdict, batch: int, changes: int
    ) -> Outcome:
        last = _last_decision(session, issue) if state == "conflict" else None
        person = "" if last is None else last.source.removeprefix("human:")
        time = "" if last is None else last.time
        image, taxonomy = issue.image_id, issue.taxonomy
        return Outcome(issue.id, state, verdict, image, taxonomy, batch, changes, person, time)

    if issue.verdict != answer.seen:
        last = _last_decision(session, issue)
        own = last is not None and last.source == by(who)
        if own and issue.verdict == _VERDICT[answer.answer] and _holds(session, issue, answer):
            return outcome("known", issue.verdict, last.batch_id if last is not None else 0, 0)
        return outcome("conflict", issue.verdict, 0, 0)
    if answer.answer == "accept":
        done = accept_issues(session.catalog, [issue], who=who)
        return outcome("done", "accepted", done.batch, done.changes)
    if answer.answer == "dismiss":
        return outcome(
            "done", "dismissed", dismiss_issues(session.catalog, [issue], who=who).batch, 0
        )
    if answer.answer == "unsure":
        batch = mark_unsure(session, issue, who)
        return outcome("done" if batch else "known", issue.verdict, batch, 0)
    if answer.answer == "reopen":
        batch = session.catalog.issues.set_verdict([issue.id], "open", who=who)
        return outcome("done", "open", batch, 0)
    batch, changes = _label(session, issue, answer.labels, who)
    return outcome("done", "accepted", batch, changes)


def _label(session: Session, issue: Issue, labels: Sequence[str], who: str) -> tuple[int, int]:
    """Give the image of an issue other labels than those suggested; returns batch and changes."""
    if issue.kind != "label":
        raise InvalidValue(f"the issue {issue.id} is not about labels but {issue.kind}")
    catalog = session.catalog
    taxonomy = catalog.labels.taxonomy(issue.taxonomy)
    strange = [label for label in labels if label not in taxonomy.classes]
    if strange:
        raise NotFound(f"{taxonomy.name} has no class {strange[0]!r}")
    if taxonomy.kind == "single" and len(labels) > 1:
        raise InvalidValue(f"an image has one class of {taxonomy.name}, got {len(labels)}")
    given = {str(label) for label in issue.evidence.get("given", ())}
    wanted = set(labels)
    said = [Statement(issue.image_id, label, "yes") for label in sorted(wanted)]
    if taxonomy.kind == "multi" or not wanted:
        said += [Statement(issue.image_id, label, "no") for label in sorted(given - wanted)]
    batch = catalog.labels.record(taxonomy.name, said, source=by(who), verb="label", note="1 issue")
    # Who names the labels that were given says that they are right.
    verdict: Verdict = "dismissed" if wanted == given else "accepted"
    judged = catalog.issues.set_verdict([issue.id], verdict, who=who)
    return batch or judged, len(said) if batch else 0


def _holds(session: Session, issue: Issue, answer: Answer) -> bool:
    """Tell whether the labels of an answer are those that the image carries by the same person."""
    if answer.answer != "label":
        return True
    said = session.catalog.labels.statements(issue.taxonomy, issue.image_id)
    human = {
        one.label for source, one in said if source.startswith("human:") and one.state == "yes"
    }
    return human == set(answer.labels)


def _last_decision(session: Session, issue: Issue) -> Event | None:
    """Return the latest verdict on an issue."""
    found = [
        event
        for event in session.catalog.history.of_image(issue.image_id)
        if event.after in VERDICTS
        and event.taxonomy == issue.taxonomy
        and event.label == issue.label
        and event.note.startswith(f"verdict on {issue.kind}")
    ]
    return found[-1] if found else None
