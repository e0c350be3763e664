"""``vernis learn``: train a head on a taxonomy, or a detector on its boxes.

Its thresholds are tuned and its measures taken out of bag; it is saved with its version. When the
latest model was made from the same labels, vectors, duplicates and settings, it is kept.

``--model detector`` learns from the boxes that people or files gave where each class is, seconds
after fifty pictures were annotated; ``vernis predict TAXONOMY --boxes`` then looks for more.
``--model nanodet`` trains the shipped detector itself on, ``--model ssd`` one of torchvision's kind
(both with the extra ``torch``, in minutes); they are saved, served and used like any other.

``--fine-tune`` (extra ``torch``) trains the last stages of the shipped network itself on the
pictures of the taxonomy instead of a head on its vectors: minutes instead of seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import ModelError, NothingToLearn, UsageError
from vernis.domain.types import Estimate, ModelRecord, Space
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData, layer_slices, space_document
from vernis.verbs.decide.block_choice import BlockChoice, space_of
from vernis.verbs.decide.training_set import FilterEffect, read_training_data
from vernis.verbs.declare import SEED, WHERE, BaseSettings, Option, Screen, Verb, count
from vernis.verbs.networks.backbone_options import NO_FILE
from vernis.verbs.networks.embedding import embed_images
from vernis.verbs.steps.map_vectors import map_vectors
from vernis.verbs.steps.model_metrics import Measures, read_metrics
from vernis.verbs.steps.network_training import NETWORKS

if TYPE_CHECKING:
    from vernis.core.learn.heads import FittedHead, Head
    from vernis.core.learn.network_scores import NetworkScores
    from vernis.core.learn.scaling import BlockScaler
    from vernis.session.session import Session

_METHOD = 3
"""Part of a model's fingerprint: raise it when training changes, and all models are made anew."""

_FEWEST = 4
"""Labelled images below which nothing is trained."""

DEFAULT_MODEL = "kernel"
"""As good as any other or better on every set measured, with and without wrong labels, at the
least cost: docs/decisions/learning.md."""

CONVOLUTIONAL = "fcnn"
"""The model that reads maps instead of the vectors of the current space."""

NETWORK = "fine_tuned"
"""The network itself, its last stages trained on."""

COMPONENTS = {"kernel": 400, CONVOLUTIONAL: 128}
"""Principal components that a model gets when nothing is said; the others get the thesis's 100."""

_FEWER_COMPONENTS = 100

_FEWEST_FOR_A_THRESHOLD = 10
"""A class with fewer known ``yes`` gets the pooled threshold and a note."""

_DRAWS = 200
"""Bootstrap samples of the intervals."""

ModelName = Literal[
    "kernel",
    "bagged_mlp",
    "mlp",
    "logistic",
    "svm",
    "svm_linear",
    "bagged_svm",
    "mlknn",
    "forest",
    "xgboost",
    "stacking",
    "detector",
    "nanodet",
    "ssd",
    "fcnn",
]
DETECTOR: ModelName = "detector"
DETECTORS: tuple[ModelName, ...] = (DETECTOR, *NETWORKS)


