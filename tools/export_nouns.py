"""Write the nouns by which the classes of ImageNet are searched, from WordNet.

    apt-get download wordnet-base wamerican && for f in *.deb; do dpkg -x $f debian; done
    pip download --no-deps timm==1.0.31
    python tools/export_nouns.py --wordnet debian/usr/share/wordnet --timm timm-*.whl
        --everyday debian/usr/share/dict/american-english
        --out src/vernis/adapters/backbones/weights/imagenet_nouns.txt

Written are the names of the 1,000 classes and of everything above them (*dog*, *animal*), for each
class what its definition or its whole names beside (a *wine bottle* has to do with *wine*), and
everyday nouns that are no class, under the nearest thing that is one (*puffin* under *seabird*).
The form of the file is explained in ``vernis.core.words.noun_tree``, which reads it. WordNet 3.0 is
in Debian's ``wordnet-base`` (its licence goes along), the order of the classes in ``timm``; of the
word list of ``wamerican`` only which words are everyday ones is asked.
"""

from __future__ import annotations

import argparse
import itertools
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ORDER = "timm/data/_info/imagenet_synsets.txt"
_ABOVE = ("@", "@i")
_WHOLE = "#p"
_THINGS = {5, 6, 13, 17, 20}
"""Lexicographer files of what a picture can show: animal, artifact, food, object, plant."""
_FOOD, _GROWN = 13, {17, 20}
_VAGUE = {
    *("matter", "substance", "solid", "surface", "area", "part", "plant organ", "plant part"),
    *("natural object", "geological formation", "covering", "device", "sheet", "line", "material"),
}
"""Things that tell nothing of how something looks."""
_BROAD = 70
"""Classes; a noun that is only a kind of something so broad tells nothing."""
_NEAR = 4
"""Steps up to the nearest thing that holds classes."""
_COMMON = 40
"""Definitions; a noun in so many of them tells nothing."""
_RARE = 12
"""Definitions; a noun that is nothing with classes counts where it is in so few of them."""
_WORD = re.compile(r"[a-z]+")
_MORE_NAMES = {"person": ("people",), "clothing": ("clothes",)}
"""What WordNet keeps apart and a person asks for."""


@dataclass(frozen=True)
class Synset:
    """A meaning of WordNet: its names, what is above it, what it is a part of, its definition."""

    file: int
    names: tuple[str, ...]
    above: tuple[int, ...]
    wholes: tuple[int, ...]
    definition: str


