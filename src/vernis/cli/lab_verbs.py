"""``vernis lab``: studies of methods on a collection.

A module with a study of its own has ``add_lab_verbs(subverbs)``, called from ``add_verbs``.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from vernis.cli import lab_sample_verbs
from vernis.cli.output import cell, print_json, print_table, say
from vernis.cli.progress import choose_progress
from vernis.cli.verbs import add_verb, fraction, working
from vernis.domain.errors import UsageError
from vernis.report.wording import counted

DESCRIPTION = (
    "Try methods on the collection: every study writes one folder with its settings, a table, "
    "figures and what is needed to run it again."
)


def add_verbs(verbs: Any) -> None:
    """Add ``lab`` and its sub-verbs."""
    lab = verbs.add_parser("lab", help="try methods on the collection", description=DESCRIPTION)
    studies = lab.add_subparsers(dest="study", metavar="STUDY", required=True)
    _add_models(studies)
    _add_sweeps(studies)
    _add_noise(studies)
    _add_errors(studies)
    lab_sample_verbs.add_lab_verbs(studies)
    rerun_verb = add_verb(studies, "rerun", rerun, "run a study again from its folder", table=True)
    rerun_verb.add_argument("folder", metavar="FOLDER", help="of a lab run")
    rerun_verb.add_argument(
        "--other-data", action="store_true", help="even though the collection's data differ"
    )
    add_out(rerun_verb, "FOLDER-again; in place when the run was stopped")
    diff_verb = add_verb(studies, "diff", diff, "compare the tables of two runs", table=True)
    diff_verb.add_argument("a", metavar="A", help="folder of a lab run")
    diff_verb.add_argument("b", metavar="B", help="folder of another run of the same study")
    diff_verb.add_argument(
        "--all", action="store_true", help="also what is equal, and the intervals"
    )


def _add_models(studies: Any) -> None:
    verb = add_verb(studies, "models", models, "compare the models on a taxonomy", table=True)
    _add_common(verb)
    verb.add_argument("--folds", type=int, default=5, metavar="K", help="default 5")
    verb.add_argument(
        "--components", type=int, default=100, metavar="N", help="PCA components (0 = all columns)"
    )
    verb.add_argument(
        "--features",
        choices=["embedding", "tfidf", "both"],
        default="embedding",
        help="what the models see: vectors, words (file names, titles, keywords), or both",
    )
    verb.add_argument(
        "--one-label", action="store_true", help="train multi-label on one label an image"
    )


def _add_sweeps(studies: Any) -> None:
    verb = add_verb(
        studies, "components", components, "F1 and time over the principal components", table=True
    )
    _add_common(verb, sample=1500, models="the head and three quick peers")
    verb.add_argument("--components", type=names, metavar="N,N,…", help="default: 5 … 400, 0 = all")
    verb.add_argument("--folds", type=int, default=3, metavar="K", help="default 3")
    verb = add_verb(
        studies, "thresholds", thresholds, "F1, F2, precision, recall by threshold", table=True
    )
    _add_common(verb, sample=5000, models=None)
    verb.add_argument("--model", metavar="NAME", help="default: what vernis learn trains (kernel)")
    verb.add_argument("--folds", type=int, default=5, metavar="K", help="default 5")
    verb = add_verb(studies, "spaces", spaces, "F1 by embedding space and layer", table=True)
    _add_common(verb, sample=1500, models="the head and three quick peers")
    verb.add_argument(
        "--spaces", type=names, metavar="NAME,…", help="embedded ones (default: the current one)"
    )
    verb.add_argument("--folds", type=int, default=3, metavar="K", help="default 3")


def _add_noise(studies: Any) -> None:
    verb = add_verb(studies, "noise", noise, "what label noise does to each model", table=True)
    _add_common(verb)
    verb.add_argument("--kinds", type=names, metavar="KIND,…", help="default: all that fit")
    verb.add_argument("--rates", type=names, metavar="R,R,…", help="default 0,0.1,…,0.5")
    verb.add_argument("--seeds", type=int, default=3, metavar="N", help="default 3")
    verb = studies.add_parser(
        "toy",
        help="decision areas on three shapes with permuted labels",
        description="decision areas on three shapes with permuted labels; needs no collection",
    )
    verb.set_defaults(command=toy)
    verb.add_argument("--models", type=names, metavar="A,B,…", help="default: all")
    verb.add_argument("--seeds", type=int, default=5, metavar="N", help="default 5")
    verb.add_argument("--points", type=int, default=300, metavar="N", help="default 300")
    verb.add_argument(
        "--permuted", type=fraction, default=0.3, metavar="P", help="share of labels (default 0.3)"
    )
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--quiet", action="store_true", help="no progress on standard error")
    verb.add_argument("--json", action="store_true", help="print JSON on standard output")
    add_out(verb)


def _add_errors(studies: Any) -> None:
    verb = add_verb(
        studies, "errors", errors, "how well each model and scorer finds wrong labels", table=True
    )
    own = "kernel, bagged_mlp, ensemble, logistic, knn, logistic+knn, simifeat, selfclean"
    _add_common(verb, models=own)
    verb.add_argument(
        "--against",
        metavar="OTHER",
        help="judge the labels of this taxonomy, TAXONOMY being the truth (default: planted noise)",
    )
    verb.add_argument("--kinds", type=names, metavar="KIND,…", help="of noise (default uniform)")
    verb.add_argument("--rates", type=names, metavar="R,R,…", help="of noise (default 0.1)")
    verb.add_argument("--seeds", type=int, default=3, metavar="N", help="default 3")
    verb.add_argument(
        "--components", type=int, default=300, metavar="N", help="PCA components (default 300)"
    )


def _add_common(
    parser: argparse.ArgumentParser,
    sample: int = 2000,
    models: str | None = "all that are installed",
) -> None:
    """Add what the studies of a taxonomy share; ``models`` says which are the default."""
    parser.add_argument("taxonomy", metavar="TAXONOMY")
    if models is not None:
        parser.add_argument("--models", type=names, metavar="A,B,…", help=f"default: {models}")
    parser.add_argument(
        "--sample",
        type=int,
        default=sample,
        metavar="N",
        help=f"labelled images at most (default {sample:,}; 0 = all)",
    )
    parser.add_argument("--seed", type=int, default=0)
    add_out(parser)


def numbers(texts: Sequence[str] | None, kind: type[int] | type[float]) -> list[Any] | None:
    """Return texts as numbers; raises UsageError."""
    try:
        return [kind(text) for text in texts] if texts else None
    except ValueError as error:
        raise UsageError(f"expected numbers between commas, got {','.join(texts or ())}") from error


def names(text: str) -> list[str]:
    """Parse names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def add_out(parser: argparse.ArgumentParser, default: str = "lab/STUDY-TAXONOMY-…") -> None:
    """Add the option that names the run's folder."""
    parser.add_argument("--out", metavar="DIR", help=f"folder of the run (default: {default})")


