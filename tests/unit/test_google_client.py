"""Google's own client takes the tests' server for its service, so its protocol is the real one."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.services.google_vision import GoogleVision
from vernis.adapters.services.requests import Caller
from vernis.domain.annotations import Question, SentPicture

sys.path.insert(0, str(Path(__file__).parent))
import fake_services as fake

pytestmark = pytest.mark.google


def jpeg(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def client():
    """Yield the server and Google's client of it."""
    vision = pytest.importorskip("google.cloud.vision")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.vision_v1.services.image_annotator import transports

    with fake.serving() as service:
        transport = transports.ImageAnnotatorRestTransport(
            host=service.url.removeprefix("http://"),
            credentials=AnonymousCredentials(),
            url_scheme="http",
        )
        yield service, vision.ImageAnnotatorClient(transport=transport)


def requests_of(colours: list[str]):
    from google.cloud import vision

    kinds = vision.Feature.Type
    features = [
        vision.Feature(type_=kind)
        for kind in (kinds.LABEL_DETECTION, kinds.LOGO_DETECTION, kinds.TEXT_DETECTION)
    ]
    return [
        vision.AnnotateImageRequest(image=vision.Image(content=jpeg(colour)), features=features)
        for colour in colours
    ]


def test_both_clients_are_told_the_same(client):
    service, google = client
    theirs = google.batch_annotate_images(requests=requests_of(["red", "lime", "blue"])).responses
    ours = GoogleVision(Caller(f"{service.url}/v1/images:annotate"))
    question = Question(("labels", "logos", "text"))
    pictures = [SentPicture(name, jpeg(name), 96, 64) for name in ("red", "lime", "blue")]
    replies = ours.ask(pictures, question).replies
    for told, reply in zip(theirs, replies, strict=True):
        labels = [(one.description, one.score) for one in told.label_annotations]
        assert labels == [
            (one.name, pytest.approx(one.score, abs=1e-6))
            for one in ours.labels(reply.content["labels"], question)
        ]
        logos = ours.logos(reply.content["logos"], 96, 64)
        assert [one.description for one in told.logo_annotations] == [one.text for one in logos]
        text = ours.text(reply.content["text"], 96, 64)
        assert told.full_text_annotation.text == "".join(one.text for one in text)
        for line, page in zip(text, told.full_text_annotation.pages, strict=True):
            box = page.blocks[0].paragraphs[0].words[0].bounding_box.vertices
            assert line.corners.tolist() == [[v.x, v.y] for v in box]
    assert service.calls[0].pictures == service.calls[1].pictures


def test_errors_are_those_that_googles_client_knows(client):
    from google.api_core.exceptions import BadRequest

    service, google = client
    service.faults.append(fake.status(503))
    assert len(google.batch_annotate_images(requests=requests_of(["red"])).responses) == 1
    assert len(service.calls) == 2  # it has asked again
    with pytest.raises(BadRequest, match="Too many images"):
        google.batch_annotate_images(requests=requests_of(["red"] * 17))
    service.per_picture = lambda colour: {"error": {"code": 3, "message": "Bad image data."}}
    (told,) = google.batch_annotate_images(requests=requests_of(["red"])).responses
    assert (told.error.code, told.error.message) == (3, "Bad image data.")
