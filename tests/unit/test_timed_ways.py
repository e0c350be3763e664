"""Which arithmetic and runtime of the shipped network are taken on a machine."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.adapters.backbones import timing, zoo
from vernis.adapters.backbones.choice import SpaceChoice
from vernis.domain.errors import MissingExtra, UsageError
from vernis.session.networks import Networks, TimedWay
from vernis.verbs.networks.backbone_options import BackboneOptions, choose

DEFAULT = ("int8", "onnxruntime")


class Clock:
    """A processor's time that only the measured ways move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def process_time(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("other", "chosen"),
    [(0.5, ("fp32", "openvino")), (0.89, ("fp32", "openvino")), (0.95, DEFAULT), (2.0, DEFAULT)],
)
def test_another_way_is_chosen_only_where_it_is_clearly_quicker(
    other: float, chosen: tuple[str, str]
) -> None:
    timed = [(DEFAULT, 8.0, 1.0), (("fp32", "onnxruntime"), 12.0, 0.99)]
    assert timing.choose_way([*timed, (("fp32", "openvino"), 8.0 * other, 0.99)]) == chosen


def test_every_way_that_is_installed_is_timed_picture_by_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    seen: list[tuple[str, str]] = []
    costs = {DEFAULT: 0.004, ("fp32", "onnxruntime"): 0.009}

    class Opened:
        def __init__(self, way: tuple[str, str]) -> None:
            self.way = way

        def reader(self) -> Opened:
            return self

        def open(self):  # type: ignore[no-untyped-def]
            return self.measure

        def measure(self, pixels: np.ndarray) -> np.ndarray:
            seen.append(self.way)
            clock.now += costs[self.way]
            return np.array([1.0, 0.0 if self.way == DEFAULT else 1.0])

    def open_backbone(*, arithmetic: str, runtime: str) -> Opened:
        if runtime == "openvino":
            raise MissingExtra("openvino", "--runtime openvino")
        return Opened((arithmetic, runtime))

    monkeypatch.setattr(timing, "open_backbone", open_backbone)
    monkeypatch.setattr(timing, "time", clock)
    timed = timing.time_ways(3)
    assert [way for way, _, _ in timed] == [DEFAULT, ("fp32", "onnxruntime")]
    assert [spent for _, spent, _ in timed] == pytest.approx([4.0, 9.0])
    assert [cosine for _, _, cosine in timed] == pytest.approx([1.0, np.sqrt(0.5)])
    assert seen == [DEFAULT, ("fp32", "onnxruntime")] * 4  # the first picture of each is not timed


def test_a_collection_stays_with_the_way_that_it_began_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks = Networks()
    quick = (
        TimedWay("int8", "onnxruntime", 8.0, 1.0, False),
        TimedWay("fp32", "openvino", 4.0, 0.99, True),
    )
    monkeypatch.setattr(Networks, "timed_ways", lambda self: quick)
    begun = SpaceChoice(arithmetic="int8").open_reader().space
    assert networks.way_of(begun) == ("int8", "onnxruntime")
    assert networks.way_of(None) == ("fp32", "openvino")
    other = SpaceChoice(arithmetic="fp32").open_reader().space
    assert networks.way_of(other) == ("fp32", "onnxruntime")


def test_auto_takes_arithmetic_and_runtime_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        networks = Networks()

        def current_space(self) -> None:
            return None

    monkeypatch.setattr(Networks, "way_of", lambda self, space: ("fp32", "openvino"))
    auto = BackboneOptions(arithmetic="auto")
    chosen = choose(Session(), auto, "efficientnet_lite0", layer="pooled")  # type: ignore[arg-type]
    assert (chosen.arithmetic, chosen.runtime, chosen.layer) == ("fp32", "openvino", "pooled")
    both = BackboneOptions(arithmetic="auto", runtime="openvino")
    with pytest.raises(UsageError, match="leave --runtime out"):
        choose(Session(), both, "efficientnet_lite0")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="contradict"):
        choose(Session(), auto, "efficientnet_lite0@fp32")  # type: ignore[arg-type]


def test_the_shipped_network_is_known_by_its_checksum() -> None:
    sums = zoo.read_checksums()
    assert zoo.shipped_arithmetic({"sha256": sums["efficientnet_lite0.int8.onnx"]}) == "int8"
    assert zoo.shipped_arithmetic({"sha256": sums["efficientnet_lite0.fp16.onnx"]}) == "fp32"
    assert zoo.shipped_arithmetic({"sha256": "0" * 64}) is None
    assert zoo.shipped_arithmetic({}) is None
