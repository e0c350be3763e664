"""``vernis vocabulary``: the long tail of a taxonomy, pruned and merged."""

from __future__ import annotations

import argparse
import math
from argparse import Namespace
from pathlib import Path
from typing import Any

from vernis.cli.output import print_facts, print_json, print_table, say
from vernis.cli.verbs import add_verb, open_collection, say_more, working
from vernis.report.wording import counted

_ACCEPTED_FROM = 0.9
_LISTED_FROM = 0.5


def add_verbs(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = add_verb(
        verbs,
        "vocabulary",
        vocabulary,
        "study, prune and merge the labels of a taxonomy",
        table=True,
    )
    verb.add_argument("taxonomy", metavar="TAXONOMY")
    verb.add_argument("--min-count", type=int, metavar="N", help="labels on N images or more stay")
    verb.add_argument("--keep", type=int, metavar="N", help="the N most frequent labels stay")
    verb.add_argument("--only", metavar="FILE", help="the labels listed in FILE stay, one a line")
    verb.add_argument(
        "--drop", action="append", default=[], metavar="A,B", help="these labels go (repeatable)"
    )
    verb.add_argument(
        "--apply",
        action="store_true",
        help="write the labels that stay as a new taxonomy, as one batch",
    )
    verb.add_argument(
        "--into", default="", metavar="NAME", help="the new taxonomy (default: TAXONOMY@pruned)"
    )
    verb.add_argument(
        "--plot", metavar="FILE", help=".png or .svg (default: vocabulary-TAXONOMY.png)"
    )
    verb.add_argument(
        "--merges", action="store_true", help="propose labels that mean the same to be merged"
    )
    verb.add_argument(
        "--min-score",
        type=_unit,
        metavar="S",
        help=f"of a merge (default: listed from {_LISTED_FROM}, accepted from {_ACCEPTED_FROM})",
    )
    verb.add_argument(
        "--language",
        action="append",
        choices=["en", "de"],
        help="whose plural rules hold (repeatable; default en)",
    )
    for name, what in (
        ("accept", "move the images of label A to label B"),
        ("dismiss", "A and B are different things: do not propose it again"),
        ("reopen", "take a dismissal back"),
    ):
        verb.add_argument(
            f"--{name}-merge",
            action="append",
            default=[],
            type=_pair,
            metavar='"A>B"',
            help=f"{what} (repeatable)",
        )
    verb.add_argument("--accept-all", action="store_true", help="accept every merge proposed")
    verb.add_argument("--limit", type=int, default=40, help="rows of the table (default 40)")


def _unit(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdigit() else math.nan
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def _pair(text: str) -> tuple[str, str]:
    label, arrow, into = (part.strip() for part in text.partition(">"))
    if not (label and arrow and into):
        raise argparse.ArgumentTypeError(f'expected "A>B", got {text!r}')
    return label, into


def vocabulary(options: Namespace) -> int:
    """``vernis vocabulary TAXONOMY``."""
    if options.accept_merge or options.accept_all:
        return _accept(options)
    if options.dismiss_merge or options.reopen_merge:
        return _dismiss(options)
    return _list_merges(options) if options.merges else _study(options)


# --------------------------------------------------------------------------- frequencies


def _study(options: Namespace) -> int:
    asked = {
        "min_count": options.min_count,
        "keep": options.keep,
        "only": None if options.only is None else read_labels(options.only),
        "drop": options.drop,
    }
    with open_collection(options) as collection:
        if options.apply:
            return _print_pruned(
                options,
                collection.explore.vocabularies.prune(options.taxonomy, into=options.into, **asked),
            )
        plot = options.plot or (None if options.json else _plot_name(options.taxonomy))
        document = collection.explore.vocabularies.study(options.taxonomy, plot=plot, **asked)
    if options.json:
        print_json(document)
        return 0
    rows = [
        {
            "min_count": row["min_count"],
            "labels": row["labels"],
            "images": row["images"],
            "of_images": f"{row['image_share']:.1%}",
            "label_assignments": row["assignments"],
            "of_assignments": f"{row['assignment_share']:.1%}",
        }
        for row in document["table"]
    ]
    print_table(rows, list(rows[0]), title=f"Vocabulary of {options.taxonomy}")
    kept = document["kept"]
    if any(value for value in asked.values()):
        dropped = counted(document["labels"] - kept["labels"], "goes", "go")
        print(
            f"{counted(kept['labels'], 'label')} would stay (the rarest on "
            f"{counted(kept['min_count'], 'image')}), {dropped}; {kept['lost_images']:,} of "
            f"{counted(document['images'], 'labelled image')} would carry none of them."
        )
        print("Next: the same with --apply writes them as a taxonomy of their own.")
    print(f"Figure: {document['plot']}")
    return 0


def _plot_name(taxonomy: str) -> str:
    plain = "".join(c if c.isalnum() or c in "-_@." else "-" for c in taxonomy)
    return f"vocabulary-{plain}.png"


def _print_pruned(options: Namespace, result: dict[str, Any]) -> int:
    if options.json:
        print_json(result)
        return 0
    print(
        f"the taxonomy '{result['taxonomy']}' holds {counted(result['labels'], 'label')} on "
        f"{counted(result['images'], 'image')}; '{options.taxonomy}' is left as it is"
    )
    if result["without_labels"]:
        one, many = "class of an earlier pruning is", "classes of an earlier pruning are"
        say(f"note: {counted(result['without_labels'], one, many)} empty now")
    _print_batch(result["batch"])
    return 0


def _print_batch(batch: int) -> None:
    if batch:
        print(f"(batch {batch}; vernis undo {batch} takes it back)")
    else:
        print("(nothing changed)")


# --------------------------------------------------------------------------- merges


def _list_merges(options: Namespace) -> int:
    with working(options) as collection:
        document = collection.explore.vocabularies.merges(
            options.taxonomy,
            min_score=_LISTED_FROM if options.min_score is None else options.min_score,
            languages=options.language or ("en",),
        )
    if options.json:
        print_json(document)
        return 0
    shown = [
        {
            "merge": f"{row['label']} > {row['into']}",
            "kind": row["kind"],
            "score": row["score"],
            "images": f"{row['count']:,} > {row['into_count']:,}",
            "slips": row["slips"],
            "together": row["together"],
            "context": row["context"],
            "visual": row["visual"],
            "nearest": row["nearest"],
            "mixing": row["mixing"],
        }
        for row in document["merges"]
    ]
    if not shown:
        print(f"no labels of {options.taxonomy} look alike enough to be merged")
        return 0
    print_table(
        shown[: options.limit],
        list(shown[0]),
        title=f"{counted(len(shown), 'merge')} for {document['taxonomy']}",
    )
    if len(shown) > options.limit:
        say_more(len(shown) - options.limit)
    if document["space"] is None:
        say("note: not embedded yet, so pictures say nothing; vernis embed")
    first = document["merges"][0]
    print(
        f'Next: --accept-merge "{first["label"]}>{first["into"]}", --accept-all '
        f"[--min-score {_ACCEPTED_FROM}], or --dismiss-merge for those that are two things"
    )
    return 0


def _accept(options: Namespace) -> int:
    with working(options) as collection:
        result = collection.explore.vocabularies.merge(
            options.taxonomy,
            options.accept_merge,
            everything_from=(
                (_ACCEPTED_FROM if options.min_score is None else options.min_score)
                if options.accept_all
                else None
            ),
            languages=options.language or ("en",),
        )
    if options.json:
        print_json(result)
        return 0
    for label, into in result["accepted"]:
        print(f"  {label} > {into}")
    merged, images = counted(result["merges"], "label"), counted(result["images"], "image")
    print(f"{merged} merged on {images}")
    _print_batch(result["batch"])
    return 0


def _dismiss(options: Namespace) -> int:
    with open_collection(options) as collection:
        count = collection.explore.vocabularies.dismiss(
            options.taxonomy, options.dismiss_merge, reopen=options.reopen_merge
        )
    if options.json:
        print_json({"dismissed": count})
        return 0
    print_facts({"dismissed merges": count})
    return 0


def read_labels(path: Path | str) -> tuple[str, ...]:
    """Return the labels of a file, one a line; blank lines and those after # are left out."""
    from vernis.domain.errors import UsageError

    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a list of labels ({error})") from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
