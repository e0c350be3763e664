"""What is read in a picture, and the port of what reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.types import Hashes

BLANK = "\0"
"""In a spelling: no symbol."""
GAP = " "
"""In a spelling: a blank between words, or a sign."""
LEAST_SEARCHED = 0.5
"""Lines that are read less surely than this are not searched."""
API = "api:"
"""Begins the names of readers that are outside services."""
NATS_A_UNIT = 1 / 16
"""What one unit of a spelling's costs stands for."""


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """What a line may spell: the likely symbols of each step along it.

    Attributes
    ----------
    symbols : str
        One a row: a plain letter, ``BLANK`` or ``GAP``.
    steps : ndarray of uint16, shape (n_rows,)
        Ascending.
    costs : ndarray of uint8, shape (n_rows,)
        Minus the log-probability of the symbol at the step, in units of ``NATS_A_UNIT``.
    """

    symbols: str
    steps: NDArray[np.uint16]
    costs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        counts = len(self.symbols), len(self.steps), len(self.costs)
        if len(set(counts)) != 1:
            raise InvalidValue(f"expected as many symbols as steps and costs, got {counts}")
        if len(self.steps) and (np.diff(self.steps.astype(int)) < 0).any():
            raise InvalidValue("expected steps in ascending order")

    def to_bytes(self) -> bytes:
        """Return it as bytes, about 3 a row, for :meth:`from_bytes`."""
        text = self.symbols.encode()
        new = np.diff(self.steps.astype(int), prepend=0).astype(np.uint8)
        head = len(self.symbols).to_bytes(4, "little")
        return head + new.tobytes() + self.costs.tobytes() + text

    @classmethod
    def from_bytes(cls, data: bytes) -> Spelling:
        """Return the spelling of which :meth:`to_bytes` made these bytes.

        Raises
        ------
        InvalidValue
            When they are none.
        """
        count = int.from_bytes(data[:4], "little")
        values = np.frombuffer(data[4 : 4 + 2 * count], np.uint8)
        try:
            symbols = data[4 + 2 * count :].decode()
        except UnicodeDecodeError as error:
            raise InvalidValue("expected the bytes of a spelling") from error
        steps = np.cumsum(values[:count], dtype=np.uint16)
        return cls(symbols, steps, values[count:])


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One line of text in a picture.

    Attributes
    ----------
    text : str
        As it is printed, never empty.
    confidence : float
        0..1.
    corners : ndarray of float32, shape (4, 2)
        In pixels ``(x, y)`` of the upright picture, clockwise from where a reader starts: the text
        runs from the first to the second.
    height : float
        Of the line, as a share of the picture's shorter side.
    spelling : Spelling or None
        What else it may spell; None where the reader does not tell.
    """

    text: str
    confidence: float
    corners: NDArray[np.float32]
    height: float
    spelling: Spelling | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InvalidValue(f"expected a text, got {self.text!r}")
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidValue(f"expected a confidence between 0 and 1, got {self.confidence!r}")
        if self.corners.shape != (4, 2) or not np.isfinite(self.corners).all():
            raise InvalidValue(f"expected 4 finite corners (x, y), got {self.corners.tolist()!r}")
        if not self.height > 0.0:
            raise InvalidValue(f"expected a height above 0, got {self.height!r}")

    def scaled(self, x: float, y: float) -> Reading:
        """Return it in a picture whose sides are so many times as long."""
        return replace(self, corners=self.corners * np.array([x, y], np.float32))


class TextReader(Protocol):
    """Reads the text in pictures; one worker's own."""

    def read(self, pixels: NDArray[np.uint8]) -> tuple[Reading, ...]:
        """Return the lines of text in a picture, from the largest to the smallest.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB, upright.
        """
        ...


class TextModel(Protocol):
    """A reader's weights, from which each worker opens a reader of its own.

    ``settings`` (JSON-able) are part of its identity, as with a ``Space``.
    """

    @property
    def name(self) -> str:
        """What readings are kept under."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What the readings depend on besides."""
        ...

    def open(self) -> TextReader:
        """Return a reader for one worker."""
        ...


@dataclass(frozen=True, slots=True)
class ReaderVersion:
    """What readings are made by: a reader's name and all that they depend on besides."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidValue(f"expected the name of a reader, got {self.name!r}")

    @classmethod
    def of(cls, model: TextModel) -> ReaderVersion:
        """Return the version that a model's readings are kept under."""
        return cls(model.name, model.settings)

    @property
    def version(self) -> str:
        """The first digits of the checksum of its weights, empty where it has none."""
        return str(self.settings.get("sha256", ""))[:8]

    @property
    def source(self) -> str:
        """Who says what is concluded from its readings."""
        return self.name if self.name.startswith(API) else f"reader:{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class PictureText:
    """What is read in one picture, the tallest line first; no line where it holds no text."""

    content_hash: str
    reader: ReaderVersion
    readings: tuple[Reading, ...]


class ReadingStore(Protocol):
    """What is read in pictures, by content hash.

    Where several readers have read a picture, the readings of the one that was used last count.
    """

    def use(self, reader: ReaderVersion) -> None:
        """Make a reader the one whose readings count."""

    def holds(self, reader: ReaderVersion, hashes: Hashes) -> NDArray[np.bool_]:
        """Return which pictures a reader has read, shape (len(hashes),)."""
        ...

    def add(self, reader: ReaderVersion, read: Mapping[str, Sequence[Reading]]) -> None:
        """Record what was read in pictures; what the reader had read in them before goes."""

    def texts(self, hashes: Sequence[str]) -> Iterator[PictureText]:
        """Yield what is read in these pictures; those that were not read are left out."""
        ...

    def lines(self, least_confidence: float) -> dict[str, tuple[str, ...]]:
        """Return the lines of every picture that was read, those read less surely left out."""
        ...

    def counts(self, reader: ReaderVersion) -> dict[str, int]:
        """Return how many lines the reader has read in each picture."""
        ...

    def mark(self) -> str:
        """Return what differs when the readings may have changed."""
        ...
