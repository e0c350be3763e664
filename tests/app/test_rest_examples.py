"""The examples of docs/rest.md are run as they stand."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from PIL import Image

from vernis.app.serving import Models

pytestmark = pytest.mark.app

PAGE = Path(__file__).parents[2] / "docs/rest.md"
SECTIONS = re.findall(
    r"^### (\w+) (\S+)\n(.*?)(?=^#|\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S
)
# What may be where nothing is wrong with the question: there is no such thing here, or no more.
ANSWERED = (400, 404, 409, 422, 501)
MALFORMED = ("InvalidRequest", "InvalidCall")


def fitted(text: str) -> str:
    """Put what the toy collection has in place of what an example names."""
    return re.sub(r"\bbrand\b", "kind", text).replace("absolut", "bird")


def block(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.S)
    assert found is not None
    return fitted(found[1])


@pytest.fixture
def asking(served, tmp_path, monkeypatch) -> dict[str, Any]:
    """The names that the page's examples for Python stand on."""
    monkeypatch.setattr(served.desk.jobs, "_run", lambda: None)  # jobs wait, none runs
    monkeypatch.setattr(served.app.state, "models", Models(served.session), raising=False)
    monkeypatch.setenv("VERNIS", f"http://127.0.0.1:{served.client.port}")
    monkeypatch.setenv("KEY", served.client.key)
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(stream, "JPEG")
    Path("picture.jpg").write_bytes(stream.getvalue())
    names: dict[str, Any] = {}
    introduction = PAGE.read_text(encoding="utf-8").split("\n## ")[0]
    exec(block(introduction, "python"), names)
    return names


def test_every_route_has_its_examples(served):
    schema = served.client.get("/api/openapi.json").json
    routes = {(m.upper(), path) for path, methods in schema["paths"].items() for m in methods}
    assert {(method, path) for method, path, _ in SECTIONS} == routes


def test_each_example_for_python_is_answered(asking):
    wrong = []
    for method, path, text in SECTIONS:
        try:
            exec(block(text, "python"), dict(asking))
        except urllib.error.HTTPError as error:
            told = error.read()
            kind = json.loads(told)["kind"] if told.startswith(b"{") else "HTTPError"
            if error.code not in ANSWERED or kind in MALFORMED or b"Not Found" in told:
                wrong.append((method, path, error.code, told[:200]))
    assert not wrong, "\n".join(map(str, wrong))


def test_each_example_for_the_shell_asks_the_same():
    for method, path, text in SECTIONS:
        words = shlex.split(block(text, "sh"))
        python = block(text, "python")
        given = dict(zip(words, [*words[1:], ""], strict=True))
        address = words[-1].removeprefix("$VERNIS")
        assert f'"{address}"' in python, path
        sends = "-d" in words or "--data-binary" in words
        assert given.get("-X", "POST" if sends else "GET") == method, path
        if "-d" in words:
            body = eval(python[python.index("{") : python.rindex("}") + 1])
            assert json.loads(given["-d"]) == body


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("path", ["/api/collection", "/api/queue", "/api/labels", "/api/undo"])
def test_curl_is_answered(asking, path):
    text = next(text for _, known, text in SECTIONS if known == path)
    command = block(text, "sh").strip() + " -s -o /dev/null -w '%{http_code}'"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert run.stdout == "200"
