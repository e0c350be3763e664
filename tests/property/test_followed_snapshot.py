"""What a long-lived session keeps is what a fresh one reads, whoever has changed what."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import DuplicateGroup, DuplicatePair, FoundFile, Issue, Statement, Taxonomy
from vernis.session import session as session_module
from vernis.session.session import Session
from vernis.verbs.see.browsing import browse_rows, count_facets
from vernis.verbs.see.filters import carried, filter_table, select_images

N_IMAGES = 5
CLASSES = ("a", "b", "c")
FILTERS = ("label:a", "is:labelled", "not is:confirmed", "is:suspect", "source:human", "issue:dark")

statements = st.lists(
    st.builds(
        Statement,
        st.integers(1, N_IMAGES),
        st.sampled_from(CLASSES),
        st.sampled_from(["yes", "no", "unknown"]),
    ),
    max_size=4,
)
names = st.sampled_from(["single", "multi"])
sources = st.sampled_from(["given", "human:ann", "human:bob", "accepted:fill", "model:m@1"])
images = st.sets(st.integers(1, N_IMAGES), min_size=1)
changes = st.one_of(
    st.tuples(st.just("say"), names, sources, statements),
    st.tuples(st.just("import"), names, sources, statements),
    st.tuples(st.just("judge"), st.sampled_from(["open", "accepted", "dismissed"]), images),
    st.tuples(st.just("undo"), st.integers(1, 8)),
    st.tuples(st.just("find"), images),
    st.tuples(st.just("class"), names),
    st.tuples(st.just("state"), st.sampled_from(["present", "trashed"]), images),
    st.tuples(st.just("fail"), names, sources, statements),
)
# Who changes it: the session that is looked at, or another process.
steps = st.lists(st.tuples(st.booleans(), changes), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("followed") / "c.vernis"
    with SqliteCatalog.create(folder) as catalog:
        files = [FoundFile(f"{i % 2}/{i}.jpg", f"h{i}", 1, 1) for i in range(N_IMAGES)]
        catalog.images.apply_index(files, complete=True)
        for kind in ("single", "multi"):
            catalog.labels.define(Taxonomy(kind, kind, CLASSES))
        catalog.labels.record(
            "multi", [Statement(1, "a", "yes"), Statement(2, "b", "yes")], source="given", verb="t"
        )
        catalog.issues.replace(["dark"], [Issue("dark", i + 1, 0.5) for i in range(N_IMAGES)])
        pair = DuplicatePair(2, 3, "near", 0.9, "identity")
        catalog.issues.replace_groups([DuplicateGroup("near", (2, 3), 2, "the larger", (pair,))])
    return folder


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(folder, Path(place) / "c.vernis"))


def change(catalog: SqliteCatalog, wanted: tuple[Any, ...]) -> None:
    verb, *said = wanted
    labels, issues = catalog.labels, catalog.issues
    if verb == "say":
        labels.record(said[0], said[2], source=said[1], verb="label")
    elif verb == "import":
        labels.replace_source(said[0], said[2], source=said[1], verb="import")
    elif verb == "judge":
        chosen = [issue.id for issue in issues.select() if issue.image_id in said[1]]
        issues.set_verdict(chosen, said[0], who="ann")
    elif verb == "undo":
        with suppress(NotFound, UsageError):
            undoing = catalog.history.begin("undo", source="human:ann")
            catalog.history.finish_undo(said[0], undoing)
    elif verb == "find":
        issues.replace(["dark"], [Issue("dark", image, 0.25) for image in sorted(said[0])])
    elif verb == "class":
        labels.define(Taxonomy(said[0], said[0], ("a", "ab")))
    elif verb == "state":
        catalog.images.set_state(sorted(said[1]), said[0])
    else:
        with suppress(ZeroDivisionError), catalog.transaction():
            labels.record(said[0], said[2], source=said[1], verb="label")
            raise ZeroDivisionError


def told(session: Session) -> dict[str, Any]:
    """Everything that a session keeps, as it tells it."""
    found: dict[str, Any] = {}
    for name in ("single", "multi"):
        matrix, columns = session.matrix(name), carried(session, name)
        found |= {f"values {name}": matrix.values, f"confirmed {name}": matrix.confirmed}
        found |= {f"yes {name}": columns.yes, f"by a person {name}": columns.confirmed}
        found[f"classes {name}"] = matrix.taxonomy.classes
    found["groups"] = session.groups()
    ids = session.table().ids
    found["rows"] = browse_rows(session, ids.tolist())
    for text in FILTERS:
        found[text] = select_images(session, text)
    shown = np.isin(ids, found["is:labelled"])
    found["facets"] = count_facets(session, filter_table(session), shown)
    return found


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in one.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other[name], err_msg=name)
        else:
            assert value == other[name], name


@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_what_is_followed_is_what_a_fresh_session_reads(drawn: Path, steps: Any) -> None:
    with copied(drawn) as place, Session.open(place) as session:
        held = session.matrix("multi")
        before = held.values.copy()
        for elsewhere, wanted in steps:
            if elsewhere:
                with SqliteCatalog.open(place) as other:
                    change(other, wanted)
            else:
                change(session.catalog, wanted)  # type: ignore[arg-type]
            with Session.open(place) as fresh:
                assert_same(told(session), told(fresh))
        np.testing.assert_array_equal(held.values, before)  # who holds it sees no change


def test_after_many_changes_everything_is_read_anew(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_MANY", 1)
    with copied(drawn) as place, Session.open(place) as session:
        told(session)
        said = [Statement(image, "c", "yes") for image in range(1, N_IMAGES + 1)]
        session.catalog.labels.record("multi", said, source="human:ann", verb="label")
        with Session.open(place) as fresh:
            assert_same(told(session), told(fresh))


def test_a_decision_does_not_have_everything_read_anew(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with copied(drawn) as place, Session.open(place) as session:
        told(session)
        asked: list[Any] = []
        matrix = session.catalog.labels.matrix

        def counted(name: str, images: Any = None) -> Any:
            asked.append(images)
            return matrix(name, images)

        monkeypatch.setattr(session.catalog.labels, "matrix", counted)
        session.catalog.labels.record(
            "multi", [Statement(3, "c", "yes")], source="human:ann", verb="label"
        )
        told(session)
        assert asked
        assert all(images == [3] for images in asked)
