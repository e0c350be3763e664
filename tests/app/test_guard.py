"""Who may ask: keys, hosts, origins, and what each answer says a page may do."""

from __future__ import annotations

import re
import stat
import sys

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.app.guard import MOST_BYTES, POLICY
from vernis.app.keys import Keys, Person, read_keys

pytestmark = pytest.mark.app


def routes(served):
    """Every route of the schema, with ids in place of its parameters."""
    schema = served.client.get("/api/openapi.json").json
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            yield method.upper(), path, told


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path)


def test_every_route_needs_a_key_and_says_which_role_it_needs(served):
    found = list(routes(served))
    assert len(found) > 50
    for method, path, told in found:
        answer = served.client(method, filled(path), keyless=True)
        assert (answer.status, path) == (401, path)
        assert told["x-role"] in ("viewer", "reviewer", "admin") or path == "/api/session"
        asks = method == "GET" or path.endswith(("/predict", "/infer", "/examples"))
        assert asks or told["x-role"] != "viewer" or path == "/api/session"
    pages = ("/", "/web/app/main.mjs", "/web/shared/base.css", "/api/openapi.json", "/nowhere")
    assert {served.client.get(path, keyless=True).status for path in pages} == {401}


def test_a_viewer_may_look_and_nothing_else(served):
    served.keys._person = Person("vic", "viewer")
    for method, path, told in routes(served):
        if told["x-role"] in ("reviewer", "admin"):
            answer = served.client(method, filled(path), {})
            assert (answer.status, path) == (403, path)
            assert "vic is a viewer" in answer.json["error"]
    assert served.client.get("/api/collection").json["role"] == "viewer"


@pytest.mark.parametrize("key", ["", "x", "Bearer", "é"])
def test_a_wrong_key_is_refused(served, key):
    answer = served.client.get("/api/collection", Authorization=f"Bearer {key}")
    assert answer.status == 401
    assert served.client.get("/api/collection", Authorization="Basic YTpi").status == 401
    assert served.client.get("/api/collection", keyless=True, Cookie="vernis-1=x").status == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.com",
        "127.0.0.1.evil.com:{port}",
        "127.0.0.1",
        "0.0.0.0:{port}",
    ],
)
def test_another_host_is_refused(served, host):
    named = host.format(port=served.client.port)
    assert served.client.get("/api/collection", Host=named).status == 421


def test_the_right_hosts_are_answered(served):
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        host = f"{name}:{served.client.port}"
        assert served.client.get("/api/collection", Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"]
)
def test_pages_of_other_sites_may_not_ask(served, origin):
    for ask in (served.client.get, served.client.post):
        assert ask("/api/undo", Origin=origin).status == 403
    assert served.client.get("/api/images/1/thumb", Sec_Fetch_Site="cross-site").status == 403
    assert served.client.get("/api/images/1/thumb", Sec_Fetch_Site="same-site").status == 403


def test_no_answer_lets_another_site_read_it(served):
    own = f"http://127.0.0.1:{served.client.port}"
    answer = served.client.get("/api/collection", Origin=own)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = served.client(
        "OPTIONS", "/api/undo", Origin=own, Access_Control_Request_Method="POST"
    )
    assert preflight.status == 405


def test_every_answer_says_what_a_page_may_load(served):
    paths = ("/", "/web/app/main.mjs", "/api/collection", "/api/images/1/thumb", "/nowhere")
    for path in paths:
        for keyless in (False, True):
            headers = served.client.get(path, keyless=keyless).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_the_opened_address_gives_its_key_for_a_cookie(served):
    client = served.client
    opened = client.get(f"/?key={client.key}&theme=dark", keyless=True)
    assert (opened.status, opened.headers["location"]) == (303, "/?theme=dark")
    cookie = opened.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert client.key not in cookie
    session = cookie.partition(";")[0]
    assert client.get("/api/collection", keyless=True, Cookie=session).status == 200
    assert client.get("/?key=wrong", keyless=True).status == 401


def test_a_code_opens_one_session(served):
    code = served.keys.code()
    assert served.client.get(f"/?key={code}", keyless=True).status == 303
    assert served.client.get(f"/?key={code}", keyless=True).status == 401


def test_wrong_keys_are_answered_slower_and_slower(served, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("vernis.app.guard.sleep", sleep)
    for _ in range(8):
        served.client.get("/api/collection", Authorization="Bearer no")
    assert waited == [0.5, 1.0, 2.0]


def test_a_request_that_is_too_long_is_refused_before_it_is_read(served):
    too_long = served.client("POST", "/api/undo", b"{}", Content_Length=str(MOST_BYTES + 1))
    assert too_long.status == 413
    assert served.client("POST", "/api/undo", b"{}", Content_Length="-1").status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fetc/passwd",
        "/web/..%2f..%2f..%2fetc/passwd",
        "/web/%2e%2e/%2e%2e/etc/passwd",
        "/web/app/..%5c..%5cwin.ini",
        "/web//etc/passwd",
        "/web/app/main.mjs%00.css",
        "/windows/win.ini",
        "/C:x",
        "/web/__init__.py",
        "/api/images/..%2f..%2fetc%2fpasswd/thumb",
    ],
)
def test_no_address_is_a_path_on_the_disk(served, path):
    answer = served.client.get(path)
    assert answer.status in (404, 422)
    assert b"root:" not in answer.body


def test_a_secret_is_made_once_is_its_owners_alone_and_differs(tmp_path):
    one = read_keys(tmp_path / "one", Person("a"))
    assert read_keys(tmp_path / "one", Person("a")).key == one.key
    assert read_keys(tmp_path / "two", Person("a")).key != one.key
    assert (tmp_path / "one" / "key").read_text().strip() == one.key
    if sys.platform != "win32":
        for name in ("secret", "key"):
            assert stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) == 0o600


def test_keys_stand_for_a_person_and_for_nobody_else():
    keys = Keys(b"s" * 32, Person("ann", "reviewer"))
    assert keys.person_of_key(keys.key) == Person("ann", "reviewer")
    assert keys.person_of_key(keys.key[:-1]) is None
    session = keys.open_session(keys.key)
    assert keys.person_of_session(session) == Person("ann", "reviewer")
    assert keys.person_of_key(session) is None
