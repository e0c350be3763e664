"""The shipped text reader on drawn pictures."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vernis.adapters.readers.crops import Pyramid, cut_line
from vernis.adapters.readers.models import OnnxTextModel, folder_model, shipped_model
from vernis.adapters.readers.onnx_reader import OnnxTextReader, ReaderSettings, Region
from vernis.core.text.brands import Brand, BrandMatcher
from vernis.core.text.detection import Line
from vernis.core.text.geometry import Rectangle
from vernis.domain.errors import ModelError

sys.path.insert(0, str(Path(__file__).parent))
import posters

WEIGHTS = Path(sys.modules[shipped_model.__module__].__file__ or "").with_name("weights")


@pytest.fixture(scope="module")
def model() -> OnnxTextModel:
    return shipped_model()


@pytest.fixture(scope="module")
def reader(model: OnnxTextModel) -> OnnxTextReader:
    return model.open()


def write(*lines: tuple[str, int, int], size: tuple[int, int] = (480, 320)) -> Image.Image:
    """Return a white picture with texts at places."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for text, x, y in lines:
        draw.text((x, y), text, fill="black", font=ImageFont.load_default(40))
    return image


def test_the_shipped_files_are_those_of_the_list():
    lines = (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest() == digest
    assert len(lines) == 4
    assert {"LICENSE", "NOTICE"} <= {path.name for path in WEIGHTS.iterdir()}
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 15e6


def test_lines_are_read_with_their_places(reader):
    readings = reader.read(np.asarray(write(("Absolut Vodka", 60, 40), ("1894", 90, 200))))
    found = {reading.text: reading for reading in readings}
    assert sorted(found) == ["1894", "Absolut Vodka"]
    for text, x, y in [("Absolut Vodka", 60, 40), ("1894", 90, 200)]:
        reading = found[text]
        assert reading.confidence > 0.8
        left, top = reading.corners.min(axis=0)
        assert left == pytest.approx(x, abs=12)
        assert top == pytest.approx(y + 5, abs=14)
        assert reading.corners[0, 0] < reading.corners[1, 0]
        assert 30 / 320 < reading.height < 65 / 320
        assert reading.spelling is not None
        assert len(reading.spelling.to_bytes()) < 1500


@pytest.mark.parametrize("angle", [90, 180, 270, 20, -35, 160])
def test_turned_lines_are_read_from_their_own_start(reader, angle):
    image = write(("Ballantine's", 120, 130), size=(480, 480))
    turned = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white")
    (reading,) = reader.read(np.asarray(turned))
    assert reading.text.replace(" ", "") == "Ballantine's"
    along = reading.corners[1] - reading.corners[0]
    assert np.degrees(np.arctan2(-along[1], along[0])) % 360 == pytest.approx(angle % 360, abs=4)


@pytest.mark.parametrize("kind", ["low contrast", "blurred", "small", "arc", "bottle"])
def test_brands_on_posters_are_found(reader, kind):
    matcher = BrandMatcher([Brand(name) for name in posters.BRANDS])
    for seed, brand in enumerate(["Absolut", "Havana Club", "Ballantine's"]):
        poster = posters.draw_poster(kind, brand, np.random.default_rng(seed), [None])
        found = matcher.match(reader.read(poster.pixels))
        assert [match.brand for match in found] == [brand], (kind, brand)


def test_pictures_without_text_are_skipped_by_the_gate(model, reader):
    empty = [poster.pixels for poster in posters.draw_posters(4, kinds=(), traps=0, empty=6)]
    assert sum(reader.look(pixels) is not None for pixels in empty) <= 1
    assert reader.look(np.asarray(write(("Absolut", 60, 40)))) is not None

    def fail(batch: np.ndarray) -> np.ndarray:
        raise AssertionError("the detector ran")

    def blind(batch: np.ndarray) -> np.ndarray:
        return np.zeros((1, 1, *batch.shape[2:]), np.float32)

    skipping = OnnxTextReader(fail, fail, model.alphabet, gate=blind)
    assert skipping.read(np.asarray(write(("Absolut", 60, 40)))) == ()
    opened = replace(model, reading=ReaderSettings(gate_side=0)).open()
    height, width = empty[0].shape[:2]
    assert opened.look(empty[0]) == Region(0, 0, width, height)
    assert all(reading.confidence < 0.6 for reading in opened.read(empty[0]))


def test_the_larger_detector_looks_where_the_gate_sees_text(model, reader):
    pixels = np.asarray(write(("Ricard", 820, 560), size=(1200, 800)))
    region = reader.look(pixels)
    assert 600 < region.left < 820 < 950 < region.right
    assert 400 < region.top < 560 < 610 < region.bottom <= 800
    shown = []

    def detect(batch: np.ndarray) -> np.ndarray:
        shown.append(batch.shape[2:])
        return np.asarray(reader._detector(batch))

    watched = OnnxTextReader(detect, reader._recognizer, model.alphabet, gate=reader._gate)
    (found,), (everywhere,) = watched.find(pixels, region), watched.find(pixels)
    assert found.rectangle.center == pytest.approx(everywhere.rectangle.center, abs=6)
    assert found.rectangle.long == pytest.approx(everywhere.rectangle.long, abs=14)
    assert np.prod(shown[0]) < np.prod(shown[1]) / 2
    (reading,) = watched.read(pixels)
    assert reading.text == "Ricard"


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (7, 3), (40, 4000)])
def test_odd_shapes_hold_no_text(reader, shape):
    assert reader.read(np.full((*shape, 3), 200, np.uint8)) == ()


