"""``annotate`` against a server on this machine: nothing sent unasked, nothing paid twice."""

from __future__ import annotations

import io
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.adapters.services.requests import Caller, Pace
from vernis.domain.annotations import ServiceVersion
from vernis.domain.errors import ServiceError, UsageError
from vernis.domain.types import Statement, Taxonomy

sys.path.insert(0, str(Path(__file__).parent))
import fake_services as fake
from fake_services import KEY, Service

GOOGLE = ServiceVersion("google-vision")
PRICE = 1.5 / 1000
COLOURS = ("red", "green", "blue")


def draw(path: Path, colour: str, seed: int, size: tuple[int, int] = (96, 64), **more) -> None:
    noise = np.random.default_rng(seed).integers(0, 60, (size[1], size[0], 3), np.uint8)
    noise[..., COLOURS.index(colour)] += 150
    Image.fromarray(noise).save(path, **more)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("GOOGLE_VISION_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sleep = Caller._sleep
    monkeypatch.setattr(Caller, "_sleep", lambda self, seconds, lost: sleep(self, 0, lost))
    with fake.serving() as served:
        yield served


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vernis.Collection]:
    """Yield 20 pictures and a copy: 7 red, 7 green, 6 blue."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        draw(folder / f"{number:02}.jpg", COLOURS[number % 3], number)
    (folder / "copy.jpg").write_bytes((folder / "00.jpg").read_bytes())
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        yield made


def ask(collection: vernis.Collection, service: Service, **more):
    """Ask with prices of Google's table, which a server on this machine does not have."""
    return collection.annotate(**{"endpoint": service.url, "price": 1.5, **more})


def send(collection: vernis.Collection, service: Service, **more):
    return ask(collection, service, **{"send": True, "budget": 10, **more})


def table(result) -> dict[str, tuple[int, int, int]]:
    rows = {row.method.partition(" ")[0]: row for row in result.methods}
    return {name: (row.answered, row.filled, row.found) for name, row in rows.items()}


# ---------------------------------------------------------------------- before anything is sent


def test_without_send_nothing_leaves_and_the_price_is_told(collection, service):
    found = ask(collection, service)
    assert service.calls == []
    assert (found.images, found.plan.pictures, found.plan.requests) == (21, 20, 2)
    assert [(row.feature, row.units, row.price) for row in found.plan.units] == [
        ("labels", 20, pytest.approx(0.03)),
        ("logos", 20, pytest.approx(0.03)),
        ("text", 20, pytest.approx(0.03)),
    ]
    assert found.plan.price == pytest.approx(0.09)
    assert found.plan.bytes > 20 * 500
    assert (found.sent, found.spent.requests, found.suggested) == (None, 0, 0)
    assert any("EXIF" in line for line in found.plan.leaves)


def test_the_price_is_that_of_the_dated_table_unless_the_owner_says(collection, tmp_path):
    found = collection.annotate(features=["labels", "text"])
    assert found.plan.price == pytest.approx(20 * 2 * PRICE)
    assert [(row.free_a_month, row.as_of[:2]) for row in found.plan.units] == [(1000, "20")] * 2
    own = tmp_path / "prices.csv"
    own.write_text("service,feature,usd_per_1000\ngoogle-vision,labels,2\ngoogle-vision,text,50\n")
    assert collection.annotate(features=["text"], prices=own).plan.price == pytest.approx(1.0)
    assert collection.annotate(features=["logos"], prices=own).plan.price is None
    assert collection.annotate(features=["logos"], price=0.5).plan.price == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("service,feature\n", "lacks usd_per_1000"),
        ("service,feature,usd_per_1000\ngoogle-vision,faces,1\n", "line 2: expected a feature"),
        ("service,feature,usd_per_1000\ngoogle-vision,text,-1\n", "line 2: expected usd_per_1000"),
        ("service,feature,usd_per_1000\ngoogle-vision,text,cheap\n", "got 'cheap'"),
    ],
)
def test_a_table_of_prices_that_is_none_is_refused(collection, tmp_path, text, said):
    own = tmp_path / "prices.csv"
    own.write_text(text)
    with pytest.raises(UsageError, match=said):
        collection.annotate(prices=own)
    with pytest.raises(UsageError, match="No such file"):
        collection.annotate(prices=tmp_path / "nowhere.csv")


