"""``vernis status``: say what the collection holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.core.explore.file_kinds import name_file_kinds, say_file_kinds
from vernis.domain.types import LabelAccount
from vernis.report.wording import SOURCES
from vernis.verbs.declare import BaseSettings, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session

_FAILURES_SHOWN = 20
_PAIRS = {"duplicate": "pairs of duplicates"}
"""An issue of theirs is a pair: a group of twelve images has 66, which is no number of images."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Nothing can be set."""


@dataclass(frozen=True, slots=True)
class ImageCounts:
    """Images by state."""

    present: int
    unreadable: int
    vanished: int
    trashed: int


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A file that could not be read."""

    image: Annotated[str, "path"]
    reason: str


@dataclass(frozen=True, slots=True)
class TaxonomyRow:
    """How far a taxonomy is filled."""

    name: str
    kind: Annotated[str, "single or multi"]
    closed: Annotated[bool, "blank classes of a labelled image mean no"]
    origin: Annotated[str, "where its labels came from"]
    classes: int
    labelled: Annotated[int, "images with a label"]
    filling_rate: Annotated[float, "labelled by present images"]
    account: Annotated[LabelAccount, "its labels from import to now"]


@dataclass(frozen=True, slots=True)
class SpaceRow:
    """Vectors that are stored."""

    name: str
    dim: int
    dtype: str
    vectors: int


@dataclass(frozen=True, slots=True)
class SavedModelRow:
    """A saved model."""

    name: str
    version: int
    taxonomy: str
    space: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the collection holds."""

    collection: Annotated[str, "its folder"]
    root: Annotated[str | None, "the indexed folder of images"]
    places: Annotated[tuple[str, ...], "further folders, buckets, pages and feeds"]
    images: ImageCounts
    failures: Annotated[tuple[FailureRow, ...], "unreadable files"]
    other_files: Annotated[Mapping[str, int], "suffix → files that are no images"]
    left_out: Annotated[Mapping[str, int], "the same by kind: videos, slide decks, documents, …"]
    labels: Annotated[Mapping[str, int], "source → labels"]
    taxonomies: tuple[TaxonomyRow, ...]
    issues: Annotated[
        Mapping[str, int], "kind, or kind:taxonomy → open issues; of duplicates: pairs"
    ]
    duplicate_groups: int
    spaces: tuple[SpaceRow, ...]
    models: Annotated[tuple[SavedModelRow, ...], "newest first"]


def work(session: Session, settings: Settings) -> Result:
    """Return the counts of the collection."""
    catalog = session.catalog
    root = catalog.images.root()
    states = catalog.images.count_by_state()
    fills = catalog.labels.fill_counts()
    counts = catalog.issues.counts()
    others = catalog.images.other_files()
    return Result(
        collection=str(catalog.folder),
        root=str(root) if root else None,
        places=tuple(catalog.images.places()),
        images=ImageCounts(
            present=states.get("present", 0),
            unreadable=states.get("unreadable", 0),
            vanished=states.get("vanished", 0),
            trashed=states.get("trashed", 0),
        ),
        failures=tuple(FailureRow(i.uri, i.reason) for i in session.images("unreadable")),
        other_files=others,
        left_out=name_file_kinds(others),
        labels=catalog.labels.counts_by_source(),
        taxonomies=tuple(
            TaxonomyRow(
                name=taxonomy.name,
                kind=taxonomy.kind,
                closed=taxonomy.closed,
                origin=taxonomy.origin,
                classes=len(taxonomy.classes),
                labelled=fills[taxonomy.name].n_labelled,
                filling_rate=fills[taxonomy.name].rate,
                account=catalog.labels.account(taxonomy.name),
            )
            for taxonomy in session.taxonomies()
        ),
        issues={f"{kind}:{name}" if name else kind: n for (kind, name), n in counts.items()},
        duplicate_groups=catalog.issues.count_groups(),
        spaces=tuple(
            SpaceRow(space.name, space.dim, space.dtype, n) for space, n in catalog.vectors.spaces()
        ),
        models=tuple(
            SavedModelRow(record.name, record.version, record.taxonomy, record.space)
            for record in catalog.models.records()
        ),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts, the taxonomies, the first unreadable files, and what became of labels."""
    facts: dict[str, Any] = {
        "collection": result.collection,
        "folder of images": result.root
        or ("none" if result.places else "none yet (vernis index PATH)"),
        **({"further places": list(result.places)} if result.places else {}),
        "images": result.images.present,
        "unreadable": result.images.unreadable,
        "vanished": result.images.vanished,
        "in the trash": result.images.trashed,
        "open issues": [f"{_PAIRS.get(kind, kind)} {n:,}" for kind, n in result.issues.items()],
        "duplicate groups": result.duplicate_groups,
        "spaces": [f"{s.name} ({s.vectors:,} x {s.dim})" for s in result.spaces],
        "models": [f"{m.name}@{m.version}" for m in result.models],
    }
    screen.facts(facts)
    if result.taxonomies:
        columns = ["name", "kind", "closed", "classes", "labelled", "filling_rate"]
        screen.table(result.taxonomies, columns, title="Taxonomies")
    if result.failures:
        screen.table(
            result.failures, ["image", "reason"], title="Unreadable", limit=_FAILURES_SHOWN
        )
    _show_accounts(result, screen)
    if result.other_files:
        screen.line(f"Left out, since they are no pictures: {say_file_kinds(result.other_files)}")


def _show_accounts(result: Result, screen: Screen) -> None:
    """Show what came in, what was changed, and what holds now."""
    rows = [
        {
            "taxonomy": taxonomy.name,
            "at import": account.at_import,
            "taken away": account.taken_away,
            "added": account.added,
            "filled in": account.filled_in,
            "now": account.now,
            "corrected images": account.corrected_images,
            "now by source": [f"{SOURCES.get(n, n)} {k:,}" for n, k in account.by_source.items()],
        }
        for taxonomy in result.taxonomies
        for account in (taxonomy.account,)
    ]
    if rows:
        screen.table(rows, list(rows[0]), title="Labels, from import to now")


VERB = Verb(Settings, work, show, access="read")
