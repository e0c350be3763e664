"""What the whole job costs beside the peers that together do the same.

    python benchmarks/throughput.py peers --peer-python PEERS/bin/python
    python benchmarks/throughput.py scale

``peers``: on the grocery photos, interleaved, each job a process of its own: `vernis run`, its part
that fastdup does (index, embed, quality, duplicates), fastdup, cleanvision, imagededup (PHash) and
cleanlab's Datalab on Vernis's embeddings with cross-validated logistic regression. The peers live
in an environment of their own (`pip install -r benchmarks/requirements-throughput.txt`). Wall and
processor time, peak memory of the largest process, ratios.

``scale``: `vernis run` on 5,000 to 50,000 small pictures cut from photos; cost over n log n.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"

# The peers' programs, run by --peer-python with the folder of images and a scratch folder.
FASTDUP = """
import fastdup, sys
work = fastdup.create(work_dir=sys.argv[2] + "/fastdup", input_dir=sys.argv[1])
work.run(overwrite=True, print_summary=False)
print("found", len(work.similarity()))
"""
CLEANVISION = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(verbose=False)
print("found", int(lab.issue_summary["num_images"].sum()))
"""
IMAGEDEDUP = """
import sys
from imagededup.methods import PHash
found = PHash(verbose=False).find_duplicates(image_dir=sys.argv[1], recursive=True)
print("found", sum(map(len, found.values())) // 2)
"""
DATALAB = """
import sys
import numpy as np
from cleanlab import Datalab
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
stored = np.load(sys.argv[2] + "/embeddings.npz")
X, y = stored["X"].astype("f4"), stored["y"]
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=200))
probabilities = cross_val_predict(model, X, y, cv=5, method="predict_proba")
lab = Datalab(data={"label": y}, label_name="label", verbosity=0)
lab.find_issues(pred_probs=probabilities, features=X)
print("found", int(lab.get_issues("label")["is_label_issue"].sum()))
"""
# Not timed. In a process of its own, so that this one stays small: a child's peak memory is never
# reported below its parent's.
EXPORT = """
import sys
import numpy as np
import vernis
from vernis.session.vectors import search_columns
with vernis.Collection.open(sys.argv[2] + "/whole.vernis", read_only=True) as collection:
    space = collection.session.space()
    data = collection.session.training_data("fine", space)
labelled = (data.Y == 1).any(axis=1)
X = data.X[labelled][:, search_columns(space)]
np.savez(sys.argv[2] + "/embeddings.npz", X=X, y=(data.Y[labelled] == 1).argmax(axis=1))
"""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of wall and processor time, peak megabytes."""

    wall: float
    cpu: float
    peak: float
    said: str = ""


def run_process(command: list[str], cwd: Path) -> Cost:
    """Run a command and wait for it; its children count for the processor time."""
    with tempfile.TemporaryFile() as stream:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stream.seek(0)
        text = stream.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{text[-2000:]}")
    said = re.findall(r"^found .*$", text, re.MULTILINE)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, "".join(said[-1:]))


def add(costs: list[Cost]) -> Cost:
    """Return the cost of jobs done one after the other."""
    return Cost(sum(c.wall for c in costs), sum(c.cpu for c in costs), max(c.peak for c in costs))


def vernis(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vernis", *arguments, "--quiet"]


def run_parts(images: Path, scratch: Path) -> Cost:
    """Do what fastdup does: embed, judge the quality, find the duplicates."""
    collection = ["--collection", str(scratch / "parts.vernis")]
    shutil.rmtree(scratch / "parts.vernis", ignore_errors=True)
    steps = (["index", str(images)], ["embed"], ["quality"], ["duplicates"])
    return add([run_process(vernis(*step, *collection), scratch) for step in steps])


def run_whole(images: Path, labels: Path, scratch: Path) -> Cost:
    """Do the whole job on one taxonomy."""
    shutil.rmtree(scratch / "whole.vernis", ignore_errors=True)
    shutil.rmtree(scratch / "report", ignore_errors=True)
    command = vernis("run", str(images), "--labels", str(labels), "--taxonomy", "fine")
    return run_process([*command, "--collection", str(scratch / "whole.vernis")], scratch)


def run_peers(args: argparse.Namespace, scratch: Path) -> None:
    """Print the table of costs and the two ratios that matter."""
    images, labels = args.data / "grocery" / "images", args.data / "grocery" / "images.csv"
    run_whole(images, labels, scratch)
    run_process([sys.executable, "-c", EXPORT, str(images), str(scratch)], scratch)

    def peer(program: str) -> Callable[[], Cost]:
        command = [args.peer_python, "-c", program, str(images), str(scratch)]
        return lambda: run_process(command, scratch)

    jobs: dict[str, Callable[[], Cost]] = {
        "vernis: embed, quality, duplicates": lambda: run_parts(images, scratch),
        "fastdup": peer(FASTDUP),
        "vernis run": lambda: run_whole(images, labels, scratch),
        "cleanvision": peer(CLEANVISION),
        "imagededup PHash": peer(IMAGEDEDUP),
        "cleanlab Datalab": peer(DATALAB),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for number in range(args.rounds):
        for name, job in jobs.items():
            costs[name].append(job())
            last = costs[name][-1]
            print(f"round {number + 1}: {name}: {last.wall:.1f} s {last.said}", file=sys.stderr)
    middle = {name: median(found) for name, found in costs.items()}
    peers = ("fastdup", "cleanvision", "imagededup PHash", "cleanlab Datalab")
    middle["sum of the peers"] = add([middle[name] for name in peers])
    print(f"{'median of ' + str(args.rounds):36} {'wall s':>8} {'cpu s':>8} {'peak MB':>8}  spread")
    for name, cost in middle.items():
        walls = [c.wall for c in costs.get(name, [])]
        spread = f"{min(walls):.1f}-{max(walls):.1f} s" if walls else ""
        print(f"{name:36} {cost.wall:8.1f} {cost.cpu:8.1f} {cost.peak:8.0f}  {spread}")
    part = middle["vernis: embed, quality, duplicates"].wall / middle["fastdup"].wall
    whole = middle["vernis run"].wall / middle["sum of the peers"].wall
    print(f"embed, quality, duplicates / fastdup: {part:.2f} (bar: below 1)")
    print(f"everything / sum of the peers: {whole:.2f} (bar: below 1)")


def median(found: list[Cost]) -> Cost:
    return Cost(
        statistics.median(c.wall for c in found),
        statistics.median(c.cpu for c in found),
        max(c.peak for c in found),
    )


def cut_tiles(photos: list[Path], folder: Path, count: int, *, side: int = 64) -> None:
    """Write ``count`` small JPEGs, disjoint tiles of photos, so that none is a copy of another."""
    from PIL import Image

    folder.mkdir(parents=True)
    made = 0
    for photo in photos:
        with Image.open(photo) as opened:
            picture = opened.convert("RGB")
        for top in range(0, picture.height - side + 1, side):
            for left in range(0, picture.width - side + 1, side):
                if made == count:
                    return
                tile = picture.crop((left, top, left + side, top + side))
                tile.save(folder / f"{made:06}.jpg", quality=90)
                made += 1
    sys.exit(f"the photos give only {made:,} tiles; ask for fewer pictures")


def run_scale(args: argparse.Namespace, scratch: Path) -> None:
    """Print the cost of `vernis run` over the number of pictures."""
    photos = sorted((args.data / "grocery" / "images").rglob("*.jpg"))
    photos += sorted((args.data / "aquarium" / "images").rglob("*.jpg"))
    print(f"{'pictures':>9} {'wall s':>8} {'cpu s':>8} {'peak MB':>8} {'cpu us / (n log n)':>20}")
    for count in args.counts:
        folder = scratch / "tiles"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(scratch / "tiles.vernis", ignore_errors=True)
        shutil.rmtree(scratch / "report", ignore_errors=True)
        cut_tiles(photos, folder, count)
        command = vernis("run", str(folder), "--collection", str(scratch / "tiles.vernis"))
        cost = run_process(command, scratch)
        unit = 1e6 * cost.cpu / (count * math.log(count))
        print(f"{count:9,} {cost.wall:8.1f} {cost.cpu:8.1f} {cost.peak:8.0f} {unit:20.1f}")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vernis-throughput-") as folder:
        yield Path(folder)


def main() -> None:
    """Run one of the two benchmarks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["peers", "scale"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("VERNIS_DATA", DATA)))
    parser.add_argument("--peer-python", default=sys.executable, help="of the peers' environment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[5_000, 10_000, 20_000, 50_000])
    args = parser.parse_args()
    with scratch_folder() as scratch:
        (run_peers if args.what == "peers" else run_scale)(args, scratch)


if __name__ == "__main__":
    main()
