"""The verbs that do the job: run, demo, index, quality, duplicates, learn, predict, …"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from vernis.cli.output import print_facts, print_json, print_table, say
from vernis.cli.progress import choose_progress
from vernis.cli.verbs import open_collection, print_rows, say_more, working
from vernis.domain.errors import UsageError
from vernis.report.wording import counted


def run(options: Namespace) -> int:
    """``vernis run PATH``."""
    from vernis.pipeline import check_inputs

    # Before a collection is made for it.
    check_inputs(Path(options.path), options.labels)
    with working(options, create_for=Path(options.path)) as collection:
        summary = collection.run(
            options.path,
            labels=options.labels,
            taxonomies=options.taxonomy,
            closed=options.closed,
            precision=options.precision,
            fill_precision=options.fill_precision,
            workers=options.workers,
            seed=options.seed,
            report=options.report,
        )
    print_run(summary)
    return 0


def print_run(summary: dict[str, Any]) -> None:
    """Print what a run found and what to do next."""
    print()
    print_facts(summary["facts"], title="Found")
    for note in summary["notes"]:
        say(f"note: {note}")
    print(f"\nReport: {summary['report']}")
    print("Next:   " + summary["next"])


def demo(options: Namespace) -> int:
    """``vernis demo``."""
    from vernis.demo import run_demo

    with choose_progress(options.quiet) as progress:
        summary = run_demo(
            Path(options.folder), seed=options.seed, workers=options.workers, progress=progress
        )
    if options.json:
        print_json(summary)
        return 0
    print_run(summary)
    print()
    print_table(
        summary["score"],
        ["planted", "count", "found", "missed", "false_alarms"],
        title="Planted against found",
    )
    for line in summary["score_notes"]:
        print(line)
    return 0


def status(options: Namespace) -> int:
    """``vernis status``."""
    with open_collection(options) as collection:
        document = collection.status()
    if options.json:
        print_json(document)
        return 0
    facts = {
        "collection": document["collection"],
        "folder of images": document["root"] or "none yet (vernis index PATH)",
        "images": document["images"]["present"],
        "unreadable": document["images"]["unreadable"],
        "vanished": document["images"]["vanished"],
        "in the trash": document["images"]["trashed"],
        "other files": [f"{n} {suffix}" for suffix, n in document["other_files"].items()],
        "labels by source": [f"{name} {n:,}" for name, n in document["labels"].items()],
        "open issues": [f"{name} {n:,}" for name, n in document["issues"].items()],
        "duplicate groups": document["duplicate_groups"],
        "spaces": [f"{s['name']} ({s['vectors']:,} x {s['dim']})" for s in document["spaces"]],
        "models": [f"{m['name']}@{m['version']}" for m in document["models"]],
    }
    print_facts(facts)
    if document["taxonomies"]:
        print_table(
            document["taxonomies"],
            ["name", "kind", "closed", "classes", "labelled", "filling_rate"],
            title="Taxonomies",
        )
    if document["failures"]:
        print_table(document["failures"][:20], ["image", "reason"], title="Unreadable")
        if len(document["failures"]) > 20:
            say(f"{len(document['failures']) - 20:,} more; --json shows them.")
    return 0


def report(options: Namespace) -> int:
    """``vernis report``."""
    with working(options) as collection:
        page = collection.report(options.out)
    print(page)
    return 0


def index(options: Namespace) -> int:
    """``vernis index [PATH…]``."""
    paths = [Path(path) for path in options.paths]
    folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"{missing[0]}: no such file or folder")
    # A list of files has no name to give: its collection is made where --collection says.
    named = Path(options.collection) if options.collection and paths else None
    with working(options, create_for=folder or named) as collection:
        summary = collection.index(folder, files=None if folder else paths or None)
        by_folder = collection.label_by_folders()
    facts = {name.replace("_", " "): count for name, count in summary.items()}
    print_facts(facts | {f"labelled by folder: {name}": n for name, n in by_folder.items()})
    return 0


def labels(options: Namespace) -> int:
    """``vernis labels CSV``."""
    with open_collection(options) as collection:
        summary = collection.import_labels(
            options.csv, taxonomies=options.taxonomy, closed=options.closed
        )
    for note in summary.pop("notes"):
        say(f"note: {note}")
    print_facts(summary)
    return 0


def quality(options: Namespace) -> int:
    """``vernis quality``."""
    with working(options) as collection:
        rows = collection.quality_rows(everything=options.all)
    print_rows(options, rows, ["image", "kind", "score", "verdict"], title="Quality issues")
    return 0


def duplicates(options: Namespace) -> int:
    """``vernis duplicates``."""
    with working(options) as collection:
        document = collection.duplicate_groups()
    if options.json:
        print_json(document)
        return 0
    groups = document["groups"]
    rows = [
        {
            "kind": group["kind"],
            "keep": group["keeper"],
            "because": group["reason"],
            "duplicates": [image for image in group["images"] if image != group["keeper"]],
            "how": sorted({pair["transform"] for pair in group["pairs"]}),
            "labels_disagree": list(group["conflicts"]),
        }
        for group in groups[: options.limit]
    ]
    print_table(
        rows,
        ["kind", "keep", "because", "duplicates", "how", "labels_disagree"],
        title=counted(len(groups), "duplicate group"),
    )
    if len(groups) > options.limit:
        say_more(len(groups) - options.limit)
    return 0


def learn(options: Namespace) -> int:
    """``vernis learn TAXONOMY``."""
    networks = {"n_estimators": options.estimators, "epochs": options.epochs}
    settings = {
        "head": {k: v for k, v in networks.items() if v is not None},
        "n_components": options.components,
        "objective": options.objective,
        "floor": options.floor,
        "seed": options.seed,
        "model": options.model,
    }
    with working(options) as collection:
        summary = collection.learn(
            options.taxonomy, **{k: v for k, v in settings.items() if v is not None}
        )
    if options.json:
        print_json(summary)
        return 0
    for note in summary.get("notes", []):
        say(f"note: {note}")
    print_facts(summary["facts"])
    print_table(
        summary["classes"],
        ["class", "n", "threshold", "precision", "recall", "f1", "f2", "ap"],
        title="Out-of-bag, per class",
    )
    return 0


def predict(options: Namespace) -> int:
    """``vernis predict MODEL IMAGE…``."""
    from vernis.assembly.prediction import predict_with_folder
    from vernis.collection import Collection, find_collection

    with choose_progress(options.quiet) as progress:
        if Path(options.model).is_dir():
            rows = predict_with_folder(Path(options.model), options.images, progress=progress)
        else:
            with Collection.open(options.collection or find_collection()) as collection:
                collection.progress = progress
                rows = collection.predict(options.model, options.images)
    if options.json:
        print_json(rows)
        return 0
    table = [
        {
            "image": row["image"],
            "labels": [f"{hit['label']} {hit['probability']:.2f}" for hit in row["labels"]],
            "problem": row.get("reason", ""),
        }
        for row in rows
    ]
    print_table(table, ["image", "labels", "problem"])
    return 0


def audit(options: Namespace) -> int:
    """``vernis audit [TAXONOMY]``."""
    with open_collection(options) as collection:
        documents = collection.audit(options.taxonomy)
    if options.json:
        print_json(documents)
        return 0
    for document in documents:
        plain = {k: v for k, v in document.items() if not isinstance(v, dict | list)}
        print_facts(plain, title=str(document["taxonomy"]))
        print_table(document["class_counts"], ["class", "count", "share"])
    return 0


def models(options: Namespace) -> int:
    """``vernis models [TAXONOMY]``."""
    with open_collection(options) as collection:
        rows = collection.models(options.taxonomy)
    print_rows(
        options, rows, ["name", "version", "taxonomy", "head", "micro_f1", "space", "created"]
    )
    return 0
