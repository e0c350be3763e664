"""The shipped detector: its graph, its cells and what it keeps of a picture."""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from vernis.adapters.backbones.onnx_backbone import open_session
from vernis.adapters.detectors import nanodet
from vernis.adapters.detectors.looking import fit_picture
from vernis.adapters.detectors.nanodet import COCO, shipped_model
from vernis.core.detect.cells import Cells, Detections, find_objects
from vernis.core.detect.vectors import ObjectTable, to_vector

REPOSITORY = Path(__file__).parents[2]
WEIGHTS = Path(nanodet.__file__).with_name("weights")


@pytest.fixture(scope="module")
def tool() -> Any:
    sys.path.insert(0, str(REPOSITORY / "tools"))
    try:
        return importlib.import_module("export_detector")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load_from_string(shipped_model().graph).graph


def random_weights(tool: Any) -> Any:
    """Return weights of the right shapes, as the package holds them."""
    rng = np.random.default_rng(3)

    class Wanted(dict[str, Any]):
        def take(self, outputs: int, inputs: int, side: int) -> Any:
            scale = (inputs * side * side) ** -0.5
            return (
                rng.normal(0, scale, (outputs, inputs, side, side)),
                rng.normal(0, 0.1, outputs),
            )

        def finish(self) -> None:
            pass

    return Wanted()


def test_the_maximum_pads_for_itself(graph: onnx.GraphProto) -> None:
    # A Pad of minus infinity before it would ruin the ranges of 8 bits without an error.
    assert not [node for node in graph.node if node.op_type == "Pad"]
    (pool,) = (node for node in graph.node if node.op_type == "MaxPool")
    attributes = {one.name: list(one.ints) for one in pool.attribute}
    assert attributes["pads"] == [1, 1, 1, 1]
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        assert np.isfinite(values.astype(np.float64)).all(), tensor.name


def test_the_graph_takes_any_size(graph: onnx.GraphProto) -> None:
    # Maps resized to the sizes of 416 pixels would not fit each other here.
    for node in graph.node:
        if node.op_type == "Resize":
            assert len(node.input) == 3  # scales, no sizes
    session = open_session(shipped_model().graph, "test")
    for height, width in ((32, 32), (64, 96), (320, 416)):
        maps = session.run(None, {"images": np.zeros((1, height, width, 3), np.uint8)})
        assert [one.shape for one in maps] == [
            (1, 124, height // stride, width // stride) for stride in (8, 16, 32)
        ]


def test_the_float_graph_of_the_tool_is_the_published_network(tool: Any) -> None:
    model = tool.build_model(tool.FloatDetector(), random_weights(tool))
    kinds = [node.op_type for node in model.graph.node if node.op_type != "Cast"]
    assert kinds.count("Conv") == 34
    assert kinds.count("LeakyRelu") == 28
    assert kinds.count("Concat") == 12


def test_colours_are_turned_round_for_the_first_convolution(tool: Any) -> None:
    first = np.zeros((32, 3, 3, 3))
    first[:, 0] = 1  # of the original: blue

    class Blue:
        def __init__(self) -> None:
            self.inner = random_weights(tool)
            self.first = True

        def take(self, outputs: int, inputs: int, side: int) -> Any:
            kernel, bias = self.inner.take(outputs, inputs, side)
            kernel, self.first = (first if self.first else kernel), False
            return kernel, bias

        def finish(self) -> None:
            pass

    model = tool.build_model(tool.FloatDetector(), Blue())
    stored = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    kernel = stored["stem.conv.weight"]
    assert not kernel[:, :2].any()
    np.testing.assert_allclose(kernel[:, 2], 1 / 57.375, rtol=1e-6)
    assert stored["images.mean"].ravel() == pytest.approx([123.675, 116.28, 103.53])


def test_the_ranges_hold_no_padding(tool: Any) -> None:
    document = json.loads(Path(tool.CALIBRATION).read_text())
    for name, (low, high) in document["ranges"].items():
        assert -1e3 < low <= 0 < high < 1e3, name


def test_the_tool_reproduces_the_shipped_file(tool: Any, tmp_path: Path) -> None:
    try:
        package = tool.download_package(tmp_path)
    except (subprocess.CalledProcessError, FileNotFoundError, StopIteration):
        pytest.skip("the package registry cannot be reached")
    sums = (WEIGHTS / "SHA256SUMS").read_text().split()
    (data,) = tool.export(package).values()
    assert hashlib.sha256(data).hexdigest() == sums[0]
    assert data == shipped_model().graph


def test_a_cell_says_where_its_box_ends() -> None:
    maps = [np.full((2 + 4 * 3, 2, 3), -9.0, np.float32)]
    maps[0][1, 1, 2] = 2.0  # class 1, row 1, column 2
    maps[0][2 + 0, 1, 2] = 50  # left: bin 0
    maps[0][2 + 3 + 1, 1, 2] = 50  # upper: bin 1
    maps[0][2 + 6 + 2, 1, 2] = 50  # right: bin 2
    maps[0][2 + 9 + 1, 1, 2] = 50  # lower: bin 1
    cells = Cells.of_maps(maps, (8,), 2)
    found = find_objects(cells, least=0.5, most_overlap=0.6, at_most=5)
    assert found.classes.tolist() == [1]
    assert found.scores == pytest.approx([1 / (1 + np.exp(-2))])
    np.testing.assert_allclose(found.boxes, [[20, 4, 36, 20]], atol=1e-4)


def test_objects_survive_as_a_vector() -> None:
    boxes = np.array([[0, 0, 50, 100], [10, 20, 300, 120]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.2], np.float32), np.array([3, 79]))
    vector = to_vector(found, (200, 100), 4)
    empty = to_vector(Detections(boxes[:0], np.zeros(0, np.float32), np.zeros(0, int)), (9, 9), 4)
    table = ObjectTable.of_vectors(np.stack([empty, vector]), 0.1)
    assert table.pictures.tolist() == [1, 1]
    assert table.classes.tolist() == [3, 79]
    np.testing.assert_allclose(table.boxes, [[0, 0, 0.25, 1], [0.05, 0.2, 1, 1]])
    assert len(ObjectTable.of_vectors(np.stack([empty, vector]), 0.5)) == 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 8), (8, 3000), (300, 400)])
def test_any_picture_is_looked_at(height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    seen = fit_picture(pixels, 416)
    assert max(seen.shape[:2]) == 416
    assert min(seen.shape[:2]) >= 32
    found = shipped_model().open_detector()(pixels)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height, width, height]).all()


def test_the_classes_are_those_of_coco() -> None:
    assert len(COCO) == len(set(COCO)) == 80
    assert (COCO[0], COCO[39], COCO[79]) == ("person", "bottle", "toothbrush")
