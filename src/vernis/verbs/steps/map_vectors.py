"""Maps of a network as vectors, for models that convolve: computed where they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.domain.errors import UsageError
from vernis.verbs.networks.embedding import embed_images

if TYPE_CHECKING:
    from vernis.domain.types import Space
    from vernis.session.session import Session

_MOST_BYTES = 8e9
"""Maps that are held in memory at once, as float32."""


def map_vectors(session: Session, name: str) -> tuple[Space, tuple[int, int, int]]:
    """Compute the missing maps; return their space and their channels, height and width.

    Parameters
    ----------
    session : Session
    name : str
        ``BACKBONE`` or ``BACKBONE:LAYER``; "": the last map of the shipped network.

    Raises
    ------
    NotFound, UsageError
        There is no such network or layer, it is no map, or the maps are more than fit into memory.
    StorageError
        The disk has no room for them.
    """
    networks = session.networks
    reader, shape = networks.open_whole_map(networks.read_choice(name or "efficientnet_lite0"))
    space, images = reader.space, len(session.images())
    if 4 * space.dim * images > _MOST_BYTES:
        raise UsageError(
            f"maps of {images:,} images take {4e-9 * space.dim * images:,.0f} GB of memory; read a "
            "smaller map (--maps BACKBONE:LAYER, see: vernis layers), or learn pooled vectors"
        )
    session.require_room(space)
    embed_images(session, [reader], task="maps")
    return space, shape
