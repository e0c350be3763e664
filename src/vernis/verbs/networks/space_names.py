"""The names of embedding spaces: one name stands for one recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vernis.domain.errors import UsageError
from vernis.domain.types import Space
from vernis.session.session import is_embedding

if TYPE_CHECKING:
    from vernis.session.session import Session


def refuse_taken_name(session: Session, space: Space) -> None:
    """Raise UsageError when the name of a space stands for something else in the collection."""
    if not is_embedding(space):
        raise UsageError(f"{space.name!r} is the name of something else; choose another --space")
    for known, _ in session.catalog.vectors.spaces():
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
