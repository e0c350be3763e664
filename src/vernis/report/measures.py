"""The sections with measures: audit, fill suggestions, models."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vernis.report.charts import audit_figures, curve_figure, fill_figures, model_figures
from vernis.report.markup import Content, Markup, tag
from vernis.report.model import Fill, Model, TaxonomyAudit
from vernis.report.parts import (
    Section,
    column,
    fact_list,
    meter,
    note_box,
    paged_list,
    section,
    sortable_table,
    table,
    tile,
    tile_row,
)
from vernis.report.wording import count, counted, decimal, percent

_MOST_ROWS = 1000  # of a table of classes; free keywords can be many thousands


def audit_section(audits: Sequence[TaxonomyAudit], fills: Sequence[Fill]) -> Section:
    """Return the state of every taxonomy: one table, then the plots of each."""
    rows = []
    for audit in audits:
        values = sorted(audit.counts.values(), reverse=True)
        some = [v for v in values if v]
        ratio = f"{count(some[0] / some[-1])} : 1" if some else "–"
        each = sum(values) / audit.n_labelled if audit.n_labelled else math.nan
        rows.append(
            tag(
                "tr",
                tag("th", tag("a", audit.name, href=f"#audit-{audits.index(audit)}"), scope="row"),
                tag("td", "one label" if audit.kind == "single" else "several labels"),
                tag("td", count(len(audit.counts)), class_="number"),
                tag("td", count(audit.n_labelled), class_="number"),
                tag("td", meter(audit.filling_rate, percent(audit.filling_rate)), class_="number"),
                tag("td", decimal(each), class_="number"),
                tag("td", ratio, class_="number"),
            )
        )
    measures = ("Classes", "Labelled images", "Filling rate", "Labels an image", "Imbalance")
    heads = [column("Taxonomy"), column("Kind"), *(column(name, "number") for name in measures)]
    blocks: list[Content] = [table("Taxonomies", heads, rows)]
    known = {fill.taxonomy: fill for fill in fills}
    articles = [_audit_article(i, audit, known.get(audit.name)) for i, audit in enumerate(audits)]
    blocks.append(tag("div", articles, class_="blocks"))
    lead = (
        "How full and how even the labels are. Imbalance is the most frequent class against the "
        "rarest one that occurs."
    )
    return section("audit", "Audit", counted(len(audits), "taxonomy", "taxonomies"), lead, blocks)


def _audit_article(i: int, audit: TaxonomyAudit, fill: Fill | None) -> Markup:
    drawn = audit_figures(audit, fill)
    return tag(
        "article",
        tag("h3", tag("bdi", audit.name)),
        fact_list(audit.facts),
        tag("div", drawn, class_="figures"),
        _count_table(audit, fill),
        _pair_table(audit),
        id=f"audit-{i}",
        class_="block wide" if len(drawn) > 1 else "block",
    )


def _count_table(audit: TaxonomyAudit, fill: Fill | None) -> Markup | None:
    """Return the numbers behind the bars, of every class."""
    if not audit.counts:
        return None
    added = {c.label: c.n_suggested for c in fill.classes} if fill else {}
    ordered = sorted(audit.counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", label), scope="row"),
            tag("td", count(value), class_="number", data_value=value),
            tag(
                "td", percent(value / max(audit.n_images, 1), 1), class_="number", data_value=value
            ),
            tag("td", count(added.get(label, 0)), class_="number", data_value=added.get(label, 0)),
        )
        for label, value in ordered[:_MOST_ROWS]
    ]
    names = ("Images", "Of all images", "Suggested")
    heads = [column("Class"), *(column(name, "number") for name in names)]
    text = "All classes as a table"
    if len(ordered) > _MOST_ROWS:
        text = f"The {count(_MOST_ROWS)} most frequent of {count(len(ordered))} classes as a table"
    return tag(
        "details",
        tag("summary", text),
        sortable_table(f"Images of each class of {audit.name}", heads, rows),
    )


def _pair_table(audit: TaxonomyAudit) -> Markup | None:
    """Return the classes that overlap most: candidates for merging, or for a rule."""
    if not audit.pairs:
        return None
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", pair.first), scope="row"),
            tag("td", tag("bdi", pair.second)),
            tag("td", count(pair.images), class_="number", data_value=pair.images),
            tag("td", f"{decimal(pair.lift, 1)} ×", class_="number", data_value=pair.lift),
        )
        for pair in audit.pairs
    ]
    names = ("Images with both", "Against chance")
    heads = [column("Class"), column("With"), *(column(name, "number") for name in names)]
    return tag(
        "details",
        tag("summary", "Classes that overlap most"),
        sortable_table(f"Classes of {audit.name} that overlap most", heads, rows),
    )


def fill_section(fills: Sequence[Fill]) -> Section:
    """Return the fill suggestions: rates before and after, by class, then the pictures."""
    blocks = []
    for fill in fills:
        rows = [
            tag(
                "tr",
                tag("th", tag("bdi", c.label), scope="row"),
                tag("td", count(c.n_before), class_="number", data_value=c.n_before),
                tag("td", f"+{count(c.n_suggested)}", class_="number", data_value=c.n_suggested),
                tag("td", decimal(c.threshold), class_="number"),
                tag("td", percent(c.precision, 1), class_="number", data_value=c.precision),
            )
            for c in fill.classes
        ]
        names = ("Labelled now", "Suggested", "Threshold", "Lower bound of the class")
        heads = [column("Class"), *(column(name, "number") for name in names)]
        tiles = [
            tile("Filling rate", f"{percent(fill.before)} → {percent(fill.after)}"),
            tile("Suggested labels", count(fill.n_suggested)),
            tile("Left unknown", count(fill.n_withheld), "cannot be promised"),
            tile("Precision promised", percent(fill.precision), _held_out(fill)),
        ]
        blocks.append(
            tag(
                "article",
                tag("h3", tag("bdi", fill.taxonomy)),
                tile_row(tiles),
                note_box(fill.notes),
                sortable_table(f"Fill suggestions of {fill.taxonomy} by class", heads, rows)
                if fill.n_suggested
                else None,
                class_="block",
            )
        )
    lead = (
        "Labels for images without one. The precision is promised for all suggestions of a "
        "taxonomy together; a class by itself has a wider bound. Nothing is written "
        "until you apply it, and one undo takes it back. The pictures below begin with the least "
        "sure; beside each stand labelled pictures that are like it."
    )
    total = sum(fill.n_suggested for fill in fills)
    figures = tag("div", fill_figures(fills), class_="figures")
    return section(
        "fill",
        "Fill suggestions",
        count(total),
        lead,
        figures,
        blocks,
        paged_list("fill", "tile-list"),
    )


def _held_out(fill: Fill) -> str:
    if fill.measured is None:
        return ""
    bound = "" if math.isnan(fill.measured.low) else f", at least {percent(fill.measured.low, 1)}"
    return f"held out: {percent(fill.measured.value, 1)}{bound}"


def models_section(models: Sequence[Model]) -> Section:
    """Return the measures of every model, with threshold curves and a table of its classes."""
    blocks = []
    for i, model in enumerate(models):
        tiles = [
            tile(
                name,
                decimal(v.value, 3),
                "" if math.isnan(v.low) else f"{decimal(v.low, 3)} to {decimal(v.high, 3)}",
            )
            for name, v in model.averages.items()
        ]
        figures = [curve_figure(model, i), *model_figures(model)]
        blocks.append(
            tag(
                "article",
                tag(
                    "h3",
                    tag("bdi", model.taxonomy),
                    " ",
                    tag("span", model.name, class_="muted mono"),
                ),
                tile_row(tiles) if tiles else None,
                note_box(model.notes),
                tag("div", [f for f in figures if f], class_="figures"),
                _class_table(model) if model.classes else None,
                fact_list(model.settings),
                class_="block",
            )
        )
    lead = (
        "Measured on each image without its own label (out of bag), against the "
        "labels as given: wrong labels make these figures look worse than the model is."
    )
    name = "Model" if len(models) == 1 else "Models"
    return section("models", name, "", lead, blocks)


def _class_table(model: Model) -> Markup:
    """Return the measures of each class; a measure that no class has is left out."""
    names = ("precision", "recall", "f1", "f2", "ap", "threshold")
    shown = [n for n in names if any(not math.isnan(getattr(c, n)) for c in model.classes)]
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", c.label), tag("small", c.note) if c.note else None, scope="row"),
            tag("td", count(c.support), class_="number", data_value=c.support),
            [_measure_cell(name, getattr(c, name)) for name in shown],
        )
        for c in model.classes
    ]
    written = {"f1": "F1", "f2": "F2", "ap": "Average precision"}
    columns = ["Images", *(written.get(name, name.capitalize()) for name in shown)]
    heads = [column("Class"), *(column(name, "number") for name in columns)]
    return sortable_table(f"Measures of {model.taxonomy} by class", heads, rows)


def _measure_cell(name: str, value: float) -> Markup:
    shown = decimal(value) if name == "threshold" else meter(value, decimal(value))
    return tag("td", shown, class_="number", data_value=value)
