"""``vernis clusters``, ``topics``, ``outliers`` and ``leakage`` from end to end."""

from __future__ import annotations

import csv

from PIL import Image


def test_clusters_are_found_drawn_named_and_accepted(workplace):
    arguments = ("clusters", "--k", "3..6", "--sheet", "c.png", "--figure", "k.png")
    document = workplace.json(*arguments)
    assert document["images"] == sum(c["size"] for c in document["clusters"])
    assert {row["k"] for row in document["scan"]} == {3, 4, 5, 6}
    for name in ("c.png", "k.png"):
        with Image.open(workplace.cwd / name) as drawn:
            assert min(drawn.size) > 300
    assert workplace.json("clusters", "--k", "3..6")["clusters"] == document["clusters"]
    renamed = workplace.json("clusters", "--name", "2=my own")
    assert renamed["clusters"][1]["name"] == "my own"
    for before, after in zip(document["clusters"], renamed["clusters"], strict=True):
        assert after | {"name": "", "named_by": ""} == before | {"name": "", "named_by": ""}
    assert {row["k"] for row in renamed["scan"]} == {3, 4, 5, 6}
    fewer = workplace.json("clusters", "--k", "2", "--fresh", "--name", "1=half")
    assert [cluster["name"] for cluster in fewer["clusters"]].count("half") == 1
    assert fewer["k"] == 2
    assert workplace.json("clusters", "--name", "1=half") == fewer
    workplace("clusters", "--k", "3..6")
    accepted = workplace("clusters", "--accept", "looks=1,2", "--into", "look")
    batch = accepted.stdout.split("vernis undo ")[1].split()[0]
    assert "proposal:clusters" in workplace.json("status")["labels"]
    workplace("undo", batch)
    assert "proposal:clusters" not in workplace.json("status")["labels"]
    assert "no cluster 99" in workplace("clusters", "--accept", "a=99", code=2).stderr
    assert "NAME=NUMBERS" in workplace("clusters", "--accept", "a", code=2).stderr
    assert "5..40" in workplace("clusters", "--k", "9..3", code=2).stderr


def test_outliers_can_be_dismissed(workplace):
    document = workplace.json("outliers", "--all")
    rows = document["outliers"]
    assert len(rows) == document["summary"]["images"]
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    workplace("dismiss", "outlier", rows[0]["image"])
    again = workplace.json("outliers", "--all")["outliers"]
    assert again[0]["verdict"] == "dismissed"
    assert rows[0]["image"] not in [r["image"] for r in workplace.json("outliers")["outliers"]]
    name = workplace.json("status")["taxonomies"][0]["name"]
    table = workplace("outliers", name, "--sheet", "o.png")
    assert "images are outliers" in table.stdout


def test_the_splits_of_a_csv_show_what_leaks(workplace):
    assert "no split is declared" in workplace("leakage", code=2).stderr
    with (workplace.cwd / "splits.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "split", "shape"])
        for path in sorted((workplace.cwd / "pictures").rglob("*.*g")):
            split = "test" if path.name in ("copy.jpg", "disc_03.jpg") else "train"
            writer.writerow([path.relative_to(workplace.cwd / "pictures"), split, path.parent.name])
    workplace("import", "splits.csv")
    workplace("index", "pictures")  # does not forget the splits
    document = workplace.json("leakage")
    found = {frozenset((p["first"], p["second"])): p["kind"] for p in document["pairs"]}
    assert found[frozenset(("disc/disc_00.jpg", "disc/copy.jpg"))] == "bytes"
    (hit,) = [row for row in document["affected"] if row["split"] == "test"]
    assert (hit["with"], hit["images"], hit["share"]) == ("train", 1, 0.5)
    looser = workplace("leakage", "--similarity", "0.5", "--sheet", "l.png")
    assert "Affected" in looser.stdout
    assert (workplace.cwd / "l.png").is_file()


def test_topics_say_when_labels_carry_none(workplace):
    name = workplace.json("status")["taxonomies"][0]["name"]
    assert "no image has two labels" in workplace("topics", name, code=1).stderr
    assert "vernis topics" in workplace("topics", name, "--accept", "all", code=2).stderr
