"""Fit the names of colours and the types of pictures, and write the tables that are shipped.

    python tools/calibrate_appearance.py colors
    python tools/calibrate_appearance.py types --photo DIR… --drawing DIR… --document DIR…
        --screenshot DIR… --test photo=DIR drawing=DIR… [--most 300]

``colors`` reads the names of the colour survey of xkcd (2010, CC0), which matplotlib carries: of
the 949 colours those whose last word is a basic term (*dark red*). ``types`` draws pictures of each
type (``tests/unit/typed_pictures.py``), takes as many as ``--most`` from each folder besides, and
tests on folders that were not fitted to. Only weights are written, to
``src/vernis/core/appearance/color_terms.py`` and ``src/vernis/adapters/appearance_types.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

TERMS = ROOT / "src" / "vernis" / "core" / "appearance" / "color_terms.py"
TYPE_WEIGHTS = ROOT / "src" / "vernis" / "adapters" / "appearance_types.json"
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp"}
DRAWN = 150  # pictures of each type
_INDENT = {"initial_indent": "        ", "subsequent_indent": "        "}


def fit_logistic(X: NDArray, y: NDArray, c: float, folds: int = 10) -> tuple[NDArray, NDArray]:
    """Return weights (n_classes, n_features + 1) and the cross-validated predictions."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(C=c, class_weight="balanced", max_iter=5000)
    said = cross_val_predict(model, X, y, cv=folds)
    model.fit(X, y)
    return np.column_stack([model.coef_, model.intercept_]), said


def write_terms(weights: NDArray) -> None:
    """Write the weights of the names of colours as a module."""
    lines = [
        '"""Weights of the names of colours, a row a colour. By tools/calibrate_appearance.py."""'
    ]
    lines += ["", "TERM_WEIGHTS = ("]
    for row in weights:
        text = ", ".join(f"{v:.4g}" for v in row)
        lines += ["    (", *textwrap.wrap(f"{text},", 96, **_INDENT), "    ),"]
    save(TERMS, [*lines, ")"])


def write_types(means: NDArray, spreads: NDArray, weights: NDArray) -> None:
    """Write the weights of the types of pictures, a line a type."""
    from vernis.core.appearance.picture_type import TYPE_FEATURES, TYPES

    def short(values: NDArray) -> str:
        return json.dumps([float(f"{v:.4g}") for v in values])

    head = {
        "by": json.dumps("tools/calibrate_appearance.py"),
        "features": json.dumps(TYPE_FEATURES),
    }
    head |= {"types": json.dumps(TYPES), "means": short(means), "spreads": short(spreads)}
    lines = ["{", *(f' "{name}": {value},' for name, value in head.items()), ' "weights": [']
    lines += [",\n".join(f"  {short(row)}" for row in weights), " ]", "}"]
    save(TYPE_WEIGHTS, lines)


def save(path: Path, lines: list[str]) -> None:
    """Write a file of text, and say its size."""
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def calibrate_colors() -> None:
    """Fit the names of colours."""
    from matplotlib.colors import XKCD_COLORS

    from vernis.core.appearance.colors import COLORS, lab_of, term_features

    rgb, names = [], []
    for called, code in XKCD_COLORS.items():
        last = called.removeprefix("xkcd:").replace("/", " ").split()[-1]
        name = {"gray": "grey", "violet": "purple"}.get(last, last)
        if name in COLORS:
            rgb.append([int(code[i : i + 2], 16) for i in (1, 3, 5)])
            names.append(COLORS.index(name))
    n_surveyed = len(rgb)
    # The survey asked for few colours near to black, grey and white.
    rng = np.random.default_rng(0)
    greys = np.repeat(np.arange(0, 256, 5), 3)[:, None] + rng.integers(-5, 6, (156, 3))
    lightness = lab_of(np.clip(greys, 0, 255))[:, 0]
    rgb += np.clip(greys, 0, 255).tolist()
    names += np.where(lightness < 20, 0, np.where(lightness > 90, 1, 2)).tolist()
    features = term_features(lab_of(np.array(rgb)))[:, :-1]
    spread = features.std(axis=0)
    weights, said = fit_logistic(features / spread, np.array(names), 1.0)
    weights[:, :-1] /= spread
    right = said[:n_surveyed] == np.array(names)[:n_surveyed]
    print(f"{n_surveyed} surveyed colours, named right in cross-validation: {right.mean():.3f}")
    for number, name in enumerate(COLORS):
        own = np.array(names)[:n_surveyed] == number
        print(f"  {name:8s}{own.sum():4d}  {right[own].mean():.2f}")
    write_terms(weights)


