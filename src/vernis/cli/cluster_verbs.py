"""The verbs that group images: clusters, topics, outliers, leakage."""

from __future__ import annotations

import argparse
from argparse import Namespace
from typing import Any

from vernis.cli.output import print_json, print_table, say
from vernis.cli.verbs import add_verb, open_collection, working
from vernis.domain.errors import UsageError


def add_verbs(verbs: Any) -> None:
    """Add the verbs to the command line."""
    _add_clusters(verbs)


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
    verb.add_argument("--space", metavar="NAME", help="default: the one that was embedded last")
    verb.add_argument("--method", choices=["kmeans", "density"], default="kmeans")
    verb.add_argument(
        "--k",
        type=whole_range,
        default=tuple(range(5, 41)),
        metavar="K",
        help="clusters of k-means: a range to choose from by silhouette, or one (default 5..40)",
    )
    verb.add_argument(
        "--min-size", type=int, metavar="N", help="of a dense cluster (default: 0.4 %% of all)"
    )
    verb.add_argument(
        "--taxonomy",
        action="append",
        default=[],
        metavar="TAXONOMY",
        help="name the clusters by these labels alone (repeatable; default: all)",
    )
    verb.add_argument("--fresh", action="store_true", help="forget stored numbers and names")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--sheet", metavar="PNG", help="draw the medoid pictures of each cluster")
    verb.add_argument("--figure", metavar="PNG", help="draw the silhouette over k")
    verb.add_argument(
        "--name", action="append", default=[], metavar="N=NAME", help="rename cluster N"
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


def clusters(options: Namespace) -> int:
    """``vernis clusters``."""
    if options.accept:
        return _accept_clusters(options)
    from vernis.workflows.explore.proposals import parse_names

    names = parse_names(options.name)
    settings = {
        "method": options.method,
        "ks": options.k,
        "min_size": options.min_size,
        "seed": options.seed,
    }
    asked = {"space": options.space, "taxonomies": options.taxonomy, **settings}
    with working(options) as collection:
        if names:
            collection.explore.name_clusters(names)
        document = collection.explore.clusters(fresh=options.fresh, **asked)
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
    title = f"{document['k']} clusters of {document['images']:,} images ({document['method']})"
    print_table(rows, columns, title=title)
    if document["noise"]:
        share = document["noise"] / document["images"]
        print(f"{document['noise']:,} images ({share:.0%}) lie in no cluster (noise).")
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
