"""``vernis issues`` lists what is asked for, in the order asked for, and counts the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.types import Estimate, FoundFile, Issue, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide.issues import Settings, work
from vernis.verbs.decide.label_judgement import LabelJudgement


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a judged taxonomy of five images, named backwards; the last one is not suspected."""
    with SqliteCatalog.in_memory() as catalog:
        catalog.images.apply_index(
            [FoundFile(f"{name}.jpg", name, 1, 1) for name in "edcba"], complete=True
        )
        catalog.labels.define(Taxonomy("kind", "multi", ("cup", "glass")))
        neighbor = {"image_id": 5, "label": "cup", "similarity": 0.75}
        issues = [
            Issue(
                *("label", image, score, image < 5, "kind"),
                evidence={
                    "given": ["cup"],
                    "probability_of_multiple": multiple,
                    "neighbors": [neighbor],
                },
            )
            for image, score, multiple in (
                *((1, 0.25, 0.5), (2, 0.25, None), (3, 0.125, 0.25)),
                *((4, 0.375, 0.5), (5, 0.0, 0.75)),
            )
        ]
        catalog.issues.replace(["label"], issues, "kind")
        opened = Session(catalog)
        judgement = LabelJudgement("kind", "ema", "", 5, 5, 4, Estimate(1, 0, 2), 1, 1.0, 0)
        opened.results.keep("label_issues:kind", judgement)
        yield opened


@pytest.mark.parametrize(
    ("asked", "images", "total"),
    [
        ({}, "cdeb", 4),
        ({"limit": 2}, "cd", 4),
        ({"all": True}, "acdeb", 5),
        ({"sort": "multiple"}, "ebcd", 4),
        ({"sort": "multiple", "limit": 1, "all": True}, "a", 5),
    ],
)
def test_rows_and_their_number(
    session: Session, asked: dict[str, object], images: str, total: int
) -> None:
    result = work(session, Settings("kind", **asked))  # type: ignore[arg-type]
    assert [row.image for row in result.rows] == [f"{name}.jpg" for name in images]
    assert result.total == total
    assert {neighbor.image for row in result.rows for neighbor in row.neighbors} == {"a.jpg"}


def test_few_rows_are_shown_without_a_look_at_the_others(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("all images were read")

    for name in ("all", "table"):
        monkeypatch.setattr(session.catalog.images, name, refuse)
    assert len(work(session, Settings("kind", limit=3)).rows) == 3
