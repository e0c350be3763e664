"""The backbones that can be had by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from vernis.domain.errors import NotFound, UsageError

if TYPE_CHECKING:
    from vernis.adapters.backbones.onnx_backbone import Fit, InputSpec, OnnxBackbone

Precision = Literal["fp32", "int8"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEFAULT_BACKBONE = "efficientnet_lite0"
DEFAULT_PRECISION: Precision = "int8"
DEFAULT_FIT: Fit = "soft"
DEFAULT_SIDE = 224

WEIGHTS = Path(__file__).parent / "weights"

_SHIPPED: dict[tuple[str, Precision], str] = {
    ("efficientnet_lite0", "fp32"): "efficientnet_lite0.fp16.onnx",
    ("efficientnet_lite0", "int8"): "efficientnet_lite0.int8.onnx",
}
# The earlier stages see what the last, bent to ImageNet's classes, leaves out: wrong labels are
# found better by all four together (docs/decisions/embedding.md). The last is the one to search by.
_DEFAULT_LAYER = "stage4.pooled+stage5.pooled+stage6.pooled+pooled"


def list_backbones() -> list[str]:
    """Return the names of the shipped backbones."""
    return sorted({name for name, _ in _SHIPPED})


def open_backbone(
    name: str = DEFAULT_BACKBONE,
    *,
    precision: Precision | None = None,
    side: int = DEFAULT_SIDE,
    fit: Fit = DEFAULT_FIT,
    layer: str | None = None,
) -> OnnxBackbone:
    """Return a backbone by name, or one of the user's own from an ``.onnx`` file.

    Parameters
    ----------
    name : str
        A shipped backbone, or the path of an ONNX file. A file's input is scaled with mean 0.5
        and std 0.5 unless it takes uint8; its default layer is its first output.
    precision : {"fp32", "int8"}, optional
        Of the shipped backbone's arithmetic. None: the default.
    side : int
        Height and width of the network's input, pixels; a multiple of 32 for the shipped one.
        A graph whose input has a fixed side keeps that.
    fit : {"soft", "squash", "pad", "extend", "crop"}
        How a picture becomes square.
    layer : str, optional
        The layers of the default space, joined by ``+``. None: the backbone's own.

    Raises
    ------
    NotFound
        When there is no backbone of that name.
    UsageError
        When the precision or the side does not suit it.
    ModelError
        When its file is missing or damaged.
    """
    from vernis.adapters.backbones.onnx_backbone import InputSpec, OnnxBackbone

    if name.endswith(".onnx"):
        return _open_file(Path(name), InputSpec(side=side, fit=fit), layer)
    if name not in list_backbones():
        raise NotFound(
            f"no backbone {name!r}; choose of {', '.join(list_backbones())} or an .onnx file"
        )
    chosen = DEFAULT_PRECISION if precision is None else precision
    if chosen not in PRECISIONS:
        raise UsageError(f"expected a precision of {', '.join(PRECISIONS)}, got {chosen!r}")
    file = _SHIPPED[name, chosen]
    return OnnxBackbone(
        WEIGHTS / file,
        name=f"{name}@{chosen}",
        spec=InputSpec(side=side, fit=fit, multiple=32),
        default_layer=layer or _DEFAULT_LAYER,
        sha256=read_checksums()[file],
    )


def read_checksums() -> dict[str, str]:
    """Return the sha256 of each shipped weights file."""
    lines = (WEIGHTS / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _open_file(path: Path, spec: InputSpec, layer: str | None) -> OnnxBackbone:
    from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
    from vernis.adapters.backbones.onnx_graph import fixed_side, load_graph

    model = load_graph(path)
    if side := fixed_side(model):
        spec = replace(spec, side=side)
    first = model.graph.output[0].name
    return OnnxBackbone(path, name=path.stem, spec=spec, default_layer=layer or first)
