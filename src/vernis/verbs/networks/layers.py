"""``vernis layers``: list what can be read out of a network."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.session.networks import LayerRow
from vernis.verbs.declare import OneOf, Option, Screen, Verb, rows_shown, without
from vernis.verbs.networks.backbone_options import BACKBONE, DEFAULT, BackboneOptions, choose

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BackboneOptions):
    """Of which network, and which layers."""

    backbone: Annotated[str, BACKBONE] = DEFAULT
    _: KW_ONLY
    kind: Annotated[Literal["map", "tokens", "vector"] | None, Option("only layers of a kind")] = (
        None
    )
    like: Annotated[str | None, Option("only layers whose name holds this")] = None
    limit: Annotated[int | None, rows_shown(40)] = None


@dataclass(frozen=True, slots=True)
class Result:
    """The layers, in the order of the graph."""

    rows: tuple[LayerRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the tensors that can be read out of a network, in the order of the graph."""
    rows = session.networks.layers(choose(session, settings, settings.backbone))
    return Result(
        tuple(
            row
            for row in rows
            if settings.kind in (None, row.kind) and (settings.like or "") in row.layer
        )
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a layer; the last ones first, as they are mostly read."""
    rows = [
        {
            "layer": row.layer,
            "kind": row.kind,
            "shape": " x ".join(map(str, row.shape)),
            "pooled": row.pooled,
            "flat": row.flat,
        }
        for row in reversed(result.rows)
    ]
    screen.table(rows, ["layer", "kind", "shape", "pooled", "flat"], limit=settings.limit)


VERB = Verb(Settings, work, show, document=OneOf("rows"), home=without)
