"""The verbs of the command line and their options."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from vernis.cli import (
    backbone_verbs,
    cluster_verbs,
    commands,
    lab_verbs,
    map_verbs,
    profile_verbs,
    review_commands,
    search_verbs,
    vocabulary_verbs,
)
from vernis.cli.verbs import add_verb, fraction
from vernis.domain.types import DuplicateKind


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every verb."""
    parser = argparse.ArgumentParser(
        prog="vernis",
        description="Turn a folder of images with missing and wrong labels into a clean, fully "
        "labelled collection.",
        epilog="Start with: vernis run PATH (or: vernis demo)",
    )
    parser.add_argument("--version", action=_Version, help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_main_verbs(verbs)
    _add_step_verbs(verbs)
    backbone_verbs.add_verbs(verbs)
    _add_review_verbs(verbs)
    _add_record_verbs(verbs)
    lab_verbs.add_verbs(verbs)
    search_verbs.add_verbs(verbs)
    cluster_verbs.add_verbs(verbs)
    map_verbs.add_verbs(verbs)
    vocabulary_verbs.add_verbs(verbs)
    profile_verbs.add_verbs(verbs)
    return parser


class _Version(argparse.Action):
    """Print the version; imported late so that ``--help`` stays light."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from vernis import __version__

        print(f"vernis {__version__}")
        parser.exit()


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", metavar="CSV", help="image column, one column a taxonomy")
    parser.add_argument(
        "--taxonomy",
        action="append",
        metavar="COLUMN",
        help="use this column of the CSV (repeatable; default: every column that looks like one)",
    )
    parser.add_argument(
        "--closed",
        action="append",
        default=[],
        metavar="TAXONOMY",
        help="in this taxonomy an image with a label has no other (blank classes mean no)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    parser.add_argument("--seed", type=int, default=0)


def _add_main_verbs(verbs: Any) -> None:
    run = add_verb(verbs, "run", commands.run, "do the whole job on a folder, and write the report")
    run.add_argument("path", metavar="PATH", help="a folder of images")
    _add_run_options(run)
    run.add_argument("--precision", choices=["fp32", "int8"], help="arithmetic of the backbone")
    run.add_argument(
        "--fill-precision", type=fraction, default=0.95, metavar="P", help="default 0.95"
    )
    run.add_argument("--report", metavar="DIR", default="report", help="default: report")
    demo = add_verb(
        verbs, "demo", commands.demo, "draw a small collection and do the job on it", table=True
    )
    demo.add_argument(
        "folder", nargs="?", default="vernis-demo", help="where to draw (default: vernis-demo)"
    )
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--workers", type=int, metavar="N", help="default: one a core")
    add_verb(verbs, "status", commands.status, "say what the collection holds", table=True)
    report = add_verb(verbs, "report", commands.report, "write the static HTML report")
    report.add_argument("--out", metavar="DIR", default="report", help="default: report")


def _add_step_verbs(verbs: Any) -> None:
    index = add_verb(
        verbs, "index", commands.index, "list the images: new, changed, moved, vanished"
    )
    index.add_argument(
        "paths", metavar="PATH", nargs="*", help="a folder, or files (default: the indexed folder)"
    )
    labels = add_verb(verbs, "labels", commands.labels, "import the labels of a CSV file")
    labels.add_argument("csv", metavar="CSV")
    labels.add_argument("--taxonomy", action="append", metavar="COLUMN")
    labels.add_argument("--closed", action="append", default=[], metavar="TAXONOMY")
    quality = add_verb(
        verbs, "quality", commands.quality, "find pictures of poor quality", table=True
    )
    quality.add_argument("--all", action="store_true", help="every image with its scores")
    duplicates = add_verb(verbs, "duplicates", commands.duplicates, "find duplicates", table=True)
    duplicates.add_argument("--limit", type=int, default=20, help="groups to print (default 20)")
    learn = add_verb(verbs, "learn", commands.learn, "train a head on a taxonomy", table=True)
    learn.add_argument("taxonomy", metavar="TAXONOMY")
    learn.add_argument(
        "--model",
        metavar="NAME",
        help="kernel (default), bagged_mlp, mlp, logistic, svm, svm_linear, bagged_svm, mlknn, "
        "forest, xgboost, stacking",
    )
    learn.add_argument("--estimators", type=int, metavar="N", help="of bagged_mlp (default 5)")
    learn.add_argument("--epochs", type=int, metavar="N", help="of bagged_mlp (default 5)")
    learn.add_argument(
        "--components",
        type=int,
        metavar="N",
        help="PCA components (default 400 for kernel, else 100; 0 = no PCA)",
    )
    learn.add_argument(
        "--objective", choices=["f1", "f2", "precision"], default="f1", help="of the thresholds"
    )
    learn.add_argument("--floor", type=fraction, default=0.9, help="for --objective precision")
    learn.add_argument("--seed", type=int, default=0)
    predict = add_verb(verbs, "predict", commands.predict, "label pictures by a model", table=True)
    predict.add_argument("model", metavar="MODEL", help="taxonomy, NAME@VERSION or a folder")
    predict.add_argument("images", metavar="IMAGE", nargs="+")
    audit = add_verb(verbs, "audit", commands.audit, "the state of every taxonomy", table=True)
    audit.add_argument("taxonomy", metavar="TAXONOMY", nargs="?")
    models = add_verb(verbs, "models", commands.models, "list the saved models", table=True)
    models.add_argument("taxonomy", metavar="TAXONOMY", nargs="?")


def _add_review_verbs(verbs: Any) -> None:
    issues = add_verb(
        verbs, "issues", review_commands.issues, "label issues, worst first", table=True
    )
    issues.add_argument("taxonomy", metavar="TAXONOMY")
    issues.add_argument("--all", action="store_true", help="every labelled image, flagged or not")
    issues.add_argument("--limit", type=int, default=20, help="rows of the table (default 20)")
    issues.add_argument(
        "--sort",
        choices=["score", "several"],
        default="score",
        help="first the lowest scores (default), or where most likely two labels or more are wrong",
    )
    issues.add_argument(
        "--scorer",
        choices=[
            "mse",
            "self_confidence",
            "normalized_margin",
            "weighted_entropy",
            "softmin",
            "ema",
            "balanced",
            "posterior",
            "mean",
        ],
        help="rank by another scorer (mse is the thesis's); default: the best of each kind",
    )
    issues.add_argument(
        "--predictions",
        choices=["kernel", "out-of-bag", "ensemble"],
        help="hold the labels against the head's predictions instead of the kernel's",
    )
    for name, command, what in (
        ("accept", review_commands.accept, "a label issue is right: change the label"),
        ("dismiss", review_commands.dismiss, "an issue is wrong: keep things as they are"),
    ):
        verb = add_verb(verbs, name, command, what)
        verb.add_argument("what", metavar="WHAT", help="a taxonomy or a kind such as duplicate")
        verb.add_argument("images", metavar="IMAGE", nargs="*", help="uri or id of the images")
        verb.add_argument("--worst", type=int, metavar="N", help="the N worst open issues")
        verb.add_argument("--who", default="", help="your name (default: the login name)")
    fill = add_verb(verbs, "fill", review_commands.fill, "suggest the labels that miss", table=True)
    fill.add_argument("taxonomy", metavar="TAXONOMY")
    fill.add_argument("--precision", type=fraction, default=0.95, help="promise (default 0.95)")
    fill.add_argument("--apply", action="store_true", help="write the labels, as one batch")
    fill.add_argument("--limit", type=int, default=20, help="rows of the table (default 20)")


def _add_record_verbs(verbs: Any) -> None:
    history = add_verb(
        verbs, "history", review_commands.history, "every change of an image", table=True
    )
    history.add_argument("image", metavar="IMAGE", help="uri or id")
    undo = add_verb(verbs, "undo", review_commands.undo, "take a batch back (default: the latest)")
    undo.add_argument("batch", type=int, nargs="?", metavar="BATCH")
    batches = add_verb(verbs, "batches", review_commands.batches, "the latest batches", table=True)
    batches.add_argument("--limit", type=int, default=20)
    trash = add_verb(verbs, "trash", review_commands.trash, "move duplicates to a trash folder")
    trash.add_argument("--duplicates", action="store_true", required=True)
    trash.add_argument(
        "--kind",
        choices=get_args(DuplicateKind),
        default="pixels",
        help="the weakest kind to move (default pixels; near also moves near duplicates)",
    )
    trash.add_argument("--dry-run", action="store_true", help="only say what would be moved")
    restore = add_verb(verbs, "restore", review_commands.restore, "move trashed images back")
    restore.add_argument("images", metavar="IMAGE", nargs="*", help="default: all")
