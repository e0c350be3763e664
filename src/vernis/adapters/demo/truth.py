"""What the demo collection really shows, kept apart from the pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from vernis.domain.errors import InvalidValue

Mistake = Literal["replaced", "extra", "missing"]
CopyKind = Literal["bytes", "pixels", "near"]


@dataclass(frozen=True, slots=True)
class PlantedLabel:
    """One label that the demo's CSV tells wrongly.

    ``replaced``: ``given`` stands where ``true`` belongs. ``extra``: ``given`` does not belong
    there (``true`` is empty). ``missing``: ``true`` was left out of a filled field (``given`` is
    empty).
    """

    image: str
    taxonomy: str
    mistake: Mistake
    given: str = ""
    true: str = ""

    def __post_init__(self) -> None:
        if self.mistake not in ("replaced", "extra", "missing"):
            raise InvalidValue(f"expected replaced, extra or missing, got {self.mistake!r}")


@dataclass(frozen=True, slots=True)
class PlantedCopy:
    """A copy of another picture of the demo. ``kind`` is bytes, pixels or near."""

    image: str
    original: str
    kind: CopyKind
    transform: str


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """The answer sheet of the demo. Only the final scoring may read it.

    Attributes
    ----------
    pictures : str
        Folder of the pictures, to be indexed.
    labels_csv : str
        The label file, to be imported.
    seed, scale : int, float
        As given to ``generate_demo``.
    drawing : int
        Version of the drawing.
    labels : mapping
        Taxonomy → image → true classes. An image without any true class has an empty list.
    given : mapping
        Taxonomy → image → classes as the CSV tells them; absent where the field is blank.
    wrong : tuple of PlantedLabel
    copies : tuple of PlantedCopy
    quality : mapping
        Kind of quality issue → images.
    broken : mapping
        File name → what is wrong with it.
    others : tuple of str
        Files that are no pictures.
    """

    pictures: str
    labels_csv: str
    seed: int
    scale: float = 1.0
    drawing: int = 0
    labels: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    wrong: tuple[PlantedLabel, ...] = ()
    copies: tuple[PlantedCopy, ...] = ()
    quality: Mapping[str, list[str]] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def other_files(self) -> dict[str, int]:
        """Number of files that are no pictures by suffix."""
        return dict(Counter(Path(name).suffix for name in self.others))

    def blank(self, taxonomy: str) -> list[str]:
        """Return the images whose field is blank although something belongs there."""
        given = self.given[taxonomy]
        return [name for name, true in self.labels[taxonomy].items() if true and name not in given]

    def files(self) -> set[str]:
        """Return every file of the pictures' folder that was drawn."""
        return {*self.labels.get("asset_type", {}), *self.broken, *self.others}

    def save(self, path: Path) -> None:
        """Write the answer sheet as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> DemoTruth:
        """Read an answer sheet written by ``save``."""
        data = json.loads(path.read_text(encoding="utf-8"))
        data["wrong"] = tuple(PlantedLabel(**row) for row in data["wrong"])
        data["copies"] = tuple(PlantedCopy(**row) for row in data["copies"])
        data["others"] = tuple(data["others"])
        return cls(**data)
