"""``vernis redo``: do again what the latest undo took back.

As in an editor each redo goes one undo forward, and a new decision ends that. An undo can be taken
back later all the same: by its number, ``vernis undo NUMBER``.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.decide.undoing import Undone, agree, settle_moves, show_undone, undo_batch
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whether to ask."""

    _: KW_ONLY
    yes: Annotated[
        bool, Option("do not ask, although it changes more than 100 labels or images")
    ] = False


def work(session: Session, settings: Settings) -> Undone:
    """Take the latest undo back, with the files that it moved; raises NotFound, UsageError."""
    settle_moves(session)
    batch = session.catalog.history.latest_undone()
    return undo_batch(session, batch, yes=settings.yes, command="vernis redo")


def ask(session: Session, settings: Settings, screen: Screen) -> Settings:
    """Show what is done again before it is, and ask where it is much; raises Declined."""
    settle_moves(session)
    batch = session.catalog.history.latest_undone()
    agreed = agree(session, batch, yes=settings.yes, screen=screen, doing="redo")
    return replace(settings, yes=agreed)


def show(result: Undone, settings: Settings, screen: Screen) -> None:
    """Show what was done again and how it is taken back."""
    back = f"vernis undo {result.batch} takes it back"
    show_undone(result, screen, done=f"did batch {result.batch} again", back=back)


VERB = Verb(Settings, work, show, ask=ask, access="decide")
