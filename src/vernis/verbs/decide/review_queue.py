"""What is left to decide: the queues, and the issues of one, worst first, with their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import ModelError
from vernis.domain.types import ChangeKind, Estimate, Issue, Verdict
from vernis.verbs.decide.judged_count import JudgedCount, judged_count
from vernis.verbs.decide.label_judgement import LabelEvidence, LabelJudgement, evidence_of
from vernis.verbs.decide.label_places import ABOUT_LABELS, LabelPlace, places_of_issues
from vernis.verbs.decide.unsure import key_of, unsure_keys

if TYPE_CHECKING:
    from vernis.session.session import Session
    from vernis.verbs.see.vector_search import Searcher

N_CLASSES = 9
"""Classes of an issue that are offered: one a digit."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Suspected problems of one kind that nobody has decided."""

    kind: Annotated[str, "label, duplicate, outlier or a kind of quality"]
    taxonomy: Annotated[str, "of labels; empty: it is not about labels"]
    open: Annotated[int, "issues to decide"]
    decided: Annotated[int, "issues that were decided"]
    about_wrong: Annotated[
        float | None, "of labels: about how many of the open ones are wrong; null: not known"
    ]
    wrong: Annotated[Estimate | None, "of labels: estimated wrong ones in all when it was judged"]
    judged: Annotated[
        JudgedCount | None, "of labels: wrong ones by a sample that a person judged; null: none is"
    ]
    unsure: Annotated[int, "open ones that somebody was unsure of: they are left out of the queue"]


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """An image as a page shows it."""

    id: int
    uri: Annotated[str, "path relative to the indexed folder"]
    hash: Annotated[str, "start of the content hash: part of the address of its pictures"]
    width: Annotated[int, "pixels, 0 when unknown"]
    height: int


@dataclass(frozen=True, slots=True)
class Witness:
    """A similar image that speaks for a suggestion."""

    image: PictureFacts
    label: str
    similarity: Annotated[float, "cosine, 0 to 1"]


@dataclass(frozen=True, slots=True)
class LabelWitnesses:
    """The most similar images that carry a label."""

    label: str
    given: Annotated[bool, "whether the issue's image carries it"]
    images: Annotated[tuple[Witness, ...], "likest first"]


@dataclass(frozen=True, slots=True)
class ClassChance:
    """A class that the image may have."""

    label: str
    probability: Annotated[float | None, "by the trained model, 0 to 1; null: not known"]


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One suspected problem with all that is needed to decide it."""

    issue: Annotated[int, "its id"]
    kind: str
    taxonomy: str
    image: PictureFacts
    other: Annotated[PictureFacts | None, "the other image, where it is about two"]
    score: Annotated[float, "0 to 1, low = bad"]
    verdict: Verdict
    change: Annotated[ChangeKind, "extra, missing or replaced; empty: none is suggested"]
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    probability: Annotated[float | None, "that the given labels are wrong"]
    neighbors: tuple[Witness, ...]
    classes: Annotated[tuple[ClassChance, ...], "what else it may be, the likeliest first"]
    note: str
    places: Annotated[
        tuple[LabelPlace, ...],
        "where in the picture the labels are that differ, suggested ones first",
    ] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ClassProbabilities:
    """What a trained model gives each image: rows ascending by id.

    Attributes
    ----------
    image_ids : ndarray of int64, shape (n_images,)
    classes : tuple of str
    values : ndarray of float, shape (n_images, n_classes)
        Of an image that the model learned from, without it.
    """

    image_ids: NDArray[np.int64]
    classes: tuple[str, ...]
    values: NDArray[Any]

    def of(self, image_id: int) -> NDArray[Any] | None:
        """Return the probabilities of an image, None of one that has none."""
        row = int(np.searchsorted(self.image_ids, image_id))
        if row >= len(self.image_ids) or self.image_ids[row] != image_id:
            return None
        return np.asarray(self.values[row])


def list_queues(session: Session) -> tuple[Queue, ...]:
    """Return what there is to decide, labels first."""
    every, left = _count_all(session), count_open(session)
    ignored = {taxonomy.name for taxonomy in session.taxonomies() if taxonomy.ignored}
    found = []
    for (kind, taxonomy), total in every.items():
        if taxonomy in ignored or kind == "broken":
            continue
        n_open = left.get((kind, taxonomy), 0)
        judged = None
        if kind == "label":
            judged = session.results.find(f"label_issues:{taxonomy}", LabelJudgement)
        about = _about_wrong(session, taxonomy) if kind == "label" else None
        wrong = None if judged is None else judged.wrong
        unsure = _count_unsure(session, kind, taxonomy) if n_open else 0
        counted = judged_count(session, taxonomy) if kind == "label" else None
        found.append(Queue(kind, taxonomy, n_open, total - n_open, about, wrong, counted, unsure))
    return tuple(sorted(found, key=lambda queue: (queue.kind != "label", -queue.open)))


def count_open(session: Session) -> dict[tuple[str, str], int]:
    """Return how many flagged issues of each kind and taxonomy nobody has decided.

    A decision does not change how many there are: only the decided ones are counted anew.
    """
    decided = session.catalog.issues.counts(verdicts=("accepted", "dismissed"))
    return {name: count - decided.get(name, 0) for name, count in _count_all(session).items()}


def _count_all(session: Session) -> dict[tuple[str, str], int]:
    stores = ("images", "found", "taxonomies")
    return session.kept(
        "issues counted", stores, lambda: session.catalog.issues.counts(verdicts=None)
    )


def _count_unsure(session: Session, kind: str, taxonomy: str) -> int:
    marks = unsure_keys(session, kind, taxonomy)
    if not marks:
        return 0
    found = session.catalog.issues.select((kind,), taxonomy, verdicts=("open",))
    return sum(key_of(issue) in marks for issue in found)


def _about_wrong(session: Session, taxonomy: str) -> float | None:
    """Return the sum of the probabilities that the open issues' labels are wrong."""
    found = session.catalog.issues.sum_of_open("label", taxonomy, "probability")
    return None if found is None else round(found, 2)


