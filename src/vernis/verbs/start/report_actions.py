"""What the report tells the reader to do first, with the exact commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from vernis.domain.types import DuplicateGroup
from vernis.report.model import Action, ClassMerge, Fill, LabelIssues
from vernis.report.wording import counted, may_be_none, percent, wrong_labels

_READING = ("Read", "label issue")
_MOST_MERGES = 3


def suggest_actions(
    groups: Sequence[DuplicateGroup],
    label_issues: Sequence[LabelIssues],
    fills: Sequence[Fill],
    n_broken: int,
) -> tuple[Action, ...]:
    """Return the actions, safest and most useful first.

    Exact copies come first, since they distort every later figure; then the labels, since what is
    learnt from them fills the gaps; then the gaps; then the files that must be mended by hand.
    """
    actions = [*_about_copies(groups)]
    for issues in sorted(label_issues, key=lambda found: (_perhaps_none(found), -found.n_flagged)):
        actions += [_about_merge(merge) for merge in issues.merges[:_MOST_MERGES]]
        if issues.n_flagged:
            actions.append(_about_labels(issues))
    for fill in sorted(fills, key=lambda found: -found.n_suggested):
        if fill.n_suggested:
            actions.append(_about_fill(fill))
    if n_broken:
        actions.append(
            Action(
                f"Mend or replace {counted(n_broken, 'broken file')}",
                "The reason stands beside each; the next run takes up what was mended.",
                "vernis status",
                "broken",
            )
        )
    return tuple(actions)


def _about_copies(groups: Sequence[DuplicateGroup]) -> list[Action]:
    exact = sum(len(g.images) - 1 for g in groups if g.kind != "near")
    near = sum(len(g.images) - 1 for g in groups if g.kind == "near")
    actions = []
    if exact:
        actions.append(
            Action(
                f"Move {counted(exact, 'exact copy', 'exact copies')} to the trash folder",
                "Same bytes or same pixels as a picture that stays. This only shows what would "
                "move; without --dry-run it moves, and vernis restore brings back.",
                "vernis trash --duplicates --dry-run",
                "duplicates",
            )
        )
    if near:
        actions.append(
            Action(
                f"Look at {counted(near, 'near duplicate')}",
                "Scaled, cropped, turned or recompressed pictures of the same thing.",
                "vernis duplicates",
                "duplicates",
            )
        )
    return actions


def _about_merge(merge: ClassMerge) -> Action:
    return Action(
        f"Decide whether '{merge.label}' and '{merge.into}' are one",
        f"Nothing tells the {counted(merge.n_images, 'picture')} of '{merge.label}' from those of "
        f"'{merge.into}'. If they are one class, this makes them so; vernis undo takes it back.",
        merge.command,
        "label-issues",
    )


def _about_labels(issues: LabelIssues) -> Action:
    name = shlex.quote(issues.taxonomy)
    limit = min(issues.depth or issues.n_flagged, issues.n_flagged)
    why = "Mark them in this page and copy the commands, or list them here."
    if issues.wrong is not None and math.isfinite(issues.wrong.value):
        why = f"{wrong_labels(issues.wrong)}. {why}"
    doing, noun = ("Look at", "most suspicious label") if _perhaps_none(issues) else _READING
    which = counted(limit, noun) if limit > 1 else noun
    return Action(
        f"{doing} the {which} of {issues.taxonomy}",
        why,
        f"vernis issues {name} --limit {limit}",
        "label-issues",
    )


def _perhaps_none(issues: LabelIssues) -> bool:
    return issues.wrong is not None and may_be_none(issues.wrong)


def _about_fill(fill: Fill) -> Action:
    name = shlex.quote(fill.taxonomy)
    promise = "" if math.isnan(fill.precision) else f" --precision {fill.precision:g}"
    held = "" if math.isnan(fill.precision) else f" at a precision of {percent(fill.precision)}"
    return Action(
        f"Fill in {counted(fill.n_suggested, 'label')} of {fill.taxonomy}",
        f"Takes the filling rate from {percent(fill.before)} to {percent(fill.after)}{held}. "
        "Best after the label issues are settled; vernis undo takes it back.",
        f"vernis fill {name}{promise} --apply",
        "fill",
    )
