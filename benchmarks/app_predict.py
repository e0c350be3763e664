"""What the server adds to the labelling of one picture by a saved model that stays open.

    python benchmarks/app_predict.py [--pictures 60] [--rounds 40]

A picture is decoded, put through the shipped network and labelled here, then sent to
``POST /api/models/NAME/predict``, in turn; the ratios are of the medians. What both processes
compute is told, too: on a machine that does other work the clock tells how busy it is. Needs the
extra ``app``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from app import Server, draw
from vernis.session.session import Session
from vernis.verbs.decide.prediction import SavedHead
from vernis.verbs.networks import embed
from vernis.verbs.steps import index, learn

CLASSES = ("bird", "fish", "tree")
REST = 0.03  # seconds: threads of the one side that wait for more work spin for a while


def make(folder: Path, n_pictures: int) -> Path:
    """Draw pictures in folders of their classes, and learn a model of them."""
    for number in range(n_pictures):
        place = folder / "pictures" / CLASSES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:03}.jpg").write_bytes(draw(number, 1280))
    home = folder / "bench.vernis"
    with Session.create(home) as session:
        index.work(session, index.Settings(paths=(folder / "pictures",), classes_from="folders"))
        embed.work(session, embed.Settings())
        learn.work(session, learn.Settings(session.taxonomies()[0].name))
    return home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make(Path(folder), given.pictures)
        pictures = sorted((Path(folder) / "pictures").rglob("*.jpg"))
        server = Server(home)
        with Session.open(home) as session:
            record = session.catalog.models.records()[0]
            name, head = record.name, SavedHead.restore(*session.catalog.models.load(record))
            reader: Any = head.open_reader(session)
            embed_one = reader.open()
            decode = session.files.decoder()
            here, sent, computed, served = [], [], [], []
            for number in range(given.rounds + 3):
                path = pictures[number % len(pictures)]
                time.sleep(REST)
                began, mark = time.perf_counter(), time.process_time()
                head.labels(head.predict_proba(embed_one(decode(path))[None]))
                here.append(time.perf_counter() - began)
                computed.append(time.process_time() - mark)
                time.sleep(REST)
                began, before = time.perf_counter(), server.processor()
                server.ask("POST", f"/api/models/{name}/predict", path.read_bytes())
                sent.append(time.perf_counter() - began)
                served.append((server.processor() - before) / 1e3)
        server.end()
    tell("by the clock", here[3:], sent[3:])
    tell("of the processor", computed[3:], served[3:])


def tell(what: str, here: list[float], sent: list[float]) -> None:
    """Print times in seconds of both ways, and their ratio."""
    one, other = statistics.median(here), statistics.median(sent)
    print(f"{what}: decoded and labelled {1e3 * one:.1f} ms, quickest {1e3 * min(here):.1f}")
    print(f"{what}: sent to the server   {1e3 * other:.1f} ms, quickest {1e3 * min(sent):.1f}")
    print(f"{what}: ratio {other / one:.2f}, of the quickest {min(sent) / min(here):.2f}")


if __name__ == "__main__":
    main()
