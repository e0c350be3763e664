"""Networks that are trained on with torch: graphs, views, losses, and what ONNX Runtime gives."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vernis.adapters.backbones.zoo import float_weights
from vernis.adapters.detectors.nanodet import shipped_model
from vernis.adapters.training.float_graph import read_float_graph
from vernis.adapters.training.views import ViewSettings, draw_view
from vernis.core.detect.default_boxes import DefaultBoxes, find_in_default_boxes
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import InvalidValue
from vernis.domain.training import BoxedPixels

SMALL = ViewSettings(side=160, crop=128, least_scale=0.8, most_scale=1.2)


def picture(seed: int) -> BoxedPixels:
    """Return a noisy picture with a red disc and blue stripes."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(90, 170, (160, 160, 3), dtype=np.uint8))
    pen, boxes = ImageDraw.Draw(image), []
    for label, left in enumerate(rng.permutation([5, 85]).tolist()):
        x, y = left + int(rng.integers(0, 15)), int(rng.integers(5, 90))
        side = int(rng.integers(40, 60))
        if label == 0:
            pen.ellipse([x, y, x + side, y + side], fill=(230, 60, 60))
        for start in range(x, x + side, 8) if label else ():
            pen.rectangle([start, y, min(start + 4, x + side), y + side], fill=(10, 10, 90))
        boxes.append((x, y, x + side, y + side))
    return BoxedPixels(np.asarray(image), np.array(boxes, float), np.array([0, 1]))


def run(file: bytes, images: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})


def noise(height: int = 96, width: int = 128) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_an_8_bit_graph_is_read_as_the_float_network_it_stands_for():
    file, images = shipped_model().graph, noise()
    graph = read_float_graph(file)
    assert {node.kind for node in graph.nodes}.isdisjoint({"QuantizeLinear", "DequantizeLinear"})
    for near, exact in zip(run(file, images), run(graph.to_onnx(), images), strict=True):
        assert exact.shape == near.shape
        assert np.abs(exact - near).mean() < 0.05 * np.abs(exact).mean()


def test_a_view_holds_the_objects_where_its_boxes_say():
    rng = np.random.default_rng(1)
    seen = 0
    for seed in range(30):
        view = draw_view(picture(seed), SMALL, rng)
        assert view.pixels.shape == (128, 128, 3)
        assert (view.boxes >= 0).all()
        assert (view.boxes <= 128).all()
        for box, label in zip(view.boxes.round().astype(int), view.classes, strict=True):
            inner = view.pixels[box[1] + 3 : box[3] - 3, box[0] + 3 : box[2] - 3].astype(float)
            red, blue = inner[..., 0].mean(), inner[..., 2].mean()
            assert (red > blue) == (label == 0)
            seen += 1
    assert seen > 30


def test_a_box_at_the_edge_of_a_view_is_no_example():
    pixels = np.zeros((100, 400, 3), np.uint8)
    wide = BoxedPixels(pixels, np.array([[0.0, 0, 400, 100]]), np.array([0]))
    how = ViewSettings(side=400, crop=64, least_scale=1, most_scale=1, stretch=0)
    view = draw_view(wide, how, np.random.default_rng(0))
    assert len(view.boxes) == 0
    assert len(view.doubtful) == 1


def test_boxes_and_classes_of_a_training_picture_belong_together():
    with pytest.raises(InvalidValue, match="shape"):
        BoxedPixels(np.zeros((8, 8, 3), np.uint8), np.zeros((2, 4)), np.array([0]))


