"""The figure of the toy study: a row a shape, a column a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vernis.report.charts import PALETTE, SURFACE, new_figure, save_figure


def draw_toys(
    rows: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    points: Mapping[str, Any],
    areas: Mapping[tuple[str, str], Sequence[float]],
    permuted: float,
) -> Path:
    """Draw the decision areas of every model with the points as they were given.

    Parameters
    ----------
    rows : sequence of mappings
        ``shape``, ``model``, ``accuracy``, ``accuracy_sd``.
    path : Path
    points : mapping of str to (X, true, given)
        By shape; X of shape (n, 2).
    areas : mapping of (shape, model) to sequence of float
        The probability of the second class on a square grid over the plane.
    permuted : float
        Share of the points whose labels were permuted.
    """
    from matplotlib.colors import LinearSegmentedColormap

    shapes = list(points)
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    shades = LinearSegmentedColormap.from_list("two", [PALETTE[0], SURFACE, PALETTE[1]])
    figure, grid = new_figure(
        f"Decision areas, {permuted:.0%} of the training labels permuted",
        rows=len(shapes),
        columns=len(models),
        width=max(1.45 * len(models) + 0.6, 6.5),
        height=1.75 * len(shapes) + 0.6,
        squeeze=False,
    )
    accuracy = {(row["shape"], row["model"]): row for row in rows}
    for line, shape in enumerate(shapes):
        X, _, given = points[shape]
        best = max(accuracy[shape, model]["accuracy"] for model in models)
        for column, model in enumerate(models):
            axes = grid[line][column]
            _draw_area(axes, X, given, np.asarray(areas[shape, model], float), shades)
            row = accuracy[shape, model]
            spread = "" if row["accuracy_sd"] is None else f" ± {100 * row['accuracy_sd']:.1f}"
            weight = "bold" if row["accuracy"] == best else "normal"
            axes.set_xlabel(f"{100 * row['accuracy']:.1f}{spread}", fontsize=8, fontweight=weight)
            if line == 0:
                axes.set_title(model.replace("_", " "), fontsize=9, loc="center")
            if column == 0:
                axes.set_ylabel(shape, fontsize=9)
    figure.supxlabel(
        "Shade: the class that the model decides for, white where it is undecided; "
        "blue circles and orange squares: the labels given.\n"
        "Below each: accuracy in % on new points with true labels, mean ± deviation over seeds; "
        "bold: the best of the row.",
        fontsize=8,
    )
    return save_figure(figure, path)


def _draw_area(axes: Any, X: Any, given: Any, area: Any, shades: Any) -> None:
    """Draw the probabilities on the grid and the points over them."""
    side = round(len(area) ** 0.5)
    low, high = X.min(axis=0) - 0.4, X.max(axis=0) + 0.4
    axes.imshow(
        area.reshape(side, side),
        origin="lower",
        extent=(low[0], high[0], low[1], high[1]),
        cmap=shades,
        vmin=0,
        vmax=1,
        alpha=0.75,
        aspect="auto",
        interpolation="nearest",
    )
    for code, marker in ((0, "o"), (1, "s")):
        own = given == code
        axes.scatter(
            X[own, 0],
            X[own, 1],
            s=8,
            marker=marker,
            color=PALETTE[code],
            edgecolors=SURFACE,
            linewidths=0.4,
        )
    axes.set_xticks([])
    axes.set_yticks([])
