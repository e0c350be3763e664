"""What the routes share: one open collection, the people, jobs, events, small pictures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from vernis.app.events import EventHub
from vernis.app.examples import Examples
from vernis.app.jobs import JobQueue
from vernis.app.pictures import Pictures
from vernis.session.session import Session

if TYPE_CHECKING:
    from vernis.verbs.see.vector_search import Searcher

T = TypeVar("T")

RELEARN_AFTER = 20
"""Decided labels of a taxonomy after which all are judged anew, in the light of those."""

_KEPT_ANSWERS = 64


@dataclass
class Desk:
    """One open collection, as the routes use it.

    Attributes
    ----------
    session : Session
        Threads share it. Decisions need no lock: the catalog takes one transaction at a time.
    reading : lock
        Held while something is read that the session keeps, so that it is read once.
    events : EventHub
    jobs : JobQueue
    pictures : Pictures
    examples : Examples
        What searches are by.
    """

    session: Session
    events: EventHub
    jobs: JobQueue
    pictures: Pictures
    examples: Examples
    reading: threading.RLock = field(default_factory=threading.RLock)
    _decided: Counter[str] = field(default_factory=Counter)
    _answers: dict[object, tuple[object, object]] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session) -> Desk:
        """Return the desk of an open collection."""
        events = EventHub()
        jobs = JobQueue(session.catalog.folder, events.publish)
        return cls(session, events, jobs, Pictures(session), Examples(session))

    def revision(self, *stores: str) -> tuple[int, ...]:
        """Return what differs whenever something in these stores of the catalog has changed."""
        found = [self.session.catalog.revision(store) for store in stores]
        return tuple(number for pair in found for number in pair)

    def remember(self, name: object, stores: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return what was made before of these stores, made anew when one of them has changed.

        Parameters
        ----------
        name : hashable
            What is made, with everything that it depends on besides.
        stores : tuple of str
        make : callable
        """
        with self.reading:
            mark = self.revision(*stores)
            known = self._answers.pop(name, None)
            if known is None or known[0] != mark:
                known = (mark, make())
            self._answers[name] = known  # the latest stand last
            while len(self._answers) > _KEPT_ANSWERS:
                del self._answers[next(iter(self._answers))]
            found: T = known[1]  # type: ignore[assignment]
            return found

    def note_decided(self, taxonomies: Iterable[str], who: str) -> None:
        """Count decided labels; after some the labels of their taxonomy are judged anew, as a job.

        Where they were judged by probabilities from outside they stay as they are.
        """
        from vernis.verbs.decide.label_judgement import LabelJudgement

        with self.reading:
            self._decided.update(taxonomies)
            ripe = [name for name, count in self._decided.items() if count >= RELEARN_AFTER]
            for name in ripe:
                del self._decided[name]
                known = self.session.results.find(f"label_issues:{name}", LabelJudgement)
                if known is not None and known.told_apart is not None:
                    wanted = {"taxonomy": name, "predictions": "kernel", "limit": 1}
                    self.jobs.add("issues", wanted, by=who)

    def searcher(self, space: str | None = None) -> Searcher:
        """Return the vectors of a space (default: the current one), loaded once.

        Raises
        ------
        UsageError
            Nothing was embedded yet.
        NotFound
            There is no such space.
        """
        from vernis.verbs.see.vector_search import Searcher

        with self.reading:
            wanted = self.session.space(space)
            stores = ("images", "vectors")
            return self.remember(
                ("searcher", wanted.name), stores, lambda: Searcher(self.session, wanted)
            )

    def close(self) -> None:
        """End streams and jobs; the session belongs to whoever opened it."""
        self.events.close()
        self.jobs.close()
