"""Profiles from the command line: what is special, flows as picture, page and table."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture(scope="module")
def described(finished, tmp_path_factory):
    """A copy with a second taxonomy: 'blue' mostly on discs, 'rare' on one of them."""
    import shutil

    cwd = tmp_path_factory.mktemp("profile") / "work"
    shutil.copytree(finished.cwd, cwd)
    shell = type(finished)(cwd)
    shell("index", "pictures")
    with (cwd / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "shape", "colours"])
        for name in ("disc", "square", "stripes"):
            for number in range(20):
                blue = number < (16 if name == "disc" else 4)
                words = ["blue"] if blue else ["red"]
                words += ["rare"] if name == "disc" and number == 0 else []
                rows.writerow([f"{name}/{name}_{number:02}.jpg", name, "|".join(words)])
    shell("import", "tags.csv")
    return shell, "shape"


def test_what_is_special_to_a_class_and_what_is_rare_is_not(described):
    shell, shape = described
    document = shell.json("profile", shape, "--class", "disc")
    labels = {row["label"]: row for row in document["special"]}
    assert labels["blue"]["low"] > 1
    assert labels["blue"]["images"] == 16
    assert labels["blue"]["lift"] == pytest.approx(16 / 20 / (24 / 60))
    assert labels["red"]["high"] < 1
    assert "rare" not in labels
    said = shell("profile", shape, "--class", "disc").stdout
    assert "What is special" in said
    files = {p.name for p in (shell.cwd / f"profile-{shape}").iterdir()}
    assert {"histogram.png", "special.csv", "special-disc.png", "by-colours.png"} <= files


def test_multi_label_taxonomies_show_what_comes_together(described):
    shell, _ = described
    said = shell("profile", "colours", "--out", "colours").stdout
    assert "blue" in said
    assert (shell.cwd / "colours" / "together.png").stat().st_size > 3000


def test_flows_as_picture_page_and_table(described):
    shell, shape = described
    shell("profile", shape, "--to", "colours", "--min-flow", "5", "--out", "flows")
    folder = shell.cwd / "flows"
    document = json.loads((folder / "flows.json").read_text())
    flows = {(row["from"], row["to"]): row["images"] for row in document["flows"]}
    assert flows[("disc", "blue")] == 16
    assert flows[("disc", "other")] == 5  # red 4, rare 1
    assert sum(flows.values()) == document["pairs"] == 61
    with (folder / "flows.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(document["flows"])
    page = (folder / "sankey.html").read_text(encoding="utf-8")
    assert page.count('class="ribbon') == len(table)
    assert (folder / "sankey.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--class", "dics"], "did you mean 'disc'"),
        (["--to", "colours", "--min-flow", "99"], "the largest has 16"),
        (["--to", "colours", "--min-flow", "0"], "1 or more"),
        (["--to", "nothing"], "no taxonomy 'nothing'"),
        (["--by", "nothing"], "no taxonomy 'nothing'"),
    ],
)
def test_mistakes_get_one_clear_line(described, arguments, message):
    shell, shape = described
    assert message in shell("profile", shape, *arguments, "--out", "x", code=2).stderr
    assert not (shell.cwd / "x").exists()
