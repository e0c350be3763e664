"""What backbones there are, and what can be read out of one."""

from __future__ import annotations

import importlib.util
from typing import Any

from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
from vernis.adapters.backbones.registry import known_models
from vernis.adapters.backbones.timm_models import timm_path, timm_state
from vernis.adapters.backbones.zoo import (
    ARITHMETICS,
    DEFAULT_ARITHMETIC,
    PRESETS,
    TIMM,
    list_backbones,
)

KINDS = {3: "map", 2: "tokens", 1: "vector"}
"""What a tensor is by the number of its axes, without the batch."""


def backbone_rows() -> list[dict[str, Any]]:
    """Return one row a backbone: name, origin, what it is, whether it can be used at once."""
    rows: list[dict[str, Any]] = []
    for name in list_backbones():
        for arithmetic in ARITHMETICS:
            default = " (default)" if arithmetic == DEFAULT_ARITHMETIC else ""
            rows.append(
                _row(
                    f"{name}@{arithmetic}", "shipped", f"{arithmetic} arithmetic{default}", "ready"
                )
            )
    for name, preset in PRESETS.items():
        rows.append(_row(name, preset.model, preset.what, _timm_status(preset.model)))
    converted = timm_path("x").parent.resolve()
    for path in sorted(converted.glob("*.onnx")):
        rows.append(_row(TIMM + path.stem.partition("@")[0], "converted", str(path), "ready"))
    for model in known_models():
        if not model.path.is_relative_to(converted):
            rows.append(_row(model.name, "file", str(model.path), "ready"))
    return rows


def layer_rows(backbone: OnnxBackbone) -> list[dict[str, Any]]:
    """Return one row a tensor that can be read: layer, kind, shape, dim when pooled, values."""
    rows = []
    for name, shape in backbone.layers.items():
        kind = KINDS.get(len(shape), "other")
        size = 1
        for n in shape:
            size *= n
        pooled = {"map": shape[0], "tokens": shape[-1]}.get(kind, size) if shape else 0
        rows.append(
            {
                "layer": name,
                "kind": kind if shape else "unknown",
                "shape": list(shape),
                "pooled": pooled,
                "flat": size if shape else 0,
            }
        )
    return rows


def _row(name: str, origin: str, what: str, status: str) -> dict[str, Any]:
    return {"backbone": name, "origin": origin, "what": what, "status": status}


def _timm_status(model: str) -> str:
    name = model.removeprefix(TIMM)
    if any(timm_path(name).parent.glob(f"{name}*.onnx")):
        return "ready"
    if importlib.util.find_spec("timm") is None or importlib.util.find_spec("torch") is None:
        return 'needs pip install "vernis[torch]"'
    if timm_state(name).weights:
        return "weights here, converted at first use"
    return "weights to be fetched (--download)"
