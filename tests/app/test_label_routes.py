"""Labels of many images by one request, as one batch."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

pytestmark = pytest.mark.app


def count(served, where: str) -> int:
    return served.client.get(f"/api/images?limit=1&where={where}").json["total"]


def label(served, **wanted):
    return served.client.post("/api/labels", wanted)


def test_a_filter_is_labelled_as_one_batch_that_one_undo_takes_back(served):
    before = count(served, "kind:bird")
    done = label(served, taxonomy="kind", where="kind:bird", add=["tree"], expected=before)
    assert done.json["images"] == before
    assert count(served, "kind:bird") == 0
    undone = served.client.post("/api/undo", {"batch": done.json["batch"]})
    assert undone.status == 200
    assert count(served, "kind:bird") == before
    source = served.client.get(f"/api/batches/{done.json['batch']}").json["batch"]["source"]
    assert source == "human:ann"


def test_labels_of_several_are_added_and_removed_and_again_change_nothing(served):
    ids = [image["id"] for image in served.client.get("/api/images?limit=4").json["images"]]
    wanted = {"taxonomy": "tags", "ids": [*ids, ids[0]], "add": ["new"], "remove": ["bird"]}
    assert label(served, **wanted).status == 404
    done = label(served, **wanted, create=True).json
    assert (done["images"], done["new_classes"]) == (4, ["new"])
    assert count(served, "tags:new") == 4
    rows = served.client.get(f"/api/images/rows?ids={','.join(map(str, ids))}").json
    assert all("bird" not in row["labels"]["tags"] for row in rows)
    assert label(served, **wanted).json["batch"] == 0


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"ids": [1]}, 422),
        ({"add": ["bird"]}, 422),
        ({"ids": [1], "where": "kind:bird", "add": ["bird"]}, 422),
        ({"ids": [1], "add": ["bird", "fish"]}, 422),
        ({"ids": [1], "add": ["bird"], "remove": ["bird"]}, 422),
        ({"ids": [999999], "add": ["bird"]}, 404),
        ({"ids": [1], "add": ["unicorn"]}, 404),
        ({"where": "kind:bird", "add": ["tree"], "expected": 1}, 409),
        ({"where": "kind:", "add": ["tree"]}, 400),
    ],
)
def test_what_cannot_be_labelled_is_refused_and_changes_nothing(served, wanted, status):
    before = served.client.get("/api/batches").json["batches"][0]["id"]
    refused = label(served, taxonomy="kind", **wanted)
    assert refused.status == status
    assert refused.json["error"]
    assert served.client.get("/api/batches").json["batches"][0]["id"] == before
