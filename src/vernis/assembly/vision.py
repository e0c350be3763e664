"""Backbones and what they see: lists, comparisons of spaces, feature maps.

Joins the workflows about embedding spaces with the adapters that run networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.domain.ports import Catalog, Pixels, Progress, silent
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.core.explore.feature_maps import ChannelView
    from vernis.workflows.explore.compare_spaces import Candidate
    from vernis.workflows.explore.feature_maps import FeatureLooker


def backbone_rows() -> list[dict[str, Any]]:
    """Return one row a backbone: backbone, origin, what, status."""
    from vernis.adapters.backbones.listing import backbone_rows

    return backbone_rows()


def layer_rows(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a tensor that can be read out of a backbone, in the order of the graph.

    Parameters
    ----------
    choice : mapping
        Fields of ``SpaceChoice``.
    """
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.backbones.listing import layer_rows

    return layer_rows(SpaceChoice(**choice).open())


def get_backbone(
    name: str, *, side: int | None = None, weights: Path | str | None = None, download: bool = False
) -> dict[str, Any]:
    """Convert a timm model for use; returns where it lies and how near to torch its output is.

    Parameters
    ----------
    name : str
        ``timm:MODEL`` or a preset.
    side : int, optional
        Height and width of its input. None: the one it was trained with.
    weights : path, optional
        A file with its weights instead of those of its hub.
    download : bool
        The weights may be fetched.
    """
    from vernis.adapters.backbones.timm_models import conversion_record, prepare_timm
    from vernis.adapters.backbones.zoo import PRESETS, TIMM

    if name in PRESETS:
        side = side or PRESETS[name].side
        name = PRESETS[name].model
    if not name.startswith(TIMM):
        known = ", ".join(PRESETS)
        raise UsageError(f"expected timm:MODEL or one of {known} to convert, got {name!r}")
    file = Path(weights) if weights is not None else None
    if file is not None and not file.is_file():
        raise NotFound(f"{file}: no such file of weights")
    path = prepare_timm(name.removeprefix(TIMM), side=side, download=download, weights=file)
    record = conversion_record(path)
    return {
        "backbone": name,
        "file": str(path),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "sha256": record.get("sha256", ""),
        "licence": record.get("licence", ""),
        "max_abs_difference_to_torch": record.get("max_abs_difference_to_torch"),
    }


