"""The options that name a backbone and how pictures are put into it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from vernis.domain.errors import UsageError
from vernis.verbs.declare import BaseSettings, Option, count

if TYPE_CHECKING:
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.session.session import Session

_WHICH = "a shipped one, a preset, timm:MODEL or a file MODEL.onnx (see: vernis backbones)"
DEFAULT = "efficientnet_lite0"

NO_FILE = r"(?is)(?!.*(\.onnx|\.\.|timm:.*[/\\])).*"
"""What a request may name: networks by name, and no file of the disk."""

BACKBONE = Option(_WHICH, requests=NO_FILE)
"""The option of a backbone."""

Arithmetic = Literal["fp32", "int8", "auto"]
ARITHMETIC = Option(
    "of the shipped network (default: int8; auto: that of the current space, else what is quickest "
    "on this machine, see: vernis backbones --measure)"
)
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class BackboneOptions(BaseSettings):
    """How a backbone is opened."""

    _: KW_ONLY
    arithmetic: Annotated[Arithmetic | None, ARITHMETIC] = None
    side: Annotated[int | None, count("height and width of the input, pixels")] = None
    fit: Annotated[
        Literal["soft", "squash", "pad", "extend", "crop"] | None,
        Option("how a picture is made square (default: soft)"),
    ] = None
    mean: Annotated[Triple | None, Option("of a file's input: R G B")] = None
    std: Annotated[Triple | None, Option("of a file's input: R G B")] = None
    scale: Annotated[float | None, Option("of a file's input (default: 1/255)")] = None
    channels: Annotated[Literal["RGB", "BGR"] | None, Option("their order in a file's input")] = (
        None
    )
    layout: Annotated[Literal["NCHW", "NHWC"] | None, Option("axes of a file's input")] = None
    runtime: Annotated[Literal["onnxruntime", "openvino"], Option("what runs the network")] = (
        "onnxruntime"
    )
    download: Annotated[bool, Option("weights may be fetched from huggingface.co")] = False

    def choice(self, backbone: str) -> dict[str, Any]:
        """Return what names the backbone and its input.

        Raises
        ------
        UsageError
            ``NAME@fp32`` and ``arithmetic`` contradict.
        """
        name, _, arithmetic = backbone.partition("@")
        if backbone.lower().endswith(".onnx") or arithmetic not in ("fp32", "int8"):
            name, arithmetic = backbone, ""
        if arithmetic and self.arithmetic not in (None, arithmetic):
            raise UsageError(f"{backbone} and --arithmetic {self.arithmetic} contradict")
        names = ("mean", "std", "scale", "channels", "layout")
        given = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        return {
            "backbone": name,
            "arithmetic": self.arithmetic or arithmetic or None,
            "side": self.side,
            "fit": self.fit,
            "preprocessing": given,
            "runtime": self.runtime,
            "download": self.download,
        }


def choose(session: Session, options: BackboneOptions, backbone: str, **more: Any) -> SpaceChoice:
    """Return what makes an embedding space of the options; ``more``: layer, pooling, name.

    Raises
    ------
    UsageError
        The options contradict one another.
    """
    choice = options.choice(backbone)
    if options.arithmetic == "auto":
        if options.runtime != "onnxruntime":
            raise UsageError("--arithmetic auto chooses the runtime, too: leave --runtime out")
        way = session.networks.way_of(session.current_space())
        choice["arithmetic"], choice["runtime"] = way
    return session.networks.choose(**choice, **more)
