"""Kill a writer of files at each of its steps, and print what is left; run by its test.

    python killed_writer.py FOLDER embed|sidecar TIMES

A step is a call of the operating system while a file is set in place; a write is cut in the
middle. Each killed writer is a fork of this process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from PIL import Image

from vernis.adapters.interchange.metadata.write_back import (
    commit_write,
    prepare_write,
    state_of,
    sweep,
    undo_write,
)
from vernis.domain.metadata import Receipt, Wanted, Word

CALLS = ("open", "write", "fsync", "fchown", "utime", "link", "close", "fstat")
METHODS = ("stat", "chmod", "replace", "unlink")
WANTED = Wanted((Word(("killed",), source="human:x"),))


class CountedCalls:
    """Counts calls and kills the process at one of them."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.seen = 0

    def wrap(self, holder: object, name: str) -> None:
        original = getattr(holder, name)

        def counted(*args, **more):
            self.seen += 1
            if self.seen == self.step:
                if name == "write":
                    original(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **more)

        setattr(holder, name, counted)


def write_killed_at(step: int, file: Path, where: str) -> tuple[Receipt, int]:
    """Return the receipt and how the child ended; with step 0 that is the number of steps."""
    prepared = prepare_write(file, WANTED, where=where)
    child = os.fork()
    if child == 0:
        counter = CountedCalls(step)
        for name in CALLS:
            counter.wrap(os, name)
        for name in METHODS:
            counter.wrap(Path, name)
        commit_write(prepared)
        os._exit(counter.seen)
    return prepared.receipt, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    folder, where, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    file = folder / "picture.jpg"
    Image.effect_noise((64, 64), 50).save(file)
    original = file.read_bytes()
    _, steps = write_killed_at(0, file, where)
    found: Counter[str] = Counter(steps=steps)
    for step in range(1, steps + 1):
        for _ in range(times):
            for left in folder.iterdir():
                left.unlink()
            file.write_bytes(original)
            receipt, end = write_killed_at(step, file, where)
            found["not killed"] += end != -signal.SIGKILL
            found["swept"] += len(sweep([folder]))
            found[state_of(receipt)] += 1
            strays = {p.name for p in folder.iterdir()} - {"picture.jpg", "picture.jpg.xmp"}
            found["strays"] += len(strays)
            # The next run finishes what was wanted, and one undo brings everything back.
            again = prepare_write(file, WANTED, where=where)
            commit_write(again)
            undo_write(again.receipt)
            undo_write(receipt)
            found["not undone"] += file.read_bytes() != original
            found["not undone"] += len(list(folder.iterdir())) != 1
    print(json.dumps(found))


if __name__ == "__main__":
    main()
