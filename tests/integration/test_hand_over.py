"""Decisions go from one copy of a collection to another: by content, once, with conflicts named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import Issue, Statement, Taxonomy
from vernis.verbs.decide.deduplication import find_duplicates

FILES = ("a.png", "b.png", "sub/c.png", "copy.png")


def make(folder: Path, names=FILES) -> Collection:
    """Return a collection of pictures, ``copy.png`` the same as ``a.png``, with label issues."""
    for place, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shade = 0 if name == "copy.png" else 40 * FILES.index(name) if name in FILES else 7 * place
        Image.new("RGB", (9, 9), (shade, 10, 10)).save(folder / name)
    made = Collection.create(folder.with_suffix(".vernis"))
    made.index([folder])
    catalog = made.session.catalog
    catalog.labels.define(Taxonomy("kind", "single", ("fruit", "milk", "tea")))
    ids = {image.uri: image.id for image in catalog.images.all()}
    said = [Statement(number, "fruit", "yes") for number in ids.values()]
    catalog.labels.record("kind", said, source="given", verb="import")
    evidence = {"change": "replaced", "given": ["fruit"], "suggested": ["milk"]}
    issues = [
        Issue("label", number, 0.1, taxonomy="kind", evidence=evidence) for number in ids.values()
    ]
    catalog.issues.replace(["label"], issues, "kind")
    find_duplicates(made.session)
    return made


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[tuple[Collection, Collection]]:
    """Yield two copies; in the second ``b.png`` has another name."""
    with make(tmp_path / "one") as first:
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        (tmp_path / "two" / "b.png").rename(tmp_path / "two" / "renamed.png")
        second = Collection.create(tmp_path / "two.vernis")
        second.index([tmp_path / "two"])
        catalog = second.session.catalog
        catalog.labels.define(Taxonomy("kind", "single", ("fruit", "milk", "tea")))
        images = catalog.images.all()
        evidence = {"change": "replaced", "given": ["fruit"], "suggested": ["tea"]}
        catalog.issues.replace(
            ["label"],
            [Issue("label", i.id, 0.1, taxonomy="kind", evidence=evidence) for i in images],
            "kind",
        )
        find_duplicates(second.session)
        with second:
            yield first, second


def labels(collection: Collection) -> dict[str, str]:
    matrix = collection.session.matrix("kind")
    uris = collection.session.uris()
    return {
        uris[number]: matrix.taxonomy.classes[row.argmax()]
        for number, row in zip(matrix.image_ids.tolist(), matrix.values == 1, strict=True)
        if row.any()
    }


def hand_over(first: Collection, second: Collection, out: Path, **settings):
    first.export("decisions", out)
    return second.apply(out, **settings)


def test_labels_verdicts_and_keepers_arrive_by_content_and_one_undo_takes_them_back(
    copies, tmp_path
):
    first, second = copies
    first.accept("kind", ["b.png"], who="ann")
    first.dismiss("kind", ["sub/c.png"], who="ann")
    first.keep(["copy.png"], who="ann")
    result = hand_over(first, second, tmp_path / "decisions.json", who="eve")
    assert (result.labels, result.verdicts, result.keepers) == (1, 2, 1)
    assert result.conflicts == result.missing == ()
    # what was accepted there, not what the issue here suggests
    assert labels(second) == {"renamed.png": "milk"}
    assert second.session.catalog.labels.counts_by_source() == {"human:ann": 1}
    uris = second.session.uris()
    decided = second.session.catalog.issues.select(("label",), verdicts=("accepted", "dismissed"))
    assert {uris[i.image_id]: i.verdict for i in decided} == {
        "renamed.png": "accepted",
        "sub/c.png": "dismissed",
    }
    kept = {uris[number]: who for number, who in second.session.catalog.issues.kept().items()}
    assert kept == {"copy.png": "eve"}  # who took it over: a batch is one person's
    again = second.apply(tmp_path / "decisions.json")
    assert (again.labels, again.verdicts, again.keepers, again.batch) == (0, 0, 0, 0)
    assert again.known == 4
    second.undo(result.batch)
    assert labels(second) == {}
    assert second.session.catalog.issues.kept() == {}
    assert not second.session.catalog.issues.select(("label",), verdicts=("accepted", "dismissed"))


def test_what_was_decided_otherwise_here_stays_and_is_named_unless_the_file_shall_win(
    copies, tmp_path
):
    first, second = copies
    first.accept("kind", ["b.png", "sub/c.png"], who="ann")
    second.accept("kind", ["renamed.png"], who="bob")  # tea
    second.dismiss("kind", ["sub/c.png"], who="bob")
    result = hand_over(first, second, tmp_path / "d.json")
    assert [(c.image, c.what, c.here, c.there) for c in result.conflicts] == [
        ("renamed.png", "kind", "tea", "milk"),
        ("sub/c.png", "kind", "dismissed", "accepted"),
    ]
    assert labels(second) == {"renamed.png": "tea", "sub/c.png": "milk"}
    tried = second.apply(tmp_path / "d.json", theirs=True, dry_run=True)
    assert labels(second)["renamed.png"] == "tea"
    assert tried.batch == 0
    won = second.apply(tmp_path / "d.json", theirs=True)
    assert len(won.conflicts) == len(tried.conflicts) == 2
    assert labels(second) == {"renamed.png": "milk", "sub/c.png": "milk"}


def test_an_image_that_is_not_here_is_named_and_a_taxonomy_that_is_not_here_is_made(
    copies, tmp_path
):
    first, second = copies
    first.session.catalog.labels.define(Taxonomy("mood", "multi", ("calm",)))
    ids = {image.uri: image.id for image in first.session.catalog.images.all()}
    first.session.catalog.labels.record(
        "mood",
        [Statement(ids["a.png"], "calm", "yes"), Statement(ids["b.png"], "calm", "no")],
        source="human:ann",
        verb="set",
    )
    (tmp_path / "two" / "renamed.png").unlink()
    second.index([tmp_path / "two"])
    result = hand_over(first, second, tmp_path / "d.json")
    assert result.missing == ("b.png",)
    assert any("not in this collection: b.png" in note for note in result.notes)
    matrix = second.session.matrix("mood")
    assert matrix.taxonomy.kind == "multi"
    uris = second.session.uris()
    assert {uris[n] for n in matrix.image_ids[matrix.labelled].tolist()} == {"a.png"}


def test_a_file_of_the_report_names_images_by_path_and_means_what_it_suggested(copies, tmp_path):
    _, second = copies
    verdict = {
        "image": "renamed.png", "kind": "label", "taxonomy": "kind", "verdict": "accepted",
        "given": ["fruit"], "suggested": ["milk"],
    }  # fmt: skip
    document = {"format": "vernis decisions", "version": 1, "verdicts": [verdict]}
    (tmp_path / "d.json").write_text(json.dumps(document))
    result = second.apply(tmp_path / "d.json", who="eve")
    assert (result.labels, result.verdicts) == (1, 1)
    assert labels(second) == {"renamed.png": "milk"}
    assert second.session.catalog.labels.counts_by_source() == {"human:eve": 1}


def test_taxonomy_and_filter_choose_what_is_handed_over(copies, tmp_path):
    first, _ = copies
    first.accept("kind", ["b.png", "sub/c.png"], who="ann")
    result = first.export("decisions", tmp_path / "d.json", where="name:b.png")
    assert result.labelled == {"kind": 1}
    with pytest.raises(UsageError, match="is there already"):
        first.export("decisions", tmp_path / "d.json")
    assert first.export("decisions", tmp_path / "d.json", overwrite=True).labelled == {"kind": 2}
    assert [path.name for path in tmp_path.glob(".*.new")] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"format": "coco"}', "holds no decisions"),
        ("[1, 2]", "is no JSON as expected"),
        ('{"format": "vernis decisions", "version": 9}', "is of version 9"),
        (
            '{"format": "vernis decisions", "version": 1, "labels": [{"image": "a.png", '
            '"taxonomy": "kind", "label": "tea", "state": "yes", "source": "model:x"}]}',
            "label 1: expected a source that begins with human: or accepted:",
        ),
        (
            '{"format": "vernis decisions", "version": 1, "verdicts": [{"image": "", '
            '"kind": "label", "verdict": "accepted"}]}',
            "verdict 1: expected the path of an image",
        ),
        (
            '{"format": "vernis decisions", "version": 1, "keepers": [7]}',
            "keeper 1: expected an object",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_place_and_changes_nothing(
    copies, tmp_path, text, reason
):
    _, second = copies
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(InvalidLabels, match=reason):
        second.apply(tmp_path / "d.json")
    assert labels(second) == {}
