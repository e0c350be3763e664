"""Merges of labels and clusters, as the app asks for them and answers them."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from toy_collection import misspell_some, read_brands
from vernis.verbs.see import clusters

pytestmark = pytest.mark.app


def merges(served):
    return served.client.get("/api/merges/tags").json


def classes(served) -> dict[str, int]:
    matrix = served.session.matrix("tags")
    counts = (matrix.values == 1).sum(axis=0).tolist()
    return dict(zip(matrix.taxonomy.classes, counts, strict=True))


def test_a_merge_moves_labels_and_is_taken_back(served):
    misspell_some(served.session)
    (found,) = merges(served)["merges"]
    merge = found["merge"]
    assert (merge["label"], merge["into"], merge["count"]) == ("Birds", "bird", 3)
    assert (len(found["labelled"]), len(found["into"])) == (3, 6)
    before = classes(served)
    done = served.client.post("/api/merges/tags", {"accept": [["Birds", "bird"]]}).json
    assert done["images"] == 3
    assert classes(served)["bird"] == before["bird"] + 3
    assert merges(served)["merges"] == []
    assert served.client.post("/api/undo", {"batch": done["batch"]}).status == 200
    assert classes(served) == before
    assert len(merges(served)["merges"]) == 1


def test_labels_that_are_different_things_are_not_proposed_again(served):
    misspell_some(served.session)
    done = served.client.post("/api/merges/tags", {"dismiss": [["Birds", "bird"]]}).json
    assert (done["images"], bool(done["batch"])) == (0, True)
    assert (merges(served)["merges"], merges(served)["dismissed"]) == ([], 1)
    batch = served.client.get(f"/api/batches/{done['batch']}").json["batch"]
    assert (batch["source"], batch["note"]) == ("human:ann", "no merge: Birds and bird")
    assert served.client.post("/api/undo", {"batch": done["batch"]}).status == 200
    assert len(merges(served)["merges"]) == 1


def test_merges_that_cannot_be_are_refused(served):
    for body, status in (
        ({}, 422),
        ({"accept": [["bird", "bird"]]}, 400),
        ({"accept": [["bird", "swan"]]}, 404),
    ):
        answer = served.client.post("/api/merges/tags", body)
        assert (answer.status, bool(answer.json["error"])) == (status, True)


def test_merging_does_not_wait_for_who_writes(served):
    misspell_some(served.session)
    with served.session.lock("a job"):
        done = served.client.post("/api/merges/tags", {"accept": [["Birds", "bird"]]})
    assert done.status == 200


def test_a_cluster_becomes_a_class(served):
    nothing = served.client.get("/api/clusters").json
    assert (nothing["found"], nothing["clusters"]) == (False, [])
    clusters.work(served.session, clusters.Settings(k=(3,)))
    found = served.client.get("/api/clusters").json["clusters"]
    assert [one["size"] for one in found] == [10, 10, 10]
    first = found[0]
    assert first["made"] is None
    assert len(first["central"]) > 3
    given = {"name": "swimmers", "numbers": [first["number"]], "into": "groups"}
    made = served.client.post("/api/clusters", given).json
    assert (made["taxonomy"], made["classes"]) == ("groups", {"swimmers": 10})
    told = {
        one["number"]: one["made"] for one in served.client.get("/api/clusters").json["clusters"]
    }
    assert told.pop(first["number"]) == {"taxonomy": "groups", "label": "swimmers"}
    assert set(told.values()) == {None}
    assert served.client.post("/api/undo", {"batch": made["batch"]}).status == 200
    again = served.client.get("/api/clusters").json["clusters"]
    assert {one["made"] for one in again} == {None}
    assert served.client.post("/api/clusters", {"name": " ", "numbers": [1]}).status == 422
    assert served.client.post("/api/clusters", {"name": "x", "numbers": [99]}).status == 404


def brands(served):
    return served.client.get("/api/brands/kind").json


def test_brands_that_are_read_are_judged_against_what_is_given(served):
    assert (brands(served)["found"], brands(served)["rows"]) == (False, [])
    contradicted, bare = read_brands(served.session)
    found = brands(served)
    differing, missing = found["rows"]
    assert found["found"]
    assert (differing["image"]["id"], differing["given"], differing["suggested"]) == (
        contradicted,
        ["fish"],
        ["bird"],
    )
    assert (missing["image"]["id"], missing["issue"], missing["suggested"]) == (
        bare,
        None,
        ["fish"],
    )
    assert missing["read"][0]["box"] == [40, 30, 30, 10]
    answer = {"issue": differing["issue"], "answer": "accept", "key": "read-1"}
    done = served.client.post("/api/decisions", {"answers": [answer]}).json["answers"][0]
    assert done["outcome"]["state"] == "done"
    row = served.client.get(f"/api/images/rows?ids={contradicted}").json[0]
    assert row["labels"]["kind"] == ["bird"]
    served.client.post("/api/labels", {"taxonomy": "kind", "ids": [bare], "remove": ["fish"]})
    assert brands(served)["rows"] == []


def test_a_part_of_a_picture_is_drawn_from_its_own_pixels(served):
    from io import BytesIO

    from PIL import Image

    images = served.client.get("/api/images?limit=500&order=largest").json["images"]
    first = next(one["id"] for one in images if one["uri"].endswith("00.jpg"))
    path = f"/api/images/{first}/crop?x=100&y=200&width=300&height=150"
    answer = served.client.get(path + "&v=1")
    part = Image.open(BytesIO(answer.body))
    assert (part.size, part.format) == ((300, 150), "JPEG")
    assert "immutable" in answer.headers["cache-control"]
    outside = f"/api/images/{first}/crop?x=2300&y=0&width=101&height=10"
    assert served.client.get(outside).status == 422
