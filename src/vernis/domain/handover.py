"""Decisions of people as they are handed over between two copies of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vernis.domain.errors import InvalidValue
from vernis.domain.regions import Region

PEOPLE = ("human:", "accepted:")
"""How the sources begin whose words are a person's decision."""

Judgement = Literal["accepted", "dismissed"]


@dataclass(frozen=True, slots=True)
class HandedImage:
    """An image of another copy: its path, and the SHA-256 of its content (empty: by path alone)."""

    path: str
    content: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise InvalidValue("expected the path of an image, got none")


@dataclass(frozen=True, slots=True)
class HandedLabel:
    """What a person said of an image and a class."""

    image: HandedImage
    taxonomy: str
    label: str
    state: Literal["yes", "no"]
    source: str

    def __post_init__(self) -> None:
        _require_label(self.taxonomy, self.label, self.state, self.source)


@dataclass(frozen=True, slots=True)
class HandedVerdict:
    """What a person said of an issue; ``other`` is the second image of a duplicate pair.

    ``given`` and ``suggested`` are the classes of a label issue at that time, so that the same
    thing is accepted elsewhere.
    """

    image: HandedImage
    kind: str
    verdict: Judgement
    taxonomy: str = ""
    label: str = ""
    other: HandedImage | None = None
    given: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.kind or self.verdict not in ("accepted", "dismissed"):
            raise InvalidValue(
                "expected a kind of issue and accepted or dismissed, got "
                f"{self.kind!r} and {self.verdict!r}"
            )


@dataclass(frozen=True, slots=True)
class HandedKeeper:
    """An image that a person chose to keep among its duplicates."""

    image: HandedImage
    source: str

    def __post_init__(self) -> None:
        if not self.source.startswith("human:"):
            raise InvalidValue(f"expected a source that begins with human:, got {self.source!r}")


@dataclass(frozen=True, slots=True)
class SaidOfRegion:
    """What a person said of a region and a class."""

    taxonomy: str
    label: str
    state: Literal["yes", "no"]
    source: str

    def __post_init__(self) -> None:
        _require_label(self.taxonomy, self.label, self.state, self.source)


@dataclass(frozen=True, slots=True)
class HandedRegion:
    """A region that a person drew, spoke of or took away.

    ``drawn_by`` is the source that drew or found it, ``removed_by`` the person who took it away,
    empty where it stayed.
    """

    image: HandedImage
    region: Region
    drawn_by: str
    said: tuple[SaidOfRegion, ...] = ()
    removed_by: str = ""

    def __post_init__(self) -> None:
        if not self.drawn_by:
            raise InvalidValue("expected the source that drew the region, got none")
        if self.removed_by and not self.removed_by.startswith("human:"):
            raise InvalidValue(
                f"expected a source that begins with human:, got {self.removed_by!r}"
            )


@dataclass(frozen=True, slots=True)
class Handover:
    """All decisions that are handed over.

    ``kinds``: taxonomy → single or multi, for copies that lack it.
    """

    collection: str
    kinds: tuple[tuple[str, Literal["single", "multi"]], ...] = ()
    labels: tuple[HandedLabel, ...] = ()
    verdicts: tuple[HandedVerdict, ...] = ()
    keepers: tuple[HandedKeeper, ...] = ()
    regions: tuple[HandedRegion, ...] = ()

    def __len__(self) -> int:
        return len(self.labels) + len(self.verdicts) + len(self.keepers) + len(self.regions)


def _require_label(taxonomy: str, label: str, state: str, source: str) -> None:
    if not (taxonomy and label) or state not in ("yes", "no"):
        raise InvalidValue(
            f"expected a taxonomy, a class and yes or no, got {taxonomy!r}, {label!r} and {state!r}"
        )
    if not source.startswith(PEOPLE):
        raise InvalidValue(
            f"expected a source that begins with {' or '.join(PEOPLE)}, got {source!r}"
        )
