"""The report of a collection as one page; the thumbnails lie beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vernis.domain.types import LabelAccount
from vernis.report import charts
from vernis.report.glossary import SCORERS
from vernis.report.model import (
    Fill,
    Interval,
    LabelIssues,
    Model,
    QualityIssues,
    ReportData,
    TaxonomyAudit,
)
from vernis.report.pages import SHARED_STYLES, render_page
from vernis.report.wording import SOURCES, count, counted, is_hardly_any, may_be_none, percent

if TYPE_CHECKING:
    from markupsafe import Markup

GENERATOR = "Vernis report"
"""Content of the page's ``generator`` mark; a page without it is not ours to replace."""

QUALITY_NAMES = {
    "blurry": ("Blurry", "edges are softer than in the rest of the collection"),
    "dark": ("Dark", "most pixels are near black"),
    "overexposed": ("Overexposed", "most pixels are near white"),
    "low_information": ("Low information", "hardly any detail: an empty or flat picture"),
    "odd_aspect_ratio": ("Odd aspect ratio", "much wider or taller than the rest"),
    "odd_size": ("Odd size", "far smaller or larger than the rest"),
    "greyscale": ("Greyscale", "without colour in a collection that has it"),
    "uniform_border": ("Uniform border", "a plain frame that could be cropped"),
    "damaged": ("Damaged", "the file is cut off or its data are spoilt; get it from a backup"),
}

_MOST_BARS = 24
_MOST_ROWS = 1000  # of a table of classes; free keywords can be many thousands
_STYLES = (*SHARED_STYLES, "index/sections.css", "index/items.css", "index/print.css")


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with what stands above and below it."""

    title: str
    svg: Markup
    note: str = ""


def render(data: ReportData) -> bytes:
    """Return the page: HTML, UTF-8, with its styles, scripts and rows.

    Parameters
    ----------
    data : ReportData
    """
    fills = {fill.taxonomy: fill for fill in data.fills}
    added = [
        {row.label: row.n_suggested for row in fills[audit.name].classes}
        if audit.name in fills
        else {}
        for audit in data.audits
    ]
    quality = [_named(issues) for issues in data.quality]
    return render_page(
        "index/index.html",
        styles=_STYLES,
        script="index/main.mjs",
        data={
            "images": list(data.images.values()),
            "label_issues": [{"taxonomy": i.taxonomy, "items": i.items} for i in data.label_issues],
            "duplicates": data.duplicates,
            "quality": quality,
            "fills": [{"taxonomy": fill.taxonomy, "items": fill.items} for fill in data.fills],
            "curves": [model.curves for model in data.models],
        },
        title=f"{data.title} · report",
        generator=f"{GENERATOR} {data.version}",
        report=data,
        sections=_sections(data),
        found=_found(data),
        tiles=_tiles(data),
        audits=[
            (audit, more, _audit_charts(audit, more))
            for audit, more in zip(data.audits, added, strict=True)
        ],
        most_rows=_MOST_ROWS,
        ranked=_ranked,
        imbalance=_imbalance,
        label_issues=[(issues, _gain_chart(issues)) for issues in data.label_issues],
        quality=quality,
        filling_rates=_filling_rates(data.fills) if data.fills else None,
        held_out=_held_out,
        models=[(model, _curve_chart(model), _class_charts(model)) for model in data.models],
        measured=_measured,
        sources=_sources(data.accounts),
        scorers=SCORERS,
    )


# --------------------------------------------------------------------------- texts and numbers


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the page; ``badge`` stands beside its name in the navigation."""

    anchor: str
    name: str
    badge: str = ""


def _sections(data: ReportData) -> list[_Section]:
    """Return the sections that have something to show, in the order of reading."""
    poor = sum(kind.n_flagged for kind in data.quality)
    models = "Model" if len(data.models) == 1 else "Models"
    all_of_them = (
        (True, _Section("summary", "Summary")),
        (data.audits, _Section("audit", "Taxonomies", count(len(data.audits)))),
        (data.label_issues, _Section("label-issues", "Label issues", count(_flagged(data)))),
        (data.duplicates, _Section("duplicates", "Duplicates", count(data.n_groups))),
        (data.variants, _Section("variants", "Variants", count(data.n_variants))),
        (poor, _Section("quality", "Quality", count(poor))),
        (data.broken, _Section("broken", "Broken files", count(len(data.broken)))),
        (data.fills, _Section("fill", "Fill suggestions", count(_suggested(data)))),
        (data.models, _Section("models", models)),
        (data.places, _Section("places", "Where labels are")),
        (data.accounts or data.left_out, _Section("outcome", "From import to now")),
        (data.audits, _Section("words", "Words")),
    )
    return [section for shown, section in all_of_them if shown]


def _flagged(data: ReportData) -> int:
    return sum(issues.n_flagged for issues in data.label_issues)


