"""``vernis search`` on the small drawn collection."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.cli.main import main
from vernis.domain.documents import to_document
from vernis.domain.encoders import TextEncoder
from vernis.domain.errors import UsageError


@pytest.fixture(scope="module")
def collection(finished):
    with vernis.Collection.open(finished.cwd / "pictures.vernis") as opened:
        yield opened


def names(found, number=0):
    document = found if isinstance(found, dict) else to_document(found)
    return [row["image"] for row in document["searches"][number]["results"]]


def test_a_picture_finds_its_copies_and_not_itself(finished):
    document = finished.json("search", "--image", "disc/disc_00.jpg", "--k", "4")
    assert (document["method"], document["exact"], document["searched"]) == ("vectors", True, 75)
    (search,) = document["searches"]
    assert search["query"]["images"][0]["image"] == "disc/disc_00.jpg"
    first, second, *rest = search["results"]
    assert {first["image"], second["image"]} == {"disc/copy.jpg", "disc/twin.png"}
    assert first["similarity"] == pytest.approx(1, abs=1e-3)
    assert [row["similarity"] for row in rest] == sorted(
        (row["similarity"] for row in rest), reverse=True
    )
    assert first["labels"]["class"] == ["disc"]


def test_a_file_from_elsewhere_and_its_region(collection, finished, tmp_path):
    outside = tmp_path / "outside.jpg"
    shutil.copy(finished.cwd / "pictures" / "square" / "square_03.jpg", outside)
    assert names(collection.explore.search(image=[outside]))[0] == "square/square_03.jpg"
    # A picture that holds another in its right half.
    both = Image.new("RGB", (400, 160))
    both.paste(Image.open(finished.cwd / "pictures" / "stripes" / "stripes_05.jpg"), (200, 0))
    both.save(tmp_path / "both.png")
    for region in ("200,0,200,160", "0.5,0,0.5,1"):
        found = collection.explore.search(image=[tmp_path / "both.png"], region=[region])
        assert names(found)[0] == "stripes/stripes_05.jpg"
        assert found.searches[0].results[0].similarity > 0.99


def test_examples_counter_examples_and_a_filter_together(collection):
    explore = collection.explore
    asked = {"image": ["disc/disc_00.jpg", "square/square_00.jpg"], "where": "format:jpeg"}
    both = explore.search(**asked, k=75)
    assert not {"disc/twin.png", *asked["image"]} & set(names(both))
    assert "disc/copy.jpg" in names(both)
    less = explore.search(**asked, not_image=["disc/twin.png"], k=75)
    assert names(less).index("disc/copy.jpg") > names(both).index("disc/copy.jpg")
    anyone = explore.search(**asked, match="any", k=1)
    assert names(anyone) == ["disc/copy.jpg"]
    apart = explore.search(**asked, each=True, k=2)
    assert len(apart.searches) == 2
    assert names(apart)[0] == "disc/copy.jpg"


def test_several_searches_by_the_index_are_those_by_comparing_all(collection):
    searcher = collection.explore.searcher()
    assert len(searcher) == 75
    for image in collection.session.catalog.images.get(searcher.image_ids[:10].tolist()):
        example = searcher.vector_of(image)[None]
        plain = searcher.find(example, without=[image.id], count=5)
        indexed = searcher.find(example, without=[image.id], count=5, index=searcher.exact)
        np.testing.assert_allclose(indexed.similarities, plain.similarities, atol=1e-6)
        assert image.id not in indexed.image_ids


def test_many_vectors_are_searched_approximately_only_with_a_word_about_it(collection, monkeypatch):
    from vernis.adapters import ann
    from vernis.verbs.see import searching

    monkeypatch.setattr(searching, "APPROXIMATE_FROM", 10)
    monkeypatch.setattr(ann, "is_installed", lambda: False)
    found = collection.explore.search(image=["1"])
    assert found.exact
    assert any("vernis[ann]" in note for note in found.notes)
    assert collection.explore.search(image=["1"], exact=True).notes == ()


@pytest.mark.ann
@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="faiss is not installed")
def test_an_approximate_search_states_its_recall(workplace):
    document = workplace.json("search", "--image", "disc/disc_00.jpg", "--approximate", "--k", "2")
    assert not document["exact"]
    assert document["recall"] >= 0.99
    assert set(names(document)) == {"disc/copy.jpg", "disc/twin.png"}
    assert (workplace.cwd / "pictures.vernis" / "ann").is_dir()
    narrow = ("search", "--image", "1", "--approximate", "--where", "folder:square")
    assert workplace.json(*narrow)["exact"]


def test_words_are_found_where_they_are_written(finished):
    done = finished("search", "stripes", "05")
    assert "stripes/stripes_05.jpg" in done.stdout
    assert "class of the network" not in done.stderr
    document = finished.json("search", "strypes", "--k", "99")
    assert any("searched for 'stripes'" in note for note in document["notes"])
    (search,) = document["searches"]
    assert all("stripes" in row["image"] for row in search["results"])
    assert set(search["results"][0]["matched"]) == {"labels", "name"}
    some = finished.json("search", "square", "disc", "--k", "3")
    assert any("no image has all the words" in note for note in some["notes"])


def test_words_follow_the_labels_as_they_change(workplace):
    asked = ("search", "disc", "--where", "name:wrong.jpg", "--k", "1")
    (row,) = workplace.json(*asked)["searches"][0]["results"]
    assert row["matched"] == ["picture"]
    assert row["relevance"] < 0.05
    workplace("accept", "class", "stripes/wrong.jpg")
    (row,) = workplace.json(*asked)["searches"][0]["results"]
    assert row["matched"] == ["labels"]
    assert row["relevance"] > 0.9
    assert workplace.json("search", "--where", "source:human and is:confirmed")["searched"] == 1


def test_pictures_are_searched_by_colour_type_and_class_and_limits_are_said(finished):
    document = finished.json("search", "red", "drawings", "--k", "3")
    for row in document["searches"][0]["results"]:
        assert {"color", "type"} >= set(row["matched"])
        assert {one["what"] for one in row["seen"]} <= {"red", "drawing"}
    notes = finished.json("search", "wedding")["notes"]
    assert any("what 'wedding' looks like is not known" in note for note in notes)
    notes = finished.json("search", "puffin", "--k", "2")["notes"]
    assert any("a kind of 'seabird'" in note for note in notes)
    notes = finished.json("search", "a", "picture", "of", "a", "bannana", "--k", "1")["notes"]
    assert "nothing is named 'bannana'; searched for 'banana'" in notes


class Colours:
    """Encodes a word as the stored vector of one image."""

    name = "fake"

    def __init__(self, vector, space=""):
        self.vector = np.asarray(vector, np.float32)
        self.space = space

    def encode(self, texts):
        return np.stack([self.vector / np.linalg.norm(self.vector)] * len(texts))


def test_with_a_text_model_words_search_the_vectors(collection):
    from vernis.verbs.see.searching import Question, search

    searcher = collection.explore.searcher()
    (image,) = collection.session.catalog.images.get([int(searcher.image_ids[40])])
    encoder: TextEncoder = Colours(searcher.vector_of(image))
    found = search(collection.session, Question("a thing"), text_encoder=encoder)
    assert found.method == "vectors"
    assert found.searches[0].query.words == "a thing"
    assert found.searches[0].results[0].image == image.uri
    for other in (Colours(np.ones(7)), Colours(np.ones(7), "clip-vit")):
        with pytest.raises(UsageError, match="cannot be compared with the pictures"):
            search(collection.session, Question("a"), text_encoder=other)
    space = searcher.space.name
    for other, name, reason in (
        (Colours(np.ones(7), "clip-vit"), None, "embed --backbone clip-vit.onnx"),
        (Colours(np.ones(7), "clip-vit"), space, "dimensions, the text model 7"),
    ):
        with pytest.raises(UsageError, match=reason) as caught:
            search(collection.session, Question("a"), text_encoder=other, space=name)
        assert "did you mean" not in str(caught.value)


def test_a_filter_alone_lists(finished, collection):
    document = finished.json("search", "--where", "folder:disc and not name~disc_")
    assert names(document) == ["disc/copy.jpg", "disc/twin.png"]
    ids = collection.explore.select("folder:disc and not name~disc_")
    assert [image.uri for image in collection.catalog.images.get(ids)] == names(document)
    assert "26 images where disc~d" not in finished("search", "--where", "folder~d").stdout
    assert "issue" not in finished("search", "--where", "issue:duplicate or width<10").stderr


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("width:200 and height:160 and aspect:5/4", 75),
        ("is:labelled", 75),
        ("is:unlabelled or is:confirmed", 0),
        ("has:class and source:given", 75),
        ("source:human", 0),
        ("label:disc and format:png", 1),
        ("folder~str and issue:label", 1),
        ("issue:duplicate and folder:disc", 3),
        ("modified>=2020 and size<10MB and id>0", 75),
        ("mode:rgb", 75),
    ],
)
def test_what_filters_can_ask(collection, where, count):
    assert len(collection.explore.select(where)) == count


def test_sheets_hold_the_query_and_the_results(finished, tmp_path):
    one = tmp_path / "one.png"
    asked = ("--image", "disc/disc_00.jpg", "--image", "square/square_00.jpg")
    done = finished("search", *asked, "--k", "3", "--sheet", str(one))
    assert f"sheet: {one}" in done.stderr
    finished("search", *asked, "--each", "--k", "3", "--dark", "--sheet", str(tmp_path / "two.png"))
    combined, apart = np.array(Image.open(one)), np.array(Image.open(tmp_path / "two.png"))
    assert combined.shape[1] > apart.shape[1]
    assert apart.shape[0] > combined.shape[0]
    assert combined[0, 0].mean() > 200 > 100 > apart[0, 0].mean()
    blue = (combined == (0, 0x72, 0xB2)).all(axis=2)
    assert blue.any()
    finished("search", "disc", "--k", "12", "--sheet", str(tmp_path / "words.png"))
    finished("search", "--where", "folder:disc", "--sheet", str(tmp_path / "where.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to search for"),
        (("--not-image", "1"), "counter-examples need an example"),
        (("--image", "disc/disk_00.jpg"), "did you mean disc/disc_00.jpg"),
        (("--image", "1", "--k", "0"), "1 or more"),
        (("--image", "1", "--region", "0,0,900,20"), "leaves the picture"),
        (("--image", "1", "--region", "1,2,3"), "expected a region as x,y,width,height"),
        (("--region", "0,0,1,1", "--where", "id>0"), "1 regions for 0 images"),
        (("--where", "folder:disk"), "did you mean disc"),
        (("--where", "width>"), "expected a value after width>"),
        (("disc", "--image", "1"), "only with a text model"),
        (("?!",), "give a word"),
        (("--image", "1", "--space", "x"), "no space 'x'"),
        (("--image", "1", "--sheet", "x.gif"), "written as PNG"),
        (("qqqqq", "--sheet", "x.png"), "nothing was found"),
        (("disc", "--text-model", "nowhere.onnx"), "no such text model"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_line(
    finished, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(finished.cwd)
    assert main(["search", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not list(finished.cwd.glob("x.*"))


def test_a_file_that_is_no_picture_is_named(finished, tmp_path, monkeypatch, capsys):
    (tmp_path / "x.jpg").write_text("no picture")
    monkeypatch.chdir(finished.cwd)
    for name in (str(tmp_path / "x.jpg"), "square/broken.jpg"):
        assert main(["search", "--image", name]) == 1
        assert capsys.readouterr().err.startswith(f"vernis: {name}: ")


def test_without_embeddings_it_says_how_to_make_them(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as collection:
        collection.index(tmp_path)
        with pytest.raises(UsageError, match="vernis embed"):
            collection.explore.search(image=["a.png"])
        assert names(collection.explore.search("a")) == ["a.png"]
        assert collection.explore.search(where="width:20").searched == 1
