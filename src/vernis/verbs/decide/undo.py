"""``vernis undo``: take a batch of changes back: the latest decision, or any by its number.

A decision is what a person changed here: labels, verdicts, files in the trash, taxonomies, names.
Without a number an import or an index is taken back only with ``--including imports``. A second
undo takes the decision before; ``vernis redo`` goes forward again.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.verbs.decide.undoing import Undone, agree, settle_moves, show_undone, undo_batch
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is taken back."""

    batch: Annotated[
        int | None, Option("its number (default: the latest decision that is not undone)")
    ] = None
    _: KW_ONLY
    including: Annotated[
        Literal["imports"] | None,
        Option("without a number: also an import or an index, if that was the latest"),
    ] = None
    yes: Annotated[
        bool, Option("do not ask, although it changes more than 100 labels or images")
    ] = False


def work(session: Session, settings: Settings) -> Undone:
    """Append the inverse of a batch and move its files back; raises NotFound, UsageError."""
    batch = _chosen(session, settings)
    return undo_batch(session, batch, yes=settings.yes, command=f"vernis undo {batch}")


def ask(session: Session, settings: Settings, screen: Screen) -> Settings:
    """Show what is taken back before it is, and ask where it is much; raises Declined."""
    batch = _chosen(session, settings)
    agreed = agree(session, batch, yes=settings.yes, screen=screen, doing="undo")
    return replace(settings, batch=batch, yes=agreed)


def _chosen(session: Session, settings: Settings) -> int:
    settle_moves(session)
    if settings.batch is not None:
        return settings.batch
    return session.catalog.history.latest(imports=settings.including == "imports")


def show(result: Undone, settings: Settings, screen: Screen) -> None:
    """Show what was taken back and how it is done again."""
    done = f"took back batch {result.undoes}"
    show_undone(result, screen, done=done, back="vernis redo does it again")


VERB = Verb(Settings, work, show, ask=ask, access="decide")
