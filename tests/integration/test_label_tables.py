"""Tables of labels on the command line: whatever they hold, the pictures are worked on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vernis.adapters.interchange.formats.xlsx import write_xlsx

PICTURES = 12


@pytest.fixture(scope="module")
def archive(finished, tmp_path_factory):
    """Return a shell beside a flat folder of pictures, two the same, and a spreadsheet in it."""
    cwd = tmp_path_factory.mktemp("tables")
    folder = cwd / "archive"
    folder.mkdir()
    rows = [["File name", "Subject"]]
    for number in range(PICTURES):
        shape = "disc" if number % 2 else "stripes"
        picture = finished.cwd / "pictures" / shape / f"{shape}_{number + 1:02}.jpg"
        (folder / f"IMG {number:02}.jpg").write_bytes(picture.read_bytes())
        rows.append([f"D:\\Photos\\img {number:02}.JPG", shape])
    (folder / "IMG copy.jpg").write_bytes((folder / "IMG 00.jpg").read_bytes())
    write_xlsx(folder / "The list.xlsx", rows)
    shell = type(finished)(cwd)
    shell("run", "archive")
    return shell


def test_a_spreadsheet_that_lies_in_the_folder_is_named_and_works(archive):
    said = " ".join(archive("run", "archive").stderr.split())
    assert "The list.xlsx names images of this folder" in said
    assert "vernis run archive --labels 'archive/The list.xlsx'" in said
    dry = archive.json("import", "archive/The list.xlsx", "--dry-run")
    assert (dry["rows"], dry["images"], dry["labelled"]) == (12, 12, {"Subject": 12})
    assert archive.json("status")["taxonomies"] == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["image", "width"], *([f"img {n:02}", "64"] for n in range(12))], "no column looks like"),
        ([["image", "kind"], ["elsewhere.jpg", "cat"]], "its image is not in the collection"),
        ([["what", "is"], ["this", "?"], ["no", "idea"]], "none of its 2 images is in"),
        ([["image", "tag", "empty"], *([f"img {n:02}", "logo" if n < 5 else "", ""]
                                       for n in range(12))], "one class"),
    ],
)  # fmt: skip
def test_a_table_of_little_use_does_not_stop_a_run(archive, tmp_path, rows, words):
    with open(tmp_path / "labels.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    shell = type(archive)(tmp_path)
    done = shell("run", str(archive.cwd / "archive"), "--labels", "labels.csv", "--json")
    found = json.loads(done.stdout)
    assert found["images"] == PICTURES + 1
    assert found["duplicate_groups"] == 1
    assert words in " ".join(found["notes"])
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_labels_go_out_and_come_back(archive, tmp_path):
    shell = type(archive)(tmp_path)
    folder = str(archive.cwd / "archive")
    shell("index", folder, "--collection", "a.vernis")
    shell("import", f"{folder}/The list.xlsx")
    (tmp_path / "sub").mkdir()
    for name in ("one.csv", "sub/two.tsv", "three.xlsx"):
        shell("export", Path(name).suffix[1:], name)
        assert shell.json("import", name, "--dry-run")["labelled"] == {"Subject": 12}
    before, batches = shell.json("labels", "Subject"), shell.json("batches")
    shell("import", "three.xlsx")
    assert shell.json("labels", "Subject") == before
    assert [batch["id"] for batch in shell.json("batches")] == [batch["id"] for batch in batches]
    shell("export", "csv", "one.csv", code=2)
    shell("export", "csv", "one.csv", "--overwrite")
