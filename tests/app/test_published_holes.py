"""Holes that were published of tools like this one: each is asked for, and is not there.

* Names become markup (Label Studio CVE-2023-47115, CVE-2024-26152, CVE-2025-25296, CVE-2025-47783):
  ``browser/test_names_are_text.py``, `test_no_page_puts_markup_together_or_names_another_site`.
* Script in custom keys, settings of others (Label Studio CVE-2026-22033):
  `test_nobody_keeps_settings_that_a_page_would_run`.
* One secret for all (Label Studio GHSA-f475-x83m-rx5m):
  ``test_guard.test_a_secret_is_made_once_is_its_owners_alone_and_differs``.
* A filter reads any column (Label Studio GHSA-6hjj-gq77-j4qw):
  `test_a_filter_knows_a_closed_list_of_fields`.
* Traversal in addresses (Label Studio GHSA-cpmr-mw4j-99r7, Pipecat; on Windows Gradio
  CVE-2026-28414): `test_neither_the_key_nor_a_file_of_the_disk_is_an_address`,
  ``test_guard.test_no_address_is_a_path_on_the_disk``.
* The server asks other machines (Label Studio CVE-2023-47116, CVE-2025-25297; Gradio
  CVE-2026-28416): `test_nothing_that_is_asked_for_names_another_machine_or_a_file`,
  `test_a_verb_reads_no_file_and_asks_no_machine_that_a_request_names`.
* A pickled model (Label Studio CVE-2025-5173):
  `test_a_model_cannot_be_sent_and_a_pickle_is_not_opened`.
* Other origins may read, uploads become pages (the audit of Gradio):
  ``test_guard.test_no_answer_lets_another_site_read_it``,
  `test_what_a_picture_is_told_to_be_is_what_it_is`.
* The name of an upload is a path (NiceGUI CVE-2026-39844):
  ``test_model_routes.test_a_form_of_pictures_is_answered_in_order_and_bad_ones_say_why``.
* The token is served as a file (Jupyter GHSA-q874-g24w-4q9g):
  `test_neither_the_key_nor_a_file_of_the_disk_is_an_address`.
* A route forgot to ask who it is (Langflow CVE-2026-5022):
  ``test_guard.test_every_route_needs_a_key_and_says_which_role_it_needs``.
* Ranges and forms without end (Starlette CVE-2025-62727, CVE-2024-47874, CVE-2023-30798):
  `test_many_ranges_are_answered_by_the_whole`, `test_a_form_without_end_is_refused`.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.domain.errors import VernisError
from vernis.verbs.steps import learn

pytestmark = pytest.mark.app

WEB = Path(__file__).parents[2] / "src/vernis/web"


@pytest.mark.parametrize(
    "path",
    [
        "/web/%252e%252e/%252e%252e/etc/passwd",
        "/web/app/....//....//etc/passwd",
        "/web/app/CON",
        "/web/app/nul.css",
        "/app/key",
        "/web/app/key",
        "/catalog.sqlite",
        "/api/images/1%2f..%2f..%2fkey/thumb",
        "/api/map/sheets/..%2f..%2fkey",
        "/api/models/..%2f..%2fapp%2fkey/predict",
    ],
)
def test_neither_the_key_nor_a_file_of_the_disk_is_an_address(served, path):
    answer = served.client.get(path)
    assert answer.status in (404, 405, 422)
    assert served.client.key.encode() not in answer.body


def test_many_ranges_are_answered_by_the_whole(served):
    ranges = ",".join(f"{n}-{n}" for n in range(3000))
    answer = served.client.get("/api/images/1/thumb", Range=f"bytes={ranges}")
    assert answer.status == 200
    assert answer.body.startswith(b"\xff\xd8")


def test_a_filter_knows_a_closed_list_of_fields(served):
    for field in ("password", "__class__", "reason", "session", "content_hash"):
        answer = served.client.get(f"/api/images?where={field}:x")
        assert (answer.status, answer.json["kind"]) == (400, "FilterError")


def test_no_page_puts_markup_together_or_names_another_site():
    files = [path for path in WEB.rglob("*") if path.suffix in (".mjs", ".js", ".html", ".css")]
    assert len(files) > 30
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text), path
        assert not re.search(r"\beval\(|new Function\(|setTimeout\(['\"]", text), path
        others = set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org"}
        assert others == set(), path


def test_what_a_picture_is_told_to_be_is_what_it_is(served):
    answer = served.client.get("/api/images/1/preview")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body.startswith(b"\xff\xd8")


def test_nobody_keeps_settings_that_a_page_would_run(served):
    """Keys are those of the screens: no route takes others, and none is about another person."""
    paths = served.client.get("/api/openapi.json").json["paths"]
    kept = re.compile(r"setting|preference|hotkey|shortcut|profile|user|avatar|account")
    assert [path for path in paths if kept.search(path)] == ["/api/verbs/profile"]  # of a taxonomy
    for path in ("/api/users/1", "/api/settings", "/api/keys"):
        assert served.client("PUT", path, {"accept": "<script>"}).status in (404, 405)


OUTSIDE = re.compile(r"url|uri|endpoint|webhook|address|^ray$|host|proxy|folder|(^|_)(path|file)$")


def test_nothing_that_is_asked_for_names_another_machine_or_a_file(served):
    schema = served.client.get("/api/openapi.json").json
    given = {
        (path, one["name"])
        for path, methods in schema["paths"].items()
        for told in methods.values()
        for one in told.get("parameters", ())
    }
    for name, told in schema["components"]["schemas"].items():
        if name.endswith("Settings"):
            given |= {(name, field) for field in told.get("properties", {})}
    assert len(given) > 300
    assert [pair for pair in sorted(given) if OUTSIDE.search(pair[1])] == []


@pytest.mark.parametrize(
    ("verb", "settings"),
    [
        ("annotate", {"service": "openai-compatible", "endpoint": "http://169.254.169.254/"}),
        ("embed", {"ray": "ray://evil.example:10001"}),
        ("embed", {"backbone": "/etc/network.onnx"}),
        ("embed", {"backbone": "network.ONNX"}),
        ("embed", {"backbone": "timm:../../network"}),
        ("locate", {"taxonomy": "kind", "backbone": "/tmp/a.onnx:map"}),
        ("compare-spaces", {"spaces": ["toy", "C:\\a.onnx"]}),
        ("feature-maps", {"image": "/etc/passwd"}),
        ("feature-maps", {"image": "secret.png"}),
    ],
)
def test_a_verb_reads_no_file_and_asks_no_machine_that_a_request_names(served, verb, settings):
    answer = served.client.post(f"/api/verbs/{verb}", settings)
    assert (answer.status, answer.json["kind"]) == (422, "InvalidCall")
    assert served.client.get("/api/jobs").json == []


def test_a_model_cannot_be_sent_and_a_pickle_is_not_opened(served, tmp_path):
    schema = served.client.get("/api/openapi.json").json
    taken = [path for path in schema["paths"] if "model" in path and path.startswith("/api/models")]
    assert taken == ["/api/models", "/api/models/{model}/predict"]
    assert served.client.post("/api/models", b"PK", Content_Type="application/zip").status == 405
    opened = tmp_path / "opened"

    class Pickled:
        def __reduce__(self):
            return opened.touch, ()

    learn.work(served.session, learn.Settings("kind"))
    (folder,) = (served.session.catalog.folder / "models").iterdir()
    document = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    np.savez(folder / "weights.npz", weights=np.array([Pickled()], dtype=object))
    content = (folder / "weights.npz").read_bytes()
    document["files"]["weights.npz"] = {"bytes": len(content), "crc32": zlib.crc32(content)}
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(VernisError, match="allow_pickle"):
        served.session.models.read_model_folder(folder)
    assert not opened.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="p"; filename="a"\r\n\r\n1\r\n'
            for _ in range(400)
        )
        + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="p"\r\n\r\n' + b"a" * 3_000_000,
        b"--x\r\nContent-Disposition: " + b"a" * 100_000,
    ],
    ids=["many parts", "a field without end", "a header without end"],
)
def test_a_form_without_end_is_refused(served, body):
    kind = "multipart/form-data; boundary=x"
    for path in ("/api/models/kind/predict", "/api/examples"):
        answer = served.client.post(path, body, Content_Type=kind)
        assert 400 <= answer.status < 500
    assert served.client.get("/api/collection").status == 200
