"""Search by pictures: images, parts of them, and pictures that are sent."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason='needs the extra "app"')

pytestmark = pytest.mark.app


@pytest.fixture
def network(served):
    """A network whose vectors say which of the three directions is brightest."""

    def embed(pixels):
        vector = np.zeros(8, np.float32)
        vector[int(pixels.reshape(-1, 3).mean(axis=0).argmax())] = 1
        return vector

    served.desk.examples._open = ("toy", embed)


def similar(served, query: str):
    answer = served.client.get(f"/api/similar?{query}")
    assert answer.status == 200, answer.body
    count = len(answer.body) // 8
    ids = np.frombuffer(answer.body[: 4 * count], "<u4")
    return ids.tolist(), np.frombuffer(answer.body[4 * count :], "<f4")


def labels(served, ids) -> list[str]:
    rows = served.client.get(f"/api/images/rows?ids={','.join(map(str, ids))}").json
    return [row["uri"].split("/")[-2] for row in rows]


def picture(color: str) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (40, 30), color).save(stream, "PNG")
    return stream.getvalue()


def of(served, folder: str) -> list[int]:
    images = served.client.get("/api/images?limit=500").json["images"]
    return [one["id"] for one in images if f"{folder}/" in one["uri"]]


def test_images_come_in_the_order_of_their_likeness(served):
    (first, second, *_), (fish, *_) = of(served, "bird"), of(served, "fish")
    ids, values = similar(served, f"like={first}")
    assert (len(ids), ids[0]) == (30, first)
    assert values[0] == pytest.approx(1, abs=1e-5)
    assert (np.diff(values) <= 0).all()
    assert set(labels(served, ids[:10])) == {"bird"}
    ids, _ = similar(served, f"like={first}&like={fish}&rule=any")
    assert set(labels(served, ids[:20])) == {"bird", "fish"}
    ids, _ = similar(served, f"like={first}&like={second}&unlike={fish}")
    assert set(labels(served, ids[-10:])) == {"fish"}
    ids, _ = similar(served, f"like={first}&where=kind:tree")
    assert 0 < len(ids) < 30


def test_a_picture_that_is_sent_is_searched_by(served, network):
    sent = served.client.post("/api/examples", picture("lime"), Content_Type="image/png")
    name = sent.json["name"]
    ids, _ = similar(served, f"like={name}")
    assert set(labels(served, ids[:10])) == {"fish"}  # the second direction
    assert served.client.get("/api/similar?like=sent:gone").status == 404
    text = served.client.post("/api/examples", b"no picture", Content_Type="image/png")
    assert text.status == 422
    assert served.client.post("/api/examples", b"x", Content_Type="text/plain").status == 415


def test_a_part_of_an_image_is_searched_by(served, network):
    (first, *_) = of(served, "bird")
    ids, _ = similar(served, f"like={first}@0.1,0.1,0.5,0.5")
    assert len(ids) == 30
    for wrong in ("x", f"{first}@1,2", f"{first}@0.9,0,0.5,1", "999", ""):
        assert served.client.get(f"/api/similar?like={wrong}").status >= 400
