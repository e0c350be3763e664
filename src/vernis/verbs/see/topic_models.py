"""Find topics in the label lists of a taxonomy: super-labels, and turn them into a taxonomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.clusters import match_rows, number_anew
from vernis.core.words import topics as core
from vernis.domain.errors import InvalidValue, NotFound, NothingToLearn, UsageError
from vernis.verbs.see.proposals import AcceptedProposal, accept_groups, record_names

if TYPE_CHECKING:
    from vernis.session.session import Session

DEFAULT_K = 30
_COHERENCE_WORDS = 10
_NAME_WORDS = 3
_RANGE = (5, 8, 10, 15, 20, 25, 30, 40, 50)
_FEWEST_IMAGES = 2  # a label on one image joins nothing


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """How topics are found.

    Attributes
    ----------
    ks : tuple of int
        One: that many. Several: the most coherent of them. Never more than the data can carry.
    words : int
        Labels to list of each topic.
    threshold : float
        An image is of a topic whose share in it is at least this.
    seed : int
    """

    ks: tuple[int, ...] = (DEFAULT_K,)
    words: int = 20
    threshold: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 2:
            raise InvalidValue(f"expected 2 topics or more, got {self.ks}")
        if self.words < 1:
            raise InvalidValue(f"expected 1 word or more, got {self.words}")
        if not 0.0 < self.threshold <= 1.0:
            raise InvalidValue(f"expected a threshold between 0 and 1, got {self.threshold}")


@dataclass(frozen=True, slots=True)
class TopicWord:
    """A label of a topic."""

    word: str
    probability: Annotated[float, "of the label in the topic"]


@dataclass(frozen=True, slots=True)
class TopicScan:
    """A number of topics that was tried."""

    k: int
    npmi: Annotated[float, "mean coherence, -1 to 1"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A super-label. ``members`` are ids of images."""

    number: Annotated[int, "it stays when images are added"]
    name: str
    named_by: Annotated[str, "words or person"]
    images: Annotated[int, "images of the topic"]
    mainly: Annotated[int, "images of which it is the main topic"]
    npmi: Annotated[float, "coherence, -1 to 1"]
    umass: Annotated[float, "coherence, 0 or less"]
    words: Annotated[tuple[TopicWord, ...], "most probable first"]
    members: Annotated[tuple[int, ...], "images; by --json their paths"]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a taxonomy's label lists."""

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    taxonomy: str
    k: Annotated[int, "topics"]
    images: Annotated[int, "labelled images"]
    labels: Annotated[int, "labels that took part"]
    threshold: Annotated[float, "share from which on an image is of a topic"]
    scan: tuple[TopicScan, ...]
    notes: tuple[str, ...]
    topics: tuple[Topic, ...]


def coherence_range(most: int = max(_RANGE)) -> tuple[int, ...]:
    """Return the numbers of topics that ``--k auto`` tries."""
    return tuple(k for k in _RANGE if k <= most)


def find_topics(
    session: Session, taxonomy: str, settings: TopicSettings | None = None, *, fresh: bool = False
) -> Topics:
    """Find the topics of a taxonomy's label lists and store them.

    Topics keep number and name where they are paired with stored ones (the assignment of greatest
    similarity between their label probabilities, cosine 0.5 or more).

    Parameters
    ----------
    session : Session
    taxonomy : str
    settings : TopicSettings, optional
    fresh : bool
        Forget the stored numbers and names.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        The label lists carry fewer than two topics.
    """
    chosen = settings or TopicSettings()
    matrix = session.matrix(taxonomy)
    presence = np.asarray(matrix.values == 1)
    columns = np.flatnonzero(presence.sum(axis=0) >= _FEWEST_IMAGES)
    rows = np.flatnonzero(presence[:, columns].any(axis=1))
    presence = presence[np.ix_(rows, columns)]
    labels = [matrix.taxonomy.classes[column] for column in columns.tolist()]
    ks, notes = _allowed(presence, taxonomy, chosen.ks)
    if len(rows) and presence.sum(axis=1).mean() < 1.5:
        notes.append("most images carry one label: topics need lists of labels that occur together")
    session.progress("Topics", 0, None)
    scan = core.scan_topics(presence, ks, seed=chosen.seed)
    model = scan.models[scan.best]
    if len(ks) > 1:
        notes.append(
            f"k = {ks[scan.best]} is the most coherent of {', '.join(map(str, ks))} "
            f"(mean NPMI {scan.coherence[scan.best]:.3f})"
        )
    stored = None if fresh else session.results.find(_run(taxonomy), Topics)
    topics = _describe(model, presence, labels, matrix.image_ids[rows], chosen)
    topics = _keep_numbers(topics, model, labels, stored)
    found = Topics(
        taxonomy=taxonomy,
        k=len(topics),
        images=len(rows),
        labels=len(labels),
        threshold=chosen.threshold,
        scan=tuple(
            TopicScan(int(k), float(c)) for k, c in zip(scan.ks, scan.coherence, strict=True)
        ),
        notes=tuple(notes),
        topics=tuple(sorted(topics, key=lambda topic: topic.number)),
    )
    with session.lock("topics"), session.catalog.transaction():
        session.results.keep(_run(taxonomy), found)
    session.progress("Topics", len(rows), len(rows))
    return found