@pytest.mark.torch
@pytest.mark.parametrize("network", ["detector", "backbone"])
def test_torch_and_onnx_runtime_give_the_same(network):
    torch = pytest.importorskip("torch")
    from vernis.adapters.training.network import TrainableNetwork

    detector = read_float_graph(shipped_model().graph)
    backbone = read_float_graph(float_weights()).cut(["stage4", "features"])
    graph, images = detector if network == "detector" else backbone, noise()
    trained = TrainableNetwork(torch, graph, ("stem", "stage0"))
    assert "stage0.in.weight" not in trained.parameters
    by_torch = [one.detach().numpy() for one in trained(torch.from_numpy(images))]
    for a, b in zip(by_torch, run(trained.trained().to_onnx(), images), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


@pytest.mark.torch
def test_the_shipped_detector_learns_other_classes():
    pytest.importorskip("torch")
    from vernis.adapters.training.nanodet_training import NanodetTraining

    trainer = NanodetTraining(views=SMALL, batch=4)
    done = []
    *_, graph = trainer.train(
        [picture(seed) for seed in range(6)],
        2,
        steps=40,
        stops=[20, 40],
        seed=0,
        on_step=done.append,
    )
    assert done == list(range(1, 41))
    find, right = trainer.open(graph, 2, 0.2), 0
    for seed in range(20, 26):
        shown = picture(seed)
        found = find(shown.pixels)
        fit = overlaps(found.boxes.astype(float), shown.boxes)
        for label in (0, 1):
            own = np.flatnonzero(found.classes == label)
            right += bool(len(own)) and fit[own[0], label] > 0.5
    assert right >= 10


@pytest.mark.torch
def test_an_ssd_finds_what_torchvision_finds():
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    from torchvision.models.detection.image_list import ImageList

    from vernis.adapters.training.ssd_training import torchvision_ssd

    default = DefaultBoxes((8, 16, 32, 64, 128), (6, 15, 30, 60, 90, 120), ((2,),) * 5)
    torch.manual_seed(0)
    model = torchvision_ssd(default, 128, 2).eval()
    maps = [torch.randn(1, n, -(-128 // s), -(-128 // s)) for n, s in CHANNELS]
    outputs = model.head(maps)
    shown = ImageList(torch.zeros(1, 3, 128, 128), [(128, 128)])
    model.score_thresh, model.topk_candidates = 0.55, 100_000
    (expected,) = model.postprocess_detections(
        outputs, model.anchor_generator(shown, maps), [(128, 128)]
    )
    heads = model.head.classification_head, model.head.regression_head
    classes, sides = (
        [layer(one)[0].detach().numpy() for layer, one in zip(head.module_list, maps, strict=True)]
        for head in heads
    )
    found = find_in_default_boxes(
        default, classes, sides, 2, least=0.55, most_overlap=1.0, at_most=100_000
    )
    wanted = {tuple(row) for row in expected["boxes"].detach().numpy().round(1).tolist()}
    given = {tuple(row) for row in found.boxes.clip(0, 128).round(1).tolist()}
    assert len(wanted) > 5
    assert wanted <= given


CHANNELS = ((40, 8), (112, 16), (320, 32), (256, 64), (256, 128))


@pytest.mark.torch
def test_an_ssd_is_trained_and_run_by_onnx_runtime():
    pytest.importorskip("torchvision")
    from vernis.adapters.training.ssd_training import SsdTraining

    trainer = SsdTraining(views=SMALL, batch=4)
    pictures = [picture(seed) for seed in range(4)]
    graph = next(trainer.train(pictures, 2, steps=2, stops=[2], seed=0))
    again = next(trainer.train(pictures, 2, steps=2, stops=[2], seed=0))
    assert graph == again
    found = trainer.open(graph, 2, 0.01)(pictures[0].pixels)
    assert len(found)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= 160).all()
    assert set(found.classes.tolist()) <= {0, 1}
    assert len(trainer.open(graph, 2, 0.3)(pictures[0].pixels)) == 0  # it begins with nothing


def test_sizes_and_ratios_of_default_boxes_belong_to_maps():
    with pytest.raises(InvalidValue, match="3 sizes"):
        DefaultBoxes((8, 16), (1, 2), ((2,), (2,)))
