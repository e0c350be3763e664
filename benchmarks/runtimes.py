"""Is OpenVINO faster than ONNX Runtime here, and how near are its vectors?

Run: ``python benchmarks/runtimes.py [--images 60]``. The runtimes take turns on every picture, one
thread each, so that load from elsewhere strikes both alike. Needs the extra openvino.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from vernis.adapters.backbones.zoo import ARITHMETICS, RUNTIMES, open_backbone


def draw_pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return [np.kron(small, np.ones((16, 16, 1), np.uint8)) for small in coarse]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60)
    pictures = draw_pictures(parser.parse_args().images)
    runs = [(arithmetic, runtime) for arithmetic in ARITHMETICS for runtime in RUNTIMES]
    embed = {run: open_backbone(arithmetic=run[0], runtime=run[1]).reader().open() for run in runs}
    spent: dict[tuple[str, str], list[float]] = {run: [] for run in runs}
    vectors: dict[tuple[str, str], list[np.ndarray]] = {run: [] for run in runs}
    for run in runs:
        embed[run](pictures[0])
    for picture in pictures:
        for run in runs:
            started = time.process_time()
            vectors[run].append(embed[run](picture).astype(float))
            spent[run].append(1000 * (time.process_time() - started))
    print(
        "| arithmetic | runtime | processor ms an image, median | cosine to ONNX Runtime, least |"
    )
    print("|---|---|---|---|")
    for run in runs:
        pairs = zip(vectors[run], vectors[run[0], "onnxruntime"], strict=True)
        cosine = min(a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs)
        print(f"| {run[0]} | {run[1]} | {np.median(spent[run]):.1f} | {cosine:.4f} |")


if __name__ == "__main__":
    main()
