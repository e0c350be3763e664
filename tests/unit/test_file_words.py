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
        opened.index([root], file_words="ignore")
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


FACE = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">
<mwg-rs:Regions rdf:parseType="Resource">
<mwg-rs:AppliedToDimensions stDim:w="9" stDim:h="9" stDim:unit="pixel"/>
<mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def faces(path: Path, *regions: tuple[str, str]) -> None:
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{name}</mwg-rs:Name>'
        f'<mwg-rs:Type>{kind}</mwg-rs:Type><mwg-rs:Area stArea:x="0.5" stArea:y="0.5" '
        'stArea:w="0.2" stArea:h="0.4" stArea:unit="normalized"/></rdf:li>'
        for name, kind in regions
    )
    path.with_name(path.name + ".xmp").write_text(FACE.format(items=items), encoding="utf-8")


def test_regions_of_files_come_in_and_follow_the_files(collection):
    root = collection.session.root()
    image = collection.catalog.images.find("b.png").id
    faces(root / "b.png", ("Ada", "Face"), ("Boat", ""), ("", "Focus"), ("", "Face"))
    read = collection.import_(root, format="xmp")
    assert read.regions == 3
    store = collection.catalog.regions
    table = store.table()
    assert {table.sources[row] for row in range(3)} == {"given:xmp"}
    assert table.boxes[0].tolist() == pytest.approx([3.6, 2.7, 1.8, 3.6])
    people = collection.catalog.labels.statements("people", image)
    assert [(source, s.label) for source, s in people] == [("given:xmp", "Ada")]
    assert labels(collection, "b.png") == {"Boat": "given:xmp"}
    before = len(collection.catalog.history.batches())
    collection.import_(root, format="xmp")
    assert len(collection.catalog.history.batches()) == before
    faces(root / "b.png", ("Ada", "Face"))
    collection.import_(root, format="xmp")
    assert store.table().ids.tolist() == [table.ids[0]]
    assert labels(collection, "b.png") == {}
    (root / "b.png.xmp").unlink()
    collection.import_(root, format="xmp")
    assert len(store.table()) == 0
