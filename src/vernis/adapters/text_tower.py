"""The text tower of a CLIP-like pair: an ONNX graph and its ``tokenizer.json``.

The tower lies in a folder as ``NAME.onnx`` (by convention ``text.onnx``) beside ``tokenizer.json``
and, optionally, ``NAME.json`` with what the graph does not say about itself; see ``TextSettings``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, MissingExtra, ModelError

if TYPE_CHECKING:
    import onnxruntime

DEFAULT_CONTEXT = 77
"""Tokens a text is cut or filled to where neither graph nor settings say (that of CLIP)."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """What ``NAME.json`` beside a text tower may say.

    Attributes
    ----------
    image : str
        File of the image tower, relative to the folder; its stem is the tower's ``space``.
    context : int
        Tokens a text is cut or filled to; 0: as the graph's input is fixed, else 77.
    pad_id : int
        The token that fills short texts; -1: the one of ``tokenizer.json``, else 0.
    output : str
        The tensor that is the text's vector; "": ``text_embeds`` or the first with two axes.
    """

    image: str = ""
    context: int = 0
    pad_id: int = -1
    output: str = ""

    def __post_init__(self) -> None:
        if self.context < 0:
            raise InvalidValue(f"expected a context of 1 token or more, got {self.context}")


def open_text_encoder(name: Path | str) -> TextTower:
    """Return the text tower of an ``.onnx`` file, or of a folder that holds ``text.onnx``.

    Raises
    ------
    ModelError
        A file is missing, damaged or no text tower.
    MissingExtra
        The package ``tokenizers`` is not installed.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "text.onnx"
    if not path.is_file() or path.suffix.lower() != ".onnx":
        what = "no text model" if path.is_file() else "no such text model"
        raise ModelError(
            f"{path}: {what}; name an .onnx file, or a folder with text.onnx, that has its "
            "tokenizer.json beside it"
        )
    return TextTower(path, read_text_settings(path.with_suffix(".json")))


