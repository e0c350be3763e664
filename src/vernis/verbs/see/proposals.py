"""Turn groups of images that a program found into the classes of a taxonomy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from vernis.core.words.class_names import clean_name, known_name
from vernis.domain.errors import UsageError
from vernis.domain.history import Change
from vernis.domain.types import Statement, Taxonomy, TaxonomyKind
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.declare import Screen

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class AcceptedProposal:
    """What became of accepted groups."""

    taxonomy: Annotated[str, "the taxonomy that was made, or added to"]
    classes: Annotated[Mapping[str, int], "class → images that were given it"]
    batch: Annotated[int, "what vernis undo takes back; 0 when all of it was said before"]


def parse_name(text: str) -> tuple[int, str]:
    """Read ``3=kitchen things`` into ``(3, "kitchen things")``; raises ValueError."""
    number, sign, name = text.partition("=")
    if not sign or not number.strip().isdigit() or not clean_name(name):
        raise ValueError(f"expected NUMBER=NAME such as 3='kitchen things', got {text!r}")
    return int(number), clean_name(name)


def parse_numbers(text: str) -> tuple[int, ...]:
    """Read ``3,7`` into ``(3, 7)``, and ``all`` into none; raises ValueError."""
    if text.strip() == "all":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise ValueError(f"expected numbers such as 3,7, or all, got {text!r}")
    return tuple(map(int, parts))


def parse_class(text: str) -> tuple[str, tuple[int, ...]]:
    """Read ``fruit=3,7`` into ``("fruit", (3, 7))``; raises ValueError."""
    name, sign, numbers = text.rpartition("=")
    parts = [part.strip() for part in numbers.split(",")]
    if not sign or not clean_name(name) or not all(part.isdigit() for part in parts):
        raise ValueError(f"expected NAME=NUMBERS such as fruit=3,7, got {text!r}")
    return clean_name(name), tuple(map(int, parts))


def gather_classes(pairs: Iterable[tuple[str, Sequence[int]]]) -> dict[str, list[int]]:
    """Return class → numbers; raises UsageError where a number stands in two classes."""
    classes: dict[str, list[int]] = {}
    taken: dict[int, str] = {}
    for name, numbers in pairs:
        for number in numbers:
            if number in taken:
                raise UsageError(
                    f"{number} stands for '{taken[number]}' and for '{name}'; name it once"
                )
            taken[number] = name
        classes.setdefault(name, []).extend(numbers)
    return classes


def show_accepted(accepted: AcceptedProposal, screen: Screen) -> None:
    """Show the classes that were made and how they are taken back."""
    rows = [{"class": name, "images": count} for name, count in accepted.classes.items()]
    screen.table(rows, ["class", "images"], title=f"Taxonomy {accepted.taxonomy}")
    if accepted.batch:
        batch = accepted.batch
        screen.line(f"recorded as batch {batch} (vernis undo {batch} takes it back)")
    else:
        screen.line("all of it was recorded before; nothing changed")


class Named(Protocol):
    """What a person can name: a cluster or a topic."""

    @property
    def number(self) -> int:
        """Which one."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def named_by(self) -> str:
        """Who called it so: words or person."""


def record_names(
    session: Session,
    verb: str,
    result: str,
    part: str,
    before: Sequence[Named],
    after: Sequence[Named],
) -> int:
    """Record the names that a person gave to parts of a kept result, as a change that undo knows.

    Parameters
    ----------
    session : Session
    verb : str
    result, part : str
        The name of the kept result, and its field that lists what is named.
    before, after : sequence
        The same ones in the same order.

    Returns
    -------
    int
        The batch, 0 when no name changed.
    """
    changes = [
        Change(
            "result",
            json.dumps([result, part, old.number]),
            {"name": old.name, "named_by": old.named_by},
            {"name": new.name, "named_by": new.named_by},
        )
        for old, new in zip(before, after, strict=True)
        if (old.name, old.named_by) != (new.name, new.named_by)
    ]
    note = ", ".join(f"{change.before['name']} > {change.after['name']}" for change in changes)
    return session.catalog.history.record(changes, source=by(), verb=verb, note=note[:200])


def accept_groups(
    session: Session,
    groups: Mapping[str, Iterable[int]],
    *,
    into: str,
    kind: TaxonomyKind,
    origin: str,
) -> AcceptedProposal:
    """Make classes of groups of images, as one batch that one undo takes back.

    The labels have the source ``proposal:ORIGIN``: they rank below what people and files say. The
    writer's lock is not needed.

    Parameters
    ----------
    session : Session
    groups : mapping of str to iterable of int
        Class → ids of its images.
    into : str
        The taxonomy; made when there is none of that name, else the classes are added to it.
    kind : {"single", "multi"}
        Of a taxonomy that is made.
    origin : str
        ``clusters`` or ``topics``.
    """
    existing = {taxonomy.name: taxonomy for taxonomy in session.taxonomies()}
    into = known_name(into, existing)
    there = existing[into].classes if into in existing else ()
    gathered: dict[str, set[int]] = {}
    for name, ids in groups.items():
        gathered.setdefault(known_name(name, there), set()).update(map(int, ids))
    images = {name: sorted(ids) for name, ids in gathered.items()}
    if into in existing:
        kind = existing[into].kind
    said = [Statement(image, name, "yes") for name, ids in images.items() for image in ids]
    catalog = session.catalog
    with catalog.transaction():
        catalog.labels.define(Taxonomy(into, kind, tuple(sorted(images)), origin=origin))
        batch = catalog.labels.record(
            into,
            said,
            source=f"proposal:{origin}",
            verb="accept",
            note=f"{counted(len(images), 'class', 'classes')} in {into}",
        )
    return AcceptedProposal(into, {name: len(ids) for name, ids in images.items()}, batch)
