"""``vernis accept``: agree with issues: a label is changed as its issue suggests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.verbs.decide.decisions import Decision, DecisionSettings, accept_issues, decide, show
from vernis.verbs.declare import Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


def work(session: Session, settings: DecisionSettings) -> Decision:
    """Agree with issues: a label is changed as its issue suggests, in one batch."""
    return decide(session, settings, accept_issues)


VERB = Verb(DecisionSettings, work, show, access="decide")
