"""The backbones that can be had by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from vernis.domain.errors import InvalidValue, ModelError, NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from vernis.adapters.backbones.inputs import Fit
    from vernis.adapters.backbones.onnx_backbone import OnnxBackbone, OpenSession

Arithmetic = Literal["fp32", "int8"]

ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)
RUNTIMES = ("onnxruntime", "openvino")
DEFAULT_BACKBONE = "efficientnet_lite0"
DEFAULT_ARITHMETIC: Arithmetic = "int8"
DEFAULT_FIT: Fit = "soft"
DEFAULT_SIDE = 224
TIMM = "timm:"

WEIGHTS = Path(__file__).parent / "weights"

_SHIPPED: dict[tuple[str, Arithmetic], str] = {
    ("efficientnet_lite0", "fp32"): "efficientnet_lite0.fp16.onnx",
    ("efficientnet_lite0", "int8"): "efficientnet_lite0.int8.onnx",
}
# The earlier stages see what the last, bent to ImageNet's classes, leaves out: wrong labels are
# found better by all four together (docs/decisions/embedding.md). The last is the one to search by.
_DEFAULT_LAYER = "stage4.pooled+stage5.pooled+stage6.pooled+pooled"


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for a timm model and the layer of it to read."""

    model: str
    layer: str
    pooling: str
    what: str
    side: int | None = None


PRESETS: dict[str, Preset] = {
    "vgg16": Preset(
        "timm:vgg16.tv_in1k", "features", "max", "VGG-16, last convolution 512 x 7 x 7, max-pooled"
    ),
    "resnet50": Preset(
        "timm:resnet50.tv_in1k", "pooled", "avg", "ResNet50, pooled last layer, 2048"
    ),
    "dinov2-small": Preset(
        "timm:vit_small_patch14_dinov2.lvd142m",
        "pooled",
        "avg",
        "DINOv2 ViT-S/14, no labels seen",
        224,
    ),
    "siglip-base": Preset(
        "timm:vit_base_patch16_siglip_224", "pooled", "avg", "SigLIP ViT-B/16, trained with texts"
    ),
}
"""Models of the timm collection under a name of their own (extra ``torch``)."""


def list_backbones() -> list[str]:
    """Return the names of the shipped backbones."""
    return sorted({name for name, _ in _SHIPPED})


def list_shipped_files() -> list[str]:
    """Return the names of the shipped files of weights."""
    return sorted(_SHIPPED.values())


def float_weights() -> bytes:
    """Return the file of the shipped backbone in floating point, which can be trained on."""
    path = WEIGHTS / _SHIPPED[DEFAULT_BACKBONE, "fp32"]
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: missing, install Vernis anew") from error


def open_backbone(
    name: str = DEFAULT_BACKBONE,
    *,
    arithmetic: Arithmetic | None = None,
    side: int | None = None,
    fit: Fit | None = None,
    layer: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    runtime: str = "onnxruntime",
    download: bool = False,
) -> OnnxBackbone:
    """Return a backbone by name.

    Parameters
    ----------
    name : str
        A shipped backbone, a preset, ``timm:MODEL``, the path of an ONNX file or the name of one
        that was used before. What a file does not say about its input stands in the JSON beside it
        (see ``inputs.Sidecar``); without one, values are scaled to -1..1 and the default layer is
        the first output.
    arithmetic : {"fp32", "int8"}, optional
        Of the shipped backbone's arithmetic. None: the default.
    side : int, optional
        Height and width of the network's input, pixels; a multiple of 32 for the shipped one.
        A graph whose input has a fixed side keeps that.
    fit : {"soft", "squash", "pad", "extend", "crop"}, optional
        How a picture becomes square.
    layer : str, optional
        The layers of the default space, joined by ``+``. None: the backbone's own.
    preprocessing : mapping, optional
        Fields of ``InputSpec`` that go before those of the JSON: mean, std, scale…
    runtime : {"onnxruntime", "openvino"}
        What runs the graph.
    download : bool
        The weights of a timm model may be fetched from its hub.

    Raises
    ------
    NotFound
        When there is no backbone of that name.
    UsageError
        When the arithmetic, the side or the preprocessing does not suit it.
    ModelError
        When its file is missing or damaged.
    MissingExtra
        When it needs a package that is not installed.
    """
    if side is not None and side < 1:
        raise UsageError(f"expected a side of 1 pixel or more, got {side}")
    given = {**(preprocessing or {}), **({"side": side} if side else {})}
    given |= {"fit": fit} if fit else {}
    start = _open_runtime(runtime)
    if name in list_backbones():
        return _open_shipped(name, arithmetic, given, layer, start)
    if arithmetic is not None:
        raise UsageError(f"--arithmetic is for {', '.join(list_backbones())}, not for {name}")
    if name.lower().endswith(".onnx"):
        return _open_file(Path(name), given, layer, start)
    if name in PRESETS:
        preset = PRESETS[name]
        path = _prepare_timm(preset.model, side or preset.side, download)
        opened = _open_file(path, given, layer or preset.layer, start, name=name)
        opened.default_pooling = preset.pooling
        return opened
    if name.startswith(TIMM):
        return _open_file(_prepare_timm(name, side, download), given, layer, start, name=name)
    return _open_known(name, given, layer, start)


