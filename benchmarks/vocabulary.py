"""Precision and recall of proposed merges on planted case variants, plurals and misspellings.

    python benchmarks/vocabulary.py [--seeds 5] [--names FILE]

Hard negatives (mouse/house, glass/grass, beer/bear…) stand among the words. ``--names`` adds a list
of class names, one a line.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))
import vocabulary_words as words_of

from vernis.core.words import merges as merging
from vernis.core.words.merge_evidence import measure_use


def measure(
    words: list[str], seed: int, *, lexicon: bool, min_score: float
) -> tuple[Counter[str], list[tuple[str, str, float]]]:
    rng = np.random.default_rng(seed)
    planted = words_of.plant(words, rng)
    use = measure_use(words_of.scatter(planted, rng))
    kept = merging.COMMON_NOUNS
    if not lexicon:
        merging.COMMON_NOUNS = frozenset()
    try:
        found = merging.propose_merges(planted.labels, use, min_score=min_score)
    finally:
        merging.COMMON_NOUNS = kept
    tally: Counter[str] = Counter(f"planted {kind}" for _, kind in planted.truth.values())
    wrong = []
    for merge in found:
        pair = {merge.label, merge.into}
        hit = next((v for v in pair if v in planted.truth and planted.truth[v][0] in pair), None)
        tally["proposed"] += 1
        if hit is None:
            wrong.append((merge.label, merge.into, merge.score))
        else:
            tally["right"] += 1
            tally[f"found {planted.truth[hit][1]}"] += 1
    return tally, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--names", type=Path)
    options = parser.parse_args()
    words = [*words_of.WORDS, *words_of.HARD_NEGATIVES]
    if options.names:
        words += options.names.read_text(encoding="utf-8").split("\n")
    words = sorted({word.strip() for word in words if word.strip()})
    print(f"{len(words)} words, {options.seeds} seeds")
    print("lexicon  score  proposed  precision  case  plural  misspelling")
    for lexicon in (True, False):
        for min_score in (0.5, 0.9):
            total: Counter[str] = Counter()
            wrong: Counter[str] = Counter()
            for seed in range(options.seeds):
                tally, bad = measure(words, seed, lexicon=lexicon, min_score=min_score)
                total += tally
                wrong.update(f"{a}>{b}" for a, b, _ in bad)
            recall = [
                total[f"found {kind}"] / max(total[f"planted {kind}"], 1)
                for kind in ("case", "plural", "misspelling")
            ]
            print(
                f"{'with' if lexicon else 'without':7}  {min_score:5}  {total['proposed']:8}  "
                f"{total['right'] / max(total['proposed'], 1):9.3f}  "
                + "  ".join(f"{r:.3f}" for r in recall)
            )
            print("   wrong:", ", ".join(name for name, _ in wrong.most_common(12)) or "none")


if __name__ == "__main__":
    main()
