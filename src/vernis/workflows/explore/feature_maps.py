"""What the channels of a network look for: where they fire in a picture and in the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
from vernis.domain.ports import (
    Backbone,
    Catalog,
    Engine,
    PictureReader,
    Pixels,
    Progress,
    silent,
)
from vernis.domain.types import ImageRecord
from vernis.workflows.embed import ReadPicture, embed_images
from vernis.workflows.training_data import duplicate_codes, layer_slices

Fitted = Callable[[Pixels], Pixels]
"""From a picture to the square that the network is shown, at a higher resolution."""


@dataclass(frozen=True, slots=True)
class FeatureLooker:
    """What the views are made with.

    Attributes
    ----------
    backbone : Backbone
    reader : PictureReader
        The strongest activation of each channel of ``layers``, in their order.
    layers : sequence of str
    fitted : callable
        The square that the network is shown.
    patch_share : mapping of str to float
        Side of a layer's patches as a share of the square's.
    """

    backbone: Backbone
    reader: PictureReader
    layers: Sequence[str]
    fitted: Fitted
    patch_share: Mapping[str, float]


def measure_peaks(
    catalog: Catalog,
    looker: FeatureLooker,
    *,
    read_picture: ReadPicture,
    engine: Engine,
    sample: int,
    seed: int,
    progress: Progress = silent,
) -> tuple[list[ImageRecord], NDArray[np.float32]]:
    """Return the images looked at and their channels' peaks, shape (n_images, n_channels).

    The peaks are stored in the collection, so that another question is answered at once.

    Parameters
    ----------
    catalog : Catalog
    looker : FeatureLooker
    read_picture, engine
        For the pictures whose peaks are not stored yet.
    sample : int
        Images to look at, drawn at random; 0 means all.
    seed : int
    progress : Progress
    """
    images = catalog.images.all()
    if 0 < sample < len(images):
        # By a fixed order: a larger sample holds the smaller one, so stored peaks are of use.
        order = np.random.default_rng(seed).permutation(len(images))[:sample]
        images = [images[i] for i in np.sort(order)]
    space = looker.reader.space
    if catalog.vectors.missing(space, [image.content_hash for image in images]):
        embed_images(
            catalog,
            [looker.reader],
            read_picture=read_picture,
            engine=engine,
            progress=progress,
            images=images,
        )
    missing = set(catalog.vectors.missing(space, [image.content_hash for image in images]))
    images = [image for image in images if image.content_hash not in missing]
    if len(images) < 2:
        raise UsageError("feature maps compare channels over a collection: index more pictures")
    peaks = catalog.vectors.read(space, [image.content_hash for image in images])
    return images, np.asarray(peaks, np.float32)


def view_channels(
    catalog: Catalog,
    looker: FeatureLooker,
    pixels: Pixels,
    wanted: Mapping[str, Sequence[int] | int],
    images: Sequence[ImageRecord],
    peaks: NDArray[np.float32],
    *,
    read_picture: ReadPicture,
    n_patches: int = 8,
    progress: Progress = silent,
) -> list[ChannelView]:
    """Return what chosen channels see in a picture and in the collection.

    Parameters
    ----------
    catalog : Catalog
    looker : FeatureLooker
    pixels : Pixels
        The picture that is asked about.
    wanted : mapping
        Layer → the channels to view, or how many of those that stand out most.
    images, peaks
        Of ``measure_peaks``.
    read_picture : callable
    n_patches : int
        Images of the collection to show for each channel; of duplicates one alone.
    progress : Progress

    Raises
    ------
    NotFound
        A layer has no channel of that number.
    """
    groups = duplicate_codes(catalog, np.array([image.id for image in images], np.int64))
    slices = dict(zip(looker.layers, layer_slices(looker.reader.space), strict=True))
    views: list[ChannelView] = []
    for layer, channels in wanted.items():
        start, stop = slices[layer]
        maps = looker.backbone.feature_map(pixels, layer)
        own = maps.reshape(len(maps), -1).max(axis=1)
        deviations = standing_out(own, peaks[:, start:stop])
        chosen = _choose_channels(layer, channels, deviations)
        for channel in chosen:
            progress("look at channels", len(views), None, f"{layer} {channel}")
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
    looker: FeatureLooker,
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
