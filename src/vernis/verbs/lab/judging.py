"""A random sample that is judged in the app: drawn once, judged image by image, then recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from vernis.core.words.class_names import known_name
from vernis.domain.errors import InvalidLabels, NotFound, UsageError
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts
from vernis.verbs.lab.sample import draw_truth_sample
from vernis.verbs.lab.truth import Result, record_truth
from vernis.verbs.lab.truth_sample import TruthSample

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class JudgedSoFar:
    """A sample with what a person found in it so far."""

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    sample: TruthSample
    judged: Annotated[Mapping[str, tuple[str, ...]], "image → its true classes"]
    recorded: Annotated[int, "the batch of its labels; 0: not recorded yet"]


@dataclass(frozen=True, slots=True)
class ImageToJudge:
    """One image of a sample. What it is labelled with is not told: it would sway who judges."""

    image: PictureFacts
    offered: Annotated[tuple[str, ...], "classes that are offered first, in no telling order"]
    judged: Annotated[tuple[str, ...] | None, "its true classes; null: not judged yet"]


@dataclass(frozen=True, slots=True)
class SampleToJudge:
    """A random sample that a person judges."""

    taxonomy: str
    kind: Annotated[str, "single or multi"]
    classes: tuple[str, ...]
    population: Annotated[int, "images of the collection when it was drawn"]
    images: Annotated[tuple[ImageToJudge, ...], "in random order: any first part is a sample too"]
    judged: Annotated[int, "images that are judged"]
    recorded: Annotated[int, "the batch of its labels; 0: not recorded yet"]
    by_doubt: Annotated[bool, "doubtful labels were drawn more often, to count the wrong ones"]


def _name(taxonomy: str) -> str:
    return f"judging:{taxonomy}"


def _find(session: Session, taxonomy: str) -> JudgedSoFar:
    session.catalog.labels.taxonomy(taxonomy)
    found = session.results.find(_name(taxonomy), JudgedSoFar)
    if found is None:
        raise NotFound(f"no sample of {taxonomy} was drawn to be judged here")
    return found


def draw_to_judge(
    session: Session,
    taxonomy: str,
    *,
    size: int = 300,
    seed: int = 0,
    fresh: bool = False,
    by_doubt: bool = False,
) -> SampleToJudge:
    """Draw a random sample of a taxonomy, in the place of one that is judged and recorded.

    Parameters
    ----------
    session : Session
    taxonomy : str
    size : int
        Images; all, where there are fewer.
    seed : int
    fresh : bool
        Whether one that was judged in part gives way, too.
    by_doubt : bool
        Of the labelled images, doubtful ones more often, see `draw_truth_sample`.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        One that was judged in part is not recorded yet, or there is no image.
    """
    known = session.results.find(_name(taxonomy), JudgedSoFar)
    if known is not None and known.judged and not known.recorded and not fresh:
        raise UsageError(
            f"{len(known.judged):,} images of the sample of {taxonomy} are judged and not recorded"
        )
    sample = draw_truth_sample(session, taxonomy, size=size, seed=seed, by_doubt=by_doubt)
    session.results.keep(_name(taxonomy), JudgedSoFar(sample, {}, 0))
    return sample_to_judge(session, taxonomy)


def sample_to_judge(session: Session, taxonomy: str) -> SampleToJudge:
    """Return the sample that is judged; images that have changed since or are gone are left out.

    Raises
    ------
    NotFound
        There is no such taxonomy, or no sample was drawn.
    """
    known = _find(session, taxonomy)
    sample = known.sample
    ids = {uri: image for image, uri in session.uris().items()}
    facts = picture_facts(session, {ids[one.image] for one in sample.images if one.image in ids})
    images = tuple(
        ImageToJudge(found, one.offered, known.judged.get(one.image))
        for one in sample.images
        if one.image in ids
        for found in [facts[ids[one.image]]]
        if one.content_hash.startswith(found.hash)
    )
    return SampleToJudge(
        taxonomy=sample.taxonomy,
        kind=sample.kind,
        classes=sample.classes,
        population=sample.population,
        images=images,
        judged=sum(one.judged is not None for one in images),
        recorded=known.recorded,
        by_doubt=sample.by_doubt,
    )


def judge_images(
    session: Session, taxonomy: str, judged: Mapping[int, Sequence[str] | None]
) -> int:
    """Keep what a person found in images of the sample; returns how many are judged now.

    Parameters
    ----------
    session : Session
    taxonomy : str
    judged : mapping of int to sequence of str or None
        Image → its true classes, none of them where it carries none; None: not judged after all.

    Raises
    ------
    NotFound
        There is no such taxonomy, no sample was drawn, or an image is not of it.
    InvalidLabels
        A class is not of the taxonomy, or an image has more than one where it can have one.
    """
    with session.catalog.transaction():
        known = _find(session, taxonomy)
        uris, now = session.uris_of(set(judged)), dict(known.judged)
        drawn = {one.image for one in known.sample.images}
        for image, labels in judged.items():
            uri = uris.get(image, "")
            if uri not in drawn:
                raise NotFound(f"image {image} is not of the sample of {taxonomy}")
            if labels is None:
                now.pop(uri, None)
            else:
                now[uri] = _checked(known.sample, uri, labels)
        session.results.keep(_name(taxonomy), replace(known, judged=now, recorded=0))
    return len(now)


def _checked(sample: TruthSample, uri: str, labels: Sequence[str]) -> tuple[str, ...]:
    found = tuple(sorted({known_name(label, sample.classes) for label in labels}))
    stray = next((label for label in found if label not in sample.classes), None)
    if stray is not None:
        raise InvalidLabels(f"'{uri}': '{stray}' is no class of {sample.taxonomy}")
    if sample.kind == "single" and len(found) > 1:
        raise InvalidLabels(f"'{uri}': {sample.taxonomy} takes one class an image")
    return found


def record_judged(session: Session, taxonomy: str, *, who: str) -> Result:
    """Record what was judged as a person's labels, and hold the labels against it.

    Raises
    ------
    NotFound
        There is no such taxonomy, or no sample was drawn.
    UsageError
        Nothing was judged, or all that was has changed since.
    """
    with session.catalog.transaction():
        known = _find(session, taxonomy)
        result = record_truth(session, known.sample, known.judged, who=who)
        done = replace(known, recorded=result.batch or known.recorded)
        session.results.keep(_name(taxonomy), done)
    return result