def name_topics(session: Session, taxonomy: str, names: Mapping[int, str]) -> Topics:
    """Give stored topics names of a person's choice, which they keep.

    Raises
    ------
    NotFound
        No topics were found yet, or there is none of that number.
    UsageError
        Two topics would have one name.
    """
    stored = stored_topics(session, taxonomy)
    _by_number(stored, list(names))
    topics = tuple(
        replace(topic, name=names[topic.number], named_by="person")
        if topic.number in names
        else topic
        for topic in stored.topics
    )
    taken = [topic.name for topic in topics]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two topics would be named '{twice}'; choose another name")
    with session.lock("topics"), session.catalog.transaction():
        named = replace(stored, topics=topics)
        session.results.keep(_run(taxonomy), named)
        record_names(session, "topics", _run(taxonomy), "topics", stored.topics, topics)
    return named


def accept_topics(
    session: Session, taxonomy: str, numbers: Sequence[int] = (), *, into: str = ""
) -> AcceptedProposal:
    """Make classes of stored topics, as one batch of the source ``proposal:topics``.

    An image gets the classes of the topics it is of (see ``TopicSettings.threshold``).

    Parameters
    ----------
    session : Session
    taxonomy : str
        Whose topics.
    numbers : sequence of int
        Which; none: all.
    into : str
        The taxonomy to make; default ``TAXONOMY_topics``.
    """
    by_number = _by_number(stored_topics(session, taxonomy), numbers)
    here = {image.id for image in session.images()}
    groups = {
        by_number[number].name: [i for i in by_number[number].members if i in here]
        for number in numbers or by_number
    }
    into = into or f"{taxonomy}_topics"
    return accept_groups(session, groups, into=into, kind="multi", origin="topics")


def stored_topics(session: Session, taxonomy: str) -> Topics:
    """Return the topics that were found last; raises NotFound when none were found yet."""
    session.catalog.labels.taxonomy(taxonomy)
    stored = session.results.find(_run(taxonomy), Topics)
    if stored is None:
        raise NotFound(f"no topics of '{taxonomy}' yet; find them: vernis topics {taxonomy}")
    return stored


def _run(taxonomy: str) -> str:
    return f"topics:{taxonomy}"


def _by_number(topics: Topics, numbers: Sequence[int]) -> dict[int, Topic]:
    found = {topic.number: topic for topic in topics.topics}
    for number in numbers:
        if number not in found:
            raise NotFound(
                f"there is no topic {number}; there are {', '.join(map(str, sorted(found)))}"
            )
    return found


def _allowed(
    presence: NDArray[np.bool_], taxonomy: str, wanted: Sequence[int]
) -> tuple[list[int], list[str]]:
    """Return the numbers of topics that the data can carry, and what is to be said of it."""
    if len(presence) and presence.sum(axis=1).max() < 2:
        raise NothingToLearn(
            f"no image has two labels of '{taxonomy}', so none occur together; topics are made of "
            "lists of labels, such as keywords"
        )
    most = core.most_topics(presence)
    if most < 2:
        raise NothingToLearn(
            f"'{taxonomy}' has {presence.shape[1]} labels on {len(presence)} images (labels on one "
            f"image left out): too few for two topics, which need {2 * core.LABELS_A_TOPIC} labels "
            f"and {2 * core.IMAGES_A_TOPIC} images"
        )
    ks = sorted({min(k, most) for k in wanted})
    if max(wanted) <= most:
        return ks, []
    return ks, [
        f"{most} topics at most: {presence.shape[1]} labels on {len(presence):,} images carry no "
        f"more ({core.LABELS_A_TOPIC} labels and {core.IMAGES_A_TOPIC} images each)"
    ]


def _describe(
    model: core.TopicModel,
    presence: NDArray[np.bool_],
    labels: Sequence[str],
    image_ids: NDArray[np.int64],
    settings: TopicSettings,
) -> list[Topic]:
    top = model.top_words(settings.words)
    telling = core.relevant_words(model.words, presence, _NAME_WORDS)
    for_coherence = model.top_words(_COHERENCE_WORDS)
    npmi = core.npmi_coherence(presence, for_coherence)
    umass = core.umass_coherence(presence, for_coherence)
    main = model.shares.argmax(axis=1)
    topics = []
    for topic in range(len(top)):
        share = model.shares[:, topic]
        members = np.flatnonzero(share >= settings.threshold)
        members = members[np.argsort(-share[members], kind="stable")]
        topics.append(
            Topic(
                number=0,  # it is given one later
                name=" / ".join(labels[column] for column in telling[topic].tolist()),
                named_by="words",
                images=len(members),
                mainly=int((main == topic).sum()),
                npmi=float(npmi[topic]),
                umass=float(umass[topic]),
                words=tuple(
                    TopicWord(labels[c], round(float(model.words[topic, c]), 4))
                    for c in top[topic].tolist()
                ),
                members=tuple(image_ids[members].tolist()),
            )
        )
    return topics


def _keep_numbers(
    topics: Sequence[Topic], model: core.TopicModel, labels: Sequence[str], stored: Topics | None
) -> list[Topic]:
    """Number the topics, those that were there before as they were, and keep their names."""
    old = stored.topics if stored is not None else ()
    place = {label: column for column, label in enumerate(labels)}
    vectors = np.zeros((len(old), len(labels)))
    for row, topic in enumerate(old):
        for word in topic.words:
            if word.word in place:
                vectors[row, place[word.word]] = word.probability
    pairs = match_rows(vectors, model.words)
    numbers = number_anew(pairs, [topic.number for topic in old], len(topics))
    kept = {row: old[match] for row, match in pairs.items()}
    taken = {topic.name for topic in kept.values()}
    numbered = []
    for row, topic in enumerate(topics):
        name, named_by = topic.name, topic.named_by
        if row in kept:
            name, named_by = kept[row].name, kept[row].named_by
        else:
            name = f"{name} ({numbers[row]})" if name in taken else name
            taken.add(name)
        numbered.append(replace(topic, number=numbers[row], name=name, named_by=named_by))
    return numbered
