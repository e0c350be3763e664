"""Every verb has a route from its declaration; long ones are jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.app.asking import askable_verbs, asked, path_of
from vernis.app.server import describe
from vernis.verbs.catalogue import entries

pytestmark = pytest.mark.app

DOCS = Path(__file__).resolve().parents[2] / "docs"

WITHOUT_ROUTE = {
    "apply": "reads a file of the server's disk",
    "run": "takes folders and tables of the server's disk",
    "demo": "makes a collection of its own",
    "serve": "is the server",
    "users": "says who may ask",
    "import": "reads a file of the server's disk",
    "brands": "reads a file of the server's disk",
    "export": "writes a file on the server's disk",
    "predict": "reads files of the server's disk; models have routes of their own",
    "backbones": "needs no collection",
    "layers": "needs no collection",
    "lab toy": "needs no collection",
    "lab truth": "reads a file of the server's disk",
    "lab rerun": "reads a folder of the server's disk",
    "lab diff": "reads folders of the server's disk",
    "estimate": "it names a folder of the machine",
    "plan": "it names a store that machines reach",
    "worker": "it works without the collection that is served",
    "collect": "it names a store that machines reach",
}


def test_each_verb_has_a_route_or_a_reason():
    lacking = {entry.name for entry in entries() if path_of(entry) not in askable_verbs()}
    assert lacking == WITHOUT_ROUTE.keys()
    paths = describe()["paths"]
    for name, (_, verb) in askable_verbs().items():
        method = "get" if verb.access == "read" else "post"
        assert list(paths[f"/api/verbs/{name}"]) == [method]


def test_no_route_takes_a_place_on_the_disk():
    for _, verb in askable_verbs().values():
        for setting in asked(verb):
            assert "Path" not in str(setting.type)


def test_the_description_that_is_checked_in_is_current():
    written = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert written["paths"].keys() == describe()["paths"].keys()


def test_a_reading_verb_answers_what_the_command_line_prints(served):
    status = served.client.get("/api/verbs/status").json
    assert status["images"]["present"] == 30
    rows = served.client.get("/api/verbs/labels?taxonomy=kind&limit=2")
    assert rows.status == 200
    assert served.client.get("/api/verbs/labels?taxonomy=none").status == 404
    assert served.client.get("/api/verbs/labels?taxonomy=kind&limit=0").status == 422
    shown = served.client.get("/api/verbs/show?image=1").json
    assert shown["id"] == 1


def test_a_deciding_verb_is_done_at_once_in_the_name_of_who_asks(served):
    done = served.client.post("/api/verbs/dismiss", {"what": "kind", "worst": 2}).json
    assert (done["verdict"], done["issues"]) == ("dismissed", 2)
    batch = served.client.get(f"/api/batches/{done['batch']}").json
    assert batch["batch"]["source"] == "human:ann"
    assert len(batch["images"]) == 2
    undone = served.client.post("/api/verbs/undo", {"batch": done["batch"]})
    assert undone.status == 200
    assert served.client.post("/api/verbs/dismiss", {"what": "kind", "who": "eve"}).status == 422
    assert served.client.post("/api/verbs/dismiss", {"what": "kind", "wrst": 2}).status == 422


@pytest.mark.parametrize(
    ("verb", "setting"),
    [
        ("trash", "prefer"),
        ("report", "out"),
        ("map", "out"),
        ("dismiss", "who"),
        ("read", "reader"),
    ],
)
def test_a_place_on_the_disk_or_another_name_cannot_be_asked_for(served, verb, setting):
    refused = served.client.post(f"/api/verbs/{verb}", {setting: "/etc"})
    assert refused.status == 422
    assert "can be asked for" in refused.json["error"]
    refused = served.client.get("/api/verbs/show?all=true&out=/tmp/x")
    assert (refused.status, "out" in refused.json["error"]) == (422, True)


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff"])
def test_what_is_no_object_of_settings_is_refused(served, body):
    assert served.client.post("/api/verbs/dismiss", body).status == 422


def test_a_verb_is_asked_for_in_its_own_way(served):
    assert served.client.get("/api/verbs/dismiss").status == 405
    assert served.client.post("/api/verbs/status").status == 405
    assert served.client.get("/api/verbs/nothing").status == 404
    assert served.client.get("/api/verbs/labels?taxonomy=kind&limit=x").status == 422
    assert served.client.get("/api/verbs/labels?taxonomy=kind&all=maybe").status == 422


def test_a_long_verb_is_a_job_with_progress_log_and_result(served):
    done = served.client.post("/api/verbs/taxonomies", {"taxonomy": "kind"}, Prefer="wait=120")
    assert done.status == 200, done.body
    job = done.json["job"]
    assert (job["state"], job["by"], job["verb"]) == ("done", "ann", "taxonomies")
    assert done.json["result"]
    listed = served.client.get("/api/jobs").json
    assert [one["id"] for one in listed] == [job["id"]]
    assert served.client.get(f"/api/jobs/{job['id']}").json["result"] == done.json["result"]


def test_a_job_that_cannot_be_done_says_why_in_a_line(served):
    refused = served.client.post("/api/verbs/learn", {"taxonomy": "kind", "estimators": 0})
    assert refused.status == 422
    failed = served.client.post("/api/verbs/learn", {"taxonomy": "no such"}, Prefer="wait=120")
    assert failed.status == 422
    assert failed.json["job"]["state"] == "failed"
    assert "no such" in failed.json["job"]["error"]
    assert "Traceback" not in failed.body.decode()


def test_jobs_wait_for_one_another_and_can_be_stopped(served):
    first = served.client.post("/api/verbs/lab-sample", {"taxonomy": "kind", "size": 5})
    second = served.client.post("/api/verbs/taxonomies", {"taxonomy": "tags"})
    same = served.client.post("/api/verbs/taxonomies", {"taxonomy": "tags"})
    assert (first.status, second.status) == (202, 202)
    assert second.headers["location"] == f"/api/jobs/{second.json['id']}"
    assert same.json["id"] == second.json["id"]
    stopped = served.client("DELETE", f"/api/jobs/{second.json['id']}").json
    assert stopped["state"] == "stopped"
    served.client("DELETE", f"/api/jobs/{first.json['id']}")
    ended = served.desk.jobs.wait(first.json["id"], 60).job
    assert ended.state in ("stopped", "done")
    assert served.client("DELETE", "/api/jobs/99").status == 404
