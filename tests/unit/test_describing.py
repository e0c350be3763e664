"""The index takes what image files and their sidecars say, once, and follows their changes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FolderSource
from vernis.collection import Collection
from vernis.domain.types import Statement, Taxonomy
from vernis.verbs.steps import describing

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
<rdf:Description rdf:about=""{rating}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{caption}</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Bag>{paths}</rdf:Bag></lr:hierarchicalSubject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def packet(*words: str, caption: str = "", rating: int | None = None) -> bytes:
    """Return a packet; words with ``|`` go into the hierarchical list."""
    lists = {
        name: "".join(f"<rdf:li>{word}</rdf:li>" for word in words if ("|" in word) == deep)
        for name, deep in (("words", False), ("paths", True))
    }
    said = "" if rating is None else f' xmp:Rating="{rating}"'
    return XMP.format(rating=said, caption=caption, **lists).encode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder: words in a.jpg, beside b.png, none for c.jpg."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(("a.jpg", "b.png", "c.jpg")):
        Image.new("RGB", (9, 9), (90 * number, 0, 0)).save(folder / name)
    Image.new("RGB", (9, 9), "blue").save(folder / "a.jpg", xmp=packet("sea", "Animals|Fish"))
    (folder / "b.png.xmp").write_bytes(packet("sea", caption="The beach", rating=4))
    return folder


@pytest.fixture
def collection(tmp_path: Path, root: Path) -> Iterator[Collection]:
    """Yield the folder's collection, not yet indexed."""
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        yield opened


def labels(collection: Collection, name: str) -> dict[str, str]:
    if not collection.session.taxonomies():
        return {}
    image = collection.catalog.images.find(name).id
    return {
        s.label: source for source, s in collection.catalog.labels.statements("keywords", image)
    }


def test_the_index_takes_words_and_captions_and_says_so(collection, root):
    (note,) = collection.index([root]).notes
    assert note == (
        "the image files say: 2 keywords of 2 images, 1 caption, 1 rating; "
        "vernis undo 2 takes this back"
    )
    assert labels(collection, "a.jpg") == {"sea": "given:xmp", "Animals|Fish": "given:xmp"}
    assert labels(collection, "b.png") == {"sea": "given:xmp"}
    assert labels(collection, "c.jpg") == {}
    kept = collection.catalog.images.find("b.png").metadata
    assert (kept["description"], kept["rating"]) == ("The beach", 4)
    assert collection.index().notes == ()


def test_undo_takes_words_back_and_the_next_index_leaves_it_so(collection, root):
    collection.index([root])
    collection.undo(including="imports")
    assert labels(collection, "a.jpg") == {}
    assert "rating" not in collection.catalog.images.find("b.png").metadata
    assert collection.index().notes == ()
    assert labels(collection, "a.jpg") == {}
    # A file that is written anew says only what is new of it.
    (root / "b.png.xmp").write_bytes(packet("sea", "sand", caption="The beach", rating=5))
    collection.index()
    assert labels(collection, "b.png") == {"sand": "given:xmp"}
    kept = collection.catalog.images.find("b.png").metadata
    assert "description" not in kept


def test_a_sidecar_that_changed_is_read_and_its_picture_is_not_hashed(
    collection, root, monkeypatch
):
    collection.index([root])

    def refuse(*_):
        raise AssertionError("hashed again")

    monkeypatch.setattr(FolderSource, "inspect", refuse)
    (root / "b.png.xmp").write_bytes(packet("sand", caption="The dune"))
    (root / "c.xmp").write_bytes(packet("new"))
    notes = collection.index().notes
    assert notes[0].startswith("the image files say: 2 keywords of 2 images, 1 caption, 1 rating;")
    assert labels(collection, "b.png") == {"sand": "given:xmp"}
    assert labels(collection, "c.jpg") == {"new": "given:xmp"}
    kept = collection.catalog.images.find("b.png").metadata
    assert (kept["description"], kept.get("rating")) == ("The dune", None)
    (root / "b.png.xmp").unlink()
    collection.index()
    assert labels(collection, "b.png") == {}
    assert "description" not in collection.catalog.images.find("b.png").metadata


def test_what_a_person_said_and_what_a_table_said_stays(collection, root):
    collection.index([root])
    images = collection.catalog.images
    (a, b) = (images.find(name).id for name in ("a.jpg", "b.png"))
    no = [Statement(a, "sea", "no")]
    collection.catalog.labels.record("keywords", no, source="human:anna", verb="test")
    images.set_attributes({b: {"description": "From a table"}}, source="given", verb="import")
    Image.new("RGB", (9, 9), "blue").save(root / "a.jpg", xmp=packet("sea", "shore"))
    (root / "b.png.xmp").write_bytes(packet("sea", caption="Another", rating=2))
    collection.index()
    held = {h.label for h in collection.catalog.labels.held("keywords") if h.image_id == a}
    assert held == {"shore"}
    kept = images.find("b.png").metadata
    assert (kept["description"], kept["rating"]) == ("From a table", 2)