def print_study(
    options: Namespace, outcome: dict[str, Any], columns: Sequence[str] | None = None
) -> int:
    """Print the table of a study, its notes and its folder; returns the exit code.

    Parameters
    ----------
    options : Namespace
    outcome : dict
        ``rows``, ``notes`` and ``folder``, as the methods of ``Lab`` return them.
    columns : sequence of str, optional
        Of the table; default all.
    """
    if options.json:
        print_json(outcome)
        return 0
    rows = outcome["rows"]
    print_table(rows, columns or list(dict.fromkeys(name for row in rows for name in row)))
    for note in outcome["notes"]:
        say(f"note: {note}")
    print(f"Run: {outcome['folder']}")
    return 0


MODEL_COLUMNS = (
    "model",
    "micro_f1",
    "micro_f1_sd",
    "macro_f1",
    "macro_f1_sd",
    "micro_f2",
    "macro_average_precision",
    "train_s",
    "predict_s",
)


def models(options: Namespace) -> int:
    """``vernis lab models TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.models(
            options.taxonomy,
            models=options.models,
            folds=options.folds,
            sample=options.sample,
            components=options.components,
            features=options.features,
            one_label=options.one_label,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, MODEL_COLUMNS)


SWEEP_COLUMNS = ("model", "micro_f1", "micro_f1_sd", "macro_f1", "macro_f1_sd", "train_s")
COMPONENT_COLUMNS = ("components", *SWEEP_COLUMNS)
THRESHOLD_COLUMNS = ("class", "threshold", "f1", "f2", "precision", "recall", "images")
SPACE_COLUMNS = ("space", "layer", *SWEEP_COLUMNS)
NOISE_COLUMNS = ("noise", "rate", *SWEEP_COLUMNS[:5])


def components(options: Namespace) -> int:
    """``vernis lab components TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.components(
            options.taxonomy,
            components=numbers(options.components, int),
            models=options.models,
            folds=options.folds,
            sample=options.sample,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, COMPONENT_COLUMNS)