def test_no_key_no_budget_and_no_address_are_one_line_each(collection, service, monkeypatch):
    with pytest.raises(UsageError, match=r"up to \$0.09; .*--budget 0.09"):
        ask(collection, service, send=True)
    with pytest.raises(UsageError, match="not sent over http"):
        collection.annotate(endpoint="http://vision.example")
    with pytest.raises(UsageError, match="keys come from the environment"):
        collection.annotate(endpoint=f"https://vision.example/?key={KEY}")
    with pytest.raises(UsageError, match="expected https://HOST"):
        collection.annotate(endpoint="vision.example")
    monkeypatch.delenv("GOOGLE_VISION_API_KEY")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(UsageError, match="needs a key: export GOOGLE_VISION_API_KEY"):
        collection.annotate(send=True, budget=1)
    assert service.calls == []


# ---------------------------------------------------------------------- what is sent, and kept


def test_what_is_answered_becomes_suggestions_readings_and_a_table(collection, service):
    found = send(collection, service)
    assert sorted(len(call.pictures) for call in service.calls) == [4, 16]
    assert table(found) == {"labels": (21, 21, 36), "logos": (21, 8, 8), "text": (21, 15, 15)}
    assert (found.sent.units, found.sent.price) == (60, pytest.approx(0.09))
    assert found.suggested == 36
    first = collection.catalog.issues.suggestions("keywords", source="api:google-vision")[0]
    assert (first.label, first.probability) == ("Fire engine", 0.9)
    shown = collection.explore.show("00.jpg").record
    assert [line.text for line in shown.text] == ["ABSOLUT"]
    assert shown.text_reader == "api:google-vision"
    assert shown.text[0].corners == ((4.0, 0.0), (60.0, 0.0), (60.0, 20.0), (4.0, 20.0))
    assert {(one.label, one.source) for one in shown.suggestions} == {
        ("Fire engine", "api:google-vision"),
        ("Vehicle", "api:google-vision"),
    }
    assert sorted(collection.explore.select("text:perrier").tolist())
    with pytest.raises(UsageError, match="no label yet"):  # suggestions are no labels
        collection.explore.vocabulary("keywords")


def test_nothing_is_paid_twice(collection, service, tmp_path):
    send(collection, service, features=["labels"])
    assert service.pictures == 20
    again = send(collection, service, features=["labels"])
    assert (service.pictures, again.plan.pictures, again.sent.requests) == (20, 0, 0)
    assert table(again)["labels"] == (21, 21, 36)
    more = send(collection, service, features=["labels", "text"])
    asked = {
        one["type"] for call in service.calls[2:] for one in call.body["requests"][0]["features"]
    }
    assert asked == {"TEXT_DETECTION"}
    assert more.spent.units == 40
    (tmp_path / "pictures" / "05.jpg").rename(tmp_path / "pictures" / "moved.jpg")
    draw(tmp_path / "pictures" / "new.jpg", "red", 99)
    collection.index()
    assert send(collection, service, features=["labels"]).sent.pictures == 1
    assert send(collection, service, features=["labels"], again=True).sent.pictures == 21


def test_pictures_are_sent_small_upright_and_without_what_the_file_says(
    collection, service, tmp_path
):
    exif = Image.Exif()
    exif[0x112] = 6  # shown turned by a quarter
    exif[0x010E] = "holiday in Kiel"
    exif.get_ifd(0x8825)[2] = (54.0, 19.0, 30.0)
    draw(
        tmp_path / "pictures" / "secret name.jpg", "red", 7, (3000, 1500), exif=exif, comment=b"me"
    )
    collection.index()
    send(collection, service, where="name:secret*")
    (call,) = service.calls
    (jpeg,) = call.pictures
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.size == (512, 1024)
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"Kiel" not in jpeg
    assert "secret" not in str(call.body)
    (found,) = collection.catalog.readings.texts(
        [collection.catalog.images.find("secret name.jpg").content_hash]
    )
    np.testing.assert_allclose(found.readings[0].corners.max(axis=0), (175.8, 58.6), atol=0.1)
    send(collection, service, where="name:secret*", features=["labels"], again=True)
    assert Image.open(io.BytesIO(service.calls[1].pictures[0])).size == (320, 640)


