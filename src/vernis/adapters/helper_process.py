"""Another Python process that works for this one: it is asked through a pipe and answers by one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO


def start_helper(module: str, *words: str) -> subprocess.Popen[bytes]:
    """Run a module in a process of its own; raises OSError where none can be started.

    It sees nothing of Ctrl-C, which is the business of this process; what it prints beside its
    answers is dropped.

    Parameters
    ----------
    module : str
        Its name; it reads from standard input and ends with it.
    *words : str
        What it is called with.
    """
    package_parent = str(Path(__file__).parents[2])
    search = os.pathsep.join(filter(None, (package_parent, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        # -P: a json.py in the working folder must not be imported
        [sys.executable, "-P", "-m", module, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libtiff prints there
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
    )


def end_helper(process: subprocess.Popen[bytes]) -> None:
    """End a process; what it works on is lost."""
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # a flush into the dead process
                continue
    process.wait()


def take_answers() -> IO[bytes]:
    """Return where a helper writes its answers; what else it prints does not mix with them."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """Return so many bytes; raises EOFError where the other process has ended."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
