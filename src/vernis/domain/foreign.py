"""What other tools call the images and classes of a collection, and what else they say of them.

Kept by format, so that what came from a tool goes back to it unchanged: ids, attributes, the order
of its classes. Regions keep theirs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vernis.domain.regions import ForeignId, require_object


@dataclass(frozen=True, slots=True)
class ForeignFact:
    """An id and attributes (a JSON object in text, empty for nothing) that a tool gave."""

    foreign_id: ForeignId = None
    attributes: str = ""

    def __post_init__(self) -> None:
        require_object(self.attributes)


@dataclass(frozen=True, slots=True)
class ForeignFacts:
    """What one file or folder says, or what is kept.

    Attributes
    ----------
    images : mapping of int to ForeignFact
        By the id of the image.
    classes : mapping of (str, str) to ForeignFact
        By taxonomy and class, in the order of the tool.
    attributes : str
        JSON object in text: of the whole.
    """

    images: Mapping[int, ForeignFact] = field(default_factory=dict)
    classes: Mapping[tuple[str, str], ForeignFact] = field(default_factory=dict)
    attributes: str = ""

    def __post_init__(self) -> None:
        require_object(self.attributes)


class ForeignStore(Protocol):
    """What other tools call things."""

    def record(
        self, format: str, facts: ForeignFacts, *, source: str, verb: str, note: str = ""
    ) -> int:
        """Keep what a tool's file says, as part of a batch that undo takes back.

        What it says of a thing replaces what that format said of it before; things that it does
        not name keep theirs. Returns the batch, 0 where all of it is known already. Raises
        NotFound for an unknown class.
        """
        ...

    def facts(self, format: str) -> ForeignFacts:
        """Return what is kept of each thing.

        Of several files the latest of that format counts; where a format says nothing of a thing,
        the latest of another one. Classes come in the order of the tool.
        """
        ...