def test_the_key_is_in_a_header_and_nowhere_else(collection, service, tmp_path, capfd):
    service.faults += [fake.status(503, f"do not log {KEY}"), fake.none]
    service.per_picture = lambda colour: (
        {"error": {"code": 3, "message": f"bad image for {KEY}"}} if colour == "blue" else None
    )
    found = send(collection, service)
    assert {call.headers["X-Goog-Api-Key"] for call in service.calls} == {KEY}
    assert all(KEY not in call.path for call in service.calls)
    service.faults.append(fake.status(403, f"key {KEY} is not allowed"))
    with pytest.raises(
        ServiceError, match=r"the key is refused \(403: key \[key\] is not"
    ) as error:
        send(collection, service, again=True)
    assert KEY not in str(error.value)
    assert KEY not in str(found)
    assert KEY not in repr(
        collection.session.services.annotator("google-vision", endpoint=service.url)
    )
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in "".join(capfd.readouterr())


# ---------------------------------------------------------------------- faults of the service


def test_a_service_that_is_busy_is_asked_again(collection, service):
    service.faults += [
        fake.status(503),
        fake.status(429, Retry_After="0"),
        fake.raw(b"<html>oops"),
    ]
    found = send(collection, service, at_a_time=1)
    assert [len(call.pictures) for call in service.calls] == [16, 16, 16, 16, 4]
    assert found.sent.pictures == 20
    # What came as nonsense may have been charged; a refusal was not.
    assert (found.sent.units, found.spent.units) == (60 + 48, 60 + 48)


def test_a_wait_that_is_too_long_ends_the_run_and_keeps_what_was_answered(collection, service):
    service.faults += [fake.none, fake.status(429, "quota", Retry_After="3600")]
    with pytest.raises(ServiceError, match=r"asks to wait 3,600 s.*16 pictures answered.*4 pic"):
        send(collection, service, at_a_time=1)
    assert send(collection, service).sent.pictures == 4
    assert len(service.calls) == 3


def test_nonsense_ends_the_run_after_three_tries(collection, service):
    service.faults += [fake.raw(b"[]" if n % 2 else b'{"responses": 7') for n in range(5)]
    with pytest.raises(ServiceError, match=r"(expected JSON|expected 16 responses).*nothing|0 pic"):
        send(collection, service, at_a_time=1)
    assert len(service.calls) <= 3


def test_a_slow_answer_is_given_up_and_asked_again(collection, service):
    service.faults.append(fake.slow(3))
    found = send(collection, service, timeout=0.4, at_a_time=1)
    assert (len(service.calls), found.sent.pictures) == (3, 20)
    assert found.spent.units == 60 + 48


def test_a_batch_that_is_refused_is_halved(collection, service, monkeypatch):
    monkeypatch.setattr("vernis.adapters.services.google_vision.GoogleVision.most_pictures", 17)
    found = send(collection, service, at_a_time=1)
    assert [len(call.pictures) for call in service.calls] == [17, 8, 9, 3]
    assert (found.sent.pictures, found.spent.units) == (20, 60)


def test_a_picture_that_is_refused_is_named_and_not_asked_again(collection, service):
    service.per_picture = lambda colour: (
        {"error": {"code": 3, "message": "Bad image data."}} if colour == "blue" else None
    )
    found = send(collection, service)
    assert (found.sent.pictures, found.sent.refused, found.sent.units) == (14, 6, 42)
    assert any("6 images were refused" in note and "Bad image" in note for note in found.notes)
    assert send(collection, service).plan.pictures == 0
    refused = collection.catalog.issues.select(("refused",))
    assert len(refused) == 6
    assert all(one.evidence["note"] == "google-vision: Bad image data." for one in refused)
    assert len(collection.explore.select("issue:refused")) == 6
    first = collection.session.uris()[refused[0].image_id]
    (told,) = [one for one in collection.explore.show(first).record.issues if one.kind == "refused"]
    assert "Bad image data" in told.note
    collection.dismiss("refused", [first])
    assert len(collection.explore.select("issue:refused")) == 5
    service.per_picture = lambda colour: None
    assert send(collection, service, again=True).sent.refused == 0
    assert collection.catalog.issues.select(("refused",)) == []