def read_queue(
    session: Session,
    kind: str,
    taxonomy: str | None = None,
    *,
    verdicts: Sequence[Verdict] = ("open",),
    limit: int = 50,
    after: int | None = None,
    unsure: bool | None = None,
) -> list[Issue]:
    """Return issues of a queue, worst first, ``after`` the issue of that id.

    ``unsure``: only those that somebody was unsure of, or only the others; None: all of them.
    """
    if taxonomy is not None:
        session.catalog.labels.taxonomy(taxonomy)
    issues, name = session.catalog.issues, taxonomy or ""
    marks = frozenset() if unsure is None else unsure_keys(session, kind, name)
    if not marks and unsure:
        return []
    found: list[Issue] = []
    while True:
        page = issues.select((kind,), name, verdicts=verdicts, limit=limit, after=after)
        found += [one for one in page if not marks or (key_of(one) in marks) == unsure]
        if len(found) >= limit or len(page) < limit:
            return found[:limit]
        after = page[-1].id


def read_probabilities(session: Session, taxonomy: str) -> ClassProbabilities | None:
    """Return what the newest model of a taxonomy gives each image, None without a model."""
    models = session.catalog.models
    record = models.latest(taxonomy)
    if record is None:
        return None
    try:
        _, settings = models.load(record)
        stored = models.predictions(record)
    except ModelError:
        return None  # damaged: the queue is read without it
    oob, ensemble = stored["oob"], stored["ensemble"]
    values = np.where(np.isfinite(oob), oob, ensemble)
    return ClassProbabilities(
        np.asarray(stored["image_ids"], np.int64), tuple(settings["classes"]), values
    )


def describe_issues(
    session: Session,
    issues: Sequence[Issue],
    chances: Mapping[str, ClassProbabilities | None],
    common: Mapping[str, Sequence[str]],
) -> tuple[QueueItem, ...]:
    """Return issues with their images, neighbours and likely classes.

    Parameters
    ----------
    session : Session
    issues : sequence of Issue
    chances : mapping
        Taxonomy → what its model gives.
    common : mapping
        Taxonomy → its classes, the commonest first: what is offered without a model.
    """
    said = _evidence(issues)
    ids = {issue.image_id for issue in issues} | {issue.other_id for issue in issues}
    ids |= {n.image_id for one in said if one is not None for n in one.neighbors}
    facts = picture_facts(session, ids - {0})
    places = _places(session, issues)
    return tuple(
        replace(
            _item(issue, one, facts),
            neighbors=tuple(
                Witness(facts[n.image_id], n.label, n.similarity)
                for n in (() if one is None else one.neighbors)
                if n.image_id in facts
            ),
            classes=_likely_classes(
                issue, one, chances.get(issue.taxonomy), common.get(issue.taxonomy, ())
            ),
            places=places.get(issue.id, ()),
        )
        for issue, one in zip(issues, said, strict=True)
    )


def describe_briefly(session: Session, issues: Sequence[Issue]) -> tuple[QueueItem, ...]:
    """Return issues with their images and labels alone: what a page of many shows of each."""
    ids = {issue.image_id for issue in issues} | {issue.other_id for issue in issues}
    facts = picture_facts(session, ids - {0})
    said = _evidence(issues)
    return tuple(_item(issue, one, facts) for issue, one in zip(issues, said, strict=True))


