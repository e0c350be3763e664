"""``vernis watch``: index a folder, bucket or feed as it grows, and label what is new.

Every round looks at what is named (default: all that was indexed), reads feeds on, and gives what
is new the labels of saved models. It ends with Ctrl-C, or after ``--rounds``; what was done is
kept, and the next call goes on from there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import StorageError
from vernis.verbs.declare import Home, NetworkOptions, Option, Screen, Verb, count
from vernis.verbs.steps import index
from vernis.verbs.steps.model_labels import NamedHead, label_new, open_head

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(NetworkOptions):
    """What is watched, and what labels it."""

    paths: Annotated[
        Sequence[Path | str],
        Option("folders, addresses and feeds (default: all that were indexed)"),
    ] = ()
    _: KW_ONLY
    model: Annotated[
        Sequence[str],
        Option(
            "label what is new by this saved model: a taxonomy, NAME@VERSION, or its folder "
            "(repeatable)",
            requests=None,
        ),
    ] = ()
    every: Annotated[float, Option("seconds between two looks", "SECONDS", at_least=0)] = 60.0
    rounds: Annotated[int | None, count("looks after which it ends (default: until Ctrl-C)")] = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came in all rounds together."""

    rounds: int
    new: int
    changed: int
    moved: int
    vanished: int
    unreadable: Annotated[int, "images that cannot be read, after the last round"]
    posts: Annotated[int, "lines of feeds that were read"]
    labelled: Annotated[Mapping[str, int], "taxonomy → images that models have labelled"]
    notes: tuple[str, ...] = ()


def home(settings: Settings) -> Home:
    """Say that a collection may be made, as by ``vernis index``."""
    return index.home(index.Settings(settings.paths))


def work(session: Session, settings: Settings) -> Result:
    """Look again and again; label what is new by saved models.

    The labels have the source ``accepted:fill@MODEL``: they rank below what people and files say,
    are never evidence for a later fill, and each round's are a batch that undo takes back. Images
    that carry a label already keep it. A store that does not answer is asked again in the next
    round.

    Raises
    ------
    NotFound
        There is no such model.
    ModelError
        A model is damaged, or its backbone is not here.
    StorageError
        A place cannot be read in the first round.
    """
    heads = [open_head(session, name) for name in settings.model]
    total: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    notes: dict[str, None] = {}
    unreadable = done = 0
    while settings.rounds is None or done < settings.rounds:
        if done:
            time.sleep(settings.every)
        done += 1
        try:
            found = index.work(session, index.Settings(settings.paths, workers=settings.workers))
        except StorageError as error:
            if done == 1:
                raise
            session.progress("watch", done, settings.rounds, str(error))
            continue
        unreadable = found.unreadable
        notes.update(dict.fromkeys(found.notes))
        for name in ("new", "changed", "moved", "vanished", "posts"):
            total[name] += getattr(found, name)
        given = _label(session, heads, settings.workers)
        labelled.update(given)
        said = f"{found.new:,} new, {sum(given.values()):,} labelled"
        session.progress("watch", done, settings.rounds, said)
    return Result(
        rounds=done,
        new=total["new"],
        changed=total["changed"],
        moved=total["moved"],
        vanished=total["vanished"],
        unreadable=unreadable,
        posts=total["posts"],
        labelled=dict(labelled),
        notes=tuple(notes),
    )


def _label(session: Session, heads: Sequence[NamedHead], workers: int | None) -> Counter[str]:
    given: Counter[str] = Counter()
    for head in heads:
        given[head.taxonomy] += label_new(session, head, workers)
    return given


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts."""
    names = ("rounds", "new", "changed", "moved", "vanished", "unreadable", "posts")
    labelled = {f"labelled: {name}": n for name, n in result.labelled.items()}
    screen.facts({name: getattr(result, name) for name in names} | labelled)


VERB = Verb(Settings, work, show, home=home)
