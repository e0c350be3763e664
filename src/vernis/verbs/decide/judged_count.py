"""How many labels are wrong by those that a person judged, and whether judging some is advised.

What is kept is the sample and what was given when it was drawn. What is true is read from the
labels each time, so that whoever takes the judgements back, or judges an image otherwise, changes
the count, too.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Catalog
from vernis.domain.types import Estimate, Taxonomy
from vernis.report.wording import count, counted, estimated

if TYPE_CHECKING:
    from vernis.session.session import Session

SOURCES = ("given", "reader", "api", "proposal")
"""Who says the labels that are judged: not a person, and no label that was filled in."""
_SIZES, _CLOSE = (100, 200, 300), 0.25
"""Labels that are advised to be judged, the first that tell the count so closely, or the last."""
_WIDE, _FEWEST = 0.4, 10
"""From such a half-width on, as a share of the count, the model's interval tells little; of so few
wrong labels at most nobody needs to know more."""


@dataclass(frozen=True, slots=True)
class JudgedLabel:
    """An image of a sample that was judged.

    ``given`` is what it was labelled with when the sample was drawn, ``expected`` how many of that
    the model took for wrong, ``chance`` that of being drawn and judged.
    """

    image_id: int
    given: tuple[str, ...]
    expected: float
    chance: float


@dataclass(frozen=True, slots=True)
class CountSample:
    """A sample of labels that a person judged.

    ``images`` carried the labels that it speaks of, ``expected`` is the model's sum over them, and
    ``model`` its count.
    """

    VERSION: ClassVar[int] = 1

    images: int
    expected: float
    model: Estimate | None
    judged: tuple[JudgedLabel, ...]


@dataclass(frozen=True, slots=True)
class JudgedCount:
    """How many labels are wrong, by a sample that a person judged."""

    wrong: Annotated[Estimate, "labels that were wrong when the sample was drawn"]
    judged: Annotated[int, "labelled images that were judged and count"]
    found: Annotated[int, "wrong labels among those, now replaced by what was judged"]
    images: Annotated[int, "labelled images that it speaks of"]
    changed: Annotated[
        int, "judged images that changed or were labelled anew since: they count no more"
    ]
    model: Annotated[Estimate | None, "what was estimated without the judged ones"]

    def sentence(self) -> str:
        """Return what was found, without its stop."""
        about = f"wrong on {counted(self.images, 'image')}"
        said = f"from {counted(self.judged, 'judged label')}: {estimated(self.wrong, about)}"
        if self.model is not None:
            said += f"; without them: {estimated(self.model)}"
        if self.found:
            said += f"; judging mended {count(self.found)}"
        if self.changed:
            said += f"; {counted(self.changed, 'image has', 'images have')} changed since"
            said += " or got another label, and count no more"
        return said


@dataclass(frozen=True, slots=True)
class JudgingAdvice:
    """How many labels to judge, as the pictures alone do not tell how many are wrong."""

    labels: Annotated[int, "to be judged"]
    error: Annotated[
        float | None, "half of the interval they give, as a share of the count; null: not known"
    ]

    def sentence(self, taxonomy: str) -> str:
        """Return what judging tells, and the command."""
        within = "" if self.error is None else f" within about ±{100 * self.error:.0f}%"
        command = f"vernis lab sample {shlex.quote(taxonomy)} --by-doubt --size {self.labels}"
        return (
            f"The pictures alone do not tell closely how many labels are wrong; "
            f"{self.labels} judged ones tell it{within}: {command}"
        )


def advise_judging(
    wrong: Estimate, variance: NDArray[np.floating], n_labelled: int
) -> JudgingAdvice | None:
    """Return how many labels to judge; None where the model's interval is close, or labels few.

    Parameters
    ----------
    wrong : Estimate
        By the model.
    variance : ndarray of float, shape (n_images,)
        See `drawing_chances`, of the judged images.
    n_labelled : int
    """
    from vernis.core.labels.judged_count import foretell_error

    half = (wrong.high - wrong.low) / 2
    if wrong.high < _FEWEST or half <= _WIDE * wrong.value or n_labelled <= _SIZES[0]:
        return None
    told = [
        (size, error)
        for size in _SIZES
        if (error := foretell_error(variance, size, wrong.value)) is not None
    ]
    close = [one for one in told if one[1] <= _CLOSE] or told[-1:]
    return JudgingAdvice(*close[0]) if close else None


def keep_judged(session: Session, taxonomy: str, sample: CountSample) -> None:
    """Keep a judged sample in the place of an earlier one."""
    session.results.keep(_name(taxonomy), sample)


def carry_judged(session: Session, old: str, new: str) -> None:
    """Let a judged sample be found under a taxonomy's new name."""
    kept = session.results.find(_name(old), CountSample)
    if kept is not None:
        session.results.keep(_name(new), kept)


def judged_count(session: Session, taxonomy: str) -> JudgedCount | None:
    """Return how many labels are wrong by a judged sample; None without one of 10 images."""
    stores = ("labels", "runs")
    return session.kept(f"judged count {taxonomy}", stores, lambda: _count(session, taxonomy))


def _name(taxonomy: str) -> str:
    return f"judged_count:{taxonomy}"


def _count(session: Session, taxonomy: str) -> JudgedCount | None:
    from vernis.core.labels.judged_count import count_by_judged

    kept = session.results.find(_name(taxonomy), CountSample)
    if kept is None:
        return None
    catalog = session.catalog
    matrix = catalog.labels.matrix(taxonomy, sorted(one.image_id for one in kept.judged))
    place = {int(image): row for row, image in enumerate(matrix.image_ids)}
    vouched = np.asarray(matrix.confirmed.any(axis=1))
    # What a person took back again is as if it had not been judged.
    judged = [
        one for one in kept.judged if one.image_id not in place or vouched[place[one.image_id]]
    ]
    names, found, same = matrix.taxonomy.classes, [], []
    for one in judged:
        row = place.get(one.image_id)
        stays = row is not None and given_labels(catalog, taxonomy, one.image_id) == one.given
        true = [] if row is None else np.flatnonzero(matrix.values[row] == 1).tolist()
        truth = {names[column] for column in true}
        same.append(stays)
        found.append(_wrong(matrix.taxonomy, set(one.given), truth) if stays else 0)
    if not any(same):
        return None
    stands_for = 1 / np.asarray([one.chance for one in judged])
    images = round(kept.images * float(stands_for[same].sum() / stands_for.sum()))
    # Of an image with one label, one is wrong at most.
    most = images - (sum(same) - sum(found)) if matrix.taxonomy.kind == "single" else np.inf
    share = len(judged) / max(len(kept.judged), 1)
    wrong = count_by_judged(
        found,
        [one.expected for one in judged],
        [one.chance * share for one in judged],
        total=kept.expected,
        counts=same,
        most=most,
    )
    if wrong is None:
        return None
    changed = len(same) - sum(same)
    return JudgedCount(wrong, sum(same), sum(found), images, changed, kept.model)


def _wrong(taxonomy: Taxonomy, given: set[str], truth: set[str]) -> int:
    """Return how many labels of an image are wrong; a blank of an open taxonomy never is."""
    if taxonomy.kind == "single":
        return int(given != truth)
    return len(given - truth) + (len(truth - given) if taxonomy.closed else 0)


def given_labels(catalog: Catalog, taxonomy: str, image_id: int) -> tuple[str, ...]:
    """Return what an image was labelled with before anybody cleaned."""
    return tuple(
        sorted(
            {
                said.label
                for source, said in catalog.labels.statements(taxonomy, image_id)
                if said.state == "yes" and source.startswith(SOURCES)
            }
        )
    )
