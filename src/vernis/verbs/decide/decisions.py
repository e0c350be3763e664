"""Decisions about issues: their label changes and verdicts are one batch."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import (
    BOX_KINDS,
    LABEL_KINDS,
    QUALITY_KINDS,
    REFUSED,
    Issue,
    Statement,
    Verdict,
)
from vernis.report.wording import counted
from vernis.verbs.decide.box_corrections import correct_boxes
from vernis.verbs.declare import BaseSettings, Option, Screen, count

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class DecisionSettings(BaseSettings):
    """Which issues are decided, and by whom."""

    what: Annotated[str, Option("a taxonomy (its label issues) or a kind such as duplicate")]
    images: Annotated[
        Sequence[str], Option("paths or ids; for duplicate both images of a pair")
    ] = ()
    _: KW_ONLY
    worst: Annotated[int | None, count("the N worst open issues instead of named images")] = None
    who: Annotated[str, Option("your name (default: the login name)")] = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision did."""

    verdict: Verdict
    issues: Annotated[int, "issues decided"]
    changes: Annotated[int, "labels and boxes changed"]
    batch: Annotated[int, "its number, 0 when it changed nothing"]


def decide(
    session: Session,
    settings: DecisionSettings,
    act: Callable[..., Decision],
) -> Decision:
    """Accept or dismiss (``act``) the issues that the settings name."""
    chosen = select_issues(session.catalog, settings.what, settings.images, worst=settings.worst)
    return act(session.catalog, chosen, who=settings.who or login_name())


