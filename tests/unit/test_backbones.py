"""Backbones of the user's own: preprocessing, names, poolings, conversion, runtimes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import vernis
from vernis.adapters.backbones import timm_models, zoo
from vernis.adapters.backbones.choice import SpaceChoice, parse_choice
from vernis.adapters.backbones.inputs import InputSpec, read_sidecar, scale_picture
from vernis.adapters.backbones.listing import backbone_rows, layer_rows
from vernis.domain.errors import (
    InvalidValue,
    MissingExtra,
    ModelError,
    NotFound,
    UsageError,
    VernisError,
)
from vernis.domain.ports import Pixels
from vernis.session.networks import Networks


def has(*packages: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in packages)


needs_torch = pytest.mark.skipif(not has("torch", "timm"), reason="needs the torch extra")
needs_openvino = pytest.mark.skipif(not has("openvino"), reason="needs the openvino extra")


def picture(seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def write_model(path: Path, side: int = 8) -> Path:
    """A float network of one convolution by 1 x 1: the layer ``map``, (4, side, side)."""
    weights = np.random.default_rng(1).normal(size=(4, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["map"]),
    ]
    shape = ["n", 3, side, side]
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 4, side, side])],
        [numpy_helper.from_array(weights, "weights")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def write_nodes(
    path: Path, nodes: list[Any], shape: Any, weights: Any = (), kind: int = TensorProto.FLOAT
) -> Path:
    """A graph of the given nodes from ``x`` to ``out``."""
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("out", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def test_the_json_beside_a_model_scales_its_input(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.onnx")
    caffe = {"mean": [103.9, 116.8, 123.7], "std": [1, 1, 1], "scale": 1, "channels": "BGR"}
    path.with_suffix(".json").write_text(json.dumps({**caffe, "fit": "squash", "pooling": "max"}))
    own = zoo.open_backbone(str(path))
    square = np.full((8, 8, 3), (10, 20, 30), np.uint8)
    expected = np.array([30 - 103.9, 20 - 116.8, 10 - 123.7], np.float32)
    np.testing.assert_allclose(scale_picture(square, own.spec)[0, 0], expected, atol=1e-4)
    weights = numpy_helper.to_array(own._model.graph.initializer[0])[:, :, 0, 0]
    vector = own.reader().open()(square)
    np.testing.assert_allclose(vector, np.maximum(weights @ expected, 0), rtol=2e-3, atol=0.05)
    assert (own.reader().space.name, own.default_pooling) == ("own", "max")


def test_flags_go_before_the_json_and_make_another_space(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.onnx")
    path.with_suffix(".json").write_text('{"scale": 1, "fit": "crop"}')
    plain = zoo.open_backbone(str(path))
    flagged = zoo.open_backbone(str(path), fit="pad", preprocessing={"scale": 0.5})
    assert (plain.spec.scale, plain.spec.fit) == (1.0, "crop")
    assert (flagged.spec.scale, flagged.spec.fit) == (0.5, "pad")
    assert plain.reader().space != flagged.reader().space


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as JSON"),
        ("3", "expected a JSON object with the keys mean, std"),
        ('{"means": [1, 2, 3]}', "unknown key 'means'; known are mean, std"),
        ('{"mean": [1, 2]}', "expected three numbers for 'mean'"),
        ('{"mean": ["a", 1, 2]}', "expected three numbers for 'mean'"),
        ('{"std": [0, 1, 1]}', "three positive numbers"),
        ('{"scale": true}', "expected a number for 'scale'"),
        ('{"scale": -1}', "positive scale"),
        ('{"side": 7.5}', "expected a whole number of pixels for 'side', got 7.5"),
        ('{"fit": "stretch"}', "expected a fit of soft"),
        ('{"channels": "GRB"}', "expected channels of RGB or BGR"),
        ('{"layout": "CHW"}', "expected a layout of NCHW or NHWC"),
        ('{"layout": "NHWC"}', "is not NHWC"),
        ('{"pooling": "mean"}', "expected a pooling of avg"),
        ('{"layer": 3}', "expected text for 'layer'"),
        ('{"origin": "hub"}', "expected an object for 'origin'"),
        ('{"layer": "map+"}', "expected LAYER or LAYER+LAYER, got 'map+'"),
        ('{"layer": "zzz"}', "no layer 'zzz'; it has conv, map (vernis layers"),
        ('{"layer": "mop"}', "no layer 'mop'; near are map"),
        ('{"side": 16}', None),
    ],
)
def test_wrong_json_gets_one_line(tmp_path: Path, text: str, reason: str | None) -> None:
    path = write_model(tmp_path / "own.onnx")
    path.with_suffix(".json").write_text(text)
    if reason is None:  # the graph's own side goes before that of the JSON
        assert zoo.open_backbone(str(path)).spec.side == 8
        return
    with pytest.raises(VernisError) as caught:
        zoo.open_backbone(str(path)).reader().open()(picture())
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_fails_says_so_and_blames_no_picture(tmp_path: Path) -> None:
    shape = [("shape", np.array([-1, 7]))]
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["out"])]
    fails = write_nodes(tmp_path / "fails.onnx", nodes, ["n", 3, "side", "side"], shape)
    with pytest.raises(ModelError, match="the network fails") as caught:
        zoo.open_backbone(str(fails), side=8).reader().open()(picture())
    assert "\n" not in str(caught.value)
    nodes = [
        helper.make_node("Log", ["x"], ["log"]),
        helper.make_node("Identity", ["log"], ["out"]),
    ]
    nan = write_nodes(tmp_path / "nan.onnx", nodes, ["n", 3, 8, 8])
    with pytest.raises(ModelError, match=r"nan: .* no numbers \(NaN\)"):
        zoo.open_backbone(str(nan)).reader().open()(picture())


def test_layers_of_bytes_are_read(tmp_path: Path) -> None:
    own = zoo.open_backbone(arithmetic="int8")
    vector = own.reader("features.u8", "flatten").open()(picture())
    assert vector.dtype == np.float16
    assert 0 < vector.max() <= 255
    top = own.reader("features.u8", "max").open()(picture())
    np.testing.assert_array_equal(top, vector.reshape(1280, 49).max(1))


@pytest.mark.parametrize(
    ("shape", "kind", "reason"),
    [
        (["n", 20], TensorProto.FLOAT, "of shape (n, 20) is no picture"),
        (["n", 1, 28, 28], TensorProto.FLOAT, "is no RGB picture"),
        (["n", 3, 8, 16], TensorProto.FLOAT, "8 high and 16 wide; only square"),
        ([4, 3, 8, 8], TensorProto.FLOAT, "takes 4 pictures at once"),
        (["n", "c", "h", "w"], TensorProto.FLOAT, "say --layout NCHW or NHWC"),
        (None, TensorProto.FLOAT, "say --layout NCHW or NHWC"),
        (["n", 3, 8, 8], TensorProto.INT64, "takes int64; a picture is given as uint8"),
    ],
)
def test_a_graph_that_takes_no_picture_is_refused_at_once(
    tmp_path: Path, shape: Any, kind: int, reason: str
) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["out"])]
    path = write_nodes(tmp_path / "own.onnx", nodes, shape, kind=kind)
    with pytest.raises(ModelError) as caught:
        zoo.open_backbone(str(path))
    assert reason in str(caught.value)


def test_a_graph_of_two_inputs_or_none_is_refused(tmp_path: Path) -> None:
    path = write_nodes(
        tmp_path / "two.onnx", [helper.make_node("Identity", ["x"], ["out"])], ["n", 3, 8, 8]
    )
    model = onnx.load(str(path))
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n"]))
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="the graph has 2: x, mask"):
        zoo.open_backbone(str(path))
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="holds no graph"):
        zoo.open_backbone(str(path))


def test_a_network_of_half_precision_gets_its_picture_so(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["out"])]
    path = write_nodes(tmp_path / "own.onnx", nodes, ["n", 3, 8, 8], kind=TensorProto.FLOAT16)
    own = zoo.open_backbone(str(path), fit="squash")
    white = np.full((8, 8, 3), 255, np.uint8)
    np.testing.assert_array_equal(own.reader(pooling="max").open()(white), [1, 1, 1])


@pytest.mark.parametrize("shape", [["n", "c", "h", "w"], None])
def test_the_axes_of_a_free_input_can_be_said(tmp_path: Path, shape: Any) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["out"])]
    path = write_nodes(tmp_path / "own.onnx", nodes, shape)
    own = zoo.open_backbone(str(path), side=16, preprocessing={"layout": "NCHW"})
    assert own.layers == {"out": (3, 16, 16)}
    reader = own.reader()
    assert reader.space.dim == 3
    again = Networks().open_space(reader.space)  # the space itself knows what was said
    np.testing.assert_array_equal(again.open()(picture()), reader.open()(picture()))


def test_shapes_that_cannot_be_inferred_are_measured_and_those_of_no_picture_left_out(
    tmp_path: Path,
) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["map"]),
        helper.make_node("NonZero", ["map"], ["places"]),  # how many there are, nobody can infer
        helper.make_node("Shape", ["places"], ["sizes"]),
        helper.make_node("Sub", ["sizes", "sizes"], ["zeros"]),
        helper.make_node("Add", ["zeros", "target"], ["shape"]),
        helper.make_node("Reshape", ["map", "shape"], ["out"]),
    ]
    target = [("target", np.array([1, 192]))]
    path = write_nodes(tmp_path / "own.onnx", nodes, [1, 3, 8, 8], target)
    own = zoo.open_backbone(str(path))
    assert own.layers == {"map": (3, 8, 8), "out": (192,)}


def test_json_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.ONNX")
    path.with_suffix(".json").write_text('\ufeff{"fit": "crop"}', encoding="utf-8")
    assert zoo.open_backbone(str(path)).spec.fit == "crop"


def test_options_that_would_do_nothing_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["out"])]
    path = write_nodes(
        tmp_path / "own.onnx", nodes, ["n", 3, "side", "side"], kind=TensorProto.UINT8
    )
    with pytest.raises(UsageError, match="takes bytes and scales them itself: no --mean"):
        zoo.open_backbone(str(path), preprocessing={"mean": [0, 0, 0]})
    assert zoo.open_backbone(str(path)).reader().space.dim == 3
    for side in (0, -1, 5000):
        with pytest.raises(UsageError, match=f"pixel.*, got {side}"):
            zoo.open_backbone(str(path), side=side)
    with pytest.raises(UsageError, match="got 0"):
        zoo.open_backbone(side=0)
    with pytest.raises(NotFound, match=r"a file whose name ends in \.onnx"):
        zoo.open_backbone(str(tmp_path))


def test_a_model_is_found_again_by_its_checksum_and_by_its_name(tmp_path: Path) -> None:
    path = write_model(tmp_path / "deep" / "seen_before.onnx")
    reader = SpaceChoice(str(path), "map", "max", fit="pad", name="mine").open_reader()
    again = Networks().open_space(reader.space)
    assert again.space == reader.space
    np.testing.assert_array_equal(again.open()(picture()), reader.open()(picture()))
    assert zoo.open_backbone("seen_before").sha256 == reader.space.settings["sha256"]
    assert "seen_before" in {row["backbone"] for row in backbone_rows()}
    path.unlink()
    with pytest.raises(ModelError, match="vernis layers MODEL"):
        Networks().open_space(reader.space)
    with pytest.raises(NotFound, match="seen_before"):
        zoo.open_backbone("seen_before")


def test_shipped_spaces_are_found_again() -> None:
    for choice in (
        SpaceChoice(),
        SpaceChoice(arithmetic="fp32", layer="stage5@128", pooling="gem"),
    ):
        assert Networks().open_space(choice.open_reader().space).space == choice.open_reader().space


@pytest.mark.parametrize("pooling", ["avg", "max", "gem", "flatten", "none"])
def test_poolings_are_those_of_numpy(tmp_path: Path, pooling: str) -> None:
    own = zoo.open_backbone(str(write_model(tmp_path / "own.onnx")))
    places = own.feature_map(picture(), "map").reshape(4, -1)
    expected = {
        "avg": places.mean(1),
        "max": places.max(1),
        "gem": np.cbrt((np.maximum(places, 1e-6) ** 3).mean(1)),
        "flatten": places.ravel(),
        "none": places.ravel(),
    }[pooling]
    reader = own.reader("map", pooling)
    assert reader.space.dim == len(expected)
    np.testing.assert_allclose(reader.open()(picture()), expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stage5.pooled", SpaceChoice(layer="stage5.pooled")),
        ("stage5.pooled+pooled@128", SpaceChoice(layer="stage5.pooled+pooled@128")),
        ("efficientnet_lite0@fp32", SpaceChoice(arithmetic="fp32")),
        ("efficientnet_lite0:stage5:max", SpaceChoice(layer="stage5", pooling="max")),
        ("a:b/m.onnx:map:gem", SpaceChoice("a:b/m.onnx", "map", "gem")),
        ("timm:vgg16.tv_in1k:features:max", SpaceChoice("timm:vgg16.tv_in1k", "features", "max")),
        ("vgg16", SpaceChoice("vgg16")),
    ],
)
def test_expressions_name_backbone_layer_and_pooling(text: str, expected: SpaceChoice) -> None:
    assert parse_choice(text) == expected


@pytest.mark.parametrize("text", ["", "a:", "a:b:c:d", "efficientnet_lite0:pooled:mean"])
def test_wrong_expressions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse_choice(text)


def test_layers_are_listed_with_their_shapes(tmp_path: Path) -> None:
    rows = layer_rows(zoo.open_backbone(str(write_model(tmp_path / "own.onnx"))))
    assert rows[-1] == {"layer": "map", "kind": "map", "shape": [4, 8, 8], "pooled": 4, "flat": 256}


def test_what_does_not_suit_is_refused(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "own.onnx"))
    with pytest.raises(UsageError, match="works at 8 pixels only, not at 16"):
        zoo.open_backbone(path, side=16)
    with pytest.raises(UsageError, match="--arithmetic is for efficientnet_lite0"):
        zoo.open_backbone(path, arithmetic="int8")
    with pytest.raises(UsageError, match="scales its input itself: --mean"):
        zoo.open_backbone(preprocessing={"mean": [0, 0, 0]})
    with pytest.raises(UsageError, match="expected a runtime"):
        zoo.open_backbone(runtime="cuda")
    with pytest.raises(InvalidValue, match="positive scale"):
        InputSpec(scale=0)
    with pytest.raises(UsageError, match="name of a timm model"):
        timm_models.timm_path("../x")


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"vernis\[torch\]"):
        zoo.open_backbone("timm:resnet10t.c3_in1k")
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    reader = zoo.open_backbone(runtime="openvino").reader("pooled")
    with pytest.raises(MissingExtra, match=r"vernis\[openvino\]"):
        reader.open()


# ---------------------------------------------------------------- timm


def random_weights(name: str, folder: Path) -> Path:
    import timm
    import torch

    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(timm.create_model(name, pretrained=False).state_dict(), path)
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(hub_id: str, megabytes: int) -> Any:
        raise AssertionError(f"the network was used for {hub_id}")

    monkeypatch.setattr(timm_models, "fetch_weights", refuse)


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
@needs_torch
def test_a_timm_model_is_converted_once_and_gives_what_torch_gives(tmp_path: Path) -> None:
    import timm
    import torch

    name = "resnet10t.c3_in1k"

    weights = random_weights(name, tmp_path)
    path = timm_models.prepare_timm(name, side=64, weights=weights)
    record = timm_models.conversion_record(path)
    assert record["max_abs_difference_to_torch"] < 1e-4
    assert timm_models.prepare_timm(name, side=64) == path  # no weights are asked for again
    own = zoo.open_backbone(f"timm:{name}", side=64)
    assert own.sha256 == record["sha256"]
    assert {f"block{i}" for i in range(5)} < set(own.layers)
    cfg = {"file": str(weights), "custom_load": False}
    network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=cfg).eval()
    batch = torch.from_numpy(own._prepare(picture(), 64)[None].copy())
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(batch), pre_logits=True)[0]
    vector = own.reader().open()(picture())
    np.testing.assert_allclose(vector, expected.numpy(), rtol=2e-3, atol=2e-3)
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    with pytest.raises(ModelError, match=r"checksum differs|not a readable ONNX"):
        zoo.open_backbone(f"timm:{name}", side=64)


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
@needs_torch
def test_weights_are_never_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERNIS_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"timm/resnet10t\.c3_in1k/resolve/main/.*, 22 MB"):
        zoo.open_backbone("timm:resnet10t.c3_in1k")
    with pytest.raises(UsageError, match="add --download"):
        zoo.open_backbone("resnet50")
    with pytest.raises(UsageError, match="--side 224 --weights FILE"):
        zoo.open_backbone("dinov2-small")  # converted at another side it would not be found
    with pytest.raises(NotFound, match="no pretrained model 'resnet1000'; near are"):
        zoo.open_backbone("timm:resnet1000")
    with pytest.raises(AssertionError, match=r"used for timm/resnet10t\.c3_in1k"):
        zoo.open_backbone("timm:resnet10t.c3_in1k", download=True)
    (tmp_path / "weights.pth").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="not the weights of timm"):
        timm_models.prepare_timm("resnet10t.c3_in1k", weights=tmp_path / "weights.pth")
    other = random_weights("resnet18.tv_in1k", tmp_path)
    with pytest.raises(ModelError, match=r"resnet10t\.c3_in1k \(.*conv1"):
        timm_models.prepare_timm("resnet10t.c3_in1k", weights=other)
    with pytest.raises(UsageError, match="got 0"):
        timm_models.prepare_timm("resnet10t.c3_in1k", side=0, weights=other)
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.torch
@needs_torch
def test_what_is_fetched_is_said_before_and_how_to_do_it_by_hand_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub

    def unreachable(hub_id: str, name: str) -> str:
        assert "fetching https://huggingface.co/timm/resnet10t.c3_in1k" in caplog.text
        assert "(22 MB)" in caplog.text
        raise OSError("no network\nin detail")

    monkeypatch.setenv("VERNIS_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    with pytest.raises(ModelError, match=r"no network; fetch it by hand .* --weights FILE"):
        zoo.open_backbone("timm:resnet10t.c3_in1k", download=True)


# ---------------------------------------------------------------- OpenVINO


@pytest.mark.openvino
@needs_openvino
@pytest.mark.parametrize("arithmetic", ["fp32", "int8"])
def test_openvino_gives_the_vectors_of_onnx_runtime(arithmetic: str) -> None:
    choice = {"arithmetic": arithmetic, "layer": "stage5.pooled+pooled"}
    ours = SpaceChoice(**choice, runtime="openvino").open_reader()  # type: ignore[arg-type]
    theirs = SpaceChoice(**choice).open_reader()  # type: ignore[arg-type]
    assert ours.space != theirs.space
    a = ours.open()(picture()).astype(float)
    b = theirs.open()(picture()).astype(float)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.99


RACE = """
import sys, threading
import numpy as np
from vernis.adapters.backbones import zoo