def test_a_picture_that_fails_once_is_asked_again_in_the_same_run(collection, service):
    failed: list[str] = []

    def fail(colour: str):
        failed.append(colour)
        return {"error": {"code": 14, "message": "try later"}} if len(failed) in (3, 9) else None

    service.per_picture = fail
    found = send(collection, service, at_a_time=1)
    assert (found.sent.pictures, found.sent.unanswered) == (20, 0)
    assert found.spent.units == 60
    service.per_picture = lambda colour: {"error": {"code": 14, "message": "try later"}}
    found = send(collection, service, again=True)
    assert (found.sent.pictures, found.sent.unanswered) == (0, 21)


def test_a_key_that_is_wrong_marks_no_picture_as_refused(collection, service):
    service.faults.extend([fake.status(400, "API key not valid", reason="x")] * 50)
    with pytest.raises(ServiceError, match="no picture is answered"):
        send(collection, service, at_a_time=1)
    assert len(service.calls) < 12
    service.faults.clear()
    assert send(collection, service).sent.pictures == 20


def test_a_service_that_is_not_there_is_one_line(collection, service):
    with fake.serving() as gone:
        pass
    with pytest.raises(ServiceError, match="nothing answers there"):
        send(collection, gone)
    with pytest.raises(ServiceError, match=r"no such service \(404"):
        send(collection, service, endpoint=f"{service.url}/elsewhere")
    with pytest.raises(ServiceError, match="is not found; is there a network"):
        send(collection, service, endpoint="https://vision.invalid")
    spent = collection.catalog.answers.spent(GOOGLE)
    assert (spent.price, spent.in_doubt) == (0.0, 0)


def test_a_redirect_is_not_followed(collection, service):
    service.faults.append(fake.status(307, Location="https://elsewhere.invalid/"))
    with pytest.raises(ServiceError, match=r"has moved \(307\)"):
        send(collection, service)


def test_a_file_that_cannot_be_decoded_is_set_aside(collection, service, tmp_path):
    path = tmp_path / "pictures" / "03.jpg"
    path.write_bytes(path.read_bytes()[:300])
    found = send(collection, service)
    assert (found.sent.unreadable, found.sent.pictures) == (1, 19)
    assert collection.catalog.images.find("03.jpg").state == "unreadable"


# ---------------------------------------------------------------------- money and interruptions


def test_a_budget_stops_before_the_request_that_would_pass_it(collection, service):
    found = send(collection, service, budget=0.08, at_a_time=1)  # the first request is 0.072
    assert (found.sent.pictures, found.sent.left, len(service.calls)) == (16, 4, 1)
    assert any("4 pictures are left" in note for note in found.notes)
    assert send(collection, service, budget=0.08).sent.pictures == 0
    assert send(collection, service, budget=0.09).sent.pictures == 4
    assert collection.catalog.answers.spent(GOOGLE).price == pytest.approx(0.09)


def test_a_request_that_was_cut_off_counts_as_spent(collection, service):
    collection.catalog.answers.begin(GOOGLE, pictures=16, units=48, price=0.072, bytes=1)
    found = send(collection, service, budget=0.15, at_a_time=1)
    assert (found.sent.pictures, found.spent.in_doubt) == (16, 1)
    assert any("may have been paid for nothing" in note for note in found.notes)


def test_an_interruption_keeps_the_answers_on_their_way(collection, service):
    def stop(task: str, done: int, total: int | None, note: str = "") -> None:
        if task == "annotate" and done:
            raise KeyboardInterrupt

    service.faults += [fake.slow(0.3), fake.slow(0.6)]
    collection.session.progress = stop
    with pytest.raises(KeyboardInterrupt):
        send(collection, service, at_a_time=2)
    collection.session.progress = lambda *_, **__: None
    assert (service.pictures, collection.catalog.answers.spent(GOOGLE).in_doubt) == (20, 0)
    assert send(collection, service).plan.pictures == 0


