"""Where the nodes and flows of a Sankey diagram lie. Numbers only; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue

LABEL_ROOM = 17.0
"""Height that a node takes at least, so that its label meets no other."""

NODE_WIDTH = 14.0
_GAP = 5.0
_TOP, _BOTTOM = 46.0, 12.0


@dataclass(frozen=True, slots=True)
class Node:
    """A label on one side; ``y`` is its top, ``middle`` where its name is written."""

    name: str
    value: int
    y: float
    height: float
    middle: float


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A flow: from ``left_y`` down by ``thickness`` to ``right_y`` on the other side."""

    left: int
    right: int
    value: int
    left_y: float
    right_y: float
    thickness: float


@dataclass(frozen=True, slots=True)
class SankeyLayout:
    """A diagram: ``left_x`` and ``right_x`` are the inner edges of the nodes."""

    width: float
    height: float
    left_x: float
    right_x: float
    left: tuple[Node, ...]
    right: tuple[Node, ...]
    ribbons: tuple[Ribbon, ...]


def lay_out_sankey(
    left: Sequence[str],
    right: Sequence[str],
    values: ArrayLike,
    *,
    width: float = 1080.0,
    name_room: float = 230.0,
) -> SankeyLayout:
    """Place nodes from top to bottom in the order given, and the flows between them.

    All heights share one scale (images a unit), the largest at which both sides fit. A node that
    is smaller than its label gets the label's room.

    Parameters
    ----------
    left, right : sequence of str
    values : array_like, shape (n_left, n_right)
        Images; 0 for no flow.
    width : float
        Of the whole drawing.
    name_room : float
        Width of the names on either side.

    Raises
    ------
    InvalidValue
        If shapes disagree or nothing flows.
    """
    F = np.asarray(values, np.int64)
    if F.shape != (len(left), len(right)) or not F.any():
        raise InvalidValue(f"expected flows of ({len(left)}, {len(right)}), got {F.shape}")
    rise = max(420.0, 26.0 * max(F.shape))
    scale = _largest_scale((F.sum(axis=1), F.sum(axis=0)), rise)
    nodes = tuple(
        _stack(names, sizes, scale, rise)
        for names, sizes in ((left, F.sum(axis=1)), (right, F.sum(axis=0)))
    )
    left_y, right_y = ([node.y for node in side] for side in nodes)
    ribbons = []
    for i, j in np.argwhere(F > 0).tolist():
        ribbons.append(Ribbon(i, j, int(F[i, j]), left_y[i], right_y[j], F[i, j] * scale))
        left_y[i] += F[i, j] * scale
        right_y[j] += F[i, j] * scale
    return SankeyLayout(
        width,
        _TOP + rise + _BOTTOM,
        name_room + NODE_WIDTH,
        width - name_room - NODE_WIDTH,
        nodes[0],
        nodes[1],
        tuple(ribbons),
    )


def _needed(sizes: NDArray[np.int64], scale: float) -> float:
    return float(np.maximum(sizes * scale, LABEL_ROOM).sum() + _GAP * (len(sizes) - 1))


def _largest_scale(sides: Sequence[NDArray[np.int64]], rise: float) -> float:
    """Return the most units an image at which both sides fit, by bisection."""
    low, high = 0.0, rise / max(int(side.sum()) for side in sides)
    for _ in range(50):
        middle = (low + high) / 2
        fits = all(_needed(side, middle) <= rise for side in sides)
        low, high = (middle, high) if fits else (low, middle)
    return low


def _stack(
    names: Sequence[str], sizes: NDArray[np.int64], scale: float, rise: float
) -> tuple[Node, ...]:
    spare = (rise - _needed(sizes, scale)) / max(len(names), 1)
    y, nodes = _TOP + spare / 2, []
    for name, size in zip(names, sizes.tolist(), strict=True):
        height, slot = size * scale, max(size * scale, LABEL_ROOM)
        nodes.append(Node(name, size, y + (slot - height) / 2, height, y + slot / 2))
        y += slot + _GAP + spare
    return tuple(nodes)