def read_synsets(path: Path) -> dict[int, Synset]:
    """Read ``data.noun``; see wndb(5WN)."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue
        data, _, gloss = line.partition(" | ")
        fields = data.split()
        n_names = int(fields[3], 16)
        names = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(n_names))
        rest = fields[5 + 2 * n_names :]
        pointers = [(rest[4 * i], int(rest[4 * i + 1])) for i in range(len(rest) // 4)]
        found[int(fields[0])] = Synset(
            int(fields[1]),
            names,
            tuple(to for kind, to in pointers if kind in _ABOVE),
            tuple(to for kind, to in pointers if kind == _WHOLE),
            gloss.partition('"')[0].strip(" ;"),
        )
    return found


def read_senses(path: Path) -> dict[str, list[int]]:
    """Read ``index.noun`` or its like: the meanings of each word, the most frequent first."""
    senses = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            senses[fields[0].replace("_", " ")] = [int(x) for x in fields[-int(fields[2]) :]]
    return senses


class Tree:
    """The classes and everything above them."""

    def __init__(self, synsets: dict[int, Synset], classes: list[int]) -> None:
        self.synsets = synsets
        self.classes = classes
        below: Counter[int] = Counter()
        for one in classes:
            below.update(self.line_up(one))
        self.n_below = below
        above = sorted(set(below) - set(classes))
        self.lines = {one: number for number, one in enumerate([*classes, *above])}
        self.names = {
            name.lower(): one for one in reversed([*self.lines]) for name in synsets[one].names
        }

    def line_up(self, synset: int) -> set[int]:
        """Return a synset and all that is above it."""
        seen, todo = set(), [synset]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += self.synsets[one].above
        return seen

    def nearest(self, senses: list[int]) -> int | None:
        """Return the narrowest thing with classes near above the first meaning that is a thing.

        Of what grows the meaning that is eaten comes first: a carrot is a vegetable.
        """
        things = [one for one in senses if self.synsets[one].file in _THINGS]
        if things and self.synsets[things[0]].file in _GROWN:
            things.sort(key=lambda one: self.synsets[one].file != _FOOD)
        todo = things[:1]
        for _ in range(_NEAR):
            todo = [up for one in todo for up in self.synsets[one].above]
            there = [one for one in todo if 0 < self.n_below[one] <= _BROAD]
            if there:
                found = min(there, key=lambda one: (self.n_below[one], one))
                return None if self.synsets[found].names[0] in _VAGUE else found
        return None


def read_plurals(path: Path) -> dict[str, list[str]]:
    """Read ``noun.exc``: the irregular plurals of each noun."""
    plurals: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        plural, *singulars = line.replace("_", " ").split(" ")
        for noun in singulars:
            plurals.setdefault(noun, []).append(plural)
    return plurals


def definition_words(definition: str, senses: dict[str, list[int]]) -> set[str]:
    """Return the nouns of a definition, in the singular, two-word nouns among them."""
    words = [_singular(word, senses) for word in _WORD.findall(definition.lower())]
    pairs = {f"{a} {b}" for a, b in itertools.pairwise(words)}
    return {word for word in {*words, *pairs} if word in senses and len(word) > 2}


def _singular(word: str, senses: dict[str, list[int]]) -> str:
    for ending, instead in (("ies", "y"), ("es", ""), ("es", "e"), ("s", "")):
        stem = word.removesuffix(ending) + instead
        if word.endswith(ending) and word not in senses and stem in senses:
            return stem
    return word


def related_nouns(
    tree: Tree, senses: dict[str, list[int]], adjectives: set[str]
) -> dict[int, set[str]]:
    """Return for each class the things that its definition, its name or its whole names."""
    words = {}
    for one in tree.classes:
        synset = tree.synsets[one]
        own = {word for name in synset.names for word in name.lower().split()}
        texts = " ; ".join([synset.definition, *(n for n in synset.names if " " in n)])
        wholes = {tree.synsets[whole].names[0].lower() for whole in synset.wholes}
        lines = {n.lower() for up in tree.line_up(one) for n in tree.synsets[up].names}
        words[one] = (definition_words(texts, senses) | wholes | (own & {*senses})) - lines
    often = Counter(word for found in words.values() for word in found)
    return {
        one: {
            word
            for word in found
            if often[word] <= _COMMON
            and word not in adjectives
            and word in senses
            and tree.synsets[senses[word][0]].file in _THINGS
        }
        for one, found in words.items()
    }


def write(
    tree: Tree,
    senses: dict[str, list[int]],
    related: dict[int, set[str]],
    plurals: dict[str, list[str]],
    everyday: set[str],
) -> str:
    """Return the text of the file."""
    more: dict[str, int] = {}
    often = Counter(word for found in related.values() for word in found)
    for noun in sorted({*often} - {*tree.names}):
        if tree.nearest(senses[noun]) is not None or often[noun] <= _RARE:
            more[noun] = len(tree.lines) + len(more)
    lines = [
        "# Nouns of WordNet 3.0, Copyright 2006 by Princeton University (LICENSE.wordnet).",
        "# Written by tools/export_nouns.py; read by vernis.core.words.noun_tree.",
    ]
    for one in tree.lines:
        names = list(tree.synsets[one].names)
        for name in tree.synsets[one].names:
            names += _MORE_NAMES.get(name, ())
            names += [plural for plural in plurals.get(name, ()) if plural in everyday]
        above = sorted(tree.lines[up] for up in tree.synsets[one].above if up in tree.lines)
        fields = ["|".join(dict.fromkeys(names)), ",".join(map(str, above))]
        if one in related:
            beside = [tree.lines[tree.names[w]] for w in related[one] if w in tree.names]
            beside += [more[word] for word in related[one] if word in more]
            fields.append(",".join(map(str, sorted(beside))))
        lines.append("\t".join(fields))
    lines += [f"{noun}\t{tree.lines.get(tree.nearest(senses[noun]), '')}" for noun in more]
    others: dict[int, list[str]] = {}
    for noun in sorted((set(senses) & everyday) - {*tree.names} - {*more}):
        nearest = tree.nearest(senses[noun])
        if nearest is not None:
            others.setdefault(tree.lines[nearest], []).append(noun)
    lines += [f"+{number}\t{'|'.join(nouns)}" for number, nouns in sorted(others.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name in ("--wordnet", "--timm", "--everyday", "--out"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args()
    order = zipfile.ZipFile(asked.timm).read(ORDER).decode("ascii").split()
    synsets = read_synsets(asked.wordnet / "data.noun")
    tree = Tree(synsets, [int(one[1:]) for one in order])
    everyday = {w for w in asked.everyday.read_text("utf-8").splitlines() if _WORD.fullmatch(w)}
    senses = read_senses(asked.wordnet / "index.noun")
    related = related_nouns(tree, senses, {*read_senses(asked.wordnet / "index.adj")})
    text = write(tree, senses, related, read_plurals(asked.wordnet / "noun.exc"), everyday)
    asked.out.write_text(text, encoding="utf-8", newline="\n")
    print(f"{asked.out}: {len(text.encode()):,} bytes, {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
