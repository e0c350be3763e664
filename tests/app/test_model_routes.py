"""Saved models asked by other programs: pictures in, labels out."""

from __future__ import annotations

import base64
import io
import tempfile

import numpy as np
import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from PIL import Image

from vernis.app.keys import Person
from vernis.app.serving import Models
from vernis.session.networks import Networks
from vernis.session.session import Session
from vernis.verbs.steps import learn

pytestmark = pytest.mark.app


class ColourReader:
    """Makes the vector of a class of its strongest colour: red bird, green fish, blue tree."""

    def __init__(self, space):
        self.space = space

    def open(self):
        return lambda pixels: np.eye(3, 8, dtype="f4")[int(pixels.mean(axis=(0, 1)).argmax())]


@pytest.fixture
def asked(served, monkeypatch):
    """A server whose collection has a trained model of ``kind``."""
    monkeypatch.setattr(Networks, "open_space", lambda self, space: ColourReader(space))
    learn.work(served.session, learn.Settings("kind"))
    models = Models(served.session)
    served.app.state.models = models
    yield served
    served.app.state.models = None
    models.close()


def picture(colour: str, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(stream, format)
    return stream.getvalue()


def form(*parts: tuple[str, bytes]) -> tuple[bytes, str]:
    mark = "between-the-pictures"
    body = b"".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="p"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in parts
    )
    return body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def predict(asked, body, kind="image/png", model="kind"):
    return asked.client.post(f"/api/models/{model}/predict", body, Content_Type=kind)


def test_one_picture_is_labelled_as_the_command_line_does(asked):
    assert [one["name"] for one in asked.client.get("/api/models").json] == ["kind"]
    for colour, label in (("red", "bird"), ("lime", "fish"), ("blue", "tree")):
        (row,) = predict(asked, picture(colour)).json
        assert (row["labels"][0]["label"], row["reason"]) == (label, "")
        assert 0 < row["labels"][0]["probability"] <= 1


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_form_of_pictures_is_answered_in_order_and_bad_ones_say_why(
    asked, tmp_path, monkeypatch, in_memory
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.setattr("vernis.app.serving._OPEN_FILES", tmp_path / "nowhere")
    body, kind = form(
        ("a.png", picture("blue")),
        ("..\\..\\b/../c.png", b"no picture"),
        ("<img onerror>", picture("red", "JPEG")),
    )
    rows = predict(asked, body, kind).json
    assert [row["image"] for row in rows] == ["a.png", "..\\..\\b/../c.png", "<img onerror>"]
    assert [bool(row["labels"]) for row in rows] == [True, False, True]
    assert rows[1]["reason"]
    assert not list(tmp_path.glob("vernis-*"))


def test_requests_at_the_same_time_get_each_its_own_answer(asked):
    from concurrent.futures import ThreadPoolExecutor

    wanted = [("red", "bird"), ("lime", "fish"), ("blue", "tree")] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: predict(asked, picture(one[0])).json, wanted))
    labels = [rows[0]["labels"][0]["label"] for rows in found]
    assert labels == [label for _, label in wanted]


@pytest.mark.parametrize(
    ("body", "kind", "model", "status"),
    [
        (b"", "image/png", "kind", 422),
        (b"x", "text/plain", "kind", 415),
        (picture("red"), "image/png", "nothing", 404),
        (picture("red"), "image/png", "kind@9", 404),
        (*form(*((f"{n}.png", b"x") for n in range(65))), "kind", 400),
        (*form(), "kind", 422),
    ],
)
def test_what_is_no_picture_is_refused(asked, body, kind, model, status):
    refused = predict(asked, body, kind, model)
    assert refused.status == status
    assert "Traceback" not in refused.body.decode()


def test_the_open_inference_protocol_gives_the_probabilities_of_all_classes(asked):
    told = asked.client.get("/v2/models/kind").json
    classes = told["outputs"][0]["parameters"]["labels"]
    assert classes == ["bird", "fish", "tree"]
    data = [base64.b64encode(one).decode() for one in (picture("lime"), b"no picture")]
    sent = {
        "id": "7",
        "inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": data}],
    }
    answer = asked.client.post("/v2/models/kind/infer", sent)
    assert answer.status == 200
    (tensor,) = answer.json["outputs"]
    assert (answer.json["id"], tensor["shape"], tensor["datatype"]) == ("7", [2, 3], "FP32")
    (row,) = predict(asked, picture("lime")).json
    best = int(np.argmax(tensor["data"][:3]))
    assert classes[best] == row["labels"][0]["label"] == "fish"
    assert tensor["data"][best] == row["labels"][0]["probability"]
    assert tensor["data"][3:] == [None] * 3
    assert list(answer.json["parameters"]["unreadable"]) == ["1"]
    version = told["versions"][0]
    assert asked.client.get(f"/v2/models/kind/versions/{version}/ready").json["ready"]
    assert asked.client.get("/v2/models/kind/versions/99").status == 404
    assert asked.client.get("/v2/health/live").json["live"]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "image", "shape": [1], "datatype": "FP32", "data": ["AAAA"]},
        {"name": "image", "shape": [2], "datatype": "BYTES", "data": ["AAAA"]},
        {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["§"]},
        {"name": "image", "shape": [1], "datatype": "BYTES", "data": [7]},
        {"name": "image", "shape": [0], "datatype": "BYTES", "data": []},
        {"name": "image", "shape": [65], "datatype": "BYTES", "data": ["AAAA"] * 65},
    ],
)
def test_a_tensor_that_holds_no_pictures_is_refused(asked, given):
    assert asked.client.post("/v2/models/kind/infer", {"inputs": [given]}).status == 422


def test_a_viewer_may_ask_a_model(asked):
    asked.keys._person = Person("vic", "viewer")
    assert predict(asked, picture("red")).status == 200


def test_the_folder_of_a_model_is_served_without_its_collection(asked, toy):
    (folder,) = (toy / "models").iterdir()
    alone = Models(Session(None), folder)
    assert [record.name for record in alone.records()] == ["kind"]
    (judged,) = alone.open("kind", 1).judge([picture("blue")])
    assert judged.labels[0][0] == "tree"
    alone.close()
