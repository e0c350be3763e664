"""What the server adds to the labelling of one picture by a saved model that stays open.

    python benchmarks/app_predict.py [--pictures 60] [--rounds 40]

A picture is decoded, put through the shipped network and labelled here, then sent to
``POST /api/models/NAME/predict``, in turn; the ratio is of the medians. Needs the extra ``app``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from app import Server, draw
from vernis.session.session import Session
from vernis.verbs.networks import embed
from vernis.verbs.steps import index, learn

CLASSES = ("bird", "fish", "tree")


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
            name = session.catalog.models.records()[0].name
            reader = session.networks.open_space(session.space(None))
            embed_one = reader.open() if hasattr(reader, "open") else None
            assert embed_one is not None
            decode = session.files.decoder()
            here, sent = [], []
            for number in range(given.rounds + 3):
                path = pictures[number % len(pictures)]
                began = time.perf_counter()
                np.asarray(embed_one(decode(path)))
                here.append(time.perf_counter() - began)
                began = time.perf_counter()
                server.ask("POST", f"/api/models/{name}/predict", path.read_bytes())
                sent.append(time.perf_counter() - began)
        server.end()
    one, other = statistics.median(here[3:]), statistics.median(sent[3:])
    print(f"decode and inference  {1e3 * one:7.2f} ms, quickest {1e3 * min(here[3:]):7.2f}")
    print(f"sent to the server    {1e3 * other:7.2f} ms, quickest {1e3 * min(sent[3:]):7.2f}")
    print(f"ratio {other / one:.2f}, of the quickest {min(sent[3:]) / min(here[3:]):.2f}")


if __name__ == "__main__":
    main()