def _suggested(data: ReportData) -> int:
    return sum(fill.n_suggested for fill in data.fills)


def _sources(accounts: Mapping[str, LabelAccount]) -> dict[str, str]:
    """Return the sources of any label that holds, each with its words, the most frequent first."""
    totals: Counter[str] = Counter()
    for account in accounts.values():
        totals.update(account.by_source)
    return {source: SOURCES.get(source, source).capitalize() for source, _ in totals.most_common()}


def _found(data: ReportData) -> list[tuple[str, str]]:
    """Return what was found, each as a number with its noun and the words that follow.

    Label issues of which perhaps none is a wrong label are no finding.
    """
    copies, poor, broken = data.n_extra_copies, data.n_poor, len(data.broken)
    sure = [i for i in data.label_issues if i.wrong is None or not may_be_none(i.wrong)]
    flagged, more = sum(issues.n_flagged for issues in sure), _suggested(data)
    found = (
        (flagged, counted(flagged, "label looks wrong", "labels look wrong"), ""),
        (copies, counted(copies, "picture is a copy", "pictures are copies"), " of another"),
        (poor, counted(poor, "picture is poor", "pictures are poor"), ""),
        (broken, counted(broken, "file cannot be read", "files cannot be read"), ""),
        (more, counted(more, "missing label"), " can be filled in"),
    )
    return [(number, rest) for value, number, rest in found if value] + _perhaps_wrong(data)


def _perhaps_wrong(data: ReportData) -> list[tuple[str, str]]:
    """Return what is said of the labels of which perhaps none is wrong."""
    flagged = [issues for issues in data.label_issues if issues.n_flagged]
    doubtful = [i for i in flagged if i.wrong is not None and may_be_none(i.wrong)]
    if not doubtful:
        return []
    names = ", ".join(issues.taxonomy for issues in doubtful)
    whose = f" of {names}" if len(doubtful) < len(flagged) else ""
    n = sum(issues.n_flagged for issues in doubtful)
    which = f"{count(n)} most suspicious" if n > 1 else "most suspicious one"
    sure = all(i.wrong is not None and is_hardly_any(i.wrong) for i in doubtful)
    word = "probably" if sure else "perhaps"
    return [(f"{word} no label{whose}", f" is wrong (look at the {which})")]


