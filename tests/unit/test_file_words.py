"""Keywords, captions, ratings and places of image files come in, and follow the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import NotFound
from vernis.domain.types import Statement

SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">
<rdf:Description rdf:about="" xmp:Rating="4" photoshop:City="Kraków">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Two fish</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Bag><rdf:li>Animals|Fish</rdf:li></rdf:Bag></lr:hierarchicalSubject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def sidecar(path: Path, *words: str) -> None:
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    path.with_name(path.name + ".xmp").write_text(SIDECAR.format(words=items), encoding="utf-8")


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Yield three pictures; a sidecar beside the first, nothing in the others."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "b.png", "sub/c.jpg")):
        Image.new("RGB", (9, 9), (90 * number, 0, 0)).save(root / name)
    sidecar(root / "a.jpg", "Fish", "AC/DC")
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([root])
        yield opened


def labels(collection: Collection, name: str = "a.jpg") -> dict[str, str]:
    image = collection.catalog.images.find(name).id
    return {
        s.label: source for source, s in collection.catalog.labels.statements("keywords", image)
    }


def test_words_become_labels_and_the_rest_is_searched(collection):
    root = collection.session.root()
    trial = collection.import_(root, format="xmp", dry_run=True)
    assert trial.labelled == {"keywords": 1}
    assert collection.session.taxonomies() == []
    read = collection.import_(root, format="xmp")
    assert (read.rows, read.images, read.labelled) == (3, 3, {"keywords": 1})
    assert labels(collection) == {"Animals|Fish": "given:xmp", "AC/DC": "given:xmp"}
    for where in ("rating>=4", "city:Kraków", "keywords:Animals|Fish"):
        found = collection.explore.select(where).tolist()
        assert found == [collection.catalog.images.find("a.jpg").id], where
    assert collection.catalog.images.find("a.jpg").metadata["description"] == "Two fish"
    # Nothing new the second time, and the index keeps it.
    batches = len(collection.catalog.history.batches())
    collection.import_(root, format="xmp")
    collection.index()
    assert len(collection.catalog.history.batches()) == batches
    assert collection.catalog.images.find("a.jpg").metadata["rating"] == 4
    collection.undo(including="imports")
    assert collection.session.taxonomies() == []


def test_a_sidecar_that_changed_is_read_again_and_people_are_believed_more(collection):
    root = collection.session.root()
    collection.import_(root, format="xmp")
    image = collection.catalog.images.find("a.jpg").id
    no = [Statement(image, "AC/DC", "no")]
    collection.catalog.labels.record("keywords", no, source="human:anna", verb="test")
    sidecar(root / "a.jpg", "AC/DC", "new")
    collection.import_(root / "a.jpg", format="xmp")
    held = {h.label for h in collection.catalog.labels.held("keywords")}
    assert held == {"Animals|Fish", "new"}
    sidecar(root / "a.jpg")
    collection.import_(root, format="xmp")
    assert {h.label for h in collection.catalog.labels.held("keywords")} == {"Animals|Fish"}


def test_words_that_vernis_wrote_are_no_news(collection):
    root = collection.session.root()
    collection.import_(root, format="xmp")
    image = collection.catalog.images.find("sub/c.jpg").id
    yes = [Statement(image, "AC/DC", "yes")]
    collection.catalog.labels.record("keywords", yes, source="human:anna", verb="test")
    written = collection.write_back(apply=True, include=["human", "given"])
    assert written.files == {"jpeg": 1}
    collection.import_(root / "sub", format="xmp")
    assert labels(collection, "sub/c.jpg") == {"AC/DC": "human:anna"}


def test_a_folder_without_images_is_refused(collection, tmp_path):
    with pytest.raises(NotFound, match="index it first"):
        collection.import_(tmp_path / "nowhere", format="xmp")
