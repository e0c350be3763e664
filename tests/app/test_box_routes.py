"""Boxes drawn by hand, as the app sends them: each change one batch, which undo takes back."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from toy_collection import locate_by_hand
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region

pytestmark = pytest.mark.app


@pytest.fixture
def image(served) -> int:
    images = served.client.get("/api/images?limit=500").json["images"]
    return next(one["id"] for one in images if one["uri"].endswith("01.jpg"))  # 97 x 72


def boxes(served, image: int):
    return served.client.get(f"/api/images/{image}/boxes").json


def change(served, image: int, **what):
    return served.client.post(f"/api/images/{image}/boxes", what)


def draw(served, image: int, box=(10, 20, 30, 40), label="bird", taxonomy="tags"):
    wanted = {"box": list(box), "taxonomy": taxonomy, "label": label}
    return change(served, image, draw=[wanted]).json


def carries(served, image: int, label: str) -> bool:
    row = served.client.get(f"/api/images/rows?ids={image}").json[0]
    return label in row["labels"].get("tags", [])


def test_a_box_is_drawn_moved_named_and_removed_and_each_is_taken_back(served, image):
    assert boxes(served, image) == []
    done = draw(served, image)
    (box,) = done["objects"]
    assert (box["label"], box["box"], box["holds"]) == ("bird", [10.0, 20.0, 30.0, 40.0], True)
    assert box["source"] == "human:ann"
    assert done["drawn"] == [box["region"]]
    assert carries(served, image, "bird")
    moved = change(served, image, move=[{"region": box["region"], "box": [0, 0, 5, 6]}]).json
    (there,) = moved["objects"]
    assert (there["label"], there["box"]) == ("bird", [0.0, 0.0, 5.0, 6.0])
    other = {"region": there["region"], "taxonomy": "tags", "label": "fish"}
    (named,) = change(served, image, name=[other]).json["objects"]
    assert (named["label"], named["region"]) == ("fish", there["region"])
    removed = change(served, image, remove=[there["region"]]).json
    assert (removed["objects"], removed["drawn"]) == ([], [])
    assert served.client.post("/api/undo", {"batch": removed["batch"]}).status == 200
    assert [one["label"] for one in boxes(served, image)] == ["fish"]
    served.client.post("/api/undo", {})
    assert [one["label"] for one in boxes(served, image)] == ["bird"]
    assert served.client.post("/api/undo", {"batch": moved["batch"]}).status == 200
    assert [one["box"] for one in boxes(served, image)] == [[10.0, 20.0, 30.0, 40.0]]
    assert served.client.post("/api/undo", {"batch": done["batch"]}).status == 200
    assert boxes(served, image) == []


def test_what_a_model_proposes_is_accepted_or_removed(served, image):
    picture = (97, 72)
    new = [
        NewRegion(
            image, Region(Box(x, 5, 20, 20), picture), (RegionLabel("tags", "tree", "yes", p),)
        )
        for x, p in ((5, 0.9), (40, 0.4))
    ]
    served.session.catalog.regions.add(new, source="model:finder@1", verb="detect")
    one, two = boxes(served, image)
    assert (one["holds"], two["holds"], carries(served, image, "tree")) == (False, False, False)
    done = change(served, image, accept=[one["region"]], remove=[two["region"]]).json
    (left,) = done["objects"]
    assert (left["region"], left["holds"]) == (one["region"], True)
    assert carries(served, image, "tree")
    assert served.client.post("/api/undo", {"batch": done["batch"]}).status == 200
    assert [row["holds"] for row in boxes(served, image)] == [False, False]


def test_a_new_class_and_a_new_taxonomy_are_made(served, image):
    (box,) = draw(served, image, label="swan", taxonomy="objects")["objects"]
    assert (box["taxonomy"], box["label"]) == ("objects", "swan")
    draw(served, image, label="Swan", taxonomy="objects")
    taxonomies = served.client.get("/api/collection").json["taxonomies"]
    assert {one["name"]: one["classes"] for one in taxonomies}["objects"] == ["swan"]


def test_boxes_that_cannot_be_are_refused_and_nothing_is_recorded(served, image):
    outside = {"box": [200, 10, 5, 5], "taxonomy": "tags", "label": "bird"}
    inside = {"box": [1, 1, 5, 5], "taxonomy": "tags", "label": "bird"}
    assert change(served, image, draw=[inside, outside]).status == 422
    assert change(served, image, draw=[{**inside, "label": " "}]).status == 422
    assert change(served, image, remove=[99]).status == 404
    assert boxes(served, image) == []
    drawn = draw(served, image)["drawn"]
    others = served.client.get("/api/images?limit=2").json["images"]
    other = next(one["id"] for one in others if one["id"] != image)
    assert change(served, other, remove=drawn).status == 404
    assert change(served, image, accept=drawn).status == 200


def test_a_box_that_reaches_outside_is_cut(served, image):
    (box,) = draw(served, image, box=(-10, 60, 40, 40))["objects"]
    assert box["box"] == [0.0, 60.0, 30.0, 12.0]


def test_where_a_label_is_comes_as_a_map(served, image):
    from base64 import b64decode

    path = f"/api/images/{image}/heat"
    assert served.client.get(path).json == []
    assert locate_by_hand(served.session, "01.jpg") == image
    (found,) = served.client.get(path).json
    assert (found["taxonomy"], found["label"], found["confidence"]) == ("kind", "bird", 0.8)
    heat = b64decode(found["heat"])
    assert (len(heat), heat[0], heat[-1]) == (found["side"] ** 2, 255, 0)
