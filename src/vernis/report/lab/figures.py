"""The figures of the lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vernis.report.charts import (
    PALETTE,
    draw_line,
    grid_shape,
    hide_spare_panels,
    label_plainly,
    legend_outside,
    new_figure,
    save_figure,
    separate_rows,
    series_styles,
)
from vernis.report.wording import counted

Rows = Sequence[Mapping[str, Any]]

_LEAST_SECONDS = 1e-4
"""Shorter times are drawn here: a logarithmic axis has no zero."""


def draw_models(rows: Rows, path: Path, about: str) -> Path:
    """Draw micro- and macro-F1 of each model with intervals, and its time."""
    names = [str(row["model"]).replace("_", " ") for row in rows]
    places = np.arange(len(names))
    figure, (left, right) = new_figure(
        f"Models: {about}",
        columns=2,
        width=10,
        height=1.6 + 0.38 * len(names),
        sharey=True,
        gridspec_kw={"width_ratios": (3, 2)},
    )
    for offset, measure, name, color, marker in (
        (-0.16, "micro_f1", "micro-F1", PALETTE[0], "o"),
        (0.16, "macro_f1", "macro-F1", PALETTE[1], "s"),
    ):
        value, low, high = (
            np.asarray([_number(row[measure + end]) for row in rows])
            for end in ("", "_low", "_high")
        )
        spread = np.maximum(np.nan_to_num(np.stack([value - low, high - value])), 0)
        look = {"fmt": marker, "color": color, "markersize": 5, "capsize": 3, "label": name}
        left.errorbar(value, places + offset, xerr=spread, **look)
    left.set_yticks(places, names)
    left.set_xlabel("F1 on unseen folds, with 95 % intervals")
    all_seconds: list[float] = []
    for measure, name, color, marker in (
        ("train_s", "train", PALETTE[2], "^"),
        ("predict_s", "predict", PALETTE[3], "D"),
    ):
        seconds = [max(_number(row[measure]), _LEAST_SECONDS) for row in rows]
        right.plot(seconds, places, marker, color=color, markersize=6, label=name)
        all_seconds += seconds
    right.set_xscale("log")
    label_plainly(right.xaxis, all_seconds)
    right.set_xlabel("processor seconds a fold (log.)")
    left.set_ylim(len(names) - 0.5, -0.5)
    for panel in (left, right):
        separate_rows(panel, len(names))
    handles, labels = left.get_legend_handles_labels()
    more = right.get_legend_handles_labels()
    legend_outside(right, handles=handles + more[0], labels=labels + more[1])
    return save_figure(figure, path)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def draw_components(rows: Rows, path: Path, about: str) -> Path:
    """Draw F1 and training time over the number of components, a line a model."""
    figure, axes = new_figure(f"Principal components: {about}", columns=2, width=10.5, height=4.4)
    ordered = list(dict.fromkeys(row["components"] for row in rows))
    styles = series_styles()
    all_seconds: list[float] = []
    for model in dict.fromkeys(str(row["model"]) for row in rows):
        own = {row["components"]: row for row in rows if row["model"] == model}
        style = next(styles)
        place = np.arange(len(ordered))
        name = model.replace("_", " ")
        value = [_number(own[n]["micro_f1"]) for n in ordered]
        spread = np.nan_to_num([_number(own[n]["micro_f1_sd"]) for n in ordered])
        draw_line(axes[0], place, value, name=name, style=style, spread=spread)
        seconds = [max(_number(own[n]["train_s"]), _LEAST_SECONDS) for n in ordered]
        all_seconds += seconds
        draw_line(axes[1], place, seconds, name=name, style=style)
    for one in axes:
        one.set_xticks(np.arange(len(ordered)), list(map(str, ordered)))
        one.set_xlabel("principal components")
    axes[0].set_ylabel("micro-F1, band: deviation over folds")
    axes[1].set_yscale("log")
    label_plainly(axes[1].yaxis, all_seconds)
    axes[1].set_ylabel("processor seconds to train a fold (log.)")
    legend_outside(axes[1])
    return save_figure(figure, path)


def draw_spaces(rows: Rows, path: Path, about: str) -> Path:
    """Draw the F1 of each model on each space and layer."""
    places = list(dict.fromkeys((str(row["space"]), str(row["layer"])) for row in rows))
    figure, axes = new_figure(
        f"Embedding spaces and layers: {about}", width=9, height=1.8 + 0.5 * len(places)
    )
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    styles = series_styles()
    for number, model in enumerate(models):
        style = next(styles)
        own = {(row["space"], row["layer"]): row for row in rows if row["model"] == model}
        value = [_number(own[place]["micro_f1"]) for place in places]
        spread = np.nan_to_num([_number(own[place]["micro_f1_sd"]) for place in places])
        offset = 0.5 * ((number + 0.5) / len(models) - 0.5)
        axes.errorbar(
            value,
            np.arange(len(places)) + offset,
            xerr=spread,
            fmt=style["marker"],
            color=style["color"],
            markersize=5,
            capsize=2,
            label=model.replace("_", " "),
        )
    axes.set_yticks(
        np.arange(len(places)), [f"{space}\n{layer}" for space, layer in places], fontsize=8
    )
    axes.set_ylim(len(places) - 0.5, -0.5)
    separate_rows(axes, len(places))
    axes.set_xlabel("micro-F1, bars: deviation over folds")
    legend_outside(axes)
    return save_figure(figure, path)


def draw_locating(rows: Rows, path: Path, about: str) -> Path:
    """Draw how well each method places objects, by measure."""
    names = [" ".join(filter(None, (str(r["method"]), str(r["sizes"])))) for r in rows]
    figure, axes = new_figure(f"Where it is: {about}", width=8, height=1.8 + 0.5 * len(names))
    places = np.arange(len(names))
    measures = {
        "max_box_acc": "MaxBoxAccV2",
        "pointing": "pointing game",
        "corloc": "CorLoc at .5",
        "rule_80": "rule of 80",
    }
    styles = series_styles()
    for number, (measure, name) in enumerate(measures.items()):
        style = next(styles)
        axes.plot(
            [_number(row[measure]) for row in rows],
            places + 0.5 * ((number + 0.5) / len(measures) - 0.5),
            style["marker"],
            color=style["color"],
            markersize=6,
            label=name,
        )
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    separate_rows(axes, len(names))
    axes.set_xlabel("share of images × classes, learned from labels alone")
    legend_outside(axes)
    return save_figure(figure, path)


def draw_crops(rows: Rows, path: Path, about: str) -> Path:
    """Draw what parts of pictures gain over whole ones, with intervals."""
    names = [str(row["view"]) for row in rows]
    figure, axes = new_figure(f"Parts of pictures: {about}", width=8, height=1.8 + 0.4 * len(names))
    gain, low, high = (
        np.array([_number(row[f"micro_f1_against_whole{part}"]) for row in rows])
        for part in ("", "_low", "_high")
    )
    places = np.arange(len(names))
    axes.errorbar(gain, places, xerr=[gain - low, high - gain], fmt="o", color=PALETTE[0])
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    separate_rows(axes, len(names))
    axes.set_xlabel("micro F1 more than with the whole picture, 95 % interval")
    return save_figure(figure, path)


_SHOWN_CLASSES = 11
_THRESHOLD_LINES = (
    ("f1", PALETTE[0], "-"),
    ("f2", PALETTE[1], "-"),
    ("precision", PALETTE[2], "--"),
    ("recall", PALETTE[3], "-."),
)


def _panels_of_classes(title: str, count: int) -> tuple[Any, Any]:
    """Return a figure with a panel a class, four beside one another."""
    lines, columns = grid_shape(count, 4)
    figure, grid = new_figure(
        title,
        rows=lines,
        columns=columns,
        width=2.6 * columns + 1.6,
        height=2.3 * lines + 0.7,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    hide_spare_panels(grid, count)
    return figure, grid


def draw_thresholds(rows: Rows, path: Path, about: str) -> Path:
    """Draw the measures over the threshold: overall, then the most frequent classes."""
    classes = list(dict.fromkeys(str(row["class"]) for row in rows))
    count = {name: next(row["images"] for row in rows if row["class"] == name) for name in classes}
    shown = sorted(classes, key=lambda name: -count[name])[: _SHOWN_CLASSES + 1]
    figure, grid = _panels_of_classes(f"Thresholds: {about}", len(shown))
    for axes, shown_class in zip(grid.ravel(), shown, strict=False):
        own = [row for row in rows if row["class"] == shown_class]
        for measure, color, dashes in _THRESHOLD_LINES:
            style = {"color": color, "linestyle": dashes}
            value = [_number(row[measure]) for row in own]
            name = measure.upper() if len(measure) == 2 else measure
            draw_line(axes, [row["threshold"] for row in own], value, name=name, style=style)
        for mark, color, name in (
            ("chosen_f1", PALETTE[0], "chosen for F1"),
            ("chosen_f2", PALETTE[1], "chosen for F2"),
        ):
            for row in own:
                if row[mark]:
                    axes.axvline(
                        row["threshold"], color=color, linewidth=1, linestyle=":", label=name
                    )
        images = counted(count[shown_class], "image")
        axes.set_title(f"{shown_class.strip('()')}, {images}", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, 1)
    figure.supxlabel("threshold (a probability, 0 to 1)", fontsize=10)
    figure.supylabel("measure (0 to 1)", fontsize=10)
    legend_outside(grid[0][-1])
    return save_figure(figure, path)


def draw_precision_recall(rows: Rows, path: Path, curves: Mapping[str, Any], about: str) -> Path:
    """Draw precision over recall of found boxes: overall, then the most frequent classes.

    ``curves`` holds recall and precision in the first two columns, by class.
    """
    boxes = {str(row["class"]): row["boxes"] for row in rows}
    shown = list(curves)[: _SHOWN_CLASSES + 1]
    figure, grid = _panels_of_classes(f"Boxes: {about}", len(shown))
    for axes, name in zip(grid.ravel(), shown, strict=False):
        style = {"color": PALETTE[0]}
        draw_line(axes, curves[name][:, 0], curves[name][:, 1], name="IoU .50", style=style)
        axes.set_title(f"{name.strip('()')}, {counted(boxes[name], 'box', 'boxes')}", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, 1)
    figure.supxlabel("recall (share of the true boxes)", fontsize=10)
    figure.supylabel("precision (share of the found boxes)", fontsize=10)
    return save_figure(figure, path)


def draw_detectors(rows: Rows, path: Path, about: str) -> Path:
    """Draw mAP50 of detectors over the pictures that they learned from, a line a group."""
    figure, axes = new_figure(f"Detectors: {about}", width=7.0, height=4.4)
    own = [row for row in rows if row["class"] == "(overall)"]
    styles = series_styles()
    for group in dict.fromkeys(str(row["group"]) for row in own):
        here = [row for row in own if row["group"] == group]
        numbers = sorted({int(row["pictures"]) for row in here})
        values = [[_number(row["ap50"]) for row in here if row["pictures"] == n] for n in numbers]
        draw_line(
            axes,
            numbers,
            [np.mean(each) for each in values],
            name=group or "all",
            style=next(styles),
            spread=[np.std(each) for each in values],
        )
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("pictures with boxes that were learned from")
    axes.set_ylabel("mAP50")
    legend_outside(axes)
    return save_figure(figure, path)


def draw_noise(rows: Rows, path: Path, about: str) -> Path:
    """Draw the score on untouched labels over the noise, a panel a kind, a line a model."""
    kinds = list(dict.fromkeys(str(row["noise"]) for row in rows))
    lines, columns = grid_shape(len(kinds), 3)
    figure, grid = new_figure(
        f"Noise: {about}",
        rows=lines,
        columns=columns,
        width=3.4 * columns + 1.8,
        height=3.0 * lines + 0.6,
        sharey=True,
        squeeze=False,
    )
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    hide_spare_panels(grid, len(kinds))
    for axes, kind in zip(grid.ravel(), kinds, strict=False):
        styles = series_styles()
        for model in models:
            own = [r for r in rows if r["noise"] == kind and r["model"] == model]
            own = sorted(own, key=lambda row: row["rate"])
            draw_line(
                axes,
                [100 * row["rate"] for row in own],
                [_number(row["micro_f1"]) for row in own],
                name=model.replace("_", " "),
                style=next(styles),
                spread=np.nan_to_num([_number(row["micro_f1_sd"]) for row in own]),
            )
        axes.set_title(kind, fontsize=10)
        axes.set_xlabel("noise, % of the labels")
    for line in grid:
        line[0].set_ylabel("micro-F1, untouched labels")
    legend_outside(grid[0][-1])
    return save_figure(figure, path)