def open_by_settings(settings: Mapping[str, Any]) -> OnnxBackbone:
    """Return the backbone that made the vectors of a space, by the space's settings.

    Raises
    ------
    ModelError
        The model file is not on this machine, or not where it was.
    """
    from vernis.adapters.backbones.registry import known_models

    sha256 = str(settings.get("sha256", ""))
    more: dict[str, Any] = {"side": settings.get("side"), "fit": settings.get("fit")}
    more["runtime"] = settings.get("runtime", "onnxruntime")
    shipped = _find_shipped(sha256)
    if shipped is not None:
        return open_backbone(shipped[0], arithmetic=shipped[1], **more)
    for model in known_models():
        if model.sha256 == sha256:
            more["preprocessing"] = settings.get("input")
            return open_backbone(str(model.path), **more)
    raise ModelError(
        "its backbone's file is not known here; name it once: vernis layers MODEL.onnx"
    )


def shipped_arithmetic(settings: Mapping[str, Any]) -> Arithmetic | None:
    """Return the arithmetic of the shipped backbone by a space's settings; None: another's."""
    shipped = _find_shipped(str(settings.get("sha256", "")))
    return None if shipped is None else shipped[1]


def _find_shipped(sha256: str) -> tuple[str, Arithmetic] | None:
    """Return name and arithmetic of the shipped backbone whose file has that checksum."""
    sums = read_checksums()
    return next((key for key, file in _SHIPPED.items() if sums[file] == sha256), None)


def read_checksums() -> dict[str, str]:
    """Return the sha256 of each shipped weights file."""
    lines = (WEIGHTS / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


_Start = tuple[str, "OpenSession"] | None


def _open_runtime(runtime: str) -> _Start:
    if runtime not in RUNTIMES:
        raise UsageError(f"expected a runtime of {', '.join(RUNTIMES)}, got {runtime!r}")
    if runtime == "onnxruntime":
        return None
    from vernis.adapters.backbones.openvino_session import open_openvino

    return runtime, open_openvino


def _open_shipped(
    name: str,
    arithmetic: Arithmetic | None,
    given: Mapping[str, Any],
    layer: str | None,
    start: _Start,
) -> OnnxBackbone:
    from vernis.adapters.backbones.inputs import InputSpec, override_spec
    from vernis.adapters.backbones.onnx_backbone import OnnxBackbone

    chosen = DEFAULT_ARITHMETIC if arithmetic is None else arithmetic
    if chosen not in ARITHMETICS:
        raise UsageError(f"expected an arithmetic of {', '.join(ARITHMETICS)}, got {chosen!r}")
    if fixed := [key for key in given if key not in ("side", "fit")]:
        raise UsageError(f"{name} scales its input itself: --{fixed[0]} is for other models")
    file = _SHIPPED[name, chosen]
    return OnnxBackbone(
        WEIGHTS / file,
        name=f"{name}@{chosen}",
        spec=override_spec(InputSpec(side=DEFAULT_SIDE, fit=DEFAULT_FIT, multiple=32), given),
        default_layer=layer or _DEFAULT_LAYER,
        sha256=read_checksums()[file],
        runtime=start,
    )


def _open_file(
    path: Path, given: Mapping[str, Any], layer: str | None, start: _Start, name: str = ""
) -> OnnxBackbone:
    import numpy as np

    from vernis.adapters.backbones.graph_input import read_input
    from vernis.adapters.backbones.inputs import override_spec, read_sidecar
    from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
    from vernis.adapters.backbones.onnx_graph import POOLINGS, load_graph
    from vernis.adapters.backbones.registry import remember_model

    model = load_graph(path)
    sidecar = read_sidecar(path.with_suffix(".json"))
    if sidecar.pooling not in POOLINGS:
        raise ModelError(
            f"{path.with_suffix('.json')}: expected a pooling of {', '.join(POOLINGS)}, "
            f"got {sidecar.pooling!r}"
        )
    try:
        spec = override_spec(sidecar.spec, given)
    except InvalidValue as error:
        raise UsageError(f"{path}: {error}") from error
    wanted = read_input(model, spec.layout, path)
    scaling = [key for key in ("mean", "std", "scale") if key in given]
    if scaling and wanted.numbers == np.uint8:
        raise UsageError(f"{path} takes bytes and scales them itself: no --{scaling[0]}")
    if side := wanted.side:
        if given.get("side", side) != side:
            raise UsageError(f"{path} works at {side} pixels only, not at {given['side']}")
        spec = replace(spec, side=side)
    backbone = OnnxBackbone(
        path,
        name=name or path.stem,
        spec=spec,
        default_layer=layer or sidecar.layer or model.graph.output[0].name,
        sha256=str(sidecar.origin.get("sha256", "")),
        default_pooling=sidecar.pooling,
        runtime=start,
    )
    with suppress(StorageError):  # a cache that cannot be written costs only the way back
        remember_model(path, backbone.sha256)
    return backbone


def _prepare_timm(name: str, side: int | None, download: bool) -> Path:
    from vernis.adapters.backbones.timm_models import prepare_timm

    return prepare_timm(name.removeprefix(TIMM), side=side, download=download)


def _open_known(
    name: str, given: Mapping[str, Any], layer: str | None, start: _Start
) -> OnnxBackbone:
    from vernis.adapters.backbones.registry import known_models

    known = known_models()
    for model in known:
        if model.name == name:
            return _open_file(model.path, given, layer, start)
    if Path(name).exists() or len(Path(name).parts) > 1:
        raise NotFound(f"{name}: expected an ONNX model, a file whose name ends in .onnx")
    names = [*list_backbones(), *PRESETS, *dict.fromkeys(model.name for model in known)]
    near = difflib.get_close_matches(name, names, n=3) or names
    raise NotFound(
        f"no backbone {name!r}; there are {', '.join(near)}, timm:MODEL and any .onnx file "
        "(vernis backbones)"
    )
