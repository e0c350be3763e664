"""The tables of docs/benchmarks/noise.md, from the folders of finished ``vernis lab noise`` runs.

    python benchmarks/noise_summary.py CLOTHING CIFAR GROCERY AQUARIUM COCO128

Prints how the models stand over all cases (a run and a kind of noise each), what the bagged MLP
loses in each, then the micro-F1 of every run. Bold is the best of a row.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vernis.report.lab.run_folder import read_run, read_table

Scores = dict[tuple[str, float, str], tuple[float, float]]


@dataclass(frozen=True)
class Case:
    """A run and a kind of noise: micro-F1 in %, by model."""

    run: str
    kind: str
    mean: dict[str, float]  # over the noisy rates
    loss: dict[str, float]  # points, against no noise
    last: dict[str, float]  # at the highest rate

    def place(self, model: str, by: str) -> int:
        """Return the model's place, 1 = best, by ``mean`` or ``loss``."""
        values = self.loss if by == "loss" else {m: -v for m, v in self.mean.items()}
        return 1 + sum(value < values[model] for value in values.values())


def read_scores(folder: Path) -> Scores:
    """Return mean and deviation of the micro-F1, in %, by noise, rate and model."""
    rows = read_table(folder).rows
    return {
        (r["noise"], r["rate"], r["model"]): (100 * r["micro_f1"], 100 * r["micro_f1_sd"])
        for r in rows
    }


def cases_of(name: str, scores: Scores) -> Iterator[Case]:
    """Yield a case a kind of noise."""
    models = models_of(scores)
    rates = sorted({rate for _, rate, _ in scores if rate})
    for kind in dict.fromkeys(kind for kind, _, _ in scores):
        mean = {m: float(np.mean([scores[kind, r, m][0] for r in rates])) for m in models}
        loss = {m: scores[kind, 0.0, m][0] - mean[m] for m in models}
        yield Case(name, kind, mean, loss, {m: scores[kind, rates[-1], m][0] for m in models})


def models_of(scores: Scores) -> list[str]:
    """Return the models of a run in its order."""
    return list(dict.fromkeys(model for _, _, model in scores))


def print_standing(cases: list[Case]) -> None:
    """Print the models over all cases, and then what the bagged MLP loses in each."""
    print(f"\n{len(cases)} cases\n")
    print("| model | mean place | best of the cases | best at the highest rate |", end="")
    print(" mean place by points lost | points lost |\n|---|---:|---:|---:|---:|---:|")
    models = [m for m in cases[0].mean if all(m in case.mean for case in cases)]
    place = {m: np.mean([case.place(m, "mean") for case in cases]) for m in models}
    for m in sorted(models, key=place.__getitem__):
        lost = np.mean([case.place(m, "loss") for case in cases])
        first = sum(case.place(m, "mean") == 1 for case in cases)
        last = sum(case.last[m] == max(case.last.values()) for case in cases)
        points = np.mean([case.loss[m] for case in cases])
        print(f"| {m} | {place[m]:.1f} | {first} | {last} | {lost:.1f} | {points:.1f} |")
    print(
        "\n| run | noise | loses least | bagged_mlp loses | its place | kernel loses | its place |"
    )
    print("|---|---|---|---:|---:|---:|---:|")
    for case in cases:
        own = [f"{case.loss[m]:.1f} | {case.place(m, 'loss')}" for m in ("bagged_mlp", "kernel")]
        least = min(case.loss, key=lambda m: case.loss[m])
        print(
            f"| {case.run} | {case.kind} | {least} ({case.loss[least]:.1f}) | {' | '.join(own)} |"
        )


def print_run(name: str, about: str, scores: Scores) -> None:
    """Print every rate of a run."""
    models = models_of(scores)
    print(f"\n## {name} ({about})\n")
    print(f"| noise | % | {' | '.join(models)} |\n|---|---:|{'---:|' * len(models)}")
    seen = set()
    for kind, rate in dict.fromkeys((kind, rate) for kind, rate, _ in scores):
        mark = kind if rate else "none"
        if mark == "none" and mark in seen:
            continue
        seen.add(mark)
        found = [scores[kind, rate, m] for m in models]
        top = max(round(value, 1) for value, _ in found)
        cells = [
            f"{f'**{v:.1f}**' if round(v, 1) == top else f'{v:.1f}'} ± {sd:.1f}" for v, sd in found
        ]
        print(f"| {mark} | {100 * rate:.0f} | {' | '.join(cells)} |")


def main() -> None:
    """Print the tables of the runs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    scores = {run.name: read_scores(run) for run in options.runs}
    print_standing([case for name, own in scores.items() for case in cases_of(name, own)])
    for run in options.runs:
        data = read_run(run).data
        of = f" of {data['labelled_images']:,}" if data["labelled_images"] != data["images"] else ""
        about = f"{data['images']:,}{of} images, {data['classes']} classes"
        print_run(run.name, about, scores[run.name])


if __name__ == "__main__":
    main()
