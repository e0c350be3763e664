"""A random sample that a person judges, and what it says about the labels of the collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.truth import count_changes, measure_labels
from vernis.core.numeric.sampling import draw_sample
from vernis.domain.errors import InvalidLabels, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import ImageRecord, LabelState, Statement, Taxonomy
from vernis.workflows.fill import describe_sampled_basis

NOTHING = "(none)"
"""What a person writes when an image carries no class of the taxonomy."""

_KEYS, _OFFERED = 9, 6
"""Classes that the page can offer by key, and those that it offers first of more."""

_SOURCES = ("given", "reader", "api", "proposal")


@dataclass(frozen=True, slots=True)
class SampledImage:
    """One image to judge. Labels are tuples of classes, empty where there are none.

    ``given`` is what stood before anybody cleaned; ``cleaned`` has the suspected labels replaced
    and the missing ones filled as suggested; ``predicted`` is what the head says of the image
    without having seen it; ``offered`` are the classes that the page shows first.
    """

    image: str
    content_hash: str
    given: tuple[str, ...]
    cleaned: tuple[str, ...]
    predicted: tuple[str, ...]
    offered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TruthSample:
    """A sample as its folder stores it.

    Attributes
    ----------
    taxonomy, kind : str
    classes : tuple of str
    seed : int
    population : int
        Present images at the time.
    images : tuple of SampledImage
        In random order: whoever judges the first hundred has judged a random hundred.
    """

    taxonomy: str
    kind: str
    classes: tuple[str, ...]
    seed: int
    population: int
    images: tuple[SampledImage, ...] = field(default_factory=tuple)


def draw_truth_sample(
    catalog: Catalog, taxonomy: str, *, size: int = 300, seed: int = 0
) -> TruthSample:
    """Draw a random sample, stratified by the label.

    Parameters
    ----------
    catalog : Catalog
        Only read.
    taxonomy : str
    size : int
    seed : int

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        The collection holds no image, or ``size`` is below 1.
    """
    if size < 1:
        raise UsageError(f"expected a sample of at least 1 image, got {size}")
    matrix = catalog.labels.matrix(taxonomy)
    if not len(matrix.image_ids):
        raise UsageError("the collection holds no readable image to judge")
    yes = matrix.values == 1
    # The rarest class of an image is its stratum, so that rare classes are drawn evenly.
    rarity = np.where(yes, yes.sum(axis=0)[None, :], np.iinfo(np.int64).max)
    strata = np.where(yes.any(axis=1), rarity.argmin(axis=1), -1) if yes.shape[1] else yes[:, 0]
    rows = draw_sample(strata, size, seed=seed)
    chosen = catalog.images.get(matrix.image_ids[rows].tolist())
    given = {image.id: _given(catalog, taxonomy, image) for image in chosen}
    cleaned = _cleaned(catalog, taxonomy, given)
    predicted, likely = _predicted(catalog, matrix.taxonomy, given)
    usual = [matrix.taxonomy.classes[column] for column in np.argsort(-yes.sum(axis=0))]
    return TruthSample(
        taxonomy=taxonomy,
        kind=matrix.taxonomy.kind,
        classes=matrix.taxonomy.classes,
        seed=seed,
        population=len(matrix.image_ids),
        images=tuple(
            SampledImage(
                image.uri,
                image.content_hash,
                given[image.id],
                cleaned[image.id],
                predicted[image.id],
                _offer(
                    matrix.taxonomy.classes,
                    {*given[image.id], *cleaned[image.id], *predicted[image.id]},
                    (*likely.get(image.id, ()), *usual),
                ),
            )
            for image in chosen
        ),
    )


def _given(catalog: Catalog, taxonomy: str, image: ImageRecord) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                said.label
                for source, said in catalog.labels.statements(taxonomy, image.id)
                if said.state == "yes" and source.startswith(_SOURCES)
            }
        )
    )


def _cleaned(
    catalog: Catalog, taxonomy: str, given: Mapping[int, tuple[str, ...]]
) -> dict[int, tuple[str, ...]]:
    labels = dict(given)
    for issue in catalog.issues.select(("label",), taxonomy):
        if issue.image_id in labels and issue.verdict != "dismissed":
            labels[issue.image_id] = tuple(issue.evidence.get("suggested", ()))
    filled: dict[int, list[str]] = {}
    for suggestion in catalog.issues.suggestions(taxonomy):
        if suggestion.image_id in labels and suggestion.promised:
            filled.setdefault(suggestion.image_id, []).append(suggestion.label)
    for image, found in filled.items():
        labels[image] = tuple(sorted({*labels[image], *found}))
    return labels


def _predicted(
    catalog: Catalog, taxonomy: Taxonomy, given: Mapping[int, tuple[str, ...]]
) -> tuple[dict[int, tuple[str, ...]], dict[int, tuple[str, ...]]]:
    """Return what the newest head says, out of bag, and its classes by probability.

    Nothing where there is no head yet.
    """
    said: dict[int, tuple[str, ...]] = dict.fromkeys(given, ())
    record = catalog.models.latest(taxonomy.name)
    if record is None:
        return said, {}
    _, settings = catalog.models.load(record)
    stored = catalog.models.predictions(record)
    place = {int(image): row for row, image in enumerate(stored["image_ids"])}
    known = [image for image in given if image in place]
    rows = np.asarray([place[image] for image in known], np.int64)
    probabilities = np.where(
        np.isfinite(stored["oob"][rows]), stored["oob"][rows], stored["ensemble"][rows]
    )
    classes = [str(name) for name in settings["classes"]]
    decided = _decide(probabilities, taxonomy.kind, settings.get("thresholds") or {}, classes)
    best = np.argsort(-probabilities, axis=1)[:, :_OFFERED]
    likely = {}
    for image, yes, first in zip(known, decided, best, strict=True):
        said[image] = tuple(np.asarray(classes)[yes].tolist())
        likely[image] = tuple(np.asarray(classes)[first].tolist())
    return said, likely


def _offer(classes: Sequence[str], claimed: set[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to offer first, in alphabetical order: neither order nor number tells.

    All where the keys 1 to 9 reach them, else the claimed ones among others that are likely.
    """
    if len(classes) <= _KEYS:
        return tuple(sorted(classes))
    offered = {name for name in claimed if name in classes}
    for name in others:
        if len(offered) >= _OFFERED:
            break
        if name in classes:
            offered.add(name)
    return tuple(sorted(offered))


