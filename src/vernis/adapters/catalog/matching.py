"""Tell new, changed, moved and vanished images apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vernis.domain.types import FoundFile, ImageRecord

Fate = Literal["new", "changed", "moved", "unchanged"]


@dataclass(frozen=True, slots=True)
class Matches:
    """Which image each found file is.

    ``pairs`` holds ``(file, image or None, fate)`` in the order of the files; ``gone`` the images
    whose file is no longer there. An image that had vanished, or lay in the trash, and is back
    counts as moved.
    """

    pairs: list[tuple[FoundFile, ImageRecord | None, Fate]]
    gone: list[ImageRecord]


def match(found: Sequence[FoundFile], known: Sequence[ImageRecord], *, complete: bool) -> Matches:
    """Match found files with known images: content first, place second.

    Two pictures that swapped names are two moves, not two changes: an image's labels follow its
    content. ``complete`` tells that ``found`` is the whole collection, so that what is not in it
    is gone; otherwise an image is gone only when its place holds something else.
    """
    files = {file.uri: file for file in found}
    images: dict[str, ImageRecord | None] = {}
    fates: dict[str, Fate] = {}
    taken: set[int] = set()

    def settle(file: FoundFile, image: ImageRecord | None, fate: Fate) -> None:
        images[file.uri] = image
        fates[file.uri] = fate
        if image is not None:
            taken.add(image.id)

    # Present images first: of two images known at one place the one that still lies there wins.
    ordered = sorted(known, key=lambda image: (image.state not in _LIVE, image.id))
    for image in ordered:
        file = files.get(image.uri)
        if file is None or file.uri in images or file.content_hash != image.content_hash:
            continue
        settle(file, image, "unchanged" if image.state in _LIVE else "moved")

    free: dict[str, list[ImageRecord]] = defaultdict(list)
    for image in known:
        if image.id in taken or not image.content_hash or image.state == "trashed":
            continue
        if complete or image.state == "vanished" or image.uri in files:
            free[image.content_hash].append(image)
    waiting = [file for file in files.values() if file.uri not in images]
    for file in waiting:
        candidates = free.get(file.content_hash) if file.content_hash else None
        if candidates:
            name = _name(file.uri)
            best = min(candidates, key=lambda c: (_name(c.uri) != name, c.state not in _LIVE, c.id))
            candidates.remove(best)
            settle(file, best, "moved")

    places = {
        image.uri: image
        for image in reversed(ordered)
        if image.id not in taken and image.state != "trashed"
    }
    for file in waiting:
        if file.uri not in images:
            image_here = places.get(file.uri)
            settle(file, image_here, "new" if image_here is None else "changed")

    gone = [
        image
        for image in known
        if image.id not in taken and image.state in _LIVE and (complete or image.uri in files)
    ]
    return Matches([(file, images[uri], fates[uri]) for uri, file in files.items()], gone)


_LIVE = ("present", "unreadable")


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]
