"""What each precision would fill, as the app asks for it."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from toy_collection import leave_some_to_fill, locate_by_hand
from vernis.session.session import Session

pytestmark = pytest.mark.app


def test_a_curve_is_drawn_by_a_job_and_sampled(served, toy):
    state = served.client.get("/api/fill/kind").json
    assert (state["learned"], state["curve"]) == (False, None)
    assert served.client.get("/api/fill/kind/samples?precision=0.6").status == 404
    bare = leave_some_to_fill(toy)
    settings = {"taxonomy": "kind", "curve": True}
    answer = served.client.post("/api/verbs/fill", settings, Prefer="wait=120")
    assert answer.status == 200, answer.body
    state = served.client.get("/api/fill/kind").json
    curve = state["curve"]
    assert state["learned"]
    assert not curve["changed"]
    assert (curve["n_images"], curve["n_labelled"]) == (30, 24)
    first, last = curve["points"][0], curve["points"][-1]
    assert (first["precision"], first["suggested"], first["rate"]) == (0.6, 6, 1.0)
    assert first["classes"] == {"bird": 2, "fish": 2, "tree": 2}
    assert (last["precision"], last["suggested"]) == (0.99, 0)
    assert "cannot be promised" in last["notes"][0]
    assert {one["id"] for one in curve["label_next"]} == set(bare)
    samples = served.client.get("/api/fill/kind/samples?precision=0.6").json
    assert {one["image"]["id"] for one in samples} == set(bare)
    sure = [one["probability"] for one in samples]
    assert sure == sorted(sure)
    most = served.client.get("/api/fill/kind/samples?precision=0.6&order=most&limit=2").json
    assert [one["image"] for one in most] == [one["image"] for one in samples[:-3:-1]]
    birds = served.client.get("/api/fill/kind/samples?precision=0.6&label=bird").json
    assert {one["label"] for one in birds} == {"bird"}
    assert served.client.get("/api/fill/kind/samples?precision=0.61").status == 422
    with Session.open(toy) as session:
        session.catalog.images.set_state([bare[0]], "trashed")
    left = served.client.get("/api/fill/kind/samples?precision=0.6").json
    assert {one["image"]["id"] for one in left} == set(bare[1:])


def test_a_sample_says_where_its_label_would_be(served, toy):
    leave_some_to_fill(toy)
    served.client.post("/api/verbs/fill", {"taxonomy": "kind", "curve": True}, Prefer="wait=120")
    ask = "/api/fill/kind/samples?precision=0.6&label=bird"
    bird, other = served.client.get(ask).json
    assert (bird["place"], other["place"]) == (None, None)
    with Session.open(toy) as session:
        image = locate_by_hand(session, bird["image"]["uri"])
    bird, other = served.client.get(ask).json
    x, y, width, height = bird["place"]["box"]
    assert (bird["image"]["id"], bird["place"]["source"]) == (image, "heat map")
    assert max(x, y) < 3
    assert abs(width - bird["image"]["width"] / 2) < 6
    assert abs(height - bird["image"]["height"] / 2) < 6
    assert other["place"] is None


def test_a_curve_says_that_labels_have_changed_since(served, toy):
    bare = leave_some_to_fill(toy)
    served.client.post("/api/verbs/fill", {"taxonomy": "kind", "curve": True}, Prefer="wait=120")
    given = {"taxonomy": "kind", "ids": bare[:1], "add": ["bird"]}
    assert served.client.post("/api/labels", given).status == 200
    assert served.client.get("/api/fill/kind").json["curve"]["changed"]
