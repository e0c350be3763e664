"""Turn groups of images that a program found into the classes of a taxonomy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import Statement, Taxonomy, TaxonomyKind
from vernis.report.wording import counted


@dataclass(frozen=True, slots=True)
class AcceptedProposal:
    """What became of accepted groups.

    Attributes
    ----------
    taxonomy : str
    classes : dict of str to int
        Class → images that were given it.
    batch : int
        What ``vernis undo`` takes back; 0 when all of it was said before.
    """

    taxonomy: str
    classes: Mapping[str, int]
    batch: int


def parse_names(texts: Sequence[str]) -> dict[int, str]:
    """Read ``3=kitchen things`` into ``{3: "kitchen things"}``; raises UsageError."""
    names: dict[int, str] = {}
    for text in texts:
        number, sign, name = text.partition("=")
        if not sign or not number.strip().isdigit() or not name.strip():
            raise UsageError(f"expected NUMBER=NAME such as 3='kitchen things', got {text!r}")
        names[int(number)] = name.strip()
    return names


def parse_numbers(text: str) -> list[int]:
    """Read ``3,7`` into ``[3, 7]``; raises UsageError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"expected numbers such as 3,7, got {text!r}")
    return [int(part) for part in parts]


def parse_classes(texts: Sequence[str]) -> dict[str, list[int]]:
    """Read ``fruit=3,7`` into ``{"fruit": [3, 7]}``.

    Raises
    ------
    UsageError
        A text has another form, or a number stands in two classes.
    """
    classes: dict[str, list[int]] = {}
    taken: dict[int, str] = {}
    for text in texts:
        name, sign, numbers = text.rpartition("=")
        parts = [part.strip() for part in numbers.split(",")]
        if not sign or not name.strip() or not all(part.isdigit() for part in parts):
            raise UsageError(f"expected NAME=NUMBERS such as fruit=3,7, got {text!r}")
        for number in map(int, parts):
            if number in taken:
                raise UsageError(
                    f"{number} stands for '{taken[number]}' and for '{name.strip()}'; name it once"
                )
            taken[number] = name.strip()
        classes.setdefault(name.strip(), []).extend(map(int, parts))
    return classes


def accept_groups(
    catalog: Catalog,
    groups: Mapping[str, Iterable[int]],
    *,
    into: str,
    kind: TaxonomyKind,
    origin: str,
) -> AcceptedProposal:
    """Make classes of groups of images, as one batch that one undo takes back.

    The labels have the source ``proposal:ORIGIN``: they rank below what people and files say.

    Parameters
    ----------
    catalog : Catalog
    groups : mapping of str to iterable of int
        Class → ids of its images.
    into : str
        The taxonomy; made when there is none of that name, else the classes are added to it.
    kind : {"single", "multi"}
        Of a taxonomy that is made.
    origin : str
        ``clusters`` or ``topics``.
    """
    images = {name: sorted(set(map(int, ids))) for name, ids in groups.items()}
    existing = {taxonomy.name: taxonomy for taxonomy in catalog.labels.taxonomies()}
    if into in existing:
        kind = existing[into].kind
    said = [Statement(image, name, "yes") for name, ids in images.items() for image in ids]
    with catalog.lock(origin), catalog.transaction():
        catalog.labels.define(Taxonomy(into, kind, tuple(sorted(images)), origin=origin))
        batch = catalog.labels.record(
            into,
            said,
            source=f"proposal:{origin}",
            verb="accept",
            note=f"{counted(len(images), 'class', 'classes')} in {into}",
        )
    return AcceptedProposal(into, {name: len(ids) for name, ids in images.items()}, batch)
