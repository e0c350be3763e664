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
                f"the space {space.name!r} holds vectors of {_recipe(known, space)}, not of "
                f"{_recipe(space, known)}; choose another name: --space NAME"
            )


def _recipe(space: Space, other: Space) -> str:
    """Describe how the vectors of a space are made: in short, and in what tells it from another."""
    settings = space.settings
    layers = "+".join(str(name) for name, _ in settings.get("layers", []))
    digest = str(settings.get("sha256", ""))[:8]
    own, others = _further(space), _further(other)
    apart = [
        f"{name} {own.get(name, 'none')}"
        for name in dict.fromkeys([*own, *others])
        if own.get(name) != others.get(name)
    ]
    parts = [settings.get("pooling", "?"), f"model {digest}", *apart]
    return f"{layers or '?'} ({', '.join(map(str, parts))})"


def _further(space: Space) -> dict[str, str]:
    """Return as text what belongs to the recipe beside layers, pooling and model."""
    told = ("layers", "pooling", "sha256", "input")
    rest = {name: value for name, value in space.settings.items() if name not in told}
    scaling = space.settings.get("input") or {}
    further = {"runtime": "onnxruntime", **rest, **scaling}
    further |= {"dimensions": space.dim, "numbers": space.dtype}
    return {name: _plain(value) for name, value in further.items()}


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_plain, value))
    return str(value)
