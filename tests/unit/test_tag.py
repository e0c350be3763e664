"""``tag``: what pictures are taken for, as suggestions; filters by colour, type and suggestion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.adapters.backbones.classifier import classifier_of
from vernis.adapters.backbones.zoo import open_backbone
from vernis.domain.errors import FilterError, UsageError
from vernis.session.vectors import search_columns
from vernis.verbs.see.browsing import count_facets
from vernis.verbs.see.filters import filter_table
from vernis.verbs.see.map_view import choose_color, read_facets

SHOWN = {"a.png": "tabby", "b.png": "Siamese cat", "c.png": "beer bottle", "d.png": ""}
COLORS = {"a.png": "red", "b.png": "green", "c.png": "blue", "d.png": "white"}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vernis.Collection]:
    """Four pictures in plain colours, with vectors that the network takes for known classes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, color in COLORS.items():
        Image.new("RGB", (64 + ord(name[0]), 64), color).save(folder / name)
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        space = open_backbone().reader().space
        classifier = classifier_of(space)
        names = classifier.nouns.class_names
        vectors = np.zeros((len(SHOWN), space.dim), space.dtype)
        for row, word in enumerate(SHOWN.values()):
            if word:
                weights = classifier.weights[:, names.index(word)]
                vectors[row, search_columns(space)] = 8 * weights / np.linalg.norm(weights)
        images = {image.uri: image.content_hash for image in made.session.images()}
        made.catalog.vectors.append(space, [images[name] for name in SHOWN], vectors)
        measures = [
            r for r in made.session.measures.measuring_readers() if r.space.name == "appearance"
        ]
        measure = measures[0].open()
        looks = [measure(np.asarray(Image.open(folder / name).convert("RGB"))) for name in SHOWN]
        made.catalog.vectors.append(
            measures[0].space, [images[name] for name in SHOWN], np.stack(looks)
        )
        yield made


def names_of(collection: vernis.Collection, where: str) -> list[str]:
    ids = collection.explore.select(where).tolist()
    return [image.uri for image in collection.catalog.images.get(ids)]


def test_words_and_what_is_above_them_are_suggested_and_are_no_labels(collection):
    done = collection.tag()
    words = {row.word: row.images for row in done.words}
    assert words["cat"] == words["animal"] == 2
    assert words["tabby"] == words["Siamese cat"] == words["bottle"] == 1
    assert "feline" not in words
    assert done.words[0].images == max(words.values())
    assert (done.source, done.seen, done.tagged) == ("model:imagenet", 4, 3)
    said = collection.catalog.labels.statements_about("tags", ["cat"])
    assert set(said) == {"model:imagenet"}
    assert all(0.5 <= one.probability <= 1 for one in said["model:imagenet"])
    matrix = collection.session.matrix("tags")
    assert np.isnan(matrix.values).all()
    assert names_of(collection, "is:labelled") == []
    assert collection.catalog.labels.taxonomy("tags").ignored


def test_the_record_of_an_image_lists_what_is_suggested_with_its_source(collection):
    collection.tag()
    record = collection.explore.show("a.png").record
    found = {(one.taxonomy, one.label, one.source) for one in record.suggestions}
    assert ("tags", "cat", "model:imagenet") in found
    chances = [one.probability for one in record.suggestions]
    assert chances == sorted(chances, reverse=True)
    assert not any(row.holds for row in record.labels)


def test_accepted_words_are_labels_and_one_undo_takes_them_back(collection):
    collection.tag()
    done = collection.tag(accept=["Cat"])
    assert {row.word: row.accepted for row in done.words if row.accepted} == {"cat": 2}
    assert names_of(collection, "tags:cat") == ["a.png", "b.png"]
    assert names_of(collection, "suggested:tabby") == ["a.png"]
    with pytest.raises(FilterError, match="no value of suggested"):
        collection.explore.select("suggested:cat")
    record = collection.explore.show("a.png").record
    assert {row.label for row in record.labels if row.holds} == {"cat"}
    assert "cat" not in {one.label for one in record.suggestions}
    collection.undo()
    assert names_of(collection, "suggested:cat") == ["a.png", "b.png"]
    assert names_of(collection, "is:labelled") == []


def test_what_a_person_denied_is_not_suggested(collection):
    collection.tag()
    rows = collection.labels("tags", all=True)
    rows.loc["a.png", "cat"] = False
    collection.set_labels(rows, who="ann")
    assert names_of(collection, "suggested:cat") == ["b.png"]
    assert "cat" not in {one.label for one in collection.explore.show("a.png").record.suggestions}
    collection.tag(accept=["all"])
    assert names_of(collection, "tags:cat") == ["b.png"]


