"""Where readers come from: the one that is shipped, or a folder of the owner's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.readers.onnx_reader import Network, OnnxTextReader, ReaderSettings
from vernis.domain.errors import ModelError

if TYPE_CHECKING:
    from vernis.adapters.backbones.onnx_backbone import OpenSession

SHIPPED = "ppocrv6"
LEAST_SIDE = 1440
"""Pixels of the shorter side that pictures keep: what the detector sees is then 20 px tall."""
_WEIGHTS = Path(__file__).with_name("weights")


@dataclass(frozen=True)
class OnnxTextModel:
    """Graphs of a detector and a recognizer, from which each worker opens a reader.

    Attributes
    ----------
    name : str
    detector, recognizer : bytes
        ONNX graphs.
    alphabet : tuple of str
        The recognizer's symbols after the blank.
    gate : bytes
        A quicker detector that looks first; empty for none.
    reading : ReaderSettings
    start : callable, optional
        Opens the sessions on another device than the processor.
    """

    name: str
    detector: bytes = field(repr=False)
    recognizer: bytes = field(repr=False)
    alphabet: tuple[str, ...] = field(repr=False)
    gate: bytes = field(default=b"", repr=False)
    reading: ReaderSettings = field(default_factory=ReaderSettings)
    start: OpenSession | None = field(default=None, repr=False, compare=False)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the readings depend on, as JSON."""
        graphs = (self.gate, self.detector, self.recognizer, "\n".join(self.alphabet).encode())
        checksum = hashlib.sha256(b"".join(hashlib.sha256(g).digest() for g in graphs))
        return {"sha256": checksum.hexdigest(), **asdict(self.reading)}

    def open(self) -> OnnxTextReader:
        """Return a reader for one worker.

        Raises
        ------
        ModelError
            When a graph is damaged or does not fit its alphabet.
        """

        def network(graph: bytes, what: str) -> Network:
            return _network(graph, f"{self.name}, {what}", self.start)

        return OnnxTextReader(
            network(self.detector, "detector"),
            network(self.recognizer, "recognizer"),
            self.alphabet,
            gate=network(self.gate, "gate") if self.gate else None,
            settings=self.reading,
        )


def shipped_model(reading: ReaderSettings | None = None) -> OnnxTextModel:
    """Return the reader that comes with Vernis (PP-OCRv6, Apache License 2.0)."""

    def load(name: str) -> bytes:
        try:
            return (_WEIGHTS / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{_WEIGHTS / name}: missing, install Vernis anew") from error

    return OnnxTextModel(
        SHIPPED,
        load("ppocrv6_small_det.onnx"),
        load("ppocrv6_tiny_rec.onnx"),
        _split_alphabet(load("alphabet.txt").decode()),
        load("ppocrv6_tiny_det.onnx"),
        reading or ReaderSettings(),
    )


def folder_model(folder: Path, reading: ReaderSettings | None = None) -> OnnxTextModel:
    """Return a reader from a folder with a detector, a recognizer and an alphabet.

    The folder, or folders in it, hold one ``*det*.onnx`` and one ``*rec*.onnx`` in PaddleOCR's form
    and the alphabet: a text file ``*dict*.txt`` or ``alphabet.txt`` with one symbol a line, or the
    metadata ``character`` of the recognizer, as ``rapidocr`` writes it. The shipped small detector
    is the gate.

    Raises
    ------
    ModelError
        When one of them is missing, doubled or unreadable.
    """
    detector = _only(folder, ["*det*.onnx"], "a detector (*det*.onnx)")
    recognizer = _only(folder, ["*rec*.onnx"], "a recognizer (*rec*.onnx)")
    try:
        graphs = detector.read_bytes(), recognizer.read_bytes()
        alphabet = _embedded_alphabet(graphs[1], recognizer)
        if not alphabet:
            names = ["*dict*.txt", "alphabet.txt"]
            listed = _only(folder, names, "an alphabet (*dict*.txt or alphabet.txt)")
            alphabet = _split_alphabet(listed.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}: cannot read the reader's files ({error})") from error
    gate = shipped_model().gate
    reading = reading or ReaderSettings()
    return OnnxTextModel(folder.name, *graphs, alphabet, gate, reading)


def _only(folder: Path, patterns: Sequence[str], what: str) -> Path:
    found = sorted({path for pattern in patterns for path in folder.rglob(pattern)})
    if not found:
        raise ModelError(f"{folder}: expected {what}, there is none")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise ModelError(f"{folder}: expected {what}, there are {len(found)}: {names}")
    return found[0]


def _split_alphabet(text: str) -> tuple[str, ...]:
    """Return the symbols of a file; the blank between words comes last, as PaddleOCR adds it."""
    return (*(line.rstrip("\r") for line in text.rstrip("\r\n").split("\n")), " ")


def _embedded_alphabet(model: bytes, source: object) -> tuple[str, ...]:
    from vernis.adapters.backbones.onnx_backbone import open_session

    text = open_session(model, source).get_modelmeta().custom_metadata_map.get("character", "")
    return _split_alphabet(text) if text else ()


def _network(model: bytes, source: str, start: OpenSession | None) -> Network:
    from vernis.adapters.backbones.onnx_backbone import open_session, plain_reason

    session: Any = (start or open_session)(model, source)
    name = session.get_inputs()[0].name

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return np.asarray(session.run(None, {name: batch})[0])
        except Exception as error:
            # ONNX Runtime's exceptions have no common base but Exception.
            raise ModelError(f"{source}: the network fails ({plain_reason(error)})") from error

    return run
