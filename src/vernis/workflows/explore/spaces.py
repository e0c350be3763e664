"""The embedding spaces that live side by side in a collection."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import Space

CHANNELS = "channels:"
"""Begins the names of spaces that hold the strongest activation of each channel, for
``feature-maps``; they need not cover the collection and are no embeddings."""


def is_embedding(space: Space, measures: Container[str]) -> bool:
    """Tell an embedding space from measures of the pictures and from channels' maxima."""
    return space.name not in measures and not space.name.startswith(CHANNELS)


def space_rows(catalog: Catalog, current: str, measures: Container[str]) -> list[dict[str, Any]]:
    """Return one row an embedding space: name, vectors, dim, layers, pooling, side, current."""
    rows = []
    for space, count in catalog.vectors.spaces():
        if not is_embedding(space, measures):
            continue
        settings = space.settings
        rows.append(
            {
                "space": space.name,
                "vectors": count,
                "dim": space.dim,
                "layers": "+".join(str(name) for name, _ in settings.get("layers", [])),
                "pooling": settings.get("pooling", ""),
                "side": settings.get("side", 0),
                "runtime": settings.get("runtime", "onnxruntime"),
                "current": space.name == current,
            }
        )
    return rows


def refuse_taken_name(catalog: Catalog, space: Space, measures: Container[str]) -> None:
    """Raise UsageError when the name of a space stands for something else in the collection."""
    if not is_embedding(space, measures):
        raise UsageError(f"{space.name!r} is the name of something else; choose another --space")
    for known, _ in catalog.vectors.spaces():
        if known.name == space.name and known != space:
            raise UsageError(
                f"the space {space.name!r} holds vectors of {_recipe(known)}, not of "
                f"{_recipe(space)}; choose another name: --space NAME"
            )


def _recipe(space: Space) -> str:
    settings = space.settings
    layers = "+".join(str(name) for name, _ in settings.get("layers", []))
    digest = str(settings.get("sha256", ""))[:8]
    return f"{layers or '?'} ({settings.get('pooling', '?')}, model {digest})"
