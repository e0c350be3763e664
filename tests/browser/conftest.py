"""The app in a real browser: Chromium as the system has it, driven by playwright."""

from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_collection import draw_toy_collection, place_on_circle

LIST = Path(__file__).parents[2] / "src/vernis/web/app/screens/index.mjs"
PATIENCE = 90_000
"""Milliseconds that a page has: the machine may do other work."""
BAD = ("error", "warning")
FIRST_PORT, PORTS_EACH = 20_000, 400
"""The ports of the tests: below those that systems hand out by themselves, some for each worker."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL2 without a graphics card
    # No name is looked up: whatever is not on this machine fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def find_chromium() -> str | None:
    """Return the browser: ``VERNIS_BROWSER``, else Chromium of the system."""
    named = os.environ.get("VERNIS_BROWSER")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests; skips them where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason='needs the extra "browser"')
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium here; set VERNIS_BROWSER")
        pytest.skip("there is no chromium here (VERNIS_BROWSER names one)")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


def find_port() -> int:
    """Return a free port that no other worker takes while the server of a test is away."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + PORTS_EACH * (worker % 25)
    for port in random.sample(range(first, first + PORTS_EACH), PORTS_EACH):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {first} on is free")


@dataclass
class RunningServer:
    """``vernis serve`` in a process of its own, on the same port whenever it is started."""

    collection: Path
    port: int = field(default_factory=find_port)
    address: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "vernis", "serve", str(self.collection), "--no-browser"]
        command += ["--port", str(self.port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        found = re.search(rf"http://127\.0\.0\.1:{self.port}/\?key=\w+", told)
        assert found is not None, told + self.process.stdout.read()
        self.address = found[0]
        deadline = time.monotonic() + 90
        while not self._answers():
            assert time.monotonic() < deadline, "the server does not answer"

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 401
        finally:
            connection.close()

    def end(self, how: int = signal.SIGINT) -> None:
        """End it as Ctrl-C does, or by another signal."""
        if self.process is not None:
            self.process.send_signal(how)
            assert self.process.stdout is not None
            told = self.process.communicate(timeout=30)[0]
            self.process = None
            assert "Traceback" not in told, told


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy collection. Tests must not change it."""
    folder = tmp_path_factory.mktemp("toy")
    draw_toy_collection(folder)
    return folder


@pytest.fixture
def server(drawn: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server of a copy of the toy collection."""
    pytest.importorskip("fastapi", reason='needs the extra "app"')
    shutil.copytree(drawn / "toy.vernis", tmp_path / "toy.vernis")
    running = RunningServer(tmp_path / "toy.vernis")
    running.start()
    yield running
    running.end()


@dataclass
class Opened:
    """A page, and what went wrong in it."""

    page: Any
    server: RunningServer
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, place: str) -> None:
        """Open a screen, such as ``#/review/kind``."""
        self.page.goto(self.server.address.partition("?")[0] + place)

    def wait(self, holds: Any, seconds: float = 90.0) -> None:
        """Wait until a function is true."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come to hold in time"
            self.page.wait_for_timeout(50)


@pytest.fixture
def open_page(browser: Any, server: RunningServer) -> Iterator[Any]:
    """Return what opens a page; every page must end without a complaint or an outside request.

    A test that expects the server to be away empties ``complaints`` itself.
    """
    contexts: list[Any] = []
    pages: list[Opened] = []

    def open(*, context: Any = None, **options: Any) -> Opened:
        if context is None:
            options.setdefault("viewport", {"width": 1280, "height": 800})
            context = browser.new_context(**options)
            context.set_default_timeout(PATIENCE)
            contexts.append(context)
        opened = Opened(context.new_page(), server)
        page, told = opened.page, opened.complaints

        def hear(message: Any) -> None:
            # What drawing without a graphics card costs is said of every picture that is taken.
            if message.type in BAD and "GL Driver Message" not in message.text:
                told.append(f"{message.text} {message.location['url']}".strip())

        page.on("console", hear)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.goto(server.address)
        page.locator("[data-nav]").first.wait_for()
        pages.append(opened)
        return opened

    yield open
    for opened in pages:
        assert opened.complaints == []
        own = server.address.partition("?")[0]
        outside = [u for u in opened.requests if not u.startswith((own, "blob:", "data:"))]
        assert outside == []
    for context in contexts:
        context.close()


@pytest.fixture
def mapped(server: Any) -> int:
    """Give the toy collection a map; returns the number of its images."""
    return place_on_circle(server.collection)


@pytest.fixture(scope="session")
def screens() -> list[str]:
    """The names of all screens."""
    found = re.findall(r'^  \{ name: "(\w+)"', LIST.read_text(encoding="utf-8"), re.M)
    assert len(found) >= 10
    return found