def test_pictures_are_spread_over_a_minute():
    pace = Pace(60)
    assert [pace.reserve(16, now) for now in (0.0, 1.0, 40.0, 40.0)] == [0.0, 15.0, 0.0, 16.0]
    assert [Pace(None).reserve(16, 5.0) for _ in range(2)] == [0.0, 0.0]


# ---------------------------------------------------------------------- labels


def test_labels_are_written_as_one_batch_below_what_people_say(collection, service):
    send(collection, service, features=["labels"], min_score=0.7)
    written = ask(collection, service, features=["labels"], min_score=0.7, apply=True)
    assert written.batch > 0
    assert len(service.calls) == 2
    matrix = collection.catalog.labels.matrix("keywords")
    assert matrix.taxonomy.classes == ("Fire engine", "Plant", "Sky")
    assert (matrix.values == 1).sum() == 21
    assert collection.catalog.issues.suggestions("keywords", source="api:google-vision") == []
    assert ask(collection, service, features=["labels"], min_score=0.7, apply=True).batch == 0
    counts = {"api:google-vision": 21}
    assert collection.catalog.labels.counts_by_source() == counts
    assert collection.explore.vocabulary("keywords").study.labels == 3
    collection.undo()  # with the taxonomy, which was made for the suggestions
    assert "keywords" not in {one.name for one in collection.session.taxonomies()}
    collection.redo()
    assert (collection.catalog.labels.matrix("keywords").values == 1).sum() == 21
    collection.undo()
    assert ask(collection, service, features=["labels"], min_score=0.7, apply=True).batch > 0
    assert (collection.catalog.labels.matrix("keywords").values == 1).sum() == 21


def test_an_owners_taxonomy_keeps_its_classes(collection, service):
    labels = collection.catalog.labels
    labels.define(Taxonomy("thing", "single", ("fire engine", "plant", "toy")))
    ids = {image.uri: image.id for image in collection.catalog.images.all()}
    given = [Statement(ids["00.jpg"], "toy", "yes"), Statement(ids["01.jpg"], "plant", "yes")]
    labels.record("thing", given, source="human:a", verb="test")
    found = send(collection, service, features=["labels"], taxonomy="thing")
    assert {row.label for row in found.labels} == {"fire engine", "plant"}
    # 8 red and 7 green ones, less the two that have a label.
    assert found.suggested == 13
    assert any("names are no classes of thing" in note for note in found.notes)
    ask(collection, service, features=["labels"], taxonomy="thing", apply=True)
    assert labels.taxonomy("thing").classes == ("fire engine", "plant", "toy")
    assert list(collection.labels("thing")["thing"][["00.jpg", "03.jpg"]]) == [
        "toy",
        "fire engine",
    ]


def test_brands_are_found_in_text_and_logos_by_the_same_rules(collection, service, tmp_path):
    listed = tmp_path / "brands.csv"
    listed.write_text("brand\nAbsolut\nPerrier\n")
    send(collection, service, features=["logos"])
    found = collection.brands(listed)
    assert (found.read, found.with_brand) == (21, 8)
    assert {row.suggested for row in found.suggestions} == {"Absolut"}
    assert [(row.brand, row.parts) for row in found.gain] == [("Absolut", (0, 0, 8))]
    shown = collection.explore.show("00.jpg").record
    assert ([logo.text for logo in shown.logos], shown.text) == (["Absolut"], None)
    (evidence,) = shown.brands[0].read
    assert (evidence.found_in, evidence.box) == ("logo", (8, 0, 32, 16))
    send(collection, service, features=["logos", "text"])
    found = collection.brands(listed, plot=tmp_path / "gain.png", apply=True)
    parts = {row.brand: row.parts for row in found.gain}
    assert parts == {"Absolut": (0, 8, 0), "Perrier": (7, 0, 0)}
    with Image.open(tmp_path / "gain.png") as drawn:
        assert drawn.width > 500
    assert collection.catalog.labels.counts_by_source() == {"api:google-vision": 15}


# ---------------------------------------------------------------------- language models


@pytest.fixture
def classes(collection: vernis.Collection) -> Taxonomy:
    return collection.catalog.labels.define(Taxonomy("scene", "multi", ("leaf", "engine", "sky")))


