"""Maps as the app asks for them: points, colours, sheets of pictures."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from PIL import Image

from vernis.app.pictures import SHEET
from vernis.domain.maps import MapPoints, MapRecord

pytestmark = pytest.mark.app


@pytest.fixture
def mapped(served):
    """A map on which the images lie in a row by their id, one of them missing."""
    images = sorted(served.session.images(), key=lambda one: one.content_hash)[1:]
    hashes = tuple(dict.fromkeys(image.content_hash for image in images))
    first = {image.content_hash: image.id for image in reversed(images)}
    places = np.array([[first[content], 2.0 * (first[content] % 2)] for content in hashes])
    quality = {"trustworthiness": 1.0, "preservation": 1.0, "n_neighbors": 1, "judged": 1}
    made = {"method": "pca", "components": 2, "seed": 0}
    record = MapRecord("m", {"name": "toy"}, made, quality)
    points = MapPoints(hashes, places, np.zeros(len(hashes), bool))
    served.session.catalog.maps.replace(record, points)
    return [image.id for image in images if first[image.content_hash] == image.id], images


def points(served, path="/api/map/points"):
    body = served.client.get(path).body
    (count,) = struct.unpack_from("<I", body)
    ids = np.frombuffer(body, "<u4", count, 4)
    places = np.frombuffer(body, "<f4", 2 * count, 4 + 4 * count).reshape(-1, 2)
    assert len(body) == 4 + 12 * count
    return ids, places


def test_without_a_map_it_is_said_how_one_is_made(served):
    assert served.client.get("/api/maps").json["maps"] == []
    answer = served.client.get("/api/map/points")
    assert (answer.status, "vernis map" in answer.json["error"]) == (404, True)


def test_points_are_the_present_images_with_y_downwards(served, mapped):
    _, images = mapped
    ids, places = points(served)
    assert sorted(ids.tolist()) == sorted(image.id for image in images)
    assert places.min() == 0
    assert places.max() == 1
    shown = dict(zip(ids.tolist(), places.tolist(), strict=True))
    low, high = min(shown), max(shown)
    assert shown[low][0] < shown[high][0]
    even = [y for image, (_, y) in shown.items() if image % 2 == 0]
    assert min(even) > 0  # they lay lower, and y goes down


def test_colours_follow_a_decision(served, mapped):
    ids, _ = points(served)
    path = "/api/map/colors?by=taxonomy&taxonomy=kind"
    before = served.client.get(path).json
    assert sum(before["counts"]) >= len([code for code in before["codes"] if code >= 0])
    image = int(ids[0])
    row = served.client.get(f"/api/images/rows?ids={image}").json[0]
    other = next(name for name in before["classes"] if name not in row["labels"].get("kind", []))
    given = {"taxonomy": "kind", "ids": [image], "add": [other]}
    assert served.client.post("/api/labels", given).json["changes"] > 0
    after = served.client.get(path).json
    assert after["classes"][after["codes"][0]] == other


@pytest.mark.parametrize("by", ["issue", "year"])
def test_every_kind_of_colour_has_a_code_for_each_point(served, mapped, by):
    ids, _ = points(served)
    found = served.client.get(f"/api/map/colors?by={by}").json
    assert len(found["codes"]) == len(ids)
    assert max(found["codes"]) == len(found["classes"]) - 1
    assert served.client.get("/api/map/colors?by=cluster").status == 404
    assert served.client.get("/api/map/colors?by=taxonomy&taxonomy=no").status == 404


def test_a_sheet_holds_the_pictures_that_were_drawn(served, mapped):
    ids, _ = points(served)
    served.client.get(f"/api/bundle?ids={','.join(map(str, ids[:3]))}")
    answer = served.client.get("/api/map/sheets/0")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"  # not all of them were drawn
    sheet = np.asarray(Image.open(io.BytesIO(answer.body)).convert("L"), float)
    cells = [sheet[: SHEET.edge, at * SHEET.edge : (at + 1) * SHEET.edge] for at in (0, 5)]
    assert cells[0].std() > 2
    assert cells[1].std() < 2
    assert served.client.get("/api/map/sheets/1").status == 404
    assert served.client.get("/api/map/sheets/-1").status == 404
