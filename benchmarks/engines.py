"""What do processes and Daft cost beside threads, in processor time and memory?

    python benchmarks/engines.py PHOTOS --pictures 5000
    python benchmarks/engines.py PHOTOS --engines threads processes --in-turns

Embeds the same photos with each engine, at the same time, so that load from elsewhere and a warm
disk serve all alike, or one after another, so that the clock counts, too; each has a collection of
its own that is indexed before. Processor time and memory are those of the command and of all
processes that it starts; memory is their proportional set size, looked at five times a second.
Needs Linux, and the extra cluster for Daft.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENGINES = ("threads", "processes", "daft")


@dataclass
class Running:
    """One command, its peak of memory, and what it took once it has ended."""

    process: subprocess.Popen[bytes]
    peak_mb: float = 0.0
    begun: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    processor: float = 0.0

    def look(self) -> bool:
        """Look at the memory; returns whether the command has ended."""
        self.peak_mb = max(self.peak_mb, sum(map(memory_mb, family(self.process.pid))))
        ended, state, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not ended:
            return False
        self.process.returncode = os.waitstatus_to_exitcode(state)
        self.seconds = time.perf_counter() - self.begun
        self.processor = usage.ru_utime + usage.ru_stime
        return True


def family(process: int) -> list[int]:
    """Return a process and all that come from it."""
    found = [process]
    for parent in found:
        try:
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return found


def memory_mb(process: int) -> float:
    """Return the proportional set size of a process, 0 where it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return int(text.split("Pss:")[1].split()[0]) / 1024


def vernis(*words: str) -> list[str]:
    """Return a command line."""
    return [sys.executable, "-m", "vernis", *words, "--quiet"]


def link_photos(photos: Path, folder: Path, count: int) -> int:
    """Link so many photos into one folder; returns how many there are."""
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    for number, path in enumerate(found[:count]):
        (folder / f"{number:06}.jpg").symlink_to(path.resolve())
    return min(count, len(found))


def run_together(commands: Sequence[list[str]]) -> list[Running]:
    """Run commands at the same time until all have ended."""
    running = [Running(subprocess.Popen(one, stdout=subprocess.DEVNULL)) for one in commands]
    waiting = list(running)
    while waiting:
        waiting = [one for one in waiting if not one.look()]
        time.sleep(0.2)
    return running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--in-turns", action="store_true", help="one after another")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        count = link_photos(options.photos, folder, options.pictures)
        homes = [str(Path(name) / f"{engine}.vernis") for engine in options.engines]
        for home in homes:
            command = vernis("index", str(folder), "--classes-from", "none", "--collection", home)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        commands = [
            vernis("embed", "--engine", engine, "--collection", home)
            for engine, home in zip(options.engines, homes, strict=True)
        ]
        if options.in_turns:
            measured = [one for command in commands for one in run_together([command])]
        else:
            measured = run_together(commands)
    print(f"| {count:,} photos | processor s | peak memory, MB | s by the clock |")
    print("|---|---|---|---|")
    first = measured[0]
    for engine, one in zip(options.engines, measured, strict=True):
        if one.process.returncode:
            raise SystemExit(f"embed --engine {engine} ended with {one.process.returncode}")
        times, room = one.processor / first.processor, one.peak_mb / first.peak_mb
        taken = f"{one.processor:.1f} ({times:.2f} x) | {one.peak_mb:.0f} ({room:.2f} x)"
        print(f"| {engine} | {taken} | {one.seconds:.1f} |")


if __name__ == "__main__":
    main()