def login_name() -> str:
    """Return the name of the person at the machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without such a user
        return "unknown"


def by(who: str = "") -> str:
    """Return a person (default: the login name) as a source."""
    return f"human:{who.strip() or login_name()}"


def show(result: Decision, settings: DecisionSettings, screen: Screen) -> None:
    """Show what was decided and how it is taken back."""
    screen.line(
        f"{result.verdict} {counted(result.issues, 'issue')}, "
        f"{result.changes:,} {_changed(settings.what, result.changes)} changed "
        f"(batch {result.batch}; vernis undo {result.batch} takes it back)"
    )


def _changed(what: str, n: int) -> str:
    if what in BOX_KINDS:
        return "box" if n == 1 else "boxes"
    return "label" if n == 1 else "labels"


def select_issues(
    catalog: Catalog, what: str, images: Sequence[str] = (), *, worst: int | None = None
) -> list[Issue]:
    """Return the issues that a person means.

    Parameters
    ----------
    catalog : Catalog
    what : str
        A taxonomy (its label issues) or a kind of issue such as ``duplicate`` or ``blurry``.
    images : sequence of str
        Uris or ids. Every image named must have such an issue; issues that are not flagged can be
        named too. Two or more images of duplicates mean the pairs among them.
    worst : int, optional
        Take the worst so many open ones instead.

    Returns
    -------
    list of Issue
        Worst first.

    Raises
    ------
    UsageError
        When neither or both of ``images`` and ``worst`` are given, or ``worst`` is below 1.
    NotFound
        When there is no such taxonomy, kind or image, or an image has no such issue.
    """
    if bool(images) == (worst is not None):
        raise UsageError("name the images, or give --worst N for the N worst open issues")
    kind, taxonomy = _resolve(catalog, what)
    if worst is not None:
        if worst < 1:
            raise UsageError(f"expected --worst of 1 or more, got {worst}")
        return catalog.issues.select((kind,), taxonomy, verdicts=("open",))[:worst]
    found = catalog.issues.select((kind,), taxonomy, flagged_only=False)
    named = [catalog.images.find(text) for text in images]
    if kind == "duplicate" and len(named) > 1:
        # Several images of a group mean the pairs among them, not those with the rest of it.
        among = {image.id for image in named}
        found = [issue for issue in found if {issue.image_id, issue.other_id} <= among]
    chosen: dict[int, Issue] = {}
    for image in named:
        own = [issue for issue in found if image.id in (issue.image_id, issue.other_id)]
        if not own and kind == "duplicate" and len(named) > 1:
            raise NotFound(
                f"{image.uri} has no duplicate issue with another one of the images named; name "
                "one image alone to mean all its pairs, or list them: vernis duplicates"
            )
        if not own:
            raise NotFound(f"{image.uri} has no {what} issue; list them: vernis issues {what}")
        if kind in BOX_KINDS:  # the suspected boxes of the image, else the most doubtful one
            own = [issue for issue in own if issue.flagged] or own[:1]
        chosen |= {issue.id: issue for issue in own}
    return list(chosen.values())


def _resolve(catalog: Catalog, what: str) -> tuple[str, str | None]:
    names = [taxonomy.name for taxonomy in catalog.labels.taxonomies()]
    if what in names:
        return "label", what
    if what in (
        *QUALITY_KINDS,
        "duplicate",
        "outlier",
        "broken",
        "text_differs",
        REFUSED,
        *BOX_KINDS,
    ):
        return what, None
    raise NotFound(
        f"'{what}' is neither a taxonomy ({', '.join(sorted(names)) or 'there is none'}) nor a "
        f"kind of issue (duplicate, outlier, text_differs, {', '.join(QUALITY_KINDS + BOX_KINDS)})"
    )


def accept_issues(catalog: Catalog, issues: Sequence[Issue], *, who: str) -> Decision:
    """Agree with issues; the label of a label issue is changed as it suggests.

    The labels that an issue removes become ``no`` and those that it adds ``yes``, with the source
    ``human:WHO``. A wrong box is corrected. Other kinds of issue only get their verdict. All of it
    is one batch, which one undo takes back.

    Parameters
    ----------
    catalog : Catalog
    issues : sequence of Issue
    who : str
        The person; not empty.

    Returns
    -------
    Decision
    """
    _require_person(who)
    statements = {
        name: [
            statement
            for issue in issues
            if issue.taxonomy == name
            for statement in _statements(catalog, issue)
        ]
        for name in dict.fromkeys(issue.taxonomy for issue in issues if issue.kind in LABEL_KINDS)
    }
    batch = changes = 0
    with catalog.transaction():
        for name, said in statements.items():
            recorded = catalog.labels.record(
                name, said, source=f"human:{who}", verb="accept", note=counted(len(issues), "issue")
            )
            batch = recorded or batch
            changes += len(said) if recorded else 0
        of_boxes = [issue for issue in issues if issue.kind in BOX_KINDS]
        corrected, recorded = correct_boxes(catalog, of_boxes, source=f"human:{who}")
        changes, batch = changes + corrected, recorded or batch
        judged = catalog.issues.set_verdict([i.id for i in issues], "accepted", who=who)
    return Decision("accepted", len(issues), changes, batch or judged)


def dismiss_issues(catalog: Catalog, issues: Sequence[Issue], *, who: str) -> Decision:
    """Disagree with issues: nothing changes, and they are not brought up again.

    The verdict holds as long as the image's content and, for a label issue, its given labels stay
    what they are.

    Parameters and return value are those of `accept_issues`.
    """
    _require_person(who)
    batch = catalog.issues.set_verdict([i.id for i in issues], "dismissed", who=who)
    return Decision("dismissed", len(issues), 0, batch)


def _require_person(who: str) -> None:
    if not who.strip():
        raise UsageError("a decision needs a name: --who NAME")


def _statements(catalog: Catalog, issue: Issue) -> list[Statement]:
    given = {str(label) for label in issue.evidence.get("given", ())}
    suggested = {str(label) for label in issue.evidence.get("suggested", ())}
    if issue.evidence.get("change") == "":
        return []  # nothing is suggested, which is not to take every label away
    added = [Statement(issue.image_id, label, "yes") for label in sorted(suggested - given)]
    removed = [Statement(issue.image_id, label, "no") for label in sorted(given - suggested)]
    if added and catalog.labels.taxonomy(issue.taxonomy).kind == "single":
        return added  # the yes of a single taxonomy is the no of all others
    return removed + added
