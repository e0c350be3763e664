"""A small CLIP-like pair with random weights, exported from torch: words and pictures meet."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.text_tower import open_text_encoder

NEEDED = ("torch", "onnxscript", "tokenizers")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.text,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in NEEDED),
        reason="needs the torch and text extras",
    ),
]
WORDS = ["<pad>", "<unk>", "<end>", "a", "red", "green", "apple", "bottle"]
CONTEXT, DIM, SIDE = 8, 16, 32


def build_towers() -> tuple[Any, Any]:
    """An image tower of one convolution and a causal text tower pooled at the end token."""
    import torch
    from torch import nn

    class Image(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 24, 8, 8)
            self.project = nn.Linear(24, DIM, bias=False)

        def forward(self, images: Any) -> Any:
            return self.project(self.patches(images).relu().mean((2, 3)))

    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(len(WORDS), 24)
            self.places = nn.Parameter(torch.randn(CONTEXT, 24))
            self.block = nn.Linear(24, 24)
            self.project = nn.Linear(24, DIM, bias=False)

        def forward(self, input_ids: Any) -> Any:
            tokens = self.words(input_ids) + self.places
            mixed = self.block(tokens.cumsum(1)).relu()  # a token sees those before it
            ends = (input_ids == WORDS.index("<end>")).float().unsqueeze(-1)
            return self.project((mixed * ends).sum(1))

    torch.manual_seed(0)
    return Image().eval(), Text().eval()


def export(module: Any, example: Any, path: Path, names: tuple[str, str]) -> None:
    import torch

    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        verbose=False,
        input_names=[names[0]],
        output_names=[names[1]],
        dynamic_shapes=({0: batch},),
    )
    path.write_bytes(program.model_proto.SerializeToString())


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", WORDS.index("<end>"))]
    )
    tokenizer.save(str(path))


@pytest.mark.filterwarnings("ignore")  # torch's own, of its exporter
def test_both_towers_give_what_torch_gives(tmp_path: Path) -> None:
    import torch

    image, text = build_towers()
    export(image, torch.zeros(2, 3, SIDE, SIDE), tmp_path / "image.onnx", ("images", "embeds"))
    ids = torch.zeros(2, CONTEXT, dtype=torch.int64)
    export(text, ids, tmp_path / "text.onnx", ("input_ids", "text_embeds"))
    write_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "text.json").write_text(json.dumps({"image": "image.onnx", "context": CONTEXT}))

    encoder = open_text_encoder(tmp_path)
    space = open_backbone(str(tmp_path / "image.onnx")).reader().space
    assert (encoder.space, space.name, space.dim) == ("image", "image", DIM)

    found = encoder.encode(["a red apple", "green bottle"])
    tokens = [[3, 4, 6, 2, 0, 0, 0, 0], [5, 7, 2, 0, 0, 0, 0, 0]]
    with torch.no_grad():
        expected = torch.nn.functional.normalize(text(torch.tensor(tokens)), dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)

    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    vector = open_backbone(str(tmp_path / "image.onnx")).reader().open()(picture)
    batch = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        np.testing.assert_allclose(vector, image(batch)[0].numpy(), atol=2e-3)
    cosine = found @ vector.astype(np.float32) / np.linalg.norm(vector.astype(np.float32))
    assert np.isfinite(cosine).all()
    assert (np.abs(cosine) <= 1).all()
