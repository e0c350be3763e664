"""``vernis backbones``: list the networks there are, time the shipped one, or convert one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.session.networks import BackboneRow, Conversion, TimedWay
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, count, without

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which network is converted, or whether the shipped one is timed; nothing: all are listed."""

    _: KW_ONLY
    measure: Annotated[
        bool, Option("time the shipped network on this machine, by arithmetic and runtime")
    ] = False
    get: Annotated[
        str | None, Option("convert a model of the timm collection for use: timm:MODEL")
    ] = None
    weights: Annotated[Path | str | None, Option("with --get: its weights, from a file")] = None
    side: Annotated[int | None, count("with --get: side of its input, pixels")] = None
    download: Annotated[bool, Option("weights may be fetched from huggingface.co")] = False


@dataclass(frozen=True, slots=True)
class Result:
    """The networks there are, how fast the shipped one is here, or what was converted."""

    rows: tuple[BackboneRow, ...]
    converted: Conversion | None = None
    measured: tuple[TimedWay, ...] | None = None


def work(session: Session, settings: Settings) -> Result:
    """List the networks, time one, or convert one and say how near to torch its output is."""
    if settings.get is None:
        if settings.weights is not None:
            raise UsageError("--weights is for --get timm:MODEL")
        if settings.measure:
            return Result((), measured=session.networks.timed_ways())
        return Result(session.networks.rows())
    if settings.measure:
        raise UsageError("--measure times the shipped network alone: leave --get out")
    weights = None if settings.weights is None else Path(settings.weights)
    converted = session.networks.convert(
        settings.get, side=settings.side, weights=weights, download=settings.download
    )
    return Result((), converted)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a network or a way to run it, or the facts of the conversion."""
    if result.measured is not None:
        _show_measured(result.measured, screen)
        return
    found = result.converted
    if found is None:
        screen.table(result.rows, ["backbone", "origin", "what", "status"])
        return
    facts: dict[str, Any] = to_document(found)
    difference = found.max_abs_difference_to_torch
    facts["max_abs_difference_to_torch"] = "" if difference is None else f"{difference:.1e}"
    screen.facts(facts, title="Converted")


def _show_measured(ways: Sequence[TimedWay], screen: Screen) -> None:
    columns = ["arithmetic", "runtime", "milliseconds", "cosine", "chosen"]
    screen.table(ways, columns, title="One picture on one core")
    chosen = next(way for way in ways if way.chosen)
    if chosen is ways[0]:
        screen.line("The default is the quickest here, or within a tenth of it.")
        return
    share = chosen.milliseconds / ways[0].milliseconds
    runtime = "" if chosen.runtime == ways[0].runtime else f" --runtime {chosen.runtime}"
    screen.line(
        f"{chosen.arithmetic} on {chosen.runtime} takes {share:.0%} of the default's time here: "
        f"vernis embed --arithmetic {chosen.arithmetic}{runtime}, before anything is embedded."
    )


VERB = Verb(
    Settings,
    work,
    show,
    document=OneOf("converted", "measured", "rows"),
    home=without,
)
