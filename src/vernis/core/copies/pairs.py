"""Find all pairs of near duplicates: propose, align, verify, follow chains of transforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.alignment import Placements
from vernis.core.copies.blocks import BLOCK, slices
from vernis.core.copies.candidates import (
    describe_turns,
    propose_by_embedding,
    propose_by_turns,
)
from vernis.core.copies.cascade import (
    Checked,
    Pyramid,
    best_of,
    verify_chain,
    verify_guesses,
)
from vernis.core.copies.correspondence import Overlay
from vernis.core.copies.families import Families
from vernis.core.copies.fingerprints import Fingerprints, shrink
from vernis.core.copies.guesses import (
    choose_crops,
    describe_small,
    guess_orientations,
    place_crops,
)
from vernis.core.copies.verification import name_transforms
from vernis.core.copies.votes import propose_by_keypoints
from vernis.core.numeric.threads import in_threads
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

if TYPE_CHECKING:
    from vernis.core.copies.close_look import CloseLook, Pair, Seen
    from vernis.core.copies.comparison import VariantReason

Report = Callable[[int, int], None]
"""Receives the number of verified candidates and their total."""


@dataclass(frozen=True, slots=True)
class NearSettings:
    """What counts as a near duplicate.

    Attributes
    ----------
    threshold : float
        Least similarity, 0..1. See docs/decisions/duplicates.md for what it means on real sets.
    bridged_threshold : float
        Least similarity of two pictures that both reach ``threshold`` with a third one: a turned
        crop and a covered copy resemble one another less than either resembles the original.
    turn_neighbors : int
        Candidates per image by small pictures in eight orientations.
    embedding_neighbors : int
        Candidates per image by embedding.
    keypoint_neighbors : int
        Candidates per image by keypoints that it shares with others.
    seed : int
        Draws samples and partitions.
    """

    threshold: float = 0.85
    bridged_threshold: float = 0.55
    turn_neighbors: int = 8
    embedding_neighbors: int = 8
    keypoint_neighbors: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.bridged_threshold <= self.threshold < 1.0:
            raise InvalidValue(
                "expected 0 < bridged threshold <= threshold < 1, got "
                f"{self.bridged_threshold!r} and {self.threshold!r}"
            )
        if min(self.turn_neighbors, self.embedding_neighbors, self.keypoint_neighbors) < 1:
            raise InvalidValue(
                "expected one neighbour or more, got "
                f"{self.turn_neighbors!r}, {self.embedding_neighbors!r} and "
                f"{self.keypoint_neighbors!r}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class NearPairs:
    """Verified pairs.

    Attributes
    ----------
    pairs : ndarray of int64, shape (n_pairs, 2)
        Rows a < b, sorted.
    similarity : ndarray of float32, shape (n_pairs,)
        0..1.
    transforms : tuple of str
        How a became b: an orientation and changes joined by ``+``, such as ``rot90+gray``.
    reasons : tuple of str
        Of pairs that are no copies but pictures of one template or article, what differs; see
        ``comparison``. Empty for copies.
    matches : ndarray of int64, shape (n_pairs,)
        Keypoints that lie on one another; 0 where only the fingerprints speak.
    """

    pairs: NDArray[np.int64]
    similarity: NDArray[np.float32]
    transforms: tuple[str, ...]
    reasons: tuple[VariantReason, ...]
    matches: NDArray[np.int64]

    @property
    def variants(self) -> NDArray[np.bool_]:
        """Which pairs are variants, shape (n_pairs,)."""
        return np.array([reason != "" for reason in self.reasons], dtype=bool)

    def copies(self) -> NearPairs:
        """Return the pairs that are copies."""
        rows = np.flatnonzero(~self.variants)
        names = tuple(self.transforms[row] for row in rows)
        reasons = _no_reasons(len(rows))
        kept = self.pairs[rows], self.similarity[rows]
        return NearPairs(*kept, names, reasons, self.matches[rows])


def _no_reasons(count: int) -> tuple[VariantReason, ...]:
    nothing: VariantReason = ""
    return (nothing,) * count


_CHAIN_ROUNDS = 3
# Of each image the chains over so many of its most similar copies are followed, so that thousands
# of copies of one placeholder do not cost millions of comparisons.
_CHAIN_DEGREE = 16


def find_near_pairs(
    fingerprints: Fingerprints,
    embeddings: Rows | None = None,
    settings: NearSettings | None = None,
    report: Report | None = None,
    closer: CloseLook | None = None,
) -> NearPairs:
    """Find pairs that show the same picture, however it was scaled, turned, cropped or covered.

    Parameters
    ----------
    fingerprints : Fingerprints
        Of distinct pictures (the same bytes once).
    embeddings : Rows, shape (n_images, dim), optional
        Any embedding space; without it crops are found only where a chain of other copies leads
        to them.
    settings : NearSettings, optional
    report : callable, optional
        Called while candidates are verified.
    closer : CloseLook, optional
        Keypoints and pictures for a closer look: finds copies that are turned by any angle,
        distorted, framed or set in another picture, and tells variants from copies. Without it
        only the fingerprints speak.

    Returns
    -------
    NearPairs

    Raises
    ------
    InvalidValue
        When fingerprints and embeddings differ in number.
    """
    chosen = settings or NearSettings()
    n = len(fingerprints)
    if embeddings is not None and len(embeddings) != n:
        raise InvalidValue(f"expected {n} embeddings, one a fingerprint, got {len(embeddings)}")
    if n < 2:
        return _as_near_pairs([], {})
    pyramid = Pyramid.build(fingerprints)
    turned, near = _propose(fingerprints, embeddings, chosen)
    found = verify_candidates(pyramid, turned, near, chosen, report)
    found = _follow_chains(pyramid, found, chosen)
    if closer is not None:
        return _look_closer(fingerprints, found, closer, chosen, report)
    names = _name(fingerprints, found)
    count = len(found.pairs)
    nothing = np.zeros(count, np.int64)
    return NearPairs(found.pairs, found.similarity, names, _no_reasons(count), nothing)


def _look_closer(
    fingerprints: Fingerprints,
    found: Checked,
    closer: CloseLook,
    settings: NearSettings,
    report: Report | None,
) -> NearPairs:
    """Judge what the fingerprints found, and what keypoints propose, by the pictures."""
    from vernis.core.copies.close_look import Proposal, reconsider  # loads parts of scipy

    names = dict(zip(map(tuple, found.pairs.tolist()), _name(fingerprints, found), strict=True))
    known = [
        Proposal(pair, overlay, similarity, related=True)
        for pair, overlay, similarity in zip(
            names, _overlays(fingerprints, found), found.similarity.tolist(), strict=True
        )
    ]
    families = Families()
    seen = closer.settle(known, settings.threshold, families)
    proposed, _ = propose_by_keypoints(
        closer.records, settings.keypoint_neighbors, seed=settings.seed
    )
    others = closer.propose([pair for pair in map(tuple, proposed.tolist()) if pair not in names])
    seen += closer.settle(others, settings.threshold, families, report)
    seen = [reconsider(each, families) for each in seen]
    # What differs by itself may be a copy by way of a third picture: two parts of one.
    seen = [each for each in seen if each.kind != "different"]
    tried = {each.pair for each in seen}
    copies = [each for each in seen if each.kind == "copy"]
    seen += closer.follow_chains(copies, tried, settings.bridged_threshold, families)
    return _as_near_pairs([each for each in seen if each.kind != "different"], names)


def _overlays(fingerprints: Fingerprints, found: Checked) -> list[Overlay]:
    """Return placements on the stretched square as overlays in units of the longer sides."""
    inverse = found.placements.inverse()
    wide = np.minimum(fingerprints.aspect, 1.0), np.minimum(1.0 / fingerprints.aspect, 1.0)
    overlays = []
    for (a, b), matrix, offset in zip(
        found.pairs.tolist(), inverse.matrix, inverse.offset, strict=True
    ):
        square = np.eye(3)
        square[:2, :2], square[:2, 2] = matrix, offset
        to_square = np.diag([1.0 / wide[0][a], 1.0 / wide[1][a], 1.0])
        overlays.append(Overlay(np.diag([wide[0][b], wide[1][b], 1.0]) @ square @ to_square, 0))
    return overlays


def _as_near_pairs(seen: Sequence[Seen], names: Mapping[Pair, str]) -> NearPairs:
    from vernis.core.copies.comparison import name_overlay  # loads parts of scipy

    ordered = sorted(seen, key=lambda each: each.pair)
    return NearPairs(
        np.array([each.pair for each in ordered], np.int64).reshape(-1, 2),
        np.array([each.comparison.similarity for each in ordered], np.float32),
        tuple(names.get(each.pair) or name_overlay(each.comparison) for each in ordered),
        tuple(each.comparison.reason for each in ordered),
        np.array([each.comparison.overlay.matches for each in ordered], np.int64),
    )


def _name(fingerprints: Fingerprints, found: Checked) -> tuple[str, ...]:
    def name(rows: slice) -> tuple[str, ...]:
        return name_transforms(fingerprints, found.pairs[rows], found.placements.take(rows))

    parts = in_threads(name, slices(len(found.pairs)))
    return tuple(chain.from_iterable(parts))


def _propose(
    fingerprints: Fingerprints, embeddings: Rows | None, settings: NearSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    descriptors = describe_turns(fingerprints.luma, seed=settings.seed)
    turned, _ = propose_by_turns(descriptors, settings.turn_neighbors, seed=settings.seed)
    if embeddings is None:
        return turned, np.zeros((0, 2), dtype=np.int64)
    near, _ = propose_by_embedding(embeddings, settings.embedding_neighbors, seed=settings.seed)
    return turned, near


def verify_candidates(
    pyramid: Pyramid,
    turned: NDArray[np.int64],
    near: NDArray[np.int64],
    settings: NearSettings,
    report: Report | None = None,
) -> Checked:
    """Verify proposed pairs, chains aside.

    Parameters
    ----------
    pyramid : Pyramid
    turned, near : ndarray of int64, shape (n_pairs, 2)
        Proposed by turns, and by embedding. Of the latter those that were found by the former are
        not compared again; crops are tried on the rest.
    settings : NearSettings
    report : callable, optional

    Returns
    -------
    Checked
        The pairs that reach the threshold.
    """
    total = len(turned) + len(near)

    def verify_turned(block: NDArray[np.int64]) -> Checked:
        guesses = guess_orientations(pyramid.coarse, block)[0]
        return verify_guesses(pyramid, block, guesses, settings.threshold)

    done, parts = 0, []
    for part in in_threads(verify_turned, [turned[rows] for rows in slices(len(turned))]):
        parts.append(part)
        done = min(done + BLOCK, len(turned))
        if report is not None:
            report(done, total)
    found = best_of(parts)
    n = len(pyramid.fingerprints.luma)
    near = near[~np.isin(near @ [n, 1], found.pairs @ [n, 1])]
    done = total - len(near)
    crops = _choose_crops(pyramid, near)

    def verify_near(rows: slice) -> Checked:
        guesses = _guess_all(pyramid, near[rows], crops[rows])
        return verify_guesses(pyramid, near[rows], guesses, settings.threshold)

    for part in in_threads(verify_near, slices(len(near))):
        parts.append(part)
        done = min(done + BLOCK, total)
        if report is not None:
            report(done, total)
    return best_of(parts)


def _choose_crops(pyramid: Pyramid, pairs: NDArray[np.int64]) -> NDArray[np.int16]:
    """Choose crops for both directions, shape (n_pairs, 2): b as a crop of a, a as one of b."""
    whole = np.concatenate([pairs[:, 0], pairs[:, 1]])
    order = np.argsort(whole, kind="stable")

    def choose(rows: slice) -> NDArray[np.int16]:
        # All of a picture's partners at a time, so that its crops are cut once.
        wholes, local = np.unique(whole[order[rows]], return_inverse=True)
        flipped, pair = np.divmod(order[rows], len(pairs))
        parts, back = np.unique(pairs[pair, 1 - flipped], return_inverse=True)
        pictures = shrink(pyramid.fingerprints.luma[wholes], 32)
        return choose_crops(pictures, describe_small(pyramid.coarse[parts]), local, back)

    chosen = np.empty(len(order), dtype=np.int16)
    if len(order):
        chosen[order] = np.concatenate(list(in_threads(choose, slices(len(order)))))
    return chosen.reshape(2, -1).T


def _guess_all(pyramid: Pyramid, pairs: NDArray[np.int64], crops: NDArray[np.int16]) -> Placements:
    whole = guess_orientations(pyramid.coarse, pairs, 2)[0]
    forward, backward = place_crops(crops[:, 0]), place_crops(crops[:, 1]).inverse()
    matrix = [forward.matrix[:, None], backward.matrix[:, None]]
    offset = [forward.offset[:, None], backward.offset[:, None]]
    return Placements(
        np.concatenate([whole.matrix.reshape(-1, 2, 2, 2), *matrix], axis=1).reshape(-1, 2, 2),
        np.concatenate([whole.offset.reshape(-1, 2, 2), *offset], axis=1).reshape(-1, 2),
    )


def _follow_chains(pyramid: Pyramid, found: Checked, settings: NearSettings) -> Checked:
    """Verify a and c where a-b and b-c are verified, at the placement that they imply."""
    n = len(pyramid.fingerprints.luma)
    tried = set((found.pairs[:, 0] * n + found.pairs[:, 1]).tolist())
    for _ in range(_CHAIN_ROUNDS):
        strong = np.flatnonzero(found.similarity >= settings.threshold)
        pairs, placed = _chains(found.take(strong), n, tried)
        if not len(pairs):
            break
        tried.update((pairs[:, 0] * n + pairs[:, 1]).tolist())

        def verify(
            rows: slice, pairs: NDArray[np.int64] = pairs, placed: Placements = placed
        ) -> Checked:
            return verify_chain(pyramid, pairs[rows], placed.take(rows), settings.bridged_threshold)

        more = best_of(list(in_threads(verify, slices(len(pairs)))))
        if not len(more.pairs):
            break
        found = best_of([found, more])
    return found


def _chains(found: Checked, n: int, tried: set[int]) -> tuple[NDArray[np.int64], Placements]:
    """Return the untried pairs two steps apart, each by its most similar middle."""
    inverse = found.placements.inverse()
    count = len(found.pairs)
    source = np.concatenate([found.pairs[:, 0], found.pairs[:, 1]])
    target = np.concatenate([found.pairs[:, 1], found.pairs[:, 0]])
    matrix = np.concatenate([found.placements.matrix, inverse.matrix])
    offset = np.concatenate([found.placements.offset, inverse.offset])
    value = np.concatenate([found.similarity, found.similarity])
    steps = Placements(matrix, offset)
    order = np.lexsort((-value, source))
    bounds = np.searchsorted(source[order], np.arange(n + 1))
    best: dict[int, tuple[float, int, int]] = {}
    for middle in np.unique(target[:count].tolist() + target[count:].tolist()):
        around = order[bounds[middle] : bounds[middle + 1]][:_CHAIN_DEGREE]
        for i in around:
            for j in around:
                a, c = int(target[i]), int(target[j])
                code = a * n + c
                if a >= c or code in tried:
                    continue
                worth = float(min(value[i], value[j]))
                if code not in best or worth > best[code][0]:
                    best[code] = (worth, int(i), int(j))
    codes = np.array(sorted(best), dtype=np.int64)
    left = np.array([best[c][1] for c in codes.tolist()], dtype=np.int64)
    right = np.array([best[c][2] for c in codes.tolist()], dtype=np.int64)
    # Step i leads from the middle m to a: it places a on m; step j places c on m.
    placed = steps.take(left).inverse().after(steps.take(right)) if len(codes) else steps
    return np.column_stack([codes // n, codes % n]), placed
