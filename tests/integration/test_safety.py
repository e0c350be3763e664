"""Nothing is lost: kill -9, Ctrl-C, two processes, a full disk, read-only folders."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KILLS = 20


def start(cwd: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vernis", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def is_sound(collection: Path) -> bool:
    catalog = collection / "catalog.sqlite"
    if not catalog.exists():
        return True
    with sqlite3.connect(catalog) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return bool(answer == "ok")


@pytest.mark.timeout(600)
def test_kill_at_any_moment_of_a_run_costs_nothing(finished, tmp_path):
    name = finished.json("status")["taxonomies"][0]["name"]
    expected = finished.json("issues", name, "--all")
    groups = finished.json("duplicates")
    shutil.copytree(finished.cwd / "pictures", tmp_path / "pictures")
    shell = type(finished)(tmp_path)
    began = time.monotonic()
    shutil.copytree(tmp_path / "pictures", tmp_path / "timing" / "pictures")
    type(finished)(tmp_path / "timing")("run", "pictures", "--quiet")
    whole = time.monotonic() - began
    for kill in range(KILLS):
        process = start(tmp_path, "run", "pictures", "--quiet")
        # Spread over the whole run; later ones meet a collection that earlier ones began.
        time.sleep(whole * (kill + 1) / (KILLS + 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert is_sound(tmp_path / "pictures.vernis")
        if kill % 2:
            shutil.rmtree(tmp_path / "pictures.vernis", ignore_errors=True)
    shell("run", "pictures", "--quiet")
    assert shell.json("issues", name, "--all") == expected
    assert shell.json("duplicates") == groups
    assert (tmp_path / "report" / "index.html").is_file()


def test_interrupt_leaves_a_resumable_state_and_exit_code_130(finished, tmp_path):
    shutil.copytree(finished.cwd / "pictures", tmp_path / "pictures")

    def listen() -> None:
        # A shell's job in the background is started deaf to it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = start(tmp_path, "run", "pictures", preexec_fn=listen)
    assert process.stderr is not None
    # the first step has ended: the next one, which reads the pictures, is under way
    assert process.stderr.readline().startswith("index")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    type(finished)(tmp_path)("run", "pictures", "--quiet")


def test_second_writer_gets_a_clear_line_and_a_reader_reads(workplace):
    import vernis

    place = workplace.cwd / "pictures.vernis"
    with vernis.Collection.open(place) as collection, collection.catalog.lock("test"):
        status = workplace.json("status")
        assert status["images"]["present"] > 0
        done = workplace("index", "pictures", code=1)
    assert "test" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("vernis: ")


def test_full_disk_is_one_clear_line_and_the_collection_survives(workplace):
    (workplace.cwd / "pictures" / "disc" / "disc_01.jpg").unlink()

    def limit() -> None:
        # Files beyond this size are refused, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    process = start(workplace.cwd, "run", "pictures", preexec_fn=limit)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("vernis: ")
    assert is_sound(workplace.cwd / "pictures.vernis")
    workplace("run", "pictures", "--quiet")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder; root needs the immutable attribute for that."""
    if os.geteuid():
        folder.chmod(0o555)
    elif subprocess.run(["chattr", "+i", str(folder)], capture_output=True).returncode:
        pytest.skip("root may write anywhere, and this file system has no immutable folders")
    try:
        yield
    finally:
        folder.chmod(0o755) if os.geteuid() else subprocess.run(["chattr", "-i", str(folder)])


def test_read_only_folder_is_one_clear_line(finished, tmp_path):
    shutil.copytree(finished.cwd / "pictures", tmp_path / "pictures")
    with read_only(tmp_path):
        done = type(finished)(tmp_path)("run", "pictures", code=1)
    assert done.stderr.strip().splitlines()[-1].startswith("vernis: ")
    assert not (tmp_path / "pictures.vernis").exists()


def test_collection_of_a_newer_version_is_refused(workplace):
    with sqlite3.connect(workplace.cwd / "pictures.vernis" / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    done = workplace("status", code=1)
    assert "newer" in done.stderr
