"""Which vectors are wanted: a backbone, a layer of it, a pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vernis.adapters.backbones.onnx_graph import POOLINGS
from vernis.adapters.backbones.zoo import DEFAULT_BACKBONE, TIMM, list_backbones, open_backbone
from vernis.domain.errors import UsageError

if TYPE_CHECKING:
    from vernis.adapters.backbones.onnx_backbone import OnnxBackbone, OnnxReader


@dataclass(frozen=True, slots=True)
class SpaceChoice:
    """What makes an embedding space; None stands for the backbone's own.

    See ``zoo.open_backbone`` for the fields. ``name`` is the space's; "": told by the others.
    """

    backbone: str = DEFAULT_BACKBONE
    layer: str | None = None
    pooling: str | None = None
    arithmetic: str | None = None
    side: int | None = None
    fit: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    runtime: str = "onnxruntime"
    download: bool = False
    name: str = ""

    def open(self) -> OnnxBackbone:
        """Open the backbone."""
        return open_backbone(
            self.backbone,
            arithmetic=self.arithmetic,  # type: ignore[arg-type]
            side=self.side,
            fit=self.fit,  # type: ignore[arg-type]
            preprocessing=self.preprocessing,
            runtime=self.runtime,
            download=self.download,
        )

    def open_reader(self) -> OnnxReader:
        """Open the reader of the space."""
        reader = self.open().reader(self.layer, self.pooling)
        if self.name:
            reader = replace(reader, space=replace(reader.space, name=self.name))
        return reader


def parse_choice(text: str) -> SpaceChoice:
    """Read ``BACKBONE``, ``BACKBONE:LAYER``, ``BACKBONE:LAYER:POOLING`` or a layer alone.

    ``efficientnet_lite0@fp32`` names the arithmetic too; ``stage5.pooled`` alone is a layer of the
    shipped backbone.

    Raises
    ------
    UsageError
        The text is empty or has too many parts.
    """
    head = TIMM if text.startswith(TIMM) else ""
    body = text.removeprefix(TIMM)
    if ".onnx" in body:
        # A path may hold colons of its own.
        stem, _, rest = body.partition(".onnx")
        parts = [stem + ".onnx", *rest.split(":")[1:]]
    else:
        parts = body.split(":")
    if not all(parts) or len(parts) > 3:
        raise UsageError(f"expected BACKBONE[:LAYER[:POOLING]] or LAYER, got {text!r}")
    name, _, arithmetic = parts[0].partition("@")
    if head or parts[0].endswith(".onnx") or name not in list_backbones():
        name, arithmetic = head + parts[0], ""
    shipped = not head and len(parts) == 1 and _is_shipped_layer(parts[0])
    if shipped:
        return SpaceChoice(layer=parts[0])
    pooling = parts[2] if len(parts) == 3 else None
    if pooling is not None and pooling not in POOLINGS:
        raise UsageError(f"expected a pooling of {', '.join(POOLINGS)}, got {pooling!r}")
    layer = parts[1] if len(parts) > 1 else None
    return SpaceChoice(name, layer, pooling, arithmetic or None)


def _is_shipped_layer(text: str) -> bool:
    first = text.split("+")[0].split("@")[0].strip()
    return first in open_backbone().layers
