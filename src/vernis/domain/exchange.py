"""A labelled collection on its way from or to another tool. Frozen; refuses bad data.

Every reader of a label format returns an ``ExchangeSet``, every writer takes one; a ``Loss`` says
what a format cannot carry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vernis.domain.errors import InvalidValue
from vernis.domain.regions import ForeignId, Region
from vernis.domain.types import LabelState, TaxonomyKind


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


@dataclass(frozen=True, slots=True)
class ExchangeLabel:
    """What one source says of a class on an image or a region; NaN where no probability is."""

    taxonomy: str
    label: str
    state: LabelState = "yes"
    probability: float = math.nan
    source: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.taxonomy and self.label.strip()), "a taxonomy and a class", self)
        _require(self.state in ("yes", "no", "unknown"), "yes, no or unknown", self.state)
        known = not math.isnan(self.probability)
        _require(not known or 0 <= self.probability <= 1, "a probability", self.probability)

    @property
    def has_probability(self) -> bool:
        """It carries a probability."""
        return not math.isnan(self.probability)


@dataclass(frozen=True, slots=True)
class ExchangeRegion:
    """A region with what is said of it."""

    region: Region
    labels: tuple[ExchangeLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class ExchangeImage:
    """An image with its labels and regions.

    Attributes
    ----------
    uri : str
        Path with ``/`` between the parts, relative to ``ExchangeSet.folder``.
    size : (int, int)
        Width and height of the upright picture in pixels; (0, 0) where it is unknown.
    split : str
    foreign_id : int, str or None
        As the other tool calls it.
    attributes : str
        JSON object in text of what else the file says of it; empty for nothing.
    labels : tuple of ExchangeLabel
    regions : tuple of ExchangeRegion
    """

    uri: str
    size: tuple[int, int] = (0, 0)
    split: str = ""
    foreign_id: ForeignId = None
    attributes: str = ""
    labels: tuple[ExchangeLabel, ...] = ()
    regions: tuple[ExchangeRegion, ...] = ()

    def __post_init__(self) -> None:
        _require(bool(self.uri), "the path of an image", self.uri)
        _require(min(self.size) >= 0, "a size of 0 or more pixels", self.size)


@dataclass(frozen=True, slots=True)
class ExchangeClass:
    """A class of a taxonomy, with the id and the attributes (JSON object) of another tool."""

    name: str
    foreign_id: ForeignId = None
    attributes: str = ""


@dataclass(frozen=True, slots=True)
class ExchangeTaxonomy:
    """A named set of classes, unused ones included, in the order of the other tool."""

    name: str
    kind: TaxonomyKind = "multi"
    classes: tuple[ExchangeClass, ...] = ()
    closed: bool = False

    def __post_init__(self) -> None:
        names = [found.name for found in self.classes]
        _require(bool(self.name), "a taxonomy name", self.name)
        _require(self.kind in ("single", "multi"), "kind 'single' or 'multi'", self.kind)
        _require(len(set(names)) == len(names), "distinct classes", names)


@dataclass(frozen=True, slots=True)
class ExchangeSet:
    """All that one file or folder of another tool holds, or shall hold.

    Attributes
    ----------
    images : tuple of ExchangeImage
        Distinct uris.
    taxonomies : tuple of ExchangeTaxonomy
        Name each taxonomy and class that a label speaks of, and unused ones.
    attributes : str
        JSON object in text: what the file says of the whole set (``info``, ``licenses``).
    folder : str
        Absolute path that the uris are relative to; empty where the file does not say.
    notes : tuple of str
        What a reader met and the user should know, a line each.
    """

    images: tuple[ExchangeImage, ...] = ()
    taxonomies: tuple[ExchangeTaxonomy, ...] = ()
    attributes: str = ""
    folder: str = ""
    notes: tuple[str, ...] = ()


LossKind = Literal[
    "regions",
    "unlabelled regions",
    "image labels",
    "further labels",
    "states",
    "probabilities",
    "sources",
    "images",
    "splits",
    "sizes",
    "image ids",
    "region ids",
    "class ids",
    "image attributes",
    "region attributes",
    "class attributes",
    "set attributes",
    "outlines",
    "clipped boxes",
    "rounded boxes",
    "unused classes",
    "taxonomies",
    "taxonomy names",
    "class names",
]


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that an export or import does not carry: how often, and in words."""

    kind: LossKind
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class Carries:
    """What a format can hold.

    Attributes
    ----------
    image_labels : str
        ``none``, ``one`` an image and taxonomy, or ``many``.
    regions : bool
    region_labels : str
        ``one`` or ``many`` a region.
    states : frozenset of str
        The states of labels that it can tell apart.
    unlabelled : bool
        It lists images that have neither labels nor regions.
    unused_classes, probabilities, sources, splits : bool
    outlines : str
        ``none``, ``polygon`` for those of one polygon, or ``any``.
    sizes : bool
        It holds the size of each picture.
    ids : frozenset of str
        Of ``image``, ``region`` and ``class``: what can have a foreign id.
    id_types : str
        ``any``, ``int`` or ``text``.
    attributes : frozenset of str
        Of ``image``, ``region``, ``class`` and ``set``.
    taxonomies : str
        ``many``, or ``one`` where all classes share one list.
    boxes : str
        ``any``, ``inside`` the picture only, or ``pixels``: whole ones inside the picture.
    names : str
        ``any``, or ``cell``: without ``|`` and what spreadsheets write for nothing.
    """

    image_labels: Literal["none", "one", "many"] = "none"
    regions: bool = False
    region_labels: Literal["one", "many"] = "one"
    states: frozenset[str] = frozenset({"yes"})
    unlabelled: bool = True
    unused_classes: bool = False
    probabilities: bool = False
    sources: bool = False
    splits: bool = False
    outlines: Literal["none", "polygon", "any"] = "none"
    sizes: bool = False
    ids: frozenset[str] = frozenset()
    id_types: Literal["any", "int", "text"] = "any"
    attributes: frozenset[str] = frozenset()
    taxonomies: Literal["one", "many"] = "one"
    boxes: Literal["any", "inside", "pixels"] = "any"
    names: Literal["any", "cell"] = "any"