def _decide(
    probabilities: NDArray[np.floating[Any]],
    kind: str,
    thresholds: Mapping[str, float | None],
    classes: Sequence[str],
) -> NDArray[np.bool_]:
    if kind == "single":
        best = probabilities.argmax(axis=1) if len(classes) else np.zeros(len(probabilities), int)
        return np.asarray(np.arange(len(classes))[None, :] == best[:, None])
    cuts = np.asarray([thresholds.get(name) or 0.5 for name in classes])
    return np.asarray(probabilities >= cuts)


def sample_key(sample: TruthSample) -> str:
    """Return a short name that differs between samples."""
    return hashlib.sha256(repr(sample).encode("utf-8", "replace")).hexdigest()[:16]


def sample_document(sample: TruthSample) -> dict[str, Any]:
    """Return the sample as JSON-able."""
    return asdict(sample)


def sample_from(document: Mapping[str, Any]) -> TruthSample:
    """Return the sample of ``sample_document``; raises UsageError when it is damaged."""
    try:
        images = tuple(
            SampledImage(
                str(row["image"]),
                str(row["content_hash"]),
                given=tuple(map(str, row["given"])),
                cleaned=tuple(map(str, row["cleaned"])),
                predicted=tuple(map(str, row["predicted"])),
                offered=tuple(map(str, row.get("offered", ()))),
            )
            for row in document["images"]
        )
        return TruthSample(
            taxonomy=str(document["taxonomy"]),
            kind=str(document["kind"]),
            classes=tuple(map(str, document["classes"])),
            seed=int(document["seed"]),
            population=int(document["population"]),
            images=images,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("the sample is damaged; draw a new one: vernis lab sample") from error


# --------------------------------------------------------------------------- what a person found


def record_truth(
    catalog: Catalog, sample: TruthSample, judged: Mapping[str, tuple[str, ...]], *, who: str
) -> dict[str, Any]:
    """Record what a person found as ``human`` labels, and compare the labels with it.

    Parameters
    ----------
    catalog : Catalog
    sample : TruthSample
    judged : mapping of str to tuple of str
        Image → its true classes, none of them when it carries none; images that are not in it
        were not judged.
    who : str

    Returns
    -------
    dict
        ``taxonomy``, ``judged``, ``sample``, ``population``, ``batch``, ``measures`` (given,
        cleaned and predicted labels against the truth), ``changes``: see ``core.learn.truth``, and
        ``notes``: images that changed since the sample was drawn and were left out, and what a fill
        now rests on.

    Raises
    ------
    InvalidLabels
        A judged image is not of the sample, or a class is not of the taxonomy.
    UsageError
        Nothing was judged, or all that was has changed since the sample was drawn.
    """
    rows, ids, notes = _find_as_sampled(catalog, _check_judgement(sample, judged))
    statements: list[Statement] = []
    for image, row in zip(ids, rows, strict=True):
        statements += _statements(sample, image, judged[row.image])
    with catalog.lock(f"truth {sample.taxonomy}"), catalog.transaction():
        batch = catalog.labels.record(
            sample.taxonomy,
            statements,
            source=f"human:{who}",
            verb="truth",
            note=f"{len(rows)} of a random sample of {len(sample.images)}",
        )
        mark = hashlib.sha256(repr((sample, sorted(judged.items()))).encode()).hexdigest()
        before = catalog.runs.summary(f"truth:{sample.taxonomy}") or {}
        known = sorted({*before.get("image_ids", []), *ids})
        catalog.runs.finish(f"truth:{sample.taxonomy}", mark, {"image_ids": known})
    return {
        "taxonomy": sample.taxonomy,
        "judged": len(rows),
        "sample": len(sample.images),
        "population": sample.population,
        "batch": batch,
        **compare_with_truth(sample, rows, judged),
        "notes": [*notes, describe_sampled_basis(catalog, sample.taxonomy)],
    }


def compare_with_truth(
    sample: TruthSample, rows: Sequence[SampledImage], judged: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return ``measures`` and ``changes`` of the judged images; see ``core.learn.truth``."""
    truth = _table(sample, [judged[row.image] for row in rows])
    tables = {
        "given": _table(sample, [row.given for row in rows]),
        "cleaned": _table(sample, [row.cleaned for row in rows]),
        "predicted": _table(sample, [row.predicted for row in rows]),
    }
    return {
        "measures": {
            name: measure_labels(truth, table, population=sample.population, seed=sample.seed)
            for name, table in tables.items()
        },
        "changes": count_changes(truth, tables["given"], tables["cleaned"], sample.population),
    }


def _check_judgement(
    sample: TruthSample, judged: Mapping[str, tuple[str, ...]]
) -> list[SampledImage]:
    if not judged:
        raise UsageError(
            f"no image is judged yet; write the true {sample.taxonomy} of each image into the "
            f"column 'truth', or {NOTHING} where it has none; or judge them on the page"
        )
    of_sample = {row.image: row for row in sample.images}
    for image, labels in judged.items():
        if image not in of_sample:
            raise InvalidLabels(f"'{image}' is not an image of this sample; leave its row out")
        for label in labels:
            if label not in sample.classes:
                raise InvalidLabels(
                    f"'{image}': '{label}' is no class of {sample.taxonomy}; the classes are "
                    f"{', '.join(sample.classes[:20])}{', …' if len(sample.classes) > 20 else ''}"
                )
        if sample.kind == "single" and len(labels) > 1:
            raise InvalidLabels(
                f"'{image}': {sample.taxonomy} takes one class an image, got {' | '.join(labels)}"
            )
    return [row for row in sample.images if row.image in judged]


def _find_as_sampled(
    catalog: Catalog, rows: Sequence[SampledImage]
) -> tuple[list[SampledImage], list[int], list[str]]:
    """Return the images that are as they were drawn, their ids, and a note on each other one."""
    kept, ids, notes = [], [], []
    for row in rows:
        try:
            image = catalog.images.find(row.image)
        except NotFound:
            notes.append(f"left out {row.image}: it is no more in the collection")
            continue
        if image.content_hash == row.content_hash:
            kept.append(row)
            ids.append(image.id)
        else:
            notes.append(f"left out {row.image}: it has changed since the sample was drawn")
    if not kept:
        raise UsageError(f"{notes[0]}; draw a new sample: vernis lab sample")
    return kept, ids, notes


def _statements(sample: TruthSample, image: int, truth: tuple[str, ...]) -> list[Statement]:
    """Every class is judged: those that the image does not carry are ``no``.

    Where an image carries one label at most, that label says so of the others.
    """
    if sample.kind == "single" and truth:
        return [Statement(image, truth[0], "yes")]
    states: dict[str, LabelState] = dict.fromkeys(sample.classes, "no")
    states.update(dict.fromkeys(truth, "yes"))
    return [Statement(image, name, state) for name, state in sorted(states.items())]


def _table(sample: TruthSample, labels: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
    column = {name: number for number, name in enumerate(sample.classes)}
    table = np.zeros((len(labels), len(column)), bool)
    for row, names in enumerate(labels):
        table[row, [column[name] for name in names if name in column]] = True
    return table
