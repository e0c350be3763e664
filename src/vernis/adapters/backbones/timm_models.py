"""Networks of the timm collection, converted to ONNX once (extra ``torch``).

The converted file lies in the user's cache as ``timm/NAME.onnx``, beside a JSON with its
preprocessing, its origin, its checksum and how far its output is from torch's. From then on neither
torch nor the network is needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.inputs import read_sidecar
from vernis.adapters.backbones.registry import cache_folder, write_whole
from vernis.domain.errors import MissingExtra, ModelError, NotFound, UsageError

OPSET = 20
TOLERANCE = 1e-3
"""Largest difference between ONNX Runtime and torch, relative to the largest value of a tensor (or
to 1 when that is larger), at which a conversion is kept. Usual are 1e-6 to 1e-5."""

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class TimmState:
    """How far a timm model is from use."""

    converted: bool
    weights: bool


def timm_path(name: str, side: int | None = None) -> Path:
    """Return where the converted file of a model lies or will lie."""
    if not re.fullmatch(r"[A-Za-z0-9_.\-]+", name):
        raise UsageError(f"expected the name of a timm model, got {name!r}")
    return cache_folder() / "timm" / (f"{name}@{side}.onnx" if side else f"{name}.onnx")


def timm_state(name: str) -> TimmState:
    """Say what of a model is on this machine, without using the network."""
    path = timm_path(name)
    converted = any(path.parent.glob(f"{name}@*.onnx")) or path.is_file()
    try:
        return TimmState(converted, _cached_weights(_hub_id(name)) is not None)
    except (MissingExtra, NotFound):
        return TimmState(converted, False)


def prepare_timm(
    name: str,
    *,
    side: int | None = None,
    download: bool = False,
    weights: Path | None = None,
) -> Path:
    """Return the converted file of a timm model; converts it when that was not done yet.

    Parameters
    ----------
    name : str
        As in timm, ``vgg16.tv_in1k``.
    side : int, optional
        Height and width of the input, pixels. None: the one it was trained with.
    download : bool
        Its weights may be fetched; see ``fetch_weights``.
    weights : Path, optional
        A file with its weights (``.safetensors``, ``.pth``), instead of the hub's.

    Raises
    ------
    NotFound
        timm has no such model.
    MissingExtra
        The extra ``torch`` is not installed.
    UsageError
        The weights are not on this machine and were not to be fetched.
    ModelError
        The weights are unsuitable, or the converted network differs from torch's.
    """
    if side is not None and side < 1:
        raise UsageError(f"expected a side of 1 pixel or more, got {side}")
    path = timm_path(name, side)
    if path.is_file() and weights is None:
        return path
    _import_timm()
    if weights is None:
        weights = _find_weights(name, side, download)
    network = _create_network(name, side, weights)
    return convert_network(network, name, path, origin={"weights": weights.name})


def convert_network(network: Any, name: str, path: Path, *, origin: dict[str, Any]) -> Path:
    """Write a timm network as ONNX with its JSON, when it gives what torch gives.

    Parameters
    ----------
    network : torch.nn.Module
        Made by timm.
    name : str
    path : Path
        The ``.onnx`` file; the JSON lies beside it.
    origin : dict
        Where its weights came from, for the record.
    """
    import timm
    import torch

    network.eval()
    cfg = network.pretrained_cfg
    size = getattr(getattr(network, "patch_embed", None), "img_size", None)
    side = int(_side_of(path) or (size[0] if size else cfg["input_size"][-1]))
    rng = np.random.default_rng(0)
    example = rng.normal(size=(2, 3, side, side)).astype(np.float32)
    wrapped, names, expected = _named_outputs(network, torch.from_numpy(example))
    data = _export(wrapped, names, torch.from_numpy(example))
    differences = _compare(data, names, example, expected, name)
    document = {
        "mean": list(cfg["mean"]),
        "std": list(cfg["std"]),
        "scale": 1 / 255,
        "side": side,
        "fit": "soft",
        "channels": "RGB",
        "layout": "NCHW",
        "layer": "pooled",
        "origin": {
            "model": f"timm:{name}",
            "licence": cfg.get("license") or "",
            "timm": timm.__version__,
            "torch": str(torch.__version__),
            **origin,
            "sha256": hashlib.sha256(data).hexdigest(),
            "max_abs_difference_to_torch": max(differences.values()),
            "differences": differences,
        },
    }
    # The JSON first: a model without it would be shown wrongly scaled pictures.
    write_whole(path.with_suffix(".json"), json.dumps(document, indent=1).encode())
    write_whole(path, data)
    return path


def conversion_record(path: Path) -> dict[str, Any]:
    """Return what the JSON beside a converted file says of its origin."""
    return dict(read_sidecar(path.with_suffix(".json")).origin)


def weights_address(hub_id: str) -> str:
    """Return where a model's weights can be had, by hand too."""
    return f"https://huggingface.co/{hub_id}/resolve/main/{WEIGHTS_FILE}"