def _evidence(issues: Sequence[Issue]) -> list[LabelEvidence | None]:
    return [evidence_of(issue) if issue.kind == "label" else None for issue in issues]


def _item(issue: Issue, said: LabelEvidence | None, facts: Mapping[int, PictureFacts]) -> QueueItem:
    return QueueItem(
        issue=issue.id,
        kind=issue.kind,
        taxonomy=issue.taxonomy,
        image=facts[issue.image_id],
        other=facts.get(issue.other_id),
        score=issue.score,
        verdict=issue.verdict,
        change="" if said is None else said.change,
        given=() if said is None else said.given,
        suggested=() if said is None else said.suggested,
        probability=None if said is None else said.probability,
        neighbors=(),
        classes=(),
        note=str(issue.evidence.get("note", "")),
        places=(),
    )


def _places(session: Session, issues: Sequence[Issue]) -> dict[int, tuple[LabelPlace, ...]]:
    found: dict[int, tuple[LabelPlace, ...]] = {}
    about = [issue for issue in issues if issue.kind in ABOUT_LABELS]
    for taxonomy in sorted({issue.taxonomy for issue in about}):
        own = [issue for issue in about if issue.taxonomy == taxonomy]
        found |= places_of_issues(session, taxonomy, own)
    return found


def find_witnesses(
    session: Session, searcher: Searcher, issue: Issue, count: int
) -> tuple[LabelWitnesses, ...]:
    """Return the most similar images that carry each label of an issue, given or suggested.

    Copies of the image bear no witness: their labels came from the same hand.
    """
    if issue.kind != "label":
        return ()
    said = evidence_of(issue)
    image = session.catalog.images.get([issue.image_id])[0]
    vector = searcher.vector_of(image)
    if vector is None:
        return ()
    copies = {one for group in session.groups() if image.id in group.images for one in group.images}
    matrix = session.matrix(issue.taxonomy)
    found = []
    for label in dict.fromkeys((*said.given, *said.suggested)):
        if label not in matrix.taxonomy.classes:
            continue
        column = matrix.values[:, matrix.taxonomy.classes.index(label)]
        hits = searcher.find(
            vector[None],
            count=count,
            among=matrix.image_ids[column == 1],
            without=copies | {image.id},
        )
        facts = picture_facts(session, set(hits.image_ids.tolist()))
        pairs = zip(hits.image_ids.tolist(), hits.similarities.tolist(), strict=True)
        witnesses = tuple(Witness(facts[one], label, max(0.0, value)) for one, value in pairs)
        found.append(LabelWitnesses(label, label in said.given, witnesses))
    return tuple(found)


def picture_facts(session: Session, ids: set[int]) -> dict[int, PictureFacts]:
    """Return what a page shows of images, by id; those that are unknown are left out."""
    table = session.table()
    wanted = np.fromiter(ids, np.int64, len(ids))
    present = wanted[table.holds(wanted)]
    found = {}
    for image, row in zip(present.tolist(), table.row_of(present).tolist(), strict=True):
        content = table.hashes[row].decode("ascii")
        width, height = int(table.widths[row]), int(table.heights[row])
        found[image] = PictureFacts(image, table.uris[row], content[:12], width, height)
    others = sorted(ids - found.keys())
    if others:
        for image in session.catalog.images.get(others):
            content = image.content_hash[:12]
            found[image.id] = PictureFacts(image.id, image.uri, content, image.width, image.height)
    return found


def common_classes(session: Session, taxonomy: str) -> tuple[str, ...]:
    """Return the classes of a taxonomy, the commonest first; raises NotFound."""
    matrix = session.matrix(taxonomy)
    counts = (matrix.values == 1).sum(axis=0)
    classes = matrix.taxonomy.classes
    return tuple(classes[at] for at in np.argsort(-counts, kind="stable").tolist())


def _likely_classes(
    issue: Issue,
    said: LabelEvidence | None,
    chances: ClassProbabilities | None,
    common: Sequence[str],
) -> tuple[ClassChance, ...]:
    """Return the classes to choose from: the likeliest by the model, else the named ones first."""
    if said is None:
        return ()
    values = None if chances is None else chances.of(issue.image_id)
    if chances is not None and values is not None:
        order = np.argsort(-values, kind="stable")[:N_CLASSES].tolist()
        return tuple(ClassChance(chances.classes[at], float(values[at])) for at in order)
    ranked = dict.fromkeys((*said.suggested, *said.given, *common))
    return tuple(ClassChance(label, None) for label in list(ranked)[:N_CLASSES])
