"""Proposed merges and clusters with the pictures that a person judges them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.core.words.merges import Merge
from vernis.domain.types import LabelMatrix
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts
from vernis.verbs.see.cluster_store import Cluster, read_clustering
from vernis.verbs.see.label_merges import dismissed_merges, find_merges

if TYPE_CHECKING:
    from vernis.session.session import Session

_EXAMPLES = 6
_CENTRAL = 12
_MEMBERS_MADE = 0.9
"""Share of a cluster's images that carry a class before it counts as made of the cluster."""


@dataclass(frozen=True, slots=True)
class MergeToJudge:
    """Two labels that probably mean the same."""

    merge: Merge
    labelled: Annotated[tuple[PictureFacts, ...], "images that carry the label alone, if any"]
    into: Annotated[tuple[PictureFacts, ...], "images that carry the other one alone, if any"]


@dataclass(frozen=True, slots=True)
class MergesToJudge:
    """The labels of a taxonomy that probably mean the same, surest first."""

    taxonomy: str
    space: Annotated[str | None, "in which pictures were compared"]
    merges: tuple[MergeToJudge, ...]
    dismissed: Annotated[int, "pairs that a person judged to be different things"]


def merges_to_judge(session: Session, taxonomy: str, *, min_score: float = 0.5) -> MergesToJudge:
    """Return the proposed merges of a taxonomy with some images of both labels."""
    space = session.current_space()
    matrix = session.matrix(taxonomy)
    found: list[Merge] = []
    if matrix.taxonomy.classes:
        found = find_merges(session, taxonomy, space, min_score=min_score)
    pairs = [
        (_examples(matrix, one.label, one.into), _examples(matrix, one.into, one.label))
        for one in found
    ]
    facts = picture_facts(session, {image for pair in pairs for ids in pair for image in ids})
    return MergesToJudge(
        taxonomy=taxonomy,
        space=None if space is None else space.name,
        merges=tuple(
            MergeToJudge(merge, _known(facts, labelled), _known(facts, into))
            for merge, (labelled, into) in zip(found, pairs, strict=True)
        ),
        dismissed=len(dismissed_merges(session, taxonomy)),
    )


def _examples(matrix: LabelMatrix, label: str, other: str) -> list[int]:
    """Return some images that carry a label, those without the other one first."""
    classes = matrix.taxonomy.classes
    held = matrix.values[:, classes.index(label)] == 1
    both = held & (matrix.values[:, classes.index(other)] == 1)
    alone = np.flatnonzero(held & ~both)
    rows = [*_spread(alone), *_spread(np.flatnonzero(both))][:_EXAMPLES]
    return [int(matrix.image_ids[row]) for row in rows]


def _spread(rows: np.ndarray) -> list[int]:
    """Return at most as many rows as are shown, from everywhere among them."""
    step = max(1, len(rows) // _EXAMPLES)
    return [int(row) for row in rows[::step][:_EXAMPLES]]


def _known(facts: Mapping[int, PictureFacts], ids: Iterable[int]) -> tuple[PictureFacts, ...]:
    return tuple(facts[image] for image in ids if image in facts)


# --------------------------------------------------------------------------- clusters


@dataclass(frozen=True, slots=True)
class MadeClass:
    """The class that was made of a cluster."""

    taxonomy: str
    label: str


@dataclass(frozen=True, slots=True)
class ClusterToName:
    """Images that look alike."""

    number: Annotated[int, "it stays when images are added"]
    name: Annotated[str, "proposed by what sets it apart, or given by a person"]
    named_by: Annotated[str, "words or person"]
    size: Annotated[int, "images that are still here"]
    silhouette: Annotated[float, "how much apart it is, -1 to 1"]
    words: Annotated[tuple[str, ...], "labels, texts or names that set it apart"]
    central: Annotated[tuple[PictureFacts, ...], "nearest to its center"]
    made: Annotated[MadeClass | None, "null: no class was made of it"]


@dataclass(frozen=True, slots=True)
class ClustersToName:
    """The clusters that were found last, the largest first."""

    found: Annotated[bool, "whether clusters were ever looked for"]
    images: Annotated[int, "images that were clustered"]
    noise: Annotated[int, "of them, in no cluster"]
    clusters: tuple[ClusterToName, ...]


def clusters_to_name(session: Session) -> ClustersToName:
    """Return the stored clusters with their central images and what was made of each."""
    stored = read_clustering(session)
    if stored is None:
        return ClustersToName(False, 0, 0, ())
    facts = picture_facts(session, {i for c in stored.clusters for i in c.central[:_CENTRAL]})
    made = _made_of(session, stored.clusters)
    table = session.table()
    rows = [
        ClusterToName(
            number=cluster.number,
            name=cluster.name,
            named_by=cluster.named_by,
            size=int(table.holds(np.asarray(cluster.images, np.int64)).sum()),
            silhouette=cluster.silhouette,
            words=_telling(cluster),
            central=_known(facts, cluster.central[:_CENTRAL]),
            made=made.get(cluster.number),
        )
        for cluster in stored.clusters
    ]
    rows.sort(key=lambda row: (-row.size, row.number))
    return ClustersToName(True, stored.n_images, stored.n_noise, tuple(rows))


def _telling(cluster: Cluster) -> tuple[str, ...]:
    """Return the words of a cluster: its labels, and else those of texts and names."""
    kinds = [cluster.words[k] for k in ("labels", "texts", "names") if cluster.words.get(k)]
    return tuple(f"{term.word} {term.share:.0%}" for term in (kinds[0] if kinds else ())[:6])


def _made_of(session: Session, clusters: Sequence[Cluster]) -> dict[int, MadeClass]:
    """Return cluster → the class that was made of it, where one was."""
    found: dict[int, MadeClass] = {}
    said: list[tuple[str, dict[int, str]]] = []
    for taxonomy in session.taxonomies():
        labels = session.catalog.labels
        if not labels.images_said_by(taxonomy.name, "proposal:clusters"):
            continue
        every = labels.statements_about(taxonomy.name, list(taxonomy.classes))
        own = every.get("proposal:clusters", ())
        said.append((taxonomy.name, {s.image_id: s.label for s in own if s.state == "yes"}))
    for cluster in clusters:
        for name, labelled in said:
            counts = Counter(labelled[i] for i in cluster.images if i in labelled)
            if counts:
                label, count = counts.most_common(1)[0]
                if count >= _MEMBERS_MADE * len(cluster.images):
                    found.setdefault(cluster.number, MadeClass(name, label))
    return found
