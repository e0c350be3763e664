"""Boxes of photographs that a camera stored lying on their side.

Vernis counts in pixels of the upright picture. Most tools do not say whether they applied the EXIF
orientation; where they write the size of the picture, a picture on its side gives them away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vernis.domain.exchange import ExchangeImage, ExchangeRegion, ExchangeSet
from vernis.domain.regions import inverse_orientation, turned_size


def turn_upright(
    exchange: ExchangeSet,
    upright: Mapping[str, tuple[int, int]],
    orientations: Mapping[str, int],
) -> ExchangeSet:
    """Return a set whose regions are all of the upright pictures, with notes of what was done.

    An image is turned where the file gives it the size of the stored picture and not that of the
    upright one. Mirrored, half-turned and square pictures do not tell; they stay and are counted.

    Parameters
    ----------
    exchange : ExchangeSet
    upright : mapping of str to (int, int)
        uri → size of the upright picture, as the collection knows it.
    orientations : mapping of str to int
        uri → EXIF orientation, of those that have another one than 1.
    """
    turned = masks = doubtful = other = 0
    images: list[ExchangeImage] = []
    for image in exchange.images:
        orientation = orientations.get(image.uri, 1)
        known = upright.get(image.uri, image.size)
        if not image.regions or not all(known):
            images.append(image)
            continue
        size = image.regions[0].region.picture
        stored = turned_size(orientation, known)
        if size == stored != known:
            turned += 1
            masks += sum(found.region.shape == "mask" for found in image.regions)
            regions = tuple(
                ExchangeRegion(found.region.turned(orientation), found.labels)
                for found in image.regions
            )
            image = replace(image, size=known, regions=regions)
        elif size != known:
            other += 1
        elif orientation != 1 and stored == known:
            doubtful += 1
        images.append(image)
    lines = (
        (turned, "images were labelled on their side; their boxes were turned upright"),
        (masks, "masks of such images became their boxes"),
        (doubtful, "images are mirrored or turned and do not tell whether their boxes are too"),
        (other, "images are of another size than the picture in the collection"),
    )
    notes = (f"{count:,} {text}" for count, text in lines if count)
    return replace(exchange, images=tuple(images), notes=(*exchange.notes, *notes))


def turn_as_stored(exchange: ExchangeSet, orientations: Mapping[str, int]) -> ExchangeSet:
    """Return a set whose regions are of the pictures as they are stored.

    For tools that do not apply the EXIF orientation; inverts ``turn_upright``.
    """
    images = []
    for image in exchange.images:
        orientation = orientations.get(image.uri, 1)
        if orientation != 1:
            back = inverse_orientation(orientation)
            regions = tuple(
                ExchangeRegion(found.region.turned(back), found.labels) for found in image.regions
            )
            size = turned_size(orientation, image.size)
            image = replace(image, size=size, regions=regions)
        images.append(image)
    return replace(exchange, images=tuple(images))
