"""Which images are copies of one another by what was seen so far, and which families differ.

What is seen of a few pairs tells the others: copies of copies show the same, and where one picture
of a family is a variant of one of another family, all are.
"""

from __future__ import annotations

from typing import Literal

Verdict = Literal["copy", "content", "color"]


class Families:
    """Images joined by copies; families told apart by variants."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._size: dict[int, int] = {}
        self._least: dict[int, float] = {}
        self._variants: dict[int, dict[int, Literal["content", "color"]]] = {}

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
            for family, reason in self._variants.pop(other, {}).items():
                del self._variants[family][other]
                if family != one:
                    self._tell(one, family, reason)
        self._least[one] = least

    def tell_apart(self, a: int, b: int, reason: Literal["content", "color"]) -> None:
        """Take two images for variants; says nothing within one family."""
        if self.top(a) != self.top(b):
            self._tell(self.top(a), self.top(b), reason)

    def _tell(self, one: int, other: int, reason: Literal["content", "color"]) -> None:
        self._variants.setdefault(one, {})[other] = reason
        self._variants.setdefault(other, {})[one] = reason

    def verdict(self, a: int, b: int) -> Verdict | None:
        """Return what follows for two images; None: nothing."""
        one, other = self.top(a), self.top(b)
        if one == other:
            return "copy"
        return self._variants.get(one, {}).get(other)
