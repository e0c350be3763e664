"""The verbs with which a person decides: issues, accept, dismiss, fill, undo, trash, …"""

from __future__ import annotations

from argparse import Namespace

from vernis.cli.output import print_facts, print_json, print_table, say
from vernis.cli.verbs import open_collection, print_rows, say_more, working
from vernis.report.wording import counted


def issues(options: Namespace) -> int:
    """``vernis issues TAXONOMY``."""
    asked = {"scorer": options.scorer, "predictions": options.predictions}
    settings = {name: value for name, value in asked.items() if value is not None}
    with working(options) as collection:
        rows = collection.label_issue_rows(
            options.taxonomy, everything=options.all, sort=options.sort, **settings
        )
        summary = collection.label_issue_summary(options.taxonomy)
        current = [row["space"] for row in collection.explore.spaces() if row["current"]]
    judged_by = summary.get("space")
    if judged_by and judged_by not in current:
        say(
            f"note: judged by the vectors of {judged_by!r}; by those of the current space: "
            f"vernis issues {options.taxonomy} --predictions kernel"
        )
    if options.json:
        print_json(rows)
        return 0
    columns = ["image", "score", "kind", "given", "suggested", "probability", "verdict"]
    if options.sort == "several":
        columns.insert(2, "several")
    print_table(rows[: options.limit], columns, title=f"Label issues of {options.taxonomy}")
    if len(rows) > options.limit:
        say_more(len(rows) - options.limit)
    wrong = summary["wrong"]
    carry = "carries" if round(wrong["value"]) == 1 else "carry"
    worth = counted(summary["depth"], "is worth reading and holds", "are worth reading and hold")
    print(
        f"About {wrong['value']:,.0f} ({wrong['low']:,.0f}-{wrong['high']:,.0f}) of "
        f"{counted(summary['n_judged'], 'labelled image')} {carry} a wrong label; the first "
        f"{worth} about {summary['found']:,.0f} of them."
    )
    for note in summary["notes"]:
        say(f"note: {note}")
    return 0


def _decide(options: Namespace, verdict: str) -> int:
    with open_collection(options) as collection:
        result = collection.decide(
            options.what, options.images, verdict=verdict, worst=options.worst, who=options.who
        )
    print(
        f"{verdict} {counted(result['issues'], 'issue')}, "
        f"{counted(result['changes'], 'label')} changed "
        f"(batch {result['batch']}; vernis undo {result['batch']} takes it back)"
    )
    return 0


def accept(options: Namespace) -> int:
    """``vernis accept WHAT IMAGE…``."""
    return _decide(options, "accepted")


def dismiss(options: Namespace) -> int:
    """``vernis dismiss WHAT IMAGE…``."""
    return _decide(options, "dismissed")


def fill(options: Namespace) -> int:
    """``vernis fill TAXONOMY --precision P [--apply]``."""
    with working(options) as collection:
        document = collection.fill(
            options.taxonomy, precision=options.precision, apply=options.apply
        )
    if options.json:
        print_json(document)
        return 0
    rows = document["suggestions"]
    print_table(
        rows[: options.limit],
        ["image", "label", "probability"],
        title=f"{counted(len(rows), 'suggestion')} for {options.taxonomy}",
    )
    facts = {
        name.replace("_", " "): value
        for name, value in document["summary"].items()
        if value is not None and not isinstance(value, dict | list | tuple)
    }
    print_facts(facts)
    for note in document["summary"].get("notes", []):
        say(f"note: {note}")
    return 0


def history(options: Namespace) -> int:
    """``vernis history IMAGE``."""
    with open_collection(options) as collection:
        rows = collection.history_rows(options.image)
    columns = ["time", "batch", "verb", "source", "taxonomy", "label", "before", "after"]
    print_rows(options, rows, columns, title=f"History of {options.image}")
    return 0


def undo(options: Namespace) -> int:
    """``vernis undo [BATCH]``."""
    with open_collection(options) as collection:
        result = collection.undo(options.batch)
    print(
        f"took back batch {result['undoes']}: {counted(result['events'], 'change')} "
        f"(batch {result['id']}; vernis undo {result['id']} does it again)"
    )
    if result["skipped"]:
        one = "label was changed later and stays as it is"
        many = "labels were changed later and stay as they are"
        say(f"{counted(result['skipped'], one, many)}.")
    return 0


def batches(options: Namespace) -> int:
    """``vernis batches``."""
    with open_collection(options) as collection:
        rows = collection.batches(options.limit)
    print_rows(options, rows, ["id", "time", "verb", "source", "note", "events", "undone"])
    return 0


def trash(options: Namespace) -> int:
    """``vernis trash --duplicates``."""
    with open_collection(options) as collection:
        result = collection.trash_duplicates(kind=options.kind, dry_run=options.dry_run)
    for row in result["moved"]:
        print(f"{row['image']}  (kept: {row['keeper']})")
    for uri, reason in result["skipped"].items():
        say(f"not moved: {uri}: {reason}")
    verb = "would be moved" if options.dry_run else "moved"
    print(f"{counted(len(result['moved']), 'image')} {verb} to {result['trash']}")
    return 0


def restore(options: Namespace) -> int:
    """``vernis restore [IMAGE…]``."""
    with open_collection(options) as collection:
        result = collection.restore(options.images)
    for uri, reason in result["skipped"].items():
        say(f"not moved back: {uri}: {reason}")
    print(f"{counted(len(result['restored']), 'image')} moved back")
    return 0
