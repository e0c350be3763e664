"""Fixtures that every test may use."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def development_data() -> Path | None:
    """Return the folder of development pictures, None where there is none."""
    named = os.environ.get("VERNIS_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of development pictures; skips the test where there is none."""
    folder = development_data()
    if folder is None:
        pytest.skip("no development pictures here (VERNIS_DATA or ../shared/data)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests cache out of the user's folder."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERNIS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """Start a Ray cluster of one machine with two workers; returns its address."""
    if find_spec("daft") is None or find_spec("ray") is None:
        pytest.skip('needs the extra "ray"')
    # A short name: the sockets of Ray lie there. Workers are not niced: other tests may run.
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    command = [f"{sysconfig.get_path('scripts')}/ray", "start", "--head", "--block"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command += [f"--port={port}", "--num-cpus=2", "--object-store-memory=100000000"]
    command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
    log = folder.with_suffix(".log")
    patch = pytest.MonkeyPatch()
    # Before Ray is imported, which reads it then.
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    patch.setenv("RAY_worker_niceness", "0")
    with log.open("w") as said:
        cluster = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 120
        while "--address=" not in log.read_text():
            assert cluster.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield log.read_text().split("--address='")[1].split("'")[0]
    finally:
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()  # else this process would end with the cluster
        cluster.terminate()
        cluster.wait(60)
        patch.undo()
        log.unlink()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve an empty bucket on this machine; returns the address of a folder in it."""
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs", reason='needs the extra "remote"')
    import s3fs

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "nothing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
    ):
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        # What an earlier server of this process has kept.
        reset = urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        s3fs.S3FileSystem().mkdir("pictures")
        yield "s3://pictures/plans"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