def choose(collection: vernis.Collection, service: Service, **more):
    settings = {"service": "openai-compatible", "endpoint": f"{service.url}/v1", "model": "gemma3"}
    settings |= {"features": ["labels"], "taxonomy": "scene", "send": True}
    return collection.annotate(**{**settings, **more})


def test_a_language_model_chooses_among_the_classes(collection, service, classes):
    service.answer = lambda body: {"labels": ["sky", "unicorn", "sky"]}
    labels = collection.catalog.labels
    ids = [image.id for image in collection.catalog.images.all()]
    said = [Statement(i, "sky", state) for i, state in zip(ids, ["yes"] * 8 + ["no"], strict=False)]
    labels.record("scene", said, source="human:a", verb="test")
    found = choose(collection, service)
    call = service.calls[0]
    assert (len(service.calls), call.path, len(call.pictures)) == (20, "/v1/chat/completions", 1)
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    schema = call.body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["labels"]["items"]["enum"] == ["engine", "leaf", "sky"]
    assert (found.source, found.sent.tokens, found.sent.price) == ("api:gemma3", 20 * 321, 0)
    assert table(found)["labels"] == (21, 21, 21)
    assert labels.taxonomy("scene").classes == ("engine", "leaf", "sky")
    suggested = collection.catalog.issues.suggestions("scene", source="api:gemma3")
    assert len(suggested) == 21 - 9
    # 8 people agree and 1 does not.
    assert {round(one.probability, 6) for one in suggested} == {0.85}
    labels.define(Taxonomy("scene", "multi", ("tower",)))
    assert choose(collection, service, send=False).plan.pictures == 20  # another question


def test_one_class_of_a_single_taxonomy_or_none(collection, service):
    collection.catalog.labels.define(Taxonomy("kind", "single", ("leaf", "sky")))
    service.answer = lambda body: {"labels": "sky" if len(service.calls) > 10 else "none of these"}
    found = choose(collection, service, taxonomy="kind")
    enum = service.calls[0].body["response_format"]["json_schema"]["schema"]["properties"]
    assert enum["labels"]["enum"] == ["leaf", "sky", "none of these"]
    answered, filled, _ = table(found)["labels"]
    assert answered == 21
    assert 10 <= filled <= 11


def test_text_and_logos_of_a_language_model(collection, service):
    service.answer = lambda body: {"text": [" Absolut ", "", 7], "logos": []}
    found = choose(collection, service, features=["text", "logos"], taxonomy="")
    assert table(found) == {"logos": (21, 0, 0), "text": (21, 21, 21)}
    assert collection.explore.show("00.jpg").record.text_reader == "api:gemma3"
    assert len(collection.explore.select("text:absolut")) == 21


def test_prose_of_a_language_model_is_no_answer(collection, service, classes):
    service.answer = lambda body: "I see a sky."
    found = choose(collection, service, where="name:0?.jpg")
    assert (found.sent.pictures, found.sent.unanswered, len(service.calls)) == (0, 10, 20)
    service.answer = lambda body: '```json\n{"labels": ["sky"]}\n```'
    assert choose(collection, service, where="name:0?.jpg").sent.pictures == 10


def test_what_a_language_model_needs_is_said(collection, service):
    with pytest.raises(UsageError, match="--endpoint http://localhost"):
        choose(collection, service, endpoint="")
    with pytest.raises(UsageError, match="--model NAME"):
        choose(collection, service, model="")
    with pytest.raises(UsageError, match="there is none 'scene' with classes"):
        choose(collection, service)
    collection.catalog.labels.define(Taxonomy("scene", "multi", ("sky",)))
    with pytest.raises(UsageError, match="price of gemma3 is not known"):
        choose(collection, service, endpoint="https://api.example/v1")
    assert service.calls == []


def test_answers_are_kept_small_and_read_anew(collection, service, tmp_path):
    send(collection, service, features=["text"])
    with sqlite3.connect(tmp_path / "x.vernis" / "catalog.sqlite") as ledger:
        rows = ledger.execute("SELECT feature, length(content) FROM answer").fetchall()
    assert {feature for feature, _ in rows} == {"text"}
    assert max(size for _, size in rows) < 400
