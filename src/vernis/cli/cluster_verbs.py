"""The verbs that group images: clusters, topics, outliers, leakage."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from vernis.cli.output import print_json, print_table, say
from vernis.cli.verbs import add_space, add_verb, fraction, open_collection, say_more, working
from vernis.domain.errors import UsageError
from vernis.report.wording import counted


def add_verbs(verbs: Any) -> None:
    """Add the verbs to the command line."""
    _add_clusters(verbs)
    _add_topics(verbs)
    _add_outliers(verbs)


def whole_range(text: str) -> tuple[int, ...]:
    """Parse ``5..40`` or ``12`` into the whole numbers that it means."""
    low, dots, high = text.partition("..")
    try:
        first, last = int(low), int(high) if dots else int(low)
    except ValueError:
        first, last = 1, 0
    if not 2 <= first <= last:
        raise argparse.ArgumentTypeError(
            f"expected a number of 2 or more or a range such as 5..40, got {text!r}"
        )
    return tuple(range(first, last + 1))


def _add_clusters(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "clusters",
        clusters,
        "group images that look alike, as a proposed taxonomy",
        table=True,
    )
    add_space(verb)
    verb.add_argument("--method", choices=["kmeans", "density"], help="default: kmeans")
    verb.add_argument(
        "--k",
        type=whole_range,
        metavar="K",
        help="clusters of k-means: a range to choose from by silhouette, or one (default 5..40)",
    )
    verb.add_argument(
        "--min-size", type=int, metavar="N", help="of a dense cluster (default: 0.4 %% of all)"
    )
    verb.add_argument(
        "--taxonomy",
        action="append",
        metavar="TAXONOMY",
        help="name the clusters by these labels alone (repeatable; default: all)",
    )
    _add_finding(verb)
    verb.add_argument("--sheet", metavar="PNG", help="draw the medoid pictures of each cluster")
    verb.add_argument("--figure", metavar="PNG", help="draw the silhouette over k")
    verb.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="N=NAME",
        help="rename cluster N of the stored clusters (repeatable)",
    )
    verb.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME=N,N",
        help="make a class of these clusters (repeatable); uses the stored clusters",
    )
    verb.add_argument(
        "--into", default="clusters", metavar="TAXONOMY", help="of --accept (default: clusters)"
    )


def _add_finding(verb: argparse.ArgumentParser) -> None:
    """Add how groups are found anew, of clusters and of topics; None where it is not asked."""
    verb.add_argument(
        "--fresh", action="store_const", const=True, help="forget stored numbers and names"
    )
    verb.add_argument("--seed", type=int, help="default 0")


def _given(options: Namespace, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return field → value of the options that the command line names."""
    values = {field: getattr(options, option) for option, field in fields.items()}
    return {field: value for field, value in values.items() if value is not None}


_CLUSTER_FIELDS = {
    "space": "space",
    "taxonomy": "taxonomies",
    "method": "method",
    "k": "ks",
    "min_size": "min_size",
    "fresh": "fresh",
    "seed": "seed",
}
_TOPIC_FIELDS = {
    "k": "ks",
    "words": "words",
    "threshold": "threshold",
    "fresh": "fresh",
    "seed": "seed",
}


def clusters(options: Namespace) -> int:
    """``vernis clusters``."""
    if options.accept:
        return _accept_clusters(options)
    from vernis.workflows.explore.proposals import parse_names

    names = parse_names(options.name)
    asked = _given(options, _CLUSTER_FIELDS)
    with working(options) as collection:
        # Names alone are given to the stored clusters, whichever way those were found.
        if asked or not names:
            document = collection.explore.clusters(**asked)
        if names:
            document = collection.explore.name_clusters(names)
        drawn = collection.explore.draw_clusters(sheet=options.sheet, figure=options.figure)
    if options.json:
        print_json(document)
        return 0
    rows = [
        {
            "number": cluster["number"],
            "name": cluster["name"],
            "images": cluster["size"],
            "silhouette": cluster["silhouette"],
            "set_apart_by": _telling(cluster["words"]),
            "medoid": cluster["central"][0] if cluster["central"] else "",
        }
        for cluster in document["clusters"]
    ]
    columns = ["number", "name", "images", "silhouette", "set_apart_by", "medoid"]
    found, images = counted(document["k"], "cluster"), counted(document["images"], "image")
    title = f"{found} of {images} ({document['method']})"
    print_table(rows, columns, title=title)
    if document["noise"]:
        share = document["noise"] / document["images"]
        print(f"In no cluster (noise): {counted(document['noise'], 'image')} ({share:.0%}).")
    for note in document["notes"]:
        say(f"note: {note}")
    for path in drawn:
        print(path)
    return 0


