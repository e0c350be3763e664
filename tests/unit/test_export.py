"""What is exported as a table comes back by an import: nothing changes, whatever the names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import UsageError
from vernis.domain.types import FoundFile, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import export, import_

URIS = ("a.jpg", "b/ä.jpg", "=1+1.jpg", "x,y;z.jpg", "two\nlines.jpg", " lead.jpg", "%20.jpg")
ODD = (
    *("cat", "dog", "a|b", "a;b", "a, b", 'q"q', "two\nlines", "cr\rhere", "tab\there", "nan"),
    *("null", "007", "7", "1.0", "=SUM(A1)", "-1", "['x']", '{"yes": "x"}', "[1]", "yes", "no"),
    *("true", "0", "1", "x", "Smith, John", "Smith", "John", "2024-01-02", "N/A", "🐟", "'q'"),
)
KINDS = ("single", "multi")


def collection(tmp_path: Path) -> Session:
    catalog = SqliteCatalog.in_memory(tmp_path / "memory.vernis")
    catalog.images.set_root(tmp_path)
    catalog.images.apply_index(
        [FoundFile(u, f"{n:064x}", 1, 1, 4, 4, "JPEG") for n, u in enumerate(URIS)], complete=True
    )
    return Session(catalog)


def states(session: Session, name: str) -> list[list[float]]:
    return np.nan_to_num(session.matrix(name).values, nan=-1).tolist()


def everything(session: Session) -> dict[str, object]:
    """Return kind and labels of each taxonomy that has any; classes without one are not written."""
    found = {}
    for taxonomy in session.taxonomies():
        matrix = session.matrix(taxonomy.name)
        cells = [
            frozenset(
                (taxonomy.classes[c], value)
                for c, value in enumerate(row)
                if value >= 0 and not (taxonomy.kind == "single" and value == 0 and 1 in row)
            )
            for row in np.nan_to_num(matrix.values, nan=-1).tolist()
        ]
        if any(cells):
            found[taxonomy.name] = (taxonomy.kind, cells)
    return found


classes = st.lists(st.sampled_from(ODD) | st.text("ab|;, \n\"'[]", min_size=1, max_size=4).filter(
    lambda t: t.strip() == t != ""), min_size=1, max_size=4, unique=True)  # fmt: skip


@st.composite
def labelled(draw: st.DrawFn) -> list[tuple[Taxonomy, list[Statement]]]:
    found = []
    names = st.sampled_from(["kind", "image", "split", "id", "kind (no)", "label", "a|b", "notes"])
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        kind = draw(st.sampled_from(KINDS))
        taxonomy = Taxonomy(name, kind, tuple(sorted(draw(classes))))
        said = []
        for image in range(1, len(URIS) + 1):
            for label in taxonomy.classes:
                state = draw(st.sampled_from(["yes", "no", "unknown", "unknown"]))
                said.append(Statement(image, label, state))
                if kind == "single" and state == "yes":
                    break
        found.append((taxonomy, said))
    return found


@pytest.mark.parametrize("format", ["csv", "tsv", "xlsx"])
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(taxonomies=labelled())
def test_a_table_brings_back_every_label(tmp_path, format, taxonomies):
    session, other = collection(tmp_path), collection(tmp_path)
    for taxonomy, said in taxonomies:
        session.catalog.labels.define(taxonomy)
        session.catalog.labels.record(taxonomy.name, said, source="given", verb="test")
    before = everything(session)
    out = tmp_path / f"labels.{format}"
    export.work(session, export.Settings(format, out, overwrite=True))
    if before:
        import_.work(other, import_.Settings(out))
        assert everything(other) == before
        # Into the same collection it changes nothing, and leaves no trace in its history.
        batches = len(session.catalog.history.batches())
        import_.work(session, import_.Settings(out))
        assert everything(session) == before
        assert len(session.catalog.history.batches()) == batches


def test_splits_and_texts_are_written_and_read(tmp_path):
    session, other = collection(tmp_path), collection(tmp_path)
    table = tmp_path / "in.csv"
    table.write_text("image,kind,split,title\na.jpg,cat,train,A cat\nb/ä.jpg,dog,test,\n")
    import_.work(session, import_.Settings(table))
    export.work(session, export.Settings("csv", tmp_path / "out.csv"))
    import_.work(other, import_.Settings(tmp_path / "out.csv"))
    for uri in URIS:
        one, two = (s.catalog.images.find(uri) for s in (session, other))
        assert (one.split, one.metadata.get("title")) == (two.split, two.metadata.get("title"))
    assert other.catalog.images.find("a.jpg").metadata["title"] == "A cat"


def test_unused_classes_and_closed_taxonomies_are_said(tmp_path):
    session = collection(tmp_path)
    session.catalog.labels.define(Taxonomy("tags", "multi", ("x", "y", "z"), closed=True))
    session.catalog.labels.record(
        "tags", [Statement(1, "x", "yes"), Statement(2, "y", "yes")], source="given", verb="test"
    )
    result = export.work(session, export.Settings("csv", tmp_path / "out.csv"))
    assert [(loss.count, loss.text) for loss in result.losses] == [
        (1, "classes that no image carries")
    ]
    assert result.notes == (
        "blank classes mean no: a new collection imports it with --closed tags",
    )
    other = collection(tmp_path)
    import_.work(other, import_.Settings(tmp_path / "out.csv", closed=["tags"]))
    assert states(other, "tags")[:2] == [[1, 0], [0, 1]]


def test_a_file_is_written_over_only_when_asked(tmp_path):
    session = collection(tmp_path)
    session.catalog.labels.define(Taxonomy("kind", "single", ("cat",)))
    out = tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        export.work(session, export.Settings("csv", out))
    assert out.read_text() == "mine"
    export.work(session, export.Settings("csv", out, overwrite=True))
    assert out.read_text().startswith("image")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.csv"]
