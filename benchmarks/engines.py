"""What does Daft cost beside threads, in processor time and memory?

    python benchmarks/engines.py PHOTOS --pictures 5000

Embeds the same photos with both engines, at the same time, so that load from elsewhere and a warm
disk serve both alike; each has a collection of its own that is indexed before. Processor time and
memory are those of the command and of all processes that it starts; memory is their proportional
set size, looked at five times a second. Needs Linux and the extra cluster.
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

ENGINES = ("threads", "daft")


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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        count = link_photos(options.photos, folder, options.pictures)
        homes = [str(Path(name) / f"{engine}.vernis") for engine in ENGINES]
        for home in homes:
            command = vernis("index", str(folder), "--classes-from", "none", "--collection", home)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        measured = run_together(
            [
                vernis("embed", "--engine", engine, "--collection", home)
                for engine, home in zip(ENGINES, homes, strict=True)
            ]
        )
    print(f"| {count:,} photos | processor s | peak memory, MB | s by the clock |")
    print("|---|---|---|---|")
    for engine, one in zip(ENGINES, measured, strict=True):
        if one.process.returncode:
            raise SystemExit(f"embed --engine {engine} ended with {one.process.returncode}")
        print(f"| {engine} | {one.processor:.1f} | {one.peak_mb:.0f} | {one.seconds:.1f} |")
    threads, daft = measured
    ratios = daft.processor / threads.processor, daft.peak_mb / threads.peak_mb
    print(f"| daft to threads | {ratios[0]:.2f} | {ratios[1]:.2f} | |")


if __name__ == "__main__":
    main()