def test_the_same_picture_is_read_the_same(model, reader):
    pixels = np.asarray(write(("Ricard", 60, 40)))
    first, second = reader.read(pixels), model.open().read(pixels)
    assert [(r.text, r.confidence, r.height) for r in first] == [
        (r.text, r.confidence, r.height) for r in second
    ]


def test_a_strip_is_cut_level_and_at_one_height():
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[100:300, 190:210] = 255  # an upright bar
    line = Line(Rectangle((200.0, 200.0), 200.0, 20.0, np.pi / 2), 0.9)
    strip = cut_line(Pyramid(pixels), line, 0, height=48, widest=1600)
    assert strip.shape == (48, 480, 3)
    assert strip[4:-4, 4:-4].min() > 240
    assert cut_line(Pyramid(pixels), line, 0, height=48, widest=96).shape == (48, 96, 3)


def test_a_folder_of_the_owner_is_a_reader(tmp_path, reader):
    for name, own in {
        "ppocrv6_tiny_det.onnx": "det.onnx",
        "ppocrv6_tiny_rec.onnx": "rec.onnx",
        "alphabet.txt": "my_dict.txt",
    }.items():
        shutil.copy(WEIGHTS / name, tmp_path / own)
    own = folder_model(tmp_path)
    assert own.name == tmp_path.name
    (reading,) = own.open().read(np.asarray(write(("Ricard", 60, 40))))
    assert reading.text == "Ricard"
    assert own.settings["sha256"] != shipped_model().settings["sha256"]

    (tmp_path / "my_dict.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(ModelError, match="6905 symbols, its alphabet 3"):
        folder_model(tmp_path).open().read(np.asarray(write(("Ricard", 60, 40))))
    shutil.copy(tmp_path / "det.onnx", tmp_path / "det2.onnx")
    with pytest.raises(ModelError, match=r"there are 2: det\.onnx, det2\.onnx"):
        folder_model(tmp_path)
    (tmp_path / "det2.onnx").unlink()
    (tmp_path / "rec.onnx").unlink()
    with pytest.raises(ModelError, match="expected a recognizer"):
        folder_model(tmp_path)


def test_damaged_graphs_are_told_in_one_line(model):
    with pytest.raises(ModelError, match="detector: ONNX Runtime cannot load it") as caught:
        replace(model, detector=b"no graph").open()
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="detector: the network fails") as caught:
        replace(model, detector=model.recognizer).open().find(np.zeros((64, 64, 3), np.uint8))
    assert "\n" not in str(caught.value)


def test_settings_are_json_and_tell_readers_apart(model):
    import json

    told = json.loads(json.dumps(model.settings))
    other = replace(model, reading=ReaderSettings(side=800)).settings
    assert told["side"] == 544
    assert len(told["sha256"]) == 64
    assert other != model.settings