@dataclass(frozen=True)
class NetworkSettings(BaseSettings):
    """Parameters of the bagged networks, wherever they take part."""

    _: KW_ONLY
    hidden: Annotated[
        Sequence[int] | None,
        Option("neurons of the hidden layers of the networks, such as 512 or 512,256", joined=True),
    ] = None
    sample_share: Annotated[
        float | None, Option("share of the images that each network sees", above=0, at_most=1)
    ] = None
    batch_size: Annotated[int | None, count("images of a training step of the networks")] = None

    def network_parameters(self) -> dict[str, Any]:
        """Return the parameters that were given."""
        given = {
            "hidden": self.hidden,
            "sample_share": self.sample_share,
            "batch_size": self.batch_size,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Settings(NetworkSettings):
    """How a taxonomy is learned."""

    taxonomy: Annotated[str, Option("the taxonomy")]
    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    model: Annotated[ModelName | None, Option("the classifier (default: kernel)")] = None
    estimators: Annotated[int | None, count("networks of bagged_mlp (default: 5)")] = None
    fine_tune: Annotated[
        bool,
        Option(
            "train the last stages of the shipped network on the pictures instead of a head on "
            "its vectors (extra torch; minutes)"
        ),
    ] = False
    epochs: Annotated[
        int | None,
        count(
            "training epochs (default: 5 of bagged_mlp, 30 of fcnn, 12 of --fine-tune; as many as "
            "1100 steps of nanodet, 400 of ssd or 20 views of a picture take)"
        ),
    ] = None
    components: Annotated[
        int | None,
        count(
            "principal components (default: 400 for kernel, 128 of the channels for fcnn, else "
            "100; 0: all columns)",
            "N",
            0,
        ),
    ] = None
    maps: Annotated[
        str,
        Option(
            "the map that fcnn convolves, as BACKBONE:LAYER (default: the last of the shipped "
            "network)",
            requests=NO_FILE,
        ),
    ] = ""
    objective: Annotated[
        Literal["f1", "f2", "precision"], Option("what the thresholds are tuned for")
    ] = "f1"
    floor: Annotated[
        float, Option("precision that the objective precision keeps", above=0, at_most=1)
    ] = 0.9
    seed: Annotated[int, SEED] = 0

    def head_parameters(self) -> dict[str, Any]:
        """Return the parameters of the model that were given."""
        given = {"n_estimators": self.estimators, "epochs": self.epochs}
        given = {name: value for name, value in given.items() if value is not None}
        return {**given, **self.network_parameters()}

    def model_name(self) -> str:
        """Return the model: the one that was named, else networks where parameters of them are."""
        if self.fine_tune:
            return NETWORK
        return self.model or ("bagged_mlp" if self.head_parameters() else DEFAULT_MODEL)

    def n_components(self) -> int:
        """Return the principal components, 0 for all columns."""
        if self.components is not None:
            return self.components
        return COMPONENTS.get(self.model_name(), _FEWER_COMPONENTS)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """What a head is worth for one class."""

    class_: Annotated[str, "the class"]
    n: Annotated[int, "images that carry it; of a detector: boxes"]
    threshold: Annotated[float | None, "from this probability on it is given"]
    precision: float
    recall: float
    f1: float
    f2: float
    ap: Annotated[float, "average precision; of a detector at an overlap of .50"]


@dataclass(frozen=True, slots=True)
class Result:
    """What learning a taxonomy did."""

    model: Annotated[str, "NAME@VERSION"]
    trained: Annotated[bool, "false: the model of an earlier run is of the same data and settings"]
    head: Annotated[str, "kind of model"]
    images: Annotated[int, "images with a vector; for a detector: all"]
    labelled: Annotated[int, "images with a label; for a detector: with a box"]
    measured: Annotated[
        str, "on which predictions: out-of-bag, or out-of-fold (--fine-tune, boxes)"
    ]
    micro: Measures
    macro: Measures
    classes: tuple[ClassRow, ...]
    notes: Annotated[tuple[str, ...], "what should be known, such as rare classes"]
    effect: Annotated[FilterEffect | None, "with --where: what the filter does"] = None


def fingerprint_of(data: TrainingData, space: Space, settings: Settings) -> str:
    """Return a hash of everything that a model depends on."""
    about = {field.name: getattr(settings, field.name) for field in fields(settings)}
    for name in ("where", "maps", "fine_tune"):
        if not about[name]:
            del about[name]  # a model that was learned without is the same as before
    about |= {"model": settings.model_name(), "components": settings.n_components()}
    parts = (_METHOD, about, space_document(space), data.taxonomy, data.hashes)
    return fingerprint(*parts, data.image_ids, data.Y, data.groups)


def work(session: Session, settings: Settings) -> Result:
    """Train, tune, measure and save the head of a taxonomy.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    NothingToLearn
        If there are too few labelled images, or fewer than two classes among them.
    FilterError, UsageError
        If the filter is wrong or holds for no image.
    """
    _refuse_beside_fine_tuning(settings)
    if settings.model in DETECTORS:
        return _learn_detector(session, settings)
    taxonomy, models, own = settings.taxonomy, session.catalog.models, settings.head_parameters()
    if settings.maps and settings.model_name() != CONVOLUTIONAL:
        raise UsageError(f"--maps goes with --model {CONVOLUTIONAL}; other models read vectors")
    choice: BlockChoice | None = None
    with session.lock(f"learn {taxonomy}"):
        if settings.model_name() == CONVOLUTIONAL:
            space, own["map_shape"] = map_vectors(session, settings.maps)
        else:
            space, choice = space_of(session, taxonomy, settings.seed)
        data, effect = read_training_data(session, taxonomy, space, settings.where, settings.seed)
        _require_labels(data)
        mark = fingerprint_of(data, space, settings)
        latest = models.latest(taxonomy)
        if latest is not None and latest.fingerprint == mark:
            with suppress(ModelError):  # a damaged model is made anew
                _, saved = models.load(latest)
                kept = _result(latest, data, saved["thresholds"], saved["notes"], trained=False)
                return replace(kept, effect=effect)
        if settings.fine_tune:
            data, model, notes = _fine_tuned(session, data, settings)
            space, fitted = data.space, _judged(model, data, settings)
            fitted = replace(fitted, notes=(*notes, *fitted.notes))
        else:
            fitted = _fit(session, data, space, settings, own)
        if choice is not None and not settings.fine_tune:
            fitted = replace(fitted, notes=(*fitted.notes, choice.sentence()))
        if effect is not None:
            fitted = replace(fitted, notes=(effect.sentence(), *fitted.notes))
        record = models.save(
            taxonomy, space.name, fingerprint=mark, **fitted.to_save(data, space, settings)
        )
    result = _result(record, data, fitted.thresholds, fitted.notes, trained=True)
    return replace(result, effect=effect)


def _refuse_beside_fine_tuning(settings: Settings) -> None:
    if not settings.fine_tune:
        return
    given = [name for name in settings.head_parameters() if name != "epochs"]
    given += [n for n in ("model", "maps", "components") if getattr(settings, n) not in (None, "")]
    if given:
        name = {"n_estimators": "estimators"}.get(given[0], given[0]).replace("_", "-")
        raise UsageError(f"--fine-tune trains the shipped network; leave --{name} out")


def _fine_tuned(
    session: Session, data: TrainingData, settings: Settings
) -> tuple[TrainingData, NetworkScores, tuple[str, ...]]:
    """Return the data with the scores of a trained network for vectors, the head, and notes."""
    from vernis.core.learn.network_scores import NetworkScores
    from vernis.verbs.steps.fine_tuning import fine_tune

    name, classes = data.taxonomy.name, data.taxonomy.classes
    tuned = fine_tune(
        session, data, epochs=settings.epochs, seed=settings.seed, task=f"learn {name}"
    )
    reader = session.networks.open_scores(tuned.graph, name, len(classes))
    embed_images(session, [reader], task="scores")
    scored = session.training_data(name, reader.space)
    scored = scored.among(data.image_ids, data.where)
    model = NetworkScores(data.taxonomy.kind, np.frombuffer(tuned.graph, np.uint8), tuned.settings)
    rows = np.flatnonzero(np.isin(scored.image_ids, tuned.image_ids))
    places = np.searchsorted(tuned.image_ids, scored.image_ids[rows])
    model.take(scored.X, rows, tuned.scores[places])
    return scored, model, tuned.notes


def _learn_detector(session: Session, settings: Settings) -> Result:
    from vernis.verbs.steps.detector_learning import DetectorOptions, learn_detector

    network = next((name for name in NETWORKS if name == settings.model), None)
    own = (name for name in ("components", "maps") if getattr(settings, name))
    given = [*settings.head_parameters(), *own]
    if network is not None and "epochs" in given:
        given.remove("epochs")
    if given:
        raise UsageError(f"a detector has no {given[0]}; leave it out")
    names = ("objective", "floor", "seed")
    options = DetectorOptions(
        network, settings.epochs, **{name: getattr(settings, name) for name in names}
    )
    with session.lock(f"learn {settings.taxonomy}"):
        learnt = learn_detector(session, settings.taxonomy, settings.where, options)
    images = len(session.images())
    return _told(
        learnt.record,
        images,
        learnt.pictures,
        learnt.thresholds,
        learnt.notes,
        trained=learnt.trained,
    )


def _result(
    record: ModelRecord,
    data: TrainingData,
    thresholds: Mapping[str, float | None],
    notes: Sequence[str],
    *,
    trained: bool,
) -> Result:
    return _told(record, len(data.image_ids), data.n_labelled, thresholds, notes, trained=trained)


def _told(
    record: ModelRecord,
    images: int,
    labelled: int,
    thresholds: Mapping[str, float | None],
    notes: Sequence[str],
    *,
    trained: bool,
) -> Result:
    metrics = read_metrics(record)
    rows = [
        ClassRow(
            class_=name,
            n=row.n_yes,
            threshold=thresholds.get(name),
            precision=row.precision.value,
            recall=row.recall.value,
            f1=row.f1.value,
            f2=row.f2.value,
            ap=row.average_precision.value,
        )
        for name, row in metrics.classes.items()
    ]
    return Result(
        model=f"{record.name}@{record.version}",
        trained=trained,
        head=metrics.head,
        images=images,
        labelled=labelled,
        measured=metrics.basis,
        micro=metrics.micro,
        macro=metrics.macro,
        classes=tuple(rows),
        notes=tuple(notes),
    )


def _require_labels(data: TrainingData) -> None:
    if data.n_labelled < _FEWEST:
        hint = "run 'vernis embed' first" if data.n_without_vector else "label some images first"
        raise NothingToLearn(
            f"{data.subject} has {counted(data.n_labelled, 'labelled image')} with vectors, "
            f"learning needs {_FEWEST} or more; {hint}"
        )
    n_used = int((data.Y == 1).any(axis=0).sum())
    has_no = bool((data.Y == 0).any())
    if n_used < 2 and (data.taxonomy.kind == "single" or not has_no):
        raise NothingToLearn(
            f"{data.subject} has labels of one class only; there is nothing to tell apart"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A head with its thresholds and measures."""

    arrays: Mapping[str, NDArray[Any]]
    head: Mapping[str, Any]
    thresholds: Mapping[str, float | None]
    metrics: Mapping[str, Any]
    ensemble: NDArray[np.float32]
    oob: NDArray[np.float32]
    notes: tuple[str, ...]

    def to_save(self, data: TrainingData, space: Space, settings: Settings) -> dict[str, Any]:
        """Return the arguments of ``ModelStore.save`` that hold the head."""
        return {
            "arrays": self.arrays,
            "settings": {
                "classes": list(data.taxonomy.classes),
                "kind": data.taxonomy.kind,
                "where": data.where,
                "space": space_document(space),
                "head": self.head,
                "thresholds": self.thresholds,
                "objective": settings.objective,
                "floor": settings.floor,
                "n_labelled": data.n_labelled,
                "n_assumed_no": data.n_assumed,
                "notes": list(self.notes),
            },
            "metrics": self.metrics,
            "predictions": {
                "image_ids": data.image_ids,
                "ensemble": self.ensemble,
                "oob": self.oob,
                "groups": data.groups,
            },
        }


def _trained(
    session: Session,
    data: TrainingData,
    slices: Sequence[tuple[int, int]],
    settings: Settings,
    own: Mapping[str, Any],
) -> tuple[Head, BlockScaler | None]:
    """Return the fitted head, and what scales its vectors where they are of several layers."""
    from vernis.core.learn.heads import fit_head, make_head
    from vernis.core.learn.scaling import BlockScaler

    scaler = BlockScaler(slices).fit_rows(data.vectors) if len(slices) > 1 else None
    model = make_head(
        settings.model_name(),
        data.taxonomy.kind,
        n_components=settings.n_components() or None,
        seed=settings.seed,
        parameters=own,
    )
    task = f"learn {data.taxonomy.name}"
    fit_head(
        model,
        data.vectors if scaler is None else scaler.over(data.vectors),
        data.Y,
        groups=data.groups,
        on_update=lambda done, total: session.progress(task, done, total),
    )
    return model, scaler


def _fit(
    session: Session, data: TrainingData, space: Space, settings: Settings, own: Mapping[str, Any]
) -> _Fitted:
    slices = layer_slices(space)
    model, scaler = _trained(session, data, slices, settings, own)
    fitted = _judged(model, data, settings)
    if scaler is None:
        return fitted
    scales = {"block_mean": scaler.mean_, "block_scale": scaler.scale_}
    head = {**fitted.head, "slices": [list(s) for s in slices]}
    return replace(fitted, arrays={**fitted.arrays, **scales}, head=head)


def _judged(model: FittedHead, data: TrainingData, settings: Settings) -> _Fitted:
    """Tune and measure a head by what it says out of bag."""
    # scikit-learn takes a second to import: only the verbs that learn pay for it
    from vernis.core.learn.evaluation import evaluate
    from vernis.core.learn.heads import notes_of, save_head
    from vernis.core.learn.thresholds import decide_single, tune_thresholds

    arrays, head = save_head(model)
    oob, classes, is_single = (
        model.oob_proba_,
        data.taxonomy.classes,
        data.taxonomy.kind == "single",
    )
    candidates = np.where(decide_single(oob), oob, np.nan) if is_single else oob
    tuned = tune_thresholds(
        data.Y,
        candidates,
        objective=settings.objective,
        precision=settings.floor,
        min_yes=_FEWEST_FOR_A_THRESHOLD,
    )
    free = is_single and settings.objective != "precision"
    values = np.zeros(len(classes)) if free else tuned.values
    decided = candidates >= values
    del candidates  # as large as the predictions
    evaluation = evaluate(
        data.Y, oob, decided, groups=data.groups, n_draws=_DRAWS, seed=settings.seed
    )
    return _Fitted(
        arrays=arrays,
        head=head,
        thresholds={
            c: float(v) if np.isfinite(v) and not free else None
            for c, v in zip(classes, values, strict=True)
        },
        metrics={
            "basis": "out-of-fold" if settings.fine_tune else "out-of-bag",
            "head": settings.model_name(),
            **evaluation.to_dict(list(classes)),
        },
        ensemble=model.ensemble_proba_,
        oob=oob,
        notes=(*notes_of(model), *_notes(data, () if free else tuned.warnings)),
    )


def _notes(data: TrainingData, rare: Any) -> tuple[str, ...]:
    notes = []
    if rare:
        names = [data.taxonomy.classes[w.column] for w in rare]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        notes.append(
            f"{counted(len(names), 'class has', 'classes have')} fewer than {rare[0].needed} "
            f"images, too few for a threshold of their own, and get a common one: {shown}"
        )
    if data.n_assumed:
        one, many = "blank of a labelled image was", "blanks of labelled images were"
        notes.append(
            f"{counted(data.n_assumed, one, many)} taken for 'no'; where the label is only "
            "missing, the precision is better than it looks"
        )
    if data.n_without_vector:
        one, many = "image was not embedded and is", "images were not embedded and are"
        notes.append(f"{counted(data.n_without_vector, one, many)} left out")
    return tuple(notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the measures of all classes together, then of each."""
    facts: dict[str, Any] = {
        "model": result.model,
        "images": result.images,
        "labelled": result.labelled,
        "head": result.head,
        "measured": result.measured,
    }
    names = {"precision": "precision", "recall": "recall", "f1": "f1", "f2": "f2"}
    names["average_precision"] = "ap"
    for average in ("micro", "macro"):
        for measure, name in names.items():
            facts[f"{average} {name}"] = _say(getattr(getattr(result, average), measure))
    screen.facts(facts)
    columns = ["class", "n", "threshold", "precision", "recall", "f1", "f2", "ap"]
    detects = result.head in DETECTORS
    basis = "Out-of-fold boxes" if detects else "Out-of-bag"
    screen.table(result.classes, columns, title=f"{basis}, per class")
    if detects:
        screen.line(f"Next: vernis predict {settings.taxonomy} --boxes")


def _say(estimate: Estimate) -> str:
    if np.isnan(estimate.value) or np.isnan(estimate.low):
        return "not measurable"
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


VERB = Verb(Settings, work, show)
