"""The verbs ``map`` and ``maps``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from vernis.cli.output import print_facts, print_json, say
from vernis.cli.verbs import add_space, add_verb, open_collection, print_rows, working
from vernis.report.wording import counted

_SETTINGS = ("method", "perplexity", "iterations", "neighbors", "min_dist", "components", "seed")


def add_verbs(verbs: Any) -> None:
    """Add the verbs of maps."""
    parser = add_verb(
        verbs, "map", make, "draw all pictures on a map where the similar lie together", table=True
    )
    add_space(parser)
    parser.add_argument("--method", choices=["tsne", "umap", "pca"], help="default: tsne")
    parser.add_argument(
        "--perplexity", type=float, metavar="P", help="t-SNE: neighbours that count (default 30)"
    )
    parser.add_argument("--iterations", type=int, metavar="N", help="t-SNE (default 500)")
    parser.add_argument("--neighbors", type=int, metavar="N", help="UMAP (default 15)")
    parser.add_argument("--min-dist", type=float, metavar="D", help="UMAP (default 0.1)")
    parser.add_argument("--components", type=int, metavar="N", help="of the PCA (default 50)")
    parser.add_argument("--seed", type=int, help="default 0")
    parser.add_argument(
        "--color", metavar="BY", help="a taxonomy, issues or none (default: the fullest taxonomy)"
    )
    parser.add_argument(
        "--grid",
        nargs="+",
        metavar="NAME=V,V",
        help="a map for each combination, side by side: perplexity=10,30 iterations=200,500",
    )
    parser.add_argument("--name", default="", help="of the map (default: made of its settings)")
    parser.add_argument("--fresh", action="store_true", help="make it anew of all pictures")
    parser.add_argument("--out", metavar="DIR", default="map", help="default: map")
    parser.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    maps = add_verb(verbs, "maps", list_maps, "list the maps of the collection", table=True)
    maps.add_argument("--remove", metavar="NAME", help="remove the map of that name")


def make(options: Namespace) -> int:
    """Make a map, or a grid of maps, and draw it."""
    values = {name: getattr(options, name) for name in _SETTINGS}
    given = {name: value for name, value in values.items() if value is not None}
    common = {"space": options.space, "fresh": options.fresh, "color": options.color}
    with working(options) as collection:
        explore = collection.explore
        if options.grid:
            document = explore.map_grid(options.grid, out=options.out, **common, **given)
        else:
            document = explore.map(
                name=options.name, out=options.out, workers=options.workers, **common, **given
            )
    if options.json:
        print_json(document)
    elif options.grid:
        _print_grid(options, document)
    else:
        _print_map(document)
    return 0


def _print_map(document: dict[str, Any]) -> None:
    """Print what was done."""
    kept = f"{counted(document['n_neighbors'], 'neighbour')} kept"
    facts = {
        "map": document["name"],
        "pictures": document["pictures"],
        "trustworthiness": document["trustworthiness"],
        kept: document["preservation"],
    }
    if document["placed_now"]:
        facts["placed now"] = document["placed_now"]
    if document["judged"] < document["pictures"]:
        facts["judged on"] = counted(document["judged"], "picture")
    facts["coloured by"] = document["color"] or "nothing"
    facts["picture"] = document["picture"]
    facts["page"] = document["page"]
    print_facts(facts)
    if not document["computed"] and not document["placed_now"] and not document["drawn"]:
        say("Nothing had changed.")
    if document["without_vector"]:
        without = counted(document["without_vector"], "picture has", "pictures have")
        say(f"{without} no vector yet: vernis embed")


def _print_grid(options: Namespace, document: dict[str, Any]) -> None:
    """Print the table of the grid."""
    columns = [*document["parameters"], "trustworthiness", "preservation", "name"]
    rows = [
        {**row, **{name: _whole(row[name]) for name in document["parameters"]}}
        for row in document["maps"]
    ]
    print_rows(options, rows, columns, title="Maps")
    say(f"{document['picture']}")


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def list_maps(options: Namespace) -> int:
    """List the maps, or remove one."""
    with open_collection(options) as collection:
        if options.remove is not None:
            collection.explore.remove_map(options.remove)
        rows = collection.explore.maps()
    columns = ["name", "pictures", "placed_later", "trustworthiness", "preservation", "created"]
    print_rows(options, rows, columns, title="Maps")
    return 0