def _telling(words: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the words of a cluster: its labels, and else those of texts and names."""
    kinds = [words[kind] for kind in ("labels", "texts", "names") if words.get(kind)]
    return [f"{term['word']} {term['share']:.0%}" for term in (kinds[0] if kinds else [])[:5]]


def _accept_clusters(options: Namespace) -> int:
    from vernis.workflows.explore.proposals import parse_classes

    if options.name:
        raise UsageError("--name and --accept do not go together; name the clusters first")
    classes = parse_classes(options.accept)
    with open_collection(options) as collection:
        result = collection.explore.accept_clusters(classes, into=options.into)
    return _print_accepted(options, result)


def _print_accepted(options: Namespace, result: dict[str, Any]) -> int:
    if options.json:
        print_json(result)
        return 0
    rows = [{"class": name, "images": count} for name, count in result["classes"].items()]
    print_table(rows, ["class", "images"], title=f"Taxonomy {result['taxonomy']}")
    if result["batch"]:
        batch = result["batch"]
        print(f"recorded as batch {batch} (vernis undo {batch} takes it back)")
    else:
        print("all of it was recorded before; nothing changed")
    return 0


def _add_topics(verbs: Any) -> None:
    verb = add_verb(
        verbs, "topics", topics, "find the super-labels of a taxonomy's label lists", table=True
    )
    verb.add_argument("taxonomy", metavar="TAXONOMY")
    verb.add_argument(
        "--k",
        type=topic_range,
        metavar="K",
        help="topics: a number, a range, or auto (the most coherent; default 30, or what the "
        "data can carry)",
    )
    verb.add_argument("--words", type=int, help="labels of each topic (default 20)")
    verb.add_argument(
        "--threshold",
        type=fraction,
        metavar="S",
        help="an image is of a topic from this share on (default 0.4)",
    )
    _add_finding(verb)
    verb.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="N=NAME",
        help="rename topic N of the stored topics (repeatable)",
    )
    verb.add_argument(
        "--accept",
        nargs="?",
        const="all",
        metavar="N,N",
        help="make a taxonomy of the stored topics, or of these alone",
    )
    verb.add_argument(
        "--into", default="", metavar="TAXONOMY", help="of --accept (default: TAXONOMY_topics)"
    )


def topic_range(text: str) -> tuple[int, ...]:
    """Parse ``auto``, ``12`` or ``5..40`` (every fifth) into numbers of topics."""
    if text == "auto":
        from vernis.workflows.explore.topics import coherence_range

        return coherence_range()
    numbers = whole_range(text)
    return tuple(sorted({*numbers[::5], numbers[-1]}))


def topics(options: Namespace) -> int:
    """``vernis topics TAXONOMY``."""
    from vernis.workflows.explore.proposals import parse_names, parse_numbers

    names = parse_names(options.name)
    asked = _given(options, _TOPIC_FIELDS)
    with working(options) as collection:
        # Names alone are given to the stored topics; so are they where those are accepted.
        if not options.accept and (asked or not names):
            document = collection.explore.topics(options.taxonomy, **asked)
        if names:
            document = collection.explore.name_topics(options.taxonomy, names)
        if options.accept:
            numbers = [] if options.accept == "all" else parse_numbers(options.accept)
            result = collection.explore.accept_topics(options.taxonomy, numbers, into=options.into)
            return _print_accepted(options, result)
    if options.json:
        print_json(document)
        return 0
    rows = [
        {**topic, "words": [word["word"] for word in topic["words"]]}
        for topic in document["topics"]
    ]
    title = (
        f"{counted(document['k'], 'topic')} of {counted(document['labels'], 'label')} "
        f"on {counted(document['images'], 'image')}"
    )
    print_table(rows, ["number", "name", "images", "npmi", "words"], title=title)
    for note in document["notes"]:
        say(f"note: {note}")
    return 0


def _add_outliers(verbs: Any) -> None:
    far = add_verb(
        verbs,
        "outliers",
        outliers,
        "find images that resemble nothing, or not their class",
        table=True,
    )
    far.add_argument(
        "taxonomy", nargs="?", default="", metavar="TAXONOMY", help="far from their class in it"
    )
    add_space(far)
    far.add_argument("--all", action="store_true", help="every image with its score")
    far.add_argument("--limit", type=int, default=20, help="rows of the table (default 20)")
    far.add_argument("--sheet", metavar="PNG", help="draw the worst ones")
    leaked = add_verb(
        verbs, "leakage", leakage, "find near-duplicates across train, val and test", table=True
    )
    leaked.add_argument(
        "--similarity",
        type=fraction,
        metavar="S",
        help="also pairs of at least this cosine, 0 to 1 (default: stored duplicates only)",
    )
    add_space(leaked)
    leaked.add_argument("--limit", type=int, default=20, help="rows of the table (default 20)")
    leaked.add_argument("--sheet", metavar="PNG", help="draw the pairs side by side")


def outliers(options: Namespace) -> int:
    """``vernis outliers [TAXONOMY]``."""
    with working(options) as collection:
        document = collection.explore.outliers(
            options.taxonomy, space=options.space, everything=options.all
        )
        rows = document["outliers"]
        drawn = (
            collection.explore.draw_outliers(document, options.sheet)
            if (options.sheet and rows)
            else None
        )
    if options.json:
        print_json(document)
        return 0
    columns = ["image", "score", "label", "distance", "verdict"]
    if not options.taxonomy:
        columns.remove("label")
    summary = document["summary"]
    are = "is an outlier" if summary["flagged"] == 1 else "are outliers"
    title = f"{summary['flagged']:,} of {counted(summary['images'], 'image')} {are}"
    print_table(rows[: options.limit], columns, title=title)
    if len(rows) > options.limit:
        say_more(len(rows) - options.limit)
    if summary["unjudged"]:
        some = ", ".join(summary["unjudged"][:5])
        few = counted(len(summary["unjudged"]), "class has", "classes have")
        say(f"note: {few} too few images to judge: {some}")
    if drawn:
        print(drawn)
    elif options.sheet:
        say("note: no sheet is drawn: there is no outlier")
    return 0


def leakage(options: Namespace) -> int:
    """``vernis leakage``."""
    with working(options) as collection:
        document = collection.explore.leakage(similarity=options.similarity, space=options.space)
        pairs = document["pairs"]
        drawn = (
            collection.explore.draw_leakage(document, options.sheet)
            if (options.sheet and pairs)
            else None
        )
    if options.json:
        print_json(document)
        return 0
    columns = ["first", "second", "kind", "similarity"]
    splits = ", ".join(f"{name} {count:,}" for name, count in document["splits"].items())
    title = f"{counted(len(pairs), 'pair')} across {splits}"
    print_table(pairs[: options.limit], columns, title=title)
    if len(pairs) > options.limit:
        say_more(len(pairs) - options.limit)
    if document["affected"]:
        print_table(document["affected"], ["split", "with", "images", "share"], title="Affected")
    else:
        print("No image is repeated across the splits.")
    if drawn:
        print(drawn)
    elif options.sheet:
        say("note: no sheet is drawn: there is no pair")
    return 0
