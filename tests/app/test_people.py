"""People on other machines: names, passwords, roles, sessions."""

from __future__ import annotations

import base64
import io
import json
import stat
import sys
import threading
import time

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

from vernis.app import users
from vernis.app.keys import Person
from vernis.app.people import People
from vernis.cli.main import main
from vernis.domain.errors import StorageError, UsageError
from vernis.session.session import Session

pytestmark = pytest.mark.app

PASSWORD = "correct horse"


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def open_server(served, toy):
    """The toy collection served to people, on the address that a test can reach."""
    import uvicorn

    from vernis.app.listening import listen
    from vernis.app.server import guarded_for_people, make_app

    people = People(toy / "app")
    for name, role in (("vic", "viewer"), ("rae", "reviewer"), ("ada", "admin")):
        people.set(name, role, PASSWORD)
    listener = listen(None)
    port = listener.getsockname()[1]
    app = make_app(None)
    app.state.desk = served.desk
    guard = guarded_for_people(app, people, "127.0.0.1", port, ["photos.example"])
    running = uvicorn.Server(
        uvicorn.Config(guard, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    client = type(served.client)(port, "")
    yield client, people, guard
    running.should_exit = True
    thread.join(20)
    listener.close()


def test_a_password_opens_a_session_with_the_role_of_its_name(open_server):
    client, _, _ = open_server
    welcome = client.post("/api/session", {"name": "rae", "password": PASSWORD}, keyless=True)
    assert (welcome.status, welcome.json) == (200, {"name": "rae", "role": "reviewer"})
    cookie = welcome.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    session = cookie.partition(";")[0]
    facts = client.get("/api/collection", keyless=True, Cookie=session).json
    assert (facts["person"], facts["role"]) == ("rae", "reviewer")
    left = client("DELETE", "/api/session", keyless=True, Cookie=session)
    assert left.status == 200
    assert client.get("/api/collection", keyless=True, Cookie=session).status == 401


def test_roles_hold_and_changes_bear_the_name(open_server):
    client, people, _ = open_server
    issue = client.get("/api/queue?taxonomy=kind", Authorization=basic("vic")).json["items"][0]
    sent = {"answers": [{"issue": issue["issue"], "answer": "accept"}]}
    assert client.post("/api/decisions", sent, Authorization=basic("vic")).status == 403
    assert client.post("/api/decisions", sent, Authorization=basic("rae")).status == 200
    batch = client.get("/api/batches?limit=1", Authorization=basic("vic")).json["batches"][0]
    assert batch["source"] == "human:rae"
    assert client.post("/api/verbs/trash", {}, Authorization=basic("rae")).status == 403
    people.set("rae", "viewer", None)
    assert client.post("/api/undo", Authorization=basic("rae")).status == 403
    people.remove("rae")
    assert client.get("/api/collection", Authorization=basic("rae")).status == 401


def test_wrong_names_passwords_and_sessions_are_refused(open_server, monkeypatch):
    client, _, _ = open_server
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("vernis.app.guard.sleep", sleep)
    for name, password in (("rae", "wrong horse"), ("eve", PASSWORD), ("", ""), ("rae", "")):
        given = {"name": name, "password": password}
        assert client.post("/api/session", given, keyless=True).status == 401
        assert client.get("/api/collection", Authorization=basic(name, password)).status == 401
    assert waited == [0.5, 1.0, 2.0]
    for header in ("Basic x", "Basic /w==", "Bearer x", "rae"):
        assert client.get("/api/collection", Authorization=header).status == 401


def test_before_that_only_the_page_that_asks_for_a_name_is_there(open_server):
    client, _, _ = open_server
    first = client.get("/", keyless=True)
    assert (first.status, first.headers["location"]) == (303, "/web/app/login.html")
    for path in ("/web/app/login.html", "/web/app/login.mjs", "/web/shared/base.css"):
        assert client.get(path, keyless=True).status == 200
    for path in ("/web/app/main.mjs", "/api/collection", "/api/images/1/thumb", "/v2"):
        assert client.get(path, keyless=True).status == 401
    assert client("DELETE", "/api/session", keyless=True).status == 401


def test_other_hosts_and_pages_are_refused_and_a_proxy_is_known(open_server):
    client, _, _ = open_server
    asked = {"Authorization": basic("vic")}
    assert client.get("/api/collection", Host="photos.example", **asked).status == 200
    proxied = {"Host": "photos.example", "Origin": "https://photos.example"}
    assert client.get("/api/collection", **asked, **proxied).status == 200
    assert client.get("/api/collection", Host="evil.example", **asked).status == 421
    assert client.get("/api/collection", Host="localhost:1", **asked).status == 421
    assert client.get("/api/collection", Origin="https://evil.example", **asked).status == 403


def test_the_list_holds_no_password_and_is_its_owners_alone(tmp_path):
    people = People(tmp_path)
    people.set("ada", "admin", PASSWORD)
    text = (tmp_path / "users.json").read_text()
    assert PASSWORD not in text
    assert json.loads(text)["ada"]["role"] == "admin"
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "users.json").stat().st_mode) == 0o600
    people.set("bob", "viewer", PASSWORD)
    salts = [one["salt"] for one in json.loads((tmp_path / "users.json").read_text()).values()]
    assert len(set(salts)) == 2
    assert People(tmp_path).person_of_session(people.log_in("ada", PASSWORD)) is None


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("a:b", PASSWORD), ("a\n", PASSWORD), ("ada", "short")]
)
def test_names_and_passwords_that_cannot_be_are_refused(tmp_path, name, password):
    with pytest.raises(UsageError):
        People(tmp_path).set(name, "viewer", password)


def test_a_damaged_list_lets_nobody_in(tmp_path):
    for text in ("{", '{"ada": {"role": "god", "salt": "", "scrypt": ""}}', '{"ada": 1}'):
        (tmp_path / "users.json").write_text(text)
        with pytest.raises(StorageError):
            People(tmp_path).users()


def test_a_session_ends_with_its_time(tmp_path, monkeypatch):
    people = People(tmp_path)
    people.set("ada", "admin", PASSWORD)
    session = people.log_in("ada", PASSWORD)
    assert people.person_of_session(session) == Person("ada", "admin")
    monkeypatch.setattr("vernis.app.people.time.monotonic", lambda: 1e12)
    assert people.person_of_session(session) is None


def test_the_command_lists_adds_and_removes(toy, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["users", "ann", "--role", "reviewer", "--collection", str(toy)]) == 0
    assert main(["users", "ann", "--role", "admin", "--collection", str(toy)]) == 0
    assert main(["users", "--json", "--collection", str(toy)]) == 0
    assert '"role": "admin"' in capsys.readouterr().out
    assert main(["users", "bob", "--remove", "--collection", str(toy)]) == 2
    assert main(["users", "ann", "--remove", "--collection", str(toy)]) == 0
    with Session.open(toy) as session, pytest.raises(UsageError, match="needs a password"):
        users.work(session, users.Settings("eve", role="viewer"))


def test_another_address_needs_users_and_must_be_this_machines(toy, capsys):
    assert main(["serve", str(toy), "--host", "0.0.0.0", "--no-browser"]) == 2
    assert "vernis users NAME --role admin" in capsys.readouterr().err
    People(toy / "app").set("ada", "admin", PASSWORD)
    assert main(["serve", str(toy), "--host", "192.0.2.1", "--no-browser"]) == 2
    assert "192.0.2.1" in capsys.readouterr().err