def test_a_second_run_changes_nothing_and_a_part_leaves_the_rest(collection):
    first = collection.tag()
    assert first.batch > 0
    assert collection.tag().batch == 0
    assert collection.tag(where="name:a.png", sure=0.9999).batch > 0
    with pytest.raises(FilterError, match="no value of suggested"):
        collection.explore.select("suggested:tabby")
    assert names_of(collection, "suggested:cat") == ["b.png"]


def test_undo_takes_the_taxonomy_away(collection):
    collection.undo(collection.tag().batch)
    assert collection.session.taxonomies() == []
    assert collection.tag(accept=["cat"]).batch > 0
    collection.undo()  # suggestions alone are no decision, accepted ones are
    assert collection.session.taxonomies() == []


def test_what_cannot_be_tagged_is_said(collection, tmp_path):
    with pytest.raises(UsageError, match="'dgo' is suggested for no image"):
        collection.tag(accept=["dgo"])
    table = tmp_path / "own.csv"
    table.write_text("image,tags\na.png,mine\n")
    collection.import_(table, taxonomy=["tags"])
    with pytest.raises(UsageError, match="'tags' is yours; name another"):
        collection.tag()
    with vernis.Collection.create(tmp_path / "empty.vernis") as empty:
        empty.index(tmp_path / "pictures")
        with pytest.raises(UsageError, match="the command for it is vernis embed"):
            empty.tag()
        with pytest.raises(FilterError, match="run vernis embed"):
            empty.explore.select("color:red")
        with pytest.raises(FilterError, match="nothing is suggested yet"):
            empty.explore.select("suggested:cat")


def test_filters_ask_for_colours_and_types(collection):
    assert names_of(collection, "color:red") == ["a.png"]
    assert names_of(collection, "color:gray or color:navy") == ["c.png"]
    assert names_of(collection, "not color:red and not color:w*") == ["b.png", "c.png"]
    types = ("photo", "drawing", "document", "screenshot")
    found = [names_of(collection, f"type:{name}") for name in types]
    assert sorted(name for names in found for name in names) == sorted(SHOWN)
    assert names_of(collection, "type:logo") == names_of(collection, "type:drawing")
    with pytest.raises(FilterError, match="'blu' is no value of color; did you mean blue"):
        collection.explore.select("color:blu")


def test_a_taxonomy_of_that_name_comes_first(collection, tmp_path):
    table = tmp_path / "own.csv"
    table.write_text("image,type,color\na.png,bottle,crimson\nb.png,drawing,red\n")
    collection.import_(table, taxonomy=["type", "color"])
    assert names_of(collection, "type:bottle") == ["a.png"]
    assert names_of(collection, "type:drawing") == ["b.png"]  # the owner's word, not the measure
    assert names_of(collection, "color:crimson") == ["a.png"]
    assert names_of(collection, "color:red") == ["b.png"]
    assert names_of(collection, "color:green") == ["b.png"]  # measured: the owner has no such class
    assert names_of(collection, "type~bott") == ["a.png"]
    assert names_of(collection, '"type":bottle') == ["a.png"]
    session = collection.session
    table = filter_table(session)
    for facet in count_facets(session, table, np.ones(4, bool)):
        for value in facet.values:
            assert len(collection.explore.select(value.where)) == value.total, value


def test_colours_and_types_are_facets_of_the_map_but_not_its_colour_unasked(collection):
    facets = read_facets(collection.session, collection.session.images()[::-1])
    found = {facet.name: facet for facet in facets}
    red = found["color"].classes.index("red")
    assert [red in row for row in found["color"].values] == [False, False, False, True]
    assert all(len(row) == 1 for row in found["type"].values)
    assert choose_color(facets, None) == ""
    assert choose_color(facets, "type") == "type"


def test_appearance_is_measured_once_a_content(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "a.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.embed()
        (folder / "a.png").rename(folder / "moved.png")
        Image.new("RGB", (64, 64), "blue").save(folder / "b.png")
        made.index(folder)
        space = made.session.measures.appearance_space()
        hashes = {image.uri: image.content_hash for image in made.session.images()}
        assert made.catalog.vectors.holds(
            space, [hashes["moved.png"], hashes["b.png"]]
        ).tolist() == [
            True,
            False,
        ]
        made.embed()
        assert names_of(made, "color:blue") == ["b.png"]
