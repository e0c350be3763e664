"""``vernis map`` on the small collection: made once, kept, drawn, added to."""

import json

import numpy as np
from PIL import Image

import vernis

NAME = "efficientnet_lite0@int8/tsne-p10-i250"
SETTINGS = ("--perplexity", "10", "--iterations", "250", "--out", "pictures/map")


def places(shell):
    folder = next(shell.cwd.glob("*.vernis"))
    with vernis.Collection.open(folder, read_only=True) as collection:
        return collection.explore.map_points(NAME).set_index("image")


def test_a_map_is_made_once_and_takes_new_pictures(workplace):
    made = workplace.json("map", *SETTINGS)
    assert (made["name"], made["computed"], made["placed_now"]) == (NAME, True, 0)
    assert made["pictures"] == 74  # the copy shares its original's place
    assert made["trustworthiness"] > 0.6
    assert 0.1 < made["preservation"] <= 1
    out = workplace.cwd / "pictures" / "map"
    assert made.get("picture") is None
    assert not (out / "map.png").exists()
    drawn = workplace.json("map", *SETTINGS, "--picture", "--picture-size", "0.2")
    assert drawn["picture"].endswith("map.png")
    assert (out / "map.png").stat().st_size <= 200_000
    with Image.open(out / "map.png") as picture:
        assert picture.mode == "RGB"
    page = (out / "index.html").read_bytes()

    again = workplace.json("map", *SETTINGS)
    assert (again["computed"], again["drawn"]) == (False, False)
    assert again["trustworthiness"] == made["trustworthiness"]

    before = places(workplace)
    with Image.open(workplace.cwd / "pictures" / "disc" / "disc_05.jpg") as picture:
        picture.rotate(4).save(workplace.cwd / "pictures" / "disc" / "new.jpg")
    workplace("index", "pictures")  # the map's own pictures are none of the collection
    workplace("embed")
    added = workplace.json("map", *SETTINGS)
    assert (added["computed"], added["placed_now"], added["placed_later"]) == (False, 1, 1)
    after = places(workplace)
    np.testing.assert_array_equal(after.loc[before.index, ["x", "y"]], before[["x", "y"]])
    assert after.loc["disc/new.jpg", "placed"]
    assert (out / "index.html").read_bytes() != page
    fresh = workplace.json("map", *SETTINGS, "--fresh")
    assert (fresh["computed"], fresh["placed_later"], fresh["pictures"]) == (True, 0, 75)


def test_a_grid_keeps_its_maps_and_its_table(workplace):
    grid = workplace.json("map", "--grid", "perplexity=5,10", "iterations=50,250", "--out", "g")
    assert [row["name"].rpartition("/")[2] for row in grid["maps"]] == [
        "tsne-p5-i50",
        "tsne-p5-i250",
        "tsne-p10-i50",
        "tsne-p10-i250",
    ]
    table = json.loads((workplace.cwd / "g" / "grid.json").read_text())
    kept = [row["preservation"] for row in grid["maps"]]
    np.testing.assert_allclose([row["preservation"] for row in table], kept, atol=1e-6)
    assert (workplace.cwd / "g" / "grid.png").exists()
    of_grid = places(workplace)
    assert not workplace.json("map", *SETTINGS)["computed"]  # the grid has made it already
    workplace.json("map", *SETTINGS, "--fresh")
    np.testing.assert_allclose(places(workplace)[["x", "y"]], of_grid[["x", "y"]])
    assert len(workplace.json("maps")) == 4
    assert len(workplace.json("maps", "--remove", NAME)) == 3


def test_names_colours_and_wrong_usage(workplace):
    made = workplace.json("map", "--method", "pca", "--name", "flat", "--color", "issues")
    assert (made["name"], made["color"]) == ("flat", "issues")
    assert not workplace.json("map", "--name", "flat", "--color", "issues")["computed"]
    (workplace.cwd / "full").mkdir()
    (workplace.cwd / "full" / "mine.txt").write_text("mine")
    for arguments, said in (
        (("--name", "flat", "--method", "tsne"), "--fresh makes it anew"),
        (("--name", "flat", "--color", "colour"), "to colour by"),
        (("--name", "flat", "--out", "full"), "holds other files"),
        (("--space", "nothing"), "no space"),
        (("--perplexity", "0"), "perplexity from 1"),
        (("--grid", "seed=1,2"), "perplexity=10,20,30"),
        (("--grid", "iterations=1.5"), "whole numbers"),
        (("--grid", "perplexity=5", "--method", "pca"), "no parameters"),
    ):
        done = workplace("map", *arguments, "--quiet", code=2)
        assert said in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in (workplace.cwd / "full").iterdir()] == ["mine.txt"]
