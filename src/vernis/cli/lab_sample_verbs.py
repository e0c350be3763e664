"""``vernis lab sample`` and ``vernis lab truth``: a random sample that a person judges."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from vernis.cli.output import print_facts, print_json, print_table, say
from vernis.cli.verbs import add_verb, open_collection, working
from vernis.report.wording import counted


def add_lab_verbs(verbs: Any) -> None:
    """Add the verbs to those of the lab."""
    draw = add_verb(
        verbs, "sample", sample, "draw a random sample for a person to judge", table=True
    )
    draw.add_argument("taxonomy", metavar="TAXONOMY")
    draw.add_argument("--n", type=int, default=300, metavar="N", help="images (default 300)")
    draw.add_argument("--out", metavar="DIR", help="a new folder (default: sample-TAXONOMY)")
    draw.add_argument("--seed", type=int, default=0)
    found = add_verb(
        verbs,
        "truth",
        truth,
        "record a judged sample; compare given, cleaned and predicted labels with it",
        table=True,
    )
    found.add_argument("folder", metavar="DIR", help="the folder of the sample")
    found.add_argument(
        "--file", metavar="CSV", help="default: truth.csv in the folder, else its sample.csv"
    )
    found.add_argument("--who", default="", help="your name (default: the login name)")


def sample(options: Namespace) -> int:
    """``vernis lab sample TAXONOMY``."""
    with working(options) as collection:
        result = collection.lab.sample(
            options.taxonomy, size=options.n, out=options.out, seed=options.seed
        )
    if options.json:
        print_json(result)
        return 0
    print(f"{counted(result['images'], 'image')} to judge, on the page {result['page']}")
    print(f"or in the column 'truth' of {result['sheet']}.")
    print(f"Next:   vernis lab truth {result['folder']}")
    return 0


def truth(options: Namespace) -> int:
    """``vernis lab truth DIR``."""
    with open_collection(options) as collection:
        result = collection.lab.truth(options.folder, file=options.file, who=options.who)
    if options.json:
        print_json(result)
        return 0
    print_facts(
        {
            "taxonomy": result["taxonomy"],
            "judged": f"{result['judged']:,} of {result['sample']:,}",
            "collection": counted(result["population"], "image"),
        }
    )
    rows = measure_rows(result["measures"])
    print_table(rows, list(rows[0]), title="Against the truth (micro averages, interval of 95 %)")
    changes = [
        {
            "cleaning has": name.replace("_", " "),
            "images in the sample": row["sample"],
            "in the collection": _interval(row, ",.0f"),
        }
        for name, row in result["changes"].items()
    ]
    print_table(changes, list(changes[0]), title="What cleaning does (interval of 95 %)")
    for note in result["notes"]:
        say(f"note: {note}")
    if result["batch"]:
        print(f"Recorded as your labels (vernis undo {result['batch']} takes it back).")
    else:
        print("Nothing new to record: these judgements are your labels already.")
    return 0


def measure_rows(measures: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return a row a measure and a column for each kind of labels, which fits 80 characters."""
    shown = {name: _by_measure(found) for name, found in measures.items()}
    return [
        {"measure": measure, **{name: _interval(found[measure]) for name, found in shown.items()}}
        for measure in next(iter(shown.values()))
    ]


def _by_measure(found: Mapping[str, Any]) -> dict[str, Mapping[str, float | None]]:
    shares = {name: found[name] for name in ("coverage", "accuracy")}
    return {**shares, **found["micro"], "macro f1": found["macro"]["f1"]}


def _interval(share: Mapping[str, float | None], form: str = ".3f") -> str:
    """Return a figure with its interval, alone where it is known exactly."""
    value, low, high = (share[key] for key in ("value", "low", "high"))
    if value is None or value != value or low is None or high is None:
        return "–"
    if low == high:
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}}–{high:{form}})"
