"""The text tower: its files, its errors, and that its vectors are those of the graph."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vernis.adapters.text_tower import open_text_encoder
from vernis.domain.errors import InvalidValue, MissingExtra, ModelError

WORDS = ["[PAD]", "[UNK]", "red", "green", "bottle", "apple"]
DIM = 5
HAS_TOKENIZERS = importlib.util.find_spec("tokenizers") is not None
needs_tokenizers = pytest.mark.skipif(not HAS_TOKENIZERS, reason="needs the text extra")


def table() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(len(WORDS), DIM)).astype(np.float32)


def write_graph(folder: Path) -> None:
    """A tower that adds up the vectors of the words which the mask lets through."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
        helper.make_node("Mul", ["tokens", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["text_embeds"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", 4])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["n", 4, DIM]),
        helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["n", DIM]),
    ]
    weights = [
        numpy_helper.from_array(table(), "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    graph = helper.make_graph(nodes, "text", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(folder / "text.onnx"))


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    write_graph(tmp_path)
    if HAS_TOKENIZERS:
        write_tokenizer(tmp_path)
    return tmp_path


@pytest.mark.text
@needs_tokenizers
def test_the_vector_of_a_text_is_the_graph_s_of_length_1(tower: Path) -> None:
    (tower / "text.json").write_text(json.dumps({"image": "photos.onnx"}))
    encoder = open_text_encoder(tower)
    assert (encoder.name, encoder.space) == ("text", "photos")
    expected = table()[2] + table()[4]
    expected /= np.linalg.norm(expected)
    vectors = encoder.encode(["red bottle", "RED  Bottle", "apple"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[:2], [expected, expected], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.text
@needs_tokenizers
def test_a_text_has_one_vector_whatever_its_company_and_is_cut_when_too_long(tower: Path) -> None:
    encoder = open_text_encoder(tower / "text.onnx")
    alone = encoder.encode(["green apple"])
    assert np.array_equal(alone[0], encoder.encode(["red", "green apple", "x y z"])[1])
    long = encoder.encode(["red green bottle apple red red red"])
    assert np.array_equal(long, encoder.encode(["red green bottle apple"]))


@pytest.mark.text
@needs_tokenizers
def test_bad_text_and_bad_files_get_one_line(tower: Path) -> None:
    encoder = open_text_encoder(tower)
    for blank in ([], ["  "], ["red", ""]):
        with pytest.raises(InvalidValue, match="blank"):
            encoder.encode(blank)
    (tower / "text.json").write_text('{"output": "pooled"}')
    with pytest.raises(ModelError, match="no output 'pooled'; there are tokens, text_embeds"):
        open_text_encoder(tower)
    (tower / "text.json").unlink()
    (tower / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a readable tokenizer"):
        open_text_encoder(tower)
    (tower / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json beside it"):
        open_text_encoder(tower)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "expected a JSON object with the keys image, context, pad_id, output"),
        ('{"imge": "a.onnx"}', "unknown key 'imge'"),
        ('{"context": "77"}', "expected int for 'context', got '77'"),
        ('{"context": -1}', "expected a context of 1 token or more, got -1"),
        ('{"context": 7}', r"a context of 7, but text\.onnx takes 4 tokens"),
    ],
)
def test_wrong_settings_are_refused(tower: Path, text: str, reason: str) -> None:
    (tower / "text.json").write_text(text)
    with pytest.raises(ModelError, match=reason.replace("[", r"\[")):
        open_text_encoder(tower)


@pytest.mark.text
@needs_tokenizers
def test_weights_in_a_file_of_their_own_are_read(tower: Path) -> None:
    together = open_text_encoder(tower).encode(["green apple"])
    path = tower / "text.onnx"
    beside = {"location": "text.onnx.data", "size_threshold": 0}
    onnx.save_model(onnx.load(str(path)), str(path), save_as_external_data=True, **beside)
    np.testing.assert_array_equal(open_text_encoder(tower).encode(["green apple"]), together)
    (tower / "text.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"text\.onnx: not a readable ONNX model .*data"):
        open_text_encoder(tower)


@pytest.mark.text
@needs_tokenizers
def test_a_failure_of_the_tower_is_one_line(tower: Path) -> None:
    (tower / "text.json").write_text('{"pad_id": 9999}')
    with pytest.raises(ModelError, match="the text tower failed") as caught:
        open_text_encoder(tower).encode(["red"])
    assert "\n" not in str(caught.value)


def test_another_file_than_a_graph_is_no_text_model(tower: Path) -> None:
    (tower / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: no text model; name an \.onnx file"):
        open_text_encoder(tower / "tokenizer.json")


def test_what_is_no_text_tower_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such text model"):
        open_text_encoder(tmp_path)
    (tmp_path / "text.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"not a readable ONNX model"):
        open_text_encoder(tmp_path)


def test_without_the_package_the_extra_is_named(
    tower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"vernis\[text\]"):
        open_text_encoder(tower)
