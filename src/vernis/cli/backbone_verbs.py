"""The verbs about backbones and embedding spaces."""

from __future__ import annotations

import argparse
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from vernis.cli.output import print_facts, print_json, say
from vernis.cli.verbs import add_verb, open_collection, print_rows, working
from vernis.domain.errors import UsageError
from vernis.report.wording import counted

if TYPE_CHECKING:
    from vernis.collection import Collection

_POOLINGS = ["avg", "max", "gem", "first", "flatten", "none"]
_FITS = ["soft", "squash", "pad", "extend", "crop"]
_RUNTIMES = ["onnxruntime", "openvino"]


def add_verbs(verbs: Any) -> None:
    """Add backbones, layers, embed, spaces, compare-spaces and feature-maps."""
    _add_making_verbs(verbs)
    _add_seeing_verbs(verbs)


def _add_making_verbs(verbs: Any) -> None:
    listing = add_verb(verbs, "backbones", backbones, "list the backbones there are", table=True)
    listing.add_argument(
        "--get", metavar="timm:MODEL", help="convert a model of the timm collection for use"
    )
    listing.add_argument("--weights", metavar="FILE", help="with --get: its weights, from a file")
    listing.add_argument("--side", type=int, metavar="PX", help="with --get: side of its input")
    _add_download(listing)
    seen = add_verb(verbs, "layers", layers, "list what can be read out of a backbone", table=True)
    seen.add_argument("backbone", metavar="BACKBONE", nargs="?", default="efficientnet_lite0")
    seen.add_argument("--kind", choices=["map", "tokens", "vector"], help="only layers of a kind")
    seen.add_argument("--like", metavar="TEXT", help="only layers whose name holds this")
    seen.add_argument("--limit", type=int, default=40, help="rows of the table (default 40)")
    _add_backbone_options(seen)
    embedding = add_verb(verbs, "embed", embed, "compute the vectors that are missing")
    embedding.add_argument("--backbone", metavar="B", default="efficientnet_lite0", help=_WHICH)
    embedding.add_argument("--layer", metavar="L", help="a layer, or several joined by +")
    embedding.add_argument("--pool", choices=_POOLINGS, help="how maps and tokens become vectors")
    embedding.add_argument("--space", metavar="NAME", help="name the space (default: by the above)")
    embedding.add_argument(
        "--keep-current",
        action="store_true",
        help="later steps go on reading the space that was current",
    )
    embedding.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    _add_backbone_options(embedding)
    side_by_side = add_verb(verbs, "spaces", spaces, "list the embedding spaces", table=True)
    side_by_side.add_argument("--use", metavar="NAME", help="make it the one that is read")


def _add_seeing_verbs(verbs: Any) -> None:
    compare = add_verb(
        verbs,
        "compare-spaces",
        compare_spaces,
        "which embedding space suits a taxonomy",
        table=True,
    )
    compare.add_argument(
        "spaces",
        metavar="SPACE",
        nargs="+",
        help="a space of the collection, or BACKBONE[:LAYER[:POOLING]] or a layer of the shipped "
        "backbone, embedded on the sample",
    )
    compare.add_argument("--taxonomy", metavar="T", help="default: the only one")
    compare.add_argument(
        "--sample", type=int, default=2000, metavar="N", help="images to compare on (default 2000)"
    )
    compare.add_argument("--seed", type=int, default=0)
    compare.add_argument("--out", metavar="PNG", default="spaces.png", help="default: spaces.png")
    maps = add_verb(
        verbs, "feature-maps", feature_maps, "what the channels of a network look for", table=True
    )
    maps.add_argument("image", metavar="IMAGE", help="of the collection, or a picture file")
    maps.add_argument(
        "--layer", metavar="L", default="all", help="a map (default: all, one row a stage)"
    )
    maps.add_argument("--channel", type=int, metavar="C", help="one channel, with whole pictures")
    maps.add_argument(
        "--strongest", type=int, default=6, metavar="N", help="channels to show (default 6)"
    )
    maps.add_argument(
        "--sample", type=int, default=1000, metavar="N", help="images to look at (0: all)"
    )
    maps.add_argument("--seed", type=int, default=0)
    maps.add_argument(
        "--out", metavar="PNG", default="feature-maps.png", help="default: feature-maps.png"
    )
    maps.add_argument("--backbone", metavar="B", default="efficientnet_lite0@fp32", help=_WHICH)
    _add_backbone_options(maps)


_WHICH = "a shipped one, a preset, timm:MODEL or a file MODEL.onnx (see: vernis backbones)"


def _add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--download", action="store_true", help="weights may be fetched from huggingface.co"
    )


def _add_backbone_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=["fp32", "int8"], help="of the shipped backbone")
    parser.add_argument("--side", type=int, metavar="PX", help="height and width of the input")
    parser.add_argument("--fit", choices=_FITS, help="how a picture is made square (default soft)")
    for name in ("mean", "std"):
        parser.add_argument(
            f"--{name}", type=float, nargs=3, metavar=("R", "G", "B"), help="of a file's input"
        )
    parser.add_argument("--scale", type=float, metavar="X", help="of a file's input, default 1/255")
    parser.add_argument("--channels", choices=["RGB", "BGR"], help="their order in a file's input")
    parser.add_argument("--layout", choices=["NCHW", "NHWC"], help="axes of a file's input")
    parser.add_argument("--runtime", choices=_RUNTIMES, default="onnxruntime")
    _add_download(parser)


def _preprocessing(options: Namespace) -> dict[str, Any]:
    names = ("mean", "std", "scale", "channels", "layout")
    return {n: getattr(options, n) for n in names if getattr(options, n) is not None}


