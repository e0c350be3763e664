"""``Networks``: the backbones, what they can read, and the readers that they open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.domain.types import Space
from vernis.session.vectors import parts_of

if TYPE_CHECKING:
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.backbones.onnx_backbone import OpenSession
    from vernis.adapters.backbones.patch_maps import PatchMapReader
    from vernis.adapters.backbones.related_names import RelatedNames
    from vernis.core.explore.picture_words import Classifier
    from vernis.core.words.noun_tree import NounTree
    from vernis.domain.encoders import TextEncoder
    from vernis.domain.ports import Backbone, PictureReader, Pixels


CHANNELS = "channels:"
"""Begins the names of spaces that hold the strongest activation of each channel, for
``feature-maps``; they need not cover the collection and are no embeddings."""

MAPS = "maps:"
"""Begins the names of spaces that hold whole maps, for models that convolve; nothing else reads
them."""

CLOSER = ("tiles", "avg+max")
"""Poolings of the spaces of `Networks.closer_looks`."""

SCORES = "scores:"
"""Begins the names of spaces that hold what a network trained on a taxonomy says of its classes;
labels went into them, so nothing but its own head reads them."""

HEAT_MAPS = "heat-maps:"
"""Begins the names of spaces that hold heat maps of images and labels; no embeddings either."""


@dataclass(frozen=True, slots=True)
class BackboneRow:
    """A network, and whether it can be used at once."""

    backbone: str
    origin: str
    what: str
    status: str


@dataclass(frozen=True, slots=True)
class TimedWay:
    """A way to run the shipped network on this machine, and what it takes."""

    arithmetic: str
    runtime: str
    milliseconds: Annotated[float, "processor time of a picture, median"]
    cosine: Annotated[float, "least, of its vectors to those of the default"]
    chosen: Annotated[bool, "whether embed --arithmetic auto takes it"]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A tensor that can be read out of a network."""

    layer: str
    kind: Annotated[str, "map, tokens, vector, other or unknown"]
    shape: tuple[int, ...]
    pooled: Annotated[int, "numbers when pooled"]
    flat: Annotated[int, "numbers in all"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A network that was converted for use."""

    backbone: str
    file: str
    megabytes: float
    sha256: str
    licence: str
    max_abs_difference_to_torch: Annotated[float | None, "of its output"]


@dataclass(frozen=True, slots=True)
class ChannelLooker:
    """What the channels of a network are looked at with.

    Attributes
    ----------
    backbone : Backbone
    reader : PictureReader
        The strongest activation of each channel of ``layers``, in their order.
    layers : sequence of str
    fitted : callable
        From a picture to the square that the network is shown, at a higher resolution.
    patch_share : mapping of str to float
        Side of a layer's patches as a share of the square's.
    """

    backbone: Backbone
    reader: PictureReader
    layers: Sequence[str]
    fitted: Callable[[Pixels], Pixels]
    patch_share: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class JoinedReader:
    """A PictureReader whose vectors are those of several readers side by side."""

    space: Space
    readers: tuple[PictureReader, ...]

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Open every reader for one worker."""
        measures = [reader.open() for reader in self.readers]
        return lambda pixels: np.concatenate([measure(pixels) for measure in measures])


R = TypeVar("R")


class Networks:
    """Opens networks by name; everything heavy is imported when it is asked for.

    Parameters
    ----------
    start : callable, optional
        Opens the sessions of readers on another device than the processor.
    """

    def __init__(self, start: OpenSession | None = None) -> None:
        self.start = start

    def on_device(self, reader: R) -> R:
        """Return a reader whose network runs on the device that was chosen, where it can."""
        from vernis.adapters.backbones.folded_input import open_folded
        from vernis.adapters.backbones.onnx_backbone import OnnxReader, open_session

        if self.start is None or not isinstance(reader, OnnxReader):
            return reader
        movable = reader.start in (open_session, open_folded)
        return replace(reader, start=self.start) if movable else reader

    def choose(self, **choice: Any) -> SpaceChoice:
        """Return what makes an embedding space: backbone, layer, pooling, arithmetic, name…"""
        from vernis.adapters.backbones.choice import SpaceChoice

        return SpaceChoice(**choice)

    def read_choice(self, text: str) -> SpaceChoice:
        """Read ``BACKBONE[:LAYER[:POOLING]]``; raises NotFound or UsageError."""
        from vernis.adapters.backbones.choice import parse_choice

        return parse_choice(text)

    def open_space(self, space: Space) -> PictureReader:
        """Return the reader that makes the vectors of an embedding space.

        Raises
        ------
        ModelError
            Its backbone is not on this machine, or another version of it.
        """
        from vernis.adapters.backbones.zoo import open_by_settings

        parts = parts_of(space)
        if len(parts) > 1:
            return JoinedReader(space, tuple(self.open_space(part) for part in parts))
        if space.settings.get("pooling") in CLOSER:
            return self._open_closer_look(space)
        try:
            backbone = open_by_settings(space.settings)
            layers = "+".join(str(name) for name, _ in space.settings["layers"])
            reader = backbone.reader(layers, str(space.settings["pooling"]))
        except (NotFound, ModelError, UsageError, KeyError) as error:
            raise ModelError(
                f"the vectors of {space.name!r} cannot be made here: {error}"
            ) from error
        reader = replace(reader, space=replace(reader.space, name=space.name))
        if reader.space == space:
            return self.on_device(reader)
        raise ModelError(
            f"the vectors of {space.name!r} were made by another version of the backbone; run "
            "vernis embed and learn again"
        )

    def open_scores(self, graph: bytes, taxonomy: str, n_classes: int) -> PictureReader:
        """Return the reader of the scores of a network that was trained on a taxonomy."""
        from vernis.adapters.backbones.trained_scores import open_scores

        return self.on_device(open_scores(graph, SCORES + taxonomy, n_classes))

    def closer_looks(self) -> list[PictureReader]:
        """Return what the shipped networks tell of parts of a picture, beside its embedding."""
        from vernis.adapters.backbones.tiles import SIDE, TileReader
        from vernis.adapters.backbones.zoo import open_backbone
        from vernis.adapters.detectors.nanodet import shipped_model
        from vernis.adapters.detectors.pooled_stages import StageReader

        return [TileReader(open_backbone(side=SIDE)), StageReader(shipped_model())]

    def _open_closer_look(self, space: Space) -> PictureReader:
        for reader in self.closer_looks():
            if reader.space == space:
                return reader
        raise ModelError(
            f"the vectors of {space.name!r} were made by another version of the network; run "
            "vernis embed --thorough and learn again"
        )

    def open_text_encoder(self, file: Path | str) -> TextEncoder:
        """Return the text tower of an ``.onnx`` file or of a folder that holds one."""
        from vernis.adapters.text_tower import open_text_encoder

        return open_text_encoder(file)

    def classifier(self, space: Space) -> Classifier | None:
        """Return what reads the shipped network's classes in the vectors of a space, or None."""
        from vernis.adapters.backbones.classifier import classifier_of

        return classifier_of(space)

    def nouns(self) -> NounTree:
        """Return the nouns by which these classes are searched."""
        from vernis.adapters.backbones.classifier import imagenet_nouns

        return imagenet_nouns()

    def related_names(self) -> RelatedNames | None:
        """Return what compares words with the names of the classes; None without its extra."""
        from vernis.adapters.backbones.related_names import find_related_names

        return find_related_names()

    def rows(self) -> tuple[BackboneRow, ...]:
        """Return the networks there are."""
        from vernis.adapters.backbones.listing import backbone_rows

        return tuple(BackboneRow(**row) for row in backbone_rows())

    def timed_ways(self) -> tuple[TimedWay, ...]:
        """Measure arithmetics and runtimes of the shipped network here, the default first."""
        from vernis.adapters.backbones.timing import choose_way, time_ways

        timed = time_ways()
        chosen = choose_way(timed)
        return tuple(
            TimedWay(*way, round(spent, 2), round(cosine, 4), way == chosen)
            for way, spent, cosine in timed
        )

    def way_of(self, space: Space | None) -> tuple[str, str]:
        """Return arithmetic and runtime for new vectors: those of the space, else the quickest.

        Vectors of two ways cannot be compared, so a collection stays with the one it began with,
        whatever machine it is on.
        """
        from vernis.adapters.backbones.zoo import shipped_arithmetic

        arithmetic = None if space is None else shipped_arithmetic(space.settings)
        if space is not None and arithmetic is not None:
            return arithmetic, str(space.settings.get("runtime", "onnxruntime"))
        return next((way.arithmetic, way.runtime) for way in self.timed_ways() if way.chosen)

    def layers(self, choice: SpaceChoice) -> tuple[LayerRow, ...]:
        """Return the tensors that can be read out of a network, in the order of the graph."""
        from vernis.adapters.backbones.listing import layer_rows

        return tuple(
            LayerRow(**{**row, "shape": tuple(row["shape"])}) for row in layer_rows(choice.open())
        )

    def convert(
        self, name: str, *, side: int | None, weights: Path | None, download: bool
    ) -> Conversion:
        """Convert a timm model (``timm:MODEL`` or a preset) for use.

        Parameters
        ----------
        name : str
        side : int or None
            Height and width of its input. None: the one it was trained with.
        weights : Path or None
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
        if weights is not None and not weights.is_file():
            raise NotFound(f"{weights}: no such file of weights")
        model = name.removeprefix(TIMM)
        path = prepare_timm(model, side=side, download=download, weights=weights)
        record = conversion_record(path)
        return Conversion(
            backbone=name,
            file=str(path),
            megabytes=round(path.stat().st_size / 1e6, 1),
            sha256=record.get("sha256", ""),
            licence=record.get("licence", ""),
            max_abs_difference_to_torch=record.get("max_abs_difference_to_torch"),
        )

    def open_patch_maps(
        self, choice: SpaceChoice, side: int, *, last: bool = False
    ) -> PatchMapReader:
        """Return what reads the maps of a network that show where things are.

        Parameters
        ----------
        choice : SpaceChoice
            Its layer names the maps, joined by ``+``.
        side : int
            Pictures are shown with about ``side²`` pixels.
        last : bool
            Where no layer is named: the last map alone.
        """
        from vernis.adapters.backbones.patch_maps import open_patch_maps

        layers = [part.strip() for part in (choice.layer or "").split("+") if part.strip()]
        return open_patch_maps(choice.open(), layers, side, last=last)

    def open_whole_map(self, choice: SpaceChoice) -> tuple[PictureReader, tuple[int, int, int]]:
        """Return the reader of a map as it is, and its channels, height and width.

        Parameters
        ----------
        choice : SpaceChoice
            Its layer; None: the last map of the network.

        Raises
        ------
        NotFound
            The network has no such layer.
        UsageError
            The layer is no map, or the network has none.
        """
        from vernis.adapters.backbones.receptive_fields import main_maps

        backbone = choice.open()
        layers = [choice.layer] if choice.layer else main_maps(backbone)[-1:]
        if not layers:
            raise UsageError(f"{backbone.name} has no maps; see: vernis layers")
        reader = backbone.reader(layers[0], "flatten")
        shape = backbone.layers.get(layers[0], ())
        if len(shape) != 3:
            raise UsageError(f"{layers[0]!r} is no map of channels; see: vernis layers --kind map")
        space = replace(reader.space, name=MAPS + reader.space.name)
        return replace(reader, space=space), (shape[0], shape[1], shape[2])

    def look(self, choice: SpaceChoice, layer: str) -> ChannelLooker:
        """Return what looks at the channels of a map, or of all main maps of a network.

        Raises
        ------
        UsageError
            The layer is no map, or the network has none.
        """
        from vernis.adapters.backbones.inputs import fit_picture
        from vernis.adapters.backbones.receptive_fields import main_maps, patch_shares

        backbone = choice.open()
        layers = main_maps(backbone)
        if layer == "all" and not layers:
            raise UsageError(f"{backbone.name} has no maps to look at; see: vernis layers")
        if layer != "all" and layer not in layers:
            backbone.reader(layer, "max")  # refuses an unknown name
            if len(backbone.layers[layer]) not in (0, 3):
                raise UsageError(
                    f"{layer!r} is no map of channels; see: vernis layers BACKBONE --kind map"
                )
        if layer != "all":
            layers = [layer]
        reader = backbone.reader("+".join(layers), "max")
        reader = replace(reader, space=replace(reader.space, name=CHANNELS + reader.space.name))
        side, fit = 2 * backbone.spec.side, backbone.spec.fit
        return ChannelLooker(
            backbone=backbone,
            reader=reader,
            layers=layers,
            fitted=lambda pixels: fit_picture(pixels, side, fit),
            patch_share=patch_shares(backbone, layers),
        )
