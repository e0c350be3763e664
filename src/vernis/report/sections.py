"""The sections of the report as HTML: what stands still. Long lists are drawn by the script."""

from __future__ import annotations

from collections.abc import Sequence

from vernis.report.charts import gain_figure
from vernis.report.markup import Content, Markup, join, tag
from vernis.report.measures import audit_section, fill_section, models_section
from vernis.report.model import Action, LabelIssues, ReportData
from vernis.report.parts import (
    Section,
    column,
    command,
    fact_list,
    note_box,
    paged_list,
    section,
    sortable_table,
    table,
    tile,
    tile_row,
)
from vernis.report.wording import between, count, counted, percent, sentence, size

QUALITY_NAMES = {
    "blurry": ("Blurry", "edges are softer than in the rest of the collection"),
    "dark": ("Dark", "most pixels are near black"),
    "overexposed": ("Overexposed", "most pixels are near white"),
    "low_information": ("Low information", "hardly any detail: an empty or flat picture"),
    "odd_aspect_ratio": ("Odd aspect ratio", "much wider or taller than the rest"),
    "odd_size": ("Odd size", "far smaller or larger than the rest"),
    "greyscale": ("Greyscale", "without colour in a collection that has it"),
    "uniform_border": ("Uniform border", "a plain frame that could be cropped"),
}


def all_sections(data: ReportData) -> list[Section]:
    """Return the sections that have something to show, in the order of reading."""
    sections = [_summary(data)]
    if data.audits:
        sections.append(audit_section(data.audits, data.fills))
    if data.label_issues:
        sections.append(_label_issues(data.label_issues))
    if data.duplicates:
        sections.append(_duplicates(data))
    if any(kind.n_flagged for kind in data.quality):
        sections.append(_quality(data))
    if data.broken:
        sections.append(_broken(data))
    if data.fills:
        sections.append(fill_section(data.fills))
    if data.models:
        sections.append(models_section(data.models))
    return sections


# --------------------------------------------------------------------------- summary


def _summary(data: ReportData) -> Section:
    tiles = [tile("Images", count(data.n_images), _formats(data))]
    flagged = sum(issues.n_flagged for issues in data.label_issues)
    if data.label_issues:
        tiles.append(tile("Label issues", count(flagged), _wrong(data), "label-issues"))
    if data.duplicates:
        note = f"{counted(data.n_extra_copies, 'extra copy', 'extra copies')}"
        tiles.append(tile("Duplicate groups", count(data.n_groups), note, "duplicates"))
    poor = sum(kind.n_flagged for kind in data.quality)
    if data.quality:
        tiles.append(tile("Quality issues", count(poor), _kinds(data), "quality" if poor else ""))
    if data.fills:
        more = sum(fill.n_suggested for fill in data.fills)
        tiles.append(tile("Labels to fill in", count(more), "suggested, not applied", "fill"))
    if data.broken:
        tiles.append(tile("Broken files", count(len(data.broken)), "with the reason", "broken"))
    html = tag(
        "section",
        tag("p", data.created, class_="overline"),
        tag("h1", tag("bdi", data.title), id="summary-title"),
        tag("p", _headline(data), class_="headline"),
        tile_row(tiles),
        _actions(data.actions),
        fact_list(data.facts),
        id="summary",
        aria_labelledby="summary-title",
        tabindex="-1",
        class_="section summary",
    )
    return Section("summary", "Summary", "", html)


def _headline(data: ReportData) -> Markup:
    found: list[Markup] = []
    flagged = sum(issues.n_flagged for issues in data.label_issues)
    if flagged:
        found.append(tag("strong", counted(flagged, "label looks wrong", "labels look wrong")))
    if data.n_extra_copies:
        extra = counted(data.n_extra_copies, "picture is a copy", "pictures are copies")
        found.append(join(tag("strong", extra), " of another"))
    if data.n_poor:
        found.append(tag("strong", counted(data.n_poor, "picture is poor", "pictures are poor")))
    if data.broken:
        unread = counted(len(data.broken), "file cannot be read", "files cannot be read")
        found.append(tag("strong", unread))
    more = sum(fill.n_suggested for fill in data.fills)
    if more:
        text = counted(more, "missing label", "missing labels")
        found.append(join(tag("strong", text), " can be filled in"))
    if not found:
        return join("Nothing suspicious was found in ", counted(data.n_images, "image"), ".")
    listed: list[Content] = []
    for i, part in enumerate(found):
        listed.append("" if i == 0 else " and " if i == len(found) - 1 else ", ")
        listed.append(part)
    return join("Of ", tag("strong", counted(data.n_images, "image")), ": ", listed, ".")


def _formats(data: ReportData) -> str:
    return dict(data.facts).get("Formats", "")


def _wrong(data: ReportData) -> str:
    known = [i.wrong for i in data.label_issues if i.wrong is not None]
    if len(known) == 1:
        return f"about {count(known[0].value)} are wrong"
    return f"in {counted(len(data.label_issues), 'taxonomy', 'taxonomies')}"


def _kinds(data: ReportData) -> str:
    worst = max(data.quality, key=lambda kind: kind.n_flagged)
    if not worst.n_flagged:
        return "none found"
    name = QUALITY_NAMES.get(worst.kind, (worst.kind.replace("_", " "), ""))[0].lower()
    images = counted(data.n_poor, "image")
    return f"in {images}, {'mostly ' if len(data.quality) > 1 else ''}{name}"