def compare_spaces(
    catalog: Catalog,
    names: Sequence[str],
    taxonomy: str,
    *,
    sample: int = 2000,
    seed: int = 0,
    out: Path | str = "spaces.png",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compare spaces of the collection, or ones embedded for it on a sample; draws a figure.

    Parameters
    ----------
    catalog : Catalog
    names : sequence of str
        Of stored spaces, or expressions ``BACKBONE[:LAYER[:POOLING]]``.
    taxonomy : str
    sample, seed : int
        Images to compare on, and what draws them.
    out : Path
        The figure.
    progress : Progress
    """
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.files import picture_reader
    from vernis.assembly.job import image_root
    from vernis.report.explore.spaces import draw_comparison
    from vernis.workflows.explore.compare_spaces import compare_spaces

    catalog.labels.taxonomy(taxonomy)
    found = compare_spaces(
        catalog,
        taxonomy,
        [_candidate(catalog, name) for name in names],
        read_picture=picture_reader(image_root(catalog)),
        engine=ThreadEngine(),
        sample=sample,
        seed=seed,
        progress=progress,
    )
    figure = draw_comparison(found.document, found.curves, Path(out))
    return {**found.document, "figure": str(figure)}


def _candidate(catalog: Catalog, name: str) -> Candidate:
    from vernis.adapters.backbones.choice import parse_choice
    from vernis.assembly.job import embedding_space
    from vernis.assembly.prediction import open_space
    from vernis.workflows.explore.compare_spaces import Candidate

    try:
        space = embedding_space(catalog, name)
    except (NotFound, UsageError) as unknown:
        try:
            reader = parse_choice(name).open_reader()
        except NotFound as error:
            raise NotFound(f"{error}; nor {unknown}") from error
        return Candidate(name, reader.space, stored=False, reader=reader)
    try:
        return Candidate(name, space, stored=True, reader=open_space(space))
    except ModelError:  # its vectors can still be judged, only not timed
        return Candidate(name, space, stored=True, reader=None)


def feature_maps(
    catalog: Catalog,
    image: str,
    *,
    layer: str = "all",
    channel: int | None = None,
    sample: int = 1000,
    channels: int = 6,
    seed: int = 0,
    out: Path | str = "feature-maps.png",
    progress: Progress = silent,
    **choice: Any,
) -> dict[str, Any]:
    """Show what channels of a network see in a picture and in the collection; draws a figure.

    Parameters
    ----------
    catalog : Catalog
    image : str
        Of the collection, by uri or id, or any picture file.
    layer : str
        A map of the network; "all": one row for each of its stages.
    channel : int, optional
        None: those that stand out most in the picture.
    sample : int
        Images of the collection to look at; 0: all.
    channels : int
        How many channels to show.
    seed : int
    out : Path
        The figure.
    progress : Progress
    **choice
        Fields of ``SpaceChoice`` that name the backbone.
    """
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.files import picture_reader
    from vernis.assembly.job import image_root
    from vernis.workflows.explore.feature_maps import measure_peaks, view_channels

    if layer == "all" and channel is not None:
        raise UsageError("--channel needs one layer: --layer NAME")
    looker = _looker(choice, layer)
    read_picture = picture_reader(image_root(catalog))
    pixels = _any_picture(catalog, image, read_picture)
    with catalog.lock("feature-maps"):
        images, peaks = measure_peaks(
            catalog,
            looker,
            read_picture=read_picture,
            engine=ThreadEngine(),
            sample=sample,
            seed=seed,
            progress=progress,
        )
    views = view_channels(
        catalog,
        looker,
        pixels,
        _wanted(looker, layer, channel, channels),
        images,
        peaks,
        read_picture=read_picture,
        n_patches=8 if channel is None else 12,
        progress=progress,
    )
    total = len(catalog.images.all())
    note = _reach(len(images), total)
    figure = _draw_views(looker.fitted(pixels), views, image, note, channel, Path(out))
    return {
        "image": image,
        "backbone": looker.backbone.name,
        "looked_at": len(images),
        "images": total,
        "channels": [view.document() for view in views],
        "figure": str(figure),
    }


def _wanted(
    looker: FeatureLooker, layer: str, channel: int | None, channels: int
) -> dict[str, Sequence[int] | int]:
    if layer == "all":
        return dict.fromkeys(looker.layers, 1)
    return {layer: channels if channel is None else [channel]}


def _reach(looked_at: int, total: int) -> str:
    drawn = ", drawn at random. " if looked_at < total else ". "
    return (
        f"Patches: of {looked_at:,} of the {total:,} images{drawn}Numbers are activations; σ says "
        "how far the peak lies above the channel's usual one."
    )


def _draw_views(
    square: Pixels,
    views: Sequence[ChannelView],
    image: str,
    note: str,
    channel: int | None,
    out: Path,
) -> Path:
    from vernis.report.explore.feature_maps import draw_channels, draw_one_channel

    name = Path(image).name
    if channel is not None:
        title = f"Channel {channel} of {views[0].layer}"
        return draw_one_channel(square, views[0], title, note, out)
    return draw_channels(square, views, f"What the network sees in {name}", note, out)


def _looker(choice: Mapping[str, Any], layer: str) -> FeatureLooker:
    from dataclasses import replace

    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.backbones.inputs import fit_picture
    from vernis.adapters.backbones.reception import main_maps, patch_shares
    from vernis.workflows.explore.feature_maps import FeatureLooker
    from vernis.workflows.explore.spaces import CHANNELS

    backbone = SpaceChoice(**choice).open()
    layers = main_maps(backbone)
    if layer == "all" and not layers:
        raise UsageError(f"{backbone.name} has no maps to look at; see: vernis layers")
    if layer != "all" and layer not in layers:
        reader = backbone.reader(layer, "max")  # refuses an unknown name
        if len(backbone.layers[layer]) not in (0, 3):
            raise UsageError(
                f"{layer!r} is no map of channels; see: vernis layers BACKBONE --kind map"
            )
        layers = [layer]
    reader = backbone.reader("+".join(layers), "max")
    reader = replace(reader, space=replace(reader.space, name=CHANNELS + reader.space.name))
    side, fit = 2 * backbone.spec.side, backbone.spec.fit
    return FeatureLooker(
        backbone=backbone,
        reader=reader,
        layers=layers,
        fitted=lambda pixels: fit_picture(pixels, side, fit),
        patch_share=patch_shares(backbone, layers),
    )


def _any_picture(
    catalog: Catalog, image: str, read_picture: Callable[[ImageRecord], Pixels]
) -> Pixels:
    from vernis.adapters.pixels import decode

    try:
        return read_picture(catalog.images.find(image))
    except NotFound:
        if not Path(image).is_file():
            raise
    return decode(Path(image))