def features_of(paths: list[Path]) -> NDArray:
    """Return what the type is told by, of files."""
    from vernis.adapters.pixels import decode
    from vernis.core.appearance.measure import measure_appearance, type_features
    from vernis.domain.errors import UnreadableImage

    found = []
    for path in paths:
        try:
            found.append(measure_appearance(decode(path)))
        except UnreadableImage:
            continue
    return type_features(np.array(found))


def files_in(folder: Path, most: int) -> list[Path]:
    """Return as many files of a folder, spread over all."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    return files[:: max(1, len(files) // most)][:most]


def drawn_features(kind: str, seeds: range) -> NDArray:
    """Return what the type is told by, of drawn pictures, decoded as files are."""
    import tempfile

    from typed_pictures import draw_typed

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for seed in seeds:
            paths.append(Path(folder) / f"{seed}.png")
            draw_typed(kind, seed).save(paths[-1])
        return features_of(paths)


def _counts(said: NDArray, kinds: tuple[str, ...]) -> str:
    counts = np.bincount(said, minlength=len(kinds)).tolist()
    return ", ".join(f"{kind} {n}" for kind, n in zip(kinds, counts, strict=True) if n)


Sets = list[tuple[str, str, NDArray]]
"""Type, name and features of pictures."""


def calibrate_types(asked: argparse.Namespace) -> None:
    """Fit the types of pictures, and test them on other folders."""
    sets: Sets = []
    for kind in ("photo", "drawing", "document", "screenshot"):
        sets.append((kind, "drawn", drawn_features(kind, range(DRAWN))))
        for folder in getattr(asked, kind):
            sets.append((kind, str(folder), features_of(files_in(folder, asked.most))))
    tests: Sets = []
    for item in asked.test:
        kind, _, folder = item.partition("=")
        tests.append((kind, folder, features_of(files_in(Path(folder), asked.most))))
    fit_types(sets, tests)


def fit_types(sets: Sets, tests: Sets) -> None:
    """Fit to some pictures, print how right it is on them and on others, and write the weights."""
    from vernis.core.appearance.picture_type import TYPES, type_terms

    rows = np.concatenate([features for _, _, features in sets])
    kinds = np.repeat([TYPES.index(kind) for kind, _, _ in sets], [len(f) for _, _, f in sets])
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    terms = type_terms(rows, mean, spread)[:, :-1]
    middle, width = terms.mean(axis=0), terms.std(axis=0) + 1e-6
    weights, said = fit_logistic((terms - middle) / width, kinds, 0.3)
    weights[:, :-1] /= width
    weights[:, -1] -= weights[:, :-1] @ middle
    start = 0
    for kind, name, features in sets:
        own = said[start : start + len(features)]
        start += len(features)
        _tell("fitted", kind, name, own, TYPES)
    print(f"fitted, all in cross-validation: {(said == kinds).mean():.3f}")
    for kind, name, features in tests:
        answer = (type_terms(features, mean, spread) @ weights.T).argmax(axis=1)
        _tell("test", kind, name, answer, TYPES)
    write_types(mean, spread, weights)


def _tell(part: str, kind: str, name: str, said: NDArray, kinds: tuple[str, ...]) -> None:
    right = (said == kinds.index(kind)).mean()
    print(f"{part:7s}{kind:11s}{name[-40:]:41s}{len(said):5d}  {right:.3f}  {_counts(said, kinds)}")


def main() -> None:
    """Calibrate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("colors", "types"))
    for kind in ("photo", "drawing", "document", "screenshot"):
        parser.add_argument(f"--{kind}", type=Path, nargs="*", default=[])
    parser.add_argument("--test", nargs="*", default=[])
    parser.add_argument("--most", type=int, default=300)
    asked = parser.parse_args()
    if asked.what == "colors":
        calibrate_colors()
    else:
        calibrate_types(asked)


if __name__ == "__main__":
    main()
