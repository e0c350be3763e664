"""``vernis topics``: find the super-labels of a taxonomy's label lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, BaseSettings, OneOf, Option, Screen, Verb, count, share
from vernis.verbs.see.clusters import whole_range
from vernis.verbs.see.proposals import AcceptedProposal, parse_name, parse_numbers, show_accepted
from vernis.verbs.see.topic_models import (
    Topics,
    TopicSettings,
    accept_topics,
    coherence_range,
    find_topics,
    name_topics,
)

if TYPE_CHECKING:
    from vernis.session.session import Session


def topic_range(text: str) -> tuple[int, ...]:
    """Parse ``auto``, ``12`` or ``5..40`` (every fifth) into numbers of topics."""
    if text == "auto":
        return coherence_range()
    numbers = whole_range(text)
    return tuple(sorted({*numbers[::5], numbers[-1]}))


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How topics are found; or what is decided about those that are stored."""

    taxonomy: Annotated[str, Option("the taxonomy, of lists of labels")]
    _: KW_ONLY
    k: Annotated[
        Sequence[int] | None,
        Option(
            "topics: a number, a range, or auto: the most coherent (default: 30, or what the data "
            "can carry)",
            parse=topic_range,
            whole=True,
        ),
    ] = None
    words: Annotated[int | None, count("labels to list of each topic (default: 20)")] = None
    threshold: Annotated[
        float | None,
        share("an image is of a topic from this share on (default: 0.4)", "S"),
    ] = None
    fresh: Annotated[bool, Option("start anew, and forget stored numbers and names")] = False
    seed: Annotated[int | None, SEED] = None
    name: Annotated[
        Sequence[tuple[int, str]],
        Option("N=NAME: rename topic N of the stored ones (repeatable)", parse=parse_name),
    ] = ()
    accept: Annotated[
        Sequence[int] | None,
        Option(
            "make a taxonomy of the stored topics: all, or those of numbers N,N",
            parse=parse_numbers,
            whole=True,
        ),
    ] = None
    into: Annotated[str, Option("the taxonomy that --accept makes (default: TAXONOMY_topics)")] = ""

    def found_by(self) -> dict[str, Any]:
        """Return what is said of how topics are found."""
        given = {"ks": self.k, "words": self.words, "threshold": self.threshold, "seed": self.seed}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Result:
    """The topics, or the taxonomy that was made of them."""

    found: Topics | None
    accepted: AcceptedProposal | None
    uris: Annotated[Mapping[int, str], "paths of the members"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Find topics in the label lists of a taxonomy; name and accept stored ones."""
    taxonomy, asked = settings.taxonomy, settings.found_by()
    found = None
    # Names alone are given to the stored topics; so are they where those are accepted.
    if settings.accept is None and (asked or settings.fresh or not settings.name):
        found = find_topics(session, taxonomy, TopicSettings(**asked), fresh=settings.fresh)
    if settings.name:
        found = name_topics(session, taxonomy, dict(settings.name))
    if settings.accept is not None:
        accepted = accept_topics(session, taxonomy, settings.accept, into=settings.into)
        return Result(None, accepted, {}, ())
    assert found is not None
    return Result(found, None, session.uris(), found.notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a topic, or the classes that were made."""
    if result.accepted is not None:
        show_accepted(result.accepted, screen)
        return
    assert result.found is not None
    found = result.found
    rows = [
        {
            "number": topic.number,
            "name": topic.name,
            "images": topic.images,
            "npmi": topic.npmi,
            "words": [word.word for word in topic.words],
        }
        for topic in found.topics
    ]
    title = (
        f"{counted(found.k, 'topic')} of {counted(found.labels, 'label')} "
        f"on {counted(found.images, 'image')}"
    )
    screen.table(rows, ["number", "name", "images", "npmi", "words"], title=title)


def document(result: Result) -> Any:
    """Return what ``--json`` prints: the topics with the paths of their members."""
    if result.found is None:
        return result.accepted
    whole: dict[str, Any] = to_document(result.found)
    for topic in whole["topics"]:
        topic["members"] = [result.uris[i] for i in topic["members"] if i in result.uris]
    return whole


VERB = Verb(Settings, work, show, document=document, shape=OneOf("found", "accepted"))