def test_what_vernis_wrote_does_not_come_back(collection, root):
    collection.index([root])
    image = collection.catalog.images.find("c.jpg").id
    collection.catalog.labels.define(Taxonomy("keywords", "multi", ("mine",)))
    yes = [Statement(image, "mine", "yes")]
    collection.catalog.labels.record("keywords", yes, source="human:anna", verb="test")
    for carrier in ("embed", "sidecar"):
        collection.write_back(apply=True, **{carrier: True})
        assert collection.index().notes == ()
        assert labels(collection, "c.jpg") == {"mine": "human:anna"}


def test_a_moved_picture_keeps_its_words_and_what_is_kept_beside_it(collection, root):
    collection.index([root])
    b = collection.catalog.images.find("b.png").id
    collection.catalog.images.set_attributes({b: {"price": "7"}}, source="given", verb="import")
    (root / "b.png").rename(root / "z.png")
    (root / "b.png.xmp").rename(root / "z.png.xmp")
    assert collection.index().moved == 1
    moved = collection.catalog.images.find("z.png")
    assert (moved.id, moved.metadata["price"], moved.metadata["rating"]) == (b, "7", 4)
    assert labels(collection, "z.png") == {"sea": "given:xmp"}


def test_ignored_words_stay_ignored_until_they_are_asked_for(collection, root):
    assert collection.index([root], file_words="ignore").notes == ()
    assert collection.index().notes == ()
    assert collection.session.taxonomies() == []
    (note,) = collection.index(file_words="read").notes
    assert note.startswith("the image files say: 2 keywords of 2 images")


def test_a_renamed_taxonomy_gets_the_new_words(collection, root):
    collection.index([root])
    collection.taxonomies(rename=[("keywords", "topics")])
    (root / "c.jpg.xmp").write_bytes(packet("sand"))
    collection.index()
    assert [one.name for one in collection.session.taxonomies()] == ["topics"]
    image = collection.catalog.images.find("c.jpg").id
    assert [s.label for _, s in collection.catalog.labels.statements("topics", image)] == ["sand"]


def test_words_of_a_removed_taxonomy_may_go(collection, root):
    collection.index([root])
    collection.taxonomies(remove=["keywords"])
    (root / "b.png.xmp").write_bytes(packet("sand"))
    collection.index()
    assert labels(collection, "b.png") == {"sand": "given:xmp"}
    (root / "b.png.xmp").write_bytes(packet())
    collection.taxonomies(remove=["keywords"])
    collection.index()
    assert collection.session.taxonomies() == []


def test_a_taxonomy_of_single_labels_is_left_alone(collection, root):
    collection.catalog.labels.define(Taxonomy("keywords", "single", ("a",)))
    (note,) = collection.index([root]).notes
    assert "keywords' is single-label already" in note
    assert labels(collection, "a.jpg") == {}


def test_captions_that_cameras_write_are_none(collection, root):
    Image.new("RGB", (9, 9)).save(root / "c.jpg", xmp=packet(caption="OLYMPUS DIGITAL CAMERA"))
    collection.index([root])
    assert "description" not in collection.catalog.images.find("c.jpg").metadata


def test_damaged_metadata_costs_no_picture(collection, root):
    (root / "c.jpg.xmp").write_bytes(b"<x:xmpmeta")
    result = collection.index([root])
    assert (result.new, result.unreadable) == (3, 0)
    assert any("its sidecar" in note for note in result.notes)


def test_a_sidecar_may_be_indexed_by_the_name_of_its_picture(collection, root):
    collection.index([root / "b.png"])
    assert labels(collection, "b.png") == {"sea": "given:xmp"}


def test_images_of_earlier_versions_are_not_read_unasked(collection, root, tmp_path):
    collection.index([root], file_words="ignore")
    collection.close()
    ledger = sqlite3.connect(tmp_path / "pictures.vernis" / "catalog.sqlite")
    ledger.execute("DROP TABLE described")
    ledger.execute("PRAGMA user_version = 9")
    ledger.commit()
    ledger.close()
    with SqliteCatalog.open(tmp_path / "pictures.vernis") as catalog:
        assert catalog.images.described()[1].tolist() == [-1, -1, -1]
    with Collection.open(tmp_path / "pictures.vernis") as opened:
        (note,) = opened.index(file_words="read").notes
        assert note.startswith("3 images were listed before the words of files were read")
        opened.import_(root, format="xmp")
        assert opened.index().notes == ()
        assert labels(opened, "b.png") == {"sea": "given:xmp"}
        os.utime(root / "b.png.xmp")
        assert opened.index().notes == ()


def test_what_was_cut_off_is_read_by_the_next_index(collection, root, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(describing, "_record_all", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            collection.index([root])
    assert labels(collection, "a.jpg") == {}
    (note,) = collection.index().notes
    assert note.startswith("the image files say: 2 keywords of 2 images, 1 caption, 1 rating;")
    assert labels(collection, "b.png") == {"sea": "given:xmp"}


def _cut_off(*_: object) -> None:
    raise KeyboardInterrupt
