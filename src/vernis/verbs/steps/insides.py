"""The choice of which files are looked into: frames of videos, pages, pictures of slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from vernis.domain.errors import UsageError
from vernis.domain.parts import Inside
from vernis.verbs.declare import Option

if TYPE_CHECKING:
    from vernis.session.session import Session

InsideOption = Annotated[
    Sequence[Literal["video", "pdf", "tiff", "slides", "all", "none"]],
    Option(
        "also index what lies in files: frames of videos (by the program ffmpeg), pages of PDF "
        "(extra pdf) and TIFF, pictures in PPTX and ODP; holds from then on",
        joined=True,
    ),
]
EveryOption = Annotated[
    float | None,
    Option(
        "of --inside video: a frame every so many seconds (default: where a scene begins)",
        "SECONDS",
        above=0,
    ),
]


@dataclass(frozen=True, slots=True)
class InsideChoice:
    """Which files are looked into; a person's choice."""

    VERSION: ClassVar[int] = 1

    kinds: tuple[Inside, ...] = ()
    every: float | None = None


def choose_inside(
    session: Session, asked: Sequence[str], every: float | None
) -> tuple[InsideChoice, bool]:
    """Return what is looked into, and whether that is as before; what is asked for is remembered.

    Raises
    ------
    UsageError
        ``every`` is given, and no video is looked into.
    """
    kept = session.results.find("inside", InsideChoice) or InsideChoice()
    kinds = kept.kinds
    if asked:
        named = get_args(Inside) if "all" in asked else asked
        kinds = () if "none" in asked else tuple(k for k in get_args(Inside) if k in named)
    if every is not None and "video" not in kinds:
        raise UsageError("--every is about the frames of videos: name --inside video too")
    choice = InsideChoice(kinds, every if asked or every is not None else kept.every)
    if choice != kept:
        session.results.keep("inside", choice)
    return choice, choice.every == kept.every
