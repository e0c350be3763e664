"""A small collection on the disk, and a server of it in this process."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from vernis.session.session import Session

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_collection import draw_toy_collection


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Asks a server; ``headers`` go with every request."""

    port: int
    key: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, method: str, path: str, body: Any = None, *, keyless: bool = False, **more: str
    ) -> Answer:
        headers = dict(self.headers)
        if not keyless:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        headers |= {name.replace("_", "-"): text for name, text in more.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(
                method, path, skip_host="Host" in headers, skip_accept_encoding=True
            )
            for name, text in headers.items():
                connection.putheader(name, text)
            if data is not None and "Content-Length" not in headers:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            found = connection.getresponse()
            told = {name.lower(): text for name, text in found.getheaders()}
            return Answer(found.status, told, found.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Answer:
        return self("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self("POST", path, {} if body is None else body, **more)


@dataclass
class Served:
    """A running server."""

    client: Client
    session: Session
    desk: Any
    keys: Any
    app: Any


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy collection. Tests must not change it."""
    folder = tmp_path_factory.mktemp("toy")
    draw_toy_collection(folder)
    return folder


@pytest.fixture
def toy(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the toy collection that a test may change; its pictures are shared."""
    import shutil

    shutil.copytree(drawn / "toy.vernis", tmp_path / "toy.vernis")
    return tmp_path / "toy.vernis"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, int, Any]]:
    """A server that runs for all tests: its application, guard, port and keys."""
    import uvicorn

    from vernis.app.keys import Person, read_keys
    from vernis.app.listening import listen
    from vernis.app.server import guarded, make_app

    app = make_app(None)
    listener = listen(None)
    port = listener.getsockname()[1]
    keys = read_keys(tmp_path_factory.mktemp("keys"), Person("ann"))
    guard = guarded(app, keys, port)
    config = uvicorn.Config(guard, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield app, guard, port, keys
    running.should_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture
def served(toy: Path, server: tuple[Any, Any, int, Any]) -> Iterator[Served]:
    """A server of a copy of the toy collection."""
    from vernis.app.desk import Desk
    from vernis.app.keys import Person

    app, guard, port, keys = server
    keys._person = Person("ann")
    guard._wrong = 0
    with Session.open(toy) as session:
        app.state.desk = desk = Desk.of(session)
        yield Served(Client(port, keys.key), session, desk, keys, app)
        app.state.desk = None
        desk.close()