def _choice(options: Namespace) -> dict[str, Any]:
    """Return the fields of a SpaceChoice that the options give."""
    name, _, precision = options.backbone.partition("@")
    if options.backbone.lower().endswith(".onnx") or precision not in ("fp32", "int8"):
        name, precision = options.backbone, ""
    if precision and options.precision not in (None, precision):
        raise UsageError(f"{options.backbone} and --precision {options.precision} contradict")
    return {
        "backbone": name,
        "precision": options.precision or precision or None,
        "side": options.side,
        "fit": options.fit,
        "preprocessing": _preprocessing(options),
        "runtime": options.runtime,
        "download": options.download,
    }


def backbones(options: Namespace) -> int:
    """``vernis backbones``."""
    from vernis.assembly.vision import backbone_rows, get_backbone

    if options.get:
        record = get_backbone(
            options.get, side=options.side, weights=options.weights, download=options.download
        )
        if options.json:
            print_json(record)
        else:
            difference = f"{record['max_abs_difference_to_torch']:.1e}"
            print_facts({**record, "max_abs_difference_to_torch": difference}, title="Converted")
        return 0
    if options.weights:
        raise UsageError("--weights is for --get timm:MODEL")
    print_rows(options, backbone_rows(), ["backbone", "origin", "what", "status"])
    return 0


def layers(options: Namespace) -> int:
    """``vernis layers BACKBONE``."""
    from vernis.assembly.vision import layer_rows

    rows = layer_rows(_choice(options))
    if options.kind:
        rows = [row for row in rows if row["kind"] == options.kind]
    if options.like:
        rows = [row for row in rows if options.like in row["layer"]]
    shown = rows
    if not options.json:
        shown = [{**row, "shape": " x ".join(map(str, row["shape"]))} for row in rows]
    # The last layers are the ones that are mostly read.
    print_rows(options, shown[::-1] if not options.json else shown, _LAYER, limit=options.limit)
    return 0


_LAYER = ["layer", "kind", "shape", "pooled", "flat"]


def embed(options: Namespace) -> int:
    """``vernis embed``."""
    with working(options) as collection:
        summary = collection.embed(
            workers=options.workers,
            keep_current=options.keep_current,
            layer=options.layer,
            pooling=options.pool,
            name=options.space or "",
            **_choice(options),
        )
    print_facts(summary)
    return 0


def spaces(options: Namespace) -> int:
    """``vernis spaces``."""
    with open_collection(options) as collection:
        if options.use:
            collection.explore.use_space(options.use)
        rows = collection.explore.spaces()
    if not rows and not options.json:
        say("No embeddings yet; make them: vernis embed")
    print_rows(options, rows, ["space", "vectors", "dim", "layers", "pooling", "side", "current"])
    return 0


def compare_spaces(options: Namespace) -> int:
    """``vernis compare-spaces A B…``."""
    if options.sample < 20:
        raise UsageError(f"expected a sample of 20 images or more, got {options.sample}")
    with working(options) as collection:
        taxonomy = options.taxonomy or _only_taxonomy(collection)
        found = collection.explore.compare_spaces(
            options.spaces, taxonomy, sample=options.sample, seed=options.seed, out=options.out
        )
    if options.json:
        print_json(found)
        return 0
    rows = [_with_short_components(row) for row in found["spaces"]]
    columns = [name for name in rows[0] if name not in ("stored", "note") and "error" not in name]
    left_out = counted(found["left_out_as_copies"], "copy", "copies")
    title = f"{counted(found['images'], 'image')} of {taxonomy!r}; {left_out} left out"
    print_rows(options, rows, columns, title=title)
    for row in rows:
        if "note" in row:
            print(f"{row['space']}: {row['note']}")
    print(f"Recommended: {found['recommendation']['space']}")
    print(f"  {found['recommendation']['reason']}")
    print(f"Figure: {found['figure']}")
    return 0


def _with_short_components(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose counts of principal components are one column: for 90, 95, 99 %."""
    short: dict[str, Any] = {}
    counts = {name: value for name, value in row.items() if name.startswith("components_")}
    shares = "/".join(name.removeprefix("components_") for name in counts)
    for name, value in row.items():
        if name not in counts:
            short[name] = value
        else:
            short[f"components_for_{shares}_%"] = " / ".join(f"{n:,}" for n in counts.values())
    return short


def feature_maps(options: Namespace) -> int:
    """``vernis feature-maps IMAGE``."""
    if options.strongest < 1 or options.sample < 0:
        raise UsageError("expected 1 channel or more, and a sample of 0 (all) or more")
    with working(options) as collection:
        found = collection.explore.feature_maps(
            options.image,
            options.layer,
            channel=options.channel,
            sample=options.sample,
            channels=options.strongest,
            seed=options.seed,
            out=options.out,
            **_choice(options),
        )
    if options.json:
        print_json(found)
        return 0
    rows = [
        {**row, "excited_by": [item["image"] for item in row["excited_by"][:2]]}
        for row in found["channels"]
    ]
    of_all = f"{found['looked_at']:,} of {counted(found['images'], 'image')}"
    title = f"{found['backbone']}, {of_all} looked at"
    print_rows(options, rows, ["layer", "channel", "peak", "deviation", "excited_by"], title=title)
    print(f"Figure: {found['figure']}")
    return 0


def _only_taxonomy(collection: Collection) -> str:
    names = [taxonomy.name for taxonomy in collection.catalog.labels.taxonomies()]
    if len(names) != 1:
        there_are = f"there are {', '.join(names)}" if names else "there is none"
        raise UsageError(f"name the taxonomy to compare on: --taxonomy ({there_are})")
    return names[0]
