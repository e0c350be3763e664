"""Queues, answers to them, undo: what the review screen asks for."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.session.session import Session
from vernis.verbs.decide.answers import Answer, take_answers
from vernis.verbs.decide.label_judgement import judge_labels

pytestmark = pytest.mark.app


def queue(served, **query):
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return served.client.get(f"/api/queue?taxonomy=kind&{asked}").json


def answer(served, *answers, together=False):
    return served.client.post("/api/decisions", {"answers": list(answers), "together": together})


def label_of(served, image):
    said = served.session.catalog.labels.statements("kind", image)
    return said[0][1].label


def test_queues_tell_what_is_left_and_about_how_many_are_wrong(served):
    found = {(one["kind"], one["taxonomy"]): one for one in served.client.get("/api/queues").json}
    labels = found["label", "kind"]
    assert (labels["open"], labels["decided"], labels["about_wrong"]) == (5, 0, 4.5)
    assert found["blurry", ""]["open"] == 2
    assert next(iter(found)) == ("label", "kind")


def test_a_page_follows_the_one_before_also_where_scores_are_equal(served):
    every = [item["issue"] for item in queue(served, limit=500)["items"]]
    assert len(every) == 5
    found, after = [], ""
    while after is not None:
        page = queue(served, limit=2, after=after) if after else queue(served, limit=2)
        found += [item["issue"] for item in page["items"]]
        after = page["next"]
    assert found == every
    blurry = served.client.get("/api/queue?kind=blurry&limit=1").json
    rest = served.client.get(f"/api/queue?kind=blurry&after={blurry['next']}").json
    assert [one["issue"] for one in blurry["items"] + rest["items"]] == sorted(
        one["issue"] for one in blurry["items"] + rest["items"]
    )
    body = served.client.get("/api/queue/ids?taxonomy=kind").body
    assert list(struct.unpack(f"<{len(body) // 4}I", body)) == every


def test_an_item_names_the_place_of_its_label_where_a_region_tells_it(served):
    item = queue(served)["items"][0]
    assert item["places"] == []
    image, (label,) = item["image"], item["suggested"]
    box = Region(Box(1, 2, 5, 4), (image["width"], image["height"]))
    region = NewRegion(image["id"], box, (RegionLabel("kind", label, "yes", 0.7),))
    served.session.catalog.regions.add([region], source="model:x", verb="detect")
    (place,) = queue(served)["items"][0]["places"]
    assert place == {"label": label, "box": [1.0, 2.0, 5.0, 4.0], "source": "model:x"}


def test_an_item_holds_what_decides_it(served):
    item = queue(served)["items"][0]
    assert (item["given"], item["suggested"], item["change"]) == (["fish"], ["bird"], "replaced")
    assert [one["label"] for one in item["neighbors"]] == ["bird"] * 3
    assert {one["label"] for one in item["classes"]} == {"bird", "fish", "tree"}
    witnesses = served.client.get(f"/api/issues/{item['issue']}/witnesses?k=2").json
    assert [(one["label"], one["given"], len(one["images"])) for one in witnesses] == [
        ("fish", True, 2),
        ("bird", False, 2),
    ]
    assert item["image"]["id"] not in [w["image"]["id"] for o in witnesses for w in o["images"]]
    several = served.client.get(f"/api/witnesses?issues={item['issue']},99999&k=2").json
    assert several == [witnesses, None]
    assert served.client.get("/api/issues/999999").status == 404
    assert served.client.get("/api/queue?taxonomy=nothing").status == 404


def test_accepting_changes_the_label_and_undo_changes_it_back(served):
    item = queue(served)["items"][0]
    image = item["image"]["id"]
    done = answer(served, {"issue": item["issue"], "answer": "accept", "key": "k1"})
    assert done.status == 200
    outcome = done.json["answers"][0]["outcome"]
    assert (outcome["state"], outcome["verdict"], outcome["changes"]) == ("done", "accepted", 1)
    assert label_of(served, image) == "bird"
    assert queue(served)["open"] == 4
    history = served.client.get(f"/api/images/{image}/history").json
    assert history[-1]["source"] == "human:ann"
    undone = served.client.post("/api/undo", {"batch": outcome["batch"]}).json
    assert undone["images"] == [image]
    assert label_of(served, image) == "fish"
    assert queue(served)["items"][0]["issue"] == item["issue"]
    assert served.client.post("/api/redo").json["undone"]["batch"] == outcome["batch"]
    assert label_of(served, image) == "bird"


def test_an_answer_that_is_sent_again_is_recorded_once(served):
    item = queue(served)["items"][0]
    sent = {"issue": item["issue"], "answer": "accept", "key": "once"}
    first = answer(served, sent).json["answers"][0]["outcome"]
    batches = len(served.client.get("/api/batches").json["batches"])
    again = answer(served, sent).json["answers"][0]["outcome"]
    assert (again["state"], again["batch"]) == ("known", first["batch"])
    # A server that was started anew has no memory of the key, and the ledger has.
    forgotten = answer(served, {**sent, "key": "other"})
    outcome = forgotten.json["answers"][0]["outcome"]
    assert (forgotten.status, outcome["state"], outcome["batch"]) == (200, "known", first["batch"])
    assert len(served.client.get("/api/batches").json["batches"]) == batches


def test_another_persons_decision_is_a_conflict_that_says_who_and_when(served):
    item = queue(served)["items"][0]
    take_answers(served.session, [Answer(item["issue"], "dismiss")], who="bob")
    refused = answer(served, {"issue": item["issue"], "answer": "accept", "key": "late"})
    assert refused.status == 409
    outcome = refused.json["answers"][0]["outcome"]
    assert (outcome["state"], outcome["verdict"], outcome["by"]) == ("conflict", "dismissed", "bob")
    assert outcome["time"].startswith("20")
    assert label_of(served, item["image"]["id"]) == "fish"
    other = queue(served)["items"][0]["issue"]
    mixed = answer(
        served,
        {"issue": item["issue"], "answer": "accept"},
        {"issue": other, "answer": "accept"},
        {"issue": 999999, "answer": "accept"},
    )
    assert mixed.status == 200
    states = [one["outcome"]["state"] for one in mixed.json["answers"]]
    assert states == ["conflict", "done", "gone"]


def test_answers_together_are_one_batch(served):
    issues = [item["issue"] for item in queue(served)["items"]]
    done = answer(served, *({"issue": i, "answer": "accept"} for i in issues), together=True)
    batches = {one["outcome"]["batch"] for one in done.json["answers"]}
    assert len(batches) == 1
    assert queue(served)["open"] == 0
    served.client.post("/api/undo", {"batch": batches.pop()})
    assert queue(served)["open"] == 5


def test_another_class_is_recorded_and_the_given_one_is_a_dismissal(served):
    first, second, third = queue(served)["items"][:3]
    done = answer(
        served,
        {"issue": first["issue"], "answer": "label", "labels": ["tree"]},
        {"issue": second["issue"], "answer": "label", "labels": second["given"]},
        {"issue": third["issue"], "answer": "label", "labels": ["unicorn"]},
    )
    outcomes = [one["outcome"] for one in done.json["answers"]]
    assert [one["state"] for one in outcomes] == ["done", "done", "refused"]
    assert "unicorn" in outcomes[2]["reason"]
    assert label_of(served, first["image"]["id"]) == "tree"
    verdicts = [
        served.client.get(f"/api/issues/{item['issue']}").json["verdict"]
        for item in (first, second, third)
    ]
    assert verdicts == ["accepted", "dismissed", "open"]


@pytest.mark.parametrize(
    "sent",
    [
        {"answers": [{"issue": 1, "answer": "destroy"}]},
        {"answers": [{"issue": "x", "answer": "accept"}]},
        {"answers": [{"issue": 1, "answer": "accept", "labels": ["bird"]}]},
        {"answers": [{"issue": 1, "answer": "accept"}] * 1001},
        {},
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(served, sent):
    refused = served.client.post("/api/decisions", sent)
    assert refused.status in (400, 422)
    assert "\n" not in refused.json["error"]
    assert "Traceback" not in refused.body.decode()


def test_people_decide_while_another_process_holds_the_writers_lock(served, toy):
    item = queue(served)["items"][0]
    with Session.open(toy) as other, other.lock("learn"):
        outcome = answer(served, {"issue": item["issue"], "answer": "accept"}).json["answers"][0]
        assert outcome["outcome"]["state"] == "done"
        batch = outcome["outcome"]["batch"]
        assert served.client.post("/api/undo", {"batch": batch}).status == 200


def test_groups_are_answered_as_one_batch(served):
    group = served.client.get("/api/duplicates").json["groups"][0]
    keeper, other = (image["id"] for image in group["images"])
    images = [keeper, other]
    sent = {"groups": [{"images": images, "keep": other}]}
    done = served.client.post("/api/duplicates/decisions", sent).json
    assert done["kept"] == 1
    group = served.client.get("/api/duplicates").json["groups"][0]
    assert [image["id"] for image in group["images"]] == [other, keeper]
    assert group["images"][0]["chosen"]
    served.client.post("/api/undo", {"batch": done["batch"]})
    sent = {"groups": [{"images": images, "no_copies": [other]}]}
    done = served.client.post("/api/duplicates/decisions", sent).json
    assert done["dismissed"] == 1
    assert served.client.get("/api/duplicates").json["total"] == 0
    wrong = {"groups": [{"images": [keeper], "keep": other}]}
    assert served.client.post("/api/duplicates/decisions", wrong).status == 400


def test_after_some_decisions_the_labels_are_judged_anew_as_a_job(served, monkeypatch):
    from vernis.app import desk

    monkeypatch.setattr(desk, "RELEARN_AFTER", 2)
    issues = [item["issue"] for item in queue(served)["items"]]
    answer(served, *({"issue": issue, "answer": "accept"} for issue in issues[:2]))
    assert served.desk.jobs.rows() == ()  # judged by hand: there is nothing to judge anew
    judge_labels(served.session, "kind")
    suspects = served.session.catalog.issues.select(("label",), "kind", flagged_only=False)
    for expected, issue in enumerate(suspects[:2]):
        assert len(served.desk.jobs.rows()) == 0, expected
        answer(served, {"issue": issue.id, "answer": "dismiss", "seen": issue.verdict})
    (job,) = served.desk.jobs.rows()
    assert (job.verb, job.by, job.settings["taxonomy"]) == ("issues", "ann", "kind")
    assert served.desk.jobs.wait(job.id, 120).job.state == "done"


def test_what_somebody_is_unsure_of_is_left_out_until_it_is_asked_for(served):
    def queue(more: str = ""):
        path = f"/api/queue?kind=label&taxonomy=kind{more}"
        return [item["issue"] for item in served.client.get(path).json["items"]]

    def counts():
        (found,) = [q for q in served.client.get("/api/queues").json if q["taxonomy"] == "kind"]
        return found["open"], found["decided"], found["unsure"]

    every = queue()
    body = {"answers": [{"issue": every[1], "answer": "unsure", "key": "u1"}]}
    done = served.client.post("/api/decisions", body).json["answers"][0]["outcome"]
    assert (done["state"], done["verdict"]) == ("done", "open")
    assert queue() == [every[0], *every[2:]]
    assert queue("&limit=1&after=" + str(every[0])) == [every[2]]
    assert queue("&unsure=true") == [every[1]]
    assert queue("&verdict=any") == every
    assert counts() == (5, 0, 1)
    batch = served.client.get(f"/api/batches/{done['batch']}").json["batch"]
    assert (batch["source"], batch["verb"]) == ("human:ann", "unsure")
    # Issues that are found anew have other ids; the mark is about the image.
    issues = served.session.catalog.issues
    issues.replace(["label"], issues.select(("label",), "kind"), "kind")
    assert (len(queue()), len(queue("&unsure=true"))) == (4, 1)
    assert served.client.post("/api/undo", {"batch": done["batch"]}).status == 200
    assert (len(queue()), counts()) == (5, (5, 0, 0))


def test_a_brief_page_leaves_out_what_a_wall_does_not_show(served):
    full = served.client.get("/api/queue?taxonomy=kind").json
    brief = served.client.get("/api/queue?taxonomy=kind&detail=brief").json
    assert full["items"][0]["neighbors"]
    assert full["items"][0]["classes"]
    bare = {"neighbors": [], "classes": [], "places": []}
    assert brief == {**full, "items": [{**item, **bare} for item in full["items"]]}