def _tiles(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Return the figures of the summary: name, value, note, anchor."""
    formats = dict(data.facts).get("Formats", "")
    tiles = [("Images", count(data.n_images), formats, "")]
    if data.label_issues:
        known = [i.wrong for i in data.label_issues if i.wrong is not None]
        note = f"in {counted(len(data.label_issues), 'taxonomy', 'taxonomies')}"
        if len(known) == 1:
            note = f"about {count(known[0].value)} are wrong"
        if known and all(map(may_be_none, known)):
            note = "perhaps none is wrong"
        tiles.append(("Label issues", count(_flagged(data)), note, "label-issues"))
    if data.duplicates:
        note = counted(data.n_extra_copies, "extra copy", "extra copies")
        tiles.append(("Duplicate groups", count(data.n_groups), note, "duplicates"))
    if data.quality:
        poor = sum(kind.n_flagged for kind in data.quality)
        anchor = "quality" if poor else ""
        tiles.append(("Quality issues", count(poor), _worst_kind(data), anchor))
    if data.fills:
        more = count(_suggested(data))
        note = "suggested, not applied" if _suggested(data) else "none can be promised"
        tiles.append(("Labels to fill in", more, note, "fill"))
    if data.broken:
        tiles.append(("Broken files", count(len(data.broken)), "with the reason", "broken"))
    return tiles


def _worst_kind(data: ReportData) -> str:
    worst = max(data.quality, key=lambda kind: kind.n_flagged)
    if not worst.n_flagged:
        return "none found"
    mostly = "mostly " if len(data.quality) > 1 else ""
    return f"in {counted(data.n_poor, 'image')}, {mostly}{_named(worst)['name'].lower()}"


def _named(issues: QualityIssues) -> dict[str, Any]:
    name, meaning = QUALITY_NAMES.get(issues.kind, (issues.kind.replace("_", " "), ""))
    own = {"kind": issues.kind, "items": issues.items, "n_flagged": issues.n_flagged}
    return {"name": name, "meaning": meaning, **own}


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _imbalance(audit: TaxonomyAudit) -> str:
    some = [value for value in audit.counts.values() if value]
    return f"{count(max(some) / min(some))} : 1" if some else "–"


def _held_out(fill: Fill) -> str:
    if fill.measured is None:
        return ""
    bound = "" if math.isnan(fill.measured.low) else f", at least {percent(fill.measured.low, 1)}"
    return f"held out: {percent(fill.measured.value, 1)}{bound}"


def _measured(model: Model) -> dict[str, str]:
    """Return field and name of each measure that some class has."""
    names = {"precision": "Precision", "recall": "Recall", "f1": "F1", "f2": "F2"}
    names |= {"ap": "Average precision", "threshold": "Threshold"}
    return {
        field: name
        for field, name in names.items()
        if any(not math.isnan(getattr(row, field)) for row in model.classes)
    }


# --------------------------------------------------------------------------- charts


def _audit_charts(audit: TaxonomyAudit, added: Mapping[str, int]) -> list[Chart]:
    """Return the charts of a taxonomy: class counts, imbalance, labels an image, together."""
    drawn = [_class_counts(audit, added)] if audit.counts else []
    if len(audit.counts) > _MOST_BARS and any(audit.counts.values()):
        figure = charts.long_tail(list(audit.counts.values()), unit="images")
        said = f"Images of each class of {audit.name} by rank"
        drawn.append(Chart("Imbalance of the classes", charts.as_svg(figure, said), _half(audit)))
    if audit.kind == "multi" and len(audit.labels_per_image) > 1:
        figure = charts.histogram(
            audit.labels_per_image, x_label="labels an image", y_label="images"
        )
        said = f"How many labels of {audit.name} the images carry"
        none = audit.labels_per_image[0] / max(sum(audit.labels_per_image), 1)
        note = f"{percent(none)} of the images carry none."
        note = note if none else "Every image carries a label."
        drawn.append(Chart("Labels an image", charts.as_svg(figure, said), note))
    if len(audit.together_classes) > 1:
        drawn.append(_together(audit))
    return drawn


def _class_counts(audit: TaxonomyAudit, added: Mapping[str, int]) -> Chart:
    ranked = _ranked(audit.counts)
    labels, values = zip(*ranked[:_MOST_BARS], strict=True)
    figure = charts.bars(labels, values, [added.get(label, 0) for label in labels], unit="images")
    said = f"Images of each class of {audit.name}, most frequent first"
    note = ""
    if rest := [value for _, value in ranked[_MOST_BARS:]]:
        classes, total = count(len(rest)), count(sum(rest))
        note = f"{classes} further classes with {total} labels together are not drawn."
    return Chart("Images of each class", charts.as_svg(figure, said), note)


def _half(audit: TaxonomyAudit) -> str:
    values = sorted(audit.counts.values(), reverse=True)
    total, running = sum(values), 0
    for i, value in enumerate(values, 1):
        running += value
        if running >= total / 2:
            return f"Half of all labels belong to {count(i)} of {count(len(values))} classes."
    return ""


def _together(audit: TaxonomyAudit) -> Chart:
    table = [
        [value / audit.counts.get(row, 0) if audit.counts.get(row) else 0.0 for value in values]
        for row, values in zip(audit.together_classes, audit.together, strict=True)
    ]
    figure = charts.shares(audit.together_classes, table)
    said = f"Share of the images of one class of {audit.name} that carry another too"
    note = "Percent of the images with the row's class that also carry the column's."
    return Chart("Classes that occur together", charts.as_svg(figure, said), note)


def _gain_chart(issues: LabelIssues) -> Chart | None:
    """Return how many wrong labels one meets by reading on; None when it is not known."""
    if len(issues.gain) < 3 or not issues.n_flagged:
        return None
    wrong = issues.wrong or Interval(math.nan)
    bounds = (wrong.value, wrong.low, wrong.high)
    figure = charts.gain(issues.gain, total=bounds, depth=issues.depth)
    said = f"Wrong labels of {issues.taxonomy} met over the pictures read, worst first"
    note = "Expected; the band shows between which numbers the truth should lie."
    return Chart("How far to read", charts.as_svg(figure, said), note)


def _filling_rates(fills: Sequence[Fill]) -> Chart:
    figure = charts.before_and_after([(fill.taxonomy, fill.before, fill.after) for fill in fills])
    said = "Filling rate before and after the suggestions"
    return Chart("Filling rate", charts.as_svg(figure, said))


def _curve_chart(model: Model) -> Chart | None:
    """Return precision, recall and F1 of the first curve; a script offers the other classes."""
    if not model.curves:
        return None
    figure, axes = charts.threshold_curve(model.curves[0])
    said = f"Precision, recall and F1 over the threshold, {model.taxonomy}"
    return Chart("Threshold curve", charts.as_svg(figure, said, frame=axes))


def _class_charts(model: Model) -> list[Chart]:
    """Return precision against recall of each class, as far as both are known."""
    points = [
        (row.label, row.recall, row.precision, row.support)
        for row in model.classes
        if math.isfinite(row.recall) and math.isfinite(row.precision)
    ]
    if len(points) < 3:
        return []
    figure = charts.precision_and_recall(points)
    said = f"Precision and recall of each class of {model.taxonomy}"
    note = "One dot a class at its threshold; its area grows with the number of images."
    return [Chart("Precision and recall of the classes", charts.as_svg(figure, said), note)]