def read_text_settings(path: Path) -> TextSettings:
    """Read the settings beside a text tower; the defaults when there is no such file.

    Raises
    ------
    ModelError
        The file is not a JSON object of known keys and sound values.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return TextSettings()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error})") from error
    types: dict[str, type] = {"image": str, "context": int, "pad_id": int, "output": str}
    known = [field.name for field in fields(TextSettings)]
    if not isinstance(document, dict):
        raise ModelError(f"{path}: expected a JSON object with the keys {', '.join(known)}")
    for key, value in document.items():
        if key not in types:
            raise ModelError(f"{path}: unknown key {key!r}; known are {', '.join(known)}")
        if type(value) is not types[key]:
            raise ModelError(f"{path}: expected {types[key].__name__} for {key!r}, got {value!r}")
    try:
        return TextSettings(**document)
    except InvalidValue as error:
        raise ModelError(f"{path}: {error}") from error


class TextTower:
    """Encodes texts on ONNX Runtime. Implements ``TextEncoder``.

    Parameters
    ----------
    path : Path
        The ONNX file; its inputs are token ids ``(n, tokens)`` and, where it has a second one, the
        attention mask.
    settings : TextSettings

    Raises
    ------
    ModelError, MissingExtra
        See ``open_text_encoder``.
    """

    def __init__(self, path: Path, settings: TextSettings) -> None:
        self.name = path.stem
        self.space = Path(settings.image).stem if settings.image else ""
        self._path = path
        self._session = _open_graph(path)
        inputs = self._session.get_inputs()
        masks = [value for value in inputs if "mask" in value.name.lower()]
        ids = [value for value in inputs if value not in masks]
        if len(ids) != 1 or len(masks) > 1 or "int" not in ids[0].type:
            found = ", ".join(f"{value.name} ({value.type})" for value in inputs)
            raise ModelError(
                f"{path}: expected token ids and perhaps a mask as inputs, got {found}"
            )
        self._ids, self._mask = ids[0], masks[0] if masks else None
        self._output = self._choose_output(settings.output)
        fixed = ids[0].shape[1] if len(ids[0].shape) == 2 else 0
        fixed = fixed if isinstance(fixed, int) else 0
        if fixed and settings.context not in (0, fixed):
            raise ModelError(
                f"{path.with_suffix('.json')}: a context of {settings.context}, but {path.name} "
                f"takes {fixed} tokens"
            )
        context = settings.context or fixed or DEFAULT_CONTEXT
        self._tokenizer = _open_tokenizer(path.parent / "tokenizer.json", context, settings.pad_id)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, shape ``(len(texts), dim)``.

        A text of more tokens than the tower takes is cut.

        Raises
        ------
        InvalidValue
            There is no text, or it is blank.
        ModelError
            The graph fails on the tokens.
        """
        if not texts or not all(text.strip() for text in texts):
            raise InvalidValue("expected words to encode, got a blank text")
        encoded = self._tokenizer.encode_batch(list(texts))
        feeds = {self._ids.name: _as_input(self._ids, [item.ids for item in encoded])}
        if self._mask is not None:
            masks = [item.attention_mask for item in encoded]
            feeds[self._mask.name] = _as_input(self._mask, masks)
        try:
            # One text at a time: every text gets the same vector whatever its company.
            rows = [
                self._session.run(
                    [self._output], {name: array[i : i + 1] for name, array in feeds.items()}
                )[0]
                for i in range(len(texts))
            ]
        except Exception as error:
            from vernis.adapters.backbones.onnx_backbone import plain_reason

            # ONNX Runtime's exceptions have no common base but Exception.
            raise ModelError(
                f"{self._path}: the text tower failed ({plain_reason(error)})"
            ) from error
        vectors = np.concatenate(rows).astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if vectors.ndim != 2 or not np.isfinite(lengths).all() or not lengths.all():
            raise ModelError(f"{self._path}: {self._output!r} is no vector that can be scaled to 1")
        return np.asarray(vectors / lengths, np.float32)

    def _choose_output(self, wanted: str) -> str:
        outputs = self._session.get_outputs()
        names = [value.name for value in outputs]
        if wanted:
            if wanted not in names:
                known = ", ".join(names)
                raise ModelError(f"{self._path}: no output {wanted!r}; there are {known}")
            return wanted
        flat = [value.name for value in outputs if len(value.shape or ()) == 2]
        chosen = "text_embeds" if "text_embeds" in flat else next(iter(flat), "")
        if not chosen:
            raise ModelError(f"{self._path}: expected an output of shape (n, dim), got none")
        return chosen


def _as_input(value: Any, rows: list[list[int]]) -> NDArray[Any]:
    return np.asarray(rows, np.int32 if "int32" in value.type else np.int64)


def _open_graph(path: Path) -> onnxruntime.InferenceSession:
    import onnx

    from vernis.adapters.backbones.onnx_backbone import open_session

    try:
        # Read as a whole: weights may lie in files of their own beside it.
        model = onnx.load(str(path)).SerializeToString()
    except Exception as error:
        # Protobuf raises its own DecodeError for any foreign bytes.
        reason = " ".join(str(error).split())
        raise ModelError(f"{path}: not a readable ONNX model ({reason})") from error
    return open_session(model, path)


def _open_tokenizer(path: Path, context: int, pad_id: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("text", "search by words with a text model") from error
    if not path.is_file():
        raise ModelError(f"{path}: no such file; the text model needs its tokenizer.json beside it")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # The package raises a bare Exception for foreign contents.
        raise ModelError(f"{path}: not a readable tokenizer ({error})") from error
    own = tokenizer.padding or {}
    padding = pad_id if pad_id >= 0 else int(own.get("pad_id", 0))
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(
        length=context, pad_id=padding, pad_token=own.get("pad_token", "[PAD]")
    )
    return tokenizer
