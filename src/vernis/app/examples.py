"""Examples that a search is by: images, parts of images, and pictures that were sent for it."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.app.serving import decode_picture
from vernis.core.explore.regions import Region
from vernis.domain.errors import InvalidValue, NotFound, UnreadableImage
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.session.session import Session
    from vernis.verbs.see.vector_search import Searcher

_KEPT = 256  # vectors of pictures that were sent, and of parts
SENT = "sent:"
"""So begins the name of a picture that was sent."""


@dataclass(frozen=True, slots=True)
class Example:
    """What an example names: an image, maybe a part of it, or a picture that was sent.

    ``12``, ``12@0.1,0.2,0.3,0.4`` (shares of its sides, or pixels), ``sent:TOKEN``.
    """

    image: int
    region: Region | None
    sent: str

    @classmethod
    def parse(cls, text: str) -> Example:
        """Read an example; raises InvalidValue, UsageError."""
        if text.startswith(SENT):
            return cls(0, None, text.removeprefix(SENT))
        number, _, part = text.partition("@")
        if not number.isdigit():
            raise InvalidValue(
                f"expected an image's id, ID@x,y,width,height or {SENT}TOKEN, got {text!r}"
            )
        return cls(int(number), Region.parse(part) if part else None, "")


class Examples:
    """Makes vectors of examples with the network of a space, which stays open.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], NDArray[Any]] = OrderedDict()
        self._open: tuple[str, Callable[[Pixels], NDArray[Any]]] | None = None

    def take(self, picture: bytes, searcher: Searcher) -> str:
        """Keep the vector of a picture that was sent; returns its name for a while.

        Raises
        ------
        UnreadableImage
            It is no picture that can be read.
        """
        pixels = decode_picture(picture, self._session.files.decoder())
        if isinstance(pixels, str):
            raise UnreadableImage("the picture that was sent", pixels)
        token = secrets.token_urlsafe(12)
        self._keep((searcher.space.name, token), self._embed(pixels, searcher))
        return SENT + token

    def vector(self, example: Example, searcher: Searcher) -> NDArray[Any]:
        """Return the vector of an example, shape (dim,).

        Raises
        ------
        NotFound
            There is no such image, it has no vector, or the picture that was sent is forgotten.
        UsageError
            A part lies outside its image.
        UnreadableImage
            The image of a part cannot be read.
        """
        if example.sent:
            with self._lock:
                found = self._known.get((searcher.space.name, example.sent))
            if found is None:
                raise NotFound("the picture that was sent is forgotten; send it again")
            return found
        (image,) = self._session.catalog.images.get([example.image])
        if example.region is not None:
            return self._part(image, example.region, searcher)
        stored = searcher.vector_of(image)
        if stored is None:
            raise NotFound(f"{image.uri} has no vector; make it: vernis embed")
        return np.asarray(stored, np.float32)

    def _part(self, image: ImageRecord, region: Region, searcher: Searcher) -> NDArray[Any]:
        key = (searcher.space.name, f"{image.content_hash} {region}")
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        pixels = self._session.files.pictures(full_size=True)(image)
        height, width = pixels.shape[:2]
        left, top, right, low = region.box(width, height, image.uri)
        part = np.ascontiguousarray(pixels[top:low, left:right])
        return self._keep(key, self._embed(part, searcher))

    def _embed(self, pixels: Pixels, searcher: Searcher) -> NDArray[Any]:
        with self._lock:
            if self._open is None or self._open[0] != searcher.space.name:
                read = self._session.networks.open_space(searcher.space).open()
                self._open = (searcher.space.name, read)
            return np.asarray(self._open[1](pixels), np.float32)

    def _keep(self, key: tuple[str, str], vector: NDArray[Any]) -> NDArray[Any]:
        with self._lock:
            self._known[key] = vector
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return vector
