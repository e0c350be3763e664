"""A random sample that is judged in the app."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

pytestmark = pytest.mark.app

PATH = "/api/samples/kind"


def sample(served):
    return served.client.get(PATH).json["sample"]


def judge(served, **judged):
    body = [{"image": int(image[1:]), "labels": labels} for image, labels in judged.items()]
    return served.client.post(f"{PATH}/judgements", {"judged": body})


def test_a_sample_is_drawn_judged_and_recorded_as_one_batch(served):
    assert sample(served) is None
    assert served.client.get("/api/samples/nothing").status == 404
    drawn = served.client.post(PATH, {"size": 12, "seed": 1}).json
    assert (len(drawn["images"]), drawn["judged"], drawn["population"]) == (12, 0, 30)
    assert set(drawn["images"][0]) == {"image", "offered", "judged"}  # nothing that sways
    first, second, third = (one["image"]["id"] for one in drawn["images"][:3])
    found = {f"i{first}": ["bird"], f"i{second}": [], f"i{third}": ["Fish"]}
    assert judge(served, **found).json == {"judged": 3}
    assert judge(served, **{f"i{third}": None}).json == {"judged": 2}
    now = sample(served)
    assert [one["judged"] for one in now["images"][:3]] == [["bird"], [], None]
    assert served.client.post(PATH, {"size": 5}).status == 400  # what was judged is not lost
    done = served.client.post(f"{PATH}/record").json
    assert (done["judged"], done["sample"], bool(done["batch"])) == (2, 12, True)
    assert done["measures"]["given"]["accuracy"]["value"] is not None
    row = served.client.get(f"/api/images/rows?ids={first}").json[0]
    assert row["labels"]["kind"] == ["bird"]
    batch = served.client.get(f"/api/batches/{done['batch']}").json["batch"]
    assert (batch["source"], batch["verb"]) == ("human:ann", "truth")
    assert sample(served)["recorded"] == done["batch"]
    assert served.client.post(PATH, {"size": 5}).status == 200


def test_judgements_that_cannot_be_are_refused(served):
    drawn = served.client.post(PATH, {"size": 3}).json
    inside = drawn["images"][0]["image"]["id"]
    outside = next(
        one["id"]
        for one in served.client.get("/api/images?limit=30").json["images"]
        if one["id"] not in [image["image"]["id"] for image in drawn["images"]]
    )
    assert judge(served, **{f"i{inside}": ["swan"]}).status >= 400
    assert judge(served, **{f"i{inside}": ["bird", "fish"]}).status >= 400
    assert judge(served, **{f"i{outside}": ["bird"]}).status == 404
    assert served.client.post(f"{PATH}/record").status == 400
    assert served.client.post(PATH, {"size": 0}).status == 422
    assert sample(served)["judged"] == 0


def test_a_sample_by_doubt_tells_how_many_labels_are_wrong(served):
    drawn = served.client.post(PATH, {"size": 14, "by_doubt": True}).json
    assert drawn["by_doubt"]
    rows = [one["image"]["id"] for one in drawn["images"]]
    given = served.client.get(f"/api/images/rows?ids={','.join(map(str, rows))}").json
    assert all(row["labels"]["kind"] for row in given)  # of labelled images alone
    truth = {f"i{row['id']}": row["labels"]["kind"] for row in given}
    judge(served, **truth)
    done = served.client.post(f"{PATH}/record").json
    assert (done["measures"], done["changes"]) == (None, None)
    found = done["wrong"]
    assert (found["judged"], found["found"], found["wrong"]["low"]) == (14, 0, 0)
    assert found["wrong"]["high"] > found["wrong"]["value"] >= 0
    queues = served.client.get("/api/queues").json
    assert [one["judged"] for one in queues if one["taxonomy"] == "kind"] == [found]
    served.client.post("/api/undo", {"batch": done["batch"], "yes": True})
    queues = served.client.get("/api/queues").json
    assert [one["judged"] for one in queues if one["taxonomy"] == "kind"] == [None]
