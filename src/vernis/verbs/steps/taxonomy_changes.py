"""Change what a taxonomy is: its name, kind and description, whether it counts at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.decide.brand_reading import BrandList
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.fill_summary import FillSummary
from vernis.verbs.decide.judged_count import carry_judged
from vernis.verbs.decide.label_judgement import LabelJudgement
from vernis.verbs.see.label_merges import dismiss_merges, dismissed_merges
from vernis.verbs.steps.folder_classes import FOLDERS, follow_new_name, forget_folder_classes

if TYPE_CHECKING:
    from vernis.session.session import Session

_KINDS = {"single": "one label an image", "multi": "several labels an image"}


@dataclass(frozen=True, slots=True)
class TaxonomyChanges:
    """What is changed, by the present name of each taxonomy."""

    ignored: Mapping[str, bool] = field(default_factory=dict)
    closed: Mapping[str, bool] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def by_taxonomy(self) -> dict[str, dict[str, Any]]:
        """Return the attributes that each taxonomy gets."""
        found: dict[str, dict[str, Any]] = {}
        given: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("ignored", self.ignored),
            ("closed", self.closed),
            ("kind", self.kinds),
            ("description", self.descriptions),
            ("name", self.names),
            ("removed", dict.fromkeys(self.removed, True)),
        )
        for attribute, values in given:
            for name, value in values.items():
                found.setdefault(name, {})[attribute] = value
        return found


def change_taxonomies(
    session: Session, changes: TaxonomyChanges, *, who: str = ""
) -> tuple[int, tuple[str, ...]]:
    """Make changes of taxonomies, as one batch that undo takes back.

    Parameters
    ----------
    session : Session
    changes : TaxonomyChanges
    who : str
        The person; default the login name.

    Returns
    -------
    batch : int
        0 when nothing changed.
    said : tuple of str
        What was changed, one sentence each.

    Raises
    ------
    NotFound
        There is no taxonomy of a name.
    UsageError
        A name is taken or blank, a kind is none, or images carry more labels than it allows.
    """
    wanted = changes.by_taxonomy()
    if not wanted:
        return 0, ()
    labels, batch = session.catalog.labels, 0
    said: list[str] = []
    with session.lock("taxonomies"):
        for name, attributes in wanted.items():
            _require_possible(session, name, attributes)
        note = "; ".join(_say(n, k, v) for n, of in wanted.items() for k, v in of.items())[:200]
        with session.catalog.transaction():
            for name, attributes in wanted.items():
                taxonomy = labels.taxonomy(name)
                made = labels.change_taxonomy(
                    name, attributes, source=by(who), verb="taxonomies", note=note
                )
                asked = [_say(name, key, value) for key, value in attributes.items()]
                said += asked if made else [f"{name}: nothing to change"]
                batch = max(batch, made)
                if "name" in attributes and made:
                    _carry_results(session, name, attributes["name"])
                    if taxonomy.origin == FOLDERS:
                        follow_new_name(session, name, attributes["name"])
                if attributes.get("removed") and taxonomy.origin == FOLDERS:
                    forget_folder_classes(session)
    return batch, tuple(said)


def _require_possible(session: Session, name: str, attributes: Mapping[str, Any]) -> None:
    session.catalog.labels.taxonomy(name)
    if not attributes.get("name", name).strip():
        raise UsageError(f"the new name of '{name}' is blank")
    kind = attributes.get("kind")
    if kind is None:
        return
    if kind not in _KINDS:
        raise UsageError(f"expected {name}=single or {name}=multi, got {name}={kind}")
    if kind == "single":
        _require_one_label(session, name)


def _require_one_label(session: Session, name: str) -> None:
    matrix = session.matrix(name)
    several = matrix.image_ids[(matrix.values == 1).sum(axis=1) > 1].tolist()
    if several:
        first = session.uris_of(several[:1])[several[0]]
        raise UsageError(
            f"{counted(len(several), 'image carries', 'images carry')} several labels of '{name}', "
            f"such as {first}; leave each one label first"
        )


def _say(name: str, attribute: str, value: Any) -> str:
    if attribute == "kind":
        return f"{name}: {_KINDS[value]}"
    if attribute == "name":
        return f"{name} is now named {value}"
    if attribute == "description":
        return f"{name}: {value}" if value else f"{name} has no description"
    words = {
        ("ignored", True): "is ignored",
        ("ignored", False): "is not ignored any more",
        ("closed", True): "is closed: blanks of a labelled image mean no",
        ("closed", False): "is open: blanks mean unknown",
        ("removed", True): "is removed",
    }
    return f"{name} {words[attribute, value]}"


def _carry_results(session: Session, old: str, new: str) -> None:
    """Let what was found under the old name be found under the new one until the next run."""
    judged = session.results.find(f"label_issues:{old}", LabelJudgement)
    if judged is not None:
        session.results.keep(f"label_issues:{new}", replace(judged, taxonomy=new))
    carry_judged(session, old, new)
    apart = dismissed_merges(session, old)
    if apart:
        dismiss_merges(session, new, [(min(pair), max(pair)) for pair in apart])
    listed = session.results.find(f"brands:{old}", BrandList)
    if listed is not None:
        session.results.keep(f"brands:{new}", replace(listed, taxonomy=new))
    filled = session.results.find(f"fill:{old}", FillSummary)
    if filled is not None:
        session.results.keep(f"fill:{new}", replace(filled, taxonomy=new))