def thresholds(options: Namespace) -> int:
    """``vernis lab thresholds TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.thresholds(
            options.taxonomy,
            model=options.model,
            folds=options.folds,
            sample=options.sample,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, THRESHOLD_COLUMNS)


def spaces(options: Namespace) -> int:
    """``vernis lab spaces TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.spaces(
            options.taxonomy,
            spaces=options.spaces,
            models=options.models,
            folds=options.folds,
            sample=options.sample,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, SPACE_COLUMNS)


def noise(options: Namespace) -> int:
    """``vernis lab noise TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.noise(
            options.taxonomy,
            kinds=options.kinds,
            rates=numbers(options.rates, float),
            models=options.models,
            seeds=options.seeds,
            sample=options.sample,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, NOISE_COLUMNS)


ERROR_COLUMNS = (
    "noise",
    "rate",
    "model",
    "scorer",
    "average_precision",
    "precision_at_wrong",
    "wrong_images",
    "count_ratio",
    "flagged_precision",
    "flagged_recall",
)


def errors(options: Namespace) -> int:
    """``vernis lab errors TAXONOMY``."""
    with working(options) as collection:
        outcome = collection.lab.errors(
            options.taxonomy,
            against=options.against,
            kinds=options.kinds,
            rates=numbers(options.rates, float),
            models=options.models,
            seeds=options.seeds,
            components=options.components,
            sample=options.sample,
            seed=options.seed,
            out=options.out,
        )
    return print_study(options, outcome, ERROR_COLUMNS)


def toy(options: Namespace) -> int:
    """``vernis lab toy``."""
    from vernis.workflows.lab import standalone

    with choose_progress(options.quiet) as progress:
        outcome = standalone.toy(
            models=options.models,
            seeds=options.seeds,
            points=options.points,
            permuted=options.permuted,
            seed=options.seed,
            out=options.out,
            progress=progress,
        )
    return print_study(options, outcome)


STUDY_COLUMNS = {
    "models": MODEL_COLUMNS,
    "components": COMPONENT_COLUMNS,
    "thresholds": THRESHOLD_COLUMNS,
    "spaces": SPACE_COLUMNS,
    "noise": NOISE_COLUMNS,
    "errors": ERROR_COLUMNS,
}
"""What is shown of each study's rows; all of one that is not here."""


def rerun(options: Namespace) -> int:
    """``vernis lab rerun FOLDER``."""
    from vernis.report.lab.run_folder import read_run
    from vernis.workflows.lab import standalone

    how = {"out": options.out, "other_data": options.other_data}
    study = read_run(options.folder)["study"]
    if study in standalone.WITHOUT_COLLECTION:
        with choose_progress(options.quiet) as progress:
            outcome = standalone.rerun_without_collection(options.folder, progress=progress, **how)
    else:
        with working(options) as collection:
            outcome = collection.lab.rerun(options.folder, **how)
    return print_study(options, outcome, STUDY_COLUMNS.get(study))


def diff(options: Namespace) -> int:
    """``vernis lab diff A B``."""
    from vernis.workflows.lab.compare import ENDS, compare_runs

    document = compare_runs(options.a, options.b)
    if options.json:
        print_json(document)
        return 0
    for name, (a, b) in document["settings"].items():
        if name == "data.fingerprint":
            a, b = str(a)[:12], str(b)[:12]
        print(f"{name}: {a} → {b}")
    rows = [
        row
        for row in document["rows"]
        if options.all or (row["difference"] and not row["measure"].endswith(ENDS))
    ]
    print_table(rows, [*document["keys"], "measure", "a", "b", "difference", "spread", "exceeds"])
    for side in ("a", "b"):
        for key in document[f"only_{side}"]:
            print(f"only in {side.upper()}: {', '.join(f'{n} {cell(v)}' for n, v in key.items())}")
    judged = [row for row in document["rows"] if row["exceeds"] is not None]
    beyond = sum(row["exceeds"] for row in judged)
    print(f"Different by more than the spread: {beyond} of {counted(len(judged), 'measure')}.")
    return 0