def fetch_weights(hub_id: str, megabytes: int) -> Path:
    """Fetch a model's weights from the Hugging Face hub into its cache: the only network access.

    Only ever called when the user asked for it; logs before what is fetched and how big it is.

    Raises
    ------
    ModelError
        The hub cannot be reached or has no such file.
    """
    from huggingface_hub import hf_hub_download

    address = weights_address(hub_id)
    logging.getLogger(__name__).warning("fetching %s (%d MB)", address, megabytes)
    retries = logging.getLogger("huggingface_hub")
    level = retries.level
    retries.setLevel(logging.ERROR)  # each retry would be a line; the last failure is told below
    try:
        return Path(hf_hub_download(hub_id, WEIGHTS_FILE))
    except Exception as error:
        # The client raises its own errors, those of its transport and OSError.
        raise ModelError(f"{address} cannot be fetched: {_first_line(error)}") from error
    finally:
        retries.setLevel(level)


def _find_weights(name: str, side: int | None, download: bool) -> Path:
    hub_id = _hub_id(name)
    cached = _cached_weights(hub_id)
    if cached is not None:
        return cached
    at = f" --side {side}" if side else ""
    by_hand = f"vernis backbones --get timm:{name}{at} --weights FILE"
    if not download:
        raise UsageError(
            f"timm:{name}: its weights ({weights_address(hub_id)}, {_megabytes(name)} MB) are not "
            f"on this machine; add --download to fetch them, or name a file: {by_hand}"
        )
    try:
        return fetch_weights(hub_id, _megabytes(name))
    except ModelError as error:
        raise ModelError(f"{error}; fetch it by hand and name it: {by_hand}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else repr(error)


def _megabytes(name: str) -> int:
    """Return the size of a model's weights, from its architecture alone."""
    import timm
    import torch

    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False)
    numbers = sum(int(tensor.numel()) for tensor in network.state_dict().values())
    return round(numbers * 4 / 1e6)


def _cached_weights(hub_id: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise MissingExtra("torch", "a timm model") from error
    found = try_to_load_from_cache(hub_id, WEIGHTS_FILE)
    return Path(found) if isinstance(found, str) else None


def _hub_id(name: str) -> str:
    timm = _import_timm()
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.hf_hub_id:
        import difflib

        near = difflib.get_close_matches(name, timm.list_models(pretrained=True), n=3)
        hint = f"; near are {', '.join(near)}" if near else ""
        raise NotFound(f"timm has no pretrained model {name!r}{hint}")
    return str(config.hf_hub_id)


def _import_timm() -> Any:
    if importlib.util.find_spec("onnxscript") is None:
        raise MissingExtra("torch", "a timm model")
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("torch", "a timm model") from error
    return timm


def _create_network(name: str, side: int | None, weights: Path) -> Any:
    import timm

    if not weights.is_file():
        raise ModelError(f"{weights}: no such file of weights")
    # Weights named as a file: timm then does not look at any hub.
    more: dict[str, Any] = {
        "pretrained": True,
        "pretrained_cfg_overlay": {"file": str(weights), "custom_load": False},
    }
    try:
        if side is not None:
            try:
                return timm.create_model(name, img_size=side, **more)
            except TypeError:
                pass  # a convolutional network takes any side
        return timm.create_model(name, **more)
    except Exception as error:
        # Whatever a foreign file makes torch raise; of a mismatch the second line tells the first.
        lines = str(error).split("\n\t") if isinstance(error, RuntimeError) else []
        reason = (
            lines[1][:160].strip() if len(lines) > 1 else "it holds no weights that torch reads"
        )
        raise ModelError(f"{weights}: not the weights of timm:{name} ({reason})") from error


def _side_of(path: Path) -> int:
    found = re.search(r"@(\d+)\.onnx$", path.name)
    return int(found[1]) if found else 0


def _named_outputs(network: Any, example: Any) -> tuple[Any, list[str], list[NDArray[Any]]]:
    """Wrap the network so that it returns its blocks, its features and the pooled vector."""
    import torch

    def forward(images: Any) -> dict[str, Any]:
        if hasattr(network, "forward_intermediates"):
            features, blocks = network.forward_intermediates(images)
        else:
            features, blocks = network.forward_features(images), []
        named = {f"block{i}": block for i, block in enumerate(blocks)}
        pooled = network.forward_head(features, pre_logits=True)
        return {**named, "features": features, "pooled": pooled}

    class Wrapped(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch may be absent
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Any) -> tuple[Any, ...]:
            return tuple(forward(images).values())

    with torch.no_grad():
        outputs = forward(example)
    values = [value.numpy() for value in outputs.values()]
    return Wrapped().eval(), list(outputs), values


def _export(wrapped: Any, names: list[str], example: Any) -> bytes:
    import torch

    export: Callable[..., Any] = torch.onnx.export
    batch = torch.export.Dim("batch", min=1, max=1024)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = export(
            wrapped,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=names,
            dynamic_shapes=({0: batch},),
        )
    return bytes(program.model_proto.SerializeToString())


def _compare(
    data: bytes,
    names: list[str],
    example: NDArray[np.float32],
    expected: list[NDArray[Any]],
    name: str,
) -> dict[str, float]:
    """Return the largest difference of each output to torch's; raises when one is too large."""
    from vernis.adapters.backbones.onnx_backbone import open_session

    found = open_session(data, f"timm:{name}").run(names, {"images": example})
    differences: dict[str, float] = {}
    for layer, ours, theirs in zip(names, found, expected, strict=True):
        largest = float(np.abs(ours - theirs).max())
        differences[layer] = largest
        if not largest <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
            raise ModelError(
                f"timm:{name}: {layer!r} differs from torch's by {largest:.2g} after conversion"
            )
    return differences
