"""Words that the network does not know, by names that are used like them (extra ``related``)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.backbones import related_names
from vernis.adapters.backbones.classifier import imagenet_nouns
from vernis.adapters.backbones.related_names import NAMES, RelatedNames, open_sentence_encoder
from vernis.core.words.noun_tree import RELATED
from vernis.core.words.sentence_vectors import DIM, SentenceEncoder
from vernis.domain.errors import InvalidValue, ModelError

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "##ab", "cafe", "tea", "-")


def draw_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.05, shape).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": draw(len(PIECES), DIM),
        "embeddings.position_embeddings.weight": draw(128, DIM),
        "embeddings.token_type_embeddings.weight": draw(2, DIM),
    }
    norms = ["embeddings."]
    for layer in range(6):
        name = f"encoder.layer.{layer}."
        norms += [f"{name}attention.output.", f"{name}output."]
        sizes = {f"attention.self.{part}": (DIM, DIM) for part in ("query", "key", "value")}
        sizes |= {"attention.output.dense": (DIM, DIM)}
        sizes |= {"intermediate.dense": (4 * DIM, DIM), "output.dense": (DIM, 4 * DIM)}
        for part, size in sizes.items():
            tensors[f"{name}{part}.weight"] = draw(*size)
            tensors[f"{name}{part}.bias"] = draw(size[0])
    for name in norms:
        tensors[f"{name}LayerNorm.weight"] = 1 + draw(DIM)
        tensors[f"{name}LayerNorm.bias"] = draw(DIM)
    return tensors


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder(draw_tensors(), PIECES)


def test_words_are_split_into_the_longest_pieces(encoder):
    names = [PIECES[number] for number in encoder._split("Unable caf\u00e9-tea xyz")]
    assert names == ["[CLS]", "un", "##able", "cafe", "-", "tea", "[UNK]", "[SEP]"]


def test_a_vector_does_not_depend_on_the_texts_beside_it(encoder):
    texts = ["tea", "unable cafe - tea tea tea", "", "cafe"]
    together = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)


def test_a_layer_is_that_of_torch(encoder):
    torch = pytest.importorskip("torch", reason='needs the extra "torch"')
    tensors = draw_tensors()
    layer = torch.nn.TransformerEncoderLayer(
        DIM, 12, 4 * DIM, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).eval()
    name = "encoder.layer.2."
    own = {key.removeprefix(name): torch.tensor(v) for key, v in tensors.items() if name in key}
    parts = ("query", "key", "value")
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": torch.cat(
                [own[f"attention.self.{p}.weight"] for p in parts]
            ),
            "self_attn.in_proj_bias": torch.cat([own[f"attention.self.{p}.bias"] for p in parts]),
            "self_attn.out_proj.weight": own["attention.output.dense.weight"],
            "self_attn.out_proj.bias": own["attention.output.dense.bias"],
            "linear1.weight": own["intermediate.dense.weight"],
            "linear1.bias": own["intermediate.dense.bias"],
            "linear2.weight": own["output.dense.weight"],
            "linear2.bias": own["output.dense.bias"],
            "norm1.weight": own["attention.output.LayerNorm.weight"],
            "norm1.bias": own["attention.output.LayerNorm.bias"],
            "norm2.weight": own["output.LayerNorm.weight"],
            "norm2.bias": own["output.LayerNorm.bias"],
        }
    )
    x = np.random.default_rng(1).normal(0, 1, (2, 5, DIM)).astype(np.float32)
    with torch.no_grad():
        expected = layer(torch.tensor(x)).numpy()
    found = encoder._layer(x, np.zeros((2, 1, 1, 5), np.float32), name)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_network_of_another_shape_is_refused():
    with pytest.raises(InvalidValue, match="expected a network of 6 layers for 9 words"):
        SentenceEncoder(draw_tensors(), PIECES[:-1])


def write_model(folder: Path) -> None:
    """Write the drawn network as its publisher does."""
    head: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in draw_tensors().items():
        ends = [len(body), len(body) + tensor.nbytes]
        head[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": ends}
        body += tensor.tobytes()
    text = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")


def test_files_are_read_as_they_were_written_and_damage_is_told(tmp_path, encoder):
    write_model(tmp_path)
    found = open_sentence_encoder(tmp_path).encode(["unable tea"])
    np.testing.assert_array_equal(found, encoder.encode(["unable tea"]))
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="install it anew"):
        open_sentence_encoder(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ModelError, match=str(tmp_path)):
        open_sentence_encoder(tmp_path)


def test_the_shipped_vectors_are_of_the_networks_classes_and_of_length_1():
    names = np.load(NAMES).astype(np.float32) / 127
    assert names.shape == (imagenet_nouns().n_classes, DIM)
    np.testing.assert_allclose(np.linalg.norm(names, axis=1), 1, atol=0.02)
    places = {name: row for row, name in enumerate(imagenet_nouns().class_names)}
    likest = np.argsort(-names @ names[places["golf ball"]])[:8]
    assert {"golf ball", "tennis ball"} <= {imagenet_nouns().class_names[i] for i in likest}


def test_a_word_means_the_classes_that_are_most_alike():
    tree = imagenet_nouns()
    likeness = np.zeros(tree.n_classes, np.float32)
    places = [tree.class_names.index(name) for name in ("golf ball", "volleyball")]
    likeness[places] = 0.6, 0.55
    meaning = tree.alike("frisbee", likeness)
    assert (meaning.way, meaning.n_classes) == ("alike", 0)
    assert meaning.nearest.startswith("golf ball, volleyball")
    expected = [RELATED, RELATED * np.exp(-1)]
    assert meaning.weights[places].tolist() == pytest.approx(expected, rel=1e-4)
    assert meaning.weights.max() == pytest.approx(RELATED)
    assert tree.alike("qwrtz", likeness / 2) is None


def test_a_search_uses_it_only_where_nothing_else_is_known(tmp_path, monkeypatch):
    from PIL import Image

    import vernis

    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, color in {"one": "red", "two": "blue"}.items():
        Image.new("RGB", (64, 64), color).save(folder / f"{name}.png")

    class Names:
        def likeness(self, word):
            assert word == "frisbee"
            return np.full(1000, 0.5, np.float32)

    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.embed()
        find = "find_related_names"
        monkeypatch.setattr(related_names, find, lambda: None)
        done = made.explore.search(["frisbee"])
        assert done.searches[0].results == ()
        assert any('pip install "vernis[related]"' in note for note in done.notes)
        monkeypatch.setattr(related_names, find, Names)
        done = made.explore.search(["frisbee"])
        assert {row.image for row in done.searches[0].results} == {"one.png", "two.png"}
        assert any("searched for by names that are used like it" in note for note in done.notes)
        assert made.explore.search(["one"]).searches[0].results[0].image == "one.png"
        made.explore.search(["dog"])


def test_without_the_package_there_is_none(monkeypatch):
    monkeypatch.setattr(related_names, "find_spec", lambda name: None)
    assert related_names.find_related_names() is None


def test_the_real_weights_know_what_is_alike():
    names = related_names.find_related_names()
    if names is None:
        pytest.skip('needs the extra "related"')
    assert isinstance(names, RelatedNames)
    called = imagenet_nouns().class_names
    assert called[int(names.likeness("tv").argmax())] == "television"
    assert called[int(names.likeness("handbag").argmax())] in ("mailbag", "purse")
