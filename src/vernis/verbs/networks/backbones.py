"""``vernis backbones``: list the networks there are, or convert one for use."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.session.networks import BackboneRow, Conversion
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, count, without

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which network is converted; nothing: all are listed."""

    _: KW_ONLY
    get: Annotated[
        str | None, Option("convert a model of the timm collection for use: timm:MODEL")
    ] = None
    weights: Annotated[Path | str | None, Option("with --get: its weights, from a file")] = None
    side: Annotated[int | None, count("with --get: side of its input, pixels")] = None
    download: Annotated[bool, Option("weights may be fetched from huggingface.co")] = False


@dataclass(frozen=True, slots=True)
class Result:
    """The networks there are, or what was converted."""

    rows: tuple[BackboneRow, ...]
    converted: Conversion | None = None


def work(session: Session, settings: Settings) -> Result:
    """List the networks, or convert one and say how near to torch its output is."""
    if settings.get is None:
        if settings.weights is not None:
            raise UsageError("--weights is for --get timm:MODEL")
        return Result(session.networks.rows())
    weights = None if settings.weights is None else Path(settings.weights)
    converted = session.networks.convert(
        settings.get, side=settings.side, weights=weights, download=settings.download
    )
    return Result((), converted)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a network, or the facts of the conversion."""
    found = result.converted
    if found is None:
        screen.table(result.rows, ["backbone", "origin", "what", "status"])
        return
    facts: dict[str, Any] = to_document(found)
    difference = found.max_abs_difference_to_torch
    facts["max_abs_difference_to_torch"] = "" if difference is None else f"{difference:.1e}"
    screen.facts(facts, title="Converted")


VERB = Verb(
    Settings,
    work,
    show,
    document=OneOf("converted", "rows"),
    home=without,
)
