"""``vernis write-back``: files are written as a batch, known again, and come back byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata
from vernis.collection import Collection
from vernis.domain.errors import UsageError
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Issue, Space, Statement, Taxonomy

NAMES = ("a.jpg", "b.png", "sub/c.webp", "d.tif", "e.jpg")
ALL = ("human", "accepted", "fill")


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Yield five pictures: two labelled by a person, one by fill, one by a table, one not."""
    pictures = tmp_path / "pictures"
    (pictures / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        noise = Image.effect_noise((40, 30), 60 + number).convert("RGB")
        noise.save(pictures / name)
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([pictures])
        labels = opened.catalog.labels
        labels.define(Taxonomy("keywords", "multi", ("Animals|Fish", "Kraków", "🐟")))
        labels.define(Taxonomy("kind", "single", ("photo", "drawing")))
        ids = [opened.catalog.images.find(name).id for name in NAMES]

        def say(
            taxonomy: str, image: int, label: str, source: str, p: float = float("nan")
        ) -> None:
            said = Statement(ids[image], label, "yes", p)
            labels.record(taxonomy, [said], source=source, verb="test")

        say("keywords", 0, "Animals|Fish", "human:anna")
        say("keywords", 0, "Kraków", "human:anna")
        say("kind", 1, "photo", "human:anna")
        say("kind", 2, "drawing", "accepted:fill@kernel@2", 0.97)
        say("kind", 3, "photo", "human:bo")
        say("kind", 4, "photo", "given")
        yield opened


def files(collection: Collection) -> dict[str, bytes]:
    root = collection.session.root()
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def words(collection: Collection, name: str) -> set[tuple[str, ...]]:
    path = collection.session.root() / name
    return {word.path for word in read_file_metadata(path).words}


def test_a_dry_run_says_what_would_be_written_and_changes_nothing(collection):
    before = files(collection)
    result = collection.write_back(include=ALL)
    assert not result.applied
    assert result.files == {"jpeg": 1, "png": 1, "sidecar": 1, "webp": 1}
    assert result.added == {"photo": 2, "Fish": 1, "Kraków": 1, "drawing": 1}
    assert result.left_out == {"given": 1}
    assert result.notes == (
        "1 label said by 'given' not written; to add: --include human,accepted,fill,given",
    )
    assert result.exit_code == 0
    assert collection.write_back().left_out == {"fill": 1, "given": 1}
    assert files(collection) == before
    assert collection.catalog.history.keys("written") == set()


def test_words_are_written_and_undo_and_redo_turn_every_byte(collection):
    before = files(collection)
    result = collection.write_back(apply=True, include=ALL)
    after = files(collection)
    assert set(after) - set(before) == {"d.tif.xmp"}
    assert {name for name in before if after[name] != before[name]} == {
        "a.jpg",
        "b.png",
        "sub/c.webp",
    }
    assert words(collection, "a.jpg") == {("Animals", "Fish"), ("Kraków",)}
    assert words(collection, "b.png") == {("kind", "photo")}
    (said,) = read_file_metadata(collection.session.root() / "sub/c.webp").statements
    assert (said.source, said.model, said.probability) == ("accepted:fill", "kernel@2", 0.97)
    batch = collection.catalog.history.batch(result.batch)
    assert batch["verb"] == "write-back"
    assert batch["changes"] == {"written": 4}
    assert collection.write_back(apply=True, include=ALL).unchanged == 4
    taken = collection.undo()
    assert taken.undoes == result.batch
    assert set(taken.written) == {"a.jpg", "b.png", "d.tif", "sub/c.webp"}
    assert taken.not_written == {}
    assert files(collection) == before
    again = collection.redo()
    assert set(again.written) == set(taken.written)
    assert files(collection) == after
    collection.undo()
    assert files(collection) == before


def test_the_next_index_knows_its_own_writes(collection):
    catalog = collection.catalog
    space = Space("test", 2, "float32", {})
    table = collection.session.table()
    hashes = [h.decode() for h in table.hashes.tolist()]
    catalog.vectors.append(space, hashes, [[i, i] for i in range(len(hashes))])
    catalog.issues.replace(["blurry"], [Issue("blurry", 1, 0.1)])
    (issue,) = catalog.issues.select(["blurry"])
    catalog.issues.set_verdict([issue.id], "dismissed", who="anna")
    before = [(i.id, i.uri, i.content_hash) for i in catalog.images.all()]
    collection.write_back(apply=True, include=ALL)
    for touch in (False, True):
        if touch:  # Size and time say nothing: the content is read.
            for path in collection.session.root().rglob("*.*"):
                path.touch()
        found = collection.index()
        assert (found.changed, found.new, found.moved, found.vanished) == (0, 0, 0, 0)
        assert found.unchanged == len(NAMES)
        assert [(i.id, i.uri, i.content_hash) for i in catalog.images.all()] == before
    assert catalog.vectors.missing(space, hashes) == []
    catalog.issues.replace(["blurry"], [Issue("blurry", 1, 0.1)])
    (issue,) = catalog.issues.select(["blurry"])
    assert issue.verdict == "dismissed"
    # A file that moves is known again, too, and its undo finds it.
    root = collection.session.root()
    (root / "a.jpg").rename(root / "sub" / "renamed.jpg")
    assert collection.index().moved == 1
    taken = collection.undo()
    assert "sub/renamed.jpg" in taken.written
    assert [h for _, _, h in before] == [i.content_hash for i in catalog.images.all()]
    assert collection.index().changed == 0


def test_what_somebody_wrote_since_stays_and_is_named(collection):
    collection.write_back(apply=True, include=ALL)
    path = collection.session.root() / "d.tif.xmp"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("<rdf:li>photo</rdf:li>", "<rdf:li>photo</rdf:li><rdf:li>mine</rdf:li>", 1),
        encoding="utf-8",
    )
    taken = collection.undo()
    assert taken.written["d.tif"].startswith("somebody else has written since")
    assert taken.written["a.jpg"] == "as it was, byte for byte"
    assert words(collection, "d.tif") == {("mine",)}


