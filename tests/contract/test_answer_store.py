"""Answers of services in the catalog: by content and question, and what they cost."""

from vernis.domain.annotations import Answer, Refusal, ServiceVersion, Spent

GOOGLE = ServiceVersion("google-vision")
OTHER = ServiceVersion("google-vision", {"model": "builtin/latest"})


def begun(catalog, service=GOOGLE, price=0.5):
    return catalog.answers.begin(service, pictures=2, units=4, price=price, bytes=99)


def test_answers_come_back_as_they_were_told(catalog):
    said = {"labelAnnotations": [{"description": "Größe", "score": 0.5}]}
    number = begun(catalog)
    answers = [
        Answer("h1", "labels", said, 640, 480),
        Answer("h2", "labels", None, 64, 48, "Bad image data."),
    ]
    catalog.answers.add(GOOGLE, number, "", answers)
    assert list(catalog.answers.answers(GOOGLE, "labels")) == answers
    assert list(catalog.answers.answers(GOOGLE, "labels", hashes=["h3", "h2"])) == answers[1:]
    assert list(catalog.answers.answers(GOOGLE, "text")) == []
    assert list(catalog.answers.answers(OTHER, "labels")) == []


def test_refusals_are_known_too(catalog):
    catalog.answers.add(
        GOOGLE, begun(catalog), "", [Answer("h1", "text", None, 1, 1, "no picture")]
    )
    assert catalog.answers.holds(GOOGLE, "text", "", ["h0", "h1"]).tolist() == [False, True]
    assert not catalog.answers.holds(GOOGLE, "labels", "", ["h1"]).any()
    assert not catalog.answers.holds(OTHER, "text", "", ["h1"]).any()


def test_what_is_refused_is_told_once_a_picture_and_service_until_it_is_answered(catalog):
    number = begun(catalog)
    for feature in ("labels", "text"):
        catalog.answers.add(GOOGLE, number, "", [Answer("h1", feature, None, 1, 1, "no picture")])
    catalog.answers.add(GOOGLE, number, "", [Answer("h2", "text", {}, 1, 1)])
    assert catalog.answers.refusals() == [Refusal("google-vision", "h1", "no picture")]
    for feature in ("labels", "text"):
        catalog.answers.add(GOOGLE, number, "", [Answer("h1", feature, {}, 1, 1)])
    assert catalog.answers.refusals() == []


def test_another_question_has_other_answers_and_the_same_replaces(catalog):
    number = begun(catalog)
    catalog.answers.add(GOOGLE, number, "ab", [Answer("h1", "labels", ["x"], 1, 1)])
    assert not catalog.answers.holds(GOOGLE, "labels", "", ["h1"]).any()
    catalog.answers.add(GOOGLE, number, "ab", [Answer("h1", "labels", ["y"], 1, 1)])
    (one,) = catalog.answers.answers(GOOGLE, "labels", "ab")
    assert one.content == ["y"]


def test_a_request_counts_as_paid_until_it_is_finished(catalog):
    assert catalog.answers.spent(GOOGLE) == Spent()
    first, second, third = (begun(catalog, price=price) for price in (0.5, 0.25, 4.0))
    catalog.answers.finish(first, "answered", units=4, price=0.5, tokens=7)
    catalog.answers.finish(second, "failed", units=0, price=0)
    assert third
    assert catalog.answers.spent(GOOGLE) == Spent(
        requests=3,
        pictures=6,
        units=8,
        tokens=7,
        bytes=297,
        price=4.5,
        in_doubt=1,
        doubtful_price=4.0,
    )
    assert catalog.answers.spent(OTHER) == Spent()


def test_services_are_listed_the_latest_first(catalog):
    assert catalog.answers.services() == []
    for service in (GOOGLE, OTHER, GOOGLE):
        begun(catalog, service)
    assert catalog.answers.services() == [GOOGLE, OTHER]


def test_a_rollback_takes_an_answer_and_its_price_back(catalog):
    number = begun(catalog)
    try:
        with catalog.transaction():
            catalog.answers.finish(number, "answered", units=1, price=0.1)
            catalog.answers.add(GOOGLE, number, "", [Answer("h1", "labels", [], 1, 1)])
            raise KeyError
    except KeyError:
        pass
    assert catalog.answers.spent(GOOGLE).in_doubt == 1
    assert not catalog.answers.holds(GOOGLE, "labels", "", ["h1"]).any()


def test_a_change_of_answers_is_seen(catalog):
    before = catalog.revision("answers")
    begun(catalog)
    assert catalog.revision("answers") != before
