"""``vernis spaces``: list the embedding spaces."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.session.session import is_embedding
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which space becomes the current one."""

    _: KW_ONLY
    use: Annotated[str | None, Option("make the space of this name the one that is read")] = None


@dataclass(frozen=True, slots=True)
class SpaceRow:
    """An embedding space."""

    space: Annotated[str, "its name"]
    vectors: int
    dim: Annotated[int, "numbers of a vector"]
    layers: str
    pooling: str
    side: Annotated[int, "of the network's input, pixels"]
    runtime: str
    current: Annotated[bool, "whether verbs read it unless told otherwise"]


@dataclass(frozen=True, slots=True)
class Result:
    """The embedding spaces, the oldest first."""

    rows: tuple[SpaceRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the embedding spaces that live side by side; make one of them current first."""
    if settings.use is not None:
        with session.lock("spaces"):
            session.use_space(session.space(settings.use))
    current = session.current_space()
    if current is None:
        return Result(())
    return Result(
        tuple(
            SpaceRow(
                space=space.name,
                vectors=vectors,
                dim=space.dim,
                layers="+".join(str(name) for name, _ in space.settings.get("layers", [])),
                pooling=space.settings.get("pooling", ""),
                side=space.settings.get("side", 0),
                runtime=space.settings.get("runtime", "onnxruntime"),
                current=space.name == current.name,
            )
            for space, vectors in session.catalog.vectors.spaces()
            if is_embedding(space)
        )
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a space."""
    columns = ["space", "vectors", "dim", "layers", "pooling", "side", "current"]
    title = "" if result.rows else "No embeddings yet; make them: vernis embed"
    screen.table(result.rows, columns, title=title)


VERB = Verb(Settings, work, show, document=OneOf("rows"))
