"""Which images are copies of one another by what was seen so far, and which families differ.

What is seen of a few pairs tells the others: copies of copies show the same, and where pictures of
a family are variants of those of another family, all are.
"""

from __future__ import annotations

from typing import Literal

Verdict = Literal["copy", "content", "color"]
Reason = Literal["content", "color"]

ENOUGH = 3
"""Images of a family that must be seen to be variants of those of another one before all are; all
of a smaller family.

Text on a screen and the mount of a frame, or two borders, may look like other content or another
colour of the same thing: that must not tell a picture apart from all its copies."""


class Families:
    """Images joined by copies; families told apart by variants."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._size: dict[int, int] = {}
        self._least: dict[int, float] = {}
        self._variants: dict[int, dict[int, list[tuple[int, int, Reason]]]] = {}

    def top(self, image: int) -> int:
        """Return the image that stands for the family."""
        parent = self._parent
        while parent.setdefault(image, image) != image:
            parent[image] = image = parent[parent[image]]
        return image

    def size(self, image: int) -> int:
        """Return the number of images in the family, itself included."""
        return self._size.get(self.top(image), 1)

    def least(self, image: int) -> float:
        """Return the least similarity that joined the family; 1 of an image alone."""
        return self._least.get(self.top(image), 1.0)

    def join(self, a: int, b: int, similarity: float) -> None:
        """Take two images for copies."""
        one, other = self.top(a), self.top(b)
        least = min(similarity, self.least(one), self.least(other))
        if one != other:
            self._parent[other] = one
            self._size[one] = self._size.get(one, 1) + self._size.pop(other, 1)
            for family, seen in self._variants.pop(other, {}).items():
                del self._variants[family][other]
                if family != one:
                    self._tell(one, family, seen)
        self._least[one] = least

    def tell_apart(self, a: int, b: int, reason: Reason) -> None:
        """Take two images for variants; says nothing within one family."""
        if self.top(a) != self.top(b):
            self._tell(self.top(a), self.top(b), [(a, b, reason)])

    def _tell(self, one: int, other: int, seen: list[tuple[int, int, Reason]]) -> None:
        # One list for both, so that it grows for both.
        known = self._variants.setdefault(one, {}).setdefault(other, [])
        self._variants.setdefault(other, {})[one] = known
        known += seen

    def verdict(self, a: int, b: int) -> Verdict | None:
        """Return what follows for two images; None: nothing."""
        one, other = self.top(a), self.top(b)
        if one == other:
            return "copy"
        seen = self._variants.get(one, {}).get(other, [])
        images = {image for a, b, _ in seen for image in (a, b)}
        for family in (one, other):
            told = sum(self.top(image) == family for image in images)
            if told < min(ENOUGH, self.size(family)):
                return None
        reasons = [reason for _, _, reason in seen]
        return max(sorted(set(reasons)), key=reasons.count)
