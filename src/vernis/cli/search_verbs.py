"""``vernis search``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from vernis.cli.output import print_json, print_table, say
from vernis.cli.verbs import add_space, add_verb, say_more, working
from vernis.report.wording import counted

_LISTED = 20  # rows of a table of all images that a filter holds for


def add_verbs(verbs: Any) -> None:
    """Add the verb and its options."""
    parser = add_verb(
        verbs, "search", search, "find images by pictures, regions, words and filters", table=True
    )
    parser.add_argument("words", metavar="WORD", nargs="*", help="words to search for")
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        action="append",
        default=[],
        help="an example: a file, or uri or id of an image (repeatable)",
    )
    parser.add_argument(
        "--not-image",
        metavar="IMAGE",
        action="append",
        default=[],
        help="a counter-example (repeatable)",
    )
    parser.add_argument(
        "--region",
        metavar="X,Y,W,H",
        action="append",
        default=[],
        help="only this part of the --image, in pixels or as shares 0..1 (repeatable, in order)",
    )
    parser.add_argument(
        "--match",
        choices=["all", "any"],
        default="all",
        help="be like all examples together (default) or like any one of them",
    )
    parser.add_argument(
        "--each", action="store_true", help="every --image is a search of its own, in one sheet"
    )
    parser.add_argument(
        "--where", metavar="FILTER", default="", help="such as 'brand:absolut and width>1000'"
    )
    parser.add_argument("--k", type=int, metavar="N", help="images to find (default 8)")
    add_space(parser)
    parser.add_argument(
        "--text-model", metavar="FILE", help="text tower (.onnx) that searches pictures by words"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--approximate", action="store_true", help="by a faiss index, made once (extra ann)"
    )
    how.add_argument("--exact", action="store_true", help="compare all, however many there are")
    parser.add_argument("--sheet", metavar="PNG", help="draw what was found as a contact sheet")
    parser.add_argument("--dark", action="store_true", help="draw the sheet on a dark ground")


def search(options: Namespace) -> int:
    """``vernis search [WORD…] [--image IMAGE] [--where FILTER]``."""
    how = "exact" if options.exact else "approximate" if options.approximate else "auto"
    with working(options) as collection:
        explore = collection.explore
        document = explore.search(
            " ".join(options.words),
            images=options.image,
            not_images=options.not_image,
            regions=options.region,
            where=options.where,
            rule=options.match,
            each=options.each,
            text_model=options.text_model,
            count=options.k,
            space=options.space,
            exactness=how,
        )
        sheet = None
        if options.sheet:
            sheet = explore.search_sheet(
                document, options.sheet, theme="dark" if options.dark else "light"
            )
    for note in document["notes"]:
        say(f"note: {note}")
    if options.json:
        print_json(document)
    else:
        for one in document["searches"]:
            _print_search(document, one, options.k)
    if sheet is not None:
        say(f"sheet: {sheet}")
    return 0


def _print_search(document: dict[str, Any], one: dict[str, Any], count: int | None) -> None:
    rows = [
        {
            **row,
            "labels": list(
                dict.fromkeys(name for names in row["labels"].values() for name in names)
            ),
        }
        for row in one["results"]
    ]
    where = f" where {document['where']}" if document["where"] else ""
    if document["method"] == "filter":
        shown = rows if count is not None else rows[:_LISTED]
        title = f"{counted(document['searched'], 'image')}{where}"
        print_table(shown, ["image", "labels"], title=title)
        if len(rows) > len(shown):
            say_more(len(rows) - len(shown))
        return
    value = "similarity" if document["method"] == "vectors" else "relevance"
    columns = ["image", value, "labels"]
    if document["method"] == "words":
        columns.insert(2, "matched")
    print_table(rows, columns, title=f"{_asked(one['query'])}{where}")
    if not rows:
        print("Nothing was found.")


def _asked(query: dict[str, Any]) -> str:
    def names(items: list[dict[str, Any]]) -> str:
        return ", ".join(
            item["image"] + (f" [{item['region']}]" if item["region"] else "") for item in items
        )

    parts = [f"“{query['words']}”"] if query["words"] else []
    if query["images"]:
        parts.append(f"like {names(query['images'])}")
    if query["not_images"]:
        parts.append(f"unlike {names(query['not_images'])}")
    return ", ".join(parts)
