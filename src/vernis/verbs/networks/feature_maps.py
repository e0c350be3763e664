"""``vernis feature-maps``: what the channels of a network look for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import NotFound, UsageError
from vernis.domain.ports import Pixels
from vernis.report.explore.feature_maps import draw_channels, draw_one_channel
from vernis.report.wording import counted
from vernis.verbs.declare import SEED, Option, Screen, Verb, count
from vernis.verbs.networks.backbone_options import BACKBONE, DEFAULT, BackboneOptions, choose
from vernis.verbs.networks.channel_views import measure_peaks, view_channels

if TYPE_CHECKING:
    from vernis.core.explore.feature_maps import ChannelView
    from vernis.session.networks import ChannelLooker
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BackboneOptions):
    """Which picture and which channels."""

    image: Annotated[
        str,
        Option(
            "path or id of an image of the collection, or a picture file",
            requests=r"[0-9]+",  # a path may be one of the disk
        ),
    ]
    _: KW_ONLY
    layer: Annotated[str, Option("a map, or all: one row a stage")] = "all"
    channel: Annotated[
        int | None, count("one channel, with whole pictures; needs --layer", "C", 0)
    ] = None
    strongest: Annotated[int, count("channels to show")] = 6
    sample: Annotated[int, count("images of the collection to look at; 0: all", "N", 0)] = 1000
    seed: Annotated[int, SEED] = 0
    out: Annotated[Path | str, Option("the figure")] = "feature-maps.png"
    backbone: Annotated[str, BACKBONE] = f"{DEFAULT}@fp32"


@dataclass(frozen=True, slots=True)
class PatchRow:
    """Where an image of the collection excites a channel."""

    image: Annotated[str, "path"]
    peak: Annotated[float, "activation"]
    x: Annotated[float, "of its centre, share of the width"]
    y: Annotated[float, "of its centre, share of the height"]


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """What a channel sees."""

    layer: str
    channel: int
    peak: Annotated[float, "its activation in the picture"]
    deviation: Annotated[float, "how far above its usual peak, standard deviations"]
    patch_side: Annotated[int, "side of what it sees, per cent of the picture's"]
    excited_by: Annotated[tuple[PatchRow, ...], "images that excite it most"]


@dataclass(frozen=True, slots=True)
class Result:
    """What channels of a network see in a picture and in the collection."""

    image: str
    backbone: str
    looked_at: Annotated[int, "images of the collection"]
    images: Annotated[int, "images in all"]
    channels: tuple[ChannelRow, ...]
    figure: Annotated[str, "path"]


def work(session: Session, settings: Settings) -> Result:
    """Show what channels of a network see in a picture and in the collection; draws a figure.

    Raises
    ------
    UsageError
        The layer is no map, or a channel is asked for without one.
    NotFound
        There is no such image, layer or channel.
    """
    layer, channel = settings.layer, settings.channel
    if layer == "all" and channel is not None:
        raise UsageError("--channel needs one layer: --layer NAME")
    looker = session.networks.look(choose(session, settings, settings.backbone), layer)
    pixels = _any_picture(session, settings.image)
    with session.lock("feature-maps"):
        images, peaks = measure_peaks(session, looker, sample=settings.sample, seed=settings.seed)
    wanted: dict[str, Sequence[int] | int] = dict.fromkeys(looker.layers, 1)
    if layer != "all":
        wanted = {layer: settings.strongest if channel is None else [channel]}
    n_patches = 8 if channel is None else 12
    views = view_channels(session, looker, pixels, wanted, images, peaks, n_patches=n_patches)
    total = len(session.images())
    figure = _draw(looker, pixels, views, settings, _reach(len(images), total))
    return Result(
        image=settings.image,
        backbone=looker.backbone.name,
        looked_at=len(images),
        images=total,
        channels=tuple(map(_row, views)),
        figure=str(figure),
    )


def _any_picture(session: Session, image: str) -> Pixels:
    try:
        return session.files.pictures()(session.catalog.images.find(image))
    except NotFound:
        if not Path(image).is_file():
            raise
    return session.files.decode(Path(image))


def _reach(looked_at: int, total: int) -> str:
    drawn = ", drawn at random. " if looked_at < total else ". "
    return (
        f"Patches: of {looked_at:,} of the {total:,} images{drawn}Numbers are activations; σ says "
        "how far the peak lies above the channel's usual one."
    )


def _draw(
    looker: ChannelLooker,
    pixels: Pixels,
    views: Sequence[ChannelView],
    settings: Settings,
    note: str,
) -> Path:
    square, out = looker.fitted(pixels), Path(settings.out)
    if settings.channel is not None:
        title = f"Channel {settings.channel} of {views[0].layer}"
        return draw_one_channel(square, views[0], title, note, out)
    title = f"What the network sees in {Path(settings.image).name}"
    return draw_channels(square, views, title, note, out)


def _row(view: ChannelView) -> ChannelRow:
    return ChannelRow(
        layer=view.layer,
        channel=view.channel,
        peak=view.peak,
        deviation=round(view.deviation, 2),
        patch_side=view.side,
        excited_by=tuple(
            PatchRow(
                patch.image.uri, patch.peak, round(patch.place[0], 3), round(patch.place[1], 3)
            )
            for patch in view.patches
        ),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row a channel."""
    rows = [
        {
            "layer": row.layer,
            "channel": row.channel,
            "peak": row.peak,
            "deviation": row.deviation,
            "excited_by": [patch.image for patch in row.excited_by[:2]],
        }
        for row in result.channels
    ]
    of_all = f"{result.looked_at:,} of {counted(result.images, 'image')}"
    title = f"{result.backbone}, {of_all} looked at"
    screen.table(rows, ["layer", "channel", "peak", "deviation", "excited_by"], title=title)
    screen.line(f"Figure: {result.figure}")


VERB = Verb(Settings, work, show)
