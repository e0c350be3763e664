"""A random sample of images for a person to judge, and what was said of them when it was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vernis.domain.errors import UsageError
from vernis.domain.types import Estimate
from vernis.session.results import from_document

NOTHING = "(none)"
"""What a person writes when an image carries no class of the taxonomy."""


@dataclass(frozen=True, slots=True)
class SampledImage:
    """One image to judge. Labels are tuples of classes, empty where there are none.

    ``given`` is what stood before anybody cleaned; ``cleaned`` has the suspected labels replaced
    and the missing ones filled as suggested; ``predicted`` is what the head says of the image
    without having seen it; ``offered`` are the classes that the page shows first. ``chance`` is
    that of being drawn, in 0..1, and ``expected`` the wrong labels that the model expected of it;
    None where its labels are not among those that are counted.
    """

    image: str
    content_hash: str
    given: tuple[str, ...]
    cleaned: tuple[str, ...]
    predicted: tuple[str, ...]
    offered: tuple[str, ...] = ()
    chance: float | None = None
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class CountedLabels:
    """The labels whose wrong ones a judged sample counts.

    ``images`` carry them, ``expected`` is the sum of the model's chances that one is wrong, and
    ``model`` its count when the sample was drawn, None where it made none.
    """

    images: int
    expected: float
    model: Estimate | None = None


@dataclass(frozen=True, slots=True)
class TruthSample:
    """A sample as its folder stores it.

    Attributes
    ----------
    taxonomy, kind : str
    classes : tuple of str
    seed : int
    population : int
        Present images at the time.
    images : tuple of SampledImage
        In random order: whoever judges the first hundred has judged a random hundred.
    counted : CountedLabels or None
        What the sample counts the wrong labels of; None where labels were not judged before.
    by_doubt : bool
        Doubtful labels were drawn more often: it tells how many are wrong, and nothing else.
    """

    taxonomy: str
    kind: str
    classes: tuple[str, ...]
    seed: int
    population: int
    images: tuple[SampledImage, ...]
    counted: CountedLabels | None = None
    by_doubt: bool = False


def sample_from(document: Mapping[str, Any]) -> TruthSample:
    """Return the sample that a folder's ``sample.json`` holds; raises UsageError when damaged."""
    try:
        return from_document(TruthSample, document)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("the sample is damaged; draw a new one: vernis lab sample") from error
