"""Everything that the report shows, as frozen values without a tie to catalog or files.

Images are named by id; ``ReportData.images`` holds one ``ImageRef`` for each id that any section
mentions. A section that is empty or None is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vernis.domain.errors import InvalidValue
from vernis.domain.types import ChangeKind, DuplicateKind, LabelAccount, TaxonomyKind, Verdict


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


def _require_unit(name: str, *values: float) -> None:
    for value in values:
        _require(math.isnan(value) or 0.0 <= value <= 1.0, f"{name} between 0 and 1", value)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One picture of the report. ``thumb`` is relative to the report's folder, "" when missing."""

    id: int
    uri: str
    width: int = 0
    height: int = 0
    size: int = 0
    thumb: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval; NaN bounds when there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Action:
    """A thing to do, with the exact command. ``section`` is the anchor where it is explained."""

    title: str
    why: str
    command: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class ClassPair:
    """Two classes on the same images; lift is how much more often than by chance."""

    first: str
    second: str
    images: int
    lift: float = math.nan


@dataclass(frozen=True, slots=True)
class TaxonomyAudit:
    """The state of one taxonomy.

    ``counts`` maps each class to its number of images with a yes. ``labels_per_image[k]`` is the
    number of images with k labels (k = 0 first). ``together`` holds, for the classes of
    ``together_classes``, the number of images that carry both (row × column). ``pairs`` are those
    that overlap most. ``facts`` are further lines (name, value) in the order of showing.
    """

    name: str
    kind: TaxonomyKind
    n_images: int
    n_labelled: int
    counts: Mapping[str, int]
    labels_per_image: tuple[int, ...] = ()
    together_classes: tuple[str, ...] = ()
    together: tuple[tuple[int, ...], ...] = ()
    pairs: tuple[ClassPair, ...] = ()
    closed: bool = False
    facts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _require(0 <= self.n_labelled <= self.n_images, "n_labelled ≤ n_images", self.n_labelled)
        size = len(self.together_classes)
        _require(
            len(self.together) == size and all(len(row) == size for row in self.together),
            f"a {size} × {size} table of classes together",
            [len(row) for row in self.together],
        )

    @property
    def filling_rate(self) -> float:
        """Share of the images with at least one label."""
        return self.n_labelled / self.n_images if self.n_images else 0.0


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A similar picture that speaks for or against a label."""

    image: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Where in a picture a label is, or would be, and who says so.

    ``box`` is x, y, width and height in pixels of the upright picture.
    """

    label: str
    box: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A label that is probably wrong. Score in 0..1, low = bad.

    ``agreement`` is the share of the nearest labelled images that speak for the change; ``twins``
    are duplicates of the image that carry other labels.
    """

    image: int
    score: float
    change: ChangeKind
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    probability: float = math.nan
    neighbors: tuple[Neighbor, ...] = ()
    verdict: Verdict = "open"
    agreement: float = math.nan
    twins: tuple[Neighbor, ...] = ()
    frame: Frame | None = None

    def __post_init__(self) -> None:
        _require_unit("score", self.score)
        _require_unit("probability", self.probability)
        _require_unit("agreement", self.agreement)


@dataclass(frozen=True, slots=True)
class ClassMerge:
    """A class whose images look like another one's, and the command that makes them one."""

    label: str
    into: str
    n_images: int
    command: str


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """The label issues of a taxonomy, worst first.

    ``wrong`` estimates how many images carry a wrong label; ``depth`` is how far down the ranking
    is worth reading. ``n_flagged`` may exceed ``len(items)``. ``gain`` holds points (pictures
    read, wrong labels met as the probabilities have it), from (0, 0). ``merges`` are classes that
    are wrong as a whole. ``notes`` are sentences shown above.
    """

    taxonomy: str
    items: tuple[LabelIssue, ...]
    n_flagged: int
    n_labelled: int = 0
    wrong: Interval | None = None
    depth: int | None = None
    scorer: str = ""
    notes: tuple[str, ...] = ()
    gain: tuple[tuple[int, float], ...] = ()
    merges: tuple[ClassMerge, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a duplicate group, seen from the keeper."""

    image: int
    similarity: float = math.nan
    transform: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantImages:
    """Paths of images of one template or article, which are no duplicates, and what differs."""

    uris: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """One group of duplicates. ``merged`` is taxonomy → labels that the keeper would have."""

    kind: DuplicateKind
    keeper: int
    reason: str
    members: tuple[Member, ...]
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [member.image for member in self.members]
        _require(self.keeper in ids, "a keeper among the members", (self.keeper, ids))


@dataclass(frozen=True, slots=True)
class QualityItem:
    """A poor picture. Score in 0..1, low = bad. ``note`` says what was measured."""

    image: int
    score: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class QualityIssues:
    """The pictures with one kind of quality issue, worst first."""

    kind: str
    items: tuple[QualityItem, ...]
    n_flagged: int


@dataclass(frozen=True, slots=True)
class Place:
    """A heat map over its picture; ``picture`` is the address of a JPEG, its data included."""

    uri: str
    label: str
    confidence: float
    picture: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Places:
    """Some heat maps of a taxonomy, in two groups with their headings."""

    taxonomy: str
    n_maps: int
    headings: tuple[str, str]
    first: tuple[Place, ...]
    second: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that cannot be read, with the reason."""

    uri: str
    reason: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class FillItem:
    """A label that is suggested for an image without one."""

    image: int
    label: str
    probability: float
    neighbors: tuple[Neighbor, ...] = ()
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class FillClass:
    """What fill would do to one class. ``precision`` is the promised lower bound."""

    label: str
    n_suggested: int
    threshold: float = math.nan
    precision: float = math.nan
    n_before: int = 0


@dataclass(frozen=True, slots=True)
class Fill:
    """The fill suggestions of a taxonomy, least sure first.

    ``precision`` is what was asked for, ``measured`` what held-out answers reached with its lower
    bound; ``before`` and ``after`` are filling rates, shares of all images in 0..1.
    """

    taxonomy: str
    precision: float
    before: float
    after: float
    n_suggested: int
    n_withheld: int
    items: tuple[FillItem, ...] = ()
    classes: tuple[FillClass, ...] = ()
    notes: tuple[str, ...] = ()
    measured: Interval | None = None

    def __post_init__(self) -> None:
        _require_unit("precision", self.precision)
        _require_unit("filling rates", self.before, self.after)


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """Measures of one class at its threshold; NaN where not measured."""

    label: str
    support: int
    precision: float
    recall: float
    f1: float
    ap: float = math.nan
    threshold: float = math.nan
    f2: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Precision, recall and F over the threshold; equal lengths, thresholds ascending."""

    label: str
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    chosen: float = math.nan

    def __post_init__(self) -> None:
        lengths = {len(self.thresholds), len(self.precision), len(self.recall), len(self.f1)}
        _require(len(lengths) == 1, "four sequences of one length", sorted(lengths))


@dataclass(frozen=True, slots=True)
class Model:
    """A trained head and how well it does on images that it did not learn from.

    ``averages`` maps a measure ("Micro F1") to its interval; ``settings`` are lines
    (name, value).
    """

    taxonomy: str
    name: str
    averages: Mapping[str, Interval] = field(default_factory=dict)
    classes: tuple[ClassMetrics, ...] = ()
    curves: tuple[ThresholdCurve, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """The whole report. ``created`` is a time as people read it; ``facts`` are (name, value).

    ``collection`` is the collection's folder: the commands are run beside it. ``accounts`` are by
    taxonomy; ``left_out`` holds, of each kind of files that are no pictures, its name, how many
    there are, and what would take them in.
    """

    title: str
    created: str
    version: str
    n_images: int
    images: Mapping[int, ImageRef] = field(default_factory=dict)
    collection: Path | None = None
    facts: tuple[tuple[str, str], ...] = ()
    actions: tuple[Action, ...] = ()
    audits: tuple[TaxonomyAudit, ...] = ()
    label_issues: tuple[LabelIssues, ...] = ()
    duplicates: tuple[Duplicates, ...] = ()
    variants: tuple[VariantImages, ...] = ()
    n_variants: int = 0
    n_groups: int = 0
    n_extra_copies: int = 0
    quality: tuple[QualityIssues, ...] = ()
    n_poor: int = 0
    """Images with a quality issue or more."""
    broken: tuple[BrokenFile, ...] = ()
    fills: tuple[Fill, ...] = ()
    models: tuple[Model, ...] = ()
    places: tuple[Places, ...] = ()
    accounts: Mapping[str, LabelAccount] = field(default_factory=dict)
    left_out: tuple[tuple[str, int, str], ...] = ()

    def __post_init__(self) -> None:
        missing = sorted(self.shown() - set(self.images))
        _require(not missing, "an ImageRef for every image shown", missing[:5])
        flagged = [kind.n_flagged for kind in self.quality]
        least, most = max(flagged, default=0), sum(flagged)
        _require(least <= self.n_poor <= most, f"n_poor of {least} to {most}", self.n_poor)

    def shown(self) -> set[int]:
        """Return the ids of all images that some section shows."""
        return mentioned_images(self.label_issues, self.duplicates, self.quality, self.fills)


def mentioned_images(
    label_issues: Iterable[LabelIssues],
    duplicates: Iterable[Duplicates],
    quality: Iterable[QualityIssues],
    fills: Iterable[Fill],
) -> set[int]:
    """Return the ids of all images that the sections show."""
    ids: set[int] = set()
    for issues in label_issues:
        for issue in issues.items:
            ids.add(issue.image)
            ids.update(neighbor.image for neighbor in issue.neighbors)
            ids.update(twin.image for twin in issue.twins)
    for group in duplicates:
        ids.update(member.image for member in group.members)
    for kind in quality:
        ids.update(item.image for item in kind.items)
    for fill in fills:
        for item in fill.items:
            ids.add(item.image)
            ids.update(neighbor.image for neighbor in item.neighbors)
    return ids
