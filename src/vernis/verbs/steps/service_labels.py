"""Labels of an outside service as suggestions, and as labels where they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vernis.core.words.class_names import clean_name, match_key
from vernis.domain.annotations import Annotator, NamedLabel, Question
from vernis.domain.errors import NotFound
from vernis.domain.types import LabelMatrix, Statement, Suggestion, Taxonomy
from vernis.report.wording import counted

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class ServiceLabels:
    """What a service says of the present images.

    Attributes
    ----------
    labels : mapping of int to tuple of NamedLabel
        Image → its labels, as classes of the taxonomy; those that are none are left out.
    answered : int
        Images about whose labels it answered.
    strange : Counter
        Names that are no classes of the taxonomy → images.
    """

    labels: Mapping[int, tuple[NamedLabel, ...]]
    answered: int
    strange: Counter[str]


def read_labels(
    session: Session, annotator: Annotator, question: Question, least: float
) -> ServiceLabels:
    """Return the labels that a service answered, of at least this score.

    A taxonomy that is there already keeps its classes; one that is not, or that this service has
    made, takes every name.
    """
    known = _own_classes(session, annotator, question)
    images: dict[str, list[int]] = {}
    for image in session.images():
        images.setdefault(image.content_hash, []).append(image.id)
    labels: dict[int, tuple[NamedLabel, ...]] = {}
    strange: Counter[str] = Counter()
    names: dict[str, str] = {}
    answers = session.catalog.answers.answers(
        annotator.version, "labels", question.mark("labels"), list(images)
    )
    answered = 0
    for answer in answers:
        copies = images[answer.content_hash]
        if answer.refused:
            continue
        answered += len(copies)
        found: dict[str, NamedLabel] = {}
        for one in annotator.labels(answer.content, question):
            if one.score is not None and one.score < least:
                continue
            key = match_key(one.name)
            name = (
                known.get(key, "")
                if known is not None
                else names.setdefault(key, clean_name(one.name))
            )
            if name:
                found.setdefault(name, NamedLabel(name, one.score))
            else:
                strange[one.name] += len(copies)
        chosen = tuple(found.values())
        labels |= dict.fromkeys(copies, chosen[:1] if question.kind == "single" else chosen)
    return ServiceLabels(labels, answered, strange)


def _own_classes(
    session: Session, annotator: Annotator, question: Question
) -> Mapping[str, str] | None:
    """Return key → class of a taxonomy that is the owner's; None where every name is a class."""
    found = next((one for one in session.taxonomies() if one.name == question.taxonomy), None)
    if found is None or found.origin == annotator.version.source:
        return None
    return {match_key(name): name for name in reversed(found.classes)}


def agreement(session: Session, annotator: Annotator, taxonomy: str, found: ServiceLabels) -> float:
    """Return how often a label of the service is right, by what people, files and readers say.

    Of its statements that they agree with or contradict, those agreed with, one half added to each
    side: 0.5 where nobody said anything.
    """
    if all(one.name != taxonomy for one in session.taxonomies()):
        return 0.5
    stored = session.catalog.labels.taxonomy(taxonomy)
    said: dict[int, dict[str, str]] = {}
    for source, statements in session.catalog.labels.statements_about(
        taxonomy, stored.classes
    ).items():
        if source != annotator.version.source and not source.startswith("model:"):
            for one in statements:
                said.setdefault(one.image_id, {}).setdefault(one.label, one.state)
    right = wrong = 0
    for image, labels in found.labels.items():
        known = said.get(image, {})
        has_other = stored.kind == "single" and "yes" in known.values()
        for label in labels:
            state = known.get(label.name, "no" if has_other else "")
            right += state == "yes"
            wrong += state == "no"
    return (right + 0.5) / (right + wrong + 1)


def suggest_labels(
    session: Session, annotator: Annotator, question: Question, found: ServiceLabels
) -> list[Suggestion]:
    """Replace what the service suggests for the taxonomy; returns the suggestions.

    A label is suggested where nothing is known of it; in a taxonomy of one label an image, for
    images without one. The probability is the service's score, or how often it agrees with the
    labels that are known where it tells none.
    """
    name, source = question.taxonomy, annotator.version.source
    classes = sorted({one.name for labels in found.labels.values() for one in labels})
    matrix = _matrix(session, name)
    if matrix is None and not classes:
        return []
    share = agreement(session, annotator, name, found)
    open_to = _Open(matrix)
    suggestions = [
        Suggestion(
            image,
            name,
            one.name,
            share if one.score is None else one.score,
            promised=False,
            evidence={"source": source},
        )
        for image, labels in sorted(found.labels.items())
        for one in open_to.of(image, labels)
    ]
    with session.catalog.transaction():
        _define(session, annotator, question, classes)
        session.catalog.issues.replace_suggestions(name, suggestions, source=source)
    return suggestions


class _Open:
    """Which labels of an image are unknown."""

    def __init__(self, matrix: LabelMatrix | None) -> None:
        self._matrix = matrix
        self._rows: Mapping[int, int] = {}
        self._columns: Mapping[str, int] = {}
        if matrix is not None:
            self._rows = {image: row for row, image in enumerate(matrix.image_ids.tolist())}
            self._columns = {name: place for place, name in enumerate(matrix.taxonomy.classes)}

    def of(self, image: int, labels: Sequence[NamedLabel]) -> Sequence[NamedLabel]:
        if self._matrix is None or image not in self._rows:
            return labels
        values = self._matrix.values[self._rows[image]]
        if self._matrix.taxonomy.kind == "single" and (values == 1).any():
            return ()
        return [
            one
            for one in labels
            if one.name not in self._columns or np.isnan(values[self._columns[one.name]])
        ]


def write_labels(
    session: Session, annotator: Annotator, question: Question, found: ServiceLabels
) -> int:
    """Write the labels as those of the service, one batch; returns it, 0 when nothing changed.

    They rank below what people and files say.
    """
    catalog, source = session.catalog, annotator.version.source
    classes = sorted({one.name for labels in found.labels.values() for one in labels})
    if not classes and _matrix(session, question.taxonomy) is None:
        return 0
    said = [
        Statement(image, one.name, "yes", *(() if one.score is None else (one.score,)))
        for image, labels in sorted(found.labels.items())
        for one in labels
    ]
    with catalog.transaction():
        _define(session, annotator, question, classes)
        batch = catalog.labels.replace_source(
            question.taxonomy,
            said,
            source=source,
            verb="annotate",
            note=f"{counted(len(said), 'label')} of {annotator.version.name}",
        )
        catalog.issues.replace_suggestions(question.taxonomy, (), source=source)
    return batch


def _define(
    session: Session, annotator: Annotator, question: Question, classes: Sequence[str]
) -> None:
    known = next((one for one in session.taxonomies() if one.name == question.taxonomy), None)
    if known is not None and not classes:
        return
    source = annotator.version.source
    origin = source if known is None or known.origin == source else ""
    session.catalog.labels.define(
        Taxonomy(question.taxonomy, question.kind, tuple(classes), origin=origin)
    )


def _matrix(session: Session, taxonomy: str) -> LabelMatrix | None:
    try:
        return session.matrix(taxonomy)
    except NotFound:
        return None