def _actions(actions: Sequence[Action]) -> Markup | None:
    if not actions:
        return None
    return tag(
        "div",
        tag("h2", "What to do first"),
        tag(
            "ol",
            [
                tag(
                    "li",
                    tag(
                        "div",
                        tag(
                            "h3", tag("a", a.title, href=f"#{a.section}") if a.section else a.title
                        ),
                        tag("p", a.why),
                        class_="step-text",
                    ),
                    command(a.command),
                )
                for a in actions
            ],
            class_="steps",
        ),
        class_="todo",
    )


# --------------------------------------------------------------------------- lists


def _estimate_card(issues: LabelIssues) -> Markup:
    """Return how many labels are wrong and how far to read."""
    lines = [tag("p", tag("strong", count(issues.n_flagged)), " suspected")]
    if issues.n_labelled:
        of = f" suspected of {counted(issues.n_labelled, 'labelled image')}"
        lines = [tag("p", tag("strong", count(issues.n_flagged)), of)]
    if issues.wrong is not None:
        bounds = between(issues.wrong)
        about = counted(round(issues.wrong.value), "image carries", "images carry")
        how_sure = f" ({bounds} with 95% confidence)." if bounds else "."
        lines.append(tag("p", tag("strong", f"About {about}"), " a wrong label", how_sure))
    if issues.depth:
        first = tag("strong", counted(issues.depth, "picture"))
        lines.append(tag("p", "Worth reading: the first ", first, "."))
    if issues.n_flagged > len(issues.items):
        shown, all_of_them = count(len(issues.items)), count(issues.n_flagged)
        lines.append(
            tag("p", f"The {shown} worst of {all_of_them} are shown; the command line lists all.")
        )
    notes = [*issues.notes, f"Ranked by {issues.scorer.replace('_', ' ')}" if issues.scorer else ""]
    return tag(
        "div",
        tag(
            "div",
            tag("h3", tag("bdi", issues.taxonomy)),
            lines,
            [tag("p", sentence(note), class_="muted") for note in notes if note],
        ),
        gain_figure(issues),
        class_="card summary-card",
    )


def _label_issues(all_issues: Sequence[LabelIssues]) -> Section:
    cards = [_estimate_card(issues) for issues in all_issues]
    lead = join(
        "Worst first. ",
        tag("span", "given", class_="chip given"),
        " is what the collection says, ",
        tag("span", "suggested", class_="chip suggested"),
        " what the pictures say; the nearest pictures beside are the evidence. Mark what is right "
        "or wrong, then copy the commands below.",
    )
    total = sum(issues.n_flagged for issues in all_issues)
    return section(
        "label-issues",
        "Label issues",
        count(total),
        lead,
        tag("div", cards, class_="cards"),
        paged_list("issues", "issue-list"),
    )


def _duplicates(data: ReportData) -> Section:
    shown = len(data.duplicates)
    lead = (
        "Every picture of a group shows the same thing as every other. The keeper is marked; the "
        "rest can go to the trash folder, from which they can be restored."
    )
    more = (
        [f"The first {count(shown)} of {count(data.n_groups)} groups are shown."]
        if data.n_groups > shown
        else []
    )
    return section(
        "duplicates",
        "Duplicates",
        count(data.n_groups),
        lead,
        note_box(more),
        paged_list("duplicates", "group-list"),
    )


def _quality(data: ReportData) -> Section:
    lead = "Pictures that are hard to use, worst first. The score runs from 0 (bad) to 1 (good)."
    cut = [
        f"{QUALITY_NAMES.get(k.kind, (k.kind, ''))[0]}: the {count(len(k.items))} worst of "
        f"{count(k.n_flagged)} are shown."
        for k in data.quality
        if k.n_flagged > len(k.items)
    ]
    rows = [
        tag(
            "tr",
            tag("th", QUALITY_NAMES.get(k.kind, (k.kind.replace("_", " "), ""))[0], scope="row"),
            tag("td", QUALITY_NAMES.get(k.kind, ("", ""))[1], class_="muted"),
            tag("td", count(k.n_flagged), class_="number"),
            tag("td", percent(k.n_flagged / max(data.n_images, 1), 1), class_="number"),
        )
        for k in data.quality
    ]
    names = ("Pictures", "Of all")
    heads = [column("Kind"), column("Meaning"), *(column(name, "number") for name in names)]
    total = sum(kind.n_flagged for kind in data.quality)
    kinds = table("Kinds of quality issues", heads, rows)
    pictures = paged_list("quality", "tile-list")
    return section("quality", "Quality", count(total), lead, kinds, note_box(cut), pictures)


def _broken(data: ReportData) -> Section:
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", file.uri), scope="row", class_="path"),
            tag("td", file.reason),
            tag("td", size(file.size), class_="number", data_value=file.size),
        )
        for file in data.broken
    ]
    heads = [column("File"), column("Reason"), column("Size", "number")]
    wrap = sortable_table("Broken files", heads, rows)
    lead = "These files are listed and kept, but they cannot be read as pictures."
    return section("broken", "Broken files", count(len(data.broken)), lead, wrap)
