"""The README: its commands are commands, and its round trip goes round."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest

from vernis.cli.commands import build_app

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "guide").glob("*.md"))]


def commands(text: str) -> list[str]:
    """Return the command lines of a page, several of one line apart."""
    lines = re.findall(r"^(?: {4})?(vernis [a-z].*)$", text, re.MULTILINE)
    parts = [part.strip() for line in lines for part in line.split("  #")[0].split(";")]
    return [part for part in parts if part.startswith("vernis ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_is_shown_can_be_read(page):
    app = build_app(lambda *given: 0, None)
    for line in commands(page.read_text(encoding="utf-8")):
        words = shlex.split(line.replace("…", ""), comments=True)[1:]
        if words[0] != "completion":
            app.parse_args(words, exit_on_error=False, print_error=False)


def test_the_round_trip_of_the_readme_goes_round(finished, tmp_path):
    (tmp_path / "photos").mkdir()
    rows = [("image", "brand")]
    for path in sorted((finished.cwd / "pictures").rglob("*.*")):
        if path.suffix in (".jpg", ".png"):
            name = f"{path.stem}{path.suffix}"
            shutil.copy(path, tmp_path / "photos" / name)
            # Three pictures lack their label; wrong.jpg has that of its folder, which is wrong.
            rows.append((name, "" if path.stem.endswith("_07") else path.parent.name))
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    shell = type(finished)(tmp_path)
    shell("run", "photos", "--labels", "labels.csv")
    assert "wrong.jpg" in shell("issues", "brand").stdout
    shell("accept", "brand", "wrong.jpg")
    shell("fill", "brand", "--apply")
    account = shell.json("status")["taxonomies"][0]["account"]
    assert (account["taken_away"], account["added"], account["corrected_images"]) == (1, 1, 1)
    shell("export", "csv", "labels-clean.csv")
    with (tmp_path / "labels-clean.csv").open(newline="") as file:
        clean = {row["image"]: row["brand"] for row in csv.DictReader(file)}
    assert clean["wrong.jpg"] == "disc"
    given = dict(rows[1:])
    kept = {name for name, label in given.items() if label and name in clean} - {"wrong.jpg"}
    assert all(clean[name] == given[name] for name in kept)
    clean.pop("broken.jpg", None)  # it keeps its label, and is no picture to count
    assert len([label for label in clean.values() if label]) == account["now"]
