"""``vernis dismiss``: disagree with issues: they are not brought up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.verbs.decide.decisions import Decision, DecisionSettings, decide, dismiss_issues, show
from vernis.verbs.declare import Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


def work(session: Session, settings: DecisionSettings) -> Decision:
    """Disagree with issues; they are not brought up again."""
    return decide(session, settings, dismiss_issues)


VERB = Verb(DecisionSettings, work, show, access="decide")