def test_refused_files_are_named_and_the_rest_goes_on(collection):
    root = collection.session.root()
    (root / "b.png").chmod(0o444)
    (root / "a.jpg").write_bytes((root / "a.jpg").read_bytes() + b"more")
    before = files(collection)
    result = collection.write_back(apply=True, include=ALL)
    assert {row.image: row.kind for row in result.refused} == {
        "a.jpg": "changed",
        "b.png": "read-only",
    }
    assert result.exit_code == 1
    assert all(row.remedy for row in result.refused)
    after = files(collection)
    assert {n for n in after if after[n] != before.get(n)} == {"sub/c.webp", "d.tif.xmp"}


def test_a_word_that_nobody_says_any_more_is_taken_out(collection):
    collection.write_back(apply=True, include=ALL)
    image = collection.catalog.images.find("a.jpg").id
    no = [Statement(image, "Kraków", "no")]
    collection.catalog.labels.record("keywords", no, source="human:anna", verb="test")
    trial = collection.write_back(include=ALL)
    assert (trial.files, trial.removed) == ({"jpeg": 1}, {"Kraków": 1})
    collection.write_back(apply=True, include=ALL)
    assert words(collection, "a.jpg") == {("Animals", "Fish")}
    # A run for one taxonomy says nothing of the others.
    assert collection.write_back(taxonomy=["kind"], include=ALL).removed == {}


def test_filters_sources_and_places(collection):
    only = collection.write_back(where="name:e.jpg", include=["given"])
    assert (only.files, only.added) == ({"jpeg": 1}, {"photo": 1})
    beside = collection.write_back(sidecar=True, include=ALL)
    assert beside.files == {"sidecar": 4}
    inside = collection.write_back(embed=True, include=ALL)
    assert [(row.image, row.remedy) for row in inside.refused] == [("d.tif", "write a sidecar")]
    for wrong, said in (
        ({"include": ["humans"]}, "did you mean"),
        ({"embed": True, "sidecar": True}, "exclude"),
        ({"apply": True, "dry_run": True}, "one of them"),
    ):
        with pytest.raises(UsageError, match=said):
            collection.write_back(**wrong)


def test_regions_go_into_the_files_and_out_again(collection):
    before = files(collection)
    catalog = collection.catalog
    ids = [catalog.images.find(name).id for name in NAMES]
    fish = (RegionLabel("keywords", "Animals|Fish"),)
    box = Region(Box(4, 3, 20, 15), (40, 30))
    (first,) = catalog.regions.add([NewRegion(ids[0], box, fish)], source="human:anna", verb="test")
    catalog.regions.add([NewRegion(ids[0], box, fish)], source="model:m", verb="test")
    catalog.regions.add([NewRegion(ids[4], box, fish)], source="given", verb="test")
    trial = collection.write_back(regions=True)
    assert trial.regions == 1
    assert files(collection) == before
    written = collection.write_back(regions=True, apply=True)
    assert written.regions == 1
    root = collection.session.root()
    (found,) = read_file_metadata(root / "a.jpg").regions
    assert (found.name, found.source) == ("Animals|Fish", "human:anna")
    assert found.box.corners == pytest.approx(box.box.corners, abs=1e-4)
    again = collection.write_back(regions=True, apply=True)
    assert (sum(again.files.values()), again.regions) == (0, 0)
    assert collection.import_(root, format="xmp").regions == 0
    catalog.regions.remove([first], source="human:anna", verb="test")
    collection.write_back(apply=True)
    assert len(read_file_metadata(root / "a.jpg").regions) == 1
    collection.write_back(regions=True, apply=True)
    assert read_file_metadata(root / "a.jpg").regions == ()
    collection.undo()
    collection.undo(written.batch)
    assert files(collection) == before
    with pytest.raises(UsageError, match="all taxonomies"):
        collection.write_back(regions=True, taxonomy=["kind"])
