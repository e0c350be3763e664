"""What the channels of a network look for: where they fire in a picture and in the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.feature_maps import (
    ChannelView,
    Patch,
    crop_around,
    peak_place,
    standing_out,
    strongest_images,
)
from vernis.domain.errors import NotFound, UnreadableImage, UsageError
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord
from vernis.session.files import ReadPicture
from vernis.session.networks import ChannelLooker
from vernis.session.vectors import layer_slices
from vernis.verbs.networks.embedding import embed_images

if TYPE_CHECKING:
    from vernis.session.session import Session


def measure_peaks(
    session: Session, looker: ChannelLooker, *, sample: int, seed: int
) -> tuple[list[ImageRecord], NDArray[np.float32]]:
    """Return the images looked at and their channels' peaks, shape (n_images, n_channels).

    The peaks are stored in the collection, so that another question is answered at once.

    Parameters
    ----------
    session : Session
    looker : ChannelLooker
    sample : int
        Images to look at, drawn at random; 0 means all.
    seed : int
    """
    images, catalog = list(session.images()), session.catalog
    if 0 < sample < len(images):
        # By a fixed order: a larger sample holds the smaller one, so stored peaks are of use.
        order = np.random.default_rng(seed).permutation(len(images))[:sample]
        images = [images[i] for i in np.sort(order)]
    space = looker.reader.space
    if catalog.vectors.missing(space, [image.content_hash for image in images]):
        embed_images(session, [looker.reader], images=images)
    missing = set(catalog.vectors.missing(space, [image.content_hash for image in images]))
    images = [image for image in images if image.content_hash not in missing]
    if len(images) < 2:
        raise UsageError("feature maps compare channels over a collection: index more pictures")
    peaks = catalog.vectors.read(space, [image.content_hash for image in images])
    return images, np.asarray(peaks, np.float32)


def view_channels(
    session: Session,
    looker: ChannelLooker,
    pixels: Pixels,
    wanted: Mapping[str, Sequence[int] | int],
    images: Sequence[ImageRecord],
    peaks: NDArray[np.float32],
    *,
    n_patches: int = 8,
) -> list[ChannelView]:
    """Return what chosen channels see in a picture and in the collection.

    Parameters
    ----------
    session : Session
    looker : ChannelLooker
    pixels : Pixels
        The picture that is asked about.
    wanted : mapping
        Layer → the channels to view, or how many of those that stand out most.
    images, peaks
        Of ``measure_peaks``.
    n_patches : int
        Images of the collection to show for each channel; of duplicates one alone.

    Raises
    ------
    NotFound
        A layer has no channel of that number.
    """
    groups = session.duplicate_codes(np.array([image.id for image in images], np.int64))
    read_picture = session.files.pictures()
    slices = dict(zip(looker.layers, layer_slices(looker.reader.space), strict=True))
    views: list[ChannelView] = []
    for layer, channels in wanted.items():
        start, stop = slices[layer]
        maps = looker.backbone.feature_map(pixels, layer)
        own = maps.reshape(len(maps), -1).max(axis=1)
        deviations = standing_out(own, peaks[:, start:stop])
        chosen = _choose_channels(layer, channels, deviations)
        for channel in chosen:
            session.progress("look at channels", len(views), None, f"{layer} {channel}")
            rows = strongest_images(peaks[:, start + channel], groups, n_patches)
            found = [images[row] for row in rows]
            views.append(
                ChannelView(
                    layer=layer,
                    channel=channel,
                    peak=float(own[channel]),
                    deviation=float(deviations[channel]),
                    heat=np.asarray(maps[channel], np.float32),
                    side=round(100 * looker.patch_share[layer]),
                    patches=tuple(_patches(looker, layer, channel, found, read_picture)),
                )
            )
    return views


def _choose_channels(
    layer: str, channels: Sequence[int] | int, deviations: NDArray[np.float64]
) -> list[int]:
    if isinstance(channels, int):
        return [int(c) for c in np.argsort(-deviations, kind="stable")[:channels]]
    for channel in channels:
        if not 0 <= channel < len(deviations):
            raise NotFound(f"{layer} has no channel {channel}; it has 0 to {len(deviations) - 1}")
    return list(channels)


def _patches(
    looker: ChannelLooker,
    layer: str,
    channel: int,
    images: Sequence[ImageRecord],
    read_picture: ReadPicture,
) -> list[Patch]:
    patches = []
    for image in images:
        try:
            pixels = read_picture(image)
        except (UnreadableImage, OSError):
            continue  # it vanished since its peaks were measured
        heat = looker.backbone.feature_map(pixels, layer)[channel]
        square = looker.fitted(pixels)
        place = peak_place(heat)
        side = round(looker.patch_share[layer] * square.shape[0])
        patch = crop_around(square, place, side)
        patches.append(Patch(image, float(heat.max()), place, square, patch, heat))
    return patches
