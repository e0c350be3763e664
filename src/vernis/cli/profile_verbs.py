"""``vernis profile``: what the classes of a taxonomy have in common and what sets each apart."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from vernis.cli.output import print_json, print_table, say
from vernis.cli.verbs import add_verb, open_collection, say_more
from vernis.report.wording import counted


def add_verbs(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(
        verbs, "profile", profile, "what is special to each class of a taxonomy", table=True
    )
    verb.add_argument("taxonomy", metavar="TAXONOMY")
    verb.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="OTHER",
        help="compare the labels of this taxonomy (repeatable; default: all)",
    )
    verb.add_argument("--class", dest="only", default="", metavar="NAME", help="one class alone")
    verb.add_argument(
        "--to", metavar="OTHER", help="draw the flows to this taxonomy as a Sankey diagram"
    )
    verb.add_argument(
        "--min-flow",
        type=int,
        default=5,
        metavar="N",
        help="flows of fewer images are added up as 'other' (default 5)",
    )
    verb.add_argument(
        "--max-nodes", type=int, default=30, metavar="N", help="labels of a side (default 30)"
    )
    verb.add_argument(
        "--out", metavar="DIR", help="write figures and tables there (default: profile-TAXONOMY)"
    )
    verb.add_argument("--limit", type=int, default=30, help="rows of the table (default 30)")


def profile(options: Namespace) -> int:
    """``vernis profile TAXONOMY``."""
    from vernis.workflows.explore.profile import file_name

    out = options.out or (None if options.json else f"profile-{file_name(options.taxonomy)}")
    with open_collection(options) as collection:
        vocabularies = collection.explore.vocabularies
        if options.to:
            document = vocabularies.flows(
                options.taxonomy,
                options.to,
                min_flow=options.min_flow,
                max_nodes=options.max_nodes,
                out=out,
            )
        else:
            document = vocabularies.profile(
                options.taxonomy, by=options.by, only=options.only, out=out
            )
    if options.json:
        print_json(document)
        return 0
    if options.to:
        _print_flows(options, document)
    else:
        _print_profile(options, document)
    for path in document["files"]:
        print(f"  {path}")
    return 0


def _print_profile(options: Namespace, document: dict[str, Any]) -> None:
    if not options.only:
        rows = [row | {"share": f"{row['share']:.1%}"} for row in document["classes"]]
        print_table(
            rows[: options.limit],
            ["class", "count", "share"],
            title=f"{options.taxonomy}: {counted(document['labelled'], 'labelled image')}",
        )
        if len(rows) > options.limit:
            say_more(len(rows) - options.limit)
    special = _shown_special(document["special"], options)
    if not special:
        print("no label of another taxonomy is surely more or less frequent in a class")
        return
    title = "What is special: lift = share in the class / share in all labelled images (95 %)"
    columns = ["label", "images", "share", "in all", "lift", "interval"]
    if not options.only:
        columns.insert(0, "class")
    if len(document["by"]) > 1:
        columns.insert(columns.index("label"), "taxonomy")
    print_table(special[: options.limit], columns, title=title)
    if len(document["special"]) > min(len(special), options.limit):
        say(f"{len(document['special']):,} in all: --class NAME, --limit or --json shows them.")


def _shown_special(rows: list[dict[str, Any]], options: Namespace) -> list[dict[str, Any]]:
    """Return the rows as text; of all classes together only the surest three of each."""
    shown: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for row in rows:
        taken[row["class"]] = taken.get(row["class"], 0) + 1
        if options.only or (taken[row["class"]] <= 3 and row["low"] > 1):
            shown.append(
                row
                | {
                    "images": f"{row['images']:,} of {row['of']:,}",
                    "share": f"{row['share']:.1%}",
                    "in all": f"{row['whole_share']:.1%}",
                    "lift": f"{row['lift']:.2f}",
                    "interval": f"{row['low']:.2f}-{row['high']:.2f}",
                }
            )
    return shown


def _print_flows(options: Namespace, document: dict[str, Any]) -> None:
    rows = [row | {"share": f"{row['share']:.1%}"} for row in document["flows"]]
    print_table(
        rows[: options.limit],
        ["from", "to", "images", "share", "lift"],
        title=f"From {document['from']} to {document['to']}",
    )
    if len(rows) > options.limit:
        say_more(len(rows) - options.limit)
    print(document["note"])
