"""Whether the pictures tell the classes of a taxonomy apart, and which classes are one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.ports import Rows
from vernis.domain.types import Learnability, TaxonomyKind
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData, layer_slices, space_document

if TYPE_CHECKING:
    from vernis.core.labels.class_faults import ClassFault, ClassView
    from vernis.core.words.merges import Merge
    from vernis.session.session import Session

Slip = tuple[int, int]
"""A class that is perhaps a slip of the pen, and the one that is meant."""

_SPELLED_ALIKE = ("case", "plural", "misspelling")
_SURELY_ALIKE = 0.9
"""Score of a merge by spelling, see ``core.words.merges``."""
_LIKELY_ALIKE = 0.75
"""From this score on a class that another one is ten times as large as is a slip of the pen."""
_FAR_LARGER = 10
_LISTED = 3


@dataclass(frozen=True, slots=True)
class ClassMerge:
    """A class that is wrong as a whole: it is another one, by its pictures or its spelling."""

    label: str
    into: Annotated[str, "the class that it looks like"]
    images: Annotated[int, "images with the label"]
    kind: Annotated[str, "looks: by its pictures; case, plural or misspelling: by its name"]
    command: Annotated[str, "merges the two"]


@dataclass(frozen=True, slots=True)
class ToldApart:
    """What the pictures tell of a taxonomy; it is not tested where all labels are the same."""

    VERSION: ClassVar[int] = 2  # raise it when the findings change: all is looked at anew

    taxonomy: str
    tested: Annotated[bool, "false: all images carry the same labels"]
    whole: Annotated[Learnability, "of the classes that are judged, merged ones as one"]
    classes: Mapping[str, Learnability]
    untold: Annotated[tuple[str, ...], "classes that the pictures do not tell from the others"]
    merges: Annotated[tuple[ClassMerge, ...], "classes that are wrong as a whole"]
    slips: Annotated[
        Mapping[str, str],
        "class → a far larger one that it is perhaps a misspelling of; it is never suggested",
    ] = field(default_factory=dict)

    @property
    def is_judged(self) -> bool:
        """Whether single labels can be called wrong, or filled in, at all."""
        return self.whole.verdict == "yes" or not (self.tested or self.merges)

    def sentences(self) -> list[str]:
        """Return what a person should know before any label is called wrong."""
        said = [
            f"'{merge.label}' looks like '{merge.into}': {counted(merge.images, 'image')}; if they "
            f"are one: {merge.command}"
            for merge in self.merges[:_LISTED]
        ]
        if len(self.merges) > _LISTED:
            said.append(
                f"{len(self.merges) - _LISTED:,} more classes look like another one: "
                f"vernis vocabulary {shlex.quote(self.taxonomy)} --merges"
            )
        if not self.tested:
            return said
        if self.whole.verdict == "no":
            said.append(
                f"the pictures do not tell the classes of '{self.taxonomy}' apart, so by them none "
                "of its labels is called wrong and none is filled in"
            )
        elif self.whole.verdict == "unclear":
            said.append(
                f"the pictures do not tell the classes of '{self.taxonomy}' apart as far as "
                f"{counted(self.whole.n_images, 'labelled image')} can show it, so by them "
                "none of its labels is called wrong and none is filled in; label more to be sure"
            )
        elif self.untold:
            names = ", ".join(f"'{name}'" for name in self.untold[:_LISTED])
            more = len(self.untold) - _LISTED
            names += f" and {more:,} more" if more > 0 else ""
            said.append(
                f"the pictures do not tell {names} from the other classes of '{self.taxonomy}', so "
                "no such label is called wrong, and none is suggested"
            )
        return said


def features_of(data: TrainingData, seed: int) -> Rows:
    """Return what the kernel compares images by: every layer of the space weighs the same.

    Of very many images the rows are made where they are asked for.
    """
    from vernis.core.numeric.components import combine_rows

    return combine_rows(data.vectors, layer_slices(data.space), seed=seed)


def known_states(data: TrainingData) -> NDArray[np.float32]:
    """Return 1, 0 or NaN for the images that carry a label, NaN for the others."""
    labelled = (data.Y == 1).any(axis=1)
    return np.where(labelled[:, None], data.Y, np.float32(np.nan))


def as_given(kind: TaxonomyKind, states: NDArray[np.float32]) -> NDArray[Any]:
    """Return labels as the core takes them: indices for one label an image, -1 unknown."""
    if kind == "multi":
        return states
    labelled = (states == 1).any(axis=1)
    return np.where(labelled, np.nan_to_num(states).argmax(axis=1), -1).astype(np.int64)


class LeaveOut:
    """What the kernel says of each image without it and its duplicates, images without label too.

    It is made when it is first asked for.

    Parameters
    ----------
    data : TrainingData
    seed : int
    """

    def __init__(self, data: TrainingData, seed: int) -> None:
        self.data, self._seed = data, seed

    @cached_property
    def features(self) -> Rows:
        """What the kernel compares images by."""
        return features_of(self.data, self._seed)

    @cached_property
    def of_all_classes(self) -> NDArray[np.float32]:
        """Probabilities of every class, shape (n_images, n_classes)."""
        return self._predicted(known_states(self.data))

    def seen_by(self, view: ClassView) -> NDArray[np.float32]:
        """Return probabilities of the classes as they are judged."""
        if view.is_plain:
            return self.of_all_classes
        return self._predicted(view.reduce(known_states(self.data)))

    def _predicted(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        from vernis.core.labels.predictions import predict_labels

        kind, groups = self.data.taxonomy.kind, self.data.groups
        return predict_labels(self.features, states, kind=kind, groups=groups, seed=self._seed)


def tell_apart(
    session: Session, data: TrainingData, seed: int = 0, said: LeaveOut | None = None
) -> ToldApart:
    """Return what the pictures tell of a taxonomy, from the last time where nothing changed.

    What the kernel ``said`` of the images can be handed in, so that it is not made twice.
    """
    from vernis.verbs.see.label_merges import dismissed_merges

    name = data.taxonomy.name
    result = f"told_apart:{name}" + (f" where {data.where}" if data.where else "")
    dismissed = sorted(tuple(sorted(pair)) for pair in dismissed_merges(session, name))
    about = [space_document(data.space), data.taxonomy, data.hashes, seed, dismissed]
    mark = fingerprint(*about, data.image_ids, data.Y, data.groups)
    kept = session.results.find(result, ToldApart, mark)
    if kept is None:
        kept = _measure(session, said or LeaveOut(data, seed), dismissed, seed)
        session.results.keep(result, kept, mark)
    return kept


def view_of(told: ToldApart | None, classes: Sequence[str]) -> ClassView:
    """Return the classes as they are judged."""
    from vernis.core.labels.class_faults import ClassFault, ClassView

    if told is None:
        return ClassView.of(len(classes))
    place = {name: k for k, name in enumerate(classes)}
    faults = [ClassFault(place[m.label], place[m.into], m.images) for m in told.merges]
    return ClassView.of(len(classes), [place[name] for name in told.untold], faults)


def slips_of(told: ToldApart | None, classes: Sequence[str], view: ClassView) -> list[Slip]:
    """Return the misspelt classes that are judged apart from the one that is meant."""
    if told is None:
        return []
    place = {name: k for k, name in enumerate(classes)}
    pairs = [(place[label], place[into]) for label, into in told.slips.items()]
    return [
        (label, int(view.into[into]))
        for label, into in pairs
        if view.into[label] == label and view.into[into] >= 0
    ]


def _measure(
    session: Session,
    said: LeaveOut,
    dismissed: Sequence[tuple[str, ...]],
    seed: int,
) -> ToldApart:
    from vernis.core.labels.learnability import measure_learnability

    data, features = said.data, said.features
    states, kind, names = known_states(data), data.taxonomy.kind, data.taxonomy.classes
    given = as_given(kind, states)
    found = measure_learnability(features, given, groups=data.groups, seed=seed)
    alike = _spelled_alike(session, said)
    merges = _merges(said, alike, dismissed, seed)
    place = {name: k for k, name in enumerate(names)}
    untold = [k for k in found.denied if found.whole.verdict == "yes"]
    joined = {place[merge.label] for merge in merges} | {place[merge.into] for merge in merges}
    untold = [k for k in untold if k not in joined]
    slips = {
        one.label: one.into
        for one in alike
        if place[one.label] not in joined and _FAR_LARGER * one.count <= one.into_count
    }
    told = ToldApart(
        taxonomy=data.taxonomy.name,
        tested=vary(states),
        whole=found.whole,
        classes=dict(zip(names, found.classes, strict=False)),
        untold=tuple(names[k] for k in untold),
        merges=merges,
        slips=slips,
    )
    if not (merges or untold):
        return told
    reduced = view_of(told, names).reduce(states)
    again = measure_learnability(features, as_given(kind, reduced), groups=data.groups, seed=seed)
    return replace(told, tested=vary(reduced), whole=again.whole)


def vary(states: NDArray[np.float32]) -> bool:
    """Tell whether the images with a label have different ones."""
    labelled = np.flatnonzero((states == 1).any(axis=1))
    if not len(labelled):
        return False
    first = states[labelled[0]]
    differs = (states != first) & ~(np.isnan(states) & np.isnan(first))
    return bool(differs[labelled].any())


def _spelled_alike(session: Session, said: LeaveOut) -> list[Merge]:
    """Return the classes that are probably another one by their spelling."""
    from vernis.verbs.see.label_merges import find_merges

    data = said.data
    found = find_merges(session, data.taxonomy.name, data.space, min_score=_LIKELY_ALIKE)
    return [one for one in found if one.kind in _SPELLED_ALIKE]


def _merges(
    said: LeaveOut,
    alike: Sequence[Merge],
    dismissed: Sequence[tuple[str, ...]],
    seed: int,
) -> tuple[ClassMerge, ...]:
    """Return the classes that are another one: by their pictures, then by their spelling."""
    data = said.data
    names, taxonomy = data.taxonomy.classes, data.taxonomy.name
    found: dict[frozenset[str], tuple[str, str, int, str]] = {}
    for fault in _faults_by_looks(said, dismissed, seed):
        label, into = names[fault.label], names[fault.into]
        found[frozenset((label, into))] = (label, into, fault.n_images, "looks")
    for one in alike:
        if one.score < _SURELY_ALIKE:
            continue
        carriers = one.count  # in the whole collection
        if data.where:
            carriers = int((data.Y[:, names.index(one.label)] == 1).sum())
        if carriers:
            pair = frozenset((one.label, one.into))
            found[pair] = (one.label, one.into, carriers, one.kind)
    return tuple(
        ClassMerge(*said, command=_merge_command(taxonomy, said[0], said[1]))
        for said in sorted(found.values(), key=lambda said: (-said[2], said[0]))
    )


def _merge_command(taxonomy: str, label: str, into: str) -> str:
    pair = shlex.quote(f"{label}>{into}")
    return f"vernis vocabulary {shlex.quote(taxonomy)} --accept-merge {pair}"


def _faults_by_looks(
    said: LeaveOut, dismissed: Sequence[tuple[str, ...]], seed: int
) -> tuple[ClassFault, ...]:
    """Compare classes by their pictures, where an image has one of them."""
    from vernis.core.labels.class_faults import find_class_faults

    data = said.data
    if data.taxonomy.kind != "single":
        return ()
    given = as_given("single", known_states(data)).astype(np.int64)
    if len(np.unique(given[given >= 0])) < 3:
        return ()  # two classes that look alike, and nothing beside them, tell nothing
    probs = said.of_all_classes
    place = {name: k for k, name in enumerate(data.taxonomy.classes)}
    apart = [(place[a], place[b]) for a, b in dismissed if a in place and b in place]
    return find_class_faults(
        said.features, given, probs, groups=data.groups, apart=apart, seed=seed
    )