sys.setswitchinterval(1e-6)
reader = zoo.open_backbone(arithmetic="fp32", runtime="openvino").reader("stage0.pooled")
gate = threading.Barrier(4)

def work():
    read = reader.open()
    gate.wait()
    read(np.zeros((32, 32, 3), np.uint8))

threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.openvino
@needs_openvino
def test_openvino_starts_on_several_threads_at_once() -> None:
    for _ in range(3):  # without the lock every other run stood still
        subprocess.run([sys.executable, "-c", RACE], timeout=60, check=True)


@pytest.mark.openvino
@needs_openvino
def test_openvino_does_not_report_itself_to_a_server() -> None:
    code = (
        "import sys\n"
        "from vernis.adapters.backbones import zoo\n"
        "zoo.open_backbone(runtime='openvino').reader('stage0.pooled').open()\n"
        "assert 'openvino' in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_sidecar_defaults_without_a_file(tmp_path: Path) -> None:
    assert read_sidecar(tmp_path / "none.json").spec == InputSpec()


def test_the_whole_job_embeds_with_the_named_network(tmp_path: Path) -> None:
    model = write_model(tmp_path / "own.onnx")
    (tmp_path / "pictures").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{seed}.png")
    with vernis.Collection.create(tmp_path / "own.vernis") as collection:
        collection.run(tmp_path / "pictures", backbone=str(model), report=tmp_path / "report")
        space = collection.session.space()
    assert (space.dim, space.settings["layers"]) == (4, [["map", 4]])
