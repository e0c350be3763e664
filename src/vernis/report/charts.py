"""Which figures the report draws of each part of its data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vernis.report import figures
from vernis.report.figures import Bar, Line
from vernis.report.markup import Markup, tag
from vernis.report.model import Fill, Interval, LabelIssues, Model, TaxonomyAudit, ThresholdCurve
from vernis.report.wording import count, percent

_MOST_BARS = 24


def audit_figures(audit: TaxonomyAudit, fill: Fill | None) -> list[Markup]:
    """Return the plots of one taxonomy: class counts, imbalance, labels an image, co-occurrence."""
    drawn = [_class_counts(audit, fill)] if audit.counts else []
    if len(audit.counts) > _MOST_BARS:
        drawn.append(
            figures.figure(
                "Imbalance of the classes",
                figures.rank_frequency(
                    list(audit.counts.values()),
                    unit="images",
                    description=f"Images of each class of {audit.name}, most frequent first",
                ),
                note=_imbalance(audit),
            )
        )
    if audit.kind == "multi" and len(audit.labels_per_image) > 1:
        drawn.append(_labels_per_image(audit))
    if len(audit.together_classes) > 1:
        drawn.append(_together(audit))
    return drawn


def _class_counts(audit: TaxonomyAudit, fill: Fill | None) -> Markup:
    added = {c.label: c.n_suggested for c in fill.classes} if fill else {}
    ordered = sorted(audit.counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ordered[:_MOST_BARS]
    rest = ordered[_MOST_BARS:]
    rows = [Bar(label, value, added.get(label, 0)) for label, value in shown]
    note = ""
    if rest:
        note = (
            f"{count(len(rest))} further classes with {count(sum(v for _, v in rest))} labels "
            "together are not drawn."
        )
    drawing = figures.bars(
        rows,
        unit="images",
        description=f"Images of each class of {audit.name}, most frequent first",
    )
    key = None
    if any(added.values()):
        key = figures.legend(("bar", "labelled"), ("bar-added", "suggested"))
    return figures.figure("Images of each class", drawing, note=note, legend=key)


def _imbalance(audit: TaxonomyAudit) -> str:
    values = sorted(audit.counts.values(), reverse=True)
    total, running = sum(values), 0
    for i, value in enumerate(values, 1):
        running += value
        if running >= total / 2:
            return f"Half of all labels belong to {count(i)} of {count(len(values))} classes."
    return ""


def _labels_per_image(audit: TaxonomyAudit) -> Markup:
    drawing = figures.histogram(
        audit.labels_per_image,
        x_label="labels an image",
        y_label="images",
        description=f"How many labels of {audit.name} the images carry",
    )
    none = audit.labels_per_image[0] / max(sum(audit.labels_per_image), 1)
    note = f"{percent(none)} of the images carry none." if none else "Every image carries a label."
    return figures.figure("Labels an image", drawing, note=note)


def _together(audit: TaxonomyAudit) -> Markup:
    table = [
        [value / audit.counts.get(row, 0) if audit.counts.get(row) else 0.0 for value in values]
        for row, values in zip(audit.together_classes, audit.together, strict=True)
    ]
    drawing = figures.heatmap(
        audit.together_classes,
        table,
        description=f"Share of the images of one class of {audit.name} that carry another too",
    )
    return figures.figure(
        "Classes that occur together",
        drawing,
        note="Percent of the images with the row's class that also carry the column's.",
    )


def gain_figure(issues: LabelIssues) -> Markup | None:
    """Return how many wrong labels one meets by reading on; None when it is not known."""
    if len(issues.gain) < 3:
        return None
    wrong = issues.wrong or Interval(math.nan)
    drawing = figures.gain(
        issues.gain,
        total=(wrong.value, wrong.low, wrong.high),
        depth=issues.depth,
        description=f"Wrong labels of {issues.taxonomy} met over the pictures read, worst first",
    )
    note = "As the probabilities have it; the band is the interval of the estimate."
    return figures.figure("How far to read", drawing, note=note)


def fill_figures(fills: Sequence[Fill]) -> list[Markup]:
    """Return the filling rates before and after."""
    rows = [(fill.taxonomy, fill.before, fill.after) for fill in fills]
    drawing = figures.dumbbells(rows, description="Filling rate before and after the suggestions")
    key = figures.legend(("dot-before", "before"), ("dot-after", "after"))
    return [figures.figure("Filling rate", drawing, legend=key)]


def curve_figure(model: Model, index: int) -> Markup | None:
    """Return precision, recall and F1 over the threshold; a script offers the other classes."""
    if not model.curves:
        return None
    curve = model.curves[0]
    drawing = figures.lines(
        _curve_lines(curve),
        x_label="threshold of the probability",
        y_label="precision, recall, F1",
        description=f"Precision, recall and F1 of {curve.label} over the threshold",
        marker=curve.chosen,
        marker_name="chosen",
    )
    key = figures.legend(("line-a", "precision"), ("line-b", "recall"), ("line-c", "F1"))
    picker = None
    if len(model.curves) > 1:
        options = [tag("option", c.label, value=i) for i, c in enumerate(model.curves)]
        picker = tag("label", "Class ", tag("select", options, data_curve=index), class_="picker")
    body = tag("div", picker, drawing, data_curves=index)
    return figures.figure("Threshold curve", body, legend=key)


def _curve_lines(curve: ThresholdCurve) -> list[Line]:
    return [
        Line("precision", curve.thresholds, curve.precision, "line-a"),
        Line("recall", curve.thresholds, curve.recall, "line-b"),
        Line("F1", curve.thresholds, curve.f1, "line-c"),
    ]


def model_figures(model: Model) -> list[Markup]:
    """Return precision against recall of each class, as far as both are known."""
    points = [
        (c.label, c.recall, c.precision, c.support)
        for c in model.classes
        if math.isfinite(c.recall) and math.isfinite(c.precision)
    ]
    if len(points) < 3:
        return []
    drawing = figures.scatter(
        points,
        x_label="recall",
        y_label="precision",
        description=f"Precision and recall of each class of {model.taxonomy}",
    )
    note = "One dot a class at its threshold; its area grows with the number of images."
    return [figures.figure("Precision and recall of the classes", drawing, note=note)]
