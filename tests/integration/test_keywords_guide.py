"""docs/guide/keywords.md from top to bottom, on fewer pictures and smaller networks."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import vernis
from vernis.cli.dispatch import dispatch

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "keywords.md"
SMALLER = {
    "images=600": "images=80",
    "--keep 107": "--keep 20",
    "--keep 500": "--keep 60",
    "--hidden 512": "--hidden 12",
    "--hidden 2000": "--hidden 24",
}


@pytest.fixture
def guide(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    for large, small in SMALLER.items():
        assert large in text
        text = text.replace(large, small)
    return text


def test_the_way_of_the_keywords_can_be_gone(guide, capsys):
    reading, drawing, call = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    found: dict[str, object] = {}
    Path("records.jsonl").write_text("")
    for block in (reading, drawing, call):
        exec(compile(block, GUIDE.name, "exec"), found)
    said: dict[str, str] = {}
    commands = re.findall(r"^    (vernis .*)$", guide, re.MULTILINE)
    for command in commands[commands.index("vernis index archive") :]:
        assert dispatch([*shlex.split(command)[1:], "--quiet"]) == 0, command
        said[command] = capsys.readouterr().out
    with vernis.Collection.open() as collection:
        sizes = {one.name: len(one.classes) for one in collection.catalog.labels.taxonomies()}
        assert sizes["keywords"] > 150
        assert (sizes["keywords_107"], sizes["keywords_500"]) == (20, 60)
        kept = set(collection.catalog.labels.taxonomy("keywords_107").classes)
        assert {"bright", "dark", "red"} <= kept
        trained = [record.taxonomy for record in collection.catalog.models.records()]
        assert sorted(trained) == ["keywords_107", "keywords_500"]
    difference = said["vernis lab diff hidden-512 hidden-2000"]
    assert "[12] → [24]" in difference
    assert "micro_f1" in difference
    noise = next(text for command, text in said.items() if "lab noise" in command)
    assert {"missing", "added"} <= set(noise.split())
    assert json.loads(Path("hidden-512/run.json").read_text())["arguments"]["sample_share"] == 0.9


def test_words_that_are_read_become_keywords(guide):
    (reading, *_) = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    line = {"text": "ABSOLUT Vodka 40%", "confidence": 0.9}
    unsure = {"text": "nonsense", "confidence": 0.4}
    records = [
        {"image": "a.jpg", "text": [line, unsure, {"text": "Vodka", "confidence": 0.6}]},
        {"image": "b.jpg", "text": None},
    ]
    Path("records.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    exec(compile(reading, GUIDE.name, "exec"), {})
    assert Path("words.csv").read_text().splitlines() == [
        "image,words",
        "a.jpg,absolut|vodka",
        "b.jpg,",
    ]
