"""Backbones and what they see: lists, comparisons of spaces, feature maps.

Joins the workflows about embedding spaces with the adapters that run networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vernis.domain.errors import NotFound, UsageError


def backbone_rows() -> list[dict[str, Any]]:
    """Return one row a backbone: backbone, origin, what, status."""
    from vernis.adapters.backbones.listing import backbone_rows

    return backbone_rows()


def layer_rows(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a tensor that can be read out of a backbone, in the order of the graph.

    Parameters
    ----------
    choice : mapping
        Fields of ``SpaceChoice``.
    """
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.backbones.listing import layer_rows

    return layer_rows(SpaceChoice(**choice).open())


def get_backbone(
    name: str, *, side: int | None = None, weights: Path | str | None = None, download: bool = False
) -> dict[str, Any]:
    """Convert a timm model for use; returns where it lies and how near to torch its output is.

    Parameters
    ----------
    name : str
        ``timm:MODEL`` or a preset.
    side : int, optional
        Height and width of its input. None: the one it was trained with.
    weights : path, optional
        A file with its weights instead of those of its hub.
    download : bool
        The weights may be fetched.
    """
    from vernis.adapters.backbones.timm_models import conversion_record, prepare_timm
    from vernis.adapters.backbones.zoo import PRESETS, TIMM

    if name in PRESETS:
        side = side or PRESETS[name].side
        name = PRESETS[name].model
    if not name.startswith(TIMM):
        known = ", ".join(PRESETS)
        raise UsageError(f"expected timm:MODEL or one of {known} to convert, got {name!r}")
    file = Path(weights) if weights is not None else None
    if file is not None and not file.is_file():
        raise NotFound(f"{file}: no such file of weights")
    path = prepare_timm(name.removeprefix(TIMM), side=side, download=download, weights=file)
    record = conversion_record(path)
    return {
        "backbone": name,
        "file": str(path),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "sha256": record.get("sha256", ""),
        "licence": record.get("licence", ""),
        "max_abs_difference_to_torch": record.get("max_abs_difference_to_torch"),
    }
